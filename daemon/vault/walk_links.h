/* Files with several names: the first path of each that was met, until all its names were. Bounded
 * by QN_WALK_LINKS_MAX and QN_WALK_LINKS_SIZE_MAX. */
#pragma once

#include "base/span.h"

struct qn_walk_links;
struct qn_walk_links *qn_walk_links_new(void);
void qn_walk_links_free(struct qn_walk_links *links); /* accepts NULL */
/* The first path of that file, or an empty span: then `path` is kept as the first one, or there was
 * no room and *ret_is_full is set. Valid until the next call. */
struct qn_span qn_walk_links_meet(struct qn_walk_links *links, uint64_t device, uint64_t inode,
                                  uint32_t nlink, struct qn_span path, bool *ret_is_full);
/* As if it had not been met. */
void qn_walk_links_forget(struct qn_walk_links *links, uint64_t device, uint64_t inode);
