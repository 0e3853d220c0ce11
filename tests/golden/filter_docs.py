"""2,000 made-up pages for the rules of ft-filter, the same on any machine: prose, lists, code,
boilerplate and noise in changing shares, with repetition and the odd word. Prints JSON lines."""
import json

SUBJECTS = """the council|our neighbour|a small team of engineers|Dr. Alvarez|the U.S. Navy|nobody|
the old bridge|Mrs. O'Neil|each of the 12 volunteers|the well-known author|it|they|what's left of the
crew|the Q3 report|a $40 ticket|the (rather slow) printer|she|who|everything""".replace("\n", " ")
VERBS = """didn't arrive before|has been looking at|couldn't've known about|will re-open|described|
hadn't finished|is about to sell|must have seen|paid 3.5% for|walked 10km to|gave up on|can't stand|
cannot afford|wouldn't trade|measured (twice)|wrote "no" next to""".replace("\n", " ")
OBJECTS = """the harbour|state-of-the-art equipment|a box of nails|its own rules|www.example.com/a?b=1|
the e-mail from john@example.org|version 2.0.1|the theatre's roof|the 9am train|and/or the other one|
naïve ideas about café culture|the Größe of the hall|the data—all of it|some "fresh" air|the children's
books|the rest of the year|100,000 people|http://news.example.net/x-y_z.html""".replace("\n", " ")
ENDS = [".", ".", ".", ".", "!", "?", "...", ";", "", "…", ".\"", ".[12]", ". [edit]", " :)", ", i.e. soon."]
LINES = ["Home | About | Contact", "Please enable JavaScript to continue.", "Read more...", "* * *",
         "We use cookies to improve this site.", "See our Privacy Policy for details.", "# Heading",
         "Lorem ipsum dolor sit amet.", "int main(void) { return 0; }", "- first item", "• second item",
         "-- Posted by admin, 3/4/2021 @ 10:15 p.m.", "Copyright © 2019-2024", "12 34 56 78 90",
         "これは日本語の文です。", "Это предложение по-русски.", "x" * 1005 + " is a very long word.",
         "a=b; c<d>e; f:g", "####", "Share this: Facebook Twitter", "[citation needed] Nothing here."]


class Draw:
    """A linear congruential generator (Knuth's MMIX constants); the high bits are used."""

    def __init__(self, seed):
        self.s = seed
        for _ in range(4):
            self.below(2)

    def below(self, n):
        self.s = (self.s * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (self.s >> 33) % n

    def of(self, items):
        return items[self.below(len(items))]


def sentence(d):
    words = [d.of(SUBJECTS.split("|")), d.of(VERBS.split("|")), d.of(OBJECTS.split("|"))]
    if d.below(3) == 0:
        words += [d.of(["because", "and", "of", "that", "with", "to be fair,"]),
                  d.of(SUBJECTS.split("|")), d.of(VERBS.split("|")), d.of(OBJECTS.split("|"))]
    text = " ".join(w.strip() for w in words)
    return text[:1].upper() + text[1:] + d.of(ENDS)


def page(number):
    d = Draw(number)
    noise, again = d.of([0, 0, 1, 2, 6]), d.of([0, 0, 1, 4])
    sep = d.of(["\n", "\n", "\n\n", "\n \n", "\r\n", "\n\n\n"])
    lines = []
    for _ in range(1 + d.below(d.of([4, 12, 30]))):
        if lines and d.below(10) < again:
            lines.append(d.of(lines))
        elif d.below(10) < noise:
            lines.append(d.of(LINES))
        else:
            lines.append(d.of([" ", "  "]).join(sentence(d) for _ in range(1 + d.below(4))))
    text = sep.join(lines) + d.of(["", "\n", " "])
    if d.below(40) == 0:
        text = d.of(["word " * 60, "to be " * 40 + "the end.", "a b c d e f g " * 12, "?!", "\n\n",
                     "the, of: and; " * 30, "#tag " * 60, "hello... " * 60])
    return text


def pages():
    return [page(i) for i in range(2000)]


if __name__ == "__main__":
    for i, text in enumerate(pages()):
        print(json.dumps({"id": i, "text": text}))
