/* shots_eye.h: ft-shots --by embedding: which examples of the pool are nearest to questions by the
 * hidden states of a model (embed_texts.h, data/vectors.h). All of it ends in cli_fail when it
 * fails.
 *
 *     shots_eye *x = shots_eye_new("auto");                     the model of -m
 *     for each example: shots_eye_add(x, question);             numbered 0, 1, 2, …
 *     shots_eye_end(x);
 *     for each question of a batch: shots_eye_ask(x, question);
 *     shots_eye_find(x, k);
 *     n = shots_eye_found(x, i, &numbers);                      of the batch's i-th question
 *
 * Memory: the model; the questions of a batch and 4 k bytes for each.
 */
#ifndef FT_CLI_SHOTS_EYE_H
#define FT_CLI_SHOTS_EYE_H

#include "base/buf.h"

#include <stdint.h>

typedef struct shots_eye shots_eye;

shots_eye *shots_eye_new(const char *compute);
void shots_eye_free(shots_eye **x);                   /* accepts NULL, sets NULL */

void shots_eye_add(shots_eye *x, ft_slice question);  /* of the pool; the text is copied */
void shots_eye_end(shots_eye *x);                     /* ends the pool */

void shots_eye_ask(shots_eye *x, ft_slice question);  /* the text is copied */
/* Looks for the k nearest to each question since the last call. */
void shots_eye_find(shots_eye *x, size_t k);
/* Returns: how many were found for the i-th of them; *numbers: the nearest first. */
size_t shots_eye_found(const shots_eye *x, size_t i, const uint32_t **numbers);

#endif
