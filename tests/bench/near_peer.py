"""near_peer.py datasketch|rensa TEXTS.jsonl: near-duplicates of texts by 112 hashes of five-word
shingles in 14 bands, on one thread: prints documents a second of processor time, from the text to
what would be dropped, peak MiB of memory, and how many rows would be dropped. Neither
compares what its bands find. Made for datasketch 2.0 and rensa 0.5."""
import json
import os
import resource
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

texts = [json.loads(line)["text"] for line in open(sys.argv[2])]


def shingles(text):
    w = text.lower().split()
    return [" ".join(w[i:i + 5]) for i in range(max(1, len(w) - 4))]


def by_datasketch():
    from datasketch import MinHash, MinHashLSH
    index = MinHashLSH(params=(14, 8), num_perm=112)
    dropped = 0
    for i, text in enumerate(texts):
        m = MinHash(num_perm=112)
        m.update_batch([s.encode() for s in shingles(text)])
        if index.query(m):
            dropped += 1
        else:
            index.insert(i, m)
    return dropped


def by_rensa():
    from rensa import RMinHash, RMinHashLSH
    digests = RMinHash.digest_matrix_from_token_sets([shingles(t) for t in texts], 112, 42)
    index = RMinHashLSH(0.75, 112, 14)
    return sum(index.query_duplicate_flags_matrix_one_shot(digests))


run = {"datasketch": by_datasketch, "rensa": by_rensa}[sys.argv[1]]
start = time.process_time()
found = run()
spent = time.process_time() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print("%.0f %.0f %d" % (len(texts) / spent, peak, found))
