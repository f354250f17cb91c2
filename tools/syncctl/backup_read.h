/* What the commands share that read snapshots: ls, find, diff and restore. */
#pragma once

#include "base/buf.h"
#include "base/limits.h"
#include "chunk/entry.h"
#include "ctl.h"

struct ctl_snapshot_text { /* a plan and a snapshot of it, as the person wrote them */
    char plan[QN_NAME_SIZE_MAX + 1], snapshot[80];
};
/* NAME[@SNAPSHOT]; CTL_DONE, or the exit status after the person was told. */
int ctl_take_snapshot(struct ctl *ctl, const char *text, struct ctl_snapshot_text *ret_names);
const char *ctl_or_nil(const char *text); /* NULL for "" */
/* The bytes of a packed binary, or none; borrowed. */
struct qn_span ctl_bin_of(struct qn_span packed);
/* An entry in a binary, alone; its path is put together in `path`. False: it is none. */
bool ctl_read_entry(struct qn_span packed, struct qn_buf *path, struct qn_entry *ret_entry);
