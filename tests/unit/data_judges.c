/* data_judges.c: the classifier against the same steps taken in double precision over whole tables,
 * and the neighbours against comparing every text with every other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "data/classifier.h"
#include "data/neighbours.h"
#include "data/ngrams.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 360, CLASSES = 11, FOLDS = 4, EPOCHS = 3, K = 10 };

static ft_err e;
static ft_features *f;
static uint32_t given[ROWS];
static uint8_t fold[ROWS];
static size_t columns;
static double *table;          /* ROWS x columns */

static uint64_t draw(size_t row, size_t i, uint64_t n)
{
    return ft_rng_below(9, FT_RNG_DATA, (uint32_t)row, i, n);
}

/* Words of a class, and common ones that most texts have; some texts are copies, some empty. */
static void make_text(size_t i, ft_buf *b)
{
    size_t from = i % 10 == 9 ? i - 5 : i, words = i % 97 == 3 ? 0 : 3 + draw(from, 0, 20);
    given[i] = (uint32_t)draw(i, 1000, CLASSES);
    for (size_t k = 0; k < words; k++)
        if (draw(from, 3 * k + 1, 3))
            ft_buf_add_fmt(b, "w%u ", (unsigned)draw(from, 3 * k + 2, 30));
        else
            ft_buf_add_fmt(b, "c%u-%u ", (unsigned)given[from],
                           (unsigned)draw(from, 3 * k + 3, 40));
}

static ft_features *make_store(uint64_t bytes_max)
{
    ft_features *made;
    ft_ngrams g = {0};
    ft_buf text = {0}, packed = {0};
    assert_int_equal(ft_features_new(&made, &e), 0);
    for (size_t i = 0; i < ROWS; i++) {
        ft_buf_clear(&text);
        ft_buf_clear(&packed);
        make_text(i, &text);
        fold[i] = (uint8_t)draw(i, 2000, FOLDS);
        assert_int_equal(ft_ngrams_make(&g, text.p, text.n, &packed, &e), 0);
        assert_int_equal(ft_features_add(made, (ft_slice){packed.p, packed.n}, &e), 0);
    }
    assert_int_equal(ft_features_finish(made, bytes_max, &e), 0);
    ft_ngrams_free(&g);
    ft_buf_free(&text);
    ft_buf_free(&packed);
    return made;
}

static void fill_table(enum ft_feature_part part)
{
    ft_feature_row v = {0};
    memset(table, 0, ROWS * columns * sizeof *table);
    for (size_t i = 0; i < ROWS; i++) {
        assert_int_equal(ft_features_read(f, i, part, &v, &e), 0);
        for (size_t k = 0; k < v.n; k++)
            table[i * columns + v.column[k]] = (double)v.value[k];
    }
    ft_feature_row_free(&v);
}

static int setup(void **state)
{
    (void)state;
    f = make_store(0);
    columns = ft_features_columns(f);
    table = calloc(ROWS * columns, sizeof *table);
    assert_non_null(table);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ft_features_free(&f);
    free(table);
    return 0;
}

/* A store that had to go to disk gives the same vectors. */
static void test_store(void **state)
{
    ft_features *other = make_store(1);
    ft_feature_row a = {0}, b = {0};
    (void)state;
    assert_true(ft_features_bytes(other) < ft_features_bytes(f));
    assert_true(ft_features_word_columns(f) < columns);
    for (size_t i = 0; i < ROWS; i++)
        for (int part = FT_FEATURES_ALL; part <= FT_FEATURES_WORDS; part++) {
            double squares = 0;
            assert_int_equal(ft_features_read(f, i, part, &a, &e), 0);
            assert_int_equal(ft_features_read(other, i, part, &b, &e), 0);
            assert_int_equal(a.n, b.n);
            for (size_t k = 0; k < a.n; k++) {
                assert_int_equal(a.column[k], b.column[k]);
                assert_true(a.value[k] == b.value[k] && a.value[k] > 0);
                squares += (double)a.value[k] * (double)a.value[k];
            }
            assert_true(squares < 1 + 1e-5);
        }
    ft_feature_row_free(&a);
    ft_feature_row_free(&b);
    ft_features_free(&other);
}

/* ---- the classifier ---- */

static double *w, *sums;       /* CLASSES x (columns + 1); columns + 1 */

static void softmax(size_t row, double *p)
{
    double all = 0;
    for (size_t k = 0; k < CLASSES; k++) {
        const double *mine = w + k * (columns + 1);
        double z = mine[columns];
        for (size_t c = 0; c < columns; c++)
            z += mine[c] * table[row * columns + c];
        all += p[k] = exp(z);
    }
    for (size_t k = 0; k < CLASSES; k++)
        p[k] /= all;
}

static void step(size_t row)
{
    double p[CLASSES], squares = 0;
    softmax(row, p);
    for (size_t k = 0; k < CLASSES; k++) {
        p[k] -= k == given[row];
        p[k] = fabs(p[k]) < 1e-3 ? 0 : p[k];
        squares += p[k] * p[k];
    }
    for (size_t c = 0; c <= columns; c++) {
        double x = c < columns ? table[row * columns + c] : 1;
        sums[c] += x * x * squares;
        for (size_t k = 0; k < CLASSES && x * x * squares > 0; k++)
            w[k * (columns + 1) + c] -= 0.8 / sqrt(sums[c]) * x * p[k];
    }
}

/* The order of an epoch: Fisher and Yates from the end, numbers as the library draws them. */
static void epoch_of(unsigned out, uint32_t epoch)
{
    static size_t order[ROWS];
    size_t n = 0;
    for (size_t i = 0; i < ROWS; i++)
        if (fold[i] != out)
            order[n++] = i;
    for (size_t i = n; i > 1; i--) {
        size_t k = (size_t)ft_rng_below(3, FT_RNG_DATA, epoch, (uint64_t)out << 32 | i, i);
        size_t row = order[k];
        order[k] = order[i - 1];
        order[i - 1] = row;
    }
    for (size_t i = 0; i < n; i++)
        step(order[i]);
}

static void test_classifier(void **state)
{
    static double p[ROWS * CLASSES], again[ROWS * CLASSES], want[CLASSES];
    ft_cross_options o = {.folds = FOLDS, .epochs = EPOCHS, .seed = 3};
    ft_pool *one = NULL, *three = NULL;
    (void)state;
    fill_table(FT_FEATURES_ALL);
    w = calloc(CLASSES * (columns + 1), sizeof *w);
    sums = calloc(columns + 1, sizeof *sums);
    assert_int_equal(ft_pool_new(&one, 1, &e), 0);
    assert_int_equal(ft_pool_new(&three, 3, &e), 0);
    assert_int_equal(ft_cross_probabilities(f, given, fold, CLASSES, &o, one, p, &e), 0);
    for (unsigned out = 0; out < FOLDS; out++) {
        memset(w, 0, CLASSES * (columns + 1) * sizeof *w);
        memset(sums, 0, (columns + 1) * sizeof *sums);
        for (uint32_t epoch = 0; epoch < EPOCHS; epoch++)
            epoch_of(out, epoch);
        for (size_t i = 0; i < ROWS; i++) {
            if (fold[i] != out)
                continue;
            softmax(i, want);
            for (size_t k = 0; k < CLASSES; k++)
                assert_true(fabs(p[i * CLASSES + k] - want[k]) < 2e-4);
        }
    }
    o.bytes_max = 6 * columns * 16 * sizeof(float) / 5;      /* one fold at a time */
    assert_int_equal(ft_cross_probabilities(f, given, fold, CLASSES, &o, three, again, &e), 0);
    assert_memory_equal(p, again, sizeof p);
    o.bytes_max = 1000;
    assert_int_equal(ft_cross_probabilities(f, given, fold, CLASSES, &o, three, again, &e),
                     FT_ERR_NOMEM);
    o.bytes_max = 0;
    assert_int_equal(ft_cross_probabilities(f, given, fold, CLASSES, &o, three, again, &e), 0);
    assert_memory_equal(p, again, sizeof p);
    ft_pool_free(&one);
    ft_pool_free(&three);
    free(w);
    free(sums);
}

/* ---- the neighbours ---- */

/* Whether a vote is possible for a row, given cosines whose last digits are uncertain: counts what
 * is surely among the nearest and what may be. */
static void check_vote(size_t row, const double *cosine, const ft_vote *v)
{
    const double tiny = 2e-6;
    size_t some = 0, sure = 0, sure_disagree = 0, may_disagree = 0;
    for (size_t i = 0; i < ROWS; i++)
        some += i != row && cosine[i] > 0;
    assert_int_equal(v->found, some < K ? some : K);
    for (size_t i = 0; i < ROWS; i++) {
        size_t above = 0, near = 0;
        if (i == row || cosine[i] <= 0)
            continue;
        for (size_t k = 0; k < ROWS; k++) {
            above += k != row && cosine[k] > cosine[i] + tiny;
            near += k != row && cosine[k] > cosine[i] - tiny;
        }
        if (near <= K) {
            sure++;
            sure_disagree += given[i] != given[row];
        }
        may_disagree += above < K && given[i] != given[row];
    }
    assert_true(v->disagree >= sure_disagree && v->disagree <= may_disagree);
    assert_true(v->disagree <= sure_disagree + v->found - sure);
}

/* Exactly, where nothing is uncertain: copies have the same cosine to the last bit, and of them the
 * earlier are taken. */
static ft_vote vote_of(size_t row, const double *cosine)
{
    ft_vote v = {0};
    size_t best[K];
    uint32_t most = 0;
    for (; v.found < K; v.found++) {
        size_t next = ROWS;
        for (size_t i = 0; i < ROWS; i++) {
            int taken = i == row || cosine[i] <= 0;
            for (size_t k = 0; k < v.found; k++)
                taken |= best[k] == i;
            if (!taken && (next == ROWS || cosine[i] > cosine[next] + 1e-9))
                next = i;
        }
        if (next == ROWS)
            break;
        best[v.found] = next;
    }
    for (size_t i = 0; i < v.found; i++) {
        uint32_t same = 0;
        v.disagree += given[best[i]] != given[row];
        v.similarity += (float)cosine[best[i]] / (float)v.found;
        for (size_t k = 0; k < v.found; k++)
            same += given[best[k]] == given[best[i]];
        if (same > most) {
            most = same;
            v.winner = given[best[i]];
        }
    }
    return v;
}

static void test_neighbours(void **state)
{
    static ft_vote votes[ROWS], again[ROWS];
    static double cosine[ROWS];
    ft_neighbour_options o = {.k = K, .seed = 1};
    ft_pool *one = NULL, *three = NULL;
    size_t exact = 0;
    (void)state;
    fill_table(FT_FEATURES_WORDS);
    assert_int_equal(ft_pool_new(&one, 1, &e), 0);
    assert_int_equal(ft_pool_new(&three, 3, &e), 0);
    assert_int_equal(ft_neighbours_vote(f, given, CLASSES, &o, one, votes, &e), 0);
    assert_int_equal(ft_neighbours_vote(f, given, CLASSES, &o, three, again, &e), 0);
    for (size_t row = 0; row < ROWS; row++) {
        ft_vote want;
        for (size_t i = 0; i < ROWS; i++) {
            cosine[i] = 0;
            for (size_t c = 0; c < ft_features_word_columns(f); c++)
                cosine[i] += table[row * columns + c] * table[i * columns + c];
        }
        check_vote(row, cosine, &votes[row]);
        want = vote_of(row, cosine);
        exact += want.found == votes[row].found && want.disagree == votes[row].disagree &&
                 (want.found == 0 || want.winner == votes[row].winner);
        assert_true(fabs((double)want.similarity - (double)votes[row].similarity) < 1e-5);
        assert_true(again[row].found == votes[row].found &&
                    again[row].winner == votes[row].winner &&
                    again[row].disagree == votes[row].disagree);
    }
    assert_true(exact >= ROWS - 3);        /* but for what rounding decides */
    o.index_max = 50;
    assert_int_equal(ft_neighbours_vote(f, given, CLASSES, &o, three, votes, &e), 0);
    for (size_t row = 0; row < ROWS; row++)
        assert_true(votes[row].found <= K && votes[row].disagree <= votes[row].found);
    o.bytes_max = 1000;
    assert_int_equal(ft_neighbours_vote(f, given, CLASSES, &o, three, votes, &e), FT_ERR_NOMEM);
    ft_pool_free(&one);
    ft_pool_free(&three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store), cmocka_unit_test(test_classifier),
        cmocka_unit_test(test_neighbours)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
