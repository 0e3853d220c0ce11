"""make_porter.py: writes porter.txt, stems by NLTK's PorterStemmer (its default, NLTK_EXTENSIONS).

    build/peers/python/bin/python tests/golden/make_porter.py > tests/golden/porter.txt

Made with nltk 3.10. Words are those of the licences in /usr/share/common-licenses, these and others with
endings put on, and made-up ones of few letters, where the rules meet each other. A line is
"word n ending": the stem is the word without its last n letters, and the ending (- for none).
"""
import glob
import itertools
import os
import re

from nltk.stem.porter import PorterStemmer

ENDINGS = """s es ed ing er ers ly y ies ied eed ful fully fulness ness ize ized izer ization ational tional
enci anci ably bly alli entli eli ousli ation ator alism iveness ousness aliti ality iviti ivity biliti bility
logi logy icate ative alize iciti ical al ance ence ic able ible ant ement ment ent ion tion sion ou ism ate
iti ous ive e ll lly yed ying ss sses""".split()
POOL = """sky skies dying lying tying news inning innings outing outings canning cannings howe proceed exceed
succeed dies ties flies cries died tied spied by say enjoy happy syzygy toy yyy yyyy yyyyy y ay ya oed aed
ing ied ies eed bled sing feed agreed geology theology philology archaeology controll roll 2024 1st 3rds
x1ing s ss sss as is us""".split()


def main():
    words = set()
    for path in sorted(glob.glob("/usr/share/common-licenses/*")):
        if not os.path.islink(path):
            with open(path, encoding="utf-8", errors="ignore") as f:
                words |= set(re.findall("[a-z]{2,24}", f.read().lower()))
    base = sorted(words)
    chosen = set(POOL) | set(base)
    for i, w in enumerate(base):
        for k in range(4):
            chosen.add(w.rstrip("aeiou" if k % 2 else "") + ENDINGS[(i * 4 + k) % len(ENDINGS)])
    for n in (1, 2, 3):
        for letters in itertools.product("abty", repeat=n):
            for ending in ENDINGS[::3]:
                chosen.add("".join(letters) + ending)
    stemmer = PorterStemmer()
    for w in sorted(x for x in chosen if x):
        stem = stemmer.stem(w)
        same = len(os.path.commonprefix([w, stem]))
        print(w, len(w) - same, stem[same:] or "-")


if __name__ == "__main__":
    main()
