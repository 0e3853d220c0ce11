#!/usr/bin/python3
"""What ft-augment promises, looked at from outside.

make ROWS                   JSON lines of all shapes, some with placeholders, groups, labels, marks
check MODE ALL OUT FILE     OUT's rows are ALL's and sound copies of them; MODE: templates, slots,
                            noise, eda or all; FILE: of templates, slots or synonyms ("-": none)
ALL and OUT are JSON lines.
"""
import json
import random
import re
import sys
import unicodedata

WORDS = ("list the files of a folder show copy move great good movie film bad I liked it "
         "\u00e9t\u00e9 caf\u00e9 \u4e2d\u6587 \u043f\u0440\u0438\u0432\u0435\u0442 na\u0308her 42 "
         "3.14 {{path}} <host> {{none}} <b> {{ {x} yes!").split()
POINTS = ".,;:!?'\"-"


def need(ok, why):
    if not ok:
        sys.exit(f"augment_oracle: {why}")


def rows(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def make(count):
    r = random.Random(2)

    def text(n):
        return r.choice(["", " ", "\n"]) + " ".join(r.choice(WORDS) for _ in range(r.randrange(n)))
    for i in range(int(count)):
        record = [{"prompt": text(12), "completion": text(9)},
                  {"messages": [{"role": "system", "content": text(4)},
                                {"role": "user", "content": text(12), "name": "x"},
                                {"role": "assistant", "content": text(6)},
                                {"role": "user", "content": text(5)},
                                {"role": "assistant", "content": text(3)}]},
                  {"text": text(15), "label": "pos"},
                  {"text": text(15)},
                  {"prompt": text(9), "prediction": text(5), "reference": [text(4), text(4)]}][i % 5]
        record = {"id": [i, f"row {i}"][i % 2], **record, "n": i}
        if i % 4 == 0:
            record["group"] = f"g{i // 8}"
        if i % 10 == 3:
            record.update(aug="by hand", origin=1)
        print(json.dumps(record))


def texts(record):
    """The texts in order, as (is it a prompt, text)."""
    if "messages" in record:
        return [(m["role"] == "user", m["content"]) for m in record["messages"]]
    if "text" in record:
        return [("label" in record, record["text"])]
    references = record.get("reference", [])
    return ([(True, record["prompt"])] +
            [(False, record[k]) for k in ("completion", "prediction") if k in record] +
            [(False, t) for t in references])


def slot_pattern(text, slots, seen):
    """A pattern for text with its slots filled, one value for all places of a name."""
    pattern = ""
    for part in re.split(r"(\{\{[^{}\n]+\}\}|<[^<>\n]+>)", text):
        name = part[2:-2] if part.startswith("{{") else part[1:-1]
        if part[:1] in "{<" and part and name in slots:
            if name in seen:
                pattern += f"(?P=s{seen.index(name)})"
            else:
                pattern += f"(?P<s{len(seen)}>{'|'.join(map(re.escape, slots[name]))})"
                seen.append(name)
        else:
            pattern += re.escape(part)
    return pattern


def check_slots(old, new, slots):
    seen = []
    pattern = "\x00".join(slot_pattern(t, slots, seen) for _, t in texts(old))
    need(seen, "a copy of a row without placeholders")
    need(re.fullmatch(pattern, "\x00".join(t for _, t in texts(new)), re.S),
         f"{old} does not become {new}")


def check_templates(old, new, templates):
    used = templates[int(new["aug"].split("template:")[1].split("+")[0]) - 1]
    first = True
    for (is_prompt, a), (_, b) in zip(texts(old), texts(new)):
        need(b == (used.replace("{prompt}", a) if is_prompt and first else a), f"{a} -> {b}")
        first = first and not is_prompt


def untouched(text):
    """What noise must keep: all but letters, marks and points; placeholders as a whole."""
    text = re.sub(r"\{\{[^{}\n]+\}\}", lambda m: "\x01" * len(m[0]), text)
    return [c for c in text if unicodedata.category(c)[0] not in "LM" and c not in POINTS]


def edits(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        last, row[0] = row[0], i + 1
        for j, y in enumerate(b):
            last, row[j + 1] = row[j + 1], min(last + (x != y), row[j] + 1, row[j + 1] + 1)
    return row[-1]


def check_noise(old, new, tally):
    for (is_prompt, a), (_, b) in zip(texts(old), texts(new)):
        need(is_prompt or a == b, f"an answer was mistyped: {a} -> {b}")
        need(untouched(a) == untouched(b) or not b, f"{a!r} -> {b!r}")
        tally[0] += edits(a, b)
        tally[1] += sum(unicodedata.category(c)[0] == "L" for c in a)
        for c in "\u0308":
            need(a.count(c) == b.count(c), "a mark was lost")


def core(word):
    return re.sub(r"^[!-/:-@[-`{-~]+|[!-/:-@[-`{-~]+$", "", word).lower()


def check_eda(old, new, synonyms):
    op = new["aug"].split(":")[1]
    for (is_prompt, a), (_, b) in zip(texts(old), texts(new)):
        x, y = a.split(), b.split(" ")
        if a == b:
            continue
        need(is_prompt, "an answer was changed")
        if op == "swap":
            need(sorted(x) == sorted(y), f"{x} -> {y}")
        elif op == "delete":
            it = iter(x)
            need(y and len(y) < len(x) and all(w in it for w in y), f"{x} -> {y}")
        elif op == "replace":
            changed = [(v, w) for v, w in zip(x, y) if v != w]
            need(len(x) == len(y) and len(changed) <= max(1, len(x) // 10), f"{x} -> {y}")
            need(all(core(w) in synonyms.get(core(v), []) for v, w in changed), f"{changed}")
        else:
            it = iter(y)
            added = list(y)
            for w in x:
                need(w in it, f"{x} -> {y}")
                added.remove(w)
            allowed = {s for w in x for s in synonyms.get(core(w), [])}
            need(len(added) == max(1, len(x) // 20) or len(added) == max(1, len(x) // 10), "count")
            need(set(added) <= allowed, f"{added}")


def check(mode, all_path, out_path, path):
    old, table, tally = {str(r["id"]): r for r in rows(all_path)}, None, [0, 0]
    if mode in ("slots", "all"):
        with open(path, encoding="utf-8") as file:
            table = json.load(file)
    elif mode == "templates":
        with open(path, encoding="utf-8") as file:
            table = [line.rstrip("\n").replace("\\n", "\n") for line in file if line.strip()]
    elif mode == "eda" and path != "-":
        with open(path, encoding="utf-8") as file:
            table = {w[0]: w[1:] for w in (line.rstrip("\n").split("\t") for line in file)}
    out, copies, written = rows(out_path), 0, set()
    kept = [r for r in out if "origin" not in r or r["aug"] == "by hand"]
    groups = {str(r["id"]): r.get("group") for r in kept}
    need([{**r, "group": 0} for r in kept] == [{**r, "group": 0} for r in old.values()],
         "the originals are not all there")
    for new in out:
        if new.get("aug", "by hand") == "by hand":
            continue
        copies += 1
        was = old[str(new["origin"])]
        need("aug" not in was, "a copy of a copy")
        need(re.fullmatch(re.escape(str(was["id"])) + r"\+aug[1-9]\d*", new["id"]), new["id"])
        need(new["group"] == groups[str(was["id"])] and new["group"], "the group differs")
        need("group" not in was or new["group"] == was["group"], "the group is another one")
        rest = set(was) - {"id", "group", "messages", "prompt", "completion", "text", "prediction",
                           "reference"}
        need(all(new[k] == was[k] for k in rest), "a field that rides along was altered")
        need(set(new) == set(was) | {"group", "aug", "origin"}, f"fields {set(new)}")
        content = (str(was["id"]), json.dumps(texts(new)))
        need(texts(new) != texts(was) and content not in written, "a copy of no use")
        written.add(content)
        if mode == "slots":
            check_slots(was, new, table)
        elif mode == "templates":
            check_templates(was, new, table)
        elif mode == "noise":
            check_noise(was, new, tally)
        elif mode == "eda":
            check_eda(was, new, table)
    need(copies > len(old) // 4, f"only {copies} copies")
    print(copies, *(f"{tally[0] / tally[1]:.4f}" for _ in [0] if tally[1]))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
