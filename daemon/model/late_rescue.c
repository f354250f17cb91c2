/* Rescue (RECORDS 1.5, "phantom dots"; docs/records.md): a source was wiped before its own
 * operations reached anybody but this site, in pages. No clock will ever cover them. */
#include "base/assert.h"
#include "base/limits.h"
#include "base/text.h"
#include "model/hashing.h"
#include "model/late_impl.h"
#include "model/late_owed.h"
#include "proto/pack.h"

struct rescue {
    struct qn_replica *replica;
    struct qn_coll_state *coll;
    struct qn_vv known;          /* by anybody, or here */
    const struct qn_dot *behind; /* those of this actor behind there, whoever knows them */
    struct qn_buf trash;         /* the value of _trash of the record in hand */
    size_t written;
};

static bool is_phantom(const struct rescue *rescue, const struct qn_dot *dot)
{
    if (rescue->behind != NULL)
        return qn_actor_cmp(&dot->actor, &rescue->behind->actor) == 0 &&
               dot->ctr > rescue->behind->ctr;
    return !qn_vv_has(&rescue->known, dot) && !qn_vv_has(&rescue->coll->cc, dot);
}

/* --- values --- */

/* The first pair of the record in hand that nobody else can know; in the order of dots. The field
 * _trash comes last: its value is made of all others. */
static const struct qn_pair *find_phantom(const struct rescue *rescue, bool in_trash,
                                          struct qn_span *ret_field)
{
    const struct qn_pair *first = NULL;
    qn_vec_each (&rescue->replica->record.fields, field) {
        if (qn_span_eq_str(field->name, QN_FIELD_TRASH) != in_trash)
            continue;
        qn_vec_each (&field->pairs, pair) {
            bool is_first = first == NULL || qn_dot_cmp(&pair->dot, &first->dot) < 0;
            if (is_phantom(rescue, &pair->dot) && is_first) {
                first = pair;
                *ret_field = field->name;
            }
        }
    }
    return first;
}

/* All fields that one operation set, as one operation: its clock and its person stay. */
static void plan(struct qn_replica *replica, const struct qn_pair *like, bool in_trash)
{
    struct qn_op *op = &replica->op;
    op->set.count = op->removed.count = 0;
    op->kind = QN_OP_REPAIR;
    op->user = like->user;
    qn_vec_each (&replica->record.fields, field) {
        if (qn_span_eq_str(field->name, QN_FIELD_TRASH) != in_trash)
            continue;
        qn_vec_each (&field->pairs, pair)
            if (qn_dot_cmp(&pair->dot, &like->dot) == 0)
                qn_vec_push(&op->set, ((struct qn_op_set){field->name, pair->value}));
    }
}

/* What was in the trash stays there: what was thrown away has new dots, so another hash. */
static void renew_trash(struct qn_replica *replica, struct qn_buf *value)
{
    uint8_t hash[QN_STATE_HASH_SIZE];
    QN_AUTO_BUF struct qn_buf hex;
    qn_buf_init(&hex, 2 * sizeof(hash));
    qn_hash_record(replica->hasher, &replica->record, true, hash);
    qn_text_append_hex(&hex, QN_SPAN_OF(hash));
    qn_buf_reset(value);
    qn_pack_str(value, qn_buf_view(&hex));
    replica->op.set.items[0].value = qn_buf_view(value);
}

/* The old pairs go from the record in hand without a word: nobody else knows of them, so nobody
 * could apply an operation that removes them. */
static enum qn_err rewrite(struct rescue *rescue, struct qn_span key, const struct qn_pair *like,
                           bool in_trash, bool was_trashed)
{
    struct qn_replica *replica = rescue->replica;
    struct qn_dot dot = like->dot;
    qn_hlc hlc = like->hlc;
    plan(replica, like, in_trash);
    replica->op.key = key;
    if (in_trash && was_trashed)
        renew_trash(replica, &rescue->trash);
    qn_vec_each (&replica->op.set, set)
        qn_record_remove(&replica->record, set->field, &dot);
    rescue->written++;
    return qn_replica_write_op(replica, rescue->coll, hlc);
}

static enum qn_err rescue_part(struct rescue *rescue, struct qn_span key, bool in_trash,
                               bool was_trashed)
{
    struct qn_span field;
    const struct qn_pair *phantom;
    while ((phantom = find_phantom(rescue, in_trash, &field)) != NULL)
        QN_TRY(rewrite(rescue, key, phantom, in_trash, was_trashed));
    return QN_OK;
}

static enum qn_err rescue_record(struct rescue *rescue, struct qn_span key)
{
    struct qn_replica *replica = rescue->replica;
    QN_TRY(qn_replica_load(replica, rescue->coll, key));
    bool was_trashed = replica->record_head.state == QN_RECORD_TRASHED;
    QN_TRY(rescue_part(rescue, key, false, was_trashed));
    return rescue_part(rescue, key, true, was_trashed);
}

static enum qn_err rescue_records(struct rescue *rescue)
{
    struct qn_key at, prefix, own;
    struct qn_span key, row;
    uint32_t coll = rescue->coll->row.number;
    qn_key_copy(&at, qn_key_coll(&prefix, coll));
    for (;;) {
        enum qn_err err =
            qn_kv_seek(rescue->replica->kv, QN_TABLE_REC, qn_key_view(&at), &key, &row);
        if (err != QN_OK || !qn_span_has_prefix(key, qn_key_view(&prefix)))
            return qn_may_miss(err);
        qn_key_copy(&own, key);
        QN_TRY(rescue_record(rescue, qn_span_from(qn_key_view(&own), 4)));
        qn_key_copy(&at, qn_key_view(&own));
        qn_key_next(&at);
    }
}

enum qn_err qn_late_rewrite(struct qn_replica *replica, struct qn_coll_state *coll,
                            struct qn_span key, const struct qn_dot *behind, size_t *written)
{
    struct rescue rescue = {.replica = replica, .coll = coll, .behind = behind};
    qn_buf_init(&rescue.trash, 2 * QN_STATE_HASH_SIZE + 8);
    enum qn_err err = key.size > 0 ? rescue_record(&rescue, key) : rescue_records(&rescue);
    qn_buf_deinit(&rescue.trash);
    *written += rescue.written;
    return err;
}

/* --- clocks --- */

static bool lower(const struct rescue *rescue, const struct qn_vv *clock, struct qn_vv *ret_vv)
{
    bool is_lower = false;
    qn_vec_each (&clock->entries, entry) {
        uint64_t max = qn_vv_get(&rescue->known, &entry->actor);
        is_lower = is_lower || entry->ctr > max;
        qn_vv_set(ret_vv, &entry->actor, entry->ctr < max ? entry->ctr : max);
    }
    return is_lower;
}

static enum qn_err lower_all(struct rescue *rescue)
{
    struct qn_segs *segs = &rescue->coll->segs;
    for (size_t i = 0; i < segs->clocks.count; i++) {
        QN_AUTO_VV struct qn_vv vv = {0};
        if (lower(rescue, &segs->clocks.items[i].vv, &vv))
            QN_TRY(qn_segs_lower(rescue->replica->kv, rescue->coll->row.number, segs, i, &vv));
    }
    return QN_OK;
}

static enum qn_err write(struct rescue *rescue)
{
    struct qn_replica *replica = rescue->replica;
    struct qn_coll_state *coll = rescue->coll;
    QN_TRY(rescue_records(rescue));
    QN_TRY(lower_all(rescue));
    QN_TRY(qn_owed_confirm(replica->kv, coll->row.number, &coll->segs));
    qn_late_start_pass(replica, coll); /* it shows what else the lost operations made go */
    return qn_coll_row_put(replica->kv, &coll->id, &coll->row);
}

enum qn_err qn_replica_rescue(struct qn_replica *replica, const struct qn_coll_id *coll,
                              const struct qn_vv *known, size_t *ret_rescued)
{
    struct rescue rescue = {.replica = replica};
    QN_TRY(qn_replica_coll(replica, coll, &rescue.coll));
    if (!rescue.coll->row.is_late)
        return QN_ERR_STATE;
    qn_vv_copy(&rescue.known, &rescue.coll->cc);
    qn_vv_join(&rescue.known, known);
    qn_buf_init(&rescue.trash, 2 * QN_STATE_HASH_SIZE + 8);
    enum qn_err err = qn_replica_fault(write(&rescue));
    qn_vv_deinit(&rescue.known);
    qn_buf_deinit(&rescue.trash);
    if (err == QN_OK)
        *ret_rescued = rescue.written;
    return err;
}
