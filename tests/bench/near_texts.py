"""near_texts.py APT.jsonl N: N texts of about 57 words as JSON lines: descriptions of packages, cut
or joined to 40 to 74 words; after the first round over them, half of the texts are mutations of
one before: up to six words replaced, dropped or doubled."""
import json
import random
import sys

rng = random.Random(11)
words, texts = [], []
for line in open(sys.argv[1]):
    words += json.loads(line)["messages"][0]["content"].split("\n\n", 1)[-1].split()
total = int(sys.argv[2])
at = 0
for i in range(total):
    if i >= 1000 and rng.random() < 0.5:
        text = list(texts[rng.randrange(len(texts))])
        for _ in range(rng.randint(0, 6)):
            k = rng.randrange(len(text))
            text[k:k + 1] = rng.choice([[], [text[k]] * 2, [rng.choice(words)]])
    else:
        n = rng.randint(40, 74)
        if at + n > len(words):
            at = rng.randint(1, 30)     # another phase: the pieces of the next round are new
        text = words[at:at + n]
        at += n
        texts.append(text)
    print(json.dumps({"id": i, "text": " ".join(text)}))
