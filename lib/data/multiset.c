#include "data/multiset.h"

#include "base/io.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

#define ENTRIES_MIN 2048

typedef struct entry {
    uint64_t key;
    uint32_t row, count;
} entry;

typedef struct run {             /* entries of the spool, sorted, no pair twice */
    uint64_t next, end;          /* offsets in entries                          */
    entry *block;                /* read ahead: [at, n) are left                */
    size_t at, n;
} run;

struct ft_multiset {
    entry *v, *other;            /* entries; as many to sort into               */
    size_t n, cap, other_cap, cap_max;
    uint64_t total;
    ft_spool *spool;
    uint64_t *ends;              /* of the runs in the spool, in entries        */
    size_t n_runs, ends_cap;
    run *runs;                   /* while merging                               */
    size_t *heap, n_heap, block; /* of run numbers; entries of a block          */
    size_t at;                   /* of a walk without runs                      */
    int sealed;
};

int ft_multiset_new(ft_multiset **out, uint64_t bytes_max, ft_err *e)
{
    ft_multiset *m = ft_new(1, sizeof *m, e);
    uint64_t most = bytes_max / (2 * sizeof(entry));
    *out = m;
    if (!m)
        return FT_ERR_NOMEM;
    m->cap_max = most < ENTRIES_MIN ? ENTRIES_MIN : most > SIZE_MAX / 64 ? SIZE_MAX / 64
                                                                         : (size_t)most;
    return 0;
}

void ft_multiset_free(ft_multiset **mp)
{
    ft_multiset *m = *mp;
    if (!m)
        return;
    ft_spool_free(&m->spool);
    ft_free(m->v);
    ft_free(m->other);
    ft_free(m->ends);
    ft_free(m->runs);
    ft_free(m->heap);
    ft_free(m);
    *mp = NULL;
}

uint64_t ft_multiset_total(const ft_multiset *m)
{
    return m->total;
}

/* ---- sorting ---- */

/* Stable, by the 8 bits from `shift` on. Returns: whether anything moved. */
static int sort_pass(const entry *from, entry *to, size_t n, unsigned shift)
{
    size_t count[256] = {0}, place = 0;
    for (size_t i = 0; i < n; i++)
        count[from[i].key >> shift & 0xff]++;
    if (count[from[0].key >> shift & 0xff] == n)
        return 0;
    for (size_t i = 0; i < 256; i++) {
        size_t here = count[i];
        count[i] = place;
        place += here;
    }
    for (size_t i = 0; i < n; i++)
        to[count[from[i].key >> shift & 0xff]++] = from[i];
    return 1;
}

/* Sorts by key, equal keys by row (they came in that order), and adds up equal pairs. */
static int sort_entries(ft_multiset *m, ft_err *e)
{
    size_t n = 0;
    if (m->n == 0)
        return 0;
    if (ft_grow(&m->other, &m->other_cap, m->cap, sizeof *m->other, e) < 0)
        return FT_ERR_NOMEM;
    for (unsigned shift = 0; shift < 64; shift += 8)
        if (sort_pass(m->v, m->other, m->n, shift)) {
            entry *v = m->v;
            size_t cap = m->cap;
            m->v = m->other;
            m->cap = m->other_cap;
            m->other = v;
            m->other_cap = cap;
        }
    for (size_t i = 0; i < m->n; i++) {
        entry *last = n > 0 ? &m->v[n - 1] : NULL;
        if (last && last->key == m->v[i].key && last->row == m->v[i].row &&
            last->count <= UINT32_MAX - m->v[i].count)
            last->count += m->v[i].count;
        else
            m->v[n++] = m->v[i];
    }
    m->n = n;
    return 0;
}

static int spill(ft_multiset *m, ft_err *e)
{
    int rc = 0;
    if (m->n == 0)
        return 0;
    if (!m->spool && (rc = ft_spool_new(&m->spool, e)) < 0)
        return rc;
    if ((rc = ft_grow(&m->ends, &m->ends_cap, m->n_runs + 1, sizeof *m->ends, e)) < 0 ||
        (rc = ft_spool_write(m->spool, m->v, m->n * sizeof *m->v, e)) < 0)
        return rc;
    m->ends[m->n_runs] = (m->n_runs ? m->ends[m->n_runs - 1] : 0) + m->n;
    m->n_runs++;
    m->n = 0;
    return 0;
}

/* Makes room for an entry: by more memory, by adding up what is equal, by spilling. */
static int make_room(ft_multiset *m, ft_err *e)
{
    int rc;
    if (m->n < m->cap_max) {
        size_t want = m->cap ? m->cap * 2 : 256;
        return ft_grow(&m->v, &m->cap, want < m->cap_max ? want : m->cap_max, sizeof *m->v, e);
    }
    if ((rc = sort_entries(m, e)) < 0)
        return rc;
    return m->n > m->cap_max / 2 ? spill(m, e) : 0;
}

int ft_multiset_add(ft_multiset *m, uint64_t key, uint32_t row, ft_err *e)
{
    if (m->sealed)
        return ft_err_set(e, FT_ERR_INTERNAL, "a key is added to a multiset that was summed up");
    if (m->n == m->cap || m->n == m->cap_max) {
        int rc = make_room(m, e);
        if (rc < 0)
            return rc;
    }
    m->v[m->n++] = (entry){key, row, 1};
    m->total++;
    return 0;
}

/* ---- merging ---- */

static int before(const ft_multiset *m, size_t a, size_t b)
{
    const entry *x = &m->runs[a].block[m->runs[a].at], *y = &m->runs[b].block[m->runs[b].at];
    if (x->key != y->key)
        return x->key < y->key;
    return x->row != y->row ? x->row < y->row : a < b;
}

static void sift_down(ft_multiset *m, size_t i)
{
    for (;;) {
        size_t least = i, left = 2 * i + 1, keep = m->heap[i];
        if (left < m->n_heap && before(m, m->heap[left], m->heap[least]))
            least = left;
        if (left + 1 < m->n_heap && before(m, m->heap[left + 1], m->heap[least]))
            least = left + 1;
        if (least == i)
            return;
        m->heap[i] = m->heap[least];
        m->heap[least] = keep;
        i = least;
    }
}

/* Reads a run's next block. Returns: 1, 0 when the run is over, or an error. */
static int refill(ft_multiset *m, run *r, ft_err *e)
{
    uint64_t left = r->end - r->next;
    int rc;
    r->at = 0;
    r->n = left < m->block ? (size_t)left : m->block;
    if (r->n == 0)
        return 0;
    rc = ft_spool_read_at(m->spool, r->next * sizeof(entry), r->block, r->n * sizeof(entry), e);
    r->next += r->n;
    return rc < 0 ? rc : 1;
}

static int begin_merge(ft_multiset *m, ft_err *e)
{
    int rc;
    m->block = m->cap / m->n_runs;
    if (m->block == 0)
        return ft_err_set(e, FT_ERR_NOMEM, "%zu runs of keys are too many for the memory that may "
                          "be taken: allow more", m->n_runs);
    if ((!m->runs && !(m->runs = ft_new(m->n_runs, sizeof *m->runs, e))) ||
        (!m->heap && !(m->heap = ft_new(m->n_runs, sizeof *m->heap, e))))
        return FT_ERR_NOMEM;
    m->n_heap = 0;
    for (size_t i = 0; i < m->n_runs; i++) {
        m->runs[i] = (run){.next = i ? m->ends[i - 1] : 0, .end = m->ends[i],
                           .block = m->v + i * m->block};
        if ((rc = refill(m, &m->runs[i], e)) < 0)
            return rc;
        m->heap[m->n_heap++] = i;
    }
    for (size_t i = m->n_heap; i-- > 0;)
        sift_down(m, i);
    return 0;
}

int ft_multiset_begin(ft_multiset *m, ft_err *e)
{
    int rc = 0;
    if (!m->sealed && (rc = sort_entries(m, e)) < 0)
        return rc;
    if (!m->sealed && m->n_runs && ((rc = spill(m, e)) < 0 ||
                                    (rc = ft_spool_rewind(m->spool, e)) < 0))
        return rc;
    if (!m->sealed) {
        ft_free(m->other);
        m->other = NULL;
        m->other_cap = 0;
    }
    m->sealed = 1;
    m->at = 0;
    return m->n_runs ? begin_merge(m, e) : 0;
}

/* One entry of the merged row. Returns: as ft_multiset_next. */
static int next_entry(ft_multiset *m, entry *out, ft_err *e)
{
    run *r;
    int rc;
    if (m->n_runs == 0) {
        if (m->at == m->n)
            return FT_EOS;
        *out = m->v[m->at++];
        return 0;
    }
    if (m->n_heap == 0)
        return FT_EOS;
    r = &m->runs[m->heap[0]];
    *out = r->block[r->at++];
    if (r->at == r->n && (rc = refill(m, r, e)) <= 0) {
        if (rc < 0)
            return rc;
        m->heap[0] = m->heap[--m->n_heap];
    }
    if (m->n_heap)
        sift_down(m, 0);
    return 0;
}

/* The next entry's key and row, without stepping over it; NULL at the end. */
static const entry *peek(const ft_multiset *m)
{
    if (m->n_runs == 0)
        return m->at < m->n ? &m->v[m->at] : NULL;
    return m->n_heap ? &m->runs[m->heap[0]].block[m->runs[m->heap[0]].at] : NULL;
}

int ft_multiset_next(ft_multiset *m, ft_counted *c, ft_err *e)
{
    entry it;
    const entry *more;
    int rc = next_entry(m, &it, e);
    if (rc != 0)
        return rc;
    *c = (ft_counted){it.key, it.row, it.count};
    while ((more = peek(m)) && more->key == c->key && more->row == c->row) {
        if ((rc = next_entry(m, &it, e)) != 0)
            return rc;
        c->count += it.count;
    }
    return 0;
}

/* ---- what a walk says ---- */

static void end_key(ft_multiset_summary *s, uint64_t key, uint64_t count, double *sum)
{
    if (count == 0)
        return;
    s->distinct++;
    *sum += (double)count * log2((double)count);
    if (count > s->most) {
        s->most = count;
        s->most_key = key;
    }
}

int ft_multiset_sum(ft_multiset *m, ft_multiset_summary *s, ft_err *e)
{
    ft_counted c;
    uint64_t key = 0, count = 0;
    double sum = 0;
    int rc = ft_multiset_begin(m, e);
    *s = (ft_multiset_summary){.total = m->total};
    while (rc == 0 && (rc = ft_multiset_next(m, &c, e)) == 0) {
        if (c.key != key) {
            end_key(s, key, count, &sum);
            count = 0;
        }
        key = c.key;
        count += c.count;
    }
    end_key(s, key, count, &sum);
    if (m->total)
        s->entropy = fmax(log2((double)m->total) - sum / (double)m->total, 0);
    return rc < 0 ? rc : 0;
}

int ft_multiset_percentiles(ft_multiset *m, const double *percent, size_t n, uint64_t *values,
                            ft_err *e)
{
    ft_counted c;
    uint64_t seen = 0;
    size_t i = 0;
    int rc = ft_multiset_begin(m, e);
    memset(values, 0, n * sizeof *values);
    while (rc == 0 && i < n && (rc = ft_multiset_next(m, &c, e)) == 0) {
        seen += c.count;
        while (i < n && (double)seen >= percent[i] / 100 * (double)m->total)
            values[i++] = c.key;
    }
    return rc < 0 ? rc : 0;
}
