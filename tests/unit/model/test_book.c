/* Plans, own packs and snapshots (model/book.h). */
#include <criterion/criterion.h>
#include <stdio.h>

#include "model/book.h"
#include "model/book_impl.h"
#include "proto/pack.h"
#include "support/memkv.h"

static struct memkv *memkv;
static struct qn_kv *kv;

static void setup(void)
{
    memkv = memkv_new();
    memkv_lend_strictly(memkv);
    kv = memkv_begin(memkv);
}

static void teardown(void)
{
    memkv_abort(memkv);
    memkv_free(memkv);
}

TestSuite(book, .init = setup, .fini = teardown);

static struct qn_digest digest(uint8_t kind, uint64_t number)
{
    struct qn_digest name;
    QN_DIGEST(&name, QN_SPAN_OF(kind), QN_SPAN_OF(number));
    return name;
}

/* ---- plans ---- */

static void plan_init(struct qn_plan *plan, const char *name)
{
    *plan = (struct qn_plan){.name = qn_span_str(name),
                             .schedule = qn_span_str("daily 02:00"),
                             .keep = qn_span_str("7d,5w"),
                             .lock_days = 30,
                             .created_ms = 5};
    qn_vec_push(&plan->paths, qn_span_str("/home"));
    qn_vec_push(&plan->paths, qn_span("/srv/\xff\xfe", 7));
    qn_vec_push(&plan->excludes, qn_span_str("*.tmp"));
    for (uint8_t i = 1; i <= 3; i++)
        qn_vec_push(&plan->copies, ((struct qn_site_id){{i}}));
}

static enum qn_err put_plan(const struct qn_plan *plan)
{
    QN_AUTO_BUF struct qn_buf packed;
    qn_buf_init(&packed, 4 * QN_PLAN_SIZE_MAX);
    qn_plan_pack(plan, &packed);
    return qn_book_plan_put(kv, qn_buf_view(&packed));
}

static void add_plan(const char *name)
{
    struct qn_plan plan;
    plan_init(&plan, name);
    cr_assert_eq(put_plan(&plan), QN_OK);
    qn_plan_deinit(&plan);
}

Test(book, a_plan_comes_back_as_it_was)
{
    struct qn_plan plan, back;
    struct qn_span packed;
    plan_init(&plan, "nuit");
    cr_assert_eq(put_plan(&plan), QN_OK);
    cr_assert_eq(qn_book_plan_get(kv, plan.name, &packed), QN_OK);
    cr_assert_eq(qn_plan_unpack(packed, &back), QN_OK);
    cr_assert(qn_span_eq(back.name, plan.name));
    cr_assert_eq(back.paths.count, 2);
    cr_assert(qn_span_eq(back.paths.items[1], plan.paths.items[1]));
    cr_assert_eq(back.excludes.count, 1);
    cr_assert(qn_span_eq(back.schedule, plan.schedule));
    cr_assert(qn_span_eq(back.keep, plan.keep));
    cr_assert_eq(back.copies.count, 3);
    cr_assert_eq(back.lock_days, 30);
    cr_assert_eq(back.created_ms, 5);
    for (size_t size = 0; size < packed.size; size++) {
        struct qn_plan cut;
        cr_assert_neq(qn_plan_unpack(qn_span(packed.data, size), &cut), QN_OK);
    }
    qn_plan_deinit(&plan);
    qn_plan_deinit(&back);
}

Test(book, a_plan_that_makes_no_sense_is_refused)
{
    struct qn_plan plan;
    plan_init(&plan, "a/b");
    cr_assert_eq(put_plan(&plan), QN_ERR_INVALID);
    plan.name = qn_span_str("ok");
    plan.paths.items[0] = qn_span_str("relative");
    cr_assert_eq(put_plan(&plan), QN_ERR_INVALID);
    plan.paths.items[0] = qn_span("/a\0b", 4);
    cr_assert_eq(put_plan(&plan), QN_ERR_INVALID);
    plan.paths.items[0] = qn_span_str("");
    cr_assert_eq(put_plan(&plan), QN_ERR_INVALID);
    plan.paths.items[0] = qn_span_str("/");
    plan.lock_days = QN_LOCK_DAYS_MAX + 1;
    cr_assert_eq(put_plan(&plan), QN_ERR_LIMIT);
    plan.lock_days = 1;
    plan.copies.items[2] = plan.copies.items[1];
    cr_assert_eq(put_plan(&plan), QN_ERR_INVALID);
    plan.copies.count = 2;
    cr_assert_eq(put_plan(&plan), QN_OK);
    qn_plan_deinit(&plan);
}

Test(book, plans_have_limits)
{
    struct qn_plan plan;
    static uint8_t text[QN_PLAN_PATH_SIZE_MAX + 1];
    memset(text, '/', sizeof(text));
    plan_init(&plan, "big");
    plan.paths.items[0] = qn_span(text, sizeof(text));
    cr_assert_eq(put_plan(&plan), QN_ERR_LIMIT);
    plan.paths.items[0] = qn_span(text, 10);
    for (size_t i = 0; i < QN_PLAN_EXCLUDES_MAX; i++)
        qn_vec_push(&plan.excludes, qn_span(text, 400));
    plan.excludes.count = QN_PLAN_EXCLUDES_MAX;
    cr_assert_eq(put_plan(&plan), QN_ERR_LIMIT, "in all");
    plan.excludes.count = 0;
    cr_assert_eq(put_plan(&plan), QN_OK);
    qn_plan_deinit(&plan);
    for (int i = 1; i < QN_PLANS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "p%d", i);
        add_plan(name);
    }
    plan_init(&plan, "one-more");
    cr_assert_eq(put_plan(&plan), QN_ERR_LIMIT);
    plan.name = qn_span_str("p7");
    cr_assert_eq(put_plan(&plan), QN_OK, "replaced, not added");
    qn_plan_deinit(&plan);
}

Test(book, plans_are_walked_and_removed_with_their_runs)
{
    struct qn_span packed;
    struct qn_plan plan = {0};
    struct qn_plan_runs runs;
    add_plan("b");
    add_plan("a");
    add_plan("ab");
    cr_assert_eq(qn_book_started(kv, qn_span_str("ab"), 77), QN_OK);
    const char *expected[] = {"a", "ab", "b"};
    char last[64] = "";
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(qn_book_plan_next(kv, qn_span_str(last), &packed), QN_OK);
        cr_assert_eq(qn_plan_unpack(packed, &plan), QN_OK);
        cr_assert(qn_span_eq_str(plan.name, expected[i]));
        memcpy(last, plan.name.data, plan.name.size);
        last[plan.name.size] = 0;
        qn_plan_deinit(&plan);
    }
    cr_assert_eq(qn_book_plan_next(kv, qn_span_str(last), &packed), QN_ERR_NOTFOUND);
    cr_assert_eq(qn_book_plan_remove(kv, qn_span_str("ab")), QN_OK);
    cr_assert_eq(qn_book_plan_remove(kv, qn_span_str("ab")), QN_ERR_NOTFOUND);
    cr_assert_eq(qn_book_runs_get(kv, qn_span_str("ab"), &runs), QN_ERR_NOTFOUND);
    add_plan("ab");
    cr_assert_eq(qn_book_runs_get(kv, qn_span_str("ab"), &runs), QN_OK);
    cr_assert_eq(runs.start_ms, 0);
    cr_assert_eq(qn_book_started(kv, qn_span_str("none"), 1), QN_ERR_NOTFOUND);
    static char name[400];
    memset(name, 'x', sizeof(name));
    cr_assert_eq(qn_book_plan_get(kv, qn_span(name, sizeof(name)), &packed), QN_ERR_NOTFOUND);
    cr_assert_eq(qn_book_plan_next(kv, qn_span(name, sizeof(name)), &packed), QN_ERR_NOTFOUND);
}

Test(book, runs_remember_the_last_of_each)
{
    struct qn_plan_runs runs;
    struct qn_span name = qn_span_str("p");
    add_plan("p");
    cr_assert_eq(qn_book_started(kv, name, 10), QN_OK);
    cr_assert_eq(qn_book_ended(kv, name, 20, QN_OK, 0, qn_span_str("")), QN_OK);
    cr_assert_eq(qn_book_started(kv, name, 30), QN_OK);
    cr_assert_eq(qn_book_ended(kv, name, 40, QN_ERR_NOSPACE, 5, qn_span_str("/a, /b")), QN_OK);
    cr_assert_eq(qn_book_drilled(kv, name, 50, QN_ERR_SIGNATURE, 6, 7), QN_OK);
    add_plan("p");
    cr_assert_eq(qn_book_runs_get(kv, name, &runs), QN_OK);
    cr_assert_eq(runs.start_ms, 30);
    cr_assert_eq(runs.success_ms, 20);
    cr_assert_eq(runs.attempt_ms, 40);
    cr_assert_eq(runs.attempt_err, QN_ERR_NOSPACE);
    cr_assert_eq(runs.attempt_files_failed, 5);
    cr_assert_str_eq(runs.attempt_first, "/a, /b");
    cr_assert_eq(runs.drill_ms, 50);
    cr_assert_eq(runs.drill_err, QN_ERR_SIGNATURE);
    cr_assert_eq(runs.drill_files, 6);
    cr_assert_eq(runs.drill_bytes, 7);
}

Test(book, what_went_wrong_is_short_and_printable)
{
    static char much[QN_PLAN_FIRST_SIZE_MAX + 1];
    struct qn_span name = qn_span_str("p");
    struct qn_plan_runs runs;
    memset(much, 'x', sizeof(much));
    add_plan("p");
    cr_assert_eq(qn_book_ended(kv, name, 1, QN_OK, 1, qn_span(much, sizeof(much))), QN_ERR_LIMIT);
    cr_assert_eq(qn_book_ended(kv, name, 1, QN_OK, 1, qn_span_str("a\nb")), QN_ERR_INVALID);
    cr_assert_eq(qn_book_ended(kv, name, 1, QN_OK, 1, qn_span(much, sizeof(much) - 1)), QN_OK);
    cr_assert_eq(qn_book_runs_get(kv, name, &runs), QN_OK);
    cr_assert_eq(strlen(runs.attempt_first), QN_PLAN_FIRST_SIZE_MAX);
}

/* A row of a version before: its names are not known. */
Test(book, runs_of_the_form_before_are_read)
{
    QN_AUTO_BUF struct qn_buf row;
    struct qn_key key;
    struct qn_plan_runs runs;
    add_plan("p");
    qn_buf_init(&row, 200);
    qn_buf_append_u8(&row, 1);
    for (uint64_t i = 1; i <= 3; i++)
        qn_buf_append_u64(&row, i);
    qn_buf_append(&row, "\2ok", 3);
    qn_buf_append_u64(&row, 4);
    qn_buf_append_u64(&row, 5);
    qn_buf_append(&row, "\2ok", 3);
    qn_buf_append_u64(&row, 6);
    qn_buf_append_u64(&row, 7);
    cr_assert_eq(
        qn_kv_put(kv, QN_TABLE_PLAN, qn_key_tagged(&key, 'r', qn_span_str("p")), qn_buf_view(&row)),
        QN_OK);
    cr_assert_eq(qn_book_runs_get(kv, qn_span_str("p"), &runs), QN_OK);
    cr_assert_eq(runs.attempt_files_failed, 4);
    cr_assert_eq(runs.drill_bytes, 7);
    cr_assert_str_eq(runs.attempt_first, "");
}

/* ---- drills ---- */

static const struct qn_site_id owner = {{1}};

static struct qn_signer *signer(uint8_t seed)
{
    uint8_t bytes[QN_SEED_SIZE] = {seed};
    struct qn_signer *signer = NULL;
    cr_assert_eq(qn_signer_new(bytes, &signer), QN_OK);
    return signer;
}

static void drill(const struct qn_signer *by, uint64_t now_ms)
{
    static const struct qn_digest snapshot = {{9}};
    cr_assert_eq(qn_book_drilled(kv, qn_span_str("p"), now_ms, QN_OK, 6, 7), QN_OK);
    cr_assert_eq(qn_book_drill_sign(kv, &owner, by, qn_span_str("p"), &snapshot), QN_OK);
}

static enum qn_err check_drill(const struct qn_signer *by, const struct qn_site_id *site)
{
    return qn_book_drill_check(kv, site, qn_signer_public(by), 1, qn_span_str("p"));
}

Test(book, a_drill_is_what_the_site_signed)
{
    static const struct qn_site_id other = {{2}};
    struct qn_signer *self = signer(1), *stranger = signer(2);
    add_plan("p");
    cr_assert_eq(check_drill(self, &owner), QN_OK); /* there was none */
    drill(self, 50);
    cr_assert_eq(check_drill(self, &owner), QN_OK);
    cr_assert_eq(check_drill(stranger, &owner), QN_ERR_SIGNATURE);
    cr_assert_eq(check_drill(self, &other), QN_ERR_SIGNATURE);
    cr_assert_eq(qn_book_started(kv, qn_span_str("p"), 60), QN_OK);
    cr_assert_eq(check_drill(self, &owner), QN_OK);
    qn_signer_free(self);
    qn_signer_free(stranger);
}

/* Each of the facts: a later date, another outcome, more files. */
Test(book, a_changed_drill_is_found_out)
{
    struct qn_signer *self = signer(1);
    struct qn_span name = qn_span_str("p");
    add_plan("p");
    drill(self, 50);
    cr_assert_eq(qn_book_drilled(kv, name, 51, QN_OK, 6, 7), QN_OK);
    cr_assert_eq(check_drill(self, &owner), QN_ERR_SIGNATURE);
    cr_assert_eq(qn_book_drilled(kv, name, 50, QN_ERR_CORRUPT, 6, 7), QN_OK);
    cr_assert_eq(check_drill(self, &owner), QN_ERR_SIGNATURE);
    cr_assert_eq(qn_book_drilled(kv, name, 50, QN_OK, 60, 7), QN_OK);
    cr_assert_eq(check_drill(self, &owner), QN_ERR_SIGNATURE);
    cr_assert_eq(qn_book_drilled(kv, name, 50, QN_OK, 6, 7), QN_OK);
    cr_assert_eq(check_drill(self, &owner), QN_OK);
    qn_signer_free(self);
}

/* A result without a signature is none; with its plan it goes. */
Test(book, a_drill_that_nobody_signed_is_found_out)
{
    struct qn_signer *self = signer(1);
    add_plan("p");
    cr_assert_eq(qn_book_drilled(kv, qn_span_str("p"), 50, QN_OK, 6, 7), QN_OK);
    cr_assert_eq(check_drill(self, &owner), QN_ERR_SIGNATURE);
    drill(self, 50);
    cr_assert_eq(qn_book_plan_remove(kv, qn_span_str("p")), QN_OK);
    add_plan("p");
    cr_assert_eq(qn_book_drilled(kv, qn_span_str("p"), 50, QN_OK, 6, 7), QN_OK);
    cr_assert_eq(check_drill(self, &owner), QN_ERR_SIGNATURE);
    qn_signer_free(self);
}

/* ---- packs and snapshots ---- */

Test(book, packs_are_numbered_and_counted)
{
    struct qn_own_totals totals;
    struct qn_own_pack pack;
    for (uint64_t i = 1; i <= 10; i++) {
        struct qn_digest name = digest('p', i);
        cr_assert_eq(qn_book_pack_add(kv, &name, 100 * i, 2), QN_OK);
        cr_assert_eq(qn_book_pack_add(kv, &name, 100 * i, 2), QN_OK);
        cr_assert_eq(qn_book_pack_add(kv, &name, 100 * i + 1, 2), QN_ERR_EXISTS);
        cr_assert_eq(qn_book_pack_get(kv, &name, &pack), QN_OK);
        cr_assert_eq(pack.order, i);
        cr_assert_eq(pack.size, 100 * i);
        cr_assert_eq(pack.kind, 2);
    }
    struct qn_digest last = digest('p', 10), none = digest('p', 99);
    cr_assert_eq(qn_book_pack_add(kv, &none, 0, 1), QN_ERR_INVALID);
    cr_assert_eq(qn_book_pack_add(kv, &none, QN_HELD_PACK_SIZE_MAX + 1, 1), QN_ERR_INVALID);
    cr_assert_eq(qn_book_pack_remove(kv, &none), QN_OK);
    cr_assert_eq(qn_book_pack_remove(kv, &last), QN_OK);
    cr_assert_eq(qn_book_totals(kv, &totals), QN_OK);
    cr_assert_eq(totals.packs, 9);
    cr_assert_eq(totals.bytes, 4500);
    cr_assert_eq(qn_book_pack_add(kv, &last, 7, 1), QN_OK);
    cr_assert_eq(qn_book_pack_get(kv, &last, &pack), QN_OK);
    cr_assert_eq(pack.order, 11, "a number is not used twice");
}

Test(book, snapshots_come_in_the_order_in_which_they_were_made)
{
    struct qn_own_snap snap, row = {.plan = "nuit", .started_ms = 5, .files = 3, .name_count = 1};
    struct qn_digest pack = digest('p', 1), name;
    struct qn_own_totals totals;
    row.plan[QN_NAME_SIZE_MAX] = 0;
    for (uint64_t i = 1; i <= 5; i++) {
        row.name = digest('s', i);
        row.is_partial = i == 2;
        pack = digest('p', i);
        cr_assert_eq(qn_book_pack_add(kv, &pack, 10, 1), QN_OK);
        cr_assert_eq(qn_book_snap_put(kv, &row), QN_OK);
    }
    name = digest('s', 3);
    cr_assert_eq(qn_book_snap_remove(kv, &name), QN_OK);
    cr_assert_eq(qn_book_snap_remove(kv, &name), QN_OK);
    uint64_t expected[] = {1, 2, 4, 5}, after = 0;
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(qn_book_snap_next(kv, after, &snap), QN_OK);
        cr_assert_eq(snap.number, expected[i]);
        cr_assert_eq(snap.order, expected[i]);
        cr_assert_eq(snap.is_partial, expected[i] == 2);
        cr_assert_str_eq(snap.plan, "nuit");
        after = snap.number;
    }
    cr_assert_eq(qn_book_snap_next(kv, after, &snap), QN_ERR_NOTFOUND);
    cr_assert_eq(qn_book_snap_next(kv, UINT64_MAX, &snap), QN_ERR_NOTFOUND);
    cr_assert_eq(qn_book_totals(kv, &totals), QN_OK);
    cr_assert_eq(totals.snapshots, 4);
    cr_assert_eq(totals.number, 5);
    row.name_count = QN_HELD_LIST_NAMES_MAX + 1;
    cr_assert_eq(qn_book_snap_put(kv, &row), QN_ERR_LIMIT);
}

Test(book, rows_that_do_not_read_are_damage)
{
    struct qn_digest name = digest('p', 1);
    struct qn_own_pack pack;
    struct qn_own_snap snap;
    struct qn_own_totals totals;
    struct qn_copy copy;
    struct qn_site_id holder = {{1}};
    uint8_t key[33] = "p", row[400] = {1};
    memcpy(key + 1, name.bytes, 32);
    for (size_t size = 0; size < 13; size++) {
        cr_assert_eq(qn_kv_put(kv, QN_TABLE_OWN_PACK, QN_SPAN_OF(key), qn_span(row, size)), QN_OK);
        cr_assert_eq(qn_book_pack_get(kv, &name, &pack), QN_ERR_CORRUPT);
        cr_assert_eq(qn_book_pack_remove(kv, &name), QN_ERR_CORRUPT);
        cr_assert_eq(qn_kv_put(kv, QN_TABLE_OWN_PACK, qn_span("t", 1), qn_span(row, size)), QN_OK);
        cr_assert_eq(qn_book_totals(kv, &totals), QN_ERR_CORRUPT);
        cr_assert_eq(qn_kv_put(kv, QN_TABLE_COPY, QN_SPAN_OF(holder.bytes), qn_span(row, size)),
                     QN_OK);
        cr_assert_eq(qn_book_copy_get(kv, &holder, &copy), QN_ERR_CORRUPT);
    }
    key[0] = 's';
    cr_assert_eq(qn_kv_put(kv, QN_TABLE_OWN_SNAP, QN_SPAN_OF(key), QN_SPAN_OF(row)), QN_OK);
    cr_assert_eq(qn_book_snap_get(kv, &name, &snap), QN_ERR_CORRUPT, "a plan's name too long");
}
