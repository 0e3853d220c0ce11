/* words_special.c: the pieces of English that are known by name, built from their grammar: pronouns
 * and verbs with their endings, abbreviations, times, emoticons. Bars separate parts. */
#define _GNU_SOURCE
#include "text/words_internal.h"

#include "base/mem.h"

#include <ctype.h>
#include <string.h>

#define SLOTS 4096

static const struct { const char *stems, *endings; int titled; } grammar[] = {
    {"i", "'m m 'm|a m|a", 1},
    {"i you he she it we they", "'ll ll 'll|'ve ll|ve 'd d 'd|'ve d|ve", 1},
    {"i you we they", "'ve ve", 1},
    {"you we they", "'re re", 1},
    {"he she it", "'s s", 1},
    {"who what when where why how there that this", "'s s", 1},
    {"who what when where why how there that this these those",
     "'ll ll 'll|'ve ll|ve 'd d 'd|'ve d|ve", 1},
    {"who what when where why how there these those", "'re re 've ve", 1},
    {"ca could do does did had may might must need ought sha should wo would",
     "n't nt n't|'ve nt|ve", 1},
    {"could might must should would", "'ve ve", 1},
    {"ai are is was were have has dare", "n't nt", 1},
    {"how", "'d|'y", 1},
    {"not", "'ve ve", 1},
    {"can", "not", 1},
    {"gon", "na", 1},
    {"got", "ta", 1},
    {"let", "'s", 1},
    {"c'm", "on", 1},
    {"y'", "all", 0},
    {"y", "all", 0},
    {"1 2 3 4 5 6 7 8 9 10 11 12", "a.m. am p.m. pm", 0},
};

/* Words that the grammar would make and that are words of their own. */
static const char not_special[] =
    " Ill ill Its its Hell hell Shell shell Shed shed were Were Well well Whore whore ";

static const char whole[] =
    "' '' 'Cause 'Cos 'Coz 'Cuz 'S 'bout 'cause 'cos 'coz 'cuz 'd 'em 'll 'nuff 're 's (*_*) (-8 "
    "(-: (-; (-_-) (._.) (: (; (= (>_<) (^_^) (o: (\u00ac_\u00ac) (\u0ca0_\u0ca0) )-: ): -_- "
    "-__- ._. 0.0 0.o 0_0 0_o 8) 8-) 8-D 8D :'( :') :'-( :'-) :( :(( :((( :() :) :)) :))) :* :-( "
    ":-(( :-((( :-) :-)) :-))) :-* :-/ :-0 :-3 :-> :-D :-O :-P :-X :-] :-o :-p :-x :-| :-} :/ :0 "
    ":1 :3 :> :D :O :P :X :] :o :o) :p :x :| :} ;) ;-) ;-D ;D ;_; <.< </3 <3 <33 <333 <space> =( "
    "=) =/ =3 =D =[ =] =| >.< >.> >:( >:o ><(((*> @_@ Adm. Ak. Ala. Apr. Ariz. Ark. Aug. Bros. "
    "C++ Calif. Co. Colo. Conn. Corp. D.C. Dec. Del. Doin Doin' Dr. E.G. E.g. Feb. Fla. Ga. Gen. "
    "Goin Goin' Gov. Havin Havin' I.E. I.e. Ia. Id. Ill. Inc. Ind. Jan. Jr. Jul. Jun. Kan. Kans. "
    "Ky. La. Lovin Lovin' Ltd. Ma'am Mar. Mass. Md. Messrs. Mich. Minn. Miss. Mo. Mont. Mr. Mrs. "
    "Ms. Mt. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nothin Nothin' Nov. Nuthin Nuthin' "
    "O'clock O.O O.o O_O O_o Oct. Okla. Ol Ol' Ore. Pa. Ph.D. Prof. Rep. Rev. S.C. Sen. Sep. "
    "Sept. Somethin Somethin' St. Tenn. V.V V_V Va. Wash. Wis. XD XDD [-: [: [= \\\") \\n \\t ]= "
    "^_^ ^__^ ^___^ a. a.m. and/or b. c. co. d. doin doin' e. e.g. em f. g. goin goin' h. havin "
    "havin' i. i.e. j. k. l. ll lovin lovin' m. ma'am n. nothin nothin' nuff nuthin nuthin' "
    "o'clock o. o.0 o.O o.o o_0 o_O o_o ol ol' p. p.m. q. r. s. somethin somethin' t. u. v. v.s. "
    "v.v v_v vs. w. w/o x. xD xDD y. z. \u2014 \u2018S \u2018s \u00e4. \u00f6. \u00fc. "
    "\u00af\\(\u30c4)/\u00af \u0ca0\ufe35\u0ca0 "
    "(\u256f\u00b0\u25a1\u00b0\uff09\u256f\ufe35\u253b\u2501\u253b";

static const char degrees[] = "c f k C F K";

/* Which bit of `ends` stands for a length, first and last byte. */
static unsigned end_bit(const uint8_t *p, size_t n)
{
    return (p[0] * 37u + p[n - 1] * 101u + (unsigned)n * 7u) % 4096;
}

/* Parts are separated by bars; an entry that is there stays. */
static void add(specials *s, const char *parts)
{
    special v = {0};
    size_t i;
    for (const char *p = parts, *end; p; p = end ? end + 1 : NULL) {
        size_t n;
        end = strchr(p, '|');
        if (end && (end == parts || end[1] == '\0'))     /* a bar that is part of an emoticon */
            end = NULL;
        n = end ? (size_t)(end - p) : strlen(p);
        if (v.n == WORDS_PARTS_MAX || v.bytes + n > sizeof v.text)
            return;
        memcpy(v.text + v.bytes, p, n);
        v.bytes = (uint8_t)(v.bytes + n);
        v.part[v.n++] = (uint8_t)n;
    }
    if (ft_specials_find(s, (const uint8_t *)v.text, v.bytes))
        return;
    v.hash = ft_words_hash((const uint8_t *)v.text, v.bytes);
    for (i = v.hash & s->mask; s->slots[i].n; i = (i + 1) & s->mask)
        ;
    s->slots[i] = v;
    s->lengths[(uint8_t)v.text[0]] |= 1u << v.bytes;
    i = end_bit((const uint8_t *)v.text, v.bytes);
    s->ends[i / 64] |= UINT64_C(1) << i % 64;
    if (v.bytes > s->longest)
        s->longest = v.bytes;
}

/* As add, and with each ' written as U+2019 too. */
static void add_both(specials *s, const char *parts)
{
    char curly[64];
    size_t n = 0;
    add(s, parts);
    for (; *parts && n + 4 < sizeof curly; parts++) {
        if (*parts == '\'') {
            memcpy(curly + n, "\u2019", 3);
            n += 3;
        } else {
            curly[n++] = *parts;
        }
    }
    curly[n] = '\0';
    add(s, curly);
}

static int is_excluded(const char *parts)
{
    char word[40] = " ";
    size_t n = 1;
    for (; *parts && n + 2 < sizeof word; parts++)
        if (*parts != '|')
            word[n++] = *parts;
    word[n++] = ' ';
    word[n] = '\0';
    return strstr(not_special, word) != NULL;
}

/* The next word of a list that blanks separate. Returns: what follows it, or NULL at the end. */
static const char *next_word(const char *list, char out[40])
{
    size_t n;
    list += strspn(list, " ");
    n = strcspn(list, " ");
    if (n == 0 || n >= 40)
        return NULL;
    memcpy(out, list, n);
    out[n] = '\0';
    return list + n;
}

static void add_forms(specials *s, const char *stem, const char *endings, int titled)
{
    char ending[40], form[96];
    while ((endings = next_word(endings, ending)) != NULL) {
        stpcpy(stpcpy(stpcpy(form, stem), "|"), ending);
        if (!is_excluded(form))
            add_both(s, form);
        form[0] = (char)toupper((unsigned char)form[0]);
        if (titled && !is_excluded(form))
            add_both(s, form);
    }
}

int ft_specials_new(specials *s, ft_err *e)
{
    char word[40], form[64];
    const char *list;
    s->mask = SLOTS - 1;
    s->longest = 0;
    memset(s->lengths, 0, sizeof s->lengths);
    memset(s->ends, 0, sizeof s->ends);
    s->slots = ft_new(SLOTS, sizeof *s->slots, e);
    if (!s->slots)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < sizeof grammar / sizeof *grammar; i++)
        for (list = grammar[i].stems; (list = next_word(list, word)) != NULL;)
            add_forms(s, word, grammar[i].endings, grammar[i].titled);
    for (list = whole; (list = next_word(list, word)) != NULL;)
        add_both(s, word);
    for (list = degrees; (list = next_word(list, word)) != NULL;) {
        memcpy(form, "\u00b0|?|.", 7);
        form[3] = word[0];
        add(s, form);
    }
    return 0;
}

const special *ft_specials_find(const specials *s, const uint8_t *p, size_t n)
{
    uint64_t h;
    unsigned bit;
    if (n == 0 || n > sizeof s->slots->text || !(s->lengths[p[0]] >> n & 1))
        return NULL;
    bit = end_bit(p, n);
    if (!(s->ends[bit / 64] >> bit % 64 & 1))
        return NULL;
    h = ft_words_hash(p, n);
    for (size_t i = h & s->mask; s->slots[i].n; i = (i + 1) & s->mask)
        if (s->slots[i].hash == h && s->slots[i].bytes == n && !memcmp(s->slots[i].text, p, n))
            return &s->slots[i];
    return NULL;
}
