"""Asks datatrove 0.10.1 (with spaCy 3.8.18's English words) about the pages of filter_docs.py and
writes filter.golden: for each page what C4QualityFilter, GopherQualityFilter, GopherRepetitionFilter
and FineWebQualityFilter say with their defaults, and for the first 150 the values themselves.

    build/peers/python/bin/python tests/golden/make_filter.py > tests/golden/filter.golden
"""
import sys

from datatrove.data import Document
from datatrove.pipeline.filters import (C4QualityFilter, FineWebQualityFilter, GopherQualityFilter,
                                        GopherRepetitionFilter)
from datatrove.pipeline.filters.gopher_repetition_filter import (
    find_all_duplicate, find_duplicates, find_top_duplicate, get_n_grams)
from datatrove.utils.text import PUNCTUATION_SET, split_into_words

sys.dont_write_bytecode = True
sys.path.insert(0, __file__.rsplit("/", 1)[0])
from filter_docs import pages  # noqa: E402

filters = [C4QualityFilter(), GopherQualityFilter(), GopherRepetitionFilter(), FineWebQualityFilter()]


def verdict(f, text):
    try:
        said = f.filter(Document(text=text, id="0"))
    except ZeroDivisionError:
        return "zero"
    return "ok" if said is True else said[1]


def values(text):
    """Of the rules whose definition is a quotient of what datatrove's own functions return."""
    import re
    words = split_into_words(text)
    plain = [w for w in words if any(c not in PUNCTUATION_SET for c in w)]
    out = {"gopher_words_min": len(plain)}
    if plain:
        out["gopher_word_length_min"] = sum(map(len, plain)) / len(plain)
    stripped = re.split(r"\n{2,}", text.strip())
    out["rep_paragraphs"] = find_duplicates(stripped)[0] / len(stripped)
    lines = re.split(r"\n+", text)
    out["rep_lines"] = find_duplicates(lines)[0] / len(lines)
    out["rep_line_chars"] = find_duplicates(lines)[1] / len(text)
    for n in (2, 3, 4):
        grams = get_n_grams(words, n)
        out["rep_top_%d" % n] = find_top_duplicate(grams) / len(text) if grams else 0
    for n in range(5, 11):
        out["rep_dup_%d" % n] = find_all_duplicate(words, n) / len(text)
    return out


for i, text in enumerate(pages()):
    print("\t".join(verdict(f, text) for f in filters))
    if i < 150 and text:
        print("=" + " ".join("%s=%.7g" % kv for kv in values(text).items()))
