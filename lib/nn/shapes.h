/* shapes.h: the letters used for sizes everywhere in lib/nn, lib/train and lib/infer.
 *
 *   T  tokens of one segment            C  channels (embedding size)   F  MLP size
 *   H  query heads   H_kv  key/value heads   D  head size (C = H*D)    V  vocabulary
 *   L  layers        R  rank of LoRA     N  tokens of all segments of a call, one behind the other
 *
 * Matrices are row-major: X [T x C] has token t at X + t*C. dX is the gradient of the loss by X.
 *
 * A result depends on its segment alone. Products in bf16 and the tiles of attention sum an element
 * over its own row in one order, whatever the other rows are, so their rows may come from any
 * segment. OpenBLAS does not promise that: products in floats are cut into tiles of one segment,
 * whose shapes depend on the model and that segment. Sums over tokens (the gradients of LoRA) are
 * taken segment by segment in order.
 */
#ifndef FT_SHAPES_H
#define FT_SHAPES_H

enum { FT_TILE_ROWS = 512,       /* rows of a segment that one product of BLAS takes            */
       FT_TILE_COLS_MAX = 288,   /* outputs of a weight matrix that are expanded for BLAS at once */
       FT_TILE_HEAD_ROWS = 128,  /* target rows of a segment that BLAS multiplies with the head  */
       FT_BLOCK_ROWS = 96,       /* rows of a bf16 product before the next columns: multiple of 6 */
       FT_PART_ROWS = 1024,      /* rows that a packed panel of weights serves                   */
       FT_DEPTH = 2048,          /* inputs of a product that are packed at once                 */
       FT_RESIDENT = 4352,       /* inputs of a product whose panels may lie side by side        */
       FT_DEPTH_S8 = 1024,       /* the same of an int8 product, which share a scale             */
       FT_TILE_KEYS = 96,        /* keys of a tile of attention                                  */
       FT_TILE_TOKENS = 64 };    /* tokens of one task of an elementwise operation              */

#endif
