#!/usr/bin/python3
"""What ft-mix promises, looked at from outside, in exact fractions.

make SEED NAME ROWS BYTES   JSON lines: texts of 0 to BYTES bytes, with labels of uneven frequency
shares BY X,Y,.. END OUT SOURCE...   every prefix of OUT has the shares to one record; each source is
                            taken in its order, epoch after epoch; the end is where END says (first,
                            all, a number, or cap:K)
temperature T BY SOURCE...  the shares for --ratio that T stands for
order SEED STREAM SOURCE    the rows of SOURCE in ft's random orders, pass 0 and 1
balance FIELD KIND ARG OUT SOURCE   KIND cap, even, both, inverse-sqrt or effective
All files but the first command's are JSON lines.
"""
import collections
import fractions
import json
import random
import sys

F = fractions.Fraction


def rows(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def need(ok, why):
    if not ok:
        sys.exit(f"mix_oracle: {why}")


def make(seed, name, count, size):
    r = random.Random(seed)
    for i in range(int(count)):
        n = r.choice([0, r.randrange(int(size) + 1), r.randrange(int(size) // 4 + 1)])
        text = "".join(r.choice("abc \u00e9\u4e2d") for _ in range(n))
        while len(text.encode()) > int(size):
            text = text[:-1]
        record = {"id": f"{name}{i}", "text": text, "label": f"l{int(r.random() ** 3 * 6)}"}
        if i % 3 == 0:
            record = {"id": f"{name}{i}", "prompt": text, "completion": "yes", "label": 7}
        if i % 7 == 0:
            record = {"id": f"{name}{i}", "label": "chat", "source": "known", "messages": [
                {"role": "user", "content": text}, {"role": "assistant", "content": "no"}]}
        print(json.dumps(record))


def size(record, by):
    if by == "examples":
        return len(record["segments"]) if "segments" in record else 1
    if by == "tokens":
        return sum(len(s["ids"]["$bin"]) // 8 for s in record.get("segments", [record]))
    if by == "targets":
        return sum(bin(int(s["mask"]["$bin"], 16)).count("1")
                   for s in record.get("segments", [record]))
    texts = [m["content"] for m in record.get("messages", [])]
    texts += [record[k] for k in ("prompt", "completion", "text") if k in record]
    return sum(len(t.encode()) for t in texts)


def check_end(end, used, taken, sources):
    done = [len(t) >= len(s) for t, s in zip(taken, sources)]
    if end == "first":
        need(sum(done) == 1, f"ends with {done} used")
        need(all(len(t) <= len(s) for t, s in zip(taken, sources)), "something is repeated")
    elif end == "all":
        need(all(done), "not all were used")
        need(any(len(t) == len(s) for t, s in zip(taken, sources)), "goes on when all were used")
    elif end.startswith("cap:"):
        need(max(len(t) / len(s) for t, s in zip(taken, sources)) == int(end[4:]), "not at the cap")
    else:
        need(used[-1] >= int(end) > used[-2], f"ends at {used[-1]}")


def shares(by, ratio, end, out, *paths):
    sources = [rows(p) for p in paths]
    weights = [F(x) for x in ratio.split(",")]
    weights = [w / sum(weights) for w in weights]
    index = {r["id"] if "id" in r else r["segments"][0]["id"]: (i, k)
             for i, s in enumerate(sources) for k, r in enumerate(s)}
    largest = [max(size(r, by) for r in s) for s in sources]
    used, taken, steps = [0] * len(sources), [[] for _ in sources], [0]
    for record in rows(out):
        i, k = index[record["id"] if "id" in record else record["segments"][0]["id"]]
        need(k == len(taken[i]) % len(sources[i]), f"source {i} is not in its order")
        need(record == sources[i][k], "a record was altered")
        taken[i].append(k)
        used[i] += size(record, by)
        steps.append(sum(used))
        for u, w, own in zip(used, weights, largest):
            need(u - w * steps[-1] <= (1 - w) * own, "a source is ahead by more than a record")
            need(w * steps[-1] - u <= max(largest), "a source is behind by more than a record")
    check_end(end, steps, taken, sources)


def temperature(t, by, *paths):
    sizes = [sum(size(r, by) for r in rows(p)) for p in paths]
    print(",".join(f"{(n / max(sizes)) ** (1 / float(t)):.9f}" for n in sizes))


# Philox4x32-10 as its paper gives it.
def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def draw(seed, use, step, index):
    low = 0xFFFFFFFF
    out = philox([index & low, index >> 32, step, use << 24], [seed & low, seed >> 32])
    return out[1] << 32 | out[0]


def order(seed, stream, path):
    seed = draw(int(seed), 5, 0, int(stream))
    source = rows(path)
    for step in (0, 1):
        for _, i in sorted((draw(seed, 1, step, i), i) for i in range(len(source))):
            print(json.dumps(source[i]))


def balance(field, kind, arg, out, path):
    source, got = rows(path), rows(out)
    counts = collections.Counter(json.dumps(r[field]) for r in source)
    if kind in ("inverse-sqrt", "effective"):
        beta = float(arg)
        raw = {c: n ** -0.5 if kind == "inverse-sqrt" else (1 - beta) / (1 - beta ** n)
               for c, n in counts.items()}
        mean = sum(counts[c] * raw[c] for c in counts) / len(source)
        need(len(got) == len(source), "rows are missing")
        for g, s in zip(got, source):
            want = raw[json.dumps(s[field])] / mean * s.get("weight", 1)
            need(abs(g["weight"] - want) <= 1e-9 * want, f"weight {g['weight']}, not {want}")
            need({**g, "weight": 0} == {**s, "weight": 0}, "another field was altered")
        need("weight" in source[0] or abs(sum(g["weight"] for g in got) / len(got) - 1) < 1e-9,
             "the mean is not 1")
        return
    cap, most = int(arg), max(counts.values())
    uses = collections.Counter(r["id"] for r in got)
    for label, n in counts.items():
        ids = [r["id"] for r in source if json.dumps(r[field]) == label]
        target = {"cap": min(n, cap), "even": min(most, cap * n),
                  "both": min(cap, most)}[kind]
        mine = [uses[i] for i in ids]
        need(sum(mine) == target, f"{label}: {sum(mine)} rows, not {target}")
        need(max(mine) - min(mine) <= 1, f"{label}: used {min(mine)} to {max(mine)} times")
    need(sum(uses.values()) == len(got), "ids")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
