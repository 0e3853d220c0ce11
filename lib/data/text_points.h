/* text_points.h: texts as points without a model: tf-idf of hashed n-grams (ngrams.h), carried
 * over by a random projection, so that texts with common wording lie near each other.
 *
 * The value of an n-gram is (1 + ln count) (1 + ln((1 + n) / (1 + texts that have it))). A column
 * of
 * n-grams is a vector of d signs (Achlioptas, "Database-friendly random projections", JCSS 66,
 * 2003): bit j of ft_rng_u64(0, FT_RNG_DATA, 0x7470, column * d / 64 + j / 64). A text is the sum
 * over its n-grams, scaled to length 1; a text without any is 0. Cosines are kept up to about
 * 1 / sqrt(d).
 *
 *     ft_text_points(packed, n, FT_TEXT_POINTS, pool, out, e);     // packed: ft_ngrams_make
 *
 * It knows wording alone: a paraphrase in other words is far away.
 */
#ifndef FT_TEXT_POINTS_H
#define FT_TEXT_POINTS_H

#include "base/buf.h"
#include "base/pool.h"

#define FT_TEXT_POINTS 512

/* out [n x d], d a multiple of 64 up to 1024. Memory: 8 MiB. Errors: FT_ERR_NOMEM. */
int ft_text_points(const ft_slice *packed, size_t n, size_t d, ft_pool *pool, float *out,
                   ft_err *e) FT_MUST_CHECK;

#endif
