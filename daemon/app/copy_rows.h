/* Inside app: the lists of a holder, page by page (docs/protocol.md 10.8). Any thread. */
#pragma once

#include "app/copies.h"

#define QN_COPY_ROWS_MAX 65536 /* lists of one owner; more are no honest holder's */

struct qn_copy_row {
    struct qn_digest list;
    uint64_t name_count; /* packs */
    uint64_t locked_ms;  /* until then, by the holder's wall clock */
    struct qn_buf sealed;
    struct qn_snapshot_info info;
};
typedef QN_VEC(struct qn_copy_row) qn_copy_row_vec;

struct qn_copy_rows_options {
    struct qn_copies *copies;
    const char *site, *plan; /* plan NULL: all */
    struct qn_vault *vault;  /* whose keys open the snapshots */
    const atomic_bool *is_cancelled;
    const char **code; /* gets that of the core's last answer; or NULL */
};
/* Those that the vault's keys open, each snapshot once, in no order; *ret_bad: how many were not
 * right. QN_ERR_CORRUPT: pages that make no sense. */
enum qn_err QN_CHECKED qn_copy_rows(const struct qn_copy_rows_options *options,
                                    qn_copy_row_vec *out, uint64_t *ret_bad);
void qn_copy_rows_deinit(qn_copy_row_vec *rows);
/* The packs of a list: as many as its row said, ascending. */
enum qn_err QN_CHECKED qn_copy_row_names(const struct qn_copy_rows_options *options,
                                         const struct qn_copy_row *row, struct qn_buf *out);
