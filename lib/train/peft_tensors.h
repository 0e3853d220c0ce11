/* peft_tensors.h: which tensors an adapter has under PEFT's names, and their shapes.
 *
 * One table for all methods (peft_tensors.c): the end of a tensor's name and its dimensions, in
 * symbols. Every name is taken once and its shape compared with the others' (and a model's sizes,
 * where they are known); at the end all of each adapted matrix must have come, and the same
 * matrices in all layers, as an adapter of ft has it.
 *
 *     ft_peft_tensors t;
 *     ft_peft_tensors_begin(&t, &config, NULL, e);
 *     for (each tensor) ft_peft_tensors_add(&t, name, n_dims, shape, e);
 *     ft_peft_tensors_end(&t, e);                      // t.targets, t.layers
 *     for (i = 0; ft_peft_tensors_at(&t, i, name); i++) …
 *     ft_peft_tensors_free(&t);
 */
#ifndef FT_PEFT_TENSORS_H
#define FT_PEFT_TENSORS_H

#include "base/err.h"
#include "model/model.h"
#include "train/peft_config.h"

enum { FT_PEFT_LAYERS_MAX = 1 << 12, FT_PEFT_PARTS_MAX = 3, FT_PEFT_NAME_BYTES = 160 };

/* What a dimension may be: a number of the adapter, or of the model. */
enum ft_peft_dim { FT_DIM_NONE, FT_DIM_ONE, FT_DIM_RANK, FT_DIM_TOKENS, FT_DIM_IN, FT_DIM_OUT,
                   FT_DIM_CHANNELS, FT_DIM_QUERY, FT_DIM_KEY, FT_DIM_MLP, FT_DIM_PREFIX,
                   FT_DIM_COUNT };

typedef struct ft_peft_part {        /* one tensor of a matrix, or of the whole adapter */
    const char *suffix;
    enum ft_peft_dim dims[2];
} ft_peft_part;

typedef struct ft_peft_tensors {
    const ft_peft_config *config;
    unsigned targets, feedforward;   /* known at the end (targets), or from the beginning */
    size_t layers;
    uint64_t dims[FT_DIM_COUNT];     /* 0: not known yet */
    const ft_peft_part *parts;
    size_t n_parts;
    uint8_t *seen;                   /* bits of parts, by layer, then target */
} ft_peft_tensors;

/* m: the model that the adapter must fit, or NULL. config must outlive t.
 * Errors: FT_ERR_DATA when the configuration does not fit the model; FT_ERR_NOMEM. */
int ft_peft_tensors_begin(ft_peft_tensors *t, const ft_peft_config *config, const ft_model *m,
                          ft_err *e) FT_MUST_CHECK;
void ft_peft_tensors_free(ft_peft_tensors *t);

/* Takes a tensor. Errors: FT_ERR_DATA for a name that the method has not, one that came already,
 * or a shape that does not fit. */
int ft_peft_tensors_add(ft_peft_tensors *t, ft_slice name, uint32_t n_dims, const uint64_t *shape,
                        ft_err *e) FT_MUST_CHECK;

/* Errors: FT_ERR_DATA naming the first tensor that is missing. */
int ft_peft_tensors_end(ft_peft_tensors *t, ft_err *e) FT_MUST_CHECK;

/* PEFT's token_dim after that: the width of a virtual token, or of its keys in one layer; 0 for
 * other methods. */
uint64_t ft_peft_token_dim(const ft_peft_tensors *t);

/* The name of tensor i in the order of adapter streams: by layer, then matrix, then part. After
 * ft_peft_tensors_end. Returns: 0 behind the last one. */
int ft_peft_tensors_at(const ft_peft_tensors *t, size_t i, char name[FT_PEFT_NAME_BYTES]);

#endif
