"""The records that ft-import must make of JSON lines, and lines to try it on: its own mappings,
by Python's json.

    import_oracle.py make SEED N > lines.jsonl     random examples in all shapes
    import_oracle.py want < lines.jsonl            the record of each line
    import_oracle.py same A B                      whether two files hold equal JSON lines: values,
                                                   types and the order of keys
"""
import json
import random
import sys

ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
         "model": "assistant", "system": "system", "tool": "tool", "observation": "tool",
         "function_call": "function_call"}
EXTRA = [("label", "l"), ("n", -7), ("weight", 0.5), ("deep", {"a": [1, None, {"b": True}]}),
         ("source", "s"), ("meta", []), ("big", 2 ** 63 - 1), ("small", -2 ** 63), ("e", 1e-300)]
PIECES = ["a", "the end", " ", "\n", "\t", "\"", "\\", "é", "日本", "😀", "\u0000", "\u001f",
          "\u2028", "e\u0301", "</s>", "0", "ﬃ", "x" * 300]


def turn(role, content):
    return {"role": role, "content": content}


def plain(message):
    """A turn of OpenAI's messages with its content as a string."""
    message = dict(message)
    if isinstance(message.get("content"), list):
        message["content"] = "\n".join(part["text"] for part in message["content"])
    elif message.get("tool_calls") and message.get("content") is None:
        message["content"] = ""
    return message


def context(message):
    """A turn of a prompt: not to be learnt, unless it says so itself."""
    message = plain(message)
    if message["role"] == "assistant" and not {"weight", "train", "loss"} & set(message):
        message["weight"] = 0
    return message


def messages_of(x):
    """The messages of an object and the fields they come from, or None."""
    system = [turn("system", x["system"])] if x.get("system") else []
    if "messages" in x:
        return [plain(t) for t in x["messages"]], {"messages"}
    if "conversations" in x:
        said = [{{"from": "role", "value": "content"}.get(k, k): ROLES[v] if k == "from" else v
                 for k, v in t.items()} for t in x["conversations"]]
        return system + said, {"conversations", "system"}
    if "instruction" in x and "output" in x:
        turns = system
        for question, answer in x.get("history") or []:
            turns += [turn("user", question), turn("assistant", answer)]
        asked = x["instruction"] + ("\n\n" + x["input"] if x.get("input") else "")
        return (turns + [turn("user", asked), turn("assistant", x["output"])],
                {"instruction", "input", "output", "system", "history"})
    if isinstance(x.get("prompt"), list):
        return ([context(t) for t in x["prompt"]] + [plain(t) for t in x["completion"]],
                {"prompt", "completion"})
    if "query" in x and "response" in x and "prompt" not in x:
        turns = system
        for question, answer in x.get("history") or []:
            turns += [turn("user", question), turn("assistant", answer)]
        asked = "\n\n".join(s for s in (x.get("instruction"), x["query"]) if s) \
            if x.get("instruction") and x["query"] else x.get("instruction") or x["query"]
        return (turns + [turn("user", asked), turn("assistant", x["response"])],
                {"instruction", "query", "response", "system", "history"})
    return None


def record_of(x, number):
    record = {} if "id" in x else {"id": number}
    made = messages_of(x)
    for key, value in x.items():
        if made and key in made[1]:
            record.setdefault("messages", made[0])
        else:
            record[key] = value
    return record


def text(r):
    return "".join(r.choice(PIECES) for _ in range(r.randrange(1, 6)))


def example(r):
    some = lambda: text(r)
    maybe = lambda: r.choice(["", None, some(), some()])
    chat = [turn(r.choice(["user", "assistant", "system", "developer"]), some())
            for _ in range(r.randrange(1, 5))]
    if r.random() < 0.3:
        chat[0]["weight"] = 0
    if r.random() < 0.2:
        chat.append({"role": "assistant", "content": [{"type": "text", "text": some()}
                                                      for _ in range(r.randrange(3))]})
    if r.random() < 0.2:
        calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
        chat.append(r.choice([{"role": "assistant", "tool_calls": calls},
                              {"role": "assistant", "content": None, "tool_calls": calls},
                              {"tool_calls": calls, "role": "assistant", "content": some()}]))
        chat.append({"role": "tool", "tool_call_id": "c", "content": some()})
    pick = r.randrange(9)
    if pick == 0:
        x = {"messages": chat, "system": "passes by"}
    elif pick == 1:
        x = {"conversations": [{"value": some(), "from": r.choice(list(ROLES)), "loss": True}
                               if r.random() < 0.2 else
                               {"from": r.choice(list(ROLES)), "value": some()}
                               for _ in range(r.randrange(1, 5))]}
        x.update({"system": maybe()} if r.random() < 0.5 else {"tools": "[]"})
    elif pick == 2:
        x = {"instruction": some(), "input": maybe(), "output": some(), "text": "passes by"}
    elif pick == 3:
        x = {"history": r.choice([None, [], [[some(), some()], [some(), ""]]]), "output": some(),
             "instruction": some(), "system": maybe()}
    elif pick == 4:
        x = {"prompt": some(), "completion": r.choice(["", some()]), "instruction": "passes by"}
    elif pick == 5:
        x = {"prompt": chat, "completion": [turn("assistant", some())]}
    elif pick == 6:
        x = {"text": some()}
    elif pick == 7:
        x = {"query": r.choice(["", some()]), "response": some(), "text": "passes by"}
        x.update(r.choice([{}, {"history": [[some(), some()]], "system": maybe()},
                           {"instruction": maybe()}]))
    else:
        x = {"prediction": some(), "reference": r.choice([some(), [some(), some()]]),
             "prompt": "passes by"}
    fields = list(x.items()) + r.sample(EXTRA, r.randrange(4))
    if r.random() < 0.3:
        fields.append(("id", r.choice(["x1", 12, ""])))
    r.shuffle(fields)
    return dict(fields)


def make(seed, n):
    r = random.Random(seed)
    for _ in range(n):
        ascii_only = r.random() < 0.5
        line = json.dumps(example(r), ensure_ascii=ascii_only,
                          separators=r.choice([(",", ":"), (", ", ": "), (" ,\t", " : ")]))
        sys.stdout.write(line + r.choice(["\n", "\n", "\r\n", "\n\n", " \n"]))


def exact(line):
    """A form in which True, 1 and 1.0 differ, and so does the order of keys."""
    return repr(json.loads(line))


def same(a, b):
    a, b = ([exact(x) for x in open(f, encoding="utf-8", newline="\n")] for f in (a, b))
    for i, (x, y) in enumerate(zip(a, b)):
        if x != y:
            print("# line %d:\n# %s\n# %s" % (i + 1, x, y))
            return 1
    return len(a) != len(b) or not a


if sys.argv[1] == "make":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    make(int(sys.argv[2]), int(sys.argv[3]))
elif sys.argv[1] == "same":
    sys.exit(same(sys.argv[2], sys.argv[3]))
else:
    number = 0
    for line in open(0, encoding="utf-8-sig", newline="\n"):
        if line.strip():
            number += 1
            print(json.dumps(record_of(json.loads(line), number)))
