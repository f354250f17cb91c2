#include "model/record.h"

#include "base/assert.h"
#include "base/search.h"
#include "model/hashing.h"

void qn_record_deinit(struct qn_record *record)
{
    qn_vec_each (&record->fields, field)
        qn_vec_free(&field->pairs);
    qn_vec_free(&record->fields);
}

static int order_of_field(const void *item, const void *name)
{
    const struct qn_field *field = item;
    return qn_span_cmp(field->name, *(const struct qn_span *)name);
}

/* The first field that is not below the name; whether it has that name. */
static size_t find_field(const struct qn_record *record, struct qn_span name, bool *ret_is_there)
{
    return qn_vec_search(&record->fields, &name, order_of_field, ret_is_there);
}

const struct qn_field *qn_record_field(const struct qn_record *record, struct qn_span name)
{
    bool is_there;
    size_t at = find_field(record, name, &is_there);
    return is_there ? &record->fields.items[at] : NULL;
}

static size_t find_pair(const struct qn_field *field, const struct qn_dot *dot, bool *ret_is_there)
{
    size_t at = 0;
    int order = -1;
    while (at < field->pairs.count && (order = qn_dot_cmp(&field->pairs.items[at].dot, dot)) < 0)
        at++;
    *ret_is_there = order == 0;
    return at;
}

const struct qn_pair *qn_record_pair(const struct qn_record *record, struct qn_span field,
                                     const struct qn_dot *dot)
{
    bool is_there;
    const struct qn_field *in = qn_record_field(record, field);
    if (in == NULL)
        return NULL;
    size_t at = find_pair(in, dot, &is_there);
    return is_there ? &in->pairs.items[at] : NULL;
}

/* Nearly every field has one pair: room for one, then as other vectors grow. */
static void make_room(struct qn_field *field)
{
    if (field->pairs.capacity > 0)
        return;
    field->pairs.items = qn_alloc(sizeof(*field->pairs.items));
    field->pairs.capacity = 1;
}

void qn_record_add(struct qn_record *record, struct qn_span field, const struct qn_pair *pair)
{
    bool is_there;
    size_t at = find_field(record, field, &is_there);
    if (!is_there)
        *qn_vec_insert_slot(&record->fields, at) = (struct qn_field){.name = field};
    struct qn_field *into = &record->fields.items[at];
    make_room(into);
    size_t pair_at = find_pair(into, &pair->dot, &is_there);
    if (is_there)
        into->pairs.items[pair_at] = *pair;
    else
        *qn_vec_insert_slot(&into->pairs, pair_at) = *pair;
}

bool qn_record_remove(struct qn_record *record, struct qn_span field, const struct qn_dot *dot)
{
    bool is_there;
    size_t at = find_field(record, field, &is_there);
    if (!is_there)
        return false;
    struct qn_field *from = &record->fields.items[at];
    size_t pair_at = find_pair(from, dot, &is_there);
    if (!is_there)
        return false;
    qn_vec_remove(&from->pairs, pair_at);
    if (from->pairs.count == 0) {
        qn_vec_free(&from->pairs);
        qn_vec_remove(&record->fields, at);
    }
    return true;
}

/* Two fields of one operation share a dot, so the order is total within a field only. */
static bool is_later(const struct qn_pair *a, const struct qn_pair *b)
{
    if (a->hlc != b->hlc)
        return a->hlc > b->hlc;
    return qn_dot_cmp(&a->dot, &b->dot) > 0;
}

const struct qn_pair *qn_field_shown(const struct qn_field *field)
{
    QN_ASSERT(field->pairs.count > 0);
    const struct qn_pair *shown = &field->pairs.items[0];
    qn_vec_each (&field->pairs, pair)
        if (is_later(pair, shown))
            shown = pair;
    return shown;
}

bool qn_field_has_conflict(const struct qn_field *field)
{
    qn_vec_each (&field->pairs, pair) {
        if (!qn_span_eq(pair->value, field->pairs.items[0].value))
            return true;
    }
    return false;
}

bool qn_record_has_conflict(const struct qn_record *record)
{
    return qn_hash_has_conflict(qn_record_state(record), record);
}

enum qn_record_state qn_record_state(const struct qn_record *record)
{
    struct qn_hasher *hasher = qn_hasher_new();
    enum qn_record_state state = qn_hash_state(hasher, record);
    qn_hasher_free(hasher);
    return state;
}

const struct qn_pair *qn_record_latest(const struct qn_record *record)
{
    const struct qn_pair *latest = NULL;
    qn_vec_each (&record->fields, field) {
        const struct qn_pair *shown = qn_field_shown(field);
        if (latest == NULL || is_later(shown, latest))
            latest = shown;
    }
    return latest;
}

void qn_record_hash(const struct qn_record *record, bool without_trash,
                    uint8_t ret_hash[QN_STATE_HASH_SIZE])
{
    struct qn_hasher *hasher = qn_hasher_new();
    qn_hash_record(hasher, record, without_trash, ret_hash);
    qn_hasher_free(hasher);
}

void qn_record_leaf(const struct qn_coll_id *coll, struct qn_span key,
                    const uint8_t hash[QN_STATE_HASH_SIZE], struct qn_digest *ret_leaf)
{
    struct qn_hasher *hasher = qn_hasher_new();
    qn_hash_leaf(hasher, coll, key, hash, ret_leaf);
    qn_hasher_free(hasher);
}

uint16_t qn_record_bucket(struct qn_span key)
{
    struct qn_hasher *hasher = qn_hasher_new();
    uint16_t bucket = qn_hash_bucket(hasher, key);
    qn_hasher_free(hasher);
    return bucket;
}
