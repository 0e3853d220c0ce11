/* score_table.h: a file of scores, a JSON object a line, as a table: {"id": …, "em": 1, "f1":
 * 0.8}. ft-eval --scores writes such files; two of them are compared after they were joined by
 * id.
 *
 *     ft_score_table *a = NULL;
 *     if (ft_score_table_read(&a, in, "group", e) < 0) return e->code;
 *     column = ft_score_table_column(a, "em");
 *     if (column < ft_score_table_columns(a)) … ft_score_table_values(a, column)[row] …
 *
 * An id is a string or a whole number, and stands in a file once: a table is no list of votes.
 * Every other field whose value is a number, true (1) or false (0) in any line is a column; a
 * line where it is missing or null holds NaN there. Fields of other types are passed over. The
 * whole table is in memory: 8 bytes a row and column, and 60 to 110 bytes and the id a row.
 */
#ifndef FT_SCORE_TABLE_H
#define FT_SCORE_TABLE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mp.h"

#include <stddef.h>
#include <stdint.h>

#define FT_SCORE_COLUMNS_MAX 64
#define FT_SCORE_MAX 1e100         /* larger scores are refused: their squares must be finite */
#define FT_NO_GROUP UINT32_MAX

typedef struct ft_score_table ft_score_table;

/* Reads to the end of in; group: the field that names a row's group, a string or a number (it is no
 * column then). Owns: the caller, ft_score_table_free; keeps no pointer
 * to in.
 * Errors: FT_ERR_DATA naming file and line: what ft_lines_next and ft_json_parse refuse; no object;
 * an id that is missing, of another type, or was there before; a score beyond FT_SCORE_MAX; more
 * than FT_SCORE_COLUMNS_MAX columns. FT_ERR_IO, FT_ERR_NOMEM. */
int ft_score_table_read(ft_score_table **t, ft_in *in, const char *group, ft_err *e) FT_MUST_CHECK;
void ft_score_table_free(ft_score_table **t);      /* accepts NULL, sets NULL */

const char *ft_score_table_name(const ft_score_table *t);     /* of the file */
size_t ft_score_table_rows(const ft_score_table *t);
size_t ft_score_table_columns(const ft_score_table *t);       /* in the order of appearance */
const char *ft_score_table_column_name(const ft_score_table *t, size_t column);

/* Returns: the column of this name, or the number of columns when there is none. */
size_t ft_score_table_column(const ft_score_table *t, const char *name);
const double *ft_score_table_values(const ft_score_table *t, size_t column);

ft_mp ft_score_table_id(const ft_score_table *t, size_t row);
uint64_t ft_score_table_line(const ft_score_table *t, size_t row);
uint32_t ft_score_table_group(const ft_score_table *t, size_t row);   /* number or FT_NO_GROUP */
size_t ft_score_table_groups(const ft_score_table *t);                /* different ones        */

/* Finds for each row of base the row of `other` with the same id: row_of has room for base's
 * rows. Errors: FT_ERR_DATA naming the first id that is in one of them only, or whose group is
 * another. */
int ft_score_table_join(const ft_score_table *base, const ft_score_table *other, size_t *row_of,
                        ft_err *e) FT_MUST_CHECK;

/* Appends an id as JSON for people: a long one is cut and ends in three dots. */
void ft_score_table_put_id(ft_buf *b, ft_mp id);

/* The same as a string for error messages, in at most 79 bytes. Returns: out. */
const char *ft_score_table_show_id(ft_mp id, char out[80]);

#endif
