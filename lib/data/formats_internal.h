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

/* Whether the content of each turn is a string, as records have it. */
int ft_messages_are_strings(ft_mp list);

/* Appends turn i of a chat with its content as a string: parts of text are joined (*joined counts
 * turns that had several), and nothing beside tool_calls is "". in_prompt: an assistant's turn
 * without a word about training gets weight 0. Errors: FT_ERR_DATA for parts that are no text. */
int ft_message_put(ft_mp turn, size_t i, int in_prompt, ft_buf *out, size_t *joined,
                   ft_err *e) FT_MUST_CHECK;

#endif
