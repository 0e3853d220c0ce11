"""prepare_data.py DATA.jsonl BYTES FIRST: copies of chats number FIRST, FIRST + 2, …, as many as
make BYTES, on standard output. Copy 0 is as it is; in each other one, three words in ten are other words
of the data, and group and id are new, so that its examples are no near-duplicates of copy 0's."""
import json
import random
import sys

rows = [json.loads(line) for line in open(sys.argv[1])]
left = int(sys.argv[2])
words = [w for r in rows[::7] for w in r["messages"][0]["content"].split(" ")]


def other(text, rng):
    out = text.split(" ")
    for i in range(len(out)):
        if rng.random() < 0.3:
            out[i] = words[int(rng.random() * len(words))]
    return " ".join(out)


copy = int(sys.argv[3])
while left > 0:
    rng = random.Random(copy)
    for r in rows:
        if copy:
            r = dict(r, id=f"{r['id']}/{copy}", group=f"{r['group']}/{copy}",
                     messages=[dict(m, content=other(m["content"], rng)) for m in r["messages"]])
        line = json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n"
        left -= len(line.encode())
        if left < 0:
            break
        sys.stdout.write(line)
    copy += 2
