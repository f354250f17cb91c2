/* What a holder takes, counts and remembers (model/custody.h). */
#include <criterion/criterion.h>

#include "support/custody_world.h"

#define QUOTA 100000u
#define DAY   CUSTODY_DAY_MS

static struct custody holder;

static void setup(void)
{
    custody_init(&holder, QUOTA, 30);
}

static void teardown(void)
{
    custody_deinit(&holder);
}

TestSuite(custody, .init = setup, .fini = teardown);

static struct qn_held_pack pack_row(uint64_t number)
{
    struct qn_held_pack pack;
    struct qn_digest name = custody_pack(number);
    cr_assert_eq(qn_held_pack_get(memkv_reader(holder.memkv), &holder.owner, &name, &pack), QN_OK);
    return pack;
}

Test(custody, nothing_happens_before_the_clock_was_read)
{
    struct memkv *memkv = memkv_new();
    struct qn_kv *kv = memkv_begin(memkv);
    struct qn_custody_terms terms = {.quota_bytes = 1};
    struct qn_digest pack = custody_pack(1);
    struct qn_lease_id lease = {{1}};
    cr_assert_eq(qn_custody_agree(kv, &holder.owner, &terms), QN_ERR_STATE);
    cr_assert_eq(qn_custody_stored(kv, &holder.owner, &pack, 1), QN_ERR_STATE);
    cr_assert_eq(qn_custody_lease(kv, &holder.owner, &lease), QN_ERR_STATE);
    memkv_free(memkv);
}

Test(custody, a_stranger_may_store_nothing)
{
    holder.owner = custody_site(2);
    cr_assert_eq(custody_offer(&holder, 1, 10, NULL), QN_OFFER_DENIED);
    cr_assert_eq(custody_store(&holder, 1, 10), QN_ERR_DENIED);
    struct custody_list list;
    uint32_t have;
    custody_list_init(&list, 1, NULL, 0);
    cr_assert_eq(custody_begin(&holder, &list, &have), QN_ERR_DENIED);
    custody_list_deinit(&list);
    cr_assert_eq(custody_agree(&holder, 0, 0, true), QN_OK);
    struct qn_held held;
    cr_assert_eq(qn_held_get(memkv_reader(holder.memkv), &holder.owner, &held), QN_ERR_NOTFOUND);
}

Test(custody, a_pack_is_stored_locked_and_counted)
{
    cr_assert_eq(custody_offer(&holder, 1, 500, NULL), QN_OFFER_WANTED);
    cr_assert_eq(custody_held(&holder).pack_count, 0);
    cr_assert_eq(custody_store(&holder, 1, 500), QN_OK);
    cr_assert_eq(custody_offer(&holder, 1, 500, NULL), QN_OFFER_HERE);
    struct qn_held_pack pack = pack_row(1);
    cr_assert_eq(pack.size, 500);
    cr_assert_eq(pack.received_ms, custody_now(&holder));
    cr_assert_eq(pack.locked_until_ms, custody_now(&holder) + 30ull * DAY);
    cr_assert_eq(custody_held(&holder).used_bytes, 500);
    cr_assert_eq(custody_held(&holder).good_count, 1);
}

Test(custody, storing_again_extends_the_lock_and_counts_once)
{
    cr_assert_eq(custody_store(&holder, 1, 500), QN_OK);
    custody_pass(&holder, 10 * DAY);
    cr_assert_eq(custody_store(&holder, 1, 500), QN_OK);
    cr_assert_eq(pack_row(1).locked_until_ms, custody_now(&holder) + 30ull * DAY);
    cr_assert_eq(custody_held(&holder).pack_count, 1);
    cr_assert_eq(custody_held(&holder).used_bytes, 500);
}

Test(custody, a_pack_has_one_size)
{
    cr_assert_eq(custody_store(&holder, 1, 500), QN_OK);
    cr_assert_eq(custody_offer(&holder, 1, 501, NULL), QN_OFFER_SIZE);
    cr_assert_eq(custody_store(&holder, 1, 501), QN_ERR_EXISTS);
    cr_assert_eq(custody_offer(&holder, 2, 0, NULL), QN_OFFER_SIZE);
    cr_assert_eq(custody_offer(&holder, 2, QN_HELD_PACK_SIZE_MAX + 1, NULL), QN_OFFER_SIZE);
    cr_assert_eq(custody_store(&holder, 2, 0), QN_ERR_INVALID);
    cr_assert_eq(custody_store(&holder, 2, QN_HELD_PACK_SIZE_MAX + 1), QN_ERR_INVALID);
    cr_assert_eq(pack_row(1).size, 500);
}

Test(custody, offers_of_one_message_are_counted_together)
{
    struct qn_kv *kv = memkv_begin(holder.memkv);
    struct qn_custody_offer offer = {.room_bytes = 50000};
    enum qn_offer expected[] = {QN_OFFER_WANTED, QN_OFFER_WANTED, QN_OFFER_ROOM, QN_OFFER_WANTED};
    uint64_t sizes[] = {20000, 20000, 20000, 10000};
    for (size_t i = 0; i < 4; i++) {
        struct qn_digest name = custody_pack(i);
        enum qn_offer answer;
        cr_assert_eq(qn_custody_offer(kv, &holder.owner, &offer, &name, sizes[i], &answer), QN_OK);
        cr_assert_eq(answer, expected[i], "offer %zu: %d", i, answer);
    }
    cr_assert_eq(memkv_commit(holder.memkv), QN_OK);
    cr_assert_eq(custody_held(&holder).alarms, QN_HELD_ALARM_ROOM);
}

Test(custody, the_quota_is_exact_and_refusing_raises_the_alarm)
{
    cr_assert_eq(custody_store(&holder, 1, QUOTA - 10), QN_OK);
    cr_assert_eq(custody_held(&holder).alarms, 0);
    cr_assert_eq(custody_offer(&holder, 2, 11, NULL), QN_OFFER_QUOTA);
    cr_assert_eq(custody_held(&holder).alarms, QN_HELD_ALARM_QUOTA);
    cr_assert_eq(custody_store(&holder, 2, 11), QN_ERR_LIMIT);
    cr_assert_eq(custody_offer(&holder, 2, 10, NULL), QN_OFFER_WANTED);
    cr_assert_eq(custody_store(&holder, 2, 10), QN_OK);
    cr_assert_eq(custody_held(&holder).used_bytes, QUOTA);
}

Test(custody, a_smaller_quota_refuses_and_takes_nothing_away)
{
    cr_assert_eq(custody_store(&holder, 1, 50000), QN_OK);
    cr_assert_eq(custody_agree(&holder, 100, 30, false), QN_OK);
    cr_assert_eq(custody_store(&holder, 2, 1), QN_ERR_LIMIT);
    cr_assert_eq(custody_sweep_count(&holder), 0);
    cr_assert(custody_has(&holder, 1));
}

Test(custody, owners_do_not_touch_each_other)
{
    cr_assert_eq(custody_store(&holder, 1, 500), QN_OK);
    holder.owner = custody_site(2);
    cr_assert_eq(custody_agree(&holder, QUOTA, 0, false), QN_OK);
    cr_assert_eq(custody_store(&holder, 1, 700), QN_OK);
    custody_pass(&holder, DAY);
    cr_assert_eq(custody_sweep_count(&holder), 1);
    holder.owner = custody_site(1);
    cr_assert(custody_has(&holder, 1));
    cr_assert_eq(custody_held(&holder).used_bytes, 500);
    struct qn_site_id found, after = custody_site(1);
    struct qn_held held;
    struct qn_kv *kv = memkv_reader(holder.memkv);
    cr_assert_eq(qn_held_next(kv, NULL, &found, &held), QN_OK);
    cr_assert(qn_site_id_eq(&found, &after));
    cr_assert_eq(qn_held_next(kv, &after, &found, &held), QN_OK);
    after = found;
    cr_assert_eq(held.pack_count, 0);
    cr_assert_eq(qn_held_next(kv, &after, &found, &held), QN_ERR_NOTFOUND);
}

Test(custody, names_come_in_pages_without_bad_and_condemned_ones)
{
    for (uint64_t i = 0; i < 50; i++)
        cr_assert_eq(custody_store(&holder, i, 10), QN_OK);
    cr_assert_eq(custody_scrubbed(&holder, 7, false), QN_OK);
    struct qn_digest page[8], last = {0};
    size_t total = 0, count;
    bool is_end = false;
    while (!is_end) {
        cr_assert_eq(qn_held_names(memkv_reader(holder.memkv), &holder.owner,
                                   total == 0 ? NULL : &last, 8, page, &count, &is_end),
                     QN_OK);
        for (size_t i = 0; i < count; i++) {
            cr_assert(memcmp(page[i].bytes, last.bytes, 32) > 0);
            last = page[i];
        }
        total += count;
    }
    cr_assert_eq(total, 49);
    cr_assert_eq(custody_held(&holder).good_count, 49);
}

/* ---- expectation ---- */

Test(custody, a_backup_that_does_not_come_is_missed)
{
    cr_assert_eq(custody_expect(&holder, DAY), QN_OK);
    struct qn_held held = custody_held(&holder);
    uint64_t start = custody_now(&holder);
    cr_assert_not(qn_held_is_overdue(&held, start + DAY + DAY / 2));
    cr_assert(qn_held_is_overdue(&held, start + DAY + DAY / 2 + 1));
    cr_assert_not(qn_held_is_overdue(&held, 0));
    custody_pass(&holder, 2 * DAY);
    struct custody_list list;
    custody_list_init(&list, 1, NULL, 0);
    cr_assert_eq(custody_put(&holder, &list), QN_OK);
    held = custody_held(&holder);
    cr_assert_eq(held.snapshot_lock_ms, custody_now(&holder));
    cr_assert_not(qn_held_is_overdue(&held, custody_now(&holder)));
    cr_assert(qn_held_is_overdue(&held, custody_now(&holder) + 2 * DAY));
    custody_list_deinit(&list);
}

Test(custody, expecting_less_raises_an_alarm_that_the_owner_cannot_take_back)
{
    cr_assert_eq(custody_expect(&holder, DAY), QN_OK);
    cr_assert_eq(custody_held(&holder).alarms, 0);
    cr_assert_eq(custody_expect(&holder, DAY / 2), QN_OK);
    cr_assert_eq(custody_held(&holder).alarms, 0);
    cr_assert_eq(custody_expect(&holder, 0), QN_OK);
    cr_assert_eq(custody_expect(&holder, DAY / 2), QN_OK);
    cr_assert_eq(custody_held(&holder).alarms, QN_HELD_ALARM_EXPECT);
    struct qn_kv *kv = memkv_begin(holder.memkv);
    cr_assert_eq(qn_custody_calm(kv, &holder.owner, QN_HELD_ALARM_EXPECT), QN_OK);
    cr_assert_eq(memkv_commit(holder.memkv), QN_OK);
    cr_assert_eq(custody_held(&holder).alarms, 0);
}

/* ---- scrubbing ---- */

static uint64_t scrub_once(uint64_t *ret_due_ms)
{
    struct qn_digest name;
    uint64_t size;
    cr_assert_eq(
        qn_custody_scrub_next(memkv_reader(holder.memkv), &holder.owner, &name, &size, ret_due_ms),
        QN_OK);
    for (uint64_t i = 0; i < 1000; i++) {
        struct qn_digest candidate = custody_pack(i);
        if (!qn_digest_eq(&candidate, &name))
            continue;
        cr_assert_eq(custody_scrubbed(&holder, i, true), QN_OK);
        return i;
    }
    cr_assert_fail("a pack that nobody stored");
    return 0;
}

static uint64_t due(void)
{
    struct qn_digest name;
    uint64_t size, due_ms;
    cr_assert_eq(
        qn_custody_scrub_next(memkv_reader(holder.memkv), &holder.owner, &name, &size, &due_ms),
        QN_OK);
    return due_ms;
}

Test(custody, each_pack_is_read_once_a_round_evenly)
{
    struct qn_digest name;
    uint64_t size, due_ms;
    bool is_seen[QN_HELD_SCRUB_ROUND_DAYS];
    cr_assert_eq(
        qn_custody_scrub_next(memkv_reader(holder.memkv), &holder.owner, &name, &size, &due_ms),
        QN_ERR_NOTFOUND);
    for (uint64_t i = 0; i < QN_HELD_SCRUB_ROUND_DAYS; i++)
        cr_assert_eq(custody_store(&holder, i, 10), QN_OK);
    for (uint64_t i = 0; i < 3 * QN_HELD_SCRUB_ROUND_DAYS; i++) {
        if (i % QN_HELD_SCRUB_ROUND_DAYS == 0)
            memset(is_seen, 0, sizeof(is_seen));
        cr_assert_eq(due(), CUSTODY_START_MS + i * DAY);
        if (due() > custody_now(&holder))
            custody_pass(&holder, due() - custody_now(&holder));
        uint64_t pack = scrub_once(&due_ms);
        cr_assert_not(is_seen[pack]);
        is_seen[pack] = true;
    }
}

/* Packs come all the time, most of them at once: none waits longer than was promised. */
Test(custody, what_comes_in_the_midst_of_a_round_is_read_in_a_month)
{
    uint64_t read_ms[400], due_ms;
    size_t count = 0;
    for (unsigned day = 0; day < 150; day++) {
        size_t more = day % 30 == 1 ? 60 : day % 3 == 0;
        for (; more > 0; more--) {
            cr_assert_eq(custody_store(&holder, count, 10), QN_OK);
            read_ms[count++] = custody_now(&holder);
        }
        while (due() <= custody_now(&holder)) {
            uint64_t pack = scrub_once(&due_ms);
            read_ms[pack] = custody_now(&holder);
        }
        for (size_t i = 0; i < count; i++)
            cr_assert_leq(custody_now(&holder) - read_ms[i], QN_HELD_SCRUB_DAYS * DAY, "pack %zu",
                          i);
        custody_pass(&holder, DAY);
    }
    cr_assert_gt(count, 300);
}

Test(custody, a_round_that_is_late_catches_up)
{
    uint64_t due_ms;
    for (uint64_t i = 0; i < 12; i++)
        cr_assert_eq(custody_store(&holder, i, 10), QN_OK);
    scrub_once(&due_ms);
    custody_pass(&holder, 100ull * DAY);
    for (int i = 0; i < 13; i++) {
        scrub_once(&due_ms);
        cr_assert_leq(due_ms, custody_now(&holder));
    }
    cr_assert_eq(due(), custody_now(&holder) + 2ull * DAY, "but not with more than a round");
}

Test(custody, nothing_is_made_up_for_before_the_first_pack)
{
    uint64_t due_ms;
    custody_pass(&holder, 100ull * DAY);
    for (uint64_t i = 0; i < 12; i++)
        cr_assert_eq(custody_store(&holder, i, 10), QN_OK);
    scrub_once(&due_ms);
    cr_assert_eq(due(), custody_now(&holder) + 2ull * DAY);
}

Test(custody, a_bad_pack_is_not_here_until_it_is_sent_again)
{
    struct custody_list list;
    custody_list_init(&list, 1, (uint64_t[]){1, 2}, 2);
    cr_assert_eq(custody_store(&holder, 1, 10), QN_OK);
    cr_assert_eq(custody_store(&holder, 2, 10), QN_OK);
    cr_assert_eq(custody_scrubbed(&holder, 2, false), QN_OK);
    cr_assert_eq(custody_scrubbed(&holder, 2, false), QN_OK);
    cr_assert_eq(custody_held(&holder).bad_count, 1);
    cr_assert_eq(custody_held(&holder).alarms, QN_HELD_ALARM_BAD);
    cr_assert_eq(custody_put(&holder, &list), QN_ERR_HELD);
    cr_assert_eq(custody_offer(&holder, 2, 10, NULL), QN_OFFER_WANTED);
    cr_assert_eq(custody_store(&holder, 2, 10), QN_OK);
    cr_assert_eq(custody_held(&holder).alarms, 0);
    cr_assert_eq(custody_held(&holder).used_bytes, 20 + 100 + 64);
    cr_assert_eq(custody_put(&holder, &list), QN_OK);
    cr_assert_eq(custody_scrubbed(&holder, 3, true), QN_ERR_NOTFOUND);
    custody_list_deinit(&list);
}

/* ---- leases ---- */

Test(custody, a_lease_keeps_what_came_since_it_began)
{
    cr_assert_eq(custody_agree(&holder, QUOTA, 0, false), QN_OK);
    cr_assert_eq(custody_store(&holder, 1, 10), QN_OK);
    custody_pass(&holder, 1000);
    cr_assert_eq(custody_lease(&holder, 1), QN_OK);
    cr_assert_eq(custody_store(&holder, 2, 10), QN_OK);
    custody_pass(&holder, DAY);
    cr_assert_eq(custody_sweep_count(&holder), 1);
    cr_assert(custody_has(&holder, 2));
    custody_pass(&holder, 29ull * DAY - 1);
    cr_assert_eq(custody_sweep_count(&holder), 0);
    custody_pass(&holder, 1);
    cr_assert_eq(custody_sweep_count(&holder), 1);
    cr_assert_eq(custody_held(&holder).lease_count, 0);
}

Test(custody, a_writer_relies_on_an_old_pack_that_it_offered)
{
    struct qn_lease_id lease = custody_lease_id(1), unknown = custody_lease_id(9);
    cr_assert_eq(custody_agree(&holder, QUOTA, 0, false), QN_OK);
    cr_assert_eq(custody_store(&holder, 1, 10), QN_OK);
    cr_assert_eq(custody_store(&holder, 2, 10), QN_OK);
    custody_pass(&holder, 1000);
    cr_assert_eq(custody_lease(&holder, 1), QN_OK);
    cr_assert_eq(custody_offer(&holder, 1, 10, &lease), QN_OFFER_HERE);
    cr_assert_eq(custody_offer(&holder, 2, 10, &unknown), QN_OFFER_HERE);
    custody_pass(&holder, DAY);
    cr_assert_eq(custody_sweep_count(&holder), 1);
    cr_assert(custody_has(&holder, 1));
    cr_assert_eq(custody_lease_end(&holder, 1), QN_OK);
    cr_assert_eq(custody_lease_end(&holder, 1), QN_OK);
    cr_assert_eq(custody_sweep_count(&holder), 1);
}

Test(custody, a_lease_is_renewed_and_one_that_ran_out_begins_anew)
{
    cr_assert_eq(custody_agree(&holder, QUOTA, 0, false), QN_OK);
    cr_assert_eq(custody_lease(&holder, 1), QN_OK);
    cr_assert_eq(custody_store(&holder, 1, 10), QN_OK);
    for (int i = 0; i < 5; i++) {
        custody_pass(&holder, 20ull * DAY);
        cr_assert_eq(custody_lease(&holder, 1), QN_OK);
        cr_assert_eq(custody_sweep_count(&holder), 0);
    }
    custody_pass(&holder, 31ull * DAY);
    cr_assert_eq(custody_lease(&holder, 1), QN_OK);
    cr_assert_eq(custody_held(&holder).lease_count, 1);
    cr_assert_eq(custody_sweep_count(&holder), 1);
}

Test(custody, leases_are_few)
{
    for (uint8_t i = 0; i < QN_HELD_LEASES_MAX; i++)
        cr_assert_eq(custody_lease(&holder, i), QN_OK);
    cr_assert_eq(custody_lease(&holder, 99), QN_ERR_LIMIT);
    cr_assert_eq(custody_lease(&holder, 3), QN_OK);
    custody_pass(&holder, 31ull * DAY);
    cr_assert_eq(custody_lease(&holder, 99), QN_OK);
    cr_assert_eq(custody_held(&holder).lease_count, 1);
}

/* ---- damage ---- */

Test(custody, rows_that_do_not_read_are_damage_and_no_crash)
{
    struct qn_digest name = custody_pack(1);
    cr_assert_eq(custody_store(&holder, 1, 10), QN_OK);
    struct qn_kv *kv = memkv_begin(holder.memkv);
    struct qn_held held;
    struct qn_held_pack pack;
    uint8_t key[64];
    memcpy(key, holder.owner.bytes, 32);
    memcpy(key + 32, name.bytes, 32);
    for (size_t size = 0; size < 60; size++) {
        uint8_t row[60] = {1};
        cr_assert_eq(qn_kv_put(kv, QN_TABLE_HELD, qn_span(key, 32), qn_span(row, size)), QN_OK);
        cr_assert_eq(qn_held_get(kv, &holder.owner, &held), QN_ERR_CORRUPT);
        cr_assert_eq(qn_custody_stored(kv, &holder.owner, &name, 10), QN_ERR_CORRUPT);
        row[0] = size == 38 ? 2 : 1;
        cr_assert_eq(qn_kv_put(kv, QN_TABLE_HELD_PACK, qn_span(key, 64), qn_span(row, size)),
                     QN_OK);
        cr_assert_eq(qn_held_pack_get(kv, &holder.owner, &name, &pack), QN_ERR_CORRUPT);
    }
    memkv_abort(holder.memkv);
}
