"""metric_pairs.py: predictions and references made by a seeded procedure, the same for the script that
asks the reference programs (make_metrics.py) and for the test (tests/cli/metrics.sh).

    python3 metric_pairs.py > pairs.jsonl             12,000 records {id, group, prediction, reference}
    python3 metric_pairs.py labels > labels.jsonl      600 records of labels with probabilities
"""
import json
import sys

COUNT = 12000
WORDS = """the a an The of and to in that it is was for on are as with his they at be this have from or
one had by word but not what all were we when your can said there use each which she do how their if will
up other about out many then them these so some her would make like him into time has look two more write
go see number no way could people my than first water been call who oil its now find long down day did get
come made may part relational conditionally running flies dying happily generalization's U.S. U.S.A. e.g.
i.e. 3.14 1,000 2024. 10-year 5-6 -7 well-known co-operate $5.00 50% a/b x=y (see below) [1] {x} "quoted"
it's don't o'clock Dr. Mr. end. yes, no; why? wow! ... -- --- * & &amp; &lt;b&gt; &quot;hi&quot; &amp;lt;
<skipped> http://example.org/a_b?c=d#e user@example.com C++ #tag @me ~home ^top `code` \\back | pipe
caf\u00e9 na\u00efve \u00dcber stra\u00dfe \u0130stanbul \u0131\u015f\u0131k \u212aelvin \u00c5ngstr\u00f6m
\u039f\u0394\u039f\u03a3 \u03a3\u0391\u03a3. \u03a3 \u03b1\u03a3\u0301 A\u03a3-b \u041c\u043e\u0441\u043a\u0432\u0430
\u043f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0627\u0644\u0633\u0644\u0627\u0645 \u05e9\u05dc\u05d5\u05dd
\u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u4f60\u597d\uff0c\u4e16\u754c\u3002
\u6771\u4eac\u30bf\u30ef\u30fc \u3072\u3089\u304c\u306a \ud55c\uad6d\uc5b4 \u00ab\u00bb \u201cquote\u201d
\u2018s\u2019 \u2013 \u2014 \u2026 5\u00d76 \u20ac100 100\u20ac \u00b12 \u00bd \u2167 \u0663\u066b\u0661\u0664
\u0967\u0968\u0969 \U0001f600 \U0001f1e9\U0001f1ea e\u0301a \u00bfqu\u00e9? \u00a1s\u00ed! a\u00a0b x\u2003y
z\u3000w u\x1cv under_score _ __init__ I'm we'll A.B.C. 1.2.3 1,2,3 .5 5. ,x x, 7-8-9 a-1 1-a the-end AN
organizations argued agreed feed plastered motoring conflated troubled sized hopping tanned falling hissing
fizzed failing filing happy sky relate vietnamization predication operator feudalism decisiveness
hopefulness callousness formality sensitivity triplicate formative formalize electricity electrical hopeful
goodness revival allowance inference airliner adjustable defensible irritant replacement adjustment dependent
adoption communism activate homologous effective bowdlerize probate rate cease controlling rolling""".split(" ")
WORDS = [w for line in WORDS for w in line.split("\n") if w]
SPACES = [" ", " ", " ", " ", " ", " ", " ", " ", " ", "  ", "\n", "\t", "-\n", "\u00a0", "\u3000", " \n"]
ODD = ["", " ", "\n", "the", "The a an", ".", "...", "a", "\u4f60", "\u03a3", "1", "\n\n", "!?", "x\n", "\u00a0"]


class Numbers:
    """A 64-bit linear congruential generator: the same in every version of Python."""

    def __init__(self, seed):
        self.s = seed

    def below(self, n):
        self.s = (self.s * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.s >> 33) % n


def text(r, longest):
    out = []
    for _ in range(r.below(longest + 1)):
        out.append(WORDS[r.below(len(WORDS)) if r.below(3) else r.below(40)])
        out.append(SPACES[r.below(len(SPACES))])
    if out and r.below(4):
        out.pop()
    return "".join(out)


def changed(r, s):
    """A text that shares much with s, and some lines in another order."""
    words = s.split(" ")
    for _ in range(r.below(6)):
        at = r.below(len(words))
        what = r.below(5)
        if what == 0:
            words[at] = WORDS[r.below(len(WORDS))]
        elif what == 1 and len(words) > 1:
            del words[at]
        elif what == 2:
            words.insert(at, words[r.below(len(words))])
        elif what == 3:
            words[at] = words[at].upper()
        else:
            other = r.below(len(words))
            words[at], words[other] = words[other], words[at]
    return " ".join(words)


def pairs():
    r = Numbers(20)
    for i in range(COUNT):
        longest = (4, 12, 30, 60)[r.below(4)]
        reference = ODD[r.below(len(ODD))] if r.below(20) == 0 else text(r, longest)
        references = [reference]
        while r.below(4) == 0:
            references.append(changed(r, reference) if r.below(2) else text(r, longest))
        kind = r.below(20)
        if kind == 0:
            prediction = ODD[r.below(len(ODD))]
        elif kind == 1:
            prediction = text(r, longest)
        elif kind == 2:
            prediction = reference
        else:
            prediction = changed(r, references[r.below(len(references))])
        if i % 4000 == 123:                   # more different characters than 10 bits number
            references = ["".join(chr(0x4E00 + r.below(4000)) for _ in range(1500))]
            prediction = references[0][:700] + references[0][900:] + references[0][:50]
        yield {"id": f"p{i}", "group": f"g{i // 7}", "prediction": prediction,
               "reference": references[0] if len(references) == 1 and r.below(2) else references}


def labels():
    """Labels with probabilities that are multiples of 1/64."""
    r = Numbers(7)
    names = ["yes", "no", "maybe", "unsure", "never"]
    for i in range(600):
        truth = r.below(4)
        parts = [1 + r.below(12) for _ in range(4)]
        parts[truth] += r.below(40)
        left = 64
        p = {}
        for k in range(4):
            share = left if k == 3 else min(left, parts[k] * 64 // sum(parts))
            p[names[k]] = share / 64
            left -= share
        guess = max(names[:4], key=lambda n: p[n])
        if r.below(60) == 0:
            guess = "never"
        yield {"id": i, "prediction": guess, "reference": names[truth], "scores": p}


if __name__ == "__main__":
    for record in labels() if sys.argv[1:] == ["labels"] else pairs():
        print(json.dumps(record))
