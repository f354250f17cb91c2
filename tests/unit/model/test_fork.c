/* A machine ran twice under one incarnation, for nothing on it said so: runs of any lengths end as
 * one, with the values of both. */
#include <criterion/criterion.h>

#include "model/fork.h"
#include "model/late.h"
#include "proto/pack.h"
#include "support/sites.h"

static struct group group;
static struct site *a, *b, *c;
static struct memkv *twin;     /* of a, as long as a is the other one */
static struct qn_actor shared; /* the incarnation that both write under */
static size_t ops_max, steps;  /* in one transaction; that were needed */
static bool is_cut_short;      /* the other site is lost after the first step */

static struct qn_actor actor_of(struct site *site)
{
    struct qn_actor actor;
    cr_assert_eq(qn_read_own_actor(memkv_reader(site->store), &site->id, &actor), QN_OK);
    return actor;
}

static void set_up(void)
{
    group_init(&group, 3, 11);
    a = &group.sites[0];
    b = &group.sites[1];
    c = &group.sites[2];
    site_put(a, "k", "room", "12");
    site_put(a, "k", "name", "anne");
    site_put(b, "other", "name", "bert");
    group_settle(&group);
    twin = memkv_clone(a->store);
    shared = actor_of(a);
    ops_max = steps = 0;
    is_cut_short = false;
}

static void tear_down(void)
{
    memkv_free(twin);
    group_deinit(&group);
}

TestSuite(fork, .init = set_up, .fini = tear_down);

/* The other machine is a now. */
static void swap(void)
{
    struct memkv *before = a->store;
    a->store = twin;
    twin = before;
}

static enum qn_err step(struct site *site, const struct qn_actor *actor, struct qn_span checkpoints,
                        struct qn_unforked *ret_unforked)
{
    site_begin(site);
    enum qn_err err =
        qn_replica_unfork(site->replica, &group.coll, actor, checkpoints, ops_max, ret_unforked);
    enum qn_err end = site_end(site, QN_OK);
    const char *fault = site_check(site);
    cr_assert_null(fault, "%s", fault);
    steps++;
    return err != QN_OK ? err : end;
}

static enum qn_err unfork(struct site *site, struct site *from, const struct qn_actor *actor,
                          bool *ret_is_fork)
{
    QN_AUTO_VV struct qn_vv cc = {0};
    QN_AUTO_BUF struct qn_buf checkpoints;
    struct qn_unforked unforked = {.is_more = true};
    enum qn_err err = QN_OK;
    qn_buf_init(&checkpoints, 1 << 20);
    cr_assert_eq(qn_read_cc(memkv_reader(site->store), &group.coll, &cc), QN_OK);
    cr_assert_eq(qn_read_checkpoints(memkv_reader(from->store), &group.coll, actor,
                                     qn_vv_get(&cc, actor), &checkpoints),
                 QN_OK);
    *ret_is_fork = false;
    while (err == QN_OK && unforked.is_more && !(is_cut_short && *ret_is_fork)) {
        err = step(site, actor, qn_buf_view(&checkpoints), &unforked);
        *ret_is_fork |= unforked.is_fork;
    }
    return err;
}

/* As core/fork.c does it. */
static void pull(struct site *to, struct site *from)
{
    enum qn_err err = site_pull(to, from);
    if (err == QN_ERR_SIGNATURE) {
        bool is_fork;
        cr_assert_eq(unfork(to, from, &shared, &is_fork), QN_OK);
        cr_assert(is_fork);
        err = site_pull(to, from);
    }
    bool is_held = err == QN_OK || err == QN_ERR_HELD || (is_cut_short && err == QN_ERR_SIGNATURE);
    cr_assert(is_held, "%d", err);
}

static void settle(void)
{
    for (int round = 0; round < (is_cut_short ? 12 : 4); round++)
        for (size_t i = 0; i < group.count; i++)
            for (size_t j = 0; j < group.count; j++)
                if (i != j)
                    pull(&group.sites[i], &group.sites[j]);
}

static bool has_value(struct site *site, const char *key, const char *name, const char *value)
{
    QN_AUTO_BUF struct qn_buf packed;
    QN_AUTO_RECORD struct qn_record record = {0};
    qn_buf_init(&packed, 256);
    qn_pack_cstr(&packed, value);
    if (qn_read_record(memkv_reader(site->store), &group.coll, qn_span_str(key), &record) != QN_OK)
        return false;
    const struct qn_field *field = qn_record_field(&record, qn_span_str(name));
    for (size_t i = 0; field != NULL && i < field->pairs.count; i++)
        if (qn_span_eq(field->pairs.items[i].value, qn_buf_view(&packed)))
            return true;
    return false;
}

static void all_have(const char *key, const char *name, const char *value)
{
    for (size_t i = 0; i < group.count; i++)
        cr_expect(has_value(&group.sites[i], key, name, value), "site %zu lacks %s of %s", i, value,
                  key);
}

static void all_is_equal(void)
{
    const char *fault = group_check_equal(&group);
    cr_assert_null(fault, "%s", fault);
    for (size_t i = 0; i < group.count; i++) {
        fault = site_check(&group.sites[i]);
        cr_expect_null(fault, "%s", fault);
    }
}

/* b learns one run, c the other, which is shorter. */
static void run_twice(void)
{
    site_put(a, "k", "room", "13");
    site_put(a, "first", "name", "one");
    site_put(a, "first", "room", "1");
    cr_assert_eq(site_pull(b, a), QN_OK);
    swap();
    site_put(a, "k", "room", "14");
    site_put(a, "second", "name", "two");
    cr_assert_eq(site_pull(c, a), QN_OK);
}

static void both_are_there(void)
{
    all_have("k", "room", "13");
    all_have("k", "room", "14");
    all_have("first", "name", "one");
    all_have("first", "room", "1");
    all_have("second", "name", "two");
    all_have("k", "name", "anne");
    all_is_equal();
}

Test(fork, the_shorter_run_is_written_anew_and_nothing_is_lost)
{
    run_twice();
    settle();
    both_are_there();
}

Test(fork, and_by_the_machine_that_goes_on_with_the_longer_one)
{
    run_twice();
    swap();
    settle();
    both_are_there();
    site_put(a, "k", "room", "15");
    settle();
    all_have("k", "room", "15");
    for (size_t i = 0; i < group.count; i++)
        cr_expect_str_eq(site_shown(&group.sites[i], "k", "room"), "15");
    all_is_equal();
}

Test(fork, the_twin_itself_goes_on_under_another_incarnation)
{
    run_twice();
    pull(a, b);
    site_put(a, "third", "name", "three");
    struct qn_actor after = actor_of(a);
    cr_assert_neq(qn_actor_cmp(&shared, &after), 0);
    cr_assert(has_value(a, "second", "name", "two"));
}

Test(fork, what_the_shorter_run_removed_stays_removed)
{
    site_put(a, "first", "name", "one");
    site_put(a, "first", "name", "uno");
    cr_assert_eq(site_pull(b, a), QN_OK);
    swap();
    cr_assert_eq(site_do(a, QN_OP_ERASE, "other"), QN_OK);
    cr_assert_eq(site_pull(c, a), QN_OK);
    settle();
    all_is_equal();
    for (size_t i = 0; i < group.count; i++)
        cr_expect_not(has_value(&group.sites[i], "other", "name", "bert"));
    all_have("first", "name", "uno");
}

Test(fork, what_was_thrown_away_in_the_shorter_run_stays_in_the_trash)
{
    site_put(a, "first", "name", "one");
    site_put(a, "first", "name", "uno");
    cr_assert_eq(site_pull(b, a), QN_OK);
    swap();
    cr_assert_eq(site_do(a, QN_OP_TRASH, "k"), QN_OK);
    cr_assert_eq(site_pull(c, a), QN_OK);
    settle();
    all_is_equal();
    for (size_t i = 0; i < group.count; i++)
        cr_expect_eq(site_state(&group.sites[i], "k"), QN_RECORD_TRASHED);
}

Test(fork, without_a_log_all_values_of_the_actor_are_written_anew)
{
    run_twice();
    uint64_t head = site_info(c).order_head;
    site_begin(c);
    cr_assert_eq(qn_replica_truncate(c->replica, &group.coll, head), QN_OK);
    cr_assert_eq(site_end(c, QN_OK), QN_OK);
    swap(); /* the shorter machine is never seen again */
    settle();
    both_are_there();
}

/* ---- a long run, in steps ---- */

/* The shorter run of many commits, in which records are edited, replaced and thrown away. */
static void run_long(void)
{
    char key[8] = "key0";
    for (int i = 0; i < 30; i++)
        site_put(a, "far", "number", i % 2 == 0 ? "y" : "x");
    cr_assert_eq(site_pull(b, a), QN_OK);
    swap();
    for (int i = 0; i < 20; i++) {
        key[3] = (char)('0' + i % 10);
        site_put(a, key, i < 10 ? "first" : "second", "written");
        if (i == 4)
            site_put(a, "k", "room", "14");
    }
    cr_assert_eq(site_do(a, QN_OP_TRASH, "key3"), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_ERASE, "other"), QN_OK);
    cr_assert_eq(site_pull(c, a), QN_OK);
}

static void the_long_run_is_there(void)
{
    char key[8] = "key0";
    all_is_equal();
    for (int i = 0; i < 10; i++) {
        key[3] = (char)('0' + i);
        all_have(key, "first", "written");
        all_have(key, "second", "written");
    }
    all_have("k", "room", "14");
    all_have("far", "number", "x");
    for (size_t i = 0; i < group.count; i++)
        cr_expect_not(has_value(&group.sites[i], "other", "name", "bert"));
}

/* Where two sites had that run, and both wrote it anew, its trash may come back. */
static void join_at_c(void)
{
    for (int round = 0; round < (is_cut_short ? 12 : 1); round++)
        pull(c, b);
    cr_assert_eq(site_state(c, "key3"), QN_RECORD_TRASHED);
    settle();
    the_long_run_is_there();
}

Test(fork, a_long_run_goes_in_steps)
{
    ops_max = 3;
    run_long();
    join_at_c();
    cr_assert_gt(steps, 10, "%zu", steps);
}

Test(fork, at_once_it_comes_to_the_same)
{
    run_long();
    join_at_c();
}

Test(fork, what_ends_in_between_goes_on_later)
{
    ops_max = 3;
    is_cut_short = true;
    run_long();
    join_at_c();
}

Test(fork, a_commit_that_is_longer_than_a_step_is_one)
{
    ops_max = 1;
    run_long();
    join_at_c();
}

Test(fork, while_late_it_is_found_and_left_alone)
{
    struct qn_unforked unforked;
    QN_AUTO_BUF struct qn_buf checkpoints;
    run_twice();
    qn_buf_init(&checkpoints, 1 << 20);
    cr_assert_eq(qn_read_checkpoints(memkv_reader(b->store), &group.coll, &shared, 1, &checkpoints),
                 QN_OK);
    site_begin(c);
    cr_assert_eq(qn_replica_late_begin(c->replica, &group.coll, false), QN_OK);
    cr_assert_eq(site_end(c, QN_OK), QN_OK);
    uint64_t head = site_info(c).order_head;
    cr_assert_eq(step(c, &shared, qn_buf_view(&checkpoints), &unforked), QN_OK);
    cr_assert(unforked.is_fork && unforked.is_late && !unforked.is_more);
    cr_assert_eq(site_info(c).order_head, head);
    all_have("k", "name", "anne");
}

/* ---- who is to blame ---- */

Test(fork, where_the_chains_are_one_nothing_is_changed)
{
    bool is_fork = true;
    uint64_t head = site_info(b).order_head;
    site_put(a, "k", "room", "13"); /* b lacks it, and has all before it */
    cr_assert_eq(unfork(b, a, &shared, &is_fork), QN_OK);
    cr_assert_not(is_fork);
    cr_assert_eq(site_info(b).order_head, head);
}

Test(fork, checkpoints_that_the_site_did_not_sign_change_nothing)
{
    QN_AUTO_BUF struct qn_buf forged;
    struct qn_digest hash = {{1}};
    struct qn_signature signature = {{2}};
    struct qn_unforked unforked;
    uint64_t head = site_info(b).order_head;
    qn_buf_init(&forged, 1024);
    qn_pack_array(&forged, 3);
    qn_pack_u64(&forged, 9);
    qn_pack_bin(&forged, QN_SPAN_OF(hash.bytes));
    qn_pack_bin(&forged, QN_SPAN_OF(signature.bytes));
    site_begin(b);
    cr_assert_eq(
        qn_replica_unfork(b->replica, &group.coll, &shared, qn_buf_view(&forged), 0, &unforked),
        QN_ERR_SIGNATURE);
    cr_assert_eq(site_end(b, QN_OK), QN_OK);
    cr_assert_not(unforked.is_fork);
    cr_assert_eq(site_info(b).order_head, head);
}

Test(fork, of_an_actor_without_operations_here_there_is_nothing_to_compare)
{
    bool is_fork = true;
    struct qn_actor nobody = {{9}};
    cr_assert_eq(unfork(b, a, &nobody, &is_fork), QN_OK);
    cr_assert_not(is_fork);
}
