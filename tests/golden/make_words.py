"""Asks spaCy 3.8.18 (English, as datatrove 0.10.1 uses it) how it cuts text into words.

    build/peers/python/bin/python tests/golden/make_words.py > tests/golden/words.txt
    build/peers/python/bin/python tests/golden/make_words.py tables      the rows of words_tables.c

A line of words.txt: a text, then its words, with tabs between. First each piece that spaCy knows by
name, then texts with prefixes, suffixes, infixes and addresses in them, then random mixtures.
"""
import re
import sys
import unicodedata

from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION
from datatrove.utils.word_tokenizers import load_word_tokenizer
from spacy.lang import char_classes as classes
from spacy.pipeline import Sentencizer

sys.dont_write_bytecode = True
sys.path.insert(0, __file__.rsplit("/", 1)[0])
from filter_docs import Draw, page  # noqa: E402

PIECES = """Hello, world! (see:) "quoted" 'single' can't won't I'm you're they'd've it's James' o'clock
state-of-the-art foo--bar a-1 1-a 1-2 3+4 2*3 5^6 x=y a:b a<b>c and/or either/or a,b 1,000 1.5 e.g. i.e.
U.S. U.S.A. Ph.D. etc. end. End.Next lower.Upper lower.lower ... .... wait...what …so 10km 5kg 3% 100$ $5
US$20 £3.50 9am 10:30p.m. 12:30 3/4 www.example.com http://a.example.org/x?y=1#z user@example.org
mailto:joe@example.org example.com/path ftp://x.example.org:21/ 192.168.0.1 8.8.8.8:53 v2.0.1 C++ C# .NET
node.js #tag @user under_score _x_ *bold* `code` {brace} [link](http://example.org) <b>bold</b> &amp; ~5 ^_^
:) :-( ;-) <3 xD naïve café Größe “curly” ‘single’ it’s don’t – — a—b «guillemets» 3°C 20°C. 5m² 10km/h
日本語 これは。 Привет, мир! 42nd 1990s '90s rock'n'roll y'all gonna cannot dunno -- --- --flag -x +1 +x 5+ §3
«x».»y« a.b.c.d x.Y. Inc. Mr.Smith Dr. St.Louis a|b | "a"-"b" (a)(b) foo(bar) foo[0] ’twas ’s s' 's--'
@.@ a@b a@b.c !? ?! !!! ??.. ,,, ;; (((x))) [[y]] 50%/50% 1km-2km ©2020 ™ €5 5€ ₹10 🙂 a🙂b 🙂🙂""".split()


def tables():
    one = {"\\" + c: c for c in "!?()[]{}*$'"}
    def chars(listed):
        return {one.get(x, x) for x in listed}
    tests = [(0x1, re.compile("[" + classes.ALPHA + "]").match),
             (0x8, re.compile("[" + classes.CONCAT_ICONS + "]").match),
             (0x10, chars(classes.LIST_PUNCT).__contains__),
             (0x20, chars(classes.LIST_QUOTES).__contains__),
             (0x40, chars(classes.LIST_CURRENCY).__contains__),
             (0x80, PUNCTUATION_SET.__contains__), (0x100, TERMINAL_PUNCTUATION.__contains__),
             (0x200, set(Sentencizer().punct_chars).__contains__)]
    lower = re.compile("[" + classes.ALPHA_LOWER + "]").match
    upper = re.compile("[" + classes.ALPHA_UPPER + "]").match
    rows = []
    for code in range(0x110000):
        if 0xd800 <= code < 0xe000:
            continue
        c = chr(code)
        bits = sum(bit for bit, test in tests if test(c))
        bits |= 2 if lower(c) and upper(c) else 0
        if rows and rows[-1][1] == code - 1 and rows[-1][2] == bits:
            rows[-1][1] = code
        elif bits:
            rows.append([code, code, bits])
    for row in rows:
        print("{0x%x, 0x%x, 0x%x}," % tuple(row))


def words():
    tokenizer = load_word_tokenizer("eng")
    texts = [t for t in sorted(tokenizer.tokenizer.tokenizer.rules) if not re.search(r"\s", t)]
    texts += PIECES
    d = Draw(7)
    for _ in range(400):
        texts.append("".join(d.of(PIECES) for _ in range(2)))
        texts.append(d.of(['"', "(", "'", "“", ""]) + d.of(PIECES) +
                     d.of([".", ",", ")", '."', "'s", "...", "!", ":)", ""]))
    texts += [" ".join(page(i).split())[:300] for i in range(3000, 3060)]
    for text in texts:
        print("\t".join([text] + tokenizer.word_tokenize(text)))


tables() if sys.argv[1:] == ["tables"] else words()
assert unicodedata.unidata_version
