/* limit: what this processor can do at most, as the yardstick of the other benches.
 *
 *     limit [f32|bf16|int8|read [THREADS]]     prints lines "NAME THREADS VALUE UNIT"
 *
 * f32, bf16, int8: the best of several short runs of a plain packed product. Six rows of A and
 * four vectors (64 columns) of B make 24 sums that stay in registers; A and B lie in the order in
 * which they are read and fit the second-level cache. A multiplication and an addition count as
 * two operations. read: an array far larger than all caches is summed. Without THREADS: one
 * thread, then as many as processors. What the processor lacks is left out.
 */
#define _POSIX_C_SOURCE 200809L
#include <immintrin.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if !defined(__x86_64__)
#error "limit.c is written for x86-64"
#endif

enum {
    STEPS = 256,                         /* 32-bit lanes along K: 1, 2 or 4 numbers in each     */
    ROWS = 6, VECTORS = 4, LANES = 16,
    STRIPS = 8, PANELS = 4,              /* A: 48 KiB, B: 256 KiB                                */
    RUNS = 5, THREADS_MAX = 256
};
static const double RUN_SECONDS = 0.25;
static const size_t READ_BYTES = (size_t)512 << 20;     /* a thread */

typedef struct job job;
struct job {
    pthread_t thread;
    pthread_barrier_t *start;
    double (*work)(const job *);         /* returns operations, or bytes */
    uint32_t *a, *b;                     /* read: b alone                */
    double done, seconds;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One strip of A (STEPS x ROWS lanes) by one panel of B (STEPS x VECTORS x LANES lanes). MADD adds
 * the product of the lanes x and y to the sums s. */
#define FOR_ROWS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)
#define DECLARE(i) VECTOR s##i##0 = ZERO, s##i##1 = ZERO, s##i##2 = ZERO, s##i##3 = ZERO;
#define STEP(i) { \
        VECTOR x = BROADCAST(a[i]); \
        MADD(s##i##0, x, y0); MADD(s##i##1, x, y1); MADD(s##i##2, x, y2); MADD(s##i##3, x, y3); \
    }
#define STORE(i) \
    PUT(c + (4 * i + 0) * LANES, s##i##0); PUT(c + (4 * i + 1) * LANES, s##i##1); \
    PUT(c + (4 * i + 2) * LANES, s##i##2); PUT(c + (4 * i + 3) * LANES, s##i##3);
#define TILE \
    FOR_ROWS(DECLARE) \
    for (int k = 0; k < STEPS; k++, a += ROWS, b += VECTORS * LANES) { \
        VECTOR y0 = GET(b), y1 = GET(b + LANES), y2 = GET(b + 2 * LANES), \
               y3 = GET(b + 3 * LANES); \
        FOR_ROWS(STEP) \
    } \
    FOR_ROWS(STORE)

/* ---- fp32: 16 sums a vector, one product each ---- */

#define VECTOR __m512
#define ZERO _mm512_setzero_ps()
#define BROADCAST(x) _mm512_castsi512_ps(_mm512_set1_epi32((int)(x)))
#define GET(p) _mm512_loadu_ps(p)
#define PUT(p, v) _mm512_storeu_ps(p, v)
#define MADD(s, x, y) (s = _mm512_fmadd_ps(x, y, s))
__attribute__((target("avx512f"), noinline))
static void tile_f32(const uint32_t *a, const uint32_t *b, uint32_t *c)
{
    TILE
}

/* ---- bf16: two products a lane ---- */

#undef MADD
#define MADD(s, x, y) (s = _mm512_dpbf16_ps(s, (__m512bh)(x), (__m512bh)(y)))
__attribute__((target("avx512f,avx512bf16"), noinline))
static void tile_bf16(const uint32_t *a, const uint32_t *b, uint32_t *c)
{
    TILE
}

/* ---- int8: four products a lane. gcc 12 spills the sums of the intrinsic, so by hand. ---- */

#undef VECTOR
#undef ZERO
#undef BROADCAST
#undef GET
#undef PUT
#undef MADD
#define VECTOR __m512i
#define ZERO _mm512_setzero_si512()
#define BROADCAST(x) _mm512_set1_epi32((int)(x))
#define GET(p) _mm512_loadu_si512(p)
#define PUT(p, v) _mm512_storeu_si512(p, v)
#define MADD(s, x, y) __asm__("vpdpbusd %2, %1, %0" : "+v"(s) : "v"(x), "v"(y))
__attribute__((target("avx512f,avx512vnni"), noinline))
static void tile_int8(const uint32_t *a, const uint32_t *b, uint32_t *c)
{
    TILE
}

/* ---- the loops around them ---- */

static double product(const job *j, void (*tile)(const uint32_t *, const uint32_t *, uint32_t *),
                      int per_lane)
{
    uint32_t c[ROWS * VECTORS * LANES];
    for (int p = 0; p < PANELS; p++)
        for (int s = 0; s < STRIPS; s++)
            tile(j->a + (size_t)s * STEPS * ROWS, j->b + (size_t)p * STEPS * VECTORS * LANES, c);
    *(volatile uint32_t *)&c[0];
    return 2.0 * per_lane * PANELS * STRIPS * (double)STEPS * ROWS * VECTORS * LANES;
}

static double work_f32(const job *j) { return product(j, tile_f32, 1); }
static double work_bf16(const job *j) { return product(j, tile_bf16, 2); }
static double work_int8(const job *j) { return product(j, tile_int8, 4); }

__attribute__((target("avx2"), noinline))
static double work_read(const job *j)
{
    const __m256i *p = (const __m256i *)(const void *)j->b, *end = p + READ_BYTES / sizeof *p;
    __m256i s[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                    _mm256_setzero_si256()};
    for (; p < end; p += 8) {
        s[0] = _mm256_add_epi32(s[0], _mm256_add_epi32(_mm256_loadu_si256(p),
                                                       _mm256_loadu_si256(p + 1)));
        s[1] = _mm256_add_epi32(s[1], _mm256_add_epi32(_mm256_loadu_si256(p + 2),
                                                       _mm256_loadu_si256(p + 3)));
        s[2] = _mm256_add_epi32(s[2], _mm256_add_epi32(_mm256_loadu_si256(p + 4),
                                                       _mm256_loadu_si256(p + 5)));
        s[3] = _mm256_add_epi32(s[3], _mm256_add_epi32(_mm256_loadu_si256(p + 6),
                                                       _mm256_loadu_si256(p + 7)));
    }
    s[0] = _mm256_add_epi32(_mm256_add_epi32(s[0], s[1]), _mm256_add_epi32(s[2], s[3]));
    volatile int sink = _mm256_extract_epi32(s[0], 0);
    (void)sink;
    return (double)READ_BYTES;
}

static void *run_job(void *arg)
{
    job *j = arg;
    double start;
    (void)j->work(j);                    /* warm caches, page tables and clock */
    pthread_barrier_wait(j->start);
    start = now();
    j->done = 0;
    do
        j->done += j->work(j);
    while ((j->seconds = now() - start) < RUN_SECONDS);
    return NULL;
}

/* Returns: operations or bytes a second of n threads together, the best of RUNS. */
static double best_rate(double (*work)(const job *), job *jobs, int n)
{
    double best = 0;
    for (int run = 0; run < RUNS; run++) {
        pthread_barrier_t start;
        double rate = 0;
        pthread_barrier_init(&start, NULL, (unsigned)n);
        for (int i = 0; i < n; i++) {
            jobs[i].start = &start;
            jobs[i].work = work;
            if (pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]) != 0)
                exit(70);
        }
        for (int i = 0; i < n; i++) {
            pthread_join(jobs[i].thread, NULL);
            rate += jobs[i].done / jobs[i].seconds;
        }
        pthread_barrier_destroy(&start);
        best = rate > best ? rate : best;
    }
    return best;
}

/* The same word everywhere: about 1 in fp32, twice 1 in bf16, and no int8 sum overflows. Speed
 * does not depend on the numbers as long as none is denormal. */
static uint32_t *numbers(size_t bytes)
{
    uint32_t *p = NULL;
    if (posix_memalign((void **)&p, 4096, bytes) != 0)
        exit(71);
    for (size_t i = 0; i < bytes / sizeof *p; i++)
        p[i] = 0x3f803f80;
    return p;
}

static void measure(const char *name, double (*work)(const job *), int n)
{
    static job jobs[THREADS_MAX];
    int reading = work == work_read;
    for (int i = 0; i < n; i++) {
        jobs[i].a = numbers(sizeof(uint32_t) * STRIPS * STEPS * ROWS);
        jobs[i].b = numbers(reading ? READ_BYTES
                                    : sizeof(uint32_t) * PANELS * STEPS * VECTORS * LANES);
    }
    printf("%-5s %d %.1f %s\n", name, n, best_rate(work, jobs, n) / 1e9,
           reading ? "GB/s" : work == work_int8 ? "GOP/s" : "GFLOP/s");
    fflush(stdout);
    for (int i = 0; i < n; i++) {
        free(jobs[i].a);
        free(jobs[i].b);
    }
}

int main(int argc, char **argv)
{
    const struct { const char *name; double (*work)(const job *); int there; } all[] = {
        {"f32", work_f32, __builtin_cpu_supports("avx512f")},
        {"bf16", work_bf16, __builtin_cpu_supports("avx512bf16")},
        {"int8", work_int8, __builtin_cpu_supports("avx512vnni")},
        {"read", work_read, __builtin_cpu_supports("avx2")}};
    int processors = (int)sysconf(_SC_NPROCESSORS_ONLN), threads = argc > 2 ? atoi(argv[2]) : 0;
    if (processors < 1 || processors > THREADS_MAX)
        processors = 1;
    if (threads < 0 || threads > THREADS_MAX)
        return 64;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!all[i].there || (argc > 1 && strcmp(argv[1], all[i].name) != 0))
            continue;
        measure(all[i].name, all[i].work, threads ? threads : 1);
        if (!threads && processors > 1)
            measure(all[i].name, all[i].work, processors);
    }
    return 0;
}
