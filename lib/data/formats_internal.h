/* formats_internal.h: rewriting a map, for import and export. */
#ifndef FT_FORMATS_INTERNAL_H
#define FT_FORMATS_INTERNAL_H

#include "data/formats.h"

/* A map in which some fields give way to others: the new pairs stand where the first of the old
 * ones stood. */
struct ft_rewrite {
    const char *const *takes;   /* names of the fields that go, NULL-terminated           */
    const char *const *gives;   /* names that the pairs may have: no field that stays may */
    ft_buf pairs;               /* n_pairs keys and values                                */
    size_t n_pairs;
    uint64_t number;            /* id to put first when the map has none; 0: none         */
};

/* Appends the rewritten map. Errors: FT_ERR_DATA when a field that stays has a name of the new
 * ones. */
int ft_rewrite_map(ft_mp map, const struct ft_rewrite *w, ft_buf *out, ft_err *e) FT_MUST_CHECK;

/* Appends a turn with two of its fields renamed from old to fresh (role first, then content;
 * fresh ends with NULL) and the role's value replaced; order and other fields stay. Errors:
 * FT_ERR_DATA when a field has a fresh name already. */
int ft_rename_turn(ft_mp turn, const char *const old[2], const char *const fresh[2],
                   const char *role, ft_buf *out, ft_err *e) FT_MUST_CHECK;

#endif
