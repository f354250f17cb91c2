/* An owner whose machine, keys and clock are in somebody else's hands, against what its holder has
 * promised. Each test is an attack; what must survive is the backup of the day before. */
#include <criterion/criterion.h>

#include "support/custody_world.h"

#define PACKS 40
#define DAY   CUSTODY_DAY_MS
#define YEAR  (365ull * DAY)

static struct custody holder;
static struct custody_list backup;

/* A backup of yesterday, with a lock of 30 days. */
static void setup(void)
{
    uint64_t packs[PACKS];
    custody_init(&holder, 200 * CUSTODY_PACK, 30);
    for (uint64_t i = 0; i < PACKS; i++) {
        packs[i] = i;
        cr_assert_eq(custody_store(&holder, i, CUSTODY_PACK), QN_OK);
    }
    custody_list_init(&backup, 1, packs, PACKS);
    cr_assert_eq(custody_put(&holder, &backup), QN_OK);
    custody_pass(&holder, DAY);
}

static void teardown(void)
{
    custody_list_deinit(&backup);
    custody_deinit(&holder);
}

TestSuite(custody_attacks, .init = setup, .fini = teardown);

static void cr_safe(void)
{
    cr_assert_eq(custody_sweep_count(&holder), 0);
    for (uint64_t i = 0; i < PACKS; i++)
        cr_assert(custody_has(&holder, i), "pack %lu", i);
    struct qn_span sealed;
    struct qn_held_list list;
    QN_AUTO_BUF struct qn_buf names;
    qn_buf_init(&names, PACKS * 32);
    struct qn_kv *kv = memkv_reader(holder.memkv);
    cr_assert_eq(qn_held_list_get(kv, &holder.owner, &backup.id, &list), QN_OK);
    cr_assert(list.is_whole);
    cr_assert_eq(qn_held_list_sealed(kv, &holder.owner, &backup.id, &sealed), QN_OK);
    cr_assert(qn_span_eq(sealed, qn_buf_view(&backup.sealed)));
    cr_assert_eq(qn_held_list_names(kv, &holder.owner, &backup.id, NULL, PACKS, &names), QN_OK);
    cr_assert(qn_span_eq(qn_buf_view(&names), qn_buf_view(&backup.names)));
}

/* All of it stays to the last millisecond of the lock, and goes then if it was forgotten. */
static void cr_safe_until_the_end(bool is_let_go)
{
    cr_safe();
    custody_pass(&holder, 29ull * DAY - 1);
    cr_safe();
    custody_pass(&holder, 1);
    if (is_let_go)
        cr_assert_eq(custody_sweep_count(&holder), PACKS);
    else
        cr_safe();
}

Test(custody_attacks, deletion)
{
    cr_assert_eq(custody_forget(&holder, &backup), QN_OK);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(custody_forget(&holder, &backup), QN_OK);
    cr_safe_until_the_end(true);
}

Test(custody_attacks, the_end_of_the_agreement)
{
    cr_assert_eq(custody_agree(&holder, 0, 0, true), QN_OK);
    cr_assert_eq(custody_store(&holder, 500, 10), QN_ERR_DENIED);
    cr_assert_eq(custody_put(&holder, &backup), QN_ERR_DENIED);
    cr_assert_eq(custody_lease(&holder, 1), QN_ERR_DENIED);
    cr_safe_until_the_end(true);
}

Test(custody_attacks, an_agreement_without_a_lock)
{
    cr_assert_eq(custody_agree(&holder, 1, 0, false), QN_OK);
    cr_assert_eq(custody_forget(&holder, &backup), QN_OK);
    cr_safe_until_the_end(true);
}

Test(custody_attacks, a_lock_that_is_written_again_is_not_shortened)
{
    cr_assert_eq(custody_agree(&holder, 1u << 30, 1, false), QN_OK);
    for (uint64_t i = 0; i < PACKS; i++)
        cr_assert_eq(custody_store(&holder, i, CUSTODY_PACK), QN_OK);
    cr_assert_eq(custody_put(&holder, &backup), QN_OK);
    cr_assert_eq(custody_forget(&holder, &backup), QN_OK);
    cr_safe_until_the_end(true);
}

/* Lists of snapshots that claim to be of 1990 or 2099: a time in them is sealed, and nobody asks.
 */
Test(custody_attacks, back_dated_and_future_dated_lists)
{
    struct custody_list forged[10];
    for (uint64_t i = 0; i < 10; i++) {
        custody_list_init(&forged[i], 631152000000u + i * 400000000000u, (uint64_t[]){i}, 1);
        cr_assert_eq(custody_put(&holder, &forged[i]), QN_OK);
        struct qn_held_list row;
        cr_assert_eq(
            qn_held_list_get(memkv_reader(holder.memkv), &holder.owner, &forged[i].id, &row),
            QN_OK);
        cr_assert_eq(row.received_ms, custody_now(&holder));
        cr_assert_eq(row.locked_until_ms, custody_now(&holder) + 30ull * DAY);
        cr_assert_eq(custody_forget(&holder, &forged[i]), QN_OK);
        custody_list_deinit(&forged[i]);
    }
    cr_safe_until_the_end(false);
}

Test(custody_attacks, overwriting)
{
    struct custody_list empty;
    uint32_t have;
    for (uint64_t i = 0; i < PACKS; i++)
        cr_assert_eq(custody_store(&holder, i, 1), QN_ERR_EXISTS);
    custody_list_init(&empty, 1, NULL, 0); /* the same snapshot with no packs */
    cr_assert_eq(custody_put(&holder, &empty), QN_OK);
    cr_assert_not(qn_digest_eq(&empty.id, &backup.id));
    cr_assert_eq(custody_forget(&holder, &empty), QN_OK);
    empty.head = backup.head; /* another snapshot under the same head */
    empty.sealed.data[9] ^= 1;
    cr_assert_eq(custody_begin(&holder, &empty, &have), QN_ERR_SIGNATURE);
    empty.id = backup.id; /* other names for the same list */
    cr_assert_eq(custody_names(&holder, &backup, 0, PACKS), QN_ERR_STATE);
    custody_list_deinit(&empty);
    cr_safe_until_the_end(false);
}

Test(custody_attacks, a_list_that_never_ends_as_a_cover)
{
    struct custody_list list;
    uint32_t have;
    custody_list_init(&list, 7, (uint64_t[]){1, 2}, 2);
    cr_assert_eq(custody_begin(&holder, &list, &have), QN_OK);
    cr_assert_eq(custody_forget(&holder, &list), QN_OK);
    cr_assert_eq(custody_forget(&holder, &backup), QN_OK);
    custody_list_deinit(&list);
    cr_safe_until_the_end(true);
}

Test(custody_attacks, an_old_pack_that_is_named_again_is_locked_again)
{
    struct custody_list again;
    custody_pass(&holder, 28ull * DAY);
    custody_list_init(&again, 2, (uint64_t[]){3, 4}, 2);
    cr_assert_eq(custody_put(&holder, &again), QN_OK);
    cr_assert_eq(custody_forget(&holder, &again), QN_OK);
    cr_assert_eq(custody_forget(&holder, &backup), QN_OK);
    custody_pass(&holder, DAY);
    cr_assert_eq(custody_sweep_count(&holder), PACKS - 2);
    custody_pass(&holder, 29ull * DAY - 1);
    cr_assert_eq(custody_sweep_count(&holder), 0);
    cr_assert(custody_has(&holder, 3) && custody_has(&holder, 4));
    custody_pass(&holder, 1);
    cr_assert_eq(custody_sweep_count(&holder), 2);
    custody_list_deinit(&again);
}

Test(custody_attacks, a_flood)
{
    struct custody_list list;
    uint32_t have;
    uint64_t refused = 0;
    for (uint64_t i = 1000; i < 1400; i++) {
        enum qn_err err = custody_store(&holder, i, CUSTODY_PACK);
        cr_assert(err == QN_OK || err == QN_ERR_LIMIT);
        refused += err == QN_ERR_LIMIT;
    }
    cr_assert_gt(refused, 200);
    cr_assert_eq(custody_held(&holder).alarms, QN_HELD_ALARM_QUOTA);
    for (uint64_t i = 0; i < 20; i++) {
        custody_list_init(&list, 50 + i, (uint64_t[]){1}, 1);
        enum qn_err err = custody_begin(&holder, &list, &have);
        cr_assert(err == QN_OK || err == QN_ERR_LIMIT);
        custody_list_deinit(&list);
    }
    cr_assert_leq(custody_held(&holder).used_bytes, custody_held(&holder).quota_bytes);
    cr_safe_until_the_end(false);
}

Test(custody_attacks, a_flood_of_lists)
{
    cr_assert_eq(custody_agree(&holder, 1u << 30, 30, false), QN_OK);
    struct custody_list list;
    uint32_t have;
    struct qn_kv *kv = memkv_begin(holder.memkv);
    for (uint64_t i = 0; i < QN_HELD_LISTS_MAX - 1; i++) {
        custody_list_init(&list, 100 + i, NULL, 0);
        cr_assert_eq(
            qn_custody_list_begin(kv, &holder.owner, &list.head, qn_buf_view(&list.sealed), &have),
            QN_OK);
        custody_list_deinit(&list);
    }
    cr_assert_eq(memkv_commit(holder.memkv), QN_OK);
    custody_list_init(&list, 99, NULL, 0);
    cr_assert_eq(custody_begin(&holder, &list, &have), QN_ERR_LIMIT);
    cr_assert_eq(custody_held(&holder).alarms, QN_HELD_ALARM_QUOTA);
    custody_list_deinit(&list);
    cr_safe();
}

Test(custody_attacks, the_holders_wall_clock_moved_ten_years)
{
    cr_assert_eq(custody_forget(&holder, &backup), QN_OK);
    uint64_t now = custody_now(&holder), wall = holder.reading.wall_ms;
    for (int i = 0; i < 10; i++) {
        holder.reading.wall_ms = i % 2 == 0 ? wall + 10 * YEAR : wall - 10 * YEAR;
        custody_tick(&holder);
        cr_assert_eq(custody_now(&holder), now);
        cr_safe();
    }
    holder.reading.wall_ms = wall;
    cr_safe_until_the_end(true);
}

Test(custody_attacks, reboots_with_a_clock_that_runs_ahead)
{
    cr_assert_eq(custody_forget(&holder, &backup), QN_OK);
    uint64_t now = custody_now(&holder);
    for (uint8_t i = 0; i < 200; i++) {
        holder.reading.boot.bytes[1] = (uint8_t)(i + 1);
        holder.reading.boot_ms = 1000;
        holder.reading.wall_ms += YEAR;
        custody_tick(&holder);
        cr_assert_leq(custody_now(&holder), now + DAY + (i + 1) * 1000u);
        cr_safe();
    }
}

Test(custody_attacks, witnesses_that_lie_about_the_time)
{
    cr_assert_eq(custody_forget(&holder, &backup), QN_OK);
    uint64_t now = custody_now(&holder);
    holder.reading.witness_count = 10;
    for (int i = 1; i < 10; i++) {
        holder.reading.witness_ms = holder.reading.wall_ms + (uint64_t)i * YEAR;
        custody_tick(&holder);
        cr_assert_eq(custody_now(&holder), now);
    }
    cr_safe();
}

/* Everything that an owner can say, in one go, by somebody with all its keys. */
Test(custody_attacks, everything_at_once)
{
    struct custody_list other;
    cr_assert_eq(custody_forget(&holder, &backup), QN_OK);
    cr_assert_eq(custody_lease(&holder, 1), QN_OK);
    cr_assert_eq(custody_lease_end(&holder, 1), QN_OK);
    cr_assert_eq(custody_expect(&holder, 0), QN_OK);
    for (uint64_t i = 0; i < PACKS; i++) {
        custody_offer(&holder, i, CUSTODY_PACK, NULL);
        custody_store(&holder, i, CUSTODY_PACK + 1);
    }
    custody_list_init(&other, 1, (uint64_t[]){1}, 1);
    cr_assert_eq(custody_put(&holder, &other), QN_OK);
    cr_assert_eq(custody_forget(&holder, &other), QN_OK);
    struct qn_kv *kv = memkv_begin(holder.memkv);
    cr_assert_eq(qn_custody_unlinked(kv, &holder.owner, qn_buf_view(&backup.names)), QN_ERR_STATE);
    cr_assert_eq(memkv_commit(holder.memkv), QN_OK);
    cr_assert_eq(custody_agree(&holder, 0, 0, false), QN_OK);
    cr_assert_eq(custody_agree(&holder, 0, 0, true), QN_OK);
    custody_list_deinit(&other);
    cr_safe();
    custody_pass(&holder, 29ull * DAY - 1);
    cr_safe();
}
