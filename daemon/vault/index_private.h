/* What reading (index_read.c) and writing (index.c) of the index share. */
#pragma once

#include <lmdb.h>
#include <stdatomic.h>

#include "vault/index.h"

#define QN_INDEX_READERS_MAX 64
#define QN_INDEX_ROW_SIZE    16
#define QN_INDEX_PACK_SIZE   (32 + 4 + 1 + 1 + 8)
#define QN_INDEX_RAW_BITS    28

struct qn_index {
    MDB_env *mdb;
    MDB_dbi chunks, packs, names, meta;
};

enum qn_err qn_index_err(int code); /* of LMDB; QN_OK for MDB_SUCCESS */

static inline MDB_val qn_index_val(const void *data, size_t size)
{
    union {
        const void *in;
        void *out;
    } pointer = {.in = data}; /* LMDB does not write to keys and values */
    return (MDB_val){.mv_size = size, .mv_data = pointer.out};
}

void qn_index_row_encode(const struct qn_index_row *row, uint8_t out[QN_INDEX_ROW_SIZE]);
enum qn_err QN_CHECKED qn_index_row_decode(const MDB_val *value, struct qn_index_row *ret_row);
void qn_index_pack_encode(const struct qn_index_pack *pack, uint8_t out[QN_INDEX_PACK_SIZE]);
enum qn_err QN_CHECKED qn_index_pack_decode(uint32_t number, const MDB_val *value,
                                            struct qn_index_pack *ret_pack);
enum qn_err QN_CHECKED qn_index_get_number(MDB_txn *txn, MDB_dbi dbi, const MDB_val *key,
                                           uint32_t *ret_number);
enum qn_err QN_CHECKED qn_index_meta_get(MDB_txn *txn, MDB_dbi meta, const char *name,
                                         uint64_t *ret_value); /* missing: 0 */
enum qn_err QN_CHECKED qn_index_meta_set(MDB_txn *txn, MDB_dbi meta, const char *name,
                                         uint64_t value);
