/* nf4_encode.c: floats to NF4, in the steps and the order of bitsandbytes, so that its
 * arithmetic in single precision comes out bit by bit. */
#include "model/nf4.h"

#include "base/mem.h"
#include "kernels/nf4_values.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 64, GROUP = 256, TASK = GROUP * BLOCK };

/* Parts of the result while it is made. */
typedef struct encoder {
    const ft_weight *w;
    size_t D, n;
    float bounds[15];           /* half-way between neighbouring values */
    float map_bounds[255];      /* and between neighbours of the scales' map */
    float *weights;             /* TASK of them for each worker */
    float *scale;               /* of each block, before it is coded; NaN: a bad weight */
    float offset;
    float *group_scale;         /* here and below: in the result */
    uint8_t *scale_code, *code;
} encoder;

/* ---- weights ---- */

/* Weights [at, at + n) counted in the row order of the result. */
static void read_weights(const encoder *c, size_t at, size_t n, float *out)
{
    while (n) {
        size_t row = at / c->w->cols, col = at % c->w->cols, span = c->w->cols - col;
        span = span < n ? span : n;
        ft_weight_part(c->w, c->D ? ft_row_from_peft(row, c->D) : row, col, span, out);
        at += span;
        out += span;
        n -= span;
    }
}

/* The number of bounds below v: of two equally near values the lower one. */
static unsigned code_of(const float *bounds, float v)
{
    unsigned i = v > bounds[7] ? 8 : 0;
    i += v > bounds[i + 3] ? 4 : 0;
    i += v > bounds[i + 1] ? 2 : 0;
    return i + (v > bounds[i]);
}

static float largest_of(const float *x, size_t n)
{
    float largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    return largest;
}

static int all_finite(const float *x, size_t n)
{
    float zero = 0;
    for (size_t i = 0; i < n; i++)
        zero += x[i] * 0;
    return zero == 0;
}

/* Codes of one block. Returns: its scale. A block that the matrix ends in is divided by its scale,
 * a whole one multiplied by the inverse. */
static float encode_block(const encoder *c, const float *x, size_t n, uint8_t *code)
{
    float scale = largest_of(x, n), divisor = scale < 1e-38f ? 1e-38f : scale;
    float inverse = 1 / divisor;
    if (!all_finite(x, n))
        return NAN;
    for (size_t i = 0; i < n; i += 2) {
        float a = n == BLOCK ? x[i] * inverse : x[i] / divisor;
        float b = n == BLOCK ? x[i + 1] * inverse : x[i + 1] / divisor;
        code[i / 2] = (uint8_t)(code_of(c->bounds, a) << 4 | code_of(c->bounds, b));
    }
    return n == BLOCK ? scale : divisor;
}

static void encode_task(void *ctx, size_t task, unsigned worker)
{
    encoder *c = ctx;
    float *x = c->weights + (size_t)worker * TASK;
    size_t at = task * TASK, n = c->n - at < TASK ? c->n - at : TASK;
    read_weights(c, at, n, x);
    for (size_t i = 0; i < n; i += BLOCK)
        c->scale[(at + i) / BLOCK] =
            encode_block(c, x + i, n - i < BLOCK ? n - i : BLOCK, c->code + (at + i) / 2);
}

/* ---- scales ---- */

/* The sum of n floats as torch adds them on one thread: `lanes` columns (a register of AVX2; one
 * when there are fewer numbers than that), whose rows go to four accumulators in turn; of these
 * each has levels, the lowest of which is emptied into the next after `step` rows. */
static float sum_of(const float *x, size_t n, size_t lanes)
{
    enum { LEVELS = 4, WAYS = 4, LANES_MAX = 8 };
    float acc[LEVELS][WAYS * LANES_MAX] = {{0}}, sum = 0;
    size_t rows = n / lanes, turns = rows / WAYS, width = WAYS * lanes, power = 4, i = 0;
    while (power < 16 && (size_t)1 << (4 * power + 3) < turns)
        power++;
    for (size_t end = turns >> power << power; i < end;) {
        for (size_t next = i + ((size_t)1 << power); i < next; i++)
            for (size_t k = 0; k < width; k++)
                acc[0][k] += x[i * width + k];
        for (size_t j = 1; j < LEVELS; j++) {
            for (size_t k = 0; k < width; k++) {
                acc[j][k] += acc[j - 1][k];
                acc[j - 1][k] = 0;
            }
            if (i >> j * power & (((size_t)1 << power) - 1))
                break;
        }
    }
    for (; i < turns; i++)
        for (size_t k = 0; k < width; k++)
            acc[0][k] += x[i * width + k];
    for (size_t j = 1; j < LEVELS; j++)
        for (size_t k = 0; k < width; k++)
            acc[0][k] += acc[j][k];
    for (size_t row = turns * WAYS; row < rows; row++)
        for (size_t k = 0; k < lanes; k++)
            acc[0][k] += x[row * lanes + k];
    for (size_t k = lanes; k < width; k++)
        acc[0][k % lanes] += acc[0][k];
    for (size_t k = rows * lanes; k < n; k++)
        sum += x[k];
    for (size_t k = 0; k < lanes; k++)
        sum += acc[0][k];
    return sum;
}

/* The code of a scale that was divided by its group's: first one of 65536 even steps of [-1, 1],
 * then the neighbour in the map that is nearest to this step. */
static uint8_t scale_code_of(const encoder *c, float v)
{
    float step, x;
    size_t below = 0;
    v = v > 1 ? 1 : v >= -1 ? v : -1;
    step = (float)(uint32_t)((v + 1) * 0.5f * 65535 + 0.5f);
    x = -1 + 2 * step / 65535;
    for (size_t half = 128; half; half /= 2)
        if (c->map_bounds[below + half - 1] < x)
            below += half;
    return (uint8_t)below;
}

static void scales_task(void *ctx, size_t group, unsigned worker)
{
    encoder *c = ctx;
    size_t first = group * GROUP, blocks = (c->n + BLOCK - 1) / BLOCK;
    size_t n = blocks - first < GROUP ? blocks - first : GROUP;
    float *x = c->scale + first, largest, inverse;
    (void)worker;
    for (size_t i = 0; i < n; i++)
        x[i] -= c->offset;
    largest = largest_of(x, n);
    inverse = 1 / largest;
    memcpy(c->group_scale + group, &largest, sizeof largest);
    for (size_t i = 0; i < n; i++)
        c->scale_code[first + i] = largest > 0 ? scale_code_of(c, x[i] * inverse) : 0;
}

/* ---- the whole ---- */

static void init_bounds(encoder *c)
{
    for (size_t i = 0; i < 15; i++)
        c->bounds[i] = (nf4_values[i] + nf4_values[i + 1]) / 2;
    for (size_t i = 0; i < 255; i++)
        c->map_bounds[i] = 0.5f * (ft_nf4_scale_map[i] + ft_nf4_scale_map[i + 1]);
}

static int encode(encoder *c, void *out, ft_pool *pool, ft_err *e)
{
    ft_nf4 x = ft_nf4_of(out, c->n);
    uint8_t *to = out;
    c->group_scale = (float *)out + 1;
    c->scale_code = to + (x.scale_code - to);
    c->code = to + (x.code - to);
    ft_pool_run(pool, (c->n + TASK - 1) / TASK, encode_task, c);
    for (size_t i = 0; i < x.blocks; i++)
        if (isnan(c->scale[i]))
            return ft_err_set(e, FT_ERR_DATA, "a weight is NaN or infinite");
    c->offset = sum_of(c->scale, x.blocks, x.blocks < 8 ? 1 : 8) / (float)x.blocks;
    if (!isfinite(c->offset))
        return ft_err_set(e, FT_ERR_DATA, "its weights are too large for nf4");
    memcpy(out, &c->offset, sizeof c->offset);
    ft_pool_run(pool, x.groups, scales_task, c);
    return 0;
}

int ft_nf4_encode(const ft_weight *w, size_t D, void *out, ft_pool *pool, ft_err *e)
{
    encoder c = {.w = w, .D = D, .n = w->rows * w->cols};
    int rc = FT_ERR_NOMEM;
    init_bounds(&c);
    c.weights = ft_new_aligned(ft_pool_threads(pool), TASK * sizeof *c.weights, e);
    c.scale = c.weights ? ft_new_aligned(c.n / BLOCK + 1, sizeof *c.scale, e) : NULL;
    if (c.scale)
        rc = encode(&c, out, pool, e);
    ft_free(c.weights);
    ft_free(c.scale);
    return rc;
}
