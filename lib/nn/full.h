/* full.h: full fine-tuning: the parameters are the weights of the model, all of them, in floats. A
 * tied head is the embedding, one tensor.
 *
 *     ft_adapter_new(&a, model, &(ft_adapter_config){.method = FT_METHOD_FULL}, 0, e);
 *     ft_full_take_over(a, model);       // from here on the model computes with a->params
 *
 * What is in a->params changes the model at once; nothing else of nn, infer or model knows that.
 */
#ifndef FT_FULL_H
#define FT_FULL_H

#include "model/model.h"
#include "nn/adapter.h"

/* Lets the model compute with a->params, which must outlive its use, and takes the weights of its
 * file out of memory. */
void ft_full_take_over(const ft_adapter *a, ft_model *m);

/* Returns: the parameters that stand for a tensor of the file, in its order; NULL: none do. */
const float *ft_full_tensor(const ft_adapter *a, const ft_model *m, const ft_tensor *t);

#endif
