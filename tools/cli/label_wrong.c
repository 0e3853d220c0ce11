#include "tools/cli/label_wrong.h"

#include "base/json.h"
#include "base/mem.h"
#include "data/classifier.h"
#include "data/neighbours.h"
#include "data/ngrams.h"
#include "data/tie_keys.h"
#include "tools/cli/cli.h"
#include "tools/cli/label_classes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NEIGHBOURS = 10, NEIGHBOURS_MIN = 5, INDEX_MAX = 100000, NAMED = 5 };
#define DISAGREE_MIN 0.7

typedef struct row {
    uint64_t number, card;     /* of the record; where its card stands: see put_card */
    uint64_t probs;            /* where its probabilities stand in w->probs          */
    uint32_t probs_bytes;
} row;

typedef struct scratch {       /* one thread's */
    ft_ngrams ngrams;
    ft_buf text;
} scratch;

struct label_wrong {
    label_wrong_options o;
    label_classes classes;
    ft_features *features;     /* NULL when nobody needs them */
    ft_spool *cards, *probs;
    scratch *workers;
    unsigned n_workers;
    row *rows;
    uint32_t *given;           /* number of appearance, then class */
    uint8_t *fold;
    size_t n, rows_cap, given_cap, fold_cap;
    uint64_t unlabelled, array_length;    /* SIZE_MAX: maps; 0: none yet */
    double *p;
    ft_buf line, card;
};

label_wrong *label_wrong_new(const label_wrong_options *o)
{
    label_wrong *w = ft_new(1, sizeof *w, cli_err());
    if (!w)
        cli_fail();
    w->o = *o;
    w->n_workers = ft_pool_threads(cli_pool());
    w->workers = ft_new(w->n_workers, sizeof *w->workers, cli_err());
    if (!w->workers)
        cli_fail();
    cli_check(label_classes_new(&w->classes, cli_err()));
    cli_check(ft_spool_new(&w->cards, cli_err()));
    if (o->probs)
        cli_check(ft_spool_new(&w->probs, cli_err()));
    if (!o->probs || o->knn)
        cli_check(ft_features_new(&w->features, cli_err()));
    return w;
}

void label_wrong_free(label_wrong **p)
{
    label_wrong *w = *p;
    if (!w)
        return;
    for (unsigned i = 0; i < w->n_workers; i++) {
        ft_ngrams_free(&w->workers[i].ngrams);
        ft_buf_free(&w->workers[i].text);
    }
    ft_free(w->workers);
    label_classes_free(&w->classes);
    ft_features_free(&w->features);
    ft_spool_free(&w->cards);
    ft_spool_free(&w->probs);
    ft_free(w->rows);
    ft_free(w->given);
    ft_free(w->fold);
    ft_free(w->p);
    ft_buf_free(&w->line);
    ft_buf_free(&w->card);
    ft_free(w);
    *p = NULL;
}

/* ---- reading ---- */

static int label_of(const label_wrong *w, ft_mp record, ft_mp *label)
{
    return ft_mp_get(record, w->o.label, label) && ft_mp_type_of(*label) != FT_MP_NIL;
}

/* it->out: the length of the excerpt, the excerpt, the packed n-grams. */
static int work(label_wrong *w, cli_item *it, scratch *t)
{
    uint32_t n;
    int rc;
    ft_buf_clear(&t->text);
    if ((rc = ft_example_part(it->record, w->o.part, &t->text, &it->err)) < 0)
        return rc;
    ft_buf_add_u32(&it->out, 0);
    label_put_excerpt(&it->out, (ft_slice){t->text.p, t->text.n});
    if ((rc = ft_buf_check(&it->out, &it->err)) < 0)
        return rc;
    n = (uint32_t)(it->out.n - sizeof n);
    memcpy(it->out.p, &n, sizeof n);
    for (size_t i = 0; i < t->text.n; i++)
        if (t->text.p[i] == 0xff)
            t->text.p[i] = '\n';
    return w->features ? ft_ngrams_make(&t->ngrams, t->text.p, t->text.n, &it->out, &it->err) : 0;
}

void label_wrong_work(label_wrong *w, cli_item *it, unsigned worker)
{
    ft_mp label;
    if (label_of(w, it->record, &label))
        (void)work(w, it, &w->workers[worker]);     /* the error waits in the item */
}

static _Noreturn void fail_at(uint64_t number, const char *field)
{
    if (field)
        ft_err_wrap(cli_err(), "field %s", field);
    ft_err_wrap(cli_err(), "record %llu", (unsigned long long)number);
    cli_fail();
}

/* The fold of a record, from what is held together with others that are much alike. */
static uint8_t fold_of(label_wrong *w, const cli_item *it)
{
    const char *const fields[] = {w->o.group ? w->o.group : "cluster",
                                  w->o.group ? w->o.group : "group"};
    ft_buf keys[2] = {{0}, {0}};
    ft_digest key;
    ft_mp value;
    int found = 0;
    for (size_t i = 0; i < 2 && !found; i++)
        if (ft_mp_get(it->record, fields[i], &value) &&
            (found = ft_group_key(value, fields[i], &key, cli_err())) < 0)
            fail_at(it->number, fields[i]);
    if (!found) {
        int rc = ft_example_key(it->record, FT_PART_PROMPT, keys, &key, cli_err());
        if (rc == FT_ERR_DATA)           /* a prediction has no prompt */
            rc = ft_example_key(it->record, FT_PART_ALL, keys, &key, cli_err());
        if (rc < 0)
            fail_at(it->number, NULL);
        ft_buf_free(&keys[0]);
        ft_buf_free(&keys[1]);
    }
    return (uint8_t)(ft_hash64(key.b, sizeof key.b, cli_seed()) % w->o.folds);
}

/* Card: the length of the id's JSON, that JSON, the excerpt's length, the excerpt. */
static void put_card(label_wrong *w, const cli_item *it, row *r)
{
    uint32_t n;
    r->card = ft_spool_bytes(w->cards);
    ft_buf_clear(&w->card);
    ft_buf_add_u32(&w->card, 0);
    label_put_id(&w->card, it->record, it->number);
    cli_check(ft_buf_check(&w->card, cli_err()));
    n = (uint32_t)(w->card.n - sizeof n);
    memcpy(w->card.p, &n, sizeof n);
    memcpy(&n, it->out.p, sizeof n);
    ft_buf_add(&w->card, it->out.p, sizeof n + n);
    cli_check(ft_buf_check(&w->card, cli_err()));
    cli_check(ft_spool_write(w->cards, w->card.p, w->card.n, cli_err()));
}

/* Keeps a record's probabilities; the keys of a map are classes. */
static void keep_probabilities(label_wrong *w, const cli_item *it, row *r)
{
    uint64_t length = SIZE_MAX;
    ft_mp value, key;
    uint32_t number;
    enum ft_mp_type t = FT_MP_NIL;
    if (ft_mp_get(it->record, w->o.probs, &value))
        t = ft_mp_type_of(value);
    if (t == FT_MP_ARRAY && ft_mp_count(value) > 0)
        length = ft_mp_count(value);
    else if (t != FT_MP_MAP) {
        ft_err_set(cli_err(), FT_ERR_DATA, "needs probabilities: an array of numbers, or a map "
                   "from label to number");
        fail_at(it->number, w->o.probs);
    }
    if (w->array_length && w->array_length != length) {
        ft_err_set(cli_err(), FT_ERR_DATA, "the records before have %s of another length or kind",
                   w->array_length == SIZE_MAX ? "a map, not an array" : "arrays");
        fail_at(it->number, w->o.probs);
    }
    w->array_length = length;
    ft_mp_iter pairs = ft_mp_iter_of(value);
    while (t == FT_MP_MAP && ft_mp_next(&pairs, &key)) {
        if (label_classes_of(&w->classes, key, 0, &number, cli_err()) < 0)
            fail_at(it->number, w->o.probs);
        ft_mp_next(&pairs, &key);
    }
    r->probs = ft_spool_bytes(w->probs);
    r->probs_bytes = (uint32_t)value.n;
    cli_check(ft_spool_write(w->probs, value.p, value.n, cli_err()));
}

void label_wrong_add(label_wrong *w, const cli_item *it)
{
    row r = {.number = it->number};
    uint32_t n;
    ft_mp label;
    if (!label_of(w, it->record, &label)) {
        w->unlabelled++;
        return;
    }
    cli_check(ft_grow(&w->rows, &w->rows_cap, w->n + 1, sizeof *w->rows, cli_err()));
    cli_check(ft_grow(&w->given, &w->given_cap, w->n + 1, sizeof *w->given, cli_err()));
    cli_check(ft_grow(&w->fold, &w->fold_cap, w->n + 1, sizeof *w->fold, cli_err()));
    if (label_classes_of(&w->classes, label, 1, &w->given[w->n], cli_err()) < 0)
        fail_at(it->number, w->o.label);
    if (w->o.probs)
        keep_probabilities(w, it, &r);
    else
        w->fold[w->n] = fold_of(w, it);
    put_card(w, it, &r);
    memcpy(&n, it->out.p, sizeof n);
    if (w->features)
        cli_check(ft_features_add(w->features, (ft_slice){it->out.p + sizeof n + n,
                                  it->out.n - sizeof n - n}, cli_err()));
    w->rows[w->n++] = r;
}

/* ---- classes ---- */

static uint64_t *count_rows(const label_wrong *w)
{
    uint64_t *count = ft_new(w->classes.n, sizeof *count, cli_err());
    if (!count)
        cli_fail();
    for (size_t i = 0; i < w->n; i++)
        count[w->given[i]]++;
    return count;
}

static void warn_of_few(const label_wrong *w, const uint64_t *count)
{
    ft_buf b = {0};
    size_t few = 0;
    for (size_t k = 0; k < w->classes.n; k++)
        if (count[k] && count[k] < w->o.folds && few++ < NAMED) {
            ft_buf_add_str(&b, few > 1 ? ", " : "");
            ft_json_put(&b, label_class_value(&w->classes, k));
            ft_buf_add_fmt(&b, " (%llu)", (unsigned long long)count[k]);
        }
    if (few > NAMED)
        ft_buf_add_str(&b, ", …");
    ft_buf_add_byte(&b, '\0');
    cli_check(ft_buf_check(&b, cli_err()));
    if (few)
        cli_warn("%zu of %zu labels have fewer rows than the %u folds: %s; what is said of them "
                 "is a guess", few, w->classes.n, w->o.folds, (const char *)b.p);
    ft_buf_free(&b);
}

static void warn_of_rarest(const label_wrong *w, const uint64_t *count)
{
    size_t rarest = SIZE_MAX;
    ft_buf b = {0};
    for (size_t k = 0; k < w->classes.n; k++)
        if (count[k] && (rarest == SIZE_MAX || count[k] < count[rarest]))
            rarest = k;
    if ((double)count[rarest] >= 0.1 / (double)w->classes.n * (double)w->n)
        return;
    ft_json_put(&b, label_class_value(&w->classes, rarest));
    ft_buf_add_byte(&b, '\0');
    cli_check(ft_buf_check(&b, cli_err()));
    cli_warn("the rarest label, %s, has %llu of %zu rows, less than a tenth of an even share of "
             "%zu labels: expect false alarms there", (const char *)b.p,
             (unsigned long long)count[rarest], w->n, w->classes.n);
    ft_buf_free(&b);
}

static void settle_classes(label_wrong *w)
{
    uint64_t *count;
    if (w->o.probs && w->array_length != SIZE_MAX &&
        label_classes_for_arrays(&w->classes, w->array_length, cli_err()) < 0) {
        ft_err_wrap(cli_err(), "field %s", w->o.probs);
        cli_fail();
    }
    if (w->classes.n < 2) {
        ft_err_set(cli_err(), FT_ERR_DATA, "all %zu rows have the same label; there is nothing "
                   "to tell apart", w->n);
        ft_err_wrap(cli_err(), "field %s", w->o.label);
        cli_fail();
    }
    cli_check(label_classes_sort(&w->classes, cli_err()));
    for (size_t i = 0; i < w->n; i++)
        w->given[i] = w->classes.place[w->given[i]];
    count = count_rows(w);
    if (!w->o.probs)
        warn_of_few(w, count);
    warn_of_rarest(w, count);
    ft_free(count);
}

/* ---- judging ---- */

/* Returns: what --memory leaves for the classifier and the index; 0: no bound. */
static uint64_t make_room(label_wrong *w)
{
    uint64_t each, all, K = w->classes.n;
    const uint64_t finder = 33 + sizeof(row) + 5;
    each = K * sizeof *w->p + finder;
    if (__builtin_mul_overflow(each, (uint64_t)w->n, &all) ||
        __builtin_add_overflow(all, 40 * K * K, &all))
        cli_check(ft_err_nomem(cli_err(), SIZE_MAX));
    if (cli_memory() && all >= cli_memory()) {
        ft_err_set(cli_err(), FT_ERR_NOMEM, "--memory: %zu rows of %zu labels take %llu bytes, "
                                            "over "
                   "the bound of %llu", w->n, w->classes.n, (unsigned long long)all,
                   (unsigned long long)cli_memory());
        cli_fail();
    }
    w->p = ft_new(w->n, w->classes.n * sizeof *w->p, cli_err());
    if (!w->p)
        cli_fail();
    return cli_memory() ? cli_memory() - all : 0;
}

static void read_probabilities(label_wrong *w)
{
    ft_buf b = {0};
    cli_check(ft_spool_rewind(w->probs, cli_err()));
    for (size_t i = 0; i < w->n; i++) {
        ft_buf_clear(&b);
        ft_buf_room(&b, w->rows[i].probs_bytes);
        cli_check(ft_buf_check(&b, cli_err()));
        cli_check(ft_spool_read_at(w->probs, w->rows[i].probs, b.p, w->rows[i].probs_bytes,
                                   cli_err()));
        if (label_read_probabilities(&w->classes, (ft_mp){b.p, w->rows[i].probs_bytes},
                                     w->p + i * w->classes.n, cli_err()) < 0)
            fail_at(w->rows[i].number, w->o.probs);
    }
    ft_buf_free(&b);
}

static void wrap_memory(int rc)
{
    if (rc == FT_ERR_NOMEM && cli_memory())
        ft_err_wrap(cli_err(), "--memory");
    cli_check(rc);
}

/* A classifier that does not beat naming the largest class for every text has learnt nothing. */
static void warn_of_useless(const label_wrong *w, size_t right)
{
    uint64_t *count = count_rows(w), largest = 0;
    for (size_t k = 0; k < w->classes.n; k++)
        largest = count[k] > largest ? count[k] : largest;
    ft_free(count);
    if (right <= largest)
        cli_warn("the classifier names the label of %zu of %zu rows, and naming the largest class "
                 "would be right for %llu: it has learnt nothing from the texts, and its "
                 "suggestions are worth nothing", right, w->n, (unsigned long long)largest);
}

static void compute_probabilities(label_wrong *w, uint64_t bytes)
{
    ft_cross_options o = {.folds = w->o.folds, .epochs = w->o.epochs, .seed = cli_seed(),
                          .bytes_max = bytes};
    size_t right = 0;
    wrap_memory(ft_cross_probabilities(w->features, w->given, w->fold, w->classes.n, &o,
                                       cli_pool(), w->p, cli_err()));
    for (size_t i = 0; i < w->n; i++)
        right += ft_most_probable(w->p + i * w->classes.n, w->classes.n) == w->given[i];
    cli_result_real("accuracy", (double)right / (double)w->n);
    warn_of_useless(w, right);
}

/* Adds a suggestion for row i. score_key: smaller is more suspicious. */
static void suggest(label_wrong *w, label_suggestions *s, enum label_method m, size_t i,
                    size_t class, double score, double key)
{
    uint32_t n_id, n_text;
    ft_buf *c = &w->card;
    uint64_t at = w->rows[i].card;
    cli_check(ft_spool_read_at(w->cards, at, &n_id, sizeof n_id, cli_err()));
    cli_check(ft_spool_read_at(w->cards, at + sizeof n_id + n_id, &n_text, sizeof n_text,
                               cli_err()));
    ft_buf_clear(c);
    ft_buf_room(c, (size_t)n_id + n_text);
    cli_check(ft_buf_check(c, cli_err()));
    at += sizeof n_id;
    cli_check(ft_spool_read_at(w->cards, at, c->p, n_id, cli_err()));
    cli_check(ft_spool_read_at(w->cards, at + n_id + sizeof n_text, c->p + n_id, n_text,
                               cli_err()));
    label_line_begin(&w->line, (ft_slice){c->p, n_id}, w->rows[i].number, w->o.label);
    ft_json_put(&w->line, label_class_value(&w->classes, w->given[i]));
    ft_buf_add_str(&w->line, ",\"suggested\":");
    ft_json_put(&w->line, label_class_value(&w->classes, class));
    label_line_end(&w->line, score, m, NULL, (ft_slice){c->p + n_id, n_text});
    label_suggestions_add(s, m, key, w->rows[i].number, &w->line);
}

static void judge_confident(label_wrong *w, label_suggestions *s)
{
    size_t K = w->classes.n;
    ft_confident found;
    cli_check(ft_confident_find(w->p, w->given, w->n, K, w->o.rank, &found, cli_err()));
    for (size_t i = 0; i < found.n; i++)
        suggest(w, s, LABEL_CONFIDENT, found.rows[i],
                ft_most_probable(w->p + found.rows[i] * K, K), found.scores[i], found.scores[i]);
    ft_confident_free(&found);
}

static void judge_neighbours(label_wrong *w, label_suggestions *s, uint64_t bytes)
{
    ft_neighbour_options o = {.k = NEIGHBOURS, .index_max = INDEX_MAX, .seed = cli_seed(),
                              .bytes_max = bytes};
    ft_vote *votes = ft_new(w->n, sizeof *votes, cli_err());
    if (!votes)
        cli_fail();
    wrap_memory(ft_neighbours_vote(w->features, w->given, w->classes.n, &o, cli_pool(), votes,
                                   cli_err()));
    for (size_t i = 0; i < w->n; i++) {
        double share = votes[i].found ? (double)votes[i].disagree / votes[i].found : 0;
        if (votes[i].found >= NEIGHBOURS_MIN && share >= DISAGREE_MIN &&
            votes[i].winner != w->given[i])
            suggest(w, s, LABEL_KNN, i, votes[i].winner, share,
                    -share - (double)votes[i].similarity / 1024);
    }
    ft_free(votes);
}

void label_wrong_judge(label_wrong *w, label_suggestions *s)
{
    uint64_t bytes;
    cli_result_count("labels", w->classes.n);
    if (w->unlabelled)
        cli_result_count("unlabelled", w->unlabelled);
    if (w->n == 0) {
        if (w->unlabelled == 0)
            return;
        ft_err_set(cli_err(), FT_ERR_DATA, "none of %llu records has the field %s; name the "
                   "label's field with --label", (unsigned long long)w->unlabelled, w->o.label);
        cli_fail();
    }
    settle_classes(w);
    bytes = make_room(w);
    cli_check(ft_spool_rewind(w->cards, cli_err()));
    if (w->features) {
        /* A third for the n-grams leaves room for the weights, of which there are more. */
        cli_check(ft_features_finish(w->features, bytes / 3, cli_err()));
        if (bytes)
            bytes = bytes > ft_features_bytes(w->features) ? bytes - ft_features_bytes(w->features)
                                                           : 1;
    }
    if (w->o.probs)
        read_probabilities(w);
    else
        compute_probabilities(w, bytes);
    judge_confident(w, s);
    if (w->o.knn)
        judge_neighbours(w, s, bytes);
}
