/* pieces.h: the texts of an example one by one, and the example with other texts in their places.
 *
 *     ft_pieces_of(record, &list, e);
 *     for (i …) if (list.piece[i].kind == FT_PIECE_RESPONSE) list.piece[i].text = shorter;
 *     ft_pieces_put(record, &list, &out);
 */
#ifndef FT_PIECES_H
#define FT_PIECES_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mp.h"

enum ft_piece_kind {
    FT_PIECE_PROMPT = 1,      /* a user's turn; the prompt                                 */
    FT_PIECE_RESPONSE = 2,    /* an assistant's turn; the completion; the prediction       */
    FT_PIECE_TEXT = 4,        /* the text of a record that has nothing else                */
    FT_PIECE_REFERENCE = 8,   /* a reference beside a prediction                           */
    FT_PIECE_OTHER = 16       /* another role's turn                                       */
};

typedef struct ft_piece {
    enum ft_piece_kind kind;
    ft_slice text;            /* in the record, until the caller puts another one here     */
    const uint8_t *place;     /* where in the record it stands                             */
} ft_piece;

typedef struct ft_piece_list {    /* all zero is a valid empty list */
    ft_piece *piece;
    size_t n, cap;
} ft_piece_list;

/* Fills the list anew, in the order in which the texts stand in the record: of all turns; prompt
 * and completion; the text; prompt, prediction and references.
 * Errors: as ft_example_shape, FT_ERR_NOMEM. */
int ft_pieces_of(ft_mp record, ft_piece_list *list, ft_err *e) FT_MUST_CHECK;

/* Appends the record with the list's texts. Other fields are as they were. */
void ft_pieces_put(ft_mp record, const ft_piece_list *list, ft_buf *out);

void ft_pieces_free(ft_piece_list *list);    /* back to all zero */

/* Appends the record with one more top-level field, which replaces one of that name. */
void ft_record_put_with(ft_mp record, const char *field, ft_mp value, ft_buf *out);

#endif
