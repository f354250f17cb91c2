/* Lists and what they hold (model/custody.h). */
#include <criterion/criterion.h>

#include "support/custody_world.h"

#define QUOTA 100000000u
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

TestSuite(custody_lists, .init = setup, .fini = teardown, .timeout = 300);

static void store(uint64_t from, uint64_t to)
{
    custody_store_range(&holder, from, to, 10);
}

static void list_of(struct custody_list *list, uint64_t snapshot, uint64_t from, uint64_t to)
{
    uint64_t packs[2000];
    for (uint64_t i = from; i < to; i++)
        packs[i - from] = i;
    custody_list_init(list, snapshot, packs, to - from);
}

static struct qn_held_list row_of(const struct custody_list *list)
{
    struct qn_held_list row;
    cr_assert_eq(qn_held_list_get(memkv_reader(holder.memkv), &holder.owner, &list->id, &row),
                 QN_OK);
    return row;
}

Test(custody_lists, a_list_is_whole_when_all_its_packs_are_here)
{
    struct custody_list list;
    size_t missing;
    list_of(&list, 1, 0, 10);
    store(0, 7);
    cr_assert_eq(custody_put(&holder, &list), QN_ERR_HELD);
    cr_assert_eq(custody_finish(&holder, &list, &missing), QN_ERR_HELD);
    cr_assert_eq(missing, 3);
    cr_assert_not(row_of(&list).is_whole);
    cr_assert_eq(custody_held(&holder).snapshot_lock_ms, 0);
    store(7, 10);
    custody_pass(&holder, DAY);
    cr_assert_eq(custody_finish(&holder, &list, &missing), QN_OK);
    cr_assert_eq(missing, 0);
    struct qn_held_list row = row_of(&list);
    cr_assert(row.is_whole);
    cr_assert_eq(row.locked_until_ms, custody_now(&holder) + 30ull * DAY);
    cr_assert_eq(row.received_wall_ms, holder.reading.wall_ms);
    cr_assert_eq(custody_held(&holder).list_count, 1);
    custody_list_deinit(&list);
}

Test(custody_lists, a_large_list_comes_in_pieces_and_goes_on_after_a_cut)
{
    struct custody_list list;
    uint32_t have;
    store(0, 600);
    list_of(&list, 1, 0, 600);
    cr_assert_eq(custody_begin(&holder, &list, &have), QN_OK);
    cr_assert_eq(have, 0);
    cr_assert_eq(custody_names(&holder, &list, 0, 100), QN_ERR_INVALID, "not full chunks");
    cr_assert_eq(custody_names(&holder, &list, 0, 256), QN_OK);
    cr_assert_eq(custody_names(&holder, &list, 0, 256), QN_ERR_STATE, "there already");
    cr_assert_eq(custody_names(&holder, &list, 512, 88), QN_ERR_STATE, "a gap");
    cr_assert_eq(custody_finish(&holder, &list, NULL), QN_ERR_STATE, "not all names");
    cr_assert_eq(custody_begin(&holder, &list, &have), QN_OK);
    cr_assert_eq(have, 256);
    cr_assert_eq(custody_names(&holder, &list, 256, 344), QN_OK);
    cr_assert_eq(custody_finish(&holder, &list, NULL), QN_OK);
    cr_assert_eq(custody_names(&holder, &list, 600, 0), QN_ERR_STATE, "whole");
    QN_AUTO_BUF struct qn_buf names;
    qn_buf_init(&names, 1u << 20);
    struct qn_digest after;
    struct qn_kv *kv = memkv_reader(holder.memkv);
    cr_assert_eq(qn_held_list_names(kv, &holder.owner, &list.id, NULL, 333, &names), QN_OK);
    memcpy(after.bytes, names.data + 332 * 32, 32);
    cr_assert_eq(qn_held_list_names(kv, &holder.owner, &list.id, &after, 1000, &names), QN_OK);
    cr_assert(qn_span_eq(qn_buf_view(&names), qn_buf_view(&list.names)));
    struct qn_span sealed;
    cr_assert_eq(qn_held_list_sealed(kv, &holder.owner, &list.id, &sealed), QN_OK);
    cr_assert(qn_span_eq(sealed, qn_buf_view(&list.sealed)));
    custody_list_deinit(&list);
}

Test(custody_lists, names_ascend_and_hash_to_what_was_signed)
{
    struct custody_list list, other;
    uint32_t have;
    store(0, 4);
    list_of(&list, 1, 0, 3);
    list_of(&other, 1, 1, 4);
    cr_assert_eq(custody_begin(&holder, &list, &have), QN_OK);
    memcpy(other.names.data, other.names.data + 32, 32); /* twice the same */
    other.id = list.id;
    cr_assert_eq(custody_names(&holder, &other, 0, 3), QN_ERR_INVALID);
    custody_list_deinit(&other);
    list_of(&other, 1, 1, 4);
    other.id = list.id;
    cr_assert_eq(custody_names(&holder, &other, 0, 3), QN_OK);
    cr_assert_eq(custody_finish(&holder, &list, NULL), QN_ERR_SIGNATURE);
    struct qn_held_list row;
    cr_assert_eq(qn_held_list_get(memkv_reader(holder.memkv), &holder.owner, &list.id, &row),
                 QN_ERR_NOTFOUND);
    cr_assert_eq(custody_held(&holder).list_count, 0);
    cr_assert_eq(memkv_count(holder.memkv, QN_TABLE_HELD_LIST), 0);
    custody_list_deinit(&other);
    custody_list_deinit(&list);
}

Test(custody_lists, a_snapshot_hashes_to_its_name)
{
    struct custody_list list;
    uint32_t have;
    list_of(&list, 1, 0, 0);
    list.sealed.data[50] ^= 1;
    cr_assert_eq(custody_begin(&holder, &list, &have), QN_ERR_SIGNATURE);
    list.sealed.size = 0;
    cr_assert_eq(custody_begin(&holder, &list, &have), QN_ERR_SIGNATURE);
    list.head.name_count = QN_HELD_LIST_NAMES_MAX + 1;
    cr_assert_eq(custody_begin(&holder, &list, &have), QN_ERR_INVALID);
    cr_assert_eq(memkv_count(holder.memkv, QN_TABLE_HELD_LIST), 0);
    custody_list_deinit(&list);
}

Test(custody_lists, lists_cost_quota)
{
    struct custody_list list;
    uint32_t have;
    cr_assert_eq(custody_agree(&holder, 10 * 10 + 100 + 10 * 32 - 1, 30, false), QN_OK);
    store(0, 10);
    list_of(&list, 1, 0, 10);
    cr_assert_eq(custody_begin(&holder, &list, &have), QN_ERR_LIMIT);
    cr_assert_eq(custody_held(&holder).alarms, QN_HELD_ALARM_QUOTA);
    cr_assert_eq(custody_agree(&holder, 10 * 10 + 100 + 10 * 32, 30, false), QN_OK);
    cr_assert_eq(custody_put(&holder, &list), QN_OK);
    cr_assert_eq(custody_held(&holder).alarms, 0, "a whole backup calms it");
    custody_list_deinit(&list);
}

Test(custody_lists, a_list_that_never_becomes_whole_goes_after_a_month)
{
    struct custody_list list;
    uint32_t have;
    list_of(&list, 1, 0, 300);
    cr_assert_eq(custody_begin(&holder, &list, &have), QN_OK);
    cr_assert_eq(custody_names(&holder, &list, 0, 256), QN_OK);
    custody_pass(&holder, 30ull * DAY - 1);
    cr_assert_eq(custody_sweep_count(&holder), 0);
    cr_assert_eq(custody_held(&holder).list_count, 1);
    custody_pass(&holder, 1);
    cr_assert_eq(custody_sweep_count(&holder), 0);
    cr_assert_eq(custody_held(&holder).list_count, 0);
    cr_assert_eq(custody_held(&holder).used_bytes, 0);
    custody_list_deinit(&list);
}

Test(custody_lists, forgetting_an_arriving_list_drops_it)
{
    struct custody_list list;
    uint32_t have;
    list_of(&list, 1, 0, 300);
    cr_assert_eq(custody_begin(&holder, &list, &have), QN_OK);
    cr_assert_eq(custody_names(&holder, &list, 0, 256), QN_OK);
    cr_assert_eq(custody_forget(&holder, &list), QN_OK);
    cr_assert_eq(memkv_count(holder.memkv, QN_TABLE_HELD_LIST), 0);
    cr_assert_eq(custody_forget(&holder, &list), QN_OK);
    custody_list_deinit(&list);
}

Test(custody_lists, a_pack_lives_as_long_as_any_list_wants_it)
{
    struct custody_list a, b;
    store(0, 20);
    list_of(&a, 1, 0, 15);
    list_of(&b, 2, 10, 20);
    cr_assert_eq(custody_put(&holder, &a), QN_OK);
    custody_pass(&holder, 10ull * DAY);
    cr_assert_eq(custody_put(&holder, &b), QN_OK);
    cr_assert_eq(custody_forget(&holder, &a), QN_OK);
    custody_pass(&holder, 20ull * DAY - 1);
    cr_assert_eq(custody_sweep_count(&holder), 0);
    custody_pass(&holder, 1);
    cr_assert_eq(custody_sweep_count(&holder), 10);
    for (uint64_t i = 0; i < 20; i++)
        cr_assert_eq(custody_has(&holder, i), i >= 10);
    custody_pass(&holder, 1000ull * DAY);
    cr_assert_eq(custody_sweep_count(&holder), 0, "not forgotten, not gone");
    cr_assert_eq(custody_forget(&holder, &b), QN_OK);
    cr_assert_eq(custody_sweep_count(&holder), 10);
    cr_assert_eq(memkv_count(holder.memkv, QN_TABLE_HELD_PACK), 0);
    cr_assert_eq(memkv_count(holder.memkv, QN_TABLE_HELD_LIST), 0);
    cr_assert_eq(custody_held(&holder).used_bytes, 0);
    custody_list_deinit(&a);
    custody_list_deinit(&b);
}

Test(custody_lists, until_when_a_pack_is_held_can_be_asked)
{
    struct custody_list a, b;
    struct qn_digest name = custody_pack(2);
    uint64_t until_ms;
    struct qn_kv *kv;
    store(0, 3);
    list_of(&a, 1, 0, 3);
    list_of(&b, 2, 0, 2);
    uint64_t start = custody_now(&holder);
    cr_assert_eq(custody_put(&holder, &a), QN_OK);
    cr_assert_eq(custody_put(&holder, &b), QN_OK);
    kv = memkv_reader(holder.memkv);
    cr_assert_eq(qn_held_pack_until(kv, &holder.owner, &name, &until_ms), QN_OK);
    cr_assert_eq(until_ms, UINT64_MAX);
    custody_pass(&holder, DAY);
    cr_assert_eq(custody_put(&holder, &a), QN_OK);
    cr_assert_eq(custody_forget(&holder, &a), QN_OK);
    kv = memkv_reader(holder.memkv);
    cr_assert_eq(qn_held_pack_until(kv, &holder.owner, &name, &until_ms), QN_OK);
    cr_assert_eq(until_ms, start + 31ull * DAY);
    custody_list_deinit(&a);
    custody_list_deinit(&b);
}

Test(custody_lists, a_forgotten_list_that_comes_again_counts_again)
{
    struct custody_list list;
    store(0, 3);
    list_of(&list, 1, 0, 3);
    cr_assert_eq(custody_put(&holder, &list), QN_OK);
    cr_assert_eq(custody_forget(&holder, &list), QN_OK);
    custody_pass(&holder, 14ull * DAY);
    cr_assert_eq(custody_put(&holder, &list), QN_OK);
    custody_pass(&holder, 1000ull * DAY);
    cr_assert_eq(custody_sweep_count(&holder), 0);
    cr_assert_not(row_of(&list).is_forgotten);
    custody_list_deinit(&list);
}

Test(custody_lists, what_was_swept_comes_out_again_until_its_file_is_gone)
{
    QN_AUTO_BUF struct qn_buf first = {0}, second = {0};
    cr_assert_eq(custody_agree(&holder, QUOTA, 0, false), QN_OK);
    store(0, 20);
    custody_pass(&holder, 1);
    cr_assert_eq(custody_sweep(&holder, 3, false, &first), 20);
    cr_assert_eq(custody_held(&holder).pack_count, 0);
    cr_assert_eq(custody_offer(&holder, 4, 10, NULL), QN_OFFER_LATER);
    cr_assert_eq(custody_store(&holder, 4, 10), QN_ERR_BUSY);
    cr_assert_eq(custody_scrubbed(&holder, 4, true), QN_ERR_BUSY);
    cr_assert_eq(custody_sweep(&holder, 1000, true, &second), 20);
    cr_assert(qn_span_eq(qn_buf_view(&first), qn_buf_view(&second)));
    cr_assert_eq(custody_offer(&holder, 4, 10, NULL), QN_OFFER_WANTED);
    cr_assert_eq(custody_store(&holder, 4, 10), QN_OK);
}

Test(custody_lists, only_condemned_packs_can_be_said_to_be_gone)
{
    store(0, 1);
    struct qn_digest names[] = {custody_pack(9), custody_pack(0)};
    struct qn_kv *kv = memkv_begin(holder.memkv);
    cr_assert_eq(qn_custody_unlinked(kv, &holder.owner, qn_span(names, sizeof(names))),
                 QN_ERR_STATE);
    cr_assert_eq(qn_custody_unlinked(kv, &holder.owner, qn_span(names, 31)), QN_ERR_INVALID);
    cr_assert_eq(qn_custody_unlinked(kv, &holder.owner, qn_span(names, 32)), QN_OK);
    memkv_abort(holder.memkv);
}

Test(custody_lists, a_list_that_names_a_condemned_pack_waits_for_it)
{
    struct custody_list list;
    QN_AUTO_BUF struct qn_buf unlink = {0};
    cr_assert_eq(custody_agree(&holder, QUOTA, 0, false), QN_OK);
    store(0, 3);
    list_of(&list, 1, 0, 3);
    custody_pass(&holder, 1);
    cr_assert_eq(custody_sweep(&holder, 10, false, &unlink), 3);
    cr_assert_eq(custody_put(&holder, &list), QN_ERR_HELD);
    custody_list_deinit(&list);
}

Test(custody_lists, lists_are_walked_by_id)
{
    struct custody_list lists[20];
    struct qn_held_list row;
    struct qn_digest after = {0};
    for (uint64_t i = 0; i < 20; i++) {
        list_of(&lists[i], i, 0, 0);
        cr_assert_eq(custody_put(&holder, &lists[i]), QN_OK);
    }
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(qn_held_list_next(memkv_reader(holder.memkv), &holder.owner,
                                       i == 0 ? NULL : &after, &row),
                     QN_OK);
        cr_assert(i == 0 || memcmp(row.id.bytes, after.bytes, 32) > 0);
        after = row.id;
    }
    cr_assert_eq(qn_held_list_next(memkv_reader(holder.memkv), &holder.owner, &after, &row),
                 QN_ERR_NOTFOUND);
    for (int i = 0; i < 20; i++)
        custody_list_deinit(&lists[i]);
}

Test(custody_lists, a_sweep_drops_many_lists_over_its_steps)
{
    struct custody_list lists[30];
    store(0, 60);
    for (uint64_t i = 0; i < 30; i++) {
        list_of(&lists[i], i, 2 * i, 2 * i + 2);
        cr_assert_eq(custody_put(&holder, &lists[i]), QN_OK);
        cr_assert_eq(custody_forget(&holder, &lists[i]), QN_OK);
    }
    custody_pass(&holder, 30ull * DAY);
    cr_assert_eq(custody_sweep_count(&holder), 60);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(custody_sweep_count(&holder), 0);
    cr_assert_eq(custody_held(&holder).list_count, 0);
    for (int i = 0; i < 30; i++)
        custody_list_deinit(&lists[i]);
}

/* Every third pack is in one list, over several chunks of names; steps of all sizes. */
Test(custody_lists, a_sweep_reads_lists_over_their_chunks)
{
    static uint64_t packs[700];
    struct custody_list list;
    cr_assert_eq(custody_agree(&holder, QUOTA, 0, false), QN_OK);
    static const size_t steps[] = {50, 377, QN_HELD_SWEEP_PACKS_MAX};
    for (size_t round = 0; round < 3; round++) {
        size_t step = steps[round];
        QN_AUTO_BUF struct qn_buf out = {0};
        store(0, 2100);
        for (uint64_t i = 0; i < 700; i++)
            packs[i] = 3 * i;
        custody_list_init(&list, step, packs, 700);
        cr_assert_eq(custody_put(&holder, &list), QN_OK);
        custody_pass(&holder, 1);
        cr_assert_eq(custody_sweep(&holder, step, true, &out), 1400, "step %zu", step);
        for (uint64_t i = 0; i < 2100; i++)
            cr_assert_eq(custody_has(&holder, i), i % 3 == 0);
        cr_assert_eq(custody_forget(&holder, &list), QN_OK);
        custody_list_deinit(&list);
    }
}
