/* What is sealed in a snapshot (docs/formats/vault.md): canonical msgpack, one array. Pure; any
 * thread; for snapshot.c, and tests.
 */
#pragma once

#include "chunk/snapshot.h"

/* QN_ERR_INVALID or QN_ERR_LIMIT: cannot be stored. */
enum qn_err QN_CHECKED qn_snapshot_body_pack(const struct qn_snapshot *snapshot,
                                             struct qn_buf *out);
/* *ret_snapshot borrows from `body`. QN_ERR_CORRUPT; QN_ERR_UNSUPPORTED: a newer version. */
enum qn_err QN_CHECKED qn_snapshot_body_read(struct qn_span body, struct qn_snapshot *ret_snapshot);
