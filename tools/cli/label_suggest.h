/* label_suggest.h: suggestions for a human, gathered in any order, written in rank order for each
 * method as JSON lines that ft-label --apply reads again:
 *
 *     {"id":…,"row":…,"field":"label","given":…,"suggested":…,
 *      "score":…,"method":…,"text":…}
 *
 * Lines stand in a spool, 24 bytes for each in memory. All of it ends in cli_fail when it fails.
 */
#ifndef FT_LABEL_SUGGEST_H
#define FT_LABEL_SUGGEST_H

#include "base/buf.h"
#include "base/io.h"
#include "base/mp.h"

enum label_method { LABEL_CONFIDENT, LABEL_KNN, LABEL_IFD, LABEL_LOSS, LABEL_CONFLICT,
                    LABEL_METHODS };

typedef struct label_suggestions label_suggestions;

label_suggestions *label_suggestions_new(void);
void label_suggestions_free(label_suggestions **s);

/* Begins a line in b (cleared): {"id":ID,"row":ROW,"field":FIELD,"given": */
void label_line_begin(ft_buf *b, ft_slice id_json, uint64_t row, const char *field);

/* Ends it behind the suggested value: ,"score":SCORE,"method":NAME,"text":EXCERPT}. extra: more
 * members, each with its comma before it, or NULL. */
void label_line_end(ft_buf *b, double score, enum label_method m, const char *extra,
                    ft_slice excerpt);

/* Adds a line. Within a method, smaller keys come first, of equal ones the smaller row. */
void label_suggestions_add(label_suggestions *s, enum label_method m, double key, uint64_t row,
                           const ft_buf *line);

/* Writes all of them, method by method. */
void label_suggestions_write(label_suggestions *s, ft_out *out);

/* Adds the count of each method in `wanted` (a bit each) to the last line. */
void label_suggestions_report(const label_suggestions *s, unsigned wanted);

/* Appends a record's id as JSON; its number when it has none. */
void label_put_id(ft_buf *b, ft_mp record, uint64_t number);

/* The beginning of a text: at most FT_LABEL_EXCERPT bytes, no character cut, separators of parts
 * (0xff) as line breaks. Appends it to b. */
#define FT_LABEL_EXCERPT 160
void label_put_excerpt(ft_buf *b, ft_slice text);

#endif
