/* Whether the file of an index can be given to LMDB. LMDB believes what it reads: a flipped bit in
 * a page can make it write outside of its memory, which is that of the daemon. So every page that
 * it can come to is looked at before it is opened (about 5 us each; 60 MB a million chunks).
 *
 * The layout is that of LMDB 0.9 (MDB_DATA_VERSION 1): lmdb.h, mdb.c, "Page Headers" and "Meta Page
 * Content". A file of another version is refused like a damaged one: it is made again.
 */
#pragma once

#include "base/err.h"

/* QN_ERR_CORRUPT: it cannot. QN_ERR_NOTFOUND: there is none, or it is empty. */
enum qn_err QN_CHECKED qn_index_check(const char *path);
