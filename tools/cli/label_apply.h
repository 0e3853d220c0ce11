/* label_apply.h: the other half of ft-label: puts reviewed suggestions into the data. A reviewed
 * file has the lines of a suggestions file, to which a human has added "accept": true or false, and
 * where they changed "suggested" or "action" ("label" or "drop"). Lines without "accept" are not
 * reviewed and change nothing.
 *
 * A corrected record has the new value where the old one stood, and the old one as FIELD_before
 * (label_before); its other fields, and all other records, keep their bytes. A line whose
 * row, id or
 * given value is not what the data has there is refused.
 *
 * All of it ends in cli_fail when it fails. Memory: the accepted lines.
 */
#ifndef FT_LABEL_APPLY_H
#define FT_LABEL_APPLY_H

#include "base/hash.h"
#include "tools/cli/each_record.h"

typedef struct label_review label_review;

label_review *label_review_read(const char *path);
void label_review_free(label_review **r);
ft_digest label_review_digest(const label_review *r);

/* What becomes of a record, to be asked in order. Returns: 1 with what to write in *out, valid
 * until the next call: the record itself, or the corrected one; 0 to drop it. */
int label_review_apply(label_review *r, ft_mp record, uint64_t number, ft_mp *out);

/* Once all was read: refuses rows that the data has not; adds the counts to the last line. */
void label_review_end(const label_review *r);

#endif
