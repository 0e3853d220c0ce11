/* filter_chat.c: rules about prompts and answers. Phrases are compared in lower case with straight
 * apostrophes. */
#define _GNU_SOURCE
#include "data/filter_chat.h"

#include <string.h>

static ft_slice trimmed(ft_slice s)
{
    while (s.n && s.p[0] <= 32) {
        s.p++;
        s.n--;
    }
    while (s.n && (s.p[s.n - 1] <= 32))
        s.n--;
    return s;
}

/* ---- truncated ---- */

/* Counts what brackets stay open outside of code. An emoticon's bracket is none; [0, n) is
 * closed. */
static size_t open_brackets(const uint8_t *p, size_t n)
{
    char open[64];
    size_t depth = 0;
    int fenced = 0, coded = 0;
    for (size_t i = 0; i < n; i++) {
        static const char opens[] = "([{", closes[] = ")]}";
        const char *at;
        if (n - i >= 3 && memcmp(p + i, "```", 3) == 0) {
            fenced = !fenced;
            i += 2;
            continue;
        }
        if (fenced)
            continue;
        if (p[i] == '`' || (coded && p[i] == '\n'))
            coded = p[i] == '`' && !coded;
        if (coded || p[i] == 0)
            continue;
        if ((at = strchr(opens, p[i])) != NULL && depth < sizeof open &&
            !(i > 0 && strchr(":;=-8\\", p[i - 1])))
            open[depth++] = *at;
        else if ((at = strchr(closes, p[i])) != NULL && depth > 0 &&
                 (open[depth - 1] == '{') == (*at == '}'))
            depth--;
    }
    return depth;
}

static size_t fences(const uint8_t *p, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i + 3 <= n; i++)
        if (memcmp(p + i, "```", 3) == 0) {
            count++;
            i += 2;
        }
    return count;
}

/* Where the last paragraph begins. */
static size_t last_paragraph(const uint8_t *p, size_t n)
{
    for (size_t i = n; i >= 2; i--)
        if (p[i - 1] == '\n' && p[i - 2] == '\n')
            return i;
    return 0;
}

/* An odd number of " in the last paragraph. Behind a digit it means inches or seconds, unless it
 * can close a quote. */
static int open_quote(const uint8_t *p, size_t n)
{
    size_t count = 0;
    int coded = 0;
    for (size_t i = last_paragraph(p, n); i < n; i++) {
        coded ^= p[i] == '`';
        if (!coded && p[i] == '"' && (count % 2 == 1 || i == 0 || p[i - 1] < '0' || p[i - 1] > '9'))
            count++;
    }
    return count % 2 == 1;
}

static size_t plain_words(const uint8_t *p, size_t n)
{
    size_t words = 0;
    for (size_t i = 0; i < n; i++)
        words += p[i] > 32 && (i == 0 || p[i - 1] <= 32);
    return words;
}

/* Whether a last line is prose that should end in an end mark: no item of a list, no table, no
 * heading, no signature of a few words, no address at its end. */
static int is_prose(const uint8_t *p, size_t n)
{
    const uint8_t *line = n ? memrchr(p, '\n', n) : NULL;
    size_t word;
    if (line) {
        n -= (size_t)(line + 1 - p);
        p = line + 1;
    }
    while (n && *p <= 32) {
        p++;
        n--;
    }
    if (n == 0 || strchr("-*+#|>0123456789", *p) || plain_words(p, n) < 6)
        return 0;
    for (word = n; word > 0 && p[word - 1] > 32; word--)
        ;
    return ft_text_url(p + word, n - word) == 0;
}

static int has_end_mark(const ft_words *w, const uint8_t *p, size_t n)
{
    while (n > 0) {
        size_t k = 1;
        uint32_t c, class;
        while (k < n && k < 4 && (p[n - k] & 0xc0) == 0x80)
            k++;
        ft_char_at(p + n - k, k, &c);
        class = ft_char_class(w, c);
        if (class & (FT_CHAR_TERMINAL | FT_CHAR_SENTENCE | FT_CHAR_ICON) || c == 0x2026 ||
            c >= 0x1f000 || c == '`')
            return 1;
        if (!(class & FT_CHAR_QUOTE) && !strchr(")]}*_~", (int)(c < 0x80 ? c : 'x')))
            return 0;
        if (c == ',')
            return 0;
        n -= k;
    }
    return 0;
}

/* Whether a text without an end mark at its end is cut off rather than a title or a line without a
 * full stop: it has sentences before, it is long, or it ends in a word that ends none. */
static int is_cut_off(const uint8_t *p, size_t n)
{
    static const char words[] =
        " a an the of to and or in on at by for with from that which is are was were be as but if "
        "into than this their its his her ";
    char last[16] = " ";
    size_t from = n, words_n = plain_words(p, n);
    while (from > 0 && p[from - 1] > 32)
        from--;
    if (words_n > 40)
        return 1;
    for (size_t i = 1; i + 1 < n; i++)
        if (strchr(".!?", p[i]) && p[i] && p[i + 1] <= 32 && p[i - 1] > 32)
            return 1;
    if (n - from > sizeof last - 3)
        return 0;
    memcpy(last + 1, p + from, n - from);
    memcpy(last + 1 + (n - from), " ", 2);
    return strstr(words, last) != NULL;
}

int ft_chat_truncated(const ft_words *classes, const uint8_t *p, size_t n)
{
    ft_slice s = trimmed((ft_slice){p, n});
    if (s.n == 0)
        return 0;
    if (fences(s.p, s.n) % 2 == 1 || open_brackets(s.p, s.n) > 0 || open_quote(s.p, s.n))
        return 1;
    return plain_words(s.p, s.n) > 20 && is_prose(s.p, s.n) && !has_end_mark(classes, s.p, s.n) &&
                   is_cut_off(s.p, s.n)
               ? 2 : 0;
}

/* ---- phrases ---- */

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static int is_letter(uint8_t c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

/* Compares in lower case; U+2019 equals '. */
static int phrase_at(const uint8_t *p, size_t n, const char *phrase)
{
    for (; *phrase; phrase++) {
        size_t k = 1;
        if (n == 0)
            return 0;
        if (*phrase == '\'' && n >= 3 && memcmp(p, "\u2019", 3) == 0)
            k = 3;
        else if (lower(p[0]) != (uint8_t)*phrase)
            return 0;
        p += k;
        n -= k;
    }
    return 1;
}

/* Counts phrases; one that begins with a letter must begin a word. */
static uint64_t phrases_in(const uint8_t *p, size_t n, const char *const *list)
{
    uint64_t count = 0;
    uint8_t first[256] = {0};
    for (const char *const *q = list; *q; q++) {
        first[(uint8_t)**q] = 1;
        if (is_letter((uint8_t)**q))
            first[**q - 32] = 1;
    }
    for (size_t i = 0; i < n; i++) {
        if (!first[p[i]] || (i > 0 && is_letter(p[i]) && is_letter(p[i - 1])))
            continue;
        for (const char *const *q = list; *q; q++)
            if (lower(p[i]) == (uint8_t)**q && phrase_at(p + i, n - i, *q)) {
                count++;
                i += strlen(*q) - 1;
                break;
            }
    }
    return count;
}

uint64_t ft_chat_refusals(const uint8_t *p, size_t n)
{
    static const char *const anywhere[] = {
        "as an ai language model", "as an ai assistant", "as an ai model", "as a language model",
        "as a large language model", "i'm just an ai", "i am an ai", "my knowledge cutoff",
        "knowledge cutoff date", "my training data", "i don't have personal opinions",
        "i do not have personal opinions", "chatgpt", "trained by openai", NULL};
    static const char *const first[] = {
        "i'm sorry, but i can", "i am sorry, but i can", "i'm sorry, i can", "sorry, but i can",
        "i apologize, but i can", "i cannot assist", "i can't assist", "i cannot help",
        "i can't help", "i cannot fulfill", "i can't fulfill", "i cannot provide",
        "i can't provide", "i'm unable to", "i am unable to", "i'm not able to",
        "i am not able to", NULL};
    return phrases_in(p, n, anywhere) + phrases_in(p, n < 120 ? n : 120, first);
}

/* Bytes of a placeholder {{name}} at p: letters, digits, blanks, . _ - / inside; 0: none. */
static size_t placeholder(const uint8_t *p, size_t n)
{
    static const char others[] = " ._-/0123456789";
    size_t i = 2;
    if (n < 5 || p[0] != '{' || p[1] != '{')
        return 0;
    while (i < n && i < 80 && p[i] &&
           ((p[i] | 0x20) >= 'a' ? (p[i] | 0x20) <= 'z' : strchr(others, p[i]) != NULL))
        i++;
    return i > 2 && i + 1 < n && p[i] == '}' && p[i + 1] == '}' ? i + 2 : 0;
}

static const char *const template_marks[] = {
    "### response:", "### instruction:", "### input:", "### human:", "### assistant:",
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>",
    "<|assistant|>", "<|user|>", "<|system|>", "[inst]", "[/inst]", "<<sys>>",
    "<start_of_turn>", "<end_of_turn>", "[object object]", NULL};

static uint64_t placeholders(ft_slice s)
{
    uint64_t count = 0;
    for (size_t i = 0, k; i < s.n; i += k ? k : 1) {
        const uint8_t *at = memchr(s.p + i, '{', s.n - i);
        if (!at)
            break;
        i = (size_t)(at - s.p);
        k = placeholder(s.p + i, s.n - i);
        count += k > 0;
    }
    return count;
}

uint64_t ft_chat_residue(ft_slice prompt, ft_slice answer)
{
    static const char *const alone[] = {"undefined", "null", "none", "nan", "n/a", NULL};
    ft_slice s = trimmed(answer);
    uint64_t count = placeholders(answer);
    if (count && placeholders(prompt))
        count = 0;
    for (const char *const *q = alone; *q; q++)
        if (strlen(*q) == s.n && phrase_at(s.p, s.n, *q)) {
            const char *const word[] = {*q, NULL};
            count += phrases_in(prompt.p, prompt.n, word) == 0;
        }
    return count;
}

/* ---- roles ---- */

static int has_calls(ft_mp turn)
{
    ft_mp v;
    return ft_mp_get(turn, "tool_calls", &v) && ft_mp_count(v) > 0;
}

uint64_t ft_chat_role_error(ft_mp messages)
{
    enum { START, ASKED, ANSWERED, CALLED, RETURNED } state = START;
    ft_mp_iter it = ft_mp_iter_of(messages);
    ft_mp turn;
    uint64_t number = 0;
    while (ft_mp_next(&it, &turn)) {
        ft_slice role = {NULL, 0};
        int ok = 0;
        number++;
        (void)ft_mp_get_str(turn, "role", &role);
        if (ft_slice_is(role, "system") || ft_slice_is(role, "developer")) {
            ok = number == 1;
        } else if (ft_slice_is(role, "user")) {
            ok = state == START || state == ANSWERED;
            state = ASKED;
        } else if (ft_slice_is(role, "assistant")) {
            ok = state == ASKED || state == RETURNED;
            state = has_calls(turn) ? CALLED : ANSWERED;
        } else if (ft_slice_is(role, "tool") || ft_slice_is(role, "function")) {
            ok = state == CALLED || state == RETURNED;
            state = RETURNED;
        }
        if (!ok)
            return number;
    }
    return state == ANSWERED || state == CALLED ? 0 : number + 1;
}

/* ---- pairs ---- */

static int is_copy(ft_slice prompt, ft_slice answer)
{
    prompt = trimmed(prompt);
    answer = trimmed(answer);
    if (prompt.n == 0 || answer.n < prompt.n || (answer.n > prompt.n && prompt.n < 20))
        return 0;
    return memcmp(prompt.p, answer.p, prompt.n) == 0;
}

/* One prompt and its answer. The length rules keep the most extreme pair. */
static void measure_pair(ft_filter_meter *m, ft_slice prompt, ft_slice answer, int first,
                         double *value)
{
    const ft_words *w = ft_text_classes(m->text);
    ft_slice s = trimmed(answer);
    size_t asked = ft_char_count(prompt.p, prompt.n);
    double ratio = asked ? (double)ft_char_count(answer.p, answer.n) / (double)asked : 1;
    int broken = ft_chat_truncated(w, answer.p, answer.n);
    if (broken && value[FT_RULE_TRUNCATED] == 0)
        value[FT_RULE_TRUNCATED] = broken;
    value[FT_RULE_COPY] += is_copy(prompt, answer);
    value[FT_RULE_REFUSAL] += (double)ft_chat_refusals(answer.p, answer.n);
    value[FT_RULE_RESIDUE] += (double)ft_chat_residue(prompt, answer);
    value[FT_RULE_URL_ONLY] += s.n > 0 && ft_text_url(s.p, s.n) == s.n;
    if (first || ratio < value[FT_RULE_LENGTH_MIN])
        value[FT_RULE_LENGTH_MIN] = ratio;
    if (first || ratio > value[FT_RULE_LENGTH_MAX])
        value[FT_RULE_LENGTH_MAX] = ratio;
}

static void measure_field(ft_filter_meter *m, ft_slice s, int may_be_empty, double *value)
{
    const ft_words *classes = ft_text_classes(m->text);
    value[FT_RULE_EMPTY] += !may_be_empty && !ft_text_is_visible(classes, s.p, s.n);
    value[FT_RULE_GARBLED] += (double)ft_text_garbled(s.p, s.n);
    value[FT_RULE_RESIDUE] += (double)phrases_in(s.p, s.n, template_marks);
}

/* ---- walking over a record ---- */

/* Pairs of a prompt and its answer, in their order. */
typedef struct pairs {
    ft_mp_iter it;
    ft_mp record;
    enum ft_shape shape;
    ft_slice system, prompt, answer;
    int at_end;
} pairs;

static int pairs_of(pairs *w, ft_mp record, ft_err *e)
{
    ft_mp messages;
    *w = (pairs){.record = record};
    if (ft_example_shape(record, &w->shape, e) < 0)
        return FT_ERR_DATA;
    if (w->shape == FT_SHAPE_MESSAGES && ft_mp_get(record, "messages", &messages))
        w->it = ft_mp_iter_of(messages);
    return 0;
}

static int next_turn_pair(pairs *w)
{
    ft_mp turn;
    while (ft_mp_next(&w->it, &turn)) {
        ft_slice role = {NULL, 0}, content = {NULL, 0};
        (void)ft_mp_get_str(turn, "role", &role);
        (void)ft_mp_get_str(turn, "content", &content);
        if (ft_slice_is(role, "user")) {
            w->prompt = content;
        } else if (ft_slice_is(role, "system") || ft_slice_is(role, "developer")) {
            w->system = content;
        } else if (ft_slice_is(role, "assistant") && !has_calls(turn)) {
            w->answer = content;
            return 1;
        }
    }
    return 0;
}

static int next_pair(pairs *w)
{
    const char *field = w->shape == FT_SHAPE_PROMPT       ? "completion"
                        : w->shape == FT_SHAPE_PREDICTION ? "prediction" : "text";
    if (w->shape == FT_SHAPE_MESSAGES)
        return next_turn_pair(w);
    if (w->at_end++)
        return 0;
    if (w->shape != FT_SHAPE_TEXT)
        (void)ft_mp_get_str(w->record, "prompt", &w->prompt);
    (void)ft_mp_get_str(w->record, field, &w->answer);
    return 1;
}

static void measure_turns(ft_filter_meter *m, ft_mp messages, double *value)
{
    ft_mp_iter it = ft_mp_iter_of(messages);
    ft_mp turn;
    value[FT_RULE_ROLES] = (double)ft_chat_role_error(messages);
    while (ft_mp_next(&it, &turn)) {
        ft_slice content = {NULL, 0};
        (void)ft_mp_get_str(turn, "content", &content);
        measure_field(m, content, has_calls(turn), value);
    }
}

static int measure_chat(ft_filter_meter *m, ft_mp record, double *value, ft_err *e)
{
    pairs w;
    ft_mp messages;
    int first = 1;
    if (pairs_of(&w, record, e) < 0)
        return FT_ERR_DATA;
    value[FT_RULE_EMPTY] = value[FT_RULE_GARBLED] = 0;
    for (size_t i = FT_RULE_COPY; i <= FT_RULE_LANGUAGE_DIFFERS; i++)
        value[i] = 0;
    if (w.shape == FT_SHAPE_MESSAGES && ft_mp_get(record, "messages", &messages))
        measure_turns(m, messages, value);
    for (; next_pair(&w); first = 0) {
        measure_pair(m, w.prompt, w.answer, first, value);
        if (w.shape == FT_SHAPE_MESSAGES)
            continue;
        if (w.prompt.p)
            measure_field(m, w.prompt, 0, value);
        measure_field(m, w.answer, 0, value);
    }
    return 0;
}

/* ---- language ---- */

/* Whether a prompt speaks of a language or of translating, so that an answer in another language
 * may be just what is asked. */
static int names_language(ft_slice s)
{
    static const char *const words[] = {
        "translat", "traduc", "traduis", "traduz", "tradurre", "\u00fcbersetz", "\u00dcbersetz",
        "vertaal", "vertaling",
        "\u043f\u0435\u0440\u0435\u0432\u0435\u0434", "\u7ffb\u8bd1", "\u7ffb\u8a33",
        "\u7ffb\u8b6f",
        "language", "english", "german", "french", "spanish", "italian", "portuguese", "dutch",
        "russian", "ukrainian", "polish", "czech", "slovak", "hungarian", "romanian", "bulgarian",
        "serbian", "croatian", "greek", "turkish", "hebrew", "arabic", "persian", "hindi", "urdu",
        "bengali", "tamil", "chinese", "mandarin", "cantonese", "japanese", "korean", "vietnamese",
        "thai", "indonesian", "malay", "swedish", "norwegian", "danish", "finnish", "icelandic",
        "latin", "catalan", "basque", "irish", "welsh", "esperanto", "deutsch", "auf englisch",
        "en anglais", "en fran\u00e7ais", "en ingl\u00e9s", "espa\u00f1ol", "in inglese",
        NULL};
    return phrases_in(s.p, s.n, words) > 0;
}

/* How near a language must be to count. Of 63665 pairs of an English prompt and an answer of one
 * line 20 were taken for different languages with 1.03 and 3 with these; 88 % of pairs that do
 * differ are found, in answers of 90 characters. */
static double margin_of(size_t bytes)
{
    return bytes < 300 ? 1.05 : 1.04;
}

static int language_differs(ft_filter_meter *m, const pairs *at)
{
    const ft_words *w = ft_text_classes(m->text);
    ft_slice prompt = at->prompt, answer = at->answer;
    ft_guess a, b;
    if (!m->language || prompt.n < FT_LANGUAGE_LETTERS_MIN || answer.n < FT_LANGUAGE_LETTERS_MIN ||
        fences(answer.p, answer.n) || fences(prompt.p, prompt.n))
        return 0;
    a = ft_language_guess_within(m->language, w, answer.p, answer.n, margin_of(answer.n));
    if (a.n == 0)
        return 0;
    b = ft_language_guess_within(m->language, w, prompt.p, prompt.n, margin_of(prompt.n));
    return ft_guesses_differ(&a, &b) && !names_language(prompt) && !names_language(at->system);
}

static size_t languages_that_differ(ft_filter_meter *m, ft_mp record)
{
    size_t n = 0;
    ft_err ignored;
    pairs w;
    if (pairs_of(&w, record, &ignored) < 0)        /* measure_chat asked the same */
        return 0;
    while (next_pair(&w))
        n += (size_t)language_differs(m, &w);
    return n;
}

/* ---- all ---- */

static int fires(const ft_filter_meter *m, const double *value)
{
    return m->until && ft_rules_first(m->until, m->done, value) < FT_RULES;
}

/* The language is asked last, as it takes longest. */
static void measure_languages(ft_filter_meter *m, ft_mp record, uint64_t wanted, double *value)
{
    if (wanted & FT_RULE_BIT(FT_RULE_LANGUAGE_DIFFERS)) {
        value[FT_RULE_LANGUAGE_DIFFERS] = (double)languages_that_differ(m, record);
        m->done |= FT_RULE_BIT(FT_RULE_LANGUAGE_DIFFERS);
    }
    if (m->want_guess && m->language)
        m->guess = ft_language_guess(m->language, ft_text_classes(m->text), m->subject.p,
                                     m->subject.n);
}

int ft_filter_measure(ft_filter_meter *m, ft_mp record, uint64_t wanted, double *value, ft_err *e)
{
    const uint64_t both = FT_RULE_BIT(FT_RULE_EMPTY) | FT_RULE_BIT(FT_RULE_GARBLED);
    const uint64_t chat = ~(FT_RULE_BIT(FT_RULE_COPY) - 1);
    uint64_t text = wanted & ~chat, done = 0;
    int rc;
    ft_buf_clear(&m->subject);
    m->guess = (ft_guess){0};
    m->done = 0;
    if ((rc = ft_example_part(record, FT_PART_RESPONSE, &m->subject, e)) < 0)
        return rc;
    if (wanted & chat) {
        if ((rc = measure_chat(m, record, value, e)) < 0)
            return rc;
        m->done = wanted & both;
        text &= ~both;
    }
    if (!fires(m, value))
        rc = ft_text_measure_until(m->text, m->subject.n ? m->subject.p : (const uint8_t *)"",
                                   m->subject.n, text, m->until, value, &done, e);
    m->done |= done | (wanted & chat & ~FT_RULE_BIT(FT_RULE_LANGUAGE_DIFFERS));
    if (rc == 0 && !fires(m, value))
        measure_languages(m, record, wanted, value);
    return rc;
}

void ft_filter_meter_free(ft_filter_meter *m)
{
    ft_text_meter_free(&m->text);
    ft_buf_free(&m->subject);
}
