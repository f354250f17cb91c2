/* Parts of the backup commands' lines: names with a snapshot, durations, sizes, lists, times. */
#pragma once

#include "wire.h"

/* "NAME", "NAME@SNAPSHOT" or "NAME@TIME" (local: 2026-11-20, 2026-11-20 08:00[:00]) as the
 * arguments `name` and `snapshot` have them; false: no such time. Owned by the caller's buffers. */
bool ctl_split_snapshot(const char *text, char *name, size_t name_size, char *snapshot,
                        size_t snapshot_size);
/* "30d", "12h", "45m", "90s", "4w" in seconds; false if it is none, or has no unit. */
bool ctl_parse_duration(const char *text, uint64_t *ret_s);
/* "10GB" (10^9), "500MiB" (2^20), "1000000"; false if it is none. */
bool ctl_parse_size(const char *text, uint64_t *ret_bytes);
/* The values of every option of that name, as packed texts or binaries; the number of them. */
size_t ctl_pack_values(const struct ctl *ctl, const char *option, bool is_binary,
                       struct qn_buf *out);
/* "a,b,c" as packed texts; 0 if one is empty. */
size_t ctl_pack_words(const char *text, struct qn_buf *out);
/* "1.5 GiB" of bytes. */
void ctl_append_size(struct qn_buf *out, uint64_t bytes);
