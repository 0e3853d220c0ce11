/* certificate.h: what a stream says of the split that its records come from, so that whoever trains
 * on one part and measures on another can see that they are apart (doc/stream.md, section 7).
 *
 * A certificate is a map: split (digest that names one run of ft-split), part, parts, relations
 * (what was kept together), common (what was too common to be), within (certificates of what was
 * split). Header claims and trailer proof are arrays of them; in the proof nil says that some
 * records have none.
 *
 *     if (ft_certificates_check(array, e) < 0) …                  what came from outside
 *     switch (ft_certificates_compare(trained, data)) …           arrays, n = 0: none
 *
 * It proves what the tools did, not that nobody lied: anybody can write a certificate.
 */
#ifndef FT_CERTIFICATE_H
#define FT_CERTIFICATE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mp.h"

#include <stdint.h>

#define FT_CERTIFICATES_MAX 1024
#define FT_CERTIFICATE_DEPTH_MAX 3        /* splits of parts of splits */

typedef struct ft_certificate {
    ft_digest split;
    uint64_t part, parts;
    ft_mp relations;          /* array of strings */
    ft_mp common, within;     /* n = 0: absent    */
} ft_certificate;

/* Reads one and checks it. Errors: FT_ERR_DATA naming the field. */
int ft_certificate_parse(ft_mp v, ft_certificate *c, ft_err *e) FT_MUST_CHECK;

/* Appends one. `within` is left as nil when it would nest deeper than FT_CERTIFICATE_DEPTH_MAX. */
void ft_certificate_put(ft_buf *b, const ft_certificate *c);

/* Checks a proof: one or more certificates or nil, not nil alone, sorted by bytes, each once.
 * Errors: FT_ERR_DATA. */
int ft_certificates_check(ft_mp array, ft_err *e) FT_MUST_CHECK;

/* Checks claims: one or more certificates. Errors: FT_ERR_DATA. */
int ft_claims_check(ft_mp array, ft_err *e) FT_MUST_CHECK;

/* Whether every claim stands in the proof (n = 0: none stand there). */
int ft_certificates_confirm(ft_mp proof, ft_mp claims);

/* A set that grows. */
typedef struct ft_certificate_set {
    ft_mp *items;             /* sorted, pointing into copies of their own */
    size_t n, cap;
    int some, none;           /* sources that had certificates, and that had none */
} ft_certificate_set;

/* Adds what a source has; n = 0: it has none. Errors: FT_ERR_NOMEM, FT_ERR_DATA when there are
 * more than FT_CERTIFICATES_MAX. */
int ft_certificate_set_add(ft_certificate_set *s, ft_mp array, ft_err *e) FT_MUST_CHECK;

/* Appends the proof: with nil when only some sources had one; nothing when none had. */
void ft_certificate_set_put(const ft_certificate_set *s, ft_buf *b);
void ft_certificate_set_free(ft_certificate_set *s);

/* What two proofs (n = 0: none) say of each other. LEAK: they share a part of a split. PARTLY: what
 * has certificates is apart, but some records on one side have none. UNRELATED: of different
 * splits. LACKING: one side, or both, have no certificate. */
enum ft_apart { FT_APART, FT_APART_PARTLY, FT_APART_UNRELATED, FT_APART_LACKING, FT_APART_LEAK };

/* found: receives, unless NULL, the certificate of `data` that decided a leak. */
enum ft_apart ft_certificates_compare(ft_mp trained, ft_mp data, ft_certificate *found);

#endif
