#!/usr/bin/python3
"""The oracle of dedup.sh. `make` prints examples as JSON lines, many of them equal but for case,
white space or how accents are spelt; `all`, `prompt` and `response` print those of standard input
(as ft_decode.py prints them) whose part was not there before; a second word says what equal
texts may differ in, as --ignore does.
"""
import json
import random
import sys
import unicodedata


ignore = {"case", "space"}


def stand_in(c):
    kind = unicodedata.category(c)
    if kind == "Nd" and "digits" in ignore:
        return "0"
    return " " if kind[0] in "PS" and "punctuation" in ignore else c


def canonical(text):
    """Definition D145 of the Unicode Standard, composed; what is ignored is left out."""
    text = unicodedata.normalize("NFD", text)
    if "case" in ignore:
        text = unicodedata.normalize("NFD", text.casefold())
    if "marks" in ignore:
        text = "".join(c for c in text if unicodedata.category(c) != "Mn")
    text = "".join(map(stand_in, unicodedata.normalize("NFC", text)))
    return " ".join(text.split()) if "space" in ignore else text


def parts(r):
    """(prompt, response, all), each a value that can be compared."""
    if "messages" in r:
        turns = [(t["role"], t["content"]) for t in r["messages"]]
        return (canonical("\n".join(c for who, c in turns if who == "user")),
                canonical("\n".join(c for who, c in turns if who == "assistant")),
                tuple((canonical(who), canonical(c)) for who, c in turns))
    if "prompt" in r:
        p, c = canonical(r["prompt"]), canonical(r["completion"])
        return p, c, (p, c)
    t = canonical(r["text"])
    return t, t, t


def vary(rng, text):
    """Another spelling with the same canonical form."""
    text = unicodedata.normalize(rng.choice(["NFC", "NFD"]), text)
    text = rng.choice([str.lower, str.upper, str.title, str])(text)
    spaces = [" ", "  ", "\t", "\n", "\u00a0", "\u3000 ", "\r\n"]
    text = "".join(rng.choice(spaces) if c == " " else c for c in text)
    return rng.choice(["", " ", "\n"]) + text + rng.choice(["", " ", "\t\n"])


def make():
    rng = random.Random(5)
    words = ["a", "A", "b", "ab", "Stra\u00dfe", "caf\u00e9", "na\u00efve", "\u00c5ngstr\u00f6m",
             "1", "\u1e69", "o\u0308\u0331", "fianc\u00e9e", "2", "a,b", "a b",
             "cafe", "\u0662", "b!", "\u00ab b\u20ac"]

    def text():
        return vary(rng, " ".join(rng.choice(words) for _ in range(rng.randint(0, 2))))

    for i in range(700):
        kind = i % 4
        if kind == 0:
            r = {"prompt": text(), "completion": text()}
        elif kind == 1:
            r = {"text": text()}
        else:
            roles = [["user", "assistant"], ["system", "user", "assistant"],
                     ["user", "assistant", "user", "assistant"]][rng.randrange(3)]
            r = {"messages": [{"role": w, "content": text()} for w in roles]}
        print(json.dumps({"id": i, **r, "extra": [i % 3, None]}))


def main(what):
    if what == "make":
        return make()
    if len(sys.argv) > 2:
        ignore.clear()
        ignore.update(sys.argv[2].split(","))
    at = ["prompt", "response", "all"].index(what)
    seen = set()
    for line in sys.stdin:
        key = parts(json.loads(line))[at]
        # Under --key all the shape counts as far as it changes the pieces.
        if key not in seen:
            seen.add(key)
            sys.stdout.write(line)


main(sys.argv[1])
