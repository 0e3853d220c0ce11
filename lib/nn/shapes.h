/* shapes.h: the letters used for sizes everywhere in lib/nn, lib/train and lib/infer.
 *
 *   T  tokens of one segment            C  channels (embedding size)   F  MLP size
 *   H  query heads   H_kv  key/value heads   D  head size (C = H*D)    V  vocabulary
 *   L  layers        R  rank of LoRA     N  tokens of all segments of a call, one behind the other
 *
 * Matrices are row-major: X [T x C] has token t at X + t*C. dX is the gradient of the loss by X.
 * A segment is the unit of work: every product is cut into tiles whose shapes depend on the model
 * and on that one segment, so no result depends on what else is in the micro-batch or on the number
 * of threads.
 */
#ifndef FT_SHAPES_H
#define FT_SHAPES_H

enum { FT_TILE_ROWS = 512,       /* rows of a segment that one product takes                   */
       FT_TILE_COLS_MAX = 288,   /* outputs of a weight matrix that are dequantised at once     */
       FT_TILE_VOCAB = 1024,     /* vocabulary entries of the head at once                      */
       FT_TILE_HEAD_ROWS = 128,  /* target rows of a segment that one product with the head takes */
       FT_TILE_TOKENS = 64 };    /* tokens of one task of an elementwise operation              */

#endif
