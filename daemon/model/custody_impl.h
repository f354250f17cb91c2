/* Inside custody: keys and rows, shared by custody*.c only (docs/formats/store.md). */
#pragma once

#include "model/custody.h"
#include "model/fixed.h"
#include "model/tables.h"

#define QN_DAY_MS (24 * 3600 * (uint64_t)1000)

/* Saturates: a lock does not wrap around into the past. */
static inline uint64_t qn_ms_after(uint64_t ms, uint32_t days)
{
    uint64_t end_ms;
    return __builtin_add_overflow(ms, days * QN_DAY_MS, &end_ms) ? UINT64_MAX : end_ms;
}

/* owner: HELD. owner, name: HELD_PACK, and the head of a list. */
struct qn_span qn_key_owner(struct qn_key *key, const struct qn_site_id *owner);
struct qn_span qn_key_held(struct qn_key *key, const struct qn_site_id *owner,
                           const struct qn_digest *name);
/* The smallest key behind that of `after` and all that begins with it; NULL: the first of the
 * owner.
 */
struct qn_span qn_key_behind(struct qn_key *key, const struct qn_site_id *owner,
                             const struct qn_digest *after);
struct qn_span qn_key_lease(struct qn_key *key, const struct qn_site_id *owner,
                            const struct qn_lease_id *lease);
struct qn_span qn_key_sealed(struct qn_key *key, const struct qn_site_id *owner,
                             const struct qn_digest *list);
/* The chunk of a list that holds the name, or would: chunks are found by their last name. */
struct qn_span qn_key_chunk(struct qn_key *key, const struct qn_site_id *owner,
                            const struct qn_digest *list, const struct qn_digest *name);
/* Whether a key is of that size and begins with that owner. */
bool qn_key_is_of(struct qn_span key, const struct qn_site_id *owner, size_t size);

#define QN_KEY_OWNER_SIZE QN_DIGEST_SIZE
#define QN_KEY_HELD_SIZE  (2 * QN_DIGEST_SIZE)
#define QN_KEY_CHUNK_SIZE (3 * QN_DIGEST_SIZE + 1)
#define QN_KEY_LEASE_SIZE (QN_DIGEST_SIZE + 16)

enum qn_err QN_CHECKED qn_held_put(struct qn_kv *kv, const struct qn_site_id *owner,
                                   const struct qn_held *held);
struct qn_gone {
    uint64_t packs, bytes;
};
/* So many files are gone, after the end of the agreement; one that is made anew counts from 0. */
enum qn_err QN_CHECKED qn_gone_add(struct qn_kv *kv, const struct qn_site_id *owner,
                                   const struct qn_gone *more);
enum qn_err QN_CHECKED qn_gone_reset(struct qn_kv *kv, const struct qn_site_id *owner);

/* What every change begins with: lock time and the owner's row. QN_ERR_DENIED: no agreement now. */
enum qn_err QN_CHECKED qn_custody_open(struct qn_kv *kv, const struct qn_site_id *owner,
                                       uint64_t *ret_now_ms, struct qn_held *ret_held);

enum qn_err QN_CHECKED qn_held_pack_read(struct qn_span row, struct qn_held_pack *ret_pack);
enum qn_err QN_CHECKED qn_held_pack_put(struct qn_kv *kv, const struct qn_site_id *owner,
                                        const struct qn_digest *name,
                                        const struct qn_held_pack *pack);
/* The first pack behind `after` (NULL: of all), whatever its state. QN_ERR_NOTFOUND. */
enum qn_err QN_CHECKED qn_held_pack_next(struct qn_kv *kv, const struct qn_site_id *owner,
                                         const struct qn_digest *after, struct qn_digest *ret_name,
                                         struct qn_held_pack *ret_pack);
static inline bool qn_held_pack_is_good(const struct qn_held_pack *pack)
{
    return !pack->is_bad && !pack->is_condemned;
}
/* In the owner's row: one good pack more, or less. */
void qn_held_count(struct qn_held *held, const struct qn_digest *name, bool is_more);

void qn_held_make_good(struct qn_held *held, const struct qn_digest *name,
                       struct qn_held_pack *pack);

enum qn_err QN_CHECKED qn_held_list_put(struct qn_kv *kv, const struct qn_site_id *owner,
                                        const struct qn_held_list *list);
/* Deletes a list and all its rows, and takes it out of the owner's row (in memory). */
enum qn_err QN_CHECKED qn_held_list_drop(struct qn_kv *kv, const struct qn_site_id *owner,
                                         const struct qn_held_list *list, struct qn_held *held);
/* The chunk that holds the first name not below `name`; borrowed. QN_ERR_NOTFOUND: none. */
enum qn_err QN_CHECKED qn_held_list_chunk(struct qn_kv *kv, const struct qn_site_id *owner,
                                          const struct qn_digest *list,
                                          const struct qn_digest *name, struct qn_span *ret_names);
/* Whether the list locks what it names, now. */
bool qn_held_list_holds(const struct qn_held_list *list, const struct qn_held *held,
                        uint64_t now_ms);

struct qn_held_lease {
    struct qn_lease_id id;
    uint64_t started_ms, expires_ms;
};
enum qn_err QN_CHECKED qn_held_lease_get(struct qn_kv *kv, const struct qn_site_id *owner,
                                         const struct qn_lease_id *id,
                                         struct qn_held_lease *ret_lease);
struct qn_held_leases {
    size_t count;
    struct qn_held_lease items[QN_HELD_LEASES_MAX];
};
/* Reads all of them that run, and deletes the others from store and owner's row (in memory). */
enum qn_err QN_CHECKED qn_held_leases(struct qn_kv *kv, const struct qn_site_id *owner,
                                      uint64_t now_ms, struct qn_held *held,
                                      struct qn_held_leases *ret_leases);

static inline const struct qn_digest *qn_name_at(struct qn_span names, size_t index)
{
    return (const struct qn_digest *)(const void *)(names.data + index * QN_DIGEST_SIZE);
}

static inline int qn_digest_cmp(const struct qn_digest *a, const struct qn_digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}
