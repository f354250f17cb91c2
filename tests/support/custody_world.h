/* A holder in memory for tests of custody: packs, lists and owners are numbers, days pass when
 * told. Every operation is a transaction of its own. */
#pragma once

#include "model/custody.h"
#include "support/memkv.h"

#define CUSTODY_DAY_MS   (24u * 3600u * 1000u)
#define CUSTODY_START_MS 1700000000000u
#define CUSTODY_PACK     1000u /* size of a pack, unless said otherwise */

struct custody {
    struct memkv *memkv;
    struct qn_clock_reading reading;
    struct qn_site_id owner; /* of all operations below; number 1 */
};

/* With an agreement of `quota` and `lock_days`. */
void custody_init(struct custody *custody, uint64_t quota, uint32_t lock_days);
void custody_deinit(struct custody *custody);

struct qn_site_id custody_site(uint8_t number);
struct qn_digest custody_pack(uint64_t number);
struct qn_lease_id custody_lease_id(uint8_t number);
uint64_t custody_now(const struct custody *custody);
struct qn_held custody_held(const struct custody *custody);

void custody_tick(struct custody *custody);
void custody_pass(struct custody *custody, uint64_t ms);

enum qn_err custody_agree(struct custody *custody, uint64_t quota, uint32_t lock_days,
                          bool is_ended);
enum qn_offer custody_offer(struct custody *custody, uint64_t pack, uint64_t size,
                            const struct qn_lease_id *lease);
enum qn_err custody_store(struct custody *custody, uint64_t pack, uint64_t size);
/* All of them in one transaction. */
void custody_store_range(struct custody *custody, uint64_t from, uint64_t to, uint64_t size);
enum qn_err custody_lease(struct custody *custody, uint8_t lease);
enum qn_err custody_lease_end(struct custody *custody, uint8_t lease);
enum qn_err custody_scrubbed(struct custody *custody, uint64_t pack, bool is_good);
enum qn_err custody_expect(struct custody *custody, uint64_t interval_ms);

/* A list of a snapshot number with those packs, in any order. */
struct custody_list {
    struct qn_list_head head;
    struct qn_digest id;
    struct qn_buf sealed, names;
};
void custody_list_init(struct custody_list *list, uint64_t snapshot, const uint64_t *packs,
                       size_t count);
void custody_list_deinit(struct custody_list *list);
enum qn_err custody_begin(struct custody *custody, const struct custody_list *list,
                          uint32_t *ret_have);
enum qn_err custody_names(struct custody *custody, const struct custody_list *list, size_t at,
                          size_t count);
enum qn_err custody_finish(struct custody *custody, const struct custody_list *list,
                           size_t *ret_missing);
/* All of it; QN_ERR_HELD if packs are missing. */
enum qn_err custody_put(struct custody *custody, const struct custody_list *list);
enum qn_err custody_forget(struct custody *custody, const struct custody_list *list);

/* A whole sweep by steps of `step` packs; gives how many packs came out, and removes them when
 * `is_unlinked`. `out` (initialised here) has their names. */
size_t custody_sweep(struct custody *custody, size_t step, bool is_unlinked, struct qn_buf *out);
size_t custody_sweep_count(struct custody *custody);
bool custody_has(const struct custody *custody, uint64_t pack);
/* Counts everything again and compares it with the owner's row. */
void custody_audit(const struct custody *custody);
