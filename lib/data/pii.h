/* pii.h: finds what identifies a person in text: e-mail addresses, IP addresses, telephone and card
 * numbers, and puts a mask (<EMAIL>, <IPV4>, …) in its place.
 *
 *     ft_pii_hit hit;
 *     for (size_t at = 0; ft_pii_find(p, n, at, &hit); at = hit.at + hit.n) …
 *
 * The rules prefer silence to noise: IPv4 needs four octets without leading zeros, no letter or
 * further number beside them, and no word like "version" before; IPv6 eight groups or ::, three
 * groups at least and a digit; cards 13 to 19 digits with a right check digit (Luhn); telephone
 * numbers +country…, (212) 555-0123, 212-555-0123 or 0… with 9 to 11 digits in groups.
 * What it does not do: names, streets, identity numbers; a bare 1.2.3.4 counts as an address. */
#ifndef FT_PII_H
#define FT_PII_H

#include "base/buf.h"
#include "base/mp.h"

enum ft_pii_kind { FT_PII_EMAIL, FT_PII_IPV4, FT_PII_IPV6, FT_PII_PHONE, FT_PII_CARD,
                   FT_PII_KINDS };
const char *ft_pii_name(enum ft_pii_kind k);      /* "email", … */

typedef struct ft_pii_hit {
    size_t at, n;
    enum ft_pii_kind kind;
} ft_pii_hit;

/* Finds the first at or behind `from`. Returns: whether there is one. */
int ft_pii_find(const uint8_t *p, size_t n, size_t from, ft_pii_hit *hit);

/* Appends s with masks to out (when given) and counts by kind into found. Returns: the sum. */
uint64_t ft_pii_mask(ft_slice s, uint64_t found[FT_PII_KINDS], ft_buf *out);

/* Counts what a record's texts hold (contents of messages, prompt, completion, text, prediction,
 * reference), by kind, into found. Returns: the sum. When out is given, the record with masks is
 * appended to it; all other fields stay as they are. */
uint64_t ft_pii_record(ft_mp record, uint64_t found[FT_PII_KINDS], ft_buf *out);

#endif
