/* csv.h: records of comma- or tab-separated values after RFC 4180: a field that holds the
 * separator, a quote or a line end stands in quotes, a quote in it is doubled; the first record
 * names the columns. What the RFC does not allow is refused, not guessed.
 *
 *     ft_csv_new(&c, text, n, ',', "id,weight", &where, e);
 *     ft_csv_record(c, text, n, &object, &where, e);          // {"id": 7, "question": "…"}
 *
 * All values are strings, but for those columns that are said to hold JSON.
 */
#ifndef FT_CSV_H
#define FT_CSV_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mp.h"

#define FT_CSV_COLUMNS_MAX 4096

typedef struct ft_csv ft_csv;

/* Takes the names from the header's text. json_columns: names separated by commas, or NULL.
 * Owns: the caller, ft_csv_free (accepts NULL). Errors: FT_ERR_DATA, at *where in the text. */
int ft_csv_new(ft_csv **c, const void *text, size_t n, uint8_t separator,
               const char *json_columns, size_t *where, ft_err *e) FT_MUST_CHECK;
void ft_csv_free(ft_csv **c);

/* Appends a record as a map from names to values. Threads: any number may use one c. Errors:
 * FT_ERR_DATA, at *where in the text: another number of fields than columns, bad quoting, invalid
 * UTF-8 or JSON. */
int ft_csv_record(const ft_csv *c, const void *text, size_t n, ft_buf *out, size_t *where,
                  ft_err *e) FT_MUST_CHECK;

/* Returns: the one of , ; tab | that is most frequent outside quotes in a header, the first of
 * these when equal, a comma when there is none. */
uint8_t ft_csv_guess(const void *text, size_t n);

/* Appends a field, in quotes when it has to be, or when it is empty and all of its record. */
void ft_csv_put(ft_buf *out, ft_slice field, uint8_t separator);

#endif
