/* augment_lists.h: the word lists that augmentation takes from files: prompt templates, values of
 * slots, synonyms. A list has a key and one or more items; lists are found by their key.
 *
 *     ft_lists_load(&l, FT_LISTS_SLOTS, in, &digest, e);
 *     const ft_list *hosts = ft_lists_find(l, "host", 4);
 *     … ft_lists_item(l, hosts, i), i < hosts->n …
 *
 * Templates: a line each, with {prompt} once or more; \n stands for a line break, \\ for a
 * backslash; they are one list without a key. Slots: a JSON object {"name": ["value", …], …}.
 * Synonyms: lines of words with tabs between them, the first one being what the others can stand
 * for; it is found in lower case (ASCII). Blank lines are skipped.
 */
#ifndef FT_AUGMENT_LISTS_H
#define FT_AUGMENT_LISTS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/io.h"

#define FT_LISTS_BYTES_MAX ((size_t)16 << 20)      /* of a file of slots */

typedef struct ft_lists ft_lists;

typedef struct ft_list {
    ft_slice key;
    size_t from, n;            /* its items among all */
} ft_list;

enum ft_lists_form { FT_LISTS_TEMPLATES, FT_LISTS_SLOTS, FT_LISTS_SYNONYMS };

/* Reads a file to its end. digest: of its bytes. Owns: the caller, ft_lists_free. Errors:
 * FT_ERR_DATA naming line or slot (nothing in the file, no {prompt}, no value, a key twice),
 * FT_ERR_IO, FT_ERR_NOMEM. */
int ft_lists_load(ft_lists **l, enum ft_lists_form form, ft_in *in, ft_digest *digest,
                  ft_err *e) FT_MUST_CHECK;

const ft_list *ft_lists_find(const ft_lists *l, const void *key, size_t n);     /* or NULL */
ft_slice ft_lists_item(const ft_lists *l, const ft_list *list, size_t i);
void ft_lists_free(ft_lists **l);              /* accepts NULL, sets NULL */

#endif
