/* Parts of the backup commands' lines: names with a snapshot, lists, sizes. */
#pragma once

#include "screen.h"
#include "wire.h"

/* "NAME", "NAME@SNAPSHOT" or "NAME@TIME" (local: 2026-11-20, 2026-11-20 08:00[:00]) as the
 * arguments `name` and `snapshot` have them; false: no such time. Owned by the caller's buffers. */
bool ctl_split_snapshot(const char *text, char *name, size_t name_size, char *snapshot,
                        size_t snapshot_size);
/* The values of every option of that name, as packed texts. */
void ctl_pack_values(const struct ctl *ctl, const char *option, struct qn_buf *out);
/* Bytes of "500GB", "1.5 TiB", "20G", "200 Go" or a number; a thousand is 1024 in all of them.
 * False: no such size, or more than 2^60. */
bool ctl_parse_size(const char *text, uint64_t *ret_bytes);
/* Days of "30d", "4w", "12m", "1y" or a number of days. False: no such time, or over 10,000 years.
 */
bool ctl_parse_days(const char *text, uint64_t *ret_days);
/* A cell: the size under a key of a map; "-" if it is missing. */
void ctl_add_size(struct ctl_grid *grid, struct qn_span map, const char *key);
/* A cell: the sites of `copies`, each that is not complete with what it lacks. */
void ctl_add_copies(struct ctl_grid *grid, struct qn_span map);
