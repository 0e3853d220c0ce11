/* filter_chat.c: rules about prompts and answers. Phrases are compared in lower case with straight
 * apostrophes. */
#define _GNU_SOURCE
#include "data/filter_chat.h"

#include <string.h>

static ft_slice trimmed(const ft_words *w, ft_slice s)
{
    while (s.n && s.p[0] <= 32) {
        s.p++;
        s.n--;
    }
    while (s.n && (s.p[s.n - 1] <= 32))
        s.n--;
    (void)w;
    return s;
}

/* ---- truncated ---- */

/* Counts what brackets stay open outside of code. An emoticon's bracket is none. */
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
        if (coded || p[i] == 0 || (i > 0 && strchr(":;=-8\\", p[i - 1])))
            continue;
        if ((at = strchr(opens, p[i])) != NULL && depth < sizeof open)
            open[depth++] = *at;
        else if ((at = strchr(closes, p[i])) != NULL && depth > 0 &&
                 open[depth - 1] == opens[at - closes])
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

/* An odd number of " in the last paragraph; behind a digit it means inches or seconds. */
static int open_quote(const uint8_t *p, size_t n)
{
    size_t count = 0;
    int coded = 0;
    for (size_t i = last_paragraph(p, n); i < n; i++) {
        coded ^= p[i] == '`';
        count += !coded && p[i] == '"' && !(i > 0 && p[i - 1] >= '0' && p[i - 1] <= '9');
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

int ft_chat_truncated(const ft_words *classes, const uint8_t *p, size_t n)
{
    ft_slice s = trimmed(classes, (ft_slice){p, n});
    if (s.n == 0)
        return 0;
    if (fences(s.p, s.n) % 2 == 1 || open_brackets(s.p, s.n) > 0 || open_quote(s.p, s.n))
        return 1;
    return plain_words(s.p, s.n) > 20 && is_prose(s.p, s.n) && !has_end_mark(classes, s.p, s.n)
               ? 2 : 0;
}

/* ---- phrases ---- */

/* Compares in lower case; U+2019 equals '. */
static int phrase_at(const uint8_t *p, size_t n, const char *phrase)
{
    for (; *phrase; phrase++) {
        size_t k = 1;
        if (n == 0)
            return 0;
        if (*phrase == '\'' && n >= 3 && memcmp(p, "\u2019", 3) == 0)
            k = 3;
        else if ((p[0] >= 'A' && p[0] <= 'Z' ? p[0] | 0x20 : p[0]) != (uint8_t)*phrase)
            return 0;
        p += k;
        n -= k;
    }
    return 1;
}

static uint64_t phrases_in(const uint8_t *p, size_t n, const char *const *list)
{
    uint64_t count = 0;
    uint8_t first[256] = {0};
    for (const char *const *q = list; *q; q++) {
        first[(uint8_t)**q] = 1;
        if (**q >= 'a' && **q <= 'z')
            first[**q - 32] = 1;
    }
    for (size_t i = 0; i < n; i++)
        for (const char *const *q = list; first[p[i]] && *q; q++)
            if (phrase_at(p + i, n - i, *q)) {
                count++;
                i += strlen(*q) - 1;
                break;
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

uint64_t ft_chat_residue(const uint8_t *p, size_t n)
{
    static const char *const marks[] = {
        "### response:", "### instruction:", "### input:", "### human:", "### assistant:",
        "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>",
        "<|assistant|>", "<|user|>", "<|system|>", "[inst]", "[/inst]", "<<sys>>",
        "<start_of_turn>", "<end_of_turn>", "[object object]", NULL};
    static const char *const alone[] = {"undefined", "null", "none", "nan", "n/a", NULL};
    ft_slice s = trimmed(NULL, (ft_slice){p, n});
    uint64_t count = phrases_in(p, n, marks);
    for (const char *const *q = alone; *q; q++)
        count += strlen(*q) == s.n && phrase_at(s.p, s.n, *q);
    for (size_t i = 0, k; i < n; i += k ? k : 1) {
        const uint8_t *at = memchr(p + i, '{', n - i);
        if (!at)
            break;
        i = (size_t)(at - p);
        k = placeholder(p + i, n - i);
        count += k > 0;
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
    prompt = trimmed(NULL, prompt);
    answer = trimmed(NULL, answer);
    if (prompt.n == 0 || answer.n < prompt.n || (answer.n > prompt.n && prompt.n < 20))
        return 0;
    return memcmp(prompt.p, answer.p, prompt.n) == 0;
}

static int language_differs(ft_filter_meter *m, ft_slice prompt, ft_slice answer)
{
    const ft_words *w = ft_text_classes(m->text);
    ft_guess a, b;
    if (!m->language || prompt.n < FT_LANGUAGE_LETTERS_MIN || answer.n < FT_LANGUAGE_LETTERS_MIN ||
        fences(answer.p, answer.n) || fences(prompt.p, prompt.n))
        return 0;
    a = ft_language_guess(m->language, w, prompt.p, prompt.n);
    if (a.n == 0)
        return 0;
    b = ft_language_guess(m->language, w, answer.p, answer.n);
    return ft_guesses_differ(&a, &b);
}

/* One prompt and its answer. The length rules keep the most extreme pair. */
static void measure_pair(ft_filter_meter *m, ft_slice prompt, ft_slice answer, uint64_t wanted,
                         int first, double *value)
{
    const ft_words *w = ft_text_classes(m->text);
    ft_slice s = trimmed(w, answer);
    size_t asked = ft_char_count(prompt.p, prompt.n);
    double ratio = asked ? (double)ft_char_count(answer.p, answer.n) / (double)asked : 1;
    int broken = ft_chat_truncated(w, answer.p, answer.n);
    if (broken && value[FT_RULE_TRUNCATED] == 0)
        value[FT_RULE_TRUNCATED] = broken;
    value[FT_RULE_COPY] += is_copy(prompt, answer);
    value[FT_RULE_REFUSAL] += (double)ft_chat_refusals(answer.p, answer.n);
    value[FT_RULE_URL_ONLY] += s.n > 0 && ft_text_url(s.p, s.n) == s.n;
    if (first || ratio < value[FT_RULE_LENGTH_MIN])
        value[FT_RULE_LENGTH_MIN] = ratio;
    if (first || ratio > value[FT_RULE_LENGTH_MAX])
        value[FT_RULE_LENGTH_MAX] = ratio;
    if (wanted & FT_RULE_BIT(FT_RULE_LANGUAGE_DIFFERS))
        value[FT_RULE_LANGUAGE_DIFFERS] += language_differs(m, prompt, answer);
}

static void measure_field(ft_filter_meter *m, ft_slice s, int may_be_empty, double *value)
{
    const ft_words *classes = ft_text_classes(m->text);
    value[FT_RULE_EMPTY] += !may_be_empty && !ft_text_is_visible(classes, s.p, s.n);
    value[FT_RULE_GARBLED] += (double)ft_text_garbled(s.p, s.n);
    value[FT_RULE_RESIDUE] += (double)ft_chat_residue(s.p, s.n);
}

static void measure_turns(ft_filter_meter *m, ft_mp messages, uint64_t wanted, double *value)
{
    ft_mp_iter it = ft_mp_iter_of(messages);
    ft_slice prompt = {NULL, 0};
    ft_mp turn;
    int first = 1;
    value[FT_RULE_ROLES] = (double)ft_chat_role_error(messages);
    while (ft_mp_next(&it, &turn)) {
        ft_slice role = {NULL, 0}, content = {NULL, 0};
        (void)ft_mp_get_str(turn, "role", &role);
        (void)ft_mp_get_str(turn, "content", &content);
        measure_field(m, content, has_calls(turn), value);
        if (ft_slice_is(role, "user")) {
            prompt = content;
        } else if (ft_slice_is(role, "assistant") && !has_calls(turn)) {
            measure_pair(m, prompt, content, wanted, first, value);
            first = 0;
        }
    }
}

static void measure_fields(ft_filter_meter *m, ft_mp record, enum ft_shape shape, uint64_t wanted,
                           double *value)
{
    ft_slice prompt = {NULL, 0}, answer = {NULL, 0};
    int asks;
    const char *field = shape == FT_SHAPE_PROMPT       ? "completion"
                        : shape == FT_SHAPE_PREDICTION ? "prediction" : "text";
    asks = ft_mp_get_str(record, "prompt", &prompt) && shape != FT_SHAPE_TEXT;
    (void)ft_mp_get_str(record, field, &answer);
    if (asks)
        measure_field(m, prompt, 0, value);
    measure_field(m, answer, 0, value);
    measure_pair(m, asks ? prompt : (ft_slice){NULL, 0}, answer, wanted, 1, value);
}

static int measure_chat(ft_filter_meter *m, ft_mp record, uint64_t wanted, double *value, ft_err *e)
{
    enum ft_shape shape;
    ft_mp messages;
    if (ft_example_shape(record, &shape, e) < 0)
        return FT_ERR_DATA;
    value[FT_RULE_EMPTY] = value[FT_RULE_GARBLED] = 0;
    for (size_t i = FT_RULE_COPY; i <= FT_RULE_LANGUAGE_DIFFERS; i++)
        value[i] = 0;
    if (shape == FT_SHAPE_MESSAGES && ft_mp_get(record, "messages", &messages))
        measure_turns(m, messages, wanted, value);
    else
        measure_fields(m, record, shape, wanted, value);
    return 0;
}

int ft_filter_measure(ft_filter_meter *m, ft_mp record, uint64_t wanted, double *value, ft_err *e)
{
    const uint64_t both = FT_RULE_BIT(FT_RULE_EMPTY) | FT_RULE_BIT(FT_RULE_GARBLED);
    const uint64_t chat = ~(FT_RULE_BIT(FT_RULE_COPY) - 1);
    int rc;
    ft_buf_clear(&m->subject);
    if ((rc = ft_example_part(record, FT_PART_RESPONSE, &m->subject, e)) < 0)
        return rc;
    if (wanted & chat) {
        if ((rc = measure_chat(m, record, wanted, value, e)) < 0)
            return rc;
        wanted &= ~both;
    }
    if (m->want_guess && m->language)
        m->guess = ft_language_guess(m->language, ft_text_classes(m->text), m->subject.p,
                                     m->subject.n);
    return ft_text_measure(m->text, m->subject.n ? m->subject.p : (const uint8_t *)"", m->subject.n,
                           wanted & ~chat, value, e);
}

void ft_filter_meter_free(ft_filter_meter *m)
{
    ft_text_meter_free(&m->text);
    ft_buf_free(&m->subject);
}
