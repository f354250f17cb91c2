#include "support/damage.h"

#include <criterion/criterion.h>

#include "model/scrub.h"
#include "proto/pack.h"

/* Entry number `nth` of a table, or its last one. */
void site_entry(struct site *site, enum qn_table table, size_t nth, struct qn_key *key,
                struct qn_buf *value)
{
    struct qn_span found, bytes;
    struct qn_key at = {.size = 0};
    qn_key_add_u32(&at, 0);
    key->size = 0;
    for (size_t i = 0; i <= nth; i++) {
        if (qn_kv_seek(memkv_reader(site->store), table, qn_key_view(&at), &found, &bytes) != QN_OK)
            break;
        qn_key_copy(key, found);
        qn_buf_reset(value);
        qn_buf_append_span(value, bytes);
        qn_key_copy(&at, found);
        qn_key_next(&at);
    }
    cr_assert_gt(key->size, 0);
}

void site_put_raw(struct site *site, enum qn_table table, const struct qn_key *key,
                  struct qn_span value)
{
    struct qn_kv *kv = memkv_begin(site->store);
    cr_assert_eq(qn_kv_put(kv, table, qn_key_view(key), value), QN_OK);
    cr_assert_eq(memkv_commit(site->store), QN_OK);
}

/* One bit of the entry is flipped. */
void site_flip_bit(struct site *site, enum qn_table table, size_t nth, size_t byte, uint8_t bit)
{
    struct qn_key key;
    QN_AUTO_BUF struct qn_buf value;
    qn_buf_init(&value, 1 << 20);
    site_entry(site, table, nth, &key, &value);
    size_t size = value.size;
    value.data[byte % size] ^= bit;
    site_put_raw(site, table, &key, qn_buf_view(&value));
}

void site_flip(struct site *site, enum qn_table table, size_t nth, size_t byte)
{
    site_flip_bit(site, table, nth, byte, 0x10);
}

size_t site_entry_size(struct site *site, enum qn_table table, size_t nth)
{
    struct qn_key key;
    QN_AUTO_BUF struct qn_buf value;
    qn_buf_init(&value, 1 << 20);
    site_entry(site, table, nth, &key, &value);
    return value.size;
}

/* ---- what the daemon does ---- */

struct qn_damage site_damage(struct site *site)
{
    return site_info(site).damage;
}

/* A step of two entries of a count; whether it was the last. */
bool site_count_on(struct site *site)
{
    bool is_done;
    site_begin(site);
    cr_assert_eq(qn_replica_recount(site->replica, &site->group->coll, 2, &is_done), QN_OK);
    cr_assert_eq(site_end(site, QN_OK), QN_OK);
    return is_done;
}

void site_recount(struct site *site)
{
    while (!site_count_on(site)) {
    }
}

/* A whole scrub in steps of 2, and what it found is mended. Gives how many findings there were. */
size_t site_scrub(struct site *site)
{
    struct qn_scrub at = {0};
    size_t total = 0;
    bool has_sums = false;
    while (at.stage != QN_SCRUB_END) {
        QN_AUTO_BUF struct qn_buf found;
        qn_buf_init(&found, 1 << 16);
        cr_assert_eq(qn_read_scrub(memkv_reader(site->store), &site->group->coll, &at, 2, &found),
                     QN_OK);
        struct qn_cursor cursor = qn_cursor(qn_buf_view(&found));
        size_t count;
        cr_assert_eq(qn_cursor_array(&cursor, 1000, &count), QN_OK);
        site_begin(site);
        for (size_t i = 0; i < count; i += 2, total++) {
            uint64_t finding;
            struct qn_span argument;
            cr_assert_eq(qn_cursor_u64(&cursor, &finding), QN_OK);
            cr_assert_eq(qn_cursor_bin(&cursor, 300, &argument), QN_OK);
            has_sums |= finding == QN_FINDING_SUMS;
            cr_assert_eq(qn_replica_mend(site->replica, &site->group->coll,
                                         (enum qn_finding)finding, argument),
                         QN_OK);
        }
        cr_assert_eq(site_end(site, QN_OK), QN_OK);
    }
    if (has_sums || site_damage(site).is_uncounted)
        site_recount(site);
    return total;
}

enum qn_err site_repair(struct site *site, struct site *from, const char *key,
                        enum qn_repair_how how, size_t *ret_changed)
{
    QN_AUTO_BUF struct qn_buf keys, copies;
    uint8_t clock[QN_ROOT_SIZE];
    size_t count;
    struct qn_repair_item item = {.how = how, .site = from->id};
    qn_buf_init(&keys, 1024);
    qn_buf_init(&copies, 1 << 20);
    qn_pack_array(&keys, 1);
    qn_pack_cstr(&keys, key);
    cr_assert_eq(qn_read_copies(memkv_reader(from->store), &site->group->coll, qn_buf_view(&keys),
                                false, 1 << 19, &copies),
                 QN_OK);
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&copies));
    cr_assert_eq(qn_cursor_bytes(&cursor, clock, sizeof(clock)), QN_OK);
    cr_assert_eq(qn_cursor_array(&cursor, 2, &count), QN_OK);
    cr_assert_eq(qn_cursor_str(&cursor, 255, &item.key), QN_OK);
    cr_assert_eq(qn_record_copy_unpack(&cursor, &item.copy), QN_OK);
    *ret_changed = 0;
    site_begin(site);
    enum qn_err err =
        qn_replica_repair(site->replica, &site->group->coll, clock, &item, 1, ret_changed);
    enum qn_err end = site_end(site, QN_OK);
    qn_record_copy_deinit(&item.copy);
    return err != QN_OK ? err : end;
}

void group_of_three(struct group *group)
{
    group_init(group, 3, 5);
    site_put(&group->sites[0], "k", "name", "anne");
    site_put(&group->sites[0], "k", "room", "12");
    site_put(&group->sites[1], "other", "name", "bert");
    site_put(&group->sites[2], "third", "name", "cloe");
    group_settle(group);
}

static void expect_none(const char *fault)
{
    cr_expect_null(fault, "%s", fault);
}

void group_is_well(struct group *group)
{
    group_settle(group);
    for (size_t i = 0; i < group->count; i++) {
        struct site *site = &group->sites[i];
        expect_none(site_check(site));
        expect_none(site_check_oracle(site));
        cr_expect_eq(site_damage(site).damaged, 0);
        cr_expect_not(site_damage(site).is_uncounted);
    }
    expect_none(group_check_equal(group));
}
