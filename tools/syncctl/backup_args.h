/* Parts of the backup commands' lines: names with a snapshot, lists, sizes. */
#pragma once

#include "wire.h"

/* "NAME", "NAME@SNAPSHOT" or "NAME@TIME" (local: 2026-11-20, 2026-11-20 08:00[:00]) as the
 * arguments `name` and `snapshot` have them; false: no such time. Owned by the caller's buffers. */
bool ctl_split_snapshot(const char *text, char *name, size_t name_size, char *snapshot,
                        size_t snapshot_size);
/* The values of every option of that name, as packed texts. */
void ctl_pack_values(const struct ctl *ctl, const char *option, struct qn_buf *out);
/* "1.5 GiB" of bytes. */
void ctl_append_size(struct qn_buf *out, uint64_t bytes);
