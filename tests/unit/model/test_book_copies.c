/* What holders acknowledged, and what they are to be sent, against a recount after every step. */
#include <criterion/criterion.h>

#include "base/prng.h"
#include "model/book.h"
#include "model/fingerprint.h"
#include "support/memkv.h"

#define PACKS   60
#define HOLDERS 3
#define SIZE    1000

static struct memkv *memkv;
static struct qn_kv *kv;
static const struct qn_site_id holders[HOLDERS] = {{{1}}, {{2}}, {{3}}};

/* What the holders really have. */
static struct {
    uint64_t order[PACKS]; /* 0: not here */
    bool is_there[HOLDERS][PACKS];
    uint64_t last_order, count;
} truth;

static void setup(void)
{
    memset(&truth, 0, sizeof(truth));
    memkv = memkv_new();
    memkv_lend_strictly(memkv);
    kv = memkv_begin(memkv);
}

static void teardown(void)
{
    memkv_abort(memkv);
    memkv_free(memkv);
}

TestSuite(book_copies, .init = setup, .fini = teardown, .timeout = 300);

static struct qn_digest pack(uint64_t number)
{
    struct qn_digest name;
    QN_DIGEST(&name, QN_SPAN_OF(number));
    return name;
}

/* Sizes differ, so that a wrong one shows. */
static uint64_t size_of(uint64_t number)
{
    return SIZE + number;
}

static void add(uint64_t number)
{
    struct qn_digest name = pack(number);
    cr_assert_eq(qn_book_pack_add(kv, &name, size_of(number), 1), QN_OK);
    if (truth.order[number] == 0) {
        truth.order[number] = ++truth.last_order;
        truth.count++;
    }
}

static void drop(uint64_t number)
{
    struct qn_digest name = pack(number);
    cr_assert_eq(qn_book_pack_remove(kv, &name), QN_OK);
    truth.count -= truth.order[number] != 0;
    truth.order[number] = 0;
}

static void ack(size_t holder, uint64_t number)
{
    struct qn_digest name = pack(number);
    cr_assert_eq(qn_book_acked(kv, &holders[holder], &name, size_of(number), 5), QN_OK);
    truth.is_there[holder][number] = true;
}

static void lose(size_t holder, uint64_t number)
{
    struct qn_digest name = pack(number);
    cr_assert_eq(qn_book_lost(kv, &holders[holder], &name), QN_OK);
    truth.is_there[holder][number] = false;
}

/* The packs that a holder is to be sent, asked for in pieces. */
static size_t ask(size_t holder, size_t piece, struct qn_book_next *out)
{
    size_t total = 0;
    uint64_t after = 0;
    for (bool is_end = false; !is_end;) {
        size_t count;
        cr_assert_eq(qn_book_next_packs(kv, &holders[holder], after, piece, out + total, &count,
                                        &after, &is_end),
                     QN_OK);
        total += count;
        cr_assert_leq(total, PACKS);
    }
    return total;
}

static void audit_sending(size_t holder, size_t piece)
{
    struct qn_book_next next[PACKS + PACKS];
    size_t count = ask(holder, piece, next), expected = 0;
    for (uint64_t i = 0; i < PACKS; i++)
        expected += truth.order[i] != 0 && !truth.is_there[holder][i];
    cr_assert_eq(count, expected, "%zu to send, not %zu", count, expected);
    for (size_t i = 0; i < count; i++) {
        cr_assert(i == 0 || next[i].order > next[i - 1].order);
        size_t number = 0;
        while (number < PACKS && truth.order[number] != next[i].order)
            number++;
        struct qn_digest name = pack(number);
        cr_assert_lt(number, PACKS);
        cr_assert(qn_digest_eq(&name, &next[i].pack));
        cr_assert_eq(next[i].size, size_of(number));
        cr_assert_not(truth.is_there[holder][number]);
    }
}

static void audit(size_t holder, size_t piece)
{
    struct qn_copy copy, expected = {0};
    struct qn_own_totals totals;
    cr_assert_eq(qn_book_copy_get(kv, &holders[holder], &copy), QN_OK);
    cr_assert_eq(qn_book_totals(kv, &totals), QN_OK);
    for (uint64_t i = 0; i < PACKS; i++) {
        bool is_own = truth.order[i] != 0;
        expected.lost += is_own && truth.order[i] <= copy.frontier && !truth.is_there[holder][i];
        if (!truth.is_there[holder][i])
            continue;
        struct qn_digest name = pack(i), leaf;
        QN_DIGEST(&leaf, qn_digest_view(&name));
        qn_sum_add(expected.sum.bytes, leaf.bytes);
        expected.packs++;
        expected.bytes += size_of(i);
        expected.own_packs += is_own;
        expected.own_bytes += is_own ? size_of(i) : 0;
    }
    cr_assert_eq(totals.packs, truth.count);
    cr_assert_eq(copy.packs, expected.packs);
    cr_assert_eq(copy.bytes, expected.bytes);
    cr_assert_eq(copy.own_packs, expected.own_packs);
    cr_assert_eq(copy.own_bytes, expected.own_bytes);
    cr_assert_eq(copy.lost, expected.lost);
    cr_assert(qn_digest_eq(&copy.sum, &expected.sum));
    cr_assert_eq(qn_copy_missing_packs(&copy, &totals), truth.count - expected.own_packs);
    audit_sending(holder, piece);
}

Test(book_copies, packs_are_sent_in_the_order_in_which_they_were_made)
{
    struct qn_book_next next[PACKS];
    for (uint64_t i = 0; i < 10; i++)
        add(i);
    cr_assert_eq(ask(0, 3, next), 10);
    for (uint64_t i = 0; i < 10; i++)
        cr_assert_eq(next[i].order, i + 1);
    ack(0, 0);
    ack(0, 1);
    ack(0, 5);
    cr_assert_eq(ask(0, 3, next), 7);
    cr_assert_eq(next[0].order, 3);
    lose(0, 0); /* a scrub there found it bad */
    cr_assert_eq(ask(0, 3, next), 8);
    cr_assert_eq(next[0].order, 1);
    audit(0, 2);
}

static void unread(size_t holder, uint64_t number)
{
    struct qn_digest name = pack(number);
    cr_assert_eq(qn_book_unread(kv, &holders[holder], &name), QN_OK);
}

static uint64_t unread_count(size_t holder)
{
    uint64_t count;
    cr_assert_eq(qn_book_unread_count(kv, &holders[holder], &count), QN_OK);
    return count;
}

Test(book_copies, what_cannot_be_read_is_noted_until_it_is_there_or_gone)
{
    for (uint64_t i = 0; i < 4; i++)
        add(i);
    ack(0, 3);
    for (uint64_t i = 0; i < 6; i++) { /* one is there, two are not in the book */
        unread(0, i);
        unread(0, i);
    }
    cr_assert_eq(unread_count(0), 3);
    unread(1, 2); /* of which nothing was known before */
    ack(0, 0);
    cr_assert_eq(unread_count(0), 2);
    drop(2);
    cr_assert_eq(unread_count(0), 1);
    cr_assert_eq(unread_count(1), 0);
    audit(0, 2);
    audit(1, 2);
}

Test(book_copies, the_books_of_holders_equal_a_recount)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct qn_prng prng = {.state = seed};
        teardown();
        setup();
        for (int i = 0; i < 300; i++) {
            uint64_t number = qn_prng_below(&prng, PACKS);
            size_t holder = qn_prng_below(&prng, HOLDERS);
            switch (qn_prng_below(&prng, 8)) {
            case 0:
                drop(number);
                break;
            case 1:
                lose(holder, number);
                break;
            case 2:
            case 3:
                add(number);
                break;
            default:
                ack(holder, number);
                break;
            }
            audit(holder, 1 + qn_prng_below(&prng, 5));
        }
        for (size_t holder = 0; holder < HOLDERS; holder++)
            audit(holder, 7);
    }
}

Test(book_copies, a_size_that_a_holder_told_gives_way_to_the_own)
{
    struct qn_digest name = pack(1);
    struct qn_copy copy;
    struct qn_own_totals totals;
    cr_assert_eq(qn_book_acked(kv, &holders[0], &name, 7, 5), QN_OK);
    cr_assert_eq(qn_book_acked(kv, &holders[0], &name, 0, 5), QN_ERR_INVALID);
    cr_assert_eq(qn_book_pack_add(kv, &name, 100, 1), QN_OK);
    cr_assert_eq(qn_book_copy_get(kv, &holders[0], &copy), QN_OK);
    cr_assert_eq(copy.bytes, 100);
    cr_assert_eq(copy.own_bytes, 100);
    cr_assert_eq(qn_book_totals(kv, &totals), QN_OK);
    cr_assert_eq(qn_copy_missing_bytes(&copy, &totals), 0);
    cr_assert_eq(qn_book_lost(kv, &holders[0], &name), QN_OK);
    cr_assert_eq(qn_book_copy_get(kv, &holders[0], &copy), QN_OK);
    cr_assert_eq(copy.bytes, 0);
}

Test(book_copies, names_come_in_pages)
{
    struct qn_digest page[7], last = {0};
    size_t count, total = 0;
    for (uint64_t i = 0; i < 30; i++) {
        add(i);
        ack(0, i);
        ack(1, i / 2);
    }
    for (bool is_end = false; !is_end; total += count) {
        cr_assert_eq(
            qn_book_names(kv, &holders[0], total == 0 ? NULL : &last, 7, page, &count, &is_end),
            QN_OK);
        for (size_t i = 0; i < count; i++) {
            cr_assert(memcmp(page[i].bytes, last.bytes, 32) > 0);
            last = page[i];
        }
    }
    cr_assert_eq(total, 30);
}

/* ---- snapshots at holders ---- */

static struct qn_own_snap snapshot(uint64_t number, uint64_t list)
{
    struct qn_own_snap snap = {.name = pack(1000 + number), .names = pack(2000 + list)};
    snap.name_count = 1;
    cr_assert_eq(qn_book_snap_put(kv, &snap), QN_OK);
    cr_assert_eq(qn_book_snap_get(kv, &snap.name, &snap), QN_OK);
    return snap;
}

static struct qn_list_head head_of(const struct qn_own_snap *snap)
{
    return (struct qn_list_head){
        .snapshot = snap->name, .names = snap->names, .name_count = snap->name_count};
}

static void ack_list(size_t holder, const struct qn_own_snap *snap)
{
    struct qn_list_head head = head_of(snap);
    cr_assert_eq(qn_book_list_acked(kv, &holders[holder], &head, 9), QN_OK);
}

static enum qn_copy_state state_of(size_t holder, const struct qn_own_snap *snap)
{
    enum qn_copy_state state;
    cr_assert_eq(qn_book_copy_state(kv, &holders[holder], snap, &state), QN_OK);
    return state;
}

static bool is_forgotten_next(size_t holder, const struct qn_own_snap *snap)
{
    struct qn_list_head head = head_of(snap);
    struct qn_digest expected, list, after;
    qn_list_id(&head, &expected);
    enum qn_err err = qn_book_next_forget(kv, &holders[holder], NULL, &list);
    for (; err == QN_OK; err = qn_book_next_forget(kv, &holders[holder], &after, &list)) {
        if (qn_digest_eq(&list, &expected))
            return true;
        after = list;
    }
    cr_assert_eq(err, QN_ERR_NOTFOUND);
    return false;
}

Test(book_copies, a_snapshot_is_complete_when_packs_and_list_are_acknowledged)
{
    add(0);
    add(1);
    struct qn_own_snap snap = snapshot(1, 1), found;
    uint64_t after;
    add(2); /* made later: it does not matter to this snapshot */
    cr_assert_eq(state_of(0, &snap), QN_COPY_SENDING);
    ack(0, 1);
    cr_assert_eq(state_of(0, &snap), QN_COPY_SENDING);
    cr_assert_eq(qn_book_next_list(kv, &holders[0], 0, &after, &found), QN_ERR_NOTFOUND);
    ack(0, 0);
    cr_assert_eq(state_of(0, &snap), QN_COPY_PACKS);
    cr_assert_eq(qn_book_next_list(kv, &holders[0], 0, &after, &found), QN_OK);
    cr_assert(qn_digest_eq(&found.name, &snap.name));
    cr_assert_eq(after, 1);
    ack_list(0, &snap);
    cr_assert_eq(state_of(0, &snap), QN_COPY_COMPLETE);
    cr_assert_eq(qn_book_next_list(kv, &holders[0], 0, &after, &found), QN_ERR_NOTFOUND);
    lose(0, 1);
    cr_assert_eq(state_of(0, &snap), QN_COPY_SENDING);
    ack(0, 1);
    cr_assert_eq(state_of(0, &snap), QN_COPY_COMPLETE);
    ack(0, 2);
    lose(0, 2);
    cr_assert_eq(state_of(0, &snap), QN_COPY_COMPLETE, "a later pack is missing");
    cr_assert_eq(state_of(1, &snap), QN_COPY_SENDING);
}

Test(book_copies, packs_that_are_gone_here_are_not_waited_for)
{
    add(0);
    add(1);
    add(2);
    struct qn_own_snap snap = snapshot(1, 1);
    ack(0, 0);
    drop(1);
    cr_assert_eq(state_of(0, &snap), QN_COPY_SENDING);
    drop(2);
    cr_assert_eq(state_of(0, &snap), QN_COPY_PACKS);
}

Test(book_copies, a_list_is_forgotten_after_its_snapshot)
{
    add(0);
    struct qn_own_snap snap = snapshot(1, 1);
    struct qn_list_head head = head_of(&snap);
    struct qn_digest list;
    struct qn_copy copy;
    qn_list_id(&head, &list);
    ack(0, 0);
    ack_list(0, &snap);
    ack_list(0, &snap);
    cr_assert_eq(qn_book_copy_get(kv, &holders[0], &copy), QN_OK);
    cr_assert_eq(copy.lists, 1);
    cr_assert_not(is_forgotten_next(0, &snap));
    cr_assert_eq(qn_book_snap_remove(kv, &snap.name), QN_OK);
    cr_assert(is_forgotten_next(0, &snap));
    cr_assert_eq(qn_book_forgotten(kv, &holders[0], &list), QN_OK);
    cr_assert_not(is_forgotten_next(0, &snap));
    cr_assert_eq(qn_book_copy_get(kv, &holders[0], &copy), QN_OK);
    cr_assert_eq(copy.lists, 0);
    ack_list(0, &snap); /* it was on its way */
    cr_assert(is_forgotten_next(0, &snap));
}

Test(book_copies, an_old_list_is_forgotten_after_the_new_one_is_there)
{
    add(0);
    struct qn_own_snap old = snapshot(1, 1);
    ack(0, 0);
    ack_list(0, &old);
    add(1);
    struct qn_own_snap relisted = snapshot(1, 2);
    cr_assert_eq(relisted.number, old.number);
    cr_assert_eq(relisted.order, 2);
    cr_assert_not(is_forgotten_next(0, &old), "nothing else holds the packs yet");
    cr_assert_eq(state_of(0, &relisted), QN_COPY_SENDING);
    ack(0, 1);
    cr_assert_eq(state_of(0, &relisted), QN_COPY_PACKS);
    cr_assert_not(is_forgotten_next(0, &old));
    ack_list(0, &relisted);
    cr_assert(is_forgotten_next(0, &old));
    cr_assert_not(is_forgotten_next(0, &relisted));
    relisted = snapshot(1, 1); /* and back */
    cr_assert_not(is_forgotten_next(0, &old));
    cr_assert(is_forgotten_next(
        0, &(struct qn_own_snap){.name = old.name, .names = pack(2002), .name_count = 1}));
}

Test(book_copies, a_list_whose_answer_was_lost_is_forgotten_too)
{
    add(0);
    struct qn_own_snap snap = snapshot(1, 1);
    ack(0, 0);
    cr_assert_eq(qn_book_snap_remove(kv, &snap.name), QN_OK);
    cr_assert(is_forgotten_next(0, &snap));
}

Test(book_copies, a_holder_is_forgotten_in_steps)
{
    bool is_end = false;
    int steps = 0;
    for (uint64_t i = 0; i < 30; i++) {
        add(i);
        ack(0, i);
        ack(1, i);
    }
    struct qn_own_snap snap = snapshot(1, 1);
    ack_list(0, &snap);
    lose(0, 3);
    for (; !is_end; steps++)
        cr_assert_eq(qn_book_copy_drop(kv, &holders[0], 10, &is_end), QN_OK);
    cr_assert_eq(steps, 4);
    memset(truth.is_there[0], 0, sizeof(truth.is_there[0]));
    audit(0, 5);
    audit(1, 5);
}

/* ---- challenging ---- */

Test(book_copies, what_is_there_comes_in_the_order_in_which_it_was_made)
{
    struct qn_book_next next[4];
    uint64_t after = 0, last = 0;
    size_t total = 0;
    for (uint64_t i = 0; i < 30; i++) {
        add(i);
        if (i % 3 != 0)
            ack(0, i);
    }
    ack(0, 40); /* not here: it cannot be compared */
    drop(7);
    for (bool is_end = false; !is_end;) {
        size_t count;
        cr_assert_eq(qn_book_next_acked(kv, &holders[0], after, 4, next, &count, &after, &is_end),
                     QN_OK);
        for (size_t i = 0; i < count; i++) {
            cr_assert_gt(next[i].order, last);
            cr_assert_neq((next[i].order - 1) % 3, 0);
            cr_assert_eq(next[i].size, size_of(next[i].order - 1));
            last = next[i].order;
        }
        total += count;
    }
    cr_assert_eq(total, 19);
    audit(0, 5);
}

Test(book_copies, a_proof_is_remembered_beside_what_is_there)
{
    struct qn_proof proof = {.verified_ms = 1, .ended_ms = 2, .started_ms = 3, .at = 4, .bad = 5};
    struct qn_proof back;
    bool is_end = false;
    cr_assert_eq(qn_book_proof_get(kv, &holders[0], &back), QN_OK);
    cr_assert_eq(back.verified_ms, 0);
    cr_assert_eq(qn_book_proof_put(kv, &holders[0], &proof), QN_ERR_NOTFOUND);
    for (uint64_t i = 0; i < 3; i++) {
        add(i);
        ack(0, i);
        ack(1, i);
    }
    cr_assert_eq(qn_book_proof_put(kv, &holders[0], &proof), QN_OK);
    cr_assert_eq(qn_book_proof_get(kv, &holders[0], &back), QN_OK);
    cr_assert_eq(memcmp(&back, &proof, sizeof(back)), 0);
    add(3);
    lose(0, 1);
    for (size_t holder = 0; holder < HOLDERS; holder++)
        audit(holder, 5);
    while (!is_end)
        cr_assert_eq(qn_book_copy_drop(kv, &holders[0], 10, &is_end), QN_OK);
    cr_assert_eq(qn_book_proof_get(kv, &holders[0], &back), QN_OK);
    cr_assert_eq(back.verified_ms, 0);
}

Test(book_copies, lists_are_summed_and_come_in_pages)
{
    struct qn_digest sum, expected = {0}, page[4], last = {0};
    size_t total = 0, count;
    cr_assert_eq(qn_book_list_sum(kv, &holders[0], &sum), QN_OK);
    cr_assert(qn_digest_eq(&sum, &expected));
    for (uint64_t i = 0; i < 150; i++) {
        struct qn_own_snap snap = snapshot(i, i);
        struct qn_list_head head = head_of(&snap);
        struct qn_digest list, leaf;
        ack_list(0, &snap);
        qn_list_id(&head, &list);
        QN_DIGEST(&leaf, qn_digest_view(&list));
        qn_sum_add(expected.bytes, leaf.bytes);
    }
    ack(0, 1);
    cr_assert_eq(qn_book_list_sum(kv, &holders[0], &sum), QN_OK);
    cr_assert(qn_digest_eq(&sum, &expected));
    for (bool is_end = false; !is_end; total += count) {
        cr_assert_eq(
            qn_book_lists(kv, &holders[0], total == 0 ? NULL : &last, 4, page, &count, &is_end),
            QN_OK);
        if (count > 0)
            last = page[count - 1];
    }
    cr_assert_eq(total, 150);
}
