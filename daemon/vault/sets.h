/* Two sets for the work on a vault: chunks by the first 16 bytes of their ids, packs by number.
 * Both belong to one thread at a time.
 */
#pragma once

#include "base/mem.h"
#include "chunk/keys.h"

#define QN_CHUNK_SET_KEY_SIZE 16

/* Open addressing with linear probing; ids are uniform, so they are their own hash. 16 bytes for a
 * slot, at most 3 of 4 in use. */
struct qn_chunk_set {
    uint8_t (*slots)[QN_CHUNK_SET_KEY_SIZE]; /* all zero: free (an id of zeros does not occur) */
    size_t capacity, count;                  /* capacity: 0 or a power of two */
    size_t count_max;                        /* an add beyond it is refused */
};

void qn_chunk_set_init(struct qn_chunk_set *set, size_t count_max);
void qn_chunk_set_deinit(struct qn_chunk_set *set);
void qn_chunk_set_clear(struct qn_chunk_set *set); /* keeps the memory */
/* False: it is there already, or (see has) the set is full. */
bool qn_chunk_set_add(struct qn_chunk_set *set, const struct qn_chunk_id *id);
bool qn_chunk_set_has(const struct qn_chunk_set *set, const struct qn_chunk_id *id);
void qn_chunk_set_remove(struct qn_chunk_set *set, const struct qn_chunk_id *id);

/* A bit for each pack number. */
struct qn_pack_set {
    uint64_t *words;
    size_t word_count;
};

void qn_pack_set_deinit(struct qn_pack_set *set);
void qn_pack_set_add(struct qn_pack_set *set, uint32_t number);
void qn_pack_set_remove(struct qn_pack_set *set, uint32_t number);
bool qn_pack_set_has(const struct qn_pack_set *set, uint32_t number);
/* The next member after `after`; 0: none. Numbers begin with 1. */
uint32_t qn_pack_set_next(const struct qn_pack_set *set, uint32_t after);
