/* tokenizer_test.c: ids equal to the reference's on 10 MB of mixed text, bytes that come back,
 * work that grows with the text, and vocabularies that are refused. */
#include "tokenizer_support.h"

#include "tokenizer_text.h"

#define CHUNKS 160

/* Compares each chunk's ids with tests/golden/tokenizer.txt: column is where the digest of this
 * model and pre-tokenizer stands. */
static void compare_with_reference(const char *path, const char *pre, size_t column,
                                   uint64_t lost_bytes)
{
    ft_err e = {0};
    ft_tokenizer *t = tokenizer_from(path, pre);
    ft_encoder *enc = NULL;
    ft_ids ids = {0};
    ft_buf b = {0};
    text_source source = {1, 0};
    char line[256];
    FILE *golden = fopen("tests/golden/tokenizer.txt", "r");
    assert_non_null(golden);
    assert_non_null(fgets(line, sizeof line, golden));
    assert_int_equal(ft_encoder_new(&enc, t, &e), 0);
    for (size_t i = 0; i < CHUNKS; i++) {
        unsigned long long want[5];
        assert_non_null(fgets(line, sizeof line, golden));
        assert_int_equal(sscanf(line, "%llx %llx %llx %llx %llx", &want[0], &want[1], &want[2],
                                &want[3], &want[4]), 5);
        text_chunk(&source, &b);
        assert_false(b.failed);
        assert_int_equal(ft_hash64(b.p, b.n, 0), want[0]);     /* the generators agree */
        ids.n = 0;
        assert_int_equal(ft_encode(enc, b.p, b.n, FT_ENCODE_PLAIN, &ids, &e), 0);
        if (ft_hash64(ids.p, ids.n * sizeof *ids.p, 0) != want[column])
            fail_msg("chunk %zu of %s with %s differs from the reference", i, path, pre);
    }
    assert_null(fgets(line, sizeof line, golden));
    assert_true((ft_encoder_lost_bytes(enc) > 0) == (lost_bytes > 0));
    fclose(golden);
    ft_ids_free(&ids);
    ft_buf_free(&b);
    ft_encoder_free(&enc);
    ft_tokenizer_free(&t);
}

static void ids_are_the_reference_s_on_the_toy(void **state)
{
    (void)state;
    compare_with_reference(TOY_PATH, "smollm", 1, 0);
    compare_with_reference(TOY_PATH, "gpt-2", 2, 0);
}

static void ids_are_the_reference_s_on_a_real_model(void **state)
{
    const char *path = getenv("MODEL");
    (void)state;
    if (!path)
        path = getenv("FT_MODEL");
    if (!path)
        path = "build/data/SmolLM2-135M-Instruct.Q4_1.gguf";
    if (access(path, R_OK) != 0)
        skip();
    compare_with_reference(path, "smollm", 3, 1);
    compare_with_reference(path, "gpt-2", 4, 1);
}

static void assert_comes_back(const ft_tokenizer *t, ft_encoder *enc, const uint8_t *p, size_t n,
                              int flags)
{
    ft_err e = {0};
    ft_ids ids = {0};
    ft_buf b = {0};
    assert_int_equal(ft_encode(enc, p, n, flags, &ids, &e), 0);
    for (size_t i = 0; i < ids.n; i++) {
        ft_slice s;
        assert_true(ids.p[i] < ft_tokenizer_size(t));
        s = ft_token_bytes(t, ids.p[i]);
        ft_buf_add(&b, s.p, s.n);
    }
    assert_false(b.failed);
    assert_int_equal(b.n, n);
    if (n)
        assert_memory_equal(b.p, p, n);
    ft_buf_free(&b);
    ft_ids_free(&ids);
}

/* Random bytes of several tastes: all bytes, nearly UTF-8, long runs, few letters. */
static void fill(text_source *r, uint8_t *p, size_t n)
{
    static const char few[] = " 'sthe1\n\xe4\xbd\xa0\xf0\x9f\x98\x80";
    uint32_t taste = text_below(r, 4);
    for (size_t i = 0; i < n; i++) {
        if (taste == 0)
            p[i] = (uint8_t)text_below(r, 256);
        else if (taste == 1)
            p[i] = (uint8_t)few[text_below(r, sizeof few - 1)];
        else if (taste == 2)
            p[i] = i && text_below(r, 40) ? p[i - 1] : (uint8_t)text_below(r, 256);
        else
            p[i] = (uint8_t)(text_below(r, 3) ? 0x80 | text_below(r, 64) : text_below(r, 256));
    }
}

static void any_bytes_come_back(void **state)
{
    enum { ROUND = 20000 };
    size_t total = getenv("FT_SOAK") ? 100000000 : 10000000;
    ft_err e = {0};
    ft_tokenizer *t = tokenizer_from(TOY_PATH, "smollm");
    ft_encoder *enc = NULL;
    uint8_t *p = ft_new(ROUND, 1, &e);
    text_source r = {7, 0};
    (void)state;
    assert_non_null(p);
    assert_int_equal(ft_tokenizer_missing_bytes(t), 0);
    assert_int_equal(ft_encoder_new(&enc, t, &e), 0);
    for (size_t done = 0, n; done < total; done += n) {
        n = 1 + text_below(&r, text_below(&r, 8) ? 200 : ROUND);
        fill(&r, p, n);
        assert_comes_back(t, enc, p, n, done % 2 ? FT_ENCODE_PLAIN : FT_ENCODE_SPECIAL);
    }
    assert_int_equal(ft_encoder_lost_bytes(enc), 0);
    ft_free(p);
    ft_encoder_free(&enc);
    ft_tokenizer_free(&t);
}

/* Steps for one word of n bytes: a repeated letter, or letters at random. */
static uint64_t steps_for(const ft_tokenizer *t, size_t n, int random)
{
    ft_err e = {0};
    ft_encoder *enc = NULL;
    text_source r = {3, 0};
    uint64_t steps;
    uint8_t *p = ft_new(n, 1, &e);
    assert_non_null(p);
    assert_int_equal(ft_encoder_new(&enc, t, &e), 0);
    for (size_t i = 0; i < n; i++)
        p[i] = random ? (uint8_t)('a' + text_below(&r, 26)) : 'e';
    assert_comes_back(t, enc, p, n, FT_ENCODE_PLAIN);
    steps = ft_encoder_steps(enc);
    ft_encoder_free(&enc);
    ft_free(p);
    return steps;
}

static void work_grows_as_the_text(void **state)
{
    ft_tokenizer *t = tokenizer_from(TOY_PATH, "gpt-2");
    (void)state;
    for (int random = 0; random < 2; random++)
        for (size_t n = 1024; n <= 1u << 19; n *= 2) {
            double one = (double)steps_for(t, n, random), two = (double)steps_for(t, 2 * n, random);
            assert_true(two <= 2.5 * one + 64);
        }
    assert_true(steps_for(t, 8u << 20, 1) > 0);      /* 8 MiB, one word */
    (void)steps_for(t, 8u << 20, 0);
    ft_tokenizer_free(&t);
}

static void special_tokens_only_where_they_are_asked_for(void **state)
{
    static const char text[] = "a<|im_start|>b<|im_end|>";
    ft_err e = {0};
    ft_tokenizer *t = tokenizer_from(TOY_PATH, "smollm");
    ft_encoder *enc = NULL;
    ft_ids ids = {0};
    (void)state;
    assert_int_equal(ft_encoder_new(&enc, t, &e), 0);
    assert_int_equal(ft_encode(enc, text, sizeof text - 1, FT_ENCODE_PLAIN, &ids, &e), 0);
    for (size_t i = 0; i < ids.n; i++)
        assert_false(ft_tokenizer_is_special(t, ids.p[i]));
    ids.n = 0;
    assert_int_equal(ft_encode(enc, text, sizeof text - 1, FT_ENCODE_SPECIAL, &ids, &e), 0);
    assert_int_equal(ids.n, 4);
    assert_int_equal(ids.p[1], ft_tokenizer_special(t, "<|im_start|>"));
    assert_int_equal(ids.p[3], ft_tokenizer_special(t, "<|im_end|>"));
    assert_int_equal(ft_tokenizer_special(t, "a"), -1);
    assert_int_equal(ft_tokenizer_special(t, "<|im_mid|>"), -1);
    ft_ids_free(&ids);
    ft_encoder_free(&enc);
    ft_tokenizer_free(&t);
}

/* A vocabulary to spoil: a b ab abb <s>, merges "a b" and "ab b". */
typedef struct small {
    ft_slice tokens[5], merges[2];
    int32_t types[5];
    ft_tokenizer_spec spec;
} small;

static void small_init(small *s)
{
    static const char *const tokens[] = {"a", "b", "ab", "abb", "<s>"};
    for (size_t i = 0; i < 5; i++) {
        s->tokens[i] = slice_of(tokens[i]);
        s->types[i] = i == 4 ? 3 : 1;
    }
    s->merges[0] = slice_of("a b");
    s->merges[1] = slice_of("ab b");
    s->spec = (ft_tokenizer_spec){s->tokens, s->types, 5, s->merges, 2, slice_of("gpt-2"), -1, 4};
}

static void refuse(const small *s, const char *why)
{
    ft_err e = {0};
    ft_tokenizer *t = NULL;
    assert_int_equal(ft_tokenizer_new(&t, &s->spec, &e), FT_ERR_DATA);
    assert_null(t);
    if (!strstr(e.text, why))
        fail_msg("\"%s\" does not say \"%s\"", e.text, why);
}

static ft_digest small_digest(const small *s)
{
    ft_err e = {0};
    ft_tokenizer *t = NULL;
    ft_digest d;
    assert_int_equal(ft_tokenizer_new(&t, &s->spec, &e), 0);
    d = ft_tokenizer_digest(t);
    ft_tokenizer_free(&t);
    return d;
}

static void bad_vocabularies_are_refused(void **state)
{
    static const struct { size_t merge; const char *text, *why; } merges[] = {
        {0, "c b", "merge 0 \"c b\": its left half"}, {0, "a c", "right half"},
        {0, "b a", "its result is not in the vocabulary"},
        {1, "a b", "merges 0 and 1 are the same"},
        {0, "ab", "not two tokens"}, {0, " b", "not two tokens"}, {0, "a ", "not two tokens"},
        {0, "a b b", "not two tokens"}, {0, "", "not two tokens"}};
    small s;
    static char big[2001];
    (void)state;
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        small_init(&s);
        s.merges[merges[i].merge] = slice_of(merges[i].text);
        refuse(&s, merges[i].why);
    }
    small_init(&s);
    memset(big, 'a', 2000);
    big[1000] = ' ';
    s.merges[0] = slice_of(big);
    refuse(&s, "merge 0");
    small_init(&s);
    s.tokens[3] = slice_of("a");
    refuse(&s, "tokens 0 and 3 are the same");
    small_init(&s);
    s.spec.eos = 5;
    refuse(&s, "eos");
    small_init(&s);
    s.spec.bos = -2;
    refuse(&s, "bos");
    small_init(&s);
    s.types[1] = 7;
    refuse(&s, "token 1 has type 7");
    small_init(&s);
    s.spec.n_tokens = 0;
    refuse(&s, "vocabulary of 0 tokens");
    small_init(&s);
    s.spec.pre = slice_of("llama-bpe");
    refuse(&s, "known are: gpt-2, smollm");
}

static void digest_covers_all_that_decides_ids(void **state)
{
    small s;
    ft_digest first, d;
    (void)state;
    small_init(&s);
    first = small_digest(&s);
    d = small_digest(&s);
    assert_true(ft_digest_equal(&first, &d));
    for (int change = 0; change < 6; change++) {
        small_init(&s);
        if (change == 0)
            s.tokens[4] = slice_of("<t>");
        else if (change == 1)
            s.types[4] = 1;
        else if (change == 2)
            s.spec.n_merges = 1;
        else if (change == 3)
            s.spec.pre = slice_of("smollm");
        else if (change == 4)
            s.spec.eos = 3;
        else
            s.spec.bos = 0;
        d = small_digest(&s);
        assert_false(ft_digest_equal(&first, &d));
    }
}

/* The small vocabulary has two byte tokens: the others vanish, and neighbours of lost bytes
 * merge, as in the reference: "a?b" gives [ab]. */
static void lost_bytes_are_counted(void **state)
{
    ft_err e = {0};
    small s;
    ft_tokenizer *t = NULL;
    ft_encoder *enc = NULL;
    ft_ids ids = {0};
    (void)state;
    small_init(&s);
    assert_int_equal(ft_tokenizer_new(&t, &s.spec, &e), 0);
    assert_int_equal(ft_tokenizer_missing_bytes(t), 254);
    assert_int_equal(ft_encoder_new(&enc, t, &e), 0);
    for (int again = 1; again <= 2; again++) {           /* the cache must not hide losses */
        ids.n = 0;
        assert_int_equal(ft_encode(enc, "acb xabb", 8, FT_ENCODE_PLAIN, &ids, &e), 0);
        assert_int_equal(ids.n, 2);
        assert_int_equal(ids.p[0], 2);
        assert_int_equal(ids.p[1], 3);
        assert_int_equal(ft_encoder_lost_bytes(enc), 3 * again);
    }
    ft_ids_free(&ids);
    ft_encoder_free(&enc);
    ft_tokenizer_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_the_reference_s_on_the_toy),
        cmocka_unit_test(ids_are_the_reference_s_on_a_real_model),
        cmocka_unit_test(any_bytes_come_back),
        cmocka_unit_test(work_grows_as_the_text),
        cmocka_unit_test(special_tokens_only_where_they_are_asked_for),
        cmocka_unit_test(bad_vocabularies_are_refused),
        cmocka_unit_test(digest_covers_all_that_decides_ids),
        cmocka_unit_test(lost_bytes_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
