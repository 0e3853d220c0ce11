#include "eval/porter.h"

#include <string.h>

/* A word in place; a stem is its first bytes. */
typedef struct word {
    char *p;
    size_t n;
} word;

/* ---- vowels and consonants ---- */

static int is_aeiou(char c)
{
    return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u';
}

/* y is a consonant at the beginning and behind a vowel. In a run of y's they take turns. */
static int is_consonant(const word *w, size_t i)
{
    size_t run = 0;
    if (is_aeiou(w->p[i]))
        return 0;
    while (i > run && w->p[i - run] == 'y')
        run++;
    if (run == 0)
        return 1;
    return !is_aeiou(w->p[i - run]) != (run % 2 == 1);
}

/* m of the first n bytes: how often a consonant follows a vowel. Stops at 2: nobody asks for
 * more. */
static unsigned measure(const word *w, size_t n)
{
    int consonant = 1;
    unsigned m = 0;
    for (size_t i = 0; i < n && m < 2; i++) {
        char c = w->p[i];
        int now = c == 'y' ? i == 0 || !consonant : !is_aeiou(c);
        m += i > 0 && !consonant && now;
        consonant = now;
    }
    return m;
}

static int has_vowel(const word *w, size_t n)
{
    int consonant = 1;
    for (size_t i = 0; i < n; i++) {
        char c = w->p[i];
        consonant = c == 'y' ? i == 0 || !consonant : !is_aeiou(c);
        if (!consonant)
            return 1;
    }
    return 0;
}

/* *d */
static int ends_double(const word *w, size_t n)
{
    return n >= 2 && w->p[n - 1] == w->p[n - 2] && is_consonant(w, n - 1);
}

/* *o, and NLTK's addition: two letters, vowel and consonant. */
static int ends_cvc(const word *w, size_t n)
{
    char last;
    if (n == 2)
        return !is_consonant(w, 0) && is_consonant(w, 1);
    if (n < 3 || !is_consonant(w, n - 3) || is_consonant(w, n - 2) || !is_consonant(w, n - 1))
        return 0;
    last = w->p[n - 1];
    return last != 'w' && last != 'x' && last != 'y';
}

/* ---- suffixes ---- */

static int ends(const word *w, const char *suffix)
{
    size_t n = strlen(suffix);
    return w->n >= n && memcmp(w->p + w->n - n, suffix, n) == 0;
}

/* Puts `to` in the place of the last n bytes. */
static void replace(word *w, size_t n, const char *to)
{
    size_t k = strlen(to);
    memcpy(w->p + w->n - n, to, k);
    w->n = w->n - n + k;
}

typedef struct suffix {
    const char *from, *to;
} suffix;

/* Applies the first rule whose suffix the word has, if what stands before it has a measure over
 * `over`; then no other rule is tried. */
static void apply(word *w, const suffix *rules, size_t n, unsigned over)
{
    for (size_t i = 0; i < n; i++) {
        size_t k = strlen(rules[i].from);
        if (w->n < k || w->p[w->n - 1] != rules[i].from[k - 1] || !ends(w, rules[i].from))
            continue;
        if (measure(w, w->n - k) > over)
            replace(w, k, rules[i].to);
        return;
    }
}

#define APPLY(w, rules, over) apply(w, rules, sizeof (rules) / sizeof (rules)[0], over)

/* ---- the steps ---- */

/* Plurals. */
static void step_1a(word *w)
{
    if (w->n < 1 || w->p[w->n - 1] != 's')
        return;
    if (ends(w, "ies") && w->n == 4)
        replace(w, 3, "ie");
    else if (ends(w, "sses"))
        replace(w, 4, "ss");
    else if (ends(w, "ies"))
        replace(w, 3, "i");
    else if (!ends(w, "ss"))
        replace(w, 1, "");
}

/* What -ed or -ing was cut from gets back an e that it had, or loses a doubled letter. */
static void mend(word *w)
{
    char last = w->p[w->n - 1];
    int lost_e = ends(w, "at") || ends(w, "bl") || ends(w, "iz");
    if (!lost_e && ends_double(w, w->n))
        w->n -= last != 'l' && last != 's' && last != 'z';
    else if (lost_e || (measure(w, w->n) == 1 && ends_cvc(w, w->n)))
        replace(w, 0, "e");
}

/* Participles. */
static void step_1b(word *w)
{
    size_t cut;
    if (ends(w, "ied")) {
        replace(w, 3, w->n == 4 ? "ie" : "i");
        return;
    }
    if (ends(w, "eed")) {
        if (measure(w, w->n - 3) > 0)
            w->n--;
        return;
    }
    cut = ends(w, "ed") ? 2 : ends(w, "ing") ? 3 : 0;
    if (cut == 0 || !has_vowel(w, w->n - cut))
        return;
    w->n -= cut;
    mend(w);
}

static void step_1c(word *w)
{
    if (w->n > 2 && w->p[w->n - 1] == 'y' && is_consonant(w, w->n - 2))
        w->p[w->n - 1] = 'i';
}

static void step_2(word *w)
{
    static const suffix rules[] = {
        {"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"},
        {"izer", "ize"}, {"bli", "ble"}, {"alli", "al"}, {"entli", "ent"}, {"eli", "e"},
        {"ousli", "ous"}, {"ization", "ize"}, {"ation", "ate"}, {"ator", "ate"}, {"alism", "al"},
        {"iveness", "ive"}, {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"},
        {"iviti", "ive"}, {"biliti", "ble"}, {"fulli", "ful"}};
    while (ends(w, "alli") && measure(w, w->n - 4) > 0)
        replace(w, 4, "al");
    if (ends(w, "logi")) {               /* its l counts as part of the stem: geo-logi */
        if (measure(w, w->n - 3) > 0)
            w->n--;
        return;
    }
    APPLY(w, rules, 0);
}

static void step_3(word *w)
{
    static const suffix rules[] = {
        {"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"}, {"ical", "ic"},
        {"ful", ""}, {"ness", ""}};
    APPLY(w, rules, 0);
}

static void step_4(word *w)
{
    static const suffix rules[] = {
        {"al", ""}, {"ance", ""}, {"ence", ""}, {"er", ""}, {"ic", ""}, {"able", ""},
        {"ible", ""}, {"ant", ""}, {"ement", ""}, {"ment", ""}, {"ent", ""}, {"ou", ""},
        {"ism", ""}, {"ate", ""}, {"iti", ""}, {"ous", ""}, {"ive", ""}, {"ize", ""}};
    if (ends(w, "ion")) {
        if (w->n > 3 && (w->p[w->n - 4] == 's' || w->p[w->n - 4] == 't') &&
            measure(w, w->n - 3) > 1)
            w->n -= 3;
        return;
    }
    APPLY(w, rules, 1);
}

static void step_5(word *w)
{
    if (w->n > 0 && w->p[w->n - 1] == 'e') {
        unsigned m = measure(w, w->n - 1);
        if (m > 1 || (m == 1 && !ends_cvc(w, w->n - 1)))
            w->n--;
    }
    if (ends(w, "ll") && measure(w, w->n - 1) > 1)
        w->n--;
}

/* Returns: the stem of an irregular word, or NULL. */
static const char *irregular(const word *w)
{
    static const suffix pool[] = {
        {"sky", "sky"}, {"skies", "sky"}, {"dying", "die"}, {"lying", "lie"}, {"tying", "tie"},
        {"news", "news"}, {"innings", "inning"}, {"inning", "inning"}, {"outings", "outing"},
        {"outing", "outing"}, {"cannings", "canning"}, {"canning", "canning"}, {"howe", "howe"},
        {"proceed", "proceed"}, {"exceed", "exceed"}, {"succeed", "succeed"}};
    if (w->n > 8)
        return NULL;
    for (size_t i = 0; i < sizeof pool / sizeof pool[0]; i++)
        if (w->p[0] == pool[i].from[0] && strlen(pool[i].from) == w->n && ends(w, pool[i].from))
            return pool[i].to;
    return NULL;
}

size_t ft_porter_stem(char *p, size_t n)
{
    word w = {p, n};
    const char *whole;
    if (n <= 2)
        return n;
    whole = irregular(&w);
    if (whole) {
        replace(&w, w.n, whole);
        return w.n;
    }
    step_1a(&w);
    step_1b(&w);
    step_1c(&w);
    step_2(&w);
    step_3(&w);
    step_4(&w);
    step_5(&w);
    return w.n;
}
