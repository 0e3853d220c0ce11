/* shapes.h: the letters used for sizes everywhere in lib/nn, lib/train and lib/infer.
 *
 *   T  tokens of one segment            C  channels (embedding size)   F  MLP size
 *   H  query heads   H_kv  key/value heads   D  head size (C = H*D)    V  vocabulary
 *   L  layers        R  rank of LoRA     M  rows of a product's left side
 *
 * Matrices are row-major: X [T x C] has token t at X + t*C. dX is the gradient of the loss by X.
 * A segment is the unit of work: every product is cut into row tiles of at most FT_TILE_ROWS of one
 * segment, so no result depends on what else is in the micro-batch or on the number of threads.
 */
#ifndef FT_SHAPES_H
#define FT_SHAPES_H

enum { FT_TILE_ROWS = 128,     /* rows of a segment that one product takes                  */
       FT_TILE_COLS = 256,     /* outputs of a weight matrix that are dequantised at once    */
       FT_TILE_VOCAB = 1024 }; /* vocabulary entries of the head at once                     */

#endif
