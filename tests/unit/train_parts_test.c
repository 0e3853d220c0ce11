/* train_parts_test.c: what training is made of: the schedule against transformers, orders of rows,
 * clipping, and data sets that must be refused. */
#include "train_support.h"

#include "train/optim.h"
#include "train/schedule.h"
#include "train/shuffle.h"
#include "train/train_plan.h"

#include <math.h>

static void rates_equal_those_of_transformers(void **state)
{
    ft_mp list = golden_get(golden_open(), "schedules"), s, item;
    ft_mp_iter it = ft_mp_iter_of(list);
    size_t seen = 0;
    (void)state;
    while (ft_mp_next(&it, &s)) {
        ft_schedule mine = {FT_COSINE, golden_real(s, "peak"), (uint64_t)golden_real(s, "warmup"),
                            (uint64_t)golden_real(s, "total")};
        ft_mp_iter rates = ft_mp_iter_of(golden_get(s, "rates"));
        for (uint64_t step = 0; ft_mp_next(&rates, &item); step++, seen++) {
            double want = -1, got = ft_schedule_lr(&mine, step);
            assert_true(ft_mp_float(item, &want));
            assert_true(fabs(got - want) <= 1e-15 * mine.peak);
        }
        assert_true(ft_schedule_lr(&mine, mine.total) == 0);
    }
    assert_int_equal(seen, 10 + 7 + 4 + 33);
}

/* transformers 5.23, get_linear_ and get_constant_schedule_with_warmup, 3 of 10 steps, 2e-4. */
static void other_rates_too(void **state)
{
    static const double linear[] = {
        0, 6.666666666666667e-05, 0.00013333333333333334, 0.0002, 0.00017142857142857143,
        0.00014285714285714287, 0.00011428571428571428, 8.571428571428571e-05,
        5.714285714285714e-05, 2.857142857142857e-05};
    ft_schedule a = {ft_decline_by_name("linear"), 2e-4, 3, 10};
    ft_schedule b = {ft_decline_by_name("constant"), 2e-4, 3, 10};
    (void)state;
    for (uint64_t i = 0; i < 10; i++) {
        assert_true(fabs(ft_schedule_lr(&a, i) - linear[i]) <= 1e-18);
        assert_true(fabs(ft_schedule_lr(&b, i) - (i < 3 ? linear[i] : 2e-4)) <= 1e-18);
    }
    assert_true(ft_schedule_lr(&a, 10) == 0);
    assert_int_equal(ft_decline_by_name("cosine"), FT_COSINE);
}

static void warmup_is_a_share_or_a_number_of_steps(void **state)
{
    (void)state;
    assert_int_equal(ft_schedule_warmup(0, 100), 0);
    assert_int_equal(ft_schedule_warmup(0.03, 100), 3);
    assert_int_equal(ft_schedule_warmup(0.03, 101), 4);      /* rounded up */
    assert_int_equal(ft_schedule_warmup(0.999, 10), 10);
    assert_int_equal(ft_schedule_warmup(1, 100), 1);
    assert_int_equal(ft_schedule_warmup(40, 100), 40);
    assert_int_equal(ft_schedule_warmup(400, 100), 100);
    assert_int_equal(ft_schedule_warmup(0.03, 0), 0);
}

static int is_permutation(const size_t *order, size_t n)
{
    uint8_t seen[64] = {0};
    for (size_t i = 0; i < n; i++) {
        if (order[i] >= n || seen[order[i]])
            return 0;
        seen[order[i]] = 1;
    }
    return 1;
}

/* All 24 orders of four rows are equally likely: chi-square with 23 degrees of freedom is below
 * 49.7 in 99.9 % of fair samples; the seeds are fixed, so this either holds or does not. */
static void shuffles_are_fair_permutations(void **state)
{
    size_t order[64], counts[256] = {0}, distinct = 0;
    double chi = 0;
    (void)state;
    for (size_t n = 0; n <= 64; n++) {
        ft_shuffle(order, n, 5, 3);
        assert_true(is_permutation(order, n));
    }
    for (uint32_t epoch = 0; epoch < 24000; epoch++) {
        ft_shuffle(order, 4, 99, epoch);
        counts[order[0] * 64 + order[1] * 16 + order[2] * 4 + order[3]]++;
    }
    for (size_t i = 0; i < 256; i++)
        if (counts[i]) {
            double d = (double)counts[i] - 1000;
            distinct++;
            chi += d * d / 1000;
        }
    assert_int_equal(distinct, 24);
    assert_true(chi < 49.7);
}

static void gradients_are_clipped_by_their_common_norm(void **state)
{
    float g[4] = {3, 0, -4, 0}, bad[2] = {1, NAN};
    double norm = ft_clip_gradient(g, 4, 10);
    (void)state;
    assert_true(fabs(norm - 5) < 1e-12 && g[0] == 3 && g[2] == -4);
    norm = ft_clip_gradient(g, 4, 0);
    assert_true(fabs(norm - 5) < 1e-12 && g[0] == 3);
    norm = ft_clip_gradient(g, 4, 1);
    assert_true(fabs(norm - 5) < 1e-12);
    assert_true(fabs((double)g[0] - 0.6) < 1e-6 && fabs((double)g[2] + 0.8) < 1e-6);
    assert_true(isnan(ft_clip_gradient(bad, 2, 1)) && bad[0] == 1);
}

static void steps_end_at_row_boundaries(void **state)
{
    ft_mp golden = golden_open();
    ft_dataset *d = golden_dataset(golden, "examples", 5, 512);    /* 5 5 5 5 4 */
    size_t order[5] = {4, 0, 1, 2, 3};
    (void)state;
    assert_int_equal(d->n_rows, 5);
    assert_int_equal(d->n_examples, 24);
    assert_int_equal(d->widest, 5);
    assert_int_equal(ft_train_step_end(d, order, 0, 1), 1);
    assert_int_equal(ft_train_step_end(d, order, 0, 4), 1);
    assert_int_equal(ft_train_step_end(d, order, 0, 5), 2);
    assert_int_equal(ft_train_step_end(d, order, 0, 9), 2);
    assert_int_equal(ft_train_step_end(d, order, 0, 10), 3);
    assert_int_equal(ft_train_step_end(d, order, 3, 100), 5);
    for (size_t i = 0; i < 24; i++)
        assert_int_equal(ft_dataset_row_of(d, i), i / 5);
    ft_dataset_free(&d);
}

static void fetched_examples_are_what_was_added(void **state)
{
    ft_err e = {0};
    ft_mp golden = golden_open();
    ft_mp_iter it = ft_mp_iter_of(golden_get(golden, "examples"));
    ft_dataset *d = golden_dataset(golden, "examples", 3, 512);
    ft_mp example, item;
    ft_batch b = {0};
    size_t all[24];
    (void)state;
    for (size_t i = 0; i < 24; i++)
        all[i] = i;
    OK(ft_dataset_fetch(d, all, 24, &b, &e));
    for (size_t i = 0; i < 24; i++) {
        const ft_seq *s = &ft_batch_seqs(&b)[i];
        ft_mp_iter ids, mask;
        uint64_t v = 0;
        assert_true(ft_mp_next(&it, &example));
        ids = ft_mp_iter_of(golden_get(example, "ids"));
        mask = ft_mp_iter_of(golden_get(example, "mask"));
        assert_int_equal(s->T, ft_mp_count(golden_get(example, "ids")));
        assert_int_equal(s->key, i);
        assert_true((double)s->weight == golden_real(example, "weight"));
        for (size_t k = 0; k < s->T; k++) {
            assert_true(ft_mp_next(&ids, &item) && ft_mp_uint(item, &v));
            assert_int_equal(s->ids[k], v);
            assert_true(ft_mp_next(&mask, &item) && ft_mp_uint(item, &v));
            assert_int_equal(s->target[k], v);
        }
    }
    ft_batch_free(&b);
    ft_dataset_free(&d);
}

/* One row of one segment with two tokens. */
static int add_row(ft_dataset *d, uint8_t id, uint8_t mask, double weight, ft_err *e)
{
    uint8_t ids[8] = {1, 0, 0, 0, id, 2, 0, 0};
    ft_buf b = {0};
    int rc;
    ft_mp_put_map(&b, 1);
    ft_mp_put_cstr(&b, "segments");
    ft_mp_put_array(&b, 1);
    ft_mp_put_map(&b, 5);
    ft_mp_put_cstr(&b, "id");
    ft_mp_put_uint(&b, 0);
    ft_mp_put_cstr(&b, "ids");
    ft_mp_put_bin(&b, ids, 8);
    ft_mp_put_cstr(&b, "mask");
    ft_mp_put_bin(&b, &mask, 1);
    ft_mp_put_cstr(&b, "length");
    ft_mp_put_uint(&b, 2);
    ft_mp_put_cstr(&b, "weight");
    ft_mp_put_float(&b, weight);
    rc = ft_dataset_add(d, (ft_mp){b.p, b.n}, e);
    ft_buf_free(&b);
    return rc;
}

static void data_that_teach_nothing_are_refused(void **state)
{
    ft_err e = {0};
    ft_dataset *d = NULL;
    (void)state;
    OK(ft_dataset_new(&d, 0x203, &e));
    assert_int_equal(ft_dataset_end(d, &e), FT_ERR_DATA);
    assert_non_null(strstr(e.text, "empty"));
    OK(add_row(d, 2, 0, 1, &e));
    assert_int_equal(ft_dataset_end(d, &e), FT_ERR_DATA);
    assert_non_null(strstr(e.text, "no targets"));
    OK(add_row(d, 2, 2, 0, &e));
    assert_int_equal(ft_dataset_end(d, &e), FT_ERR_DATA);
    assert_non_null(strstr(e.text, "weight 0"));
    assert_int_equal(add_row(d, 3, 2, 1, &e), FT_ERR_DATA);     /* id 0x203 */
    assert_non_null(strstr(e.text, "segment 0: token 1: id 515"));
    assert_int_equal(add_row(d, 2, 2, 1e300, &e), FT_ERR_DATA);
    assert_non_null(strstr(e.text, "weight"));
    OK(add_row(d, 2, 2, 1, &e));
    OK(ft_dataset_end(d, &e));
    ft_dataset_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_equal_those_of_transformers),
        cmocka_unit_test(other_rates_too),
        cmocka_unit_test(warmup_is_a_share_or_a_number_of_steps),
        cmocka_unit_test(shuffles_are_fair_permutations),
        cmocka_unit_test(gradients_are_clipped_by_their_common_norm),
        cmocka_unit_test(steps_end_at_row_boundaries),
        cmocka_unit_test(fetched_examples_are_what_was_added),
        cmocka_unit_test(data_that_teach_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
