/* One object of an open folder: looking at it, opening it. Links are never followed, and nothing
 * that is not a regular file is waited for. Errors are errno values, as in source.h. */
#pragma once

#include "reader/source.h"

/* Fills `node`, which belongs to `batch`; of a link also its target. */
int qn_object_look(int dir, const char *name, struct qn_batch *batch, struct qn_node *node);
/* A regular file, for reading. */
int qn_object_open(int dir, const char *name, bool *is_noatime_refused, int *ret_fd);
/* openat without a trace in the time of access where that is allowed; the flag remembers that it is
 * not. -1 and errno. */
int qn_object_open_quietly(int dir, const char *name, int flags, bool *is_noatime_refused);
/* Whether the folder has a valid CACHEDIR.TAG (bford.info/cachedir). */
bool qn_object_is_cache(int dir);
/* What the kernel makes up (proc, sysfs and their like) has no place in a backup, and reading it
 * may wait or do harm. */
bool qn_object_is_made_up(int fd);
