/* An entry that outlives what it was read from. Zeroed is empty and valid. */
#pragma once

#include "base/buf.h"
#include "chunk/entry.h"

struct qn_entry_copy {
    struct qn_entry entry; /* its spans point into `bytes` */
    struct qn_buf bytes;
};

/* Replaces what was there, keeps the memory. QN_ERR_LIMIT: larger than any entry may be. */
enum qn_err QN_CHECKED qn_entry_copy_set(struct qn_entry_copy *copy, const struct qn_entry *entry);
void qn_entry_copy_deinit(struct qn_entry_copy *copy);
