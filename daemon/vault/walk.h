/* Reading file trees for a backup: a directory tree as a sorted sequence of entries (the order of
 * chunk/entry.h), and their contents. Nothing is followed that is not below the top path; every
 * access goes through directory descriptors (openat2 RESOLVE_BENEATH where the path is long).
 *
 * A walker reads the disk itself or asks the reading unit (a service of its own with nothing but
 * CAP_DAC_READ_SEARCH, walk_remote.c), which sends listings and passes open descriptors.
 * One thread. Memory: the listings of the directories on the present path; a directory of more
 * than QN_WALK_SORT_MAX names is sorted by runs in a temporary file.
 */
#pragma once

#include "chunk/entry.h"
#include "chunk/plan.h"

struct qn_walk_options {
    const char *const *paths; /* absolute, sorted by qn_path_cmp, none below another */
    size_t path_count;
    const struct qn_exclude *exclude; /* NULL: nothing */
    bool crosses_devices; /* else it stays on the file system of each top path */
    bool keeps_caches;    /* else folders with a valid CACHEDIR.TAG keep only the tag */
    const char *reader_socket; /* of the reading unit; NULL: read the disk directly */
    /* Told of what could not be read; the walk goes on. `path` is absolute. */
    void (*on_error)(void *context, struct qn_span path, int errno_value);
    void *context;
};

struct qn_walk;
enum qn_err QN_CHECKED qn_walk_new(const struct qn_walk_options *options, struct qn_walk **ret_walk);
void qn_walk_free(struct qn_walk *walk);
/* The next entry without content (FILE: content empty); hard links seen before are HARDLINK with
 * `target`. Parents of a top path are entries too (DIR), so that a restore can make them. Borrowed
 * until the next call; QN_ERR_NOTFOUND at the end. xattrs are read only on qn_walk_xattrs (slow):
 * the caller asks when it needs them. */
enum qn_err QN_CHECKED qn_walk_next(struct qn_walk *walk, struct qn_entry *ret_entry);
/* Fills entry->xattrs of the present entry (and ACLs with them). */
enum qn_err QN_CHECKED qn_walk_xattrs(struct qn_walk *walk, struct qn_entry *entry);
/* Opens the content of the present FILE entry for reading (O_NOATIME where allowed); the caller
 * closes it. */
enum qn_err QN_CHECKED qn_walk_open(struct qn_walk *walk, int *ret_fd);
/* Reads the present entry's stat again into *ret_entry (same spans): did it change meanwhile? */
enum qn_err QN_CHECKED qn_walk_restat(struct qn_walk *walk, struct qn_entry *ret_entry);
