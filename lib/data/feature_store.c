#include "data/feature_store.h"

#include "base/io.h"
#include "base/mem.h"
#include "data/ngrams.h"

#include <math.h>

#define NO_COLUMN UINT32_MAX
enum { LOGS = 64 };            /* counts whose 1 + ln is at hand */

typedef struct bucket_facts {
    uint32_t texts;            /* that have it; after finish its column, or NO_COLUMN */
    float idf;
} bucket_facts;

struct ft_features {
    ft_spool *spool;
    uint64_t *end;               /* of each row in the spool     */
    size_t n, cap, columns;
    bucket_facts *buckets;
    float logs[LOGS];
};

int ft_features_new(ft_features **out, ft_err *e)
{
    ft_features *f = *out = ft_new(1, sizeof *f, e);
    if (!f)
        return FT_ERR_NOMEM;
    for (size_t i = 1; i < LOGS; i++)
        f->logs[i] = (float)(1 + log((double)i));
    f->buckets = ft_new(FT_NGRAM_COLUMNS, sizeof *f->buckets, e);
    if (!f->buckets || ft_spool_new(&f->spool, e) < 0) {
        ft_features_free(out);
        return e->code;
    }
    return 0;
}

void ft_features_free(ft_features **out)
{
    ft_features *f = *out;
    if (!f)
        return;
    ft_spool_free(&f->spool);
    ft_free(f->end);
    ft_free(f->buckets);
    ft_free(f);
    *out = NULL;
}

int ft_features_add(ft_features *f, ft_slice packed, ft_err *e)
{
    ft_ngram_iter it = ft_ngrams_of(packed);
    uint32_t bucket, count;
    int rc;
    if (f->n >= UINT32_MAX - 1)
        return ft_err_set(e, FT_ERR_DATA, "over 2^32 - 2 texts");
    if ((rc = ft_grow(&f->end, &f->cap, f->n + 1, sizeof *f->end, e)) < 0 ||
        (rc = ft_spool_write(f->spool, packed.p, packed.n, e)) < 0)
        return rc;
    while (ft_ngrams_next(&it, &bucket, &count))
        f->buckets[bucket].texts++;
    f->end[f->n++] = ft_spool_bytes(f->spool);
    return 0;
}

int ft_features_finish(ft_features *f, ft_err *e)
{
    double all = 1 + (double)f->n;
    for (size_t b = 0; b < FT_NGRAM_COLUMNS; b++) {
        bucket_facts *x = &f->buckets[b];
        x->idf = (float)(1 + log(all / (1 + (double)x->texts)));
        x->texts = x->texts > 1 ? (uint32_t)f->columns++ : NO_COLUMN;
    }
    return ft_spool_rewind(f->spool, e);
}

size_t ft_features_rows(const ft_features *f)
{
    return f->n;
}

size_t ft_features_columns(const ft_features *f)
{
    return f->columns;
}

/* Makes room for n n-grams. */
static int make_room(ft_feature_row *v, size_t n, ft_err *e)
{
    size_t cap = v->cap;
    int rc;
    if ((rc = ft_grow(&v->column, &cap, n, sizeof *v->column, e)) < 0)
        return rc;
    return ft_grow(&v->value, &v->cap, n, sizeof *v->value, e);
}

int ft_features_read(const ft_features *f, size_t row, enum ft_feature_part part,
                     ft_feature_row *v, ft_err *e)
{
    uint64_t from = row ? f->end[row - 1] : 0;
    size_t bytes = (size_t)(f->end[row] - from);
    uint32_t bucket, count;
    double squares = 0;
    float scale;
    int rc;
    v->n = 0;
    ft_buf_clear(&v->bytes);
    ft_buf_room(&v->bytes, bytes);
    if ((rc = ft_buf_check(&v->bytes, e)) < 0 || (rc = make_room(v, bytes / 2 + 1, e)) < 0 ||
        (rc = ft_spool_read_at(f->spool, from, v->bytes.p, bytes, e)) < 0)
        return rc;
    ft_ngram_iter it = ft_ngrams_of((ft_slice){v->bytes.p, bytes});
    while (ft_ngrams_next(&it, &bucket, &count)) {
        bucket_facts b = f->buckets[bucket];
        float x = b.idf * (count < LOGS ? f->logs[count] : 1 + logf((float)count));
        if (part == FT_FEATURES_WORDS && bucket >= FT_NGRAM_BUCKETS)
            break;
        squares += (double)x * (double)x;
        v->column[v->n] = b.texts;
        v->value[v->n] = x;
        v->n += b.texts != NO_COLUMN;
    }
    scale = squares > 0 ? (float)(1 / sqrt(squares)) : 0;
    for (size_t i = 0; i < v->n; i++)
        v->value[i] *= scale;
    return 0;
}

void ft_feature_row_free(ft_feature_row *v)
{
    ft_free(v->column);
    ft_free(v->value);
    ft_buf_free(&v->bytes);
    *v = (ft_feature_row){0};
}
