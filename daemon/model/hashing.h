/* The hashes of record.h and op.h with a hasher that is made once; for the rooms of model only. */
#pragma once

#include "model/record.h"

void qn_hash_chain(struct qn_hasher *hasher, const struct qn_digest *before, struct qn_span op,
                   struct qn_digest *ret_hash);
void qn_hash_record(struct qn_hasher *hasher, const struct qn_record *record, bool without_trash,
                    uint8_t ret_hash[QN_STATE_HASH_SIZE]);
void qn_hash_leaf(struct qn_hasher *hasher, const struct qn_coll_id *coll, struct qn_span key,
                  const uint8_t hash[QN_STATE_HASH_SIZE], struct qn_digest *ret_leaf);
uint16_t qn_hash_bucket(struct qn_hasher *hasher, struct qn_span key);
/* The first byte of the bucket. */
uint8_t qn_hash_group(struct qn_hasher *hasher, struct qn_span key);
/* Like qn_record_state. */
enum qn_record_state qn_hash_state(struct qn_hasher *hasher, const struct qn_record *record);
/* Like qn_record_has_conflict, of a record whose state is known. */
bool qn_hash_has_conflict(enum qn_record_state state, const struct qn_record *record);
