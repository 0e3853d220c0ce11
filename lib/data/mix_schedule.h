/* mix_schedule.h: from which source the next record comes, so that at every moment each source has
 * given its share of what there is, to within one record.
 *
 *     ft_mix_source s[2] = {{.share = 90}, {.share = 10}};
 *     while (s[0].next = size of its next record, …) {
 *         size_t i = ft_mix_pick(s, 2);
 *         … take that record …
 *         s[i].used += s[i].next;
 *     }
 *
 * The choice is that of worst-case fair weighted fair queueing (Bennett and Zhang, "WF2Q", INFOCOM
 * 1996), whose bounds hold for records of any sizes: among the sources that are not ahead of their
 * share, the one whose next record would be complete first if all of them flowed at once. With A
 * given out in all and w a source's share of 1, |used - w A| is at most the largest record; a
 * source is ahead by less than its own largest one. (Taking whichever is most behind
 * would not do: with many sources it can fall behind by more.) Everything is computed in whole
 * numbers, so there is no drift.
 *
 * It knows no records and no files: sizes may count bytes, tokens or examples.
 */
#ifndef FT_MIX_SCHEDULE_H
#define FT_MIX_SCHEDULE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define FT_MIX_SOURCES_MAX 16
#define FT_MIX_SHARE_UNIT 1000000000u     /* shares are given in these parts of 1 */

typedef struct ft_mix_source {
    uint64_t share;        /* relative to the others', at most 1e18; 0: never picked   */
    uint64_t used;         /* given so far, below 2^62                                 */
    uint64_t next;         /* size of its next record                                  */
} ft_mix_source;

/* Returns: the source to take from; ties go to the earlier one. At least one share is positive;
 * n <= FT_MIX_SOURCES_MAX. */
size_t ft_mix_pick(const ft_mix_source *s, size_t n);

/* Reads a share such as "90" or "0.125", a decimal number in (0, 1e9] with at most nine digits
 * behind the point, as FT_MIX_SHARE_UNIT times itself. Returns: whether the n bytes are one. */
int ft_mix_share_parse(const char *text, size_t n, uint64_t *share);

/* Shares in proportion to size^(1/t), t >= 1 (t = 1: the sizes themselves; towards infinity: all
 * the same), to nine digits. A source of size 0 gets the share 0, any other one at least 1. */
void ft_mix_temperature(ft_mix_source *s, const uint64_t *sizes, size_t n, double t);

#endif
