/* A stored record (table REC; docs/formats/store.md, "rec"); for the rooms of model only.
 *
 * Actors and names are local numbers, clocks are differences from the latest of the record. What
 * the counters and indexes need to know of the old state stands in front, so that it is not derived
 * again.
 */
#pragma once

#include "model/dict.h"

/* What is stored of a record beside its pairs. */
struct qn_row_head {
    enum qn_record_state state;
    bool has_conflict;
    uint8_t hash[QN_STATE_HASH_SIZE];
};

/* Appends the row of a record that is not empty. */
enum qn_err QN_CHECKED qn_row_encode(struct qn_dict *dict, const struct qn_row_head *head,
                                     const struct qn_record *record, struct qn_buf *out);
enum qn_err QN_CHECKED qn_row_decode_head(struct qn_span row, struct qn_row_head *ret_head);
/* QN_ERR_CORRUPT for anything that qn_row_encode does not write. Values are borrowed from `row`,
 * names as dict.h says. *ret_record is untouched on failure. */
enum qn_err QN_CHECKED qn_row_decode(struct qn_dict *dict, struct qn_span row,
                                     struct qn_record *ret_record);

/* A reference to a name, as rows and history write it: a number, or the name itself. */
enum qn_err QN_CHECKED qn_row_put_name(struct qn_dict *dict, struct qn_span name,
                                       struct qn_buf *out);
enum qn_err QN_CHECKED qn_row_get_name(struct qn_dict *dict, struct qn_span row, size_t *offset,
                                       struct qn_span *ret_name);
