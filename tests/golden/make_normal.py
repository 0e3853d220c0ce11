"""make_normal.py: writes normal.txt, canonical forms of texts by Python's unicodedata.

    python3 make_normal.py > normal.txt

Made with Python 3.11 (unicodedata 14.0.0). Only code points that were assigned then are used.
    A first last       a range of assigned code points, in hexadecimal
    C code text        a code point whose canonical form is not itself (UTF-8 in hexadecimal)
    T text text        a text and its canonical form
"""
import random
import re
import unicodedata

WHITE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


def canonical(s):
    s = unicodedata.normalize("NFD", s).casefold()
    return re.sub(f"[{WHITE}]+", " ", unicodedata.normalize("NFC", s)).strip(" ")


def hexed(s):
    return s.encode().hex() or "-"


def assigned_ranges(codes):
    ranges = []
    for c in codes:
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    return ranges


def main():
    codes = [c for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs")]
    for first, last in assigned_ranges(codes):
        print(f"A {first:x} {last:x}")
    changed = [c for c in codes if canonical(chr(c)) != chr(c)]
    for c in changed:
        print(f"C {c:x} {hexed(canonical(chr(c)))}")
    marks = [c for c in codes if unicodedata.combining(chr(c))]
    white = [ord(c) for c in "\t\n\x0b\x0c\r \x85\xa0\u1680\u2003\u2028\u2029\u202f\u205f\u3000"]
    jamo = list(range(0x1100, 0x1113)) + list(range(0x1161, 0x1176)) + list(range(0x11a8, 0x11c3))
    tastes = [changed, marks, white, codes, jamo, list(range(0x20, 0x7f)), [0x345, 0x1fb3, 0x301]]
    r = random.Random(14)
    for _ in range(800):
        some = r.choices(tastes, k=r.randint(1, 3)) + [tastes[5]]
        s = "".join(chr(r.choice(r.choice(some))) for _ in range(r.randint(0, 20)))
        print("T", hexed(s), hexed(canonical(s)))


if __name__ == "__main__":
    main()
