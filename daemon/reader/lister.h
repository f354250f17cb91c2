/* A source that reads the disk.
 *
 * Every access is relative to the descriptor of a folder that was entered and never follows a link;
 * "/" to the top path by openat2(RESOLVE_NO_SYMLINKS). Folders deeper than QN_LISTER_FDS_MAX are
 * opened again by their path (RESOLVE_BENEATH) and must be the same ones.
 *
 * Memory: the names of the folders on the present path, at most QN_LISTER_NAMES_MAX of one folder
 * and about QN_LISTER_NAMES_SIZE_MAX bytes in all. A larger folder is read several times, each time
 * for the next part of the order; names that were given up for room are read again.
 */
#pragma once

#include "reader/source.h"

#define QN_LISTER_FDS_MAX        64
#define QN_LISTER_NAMES_MAX      (128 * 1024)
#define QN_LISTER_NAMES_SIZE_MAX (24 * 1024 * 1024)

/* Whether a name in a folder is wanted, before anything is asked of the object itself (it may lie
 * on a server that is down). Called with a directory's d_type only if the file system tells it. */
typedef bool (*qn_lister_filter)(void *context, size_t depth, struct qn_span name, bool is_dir);

struct qn_lister_options {
    qn_lister_filter filter; /* NULL: all are */
    void *context;
    size_t names_max; /* 0: QN_LISTER_NAMES_MAX; tests make it small */
};
struct qn_source *qn_lister_new(const struct qn_lister_options *options); /* NULL: none */
