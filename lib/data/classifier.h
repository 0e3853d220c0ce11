/* classifier.h: the probability of each class for each text, from a model that has not seen that
 * text's label: multinomial logistic regression on the n-grams of a feature store, trained once a
 * fold on the texts of the other folds.
 *
 *     ft_cross_options o = {.folds = 5, .epochs = 3, .seed = seed};
 *     ft_cross_probabilities(features, given, fold, K, &o, pool, p, e);        // p: rows x K
 *
 * Softmax of W x + b by stochastic gradients, one text a step, in an order drawn anew each epoch.
 * Steps are AdaGrad's (Duchi, Hazan, Singer: "Adaptive Subgradient Methods", JMLR 12, 2011) with
 * one sum of squares for all classes of an n-gram: rate / sqrt(sum of squares) times the gradient.
 * A text whose probabilities are within 1/1000 of its label is no step.
 *
 * A fold is one thread's work from beginning to end, so the result does not depend on the number
 * of threads. It finds no rate or number of epochs by itself, and knows no class weights.
 *
 * Memory: 4 (K rounded up to 8, and 1) bytes for each column of the store, for each fold being
 * trained; under a bound fewer are trained at a time.
 */
#ifndef FT_CLASSIFIER_H
#define FT_CLASSIFIER_H

#include "base/pool.h"
#include "data/feature_store.h"

#define FT_FOLDS_MAX 64

typedef struct ft_cross_options {
    unsigned folds, epochs;      /* 2..FT_FOLDS_MAX, >= 1                               */
    double rate;                 /* 0: 0.8                                              */
    uint64_t seed;
    uint64_t bytes_max;          /* for weights; 0: no bound                            */
} ft_cross_options;

/* Fills p (rows x K, row by row). given: classes below K. fold: below o->folds, of each row;
 * texts that are much alike belong into one.
 * Errors: FT_ERR_DATA when all rows are in one fold; FT_ERR_NOMEM with the numbers when one fold
 * alone passes the bound; FT_ERR_IO. */
int ft_cross_probabilities(const ft_features *f, const uint32_t *given, const uint8_t *fold,
                           size_t K, const ft_cross_options *o, ft_pool *pool, double *p,
                           ft_err *e) FT_MUST_CHECK;

#endif
