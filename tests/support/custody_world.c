#include "support/custody_world.h"

#include <stdlib.h>

#include "base/assert.h"
#include "model/fingerprint.h"

#define SEALED_SIZE 100

static struct qn_kv *begin(struct custody *custody)
{
    return memkv_begin(custody->memkv);
}

static enum qn_err end(struct custody *custody, enum qn_err err)
{
    QN_ASSERT(memkv_commit(custody->memkv) == QN_OK);
    custody_audit(custody);
    return err;
}

void custody_init(struct custody *custody, uint64_t quota, uint32_t lock_days)
{
    *custody = (struct custody){.memkv = memkv_new(), .owner = custody_site(1)};
    custody->reading = (struct qn_clock_reading){.boot = {{1}}, .wall_ms = CUSTODY_START_MS};
    memkv_lend_strictly(custody->memkv);
    custody_tick(custody);
    QN_ASSERT(custody_agree(custody, quota, lock_days, false) == QN_OK);
}

void custody_deinit(struct custody *custody)
{
    memkv_free(custody->memkv);
}

struct qn_site_id custody_site(uint8_t number)
{
    return (struct qn_site_id){{number, 0x51}};
}

struct qn_digest custody_pack(uint64_t number)
{
    struct qn_digest name;
    QN_DIGEST(&name, qn_span_str("pack"), QN_SPAN_OF(number));
    return name;
}

struct qn_lease_id custody_lease_id(uint8_t number)
{
    return (struct qn_lease_id){{number}};
}

uint64_t custody_now(const struct custody *custody)
{
    uint64_t now_ms;
    QN_ASSERT(qn_lock_now(memkv_reader(custody->memkv), &now_ms) == QN_OK);
    return now_ms;
}

struct qn_held custody_held(const struct custody *custody)
{
    struct qn_held held;
    QN_ASSERT(qn_held_get(memkv_reader(custody->memkv), &custody->owner, &held) == QN_OK);
    return held;
}

void custody_tick(struct custody *custody)
{
    struct qn_kv *kv = begin(custody);
    QN_ASSERT(qn_lock_clock_tick(kv, &custody->reading) == QN_OK);
    QN_ASSERT(memkv_commit(custody->memkv) == QN_OK);
}

void custody_pass(struct custody *custody, uint64_t ms)
{
    custody->reading.boot_ms += ms;
    custody->reading.wall_ms += ms;
    custody_tick(custody);
}

enum qn_err custody_agree(struct custody *custody, uint64_t quota, uint32_t lock_days,
                          bool is_ended)
{
    struct qn_custody_terms terms = {
        .quota_bytes = quota, .lock_days = lock_days, .is_ended = is_ended};
    return end(custody, qn_custody_agree(begin(custody), &custody->owner, &terms));
}

enum qn_offer custody_offer(struct custody *custody, uint64_t pack, uint64_t size,
                            const struct qn_lease_id *lease)
{
    struct qn_custody_offer offer = {.lease = lease, .room_bytes = UINT64_MAX};
    struct qn_digest name = custody_pack(pack);
    enum qn_offer answer;
    QN_ASSERT(end(custody, qn_custody_offer(begin(custody), &custody->owner, &offer, &name, size,
                                            &answer)) == QN_OK);
    return answer;
}

enum qn_err custody_store(struct custody *custody, uint64_t pack, uint64_t size)
{
    struct qn_digest name = custody_pack(pack);
    return end(custody, qn_custody_stored(begin(custody), &custody->owner, &name, size));
}

void custody_store_range(struct custody *custody, uint64_t from, uint64_t to, uint64_t size)
{
    struct qn_kv *kv = begin(custody);
    for (uint64_t i = from; i < to; i++) {
        struct qn_digest name = custody_pack(i);
        QN_ASSERT(qn_custody_stored(kv, &custody->owner, &name, size) == QN_OK);
    }
    QN_ASSERT(end(custody, QN_OK) == QN_OK);
}

enum qn_err custody_lease(struct custody *custody, uint8_t lease)
{
    struct qn_lease_id id = custody_lease_id(lease);
    return end(custody, qn_custody_lease(begin(custody), &custody->owner, &id));
}

enum qn_err custody_lease_end(struct custody *custody, uint8_t lease)
{
    struct qn_lease_id id = custody_lease_id(lease);
    return end(custody, qn_custody_lease_end(begin(custody), &custody->owner, &id));
}

enum qn_err custody_scrubbed(struct custody *custody, uint64_t pack, bool is_good)
{
    struct qn_digest name = custody_pack(pack);
    return end(custody, qn_custody_scrubbed(begin(custody), &custody->owner, &name, is_good));
}

enum qn_err custody_expect(struct custody *custody, uint64_t interval_ms)
{
    return end(custody, qn_custody_expect(begin(custody), &custody->owner, interval_ms));
}

/* ---- lists ---- */

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, QN_DIGEST_SIZE);
}

void custody_list_init(struct custody_list *list, uint64_t snapshot, const uint64_t *packs,
                       size_t count)
{
    uint8_t sealed[SEALED_SIZE] = {0};
    qn_write_u64(sealed, snapshot);
    *list = (struct custody_list){.head.name_count = (uint32_t)count};
    qn_buf_init(&list->sealed, SEALED_SIZE);
    qn_buf_append(&list->sealed, sealed, sizeof(sealed));
    qn_buf_init(&list->names, (count + 1) * QN_DIGEST_SIZE);
    for (size_t i = 0; i < count; i++) {
        struct qn_digest name = custody_pack(packs[i]);
        qn_buf_append_span(&list->names, qn_digest_view(&name));
    }
    if (count > 0)
        qsort(list->names.data, count, QN_DIGEST_SIZE, compare);
    QN_DIGEST(&list->head.snapshot, qn_buf_view(&list->sealed));
    QN_DIGEST(&list->head.names, qn_buf_view(&list->names));
    qn_list_id(&list->head, &list->id);
}

void custody_list_deinit(struct custody_list *list)
{
    qn_buf_deinit(&list->sealed);
    qn_buf_deinit(&list->names);
}

enum qn_err custody_begin(struct custody *custody, const struct custody_list *list,
                          uint32_t *ret_have)
{
    return end(custody, qn_custody_list_begin(begin(custody), &custody->owner, &list->head,
                                              qn_buf_view(&list->sealed), ret_have));
}

enum qn_err custody_names(struct custody *custody, const struct custody_list *list, size_t at,
                          size_t count)
{
    struct qn_span names = qn_span(list->names.data + at * QN_DIGEST_SIZE, count * QN_DIGEST_SIZE);
    return end(custody, qn_custody_list_names(begin(custody), &custody->owner, &list->id,
                                              (uint32_t)at, names));
}

enum qn_err custody_finish(struct custody *custody, const struct custody_list *list,
                           size_t *ret_missing)
{
    QN_AUTO_BUF struct qn_buf missing;
    qn_buf_init(&missing, QN_HELD_LIST_NAMES_MAX * QN_DIGEST_SIZE);
    enum qn_err err =
        end(custody, qn_custody_list_finish(begin(custody), &custody->owner, &list->id,
                                            custody->reading.wall_ms, 1000, &missing));
    if (ret_missing != NULL)
        *ret_missing = missing.size / QN_DIGEST_SIZE;
    return err;
}

enum qn_err custody_put(struct custody *custody, const struct custody_list *list)
{
    uint32_t have;
    QN_TRY(custody_begin(custody, list, &have));
    while (have < list->head.name_count) {
        size_t count = list->head.name_count - have;
        if (count > QN_HELD_LIST_BATCH_NAMES)
            count = QN_HELD_LIST_BATCH_NAMES;
        QN_TRY(custody_names(custody, list, have, count));
        have += (uint32_t)count;
    }
    return custody_finish(custody, list, NULL);
}

enum qn_err custody_forget(struct custody *custody, const struct custody_list *list)
{
    return end(custody, qn_custody_list_forget(begin(custody), &custody->owner, &list->id));
}

/* ---- sweeping ---- */

size_t custody_sweep(struct custody *custody, size_t step, bool is_unlinked, struct qn_buf *out)
{
    struct qn_custody_sweep at = {0};
    qn_buf_init(out, 1u << 24);
    while (!at.is_end)
        QN_ASSERT(end(custody, qn_custody_sweep(begin(custody), &custody->owner, step, &at, out)) ==
                  QN_OK);
    if (is_unlinked)
        QN_ASSERT(end(custody, qn_custody_unlinked(begin(custody), &custody->owner,
                                                   qn_buf_view(out))) == QN_OK);
    return out->size / QN_DIGEST_SIZE;
}

size_t custody_sweep_count(struct custody *custody)
{
    QN_AUTO_BUF struct qn_buf out = {0};
    return custody_sweep(custody, 7, true, &out);
}

bool custody_has(const struct custody *custody, uint64_t pack)
{
    struct qn_digest name = custody_pack(pack);
    struct qn_held_pack row;
    enum qn_err err = qn_held_pack_get(memkv_reader(custody->memkv), &custody->owner, &name, &row);
    QN_ASSERT(err == QN_OK || err == QN_ERR_NOTFOUND);
    return err == QN_OK && !row.is_bad && !row.is_condemned;
}

/* ---- counting again ---- */

static void count_packs(struct qn_kv *kv, const struct custody *custody, struct qn_held *count)
{
    uint8_t zeros[QN_DIGEST_SIZE] = {0};
    struct qn_span start = QN_SPAN_OF(zeros), key, value;
    uint8_t at[QN_KV_KEY_SIZE_MAX];
    while (qn_kv_seek(kv, QN_TABLE_HELD_PACK, start, &key, &value) == QN_OK) {
        memcpy(at, key.data, key.size);
        at[key.size] = 0;
        start = qn_span(at, key.size + 1);
        if (memcmp(at, custody->owner.bytes, QN_DIGEST_SIZE) != 0)
            continue;
        struct qn_digest name, leaf;
        struct qn_held_pack pack;
        memcpy(name.bytes, at + QN_DIGEST_SIZE, QN_DIGEST_SIZE);
        QN_ASSERT(qn_held_pack_get(kv, &custody->owner, &name, &pack) == QN_OK);
        if (pack.is_condemned)
            continue;
        count->pack_count++;
        count->used_bytes += pack.size;
        count->bad_count += pack.is_bad;
        if (pack.is_bad)
            continue;
        QN_DIGEST(&leaf, qn_digest_view(&name));
        qn_sum_add(count->sum.bytes, leaf.bytes);
        count->good_count++;
    }
}

static void count_lists(struct qn_kv *kv, const struct custody *custody, struct qn_held *count)
{
    struct qn_held_list list;
    struct qn_digest after;
    bool is_first = true;
    while (qn_held_list_next(kv, &custody->owner, is_first ? NULL : &after, &list) == QN_OK) {
        is_first = false;
        after = list.id;
        count->list_count++;
        count->used_bytes += list.sealed_size + list.head.name_count * (uint64_t)QN_DIGEST_SIZE;
    }
}

void custody_audit(const struct custody *custody)
{
    struct qn_kv *kv = memkv_reader(custody->memkv);
    struct qn_held held, count = {0};
    if (qn_held_get(kv, &custody->owner, &held) != QN_OK)
        return;
    count_packs(kv, custody, &count);
    count_lists(kv, custody, &count);
    QN_ASSERT(held.pack_count == count.pack_count && held.bad_count == count.bad_count);
    QN_ASSERT(held.good_count == count.good_count && held.list_count == count.list_count);
    QN_ASSERT(held.used_bytes == count.used_bytes);
    QN_ASSERT(qn_digest_eq(&held.sum, &count.sum));
}
