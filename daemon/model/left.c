#include "model/left.h"

#include "base/limits.h"
#include "base/text.h"
#include "model/damage.h"
#include "model/op_read.h"
#include "model/row.h"
#include "model/tables.h"
#include "model/value.h"

struct qn_left_op {
    uint8_t *bytes; /* owned */
    struct qn_op op;
};

struct search {
    struct qn_dict *dict;
    uint32_t coll;
    const struct qn_vv *cc;
    struct qn_span key;
    struct qn_op scratch;
    struct qn_left *left;
};

void qn_left_deinit(struct qn_left *left)
{
    for (size_t i = 0; i < left->ops.count; i++) {
        qn_op_deinit(&left->ops.items[i].op);
        qn_free(left->ops.items[i].bytes);
    }
    qn_vec_free(&left->ops);
    qn_record_deinit(&left->said);
    qn_record_deinit(&left->seen);
    qn_buf_deinit(&left->row);
}

void qn_left_subtract(const struct qn_left *left, struct qn_record *record)
{
    qn_vec_each (&left->ops, kept)
        qn_vec_each (&kept->op.removed, removed)
            qn_record_remove(record, removed->field, &removed->dot);
}

/* ---- operations ---- */

/* One that cannot be read is for the scrub to find. */
static enum qn_err add_op(struct search *search, uint32_t number, struct qn_span bytes)
{
    struct qn_actor actor;
    enum qn_err err = qn_dict_actor_of(search->dict, number, &actor);
    if (err != QN_OK)
        return err == QN_ERR_CORRUPT ? QN_OK : err;
    if (qn_op_read(bytes, &actor, &search->scratch) != QN_OK ||
        !qn_span_eq(search->scratch.key, search->key))
        return QN_OK;
    struct qn_left_op *kept = qn_vec_push_slot(&search->left->ops);
    *kept = (struct qn_left_op){.bytes = qn_memdup(bytes.data, bytes.size)};
    return qn_op_unpack(qn_span(kept->bytes, bytes.size), &actor, &kept->op);
}

static enum qn_err add_log(struct search *search)
{
    struct qn_key prefix, at;
    struct qn_span found, entry;
    enum qn_err err;
    qn_key_coll(&prefix, search->coll);
    qn_key_coll(&at, search->coll);
    while ((err = qn_kv_seek(search->dict->kv, QN_TABLE_LOG, qn_key_view(&at), &found, &entry)) ==
               QN_OK &&
           qn_span_has_prefix(found, qn_key_view(&prefix))) {
        qn_key_copy(&at, found);
        if (at.size == 16 && entry.size > 8)
            QN_TRY(add_op(search, qn_read_u32(at.bytes + 4), qn_span_from(entry, 8)));
        qn_key_next(&at);
    }
    return qn_may_miss(err);
}

static enum qn_err add_kept(struct search *search)
{
    struct qn_key at = {.size = 0};
    struct qn_aside_op kept;
    enum qn_err err;
    while ((err = qn_aside_kept(search->dict->kv, search->coll, search->key, &at, &kept)) == QN_OK)
        QN_TRY(add_op(search, kept.actor, kept.op));
    return qn_may_miss(err);
}

static void add_sets(struct search *search)
{
    struct qn_left *left = search->left;
    qn_vec_each (&left->ops, kept) {
        if (!qn_vv_has(search->cc, &kept->op.dot))
            continue;
        qn_vec_each (&kept->op.set, set) {
            struct qn_pair pair = {.dot = kept->op.dot,
                                   .hlc = kept->op.hlc,
                                   .value = set->value,
                                   .user = kept->op.user};
            qn_record_add(&left->said, set->field, &pair);
        }
    }
    qn_left_subtract(left, &left->said);
}

/* ---- the row ---- */

/* One that was found damaged just now is not set aside yet. */
static enum qn_err copy_row(struct search *search)
{
    struct qn_kv *kv = search->dict->kv;
    struct qn_key at;
    struct qn_span row;
    enum qn_err err = qn_aside_row(kv, search->coll, search->key, &row);
    if (err == QN_ERR_NOTFOUND)
        err = qn_kv_get(kv, QN_TABLE_REC, qn_key_record(&at, search->coll, search->key), &row);
    if (err != QN_OK)
        return qn_may_miss(err);
    qn_buf_init(&search->left->row, QN_RECORD_SIZE_MAX);
    qn_buf_append_span(&search->left->row, row);
    return qn_buf_status(&search->left->row);
}

static bool is_field(struct qn_span name)
{
    return name.size > 0 && name.size <= QN_FIELD_SIZE_MAX && qn_text_is_utf8(name);
}

/* What could have been written: any bit of the row may be the one that fell over. */
static bool is_sound(const struct search *search, struct qn_span field, const struct qn_pair *pair)
{
    return is_field(field) && pair->dot.ctr > 0 && qn_vv_has(search->cc, &pair->dot) &&
           pair->user.size <= QN_USER_SIZE_MAX && qn_text_is_utf8(pair->user) &&
           qn_value_check(pair->value) == QN_OK &&
           qn_record_pair(&search->left->said, field, &pair->dot) == NULL;
}

static enum qn_err add_row(struct search *search)
{
    struct qn_left *left = search->left;
    QN_AUTO_RECORD struct qn_record record = {0};
    QN_TRY(copy_row(search));
    enum qn_err err = qn_row_decode(search->dict, qn_buf_view(&left->row), &record);
    if (err != QN_OK)
        return err == QN_ERR_CORRUPT ? QN_OK : err;
    qn_vec_each (&record.fields, field)
        qn_vec_each (&field->pairs, pair)
            if (is_sound(search, field->name, pair))
                qn_record_add(&left->seen, field->name, pair);
    qn_left_subtract(left, &left->seen);
    return QN_OK;
}

enum qn_err qn_left_find(struct qn_dict *dict, uint32_t coll, const struct qn_vv *cc,
                         struct qn_span key, struct qn_left *left)
{
    struct search search = {.dict = dict, .coll = coll, .cc = cc, .key = key, .left = left};
    enum qn_err err = add_log(&search);
    if (err == QN_OK)
        err = add_kept(&search);
    qn_op_deinit(&search.scratch);
    QN_TRY(err);
    add_sets(&search);
    return add_row(&search);
}
