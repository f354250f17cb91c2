#include <criterion/criterion.h>

#include "base/limits.h"
#include "support/sites.h"
#include "support/span.h"

static struct group group;
static struct site *a, *b, *c;

static void setup(void)
{
    group_init(&group, 3, 1);
    a = &group.sites[0];
    b = &group.sites[1];
    c = &group.sites[2];
}

static void teardown(void)
{
    group_deinit(&group);
}

TestSuite(replica_apply, .init = setup, .fini = teardown);

/* Applies what `change` left of the messages to b lacks of a, as one try each; the last error. */
static enum qn_err apply(struct site *to, const struct message *message)
{
    size_t applied;
    return site_apply(to, message, &applied);
}

Test(replica_apply, holds_what_is_not_next)
{
    struct messages messages = {0};
    size_t applied;
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_put(a, "k", "f", "2"), QN_OK);
    site_collect(a, b, &messages);
    cr_assert_eq(messages.list.count, 2);
    cr_assert_eq(apply(b, &messages.list.items[1]), QN_ERR_HELD);
    cr_assert_eq(site_apply(b, &messages.list.items[0], &applied), QN_OK);
    cr_assert_eq(applied, 1);
    cr_assert_eq(site_apply(b, &messages.list.items[0], &applied), QN_OK);
    cr_assert_eq(applied, 0, "twice is once");
    cr_assert_eq(apply(b, &messages.list.items[1]), QN_OK);
    cr_assert_str_eq(site_shown(b, "k", "f"), "2");
    messages_free(&messages);
}

Test(replica_apply, holds_what_replaces_something_unknown)
{
    struct messages messages = {0};
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_pull(b, a), QN_OK);
    cr_assert_eq(site_put(b, "k", "f", "2"), QN_OK);
    site_collect(b, c, &messages);
    cr_assert_eq(messages.list.count, 2);
    cr_assert_eq(apply(c, &messages.list.items[1]), QN_ERR_HELD);
    cr_assert_eq(apply(c, &messages.list.items[0]), QN_OK);
    cr_assert_eq(apply(c, &messages.list.items[1]), QN_OK);
    messages_free(&messages);
}

/* Every single bit of a message matters: it is refused, or it was of no consequence to what is
 * applied (nothing is: all of it is signed). */
Test(replica_apply, no_flipped_bit_is_applied)
{
    struct messages messages = {0};
    cr_assert_eq(site_put(a, "key", "field", "value"), QN_OK);
    site_collect(a, b, &messages);
    struct message *message = &messages.list.items[0];
    for (size_t bit = 0; bit < 8 * message->size; bit++) {
        struct qn_ops ops = {0};
        size_t applied = 0;
        message->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct qn_cursor cursor = qn_cursor(qn_span(message->bytes, message->size));
        if (qn_ops_unpack(&cursor, &ops) == QN_OK) {
            struct qn_kv *kv = memkv_begin(b->store);
            cr_assert_eq(qn_replica_begin(b->replica, kv, group.wall_ms, 1), QN_OK);
            enum qn_err err = qn_replica_apply(b->replica, &group.coll, &ops, &applied);
            cr_assert(err != QN_OK || applied == 0, "bit %zu", bit);
            qn_replica_done(b->replica, false);
            memkv_abort(b->store);
        }
        qn_ops_deinit(&ops);
        message->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t table = 0; table < QN_TABLE_COUNT; table++)
        cr_assert_eq(memkv_count(b->store, (enum qn_table)table), 0);
    cr_assert_eq(apply(b, message), QN_OK);
    messages_free(&messages);
}

Test(replica_apply, unknown_sites_are_denied)
{
    struct messages messages = {0};
    cr_assert_eq(site_put(c, "k", "f", "1"), QN_OK);
    site_collect(c, b, &messages);
    group.count = 2;
    cr_assert_eq(apply(b, &messages.list.items[0]), QN_ERR_DENIED);
    group.count = 3;
    cr_assert_eq(apply(b, &messages.list.items[0]), QN_OK);
    messages_free(&messages);
}

Test(replica_apply, nobody_can_sign_for_another)
{
    struct messages messages = {0};
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    site_collect(a, b, &messages);
    struct qn_ops ops;
    struct qn_op op;
    size_t applied;
    struct qn_cursor cursor =
        qn_cursor(qn_span(messages.list.items[0].bytes, messages.list.items[0].size));
    cr_assert_eq(qn_ops_unpack(&cursor, &ops), QN_OK);
    struct qn_ops_actor *actor = &ops.actors.items[0];
    struct qn_digest hash;
    qn_chain_start(&group.coll, &actor->last.actor, &hash);
    qn_chain_next(&hash, ops.items.items[0].op, &hash);
    cr_assert_eq(qn_op_unpack(ops.items.items[0].op, &actor->last.actor, &op), QN_OK);
    qn_op_deinit(&op);
    cr_assert_eq(qn_checkpoint_sign(c->signer, &group.coll, &actor->last, &hash, &actor->signature),
                 QN_OK);
    cr_assert_eq(qn_replica_begin(b->replica, memkv_begin(b->store), 1000, 1), QN_OK);
    cr_assert_eq(qn_replica_apply(b->replica, &group.coll, &ops, &applied), QN_ERR_SIGNATURE);
    cr_assert_eq(qn_checkpoint_sign(a->signer, &group.coll, &actor->last, &hash, &actor->signature),
                 QN_OK);
    cr_assert_eq(qn_replica_apply(b->replica, &group.coll, &ops, &applied), QN_OK);
    memkv_abort(b->store);
    qn_replica_done(b->replica, false);
    qn_ops_deinit(&ops);
    messages_free(&messages);
}

/* A message whose first part is known is verified from there on. */
Test(replica_apply, a_known_beginning_is_skipped)
{
    QN_AUTO_BUF struct qn_buf body;
    struct qn_ops_read read;
    size_t applied;
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_pull(b, a), QN_OK);
    cr_assert_eq(site_put(a, "k", "f", "2"), QN_OK);
    cr_assert_eq(site_put(a, "k", "f", "3"), QN_OK);
    struct qn_ops_request request = {
        .coll = group.coll, .from_seq = 1, .size_wish = 100000, .ops_wish = 100};
    qn_buf_init(&body, QN_FRAME_SIZE_MAX);
    cr_assert_eq(qn_read_ops(memkv_reader(a->store), &request, &body, &read), QN_OK);
    cr_assert_eq(read.op_count, 3);
    qn_vv_deinit(&read.last);
    struct message message = {body.data, body.size};
    cr_assert_eq(site_apply(b, &message, &applied), QN_OK);
    cr_assert_eq(applied, 2);
    cr_assert_str_eq(site_shown(b, "k", "f"), "3");
    cr_assert_null(site_check(b));
}

Test(replica_apply, its_own_newer_operations_make_a_site_renew)
{
    struct qn_write_result before, after;
    struct qn_op_set set = {SPAN("f"), SPAN("\x05")};
    struct qn_write write = {
        .coll = group.coll, .kind = QN_OP_PUT, .key = SPAN("k"), .fields = &set, .field_count = 1};
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    struct memkv *image = memkv_clone(a->store);
    cr_assert_eq(site_write(a, &write, &before), QN_OK);
    cr_assert_eq(site_pull(b, a), QN_OK);
    memkv_free(a->store); /* an image comes back and nobody notices */
    a->store = image;
    cr_assert_eq(site_pull(a, b), QN_OK);
    set.value = SPAN("\x06");
    cr_assert_eq(site_write(a, &write, &after), QN_OK);
    cr_assert_neq(qn_actor_cmp(&before.dot.actor, &after.dot.actor), 0);
    cr_assert_eq(site_pull(b, a), QN_OK);
    cr_assert_null(group.fault);
    cr_assert_null(site_check(a));
}

Test(replica_apply, a_clock_far_ahead_decides_what_is_shown_but_is_not_followed)
{
    uint64_t now = group.wall_ms;
    struct qn_write_result result;
    struct qn_op_set set = {SPAN("f"), SPAN("\x05")};
    struct qn_write write = {.coll = group.coll,
                             .kind = QN_OP_PUT,
                             .key = SPAN("other"),
                             .fields = &set,
                             .field_count = 1};
    group.wall_ms = now + 10 * QN_CLOCK_SKEW_MAX_MS;
    cr_assert_eq(site_put(a, "k", "f", "ahead"), QN_OK);
    group.wall_ms = now;
    cr_assert_eq(site_put(b, "k", "f", "right"), QN_OK);
    cr_assert_eq(site_pull(b, a), QN_OK);
    cr_assert_str_eq(site_shown(b, "k", "f"), "ahead");
    cr_assert_eq(site_write(b, &write, &result), QN_OK);
    cr_assert_leq(qn_hlc_ms(result.hlc), group.wall_ms);
}

static bool apply_with_failure(const struct message *message, uint64_t nth)
{
    struct memkv *before = memkv_clone(b->store);
    memkv_fail_put(b->store, nth, QN_ERR_NOSPACE);
    enum qn_err err = apply(b, message);
    if (err != QN_OK) {
        cr_assert_eq(err, QN_ERR_NOSPACE);
        cr_assert(memkv_is_equal(before, b->store));
    }
    memkv_free(before);
    return err != QN_OK;
}

Test(replica_apply, any_put_may_fail)
{
    struct messages messages = {0};
    cr_assert_eq(site_put(b, "k", "f", "0"), QN_OK);
    cr_assert_eq(site_pull(a, b), QN_OK);
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_put(b, "k", "f", "2"), QN_OK);
    site_collect(a, b, &messages);
    uint64_t nth = 1;
    while (apply_with_failure(&messages.list.items[0], nth))
        nth++;
    cr_assert_gt(nth, 8);
    cr_assert_null(site_check(b));
    cr_assert_null(site_check_oracle(b));
    messages_free(&messages);
}

Test(replica_apply, a_lost_commit_is_applied_again)
{
    struct messages messages = {0};
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    site_collect(a, b, &messages);
    memkv_fail_commit(b->store, QN_ERR_IO);
    cr_assert_eq(apply(b, &messages.list.items[0]), QN_ERR_IO);
    cr_assert_eq(apply(b, &messages.list.items[0]), QN_OK);
    memkv_crash(b->store);
    cr_assert_eq(apply(b, &messages.list.items[0]), QN_OK);
    cr_assert_null(site_check(b));
    messages_free(&messages);
}
