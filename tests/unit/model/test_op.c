#include <criterion/criterion.h>

#include "base/limits.h"
#include "model/op.h"
#include "model/record.h"
#include "proto/pack.h"
#include "support/span.h"

static const struct qn_actor me = {{1}}, other = {{2}};

static struct qn_op make_op(void)
{
    struct qn_op op = {.dot = {me, 5}, .hlc = 77, .kind = QN_OP_PUT, .key = SPAN("k")};
    return op;
}

static void set(struct qn_op *op, const char *field)
{
    qn_vec_push(&op->set, ((struct qn_op_set){qn_span_str(field), SPAN("\x01")}));
}

static void removes(struct qn_op *op, const char *field, const struct qn_actor *actor, uint64_t ctr)
{
    qn_vec_push(&op->removed, ((struct qn_op_removed){qn_span_str(field), {*actor, ctr}}));
}

static enum qn_err through(struct qn_op *op, struct qn_buf *out, struct qn_op *back)
{
    qn_buf_init(out, 4 * QN_OP_SIZE_MAX);
    QN_TRY(qn_op_pack(op, out));
    return qn_op_unpack(qn_buf_view(out), &op->dot.actor, back);
}

/* Packs, unpacks and forgets. */
static enum qn_err try(struct qn_op *op)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_op back = {0};
    enum qn_err err = through(op, &out, &back);
    qn_op_deinit(&back);
    qn_op_deinit(op);
    return err;
}

Test(op, canonical_form)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_op op = make_op();
    qn_buf_init(&out, 1000);
    set(&op, "b");
    set(&op, "a");
    op.user = SPAN("ana");
    removes(&op, "a", &me, 4);
    cr_assert_eq(qn_op_pack(&op, &out), QN_OK);
    assert_buf_eq(&out, "\x97\x05\x4d\x01\xa1k\xa3"
                        "ana\x94\xa1"
                        "a\x01\xa1"
                        "b\x01\x93\xa1"
                        "a\xc0\x04");
    qn_op_deinit(&op);
}

Test(op, comes_back_as_it_was)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_op op = make_op(), back;
    set(&op, "b");
    set(&op, "a");
    removes(&op, "b", &other, 9);
    removes(&op, "a", &me, 4);
    removes(&op, "a", &me, 2);
    cr_assert_eq(through(&op, &out, &back), QN_OK);
    cr_assert_eq(back.dot.ctr, 5);
    cr_assert_eq(back.hlc, 77);
    cr_assert_eq(back.set.count, 2);
    cr_assert_eq(back.removed.count, 3);
    cr_assert_eq(back.removed.items[0].dot.ctr, 2);
    cr_assert_eq(qn_actor_cmp(&back.removed.items[0].dot.actor, &me), 0);
    cr_assert_eq(qn_actor_cmp(&back.removed.items[2].dot.actor, &other), 0);
    qn_op_deinit(&op);
    qn_op_deinit(&back);
}

Test(op, cannot_remove_itself_or_later)
{
    struct qn_op op = make_op();
    set(&op, "a");
    removes(&op, "a", &me, 5);
    cr_assert_eq(try(&op), QN_ERR_INVALID);
    op = make_op();
    set(&op, "a");
    removes(&op, "a", &other, 0);
    cr_assert_eq(try(&op), QN_ERR_INVALID);
}

Test(op, duplicates_are_refused)
{
    struct qn_op op = make_op();
    set(&op, "a");
    set(&op, "a");
    cr_assert_eq(try(&op), QN_ERR_INVALID);
    op = make_op();
    set(&op, "a");
    removes(&op, "a", &other, 1);
    removes(&op, "a", &other, 1);
    cr_assert_eq(try(&op), QN_ERR_INVALID);
}

Test(op, kind_fits_what_it_does)
{
    struct qn_op op = make_op();
    cr_assert_eq(try(&op), QN_ERR_INVALID); /* a put of nothing */
    op = make_op();
    set(&op, QN_FIELD_TRASH);
    cr_assert_eq(try(&op), QN_ERR_INVALID);
    op = make_op();
    op.kind = QN_OP_TRASH;
    set(&op, QN_FIELD_TRASH);
    cr_assert_eq(try(&op), QN_OK);
    op = make_op();
    op.kind = QN_OP_TRASH;
    set(&op, "a");
    cr_assert_eq(try(&op), QN_ERR_INVALID);
    op = make_op();
    op.kind = QN_OP_ERASE;
    cr_assert_eq(try(&op), QN_ERR_INVALID);
    op = make_op();
    op.kind = QN_OP_ERASE;
    removes(&op, "a", &other, 1);
    cr_assert_eq(try(&op), QN_OK);
    op = make_op();
    op.kind = 6;
    set(&op, "a");
    cr_assert_eq(try(&op), QN_ERR_INVALID);
}

Test(op, names_and_sizes_are_bounded)
{
    static char long_name[QN_KEY_SIZE_MAX + 2];
    memset(long_name, 'x', sizeof(long_name) - 1);
    struct qn_op op = make_op();
    op.key = SPAN("");
    set(&op, "a");
    cr_assert_eq(try(&op), QN_ERR_INVALID);
    op = make_op();
    op.key = qn_span_str(long_name);
    set(&op, "a");
    cr_assert_eq(try(&op), QN_ERR_LIMIT);
    op = make_op();
    set(&op, long_name);
    cr_assert_eq(try(&op), QN_ERR_LIMIT);
    op = make_op();
    for (size_t i = 0; i < QN_OP_SIZE_MAX / 19; i++)
        removes(&op, "a", &other, i + 1);
    set(&op, "a");
    cr_assert_eq(try(&op), QN_ERR_LIMIT);
}

Test(op, every_cut_and_every_extra_byte_is_refused)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_op op = make_op(), back;
    set(&op, "a");
    removes(&op, "a", &other, 3);
    cr_assert_eq(through(&op, &out, &back), QN_OK);
    qn_op_deinit(&back);
    for (size_t size = 0; size < out.size; size++)
        cr_assert_neq(qn_op_unpack(qn_span(out.data, size), &me, &back), QN_OK);
    qn_buf_append_u8(&out, 0xc0);
    cr_assert_eq(qn_op_unpack(qn_buf_view(&out), &me, &back), QN_ERR_INVALID);
    qn_op_deinit(&op);
}

Test(op, own_dots_are_written_as_nil_only)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_op op = make_op(), back;
    set(&op, "a");
    removes(&op, "a", &other, 3);
    qn_buf_init(&out, 1000);
    cr_assert_eq(qn_op_pack(&op, &out), QN_OK);
    cr_assert_eq(qn_op_unpack(qn_buf_view(&out), &other, &back), QN_ERR_INVALID);
    qn_op_deinit(&op);
}

Test(chain, depends_on_everything_before)
{
    struct qn_coll_id coll = {{1}}, coll2 = {{2}};
    struct qn_digest a, b, c;
    qn_chain_start(&coll, &me, &a);
    qn_chain_start(&coll, &other, &b);
    qn_chain_start(&coll2, &me, &c);
    cr_assert(!qn_digest_eq(&a, &b) && !qn_digest_eq(&a, &c));
    QN_DIGEST(&c, SPAN("quoin chain 1\0"), QN_SPAN_OF(coll.bytes), QN_SPAN_OF(me.bytes));
    cr_assert(qn_digest_eq(&a, &c));
    qn_chain_next(&a, SPAN("op"), &b);
    QN_DIGEST(&c, QN_SPAN_OF(a.bytes), SPAN("op"));
    cr_assert(qn_digest_eq(&b, &c));
}

Test(checkpoint, binds_collection_dot_and_hash)
{
    uint8_t seed[QN_SEED_SIZE] = {1};
    struct qn_signer *signer;
    struct qn_signature signature;
    struct qn_coll_id coll = {{1}}, coll2 = {{2}};
    struct qn_dot at = {me, 5}, at2 = {me, 6};
    struct qn_digest hash = {{9}}, hash2 = {{8}};
    cr_assert_eq(qn_signer_new(seed, &signer), QN_OK);
    const struct qn_public_key *key = qn_signer_public(signer);
    cr_assert_eq(qn_checkpoint_sign(signer, &coll, &at, &hash, &signature), QN_OK);
    cr_assert_eq(qn_checkpoint_verify(key, &coll, &at, &hash, &signature), QN_OK);
    cr_assert_neq(qn_checkpoint_verify(key, &coll2, &at, &hash, &signature), QN_OK);
    cr_assert_neq(qn_checkpoint_verify(key, &coll, &at2, &hash, &signature), QN_OK);
    cr_assert_neq(qn_checkpoint_verify(key, &coll, &at, &hash2, &signature), QN_OK);
    qn_signer_free(signer);
}

static enum qn_err ops_through(const struct qn_ops *ops)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_ops back = {0};
    qn_buf_init(&out, QN_FRAME_SIZE_MAX);
    qn_ops_pack(ops, &out);
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&out));
    enum qn_err err = qn_ops_unpack(&cursor, &back);
    if (err == QN_OK) {
        cr_assert_eq(back.actors.count, ops->actors.count);
        cr_assert_eq(back.items.count, ops->items.count);
    }
    qn_ops_deinit(&back);
    return err;
}

Test(ops, form)
{
    struct qn_ops ops = {0};
    cr_assert_eq(ops_through(&ops), QN_OK);
    qn_vec_push(&ops.actors, ((struct qn_ops_actor){.last = {other, 2}}));
    qn_vec_push(&ops.actors, ((struct qn_ops_actor){.last = {me, 1}}));
    qn_vec_push(&ops.items, ((struct qn_ops_item){1, SPAN("x")}));
    cr_assert_eq(ops_through(&ops), QN_OK);
    ops.items.items[0].actor = 2;
    cr_assert_eq(ops_through(&ops), QN_ERR_INVALID);
    ops.items.items[0].actor = 0;
    ops.items.items[0].op = SPAN("");
    cr_assert_eq(ops_through(&ops), QN_ERR_INVALID);
    ops.items.items[0].op = SPAN("x");
    ops.actors.items[1].last = (struct qn_dot){other, 3};
    cr_assert_eq(ops_through(&ops), QN_ERR_INVALID);
    ops.actors.items[1].last = (struct qn_dot){me, 0};
    cr_assert_eq(ops_through(&ops), QN_ERR_INVALID);
    qn_ops_deinit(&ops);
}
