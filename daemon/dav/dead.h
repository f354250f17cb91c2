/* Dead properties: what clients attach to a resource and only want back as it was (RFC 4918,
 * section 4). One row holds all of a resource, so that a PROPPATCH is one row, and atomic. A path
 * is "FOLDER/a/b". Pure; thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/local.h"
#include "base/span.h"

#define QN_DAV_DEAD_MAX        128
#define QN_DAV_DEAD_ROW_PREFIX "prop/"

struct qn_dav_dead_property {
    struct qn_span ns, name, lang;
    struct qn_span value; /* XML that stands alone (xml.h) */
};

/* Borrows all that it holds. A zeroed one is empty and valid. */
struct qn_dav_dead {
    struct qn_dav_dead_property items[QN_DAV_DEAD_MAX];
    size_t count;
};

const struct qn_dav_dead_property *qn_dav_dead_find(const struct qn_dav_dead *dead,
                                                    struct qn_span ns, struct qn_span name);
/* Adds or replaces. QN_ERR_LIMIT. */
enum qn_err QN_CHECKED qn_dav_dead_set(struct qn_dav_dead *dead,
                                       const struct qn_dav_dead_property *property);
void qn_dav_dead_remove(struct qn_dav_dead *dead, struct qn_span ns, struct qn_span name);

/* The key of a path's row: the path behind the prefix, or, where that is too long for a key, its
 * beginning and a digest. The row has the path in full. */
void qn_dav_dead_key(struct qn_span path, struct qn_buf *out);
/* What all keys of rows of that path and of those below begin with; look at the path of each row
 * with qn_dav_dead_is_within, since others may begin so too. */
void qn_dav_dead_key_prefix(struct qn_span path, struct qn_buf *out);
bool qn_dav_dead_is_within(struct qn_span row_path, struct qn_span path);
/* QN_ERR_LIMIT: more than a row may hold (QN_LOCAL_ROW_SIZE_MAX); `out` is useless then. */
enum qn_err QN_CHECKED qn_dav_dead_write(const struct qn_dav_dead *dead, struct qn_span path,
                                         struct qn_buf *out);
/* QN_ERR_CORRUPT. `ret_dead` may be NULL. */
enum qn_err QN_CHECKED qn_dav_dead_read(struct qn_span row, struct qn_span *ret_path,
                                        struct qn_dav_dead *ret_dead);
