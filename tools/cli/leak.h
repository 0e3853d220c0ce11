/* leak.h: whether a model was trained on what it is measured on, by the certificates of ft-split
 * (stream/certificate.h) that came along with both. All of it ends in cli_fail when it fails.
 *
 *     cli_leak trained = {0};
 *     cli_leak_add_model(&trained, model->gguf);          what the model file says, if anything
 *     cli_leak_add_reader(&trained, adapter);
 *     … data read to its verified end …
 *     cli_leak_check(&trained, "a.ft", data, allow);
 */
#ifndef FT_CLI_LEAK_H
#define FT_CLI_LEAK_H

#include "model/gguf.h"
#include "stream/certificate.h"
#include "stream/rows.h"
#include "stream/stream.h"

typedef struct cli_leak {
    ft_certificate_set set;
    int known;                /* something was added that might have had certificates */
} cli_leak;

/* Adds the certificates in a model's metadata (key ft.certificates). A model without the key is
 * known to nobody, and adds nothing. Errors of the key: FT_ERR_DATA. */
void cli_leak_add_model(cli_leak *l, const ft_gguf *g);

/* Adds those of a stream at its verified end; one without counts as lacking. */
void cli_leak_add_reader(cli_leak *l, const ft_reader *r);

/* Compares with `data`, at its verified end. The same part of the same split is refused, or with
 * `allow` only warned of; what cannot be known is one warning; apart, or nothing known of what the
 * model was trained on: silence. trained: what it is called in messages. */
void cli_leak_check(const cli_leak *l, const char *trained, const ft_reader *data, int allow);

/* The same by what the header of data claims, before it is read: only refuses. */
void cli_leak_check_claims(const cli_leak *l, const char *trained, const ft_reader *data,
                           int allow);

/* Refuses a segment of data to measure on that was augmented (field aug), unless `allow`. */
int cli_leak_check_segment(const ft_segment *s, int allow, ft_err *e) FT_MUST_CHECK;

/* Refuses what is of a part other than the first one of a split, or of a split of such a part: what
 * to measure on is not to be augmented. Looks at the claims of the header before the first record,
 * at the proof behind the last. */
void cli_leak_check_first_part(const ft_reader *in);

/* Appends the set for a model's metadata: nothing when there are none. */
void cli_leak_put(const cli_leak *l, ft_buf *b);
void cli_leak_free(cli_leak *l);

/* The certificates in a model's metadata, checked; n = 0: none. Points into the file.
 * Errors: FT_ERR_DATA. */
int cli_model_certificates(const ft_gguf *g, ft_mp *array, ft_err *e) FT_MUST_CHECK;

/* Appends a proof for people (lines) or programs (a JSON array). */
void cli_certificates_put(ft_buf *b, ft_mp array, int json);

#endif
