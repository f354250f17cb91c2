/* Walking a copy of this site's store that came back with its vault, for what the store lacks
 * (docs/recovery.md): the log of the copy, in the order in which the lost site applied it, or where
 * it does not reach back or cannot be read, pages. The caller opens the copy and takes what is
 * told. No state.
 */
#pragma once

#include "model/replica_read.h"

enum qn_recalled {
    QN_RECALLED_OPS, /* a body of OPS */
    QN_RECALLED_PAGE,
};

struct qn_recall_options {
    size_t ops_size, ops_max, page_size; /* of one part */
    /* Before each part. QN_ERR_LIMIT: it is enough for now; any other error ends the walk. */
    enum qn_err (*may_go_on)(void *context);
    /* `lost`, of a page: the packed array [key, said, seen, ...] of the records of its range that
     * are damaged in the copy (copy.h); empty: none is. They are not in the page, and its clock
     * claims them. */
    void (*tell)(void *context, enum qn_recalled what, const struct qn_coll_id *coll,
                 struct qn_span body, struct qn_span lost);
    void *context;
};

/* `colls`: the packed array [id, known clock, cursor of the pass, hash of its clock, ...]; the last
 * two are empty where no pass is running. *ret_has_more: the next walk may find something.
 * QN_ERR_HELD: nothing was told, for the copy was late itself. */
enum qn_err QN_CHECKED qn_recall(struct qn_kv *kv, const struct qn_recall_options *options,
                                 struct qn_span colls, bool *ret_has_more);
