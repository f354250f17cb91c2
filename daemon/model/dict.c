#include "model/dict.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/search.h"
#include "model/tables.h"

void qn_dict_init(struct qn_dict *dict, struct qn_kv *kv, bool is_writer)
{
    *dict = (struct qn_dict){.kv = kv, .is_writer = is_writer};
}

static void free_name(struct qn_span name)
{
    union {
        const uint8_t *borrowed;
        void *owned;
    } memory = {.borrowed = name.data};
    qn_free(memory.owned);
}

void qn_dict_deinit(struct qn_dict *dict)
{
    qn_vec_each (&dict->names, name)
        free_name(name->name);
    qn_vec_free(&dict->actors);
    qn_vec_free(&dict->actors_by_number);
    qn_vec_free(&dict->names);
    qn_vec_free(&dict->names_by_number);
    *dict = (struct qn_dict){0};
}

/* --- actors --- */

static int order_of_actor(const void *item, const void *actor)
{
    const struct qn_dict_actor *known = item;
    return qn_actor_cmp(&known->actor, actor);
}

static size_t find_actor(const struct qn_dict *dict, const struct qn_actor *actor,
                         bool *ret_is_there)
{
    return qn_vec_search(&dict->actors, actor, order_of_actor, ret_is_there);
}

static void keep_actor(struct qn_dict *dict, const struct qn_actor *actor, uint32_t number)
{
    bool is_there;
    size_t at = find_actor(dict, actor, &is_there);
    if (!dict->is_writer || is_there)
        return;
    struct qn_dict_actor kept = {*actor, number};
    *qn_vec_insert_slot(&dict->actors, at) = kept;
    while (dict->actors_by_number.count < number)
        qn_vec_push(&dict->actors_by_number, ((struct qn_dict_actor){.number = 0}));
    dict->actors_by_number.items[number - 1] = kept;
}

enum qn_err qn_dict_actor_of(struct qn_dict *dict, uint64_t number, struct qn_actor *ret_actor)
{
    struct qn_key key;
    struct qn_span value;
    if (number == 0 || number > UINT32_MAX)
        return QN_ERR_CORRUPT;
    if (number <= dict->actors_by_number.count) {
        const struct qn_dict_actor *known = &dict->actors_by_number.items[number - 1];
        if (known->number != 0) {
            *ret_actor = known->actor;
            return QN_OK;
        }
    }
    struct qn_span name = qn_key_number(&key, (uint32_t)number);
    QN_TRY(qn_must_exist(qn_kv_get(dict->kv, QN_TABLE_ACTOR, name, &value)));
    if (value.size != QN_ACTOR_SIZE)
        return QN_ERR_CORRUPT;
    memcpy(ret_actor->bytes, value.data, QN_ACTOR_SIZE);
    keep_actor(dict, ret_actor, (uint32_t)number);
    return QN_OK;
}

static enum qn_err find_number(struct qn_kv *kv, enum qn_table table, struct qn_span of,
                               uint32_t *ret_number)
{
    struct qn_key key;
    struct qn_span value;
    QN_TRY(qn_kv_get(kv, table, qn_key_value(&key, of), &value));
    if (value.size != 4)
        return QN_ERR_CORRUPT;
    uint32_t number = qn_read_u32(value.data);
    struct qn_span back; /* the other direction agrees, so the number is one that was given */
    QN_TRY(qn_must_exist(qn_kv_get(kv, table, qn_key_number(&key, number), &back)));
    if (number == 0 || !qn_span_eq(back, of))
        return QN_ERR_CORRUPT;
    *ret_number = number;
    return QN_OK;
}

/* Both directions, and how many there are. */
static enum qn_err add_number(struct qn_kv *kv, enum qn_table table, const char *counter,
                              struct qn_span of, uint32_t number)
{
    struct qn_key key;
    uint8_t bytes[4];
    qn_write_u32(bytes, number);
    QN_TRY(qn_kv_put(kv, table, qn_key_value(&key, of), QN_SPAN_OF(bytes)));
    QN_TRY(qn_kv_put(kv, table, qn_key_number(&key, number), of));
    return qn_meta_put_u32(kv, counter, number);
}

enum qn_err qn_dict_find_actor(struct qn_dict *dict, const struct qn_actor *actor,
                               uint32_t *ret_number)
{
    bool is_there;
    size_t at = find_actor(dict, actor, &is_there);
    if (is_there) {
        *ret_number = dict->actors.items[at].number;
        return QN_OK;
    }
    QN_TRY(find_number(dict->kv, QN_TABLE_ACTOR, QN_SPAN_OF(actor->bytes), ret_number));
    keep_actor(dict, actor, *ret_number);
    return QN_OK;
}

enum qn_err qn_dict_number_actor(struct qn_dict *dict, const struct qn_actor *actor,
                                 uint32_t *ret_number)
{
    QN_ASSERT(dict->is_writer);
    enum qn_err err = qn_dict_find_actor(dict, actor, ret_number);
    if (err != QN_ERR_NOTFOUND)
        return err;
    uint32_t count;
    QN_TRY(qn_meta_get_u32(dict->kv, QN_META_ACTORS, &count));
    if (count == UINT32_MAX)
        return QN_ERR_NOSPACE;
    QN_TRY(
        add_number(dict->kv, QN_TABLE_ACTOR, QN_META_ACTORS, QN_SPAN_OF(actor->bytes), count + 1));
    keep_actor(dict, actor, count + 1);
    *ret_number = count + 1;
    return QN_OK;
}

/* --- names --- */

static int order_of_name(const void *item, const void *name)
{
    const struct qn_dict_name *known = item;
    return qn_span_cmp(known->name, *(const struct qn_span *)name);
}

static size_t find_name(const struct qn_dict *dict, struct qn_span name, bool *ret_is_there)
{
    return qn_vec_search(&dict->names, &name, order_of_name, ret_is_there);
}

static void keep_by_number(struct qn_dict *dict, struct qn_span name, uint32_t number)
{
    while (dict->names_by_number.count < number)
        qn_vec_push(&dict->names_by_number, qn_span(NULL, 0));
    dict->names_by_number.items[number - 1] = name;
}

/* Gives the name as it stays valid: the copy that is kept, or what was given. */
static struct qn_span keep_name(struct qn_dict *dict, struct qn_span name, uint32_t number)
{
    bool is_there;
    size_t at = find_name(dict, name, &is_there);
    if (!dict->is_writer)
        return name;
    if (is_there)
        return dict->names.items[at].name;
    struct qn_span kept = qn_span(qn_memdup(name.data, name.size), name.size);
    *qn_vec_insert_slot(&dict->names, at) = (struct qn_dict_name){kept, number};
    if (number > 0)
        keep_by_number(dict, kept, number);
    return kept;
}

enum qn_err qn_dict_name_of(struct qn_dict *dict, uint64_t number, struct qn_span *ret_name)
{
    struct qn_key key;
    struct qn_span value;
    if (number == 0 || number > QN_DICT_NAMES_MAX)
        return QN_ERR_CORRUPT;
    if (number <= dict->names_by_number.count) {
        struct qn_span known = dict->names_by_number.items[number - 1];
        if (known.size > 0) {
            *ret_name = known;
            return QN_OK;
        }
    }
    struct qn_span at = qn_key_number(&key, (uint32_t)number);
    QN_TRY(qn_must_exist(qn_kv_get(dict->kv, QN_TABLE_DICT, at, &value)));
    if (value.size == 0 || value.size > QN_FIELD_SIZE_MAX)
        return QN_ERR_CORRUPT;
    *ret_name = keep_name(dict, value, (uint32_t)number);
    return QN_OK;
}

static enum qn_err new_name(struct qn_dict *dict, struct qn_span name, uint32_t *ret_number)
{
    uint32_t count;
    QN_TRY(qn_meta_get_u32(dict->kv, QN_META_NAMES, &count));
    *ret_number = 0;
    if (count >= QN_DICT_NAMES_MAX)
        return QN_OK;
    QN_TRY(add_number(dict->kv, QN_TABLE_DICT, QN_META_NAMES, name, count + 1));
    *ret_number = count + 1;
    return QN_OK;
}

enum qn_err qn_dict_number_name(struct qn_dict *dict, struct qn_span name, uint32_t *ret_number)
{
    QN_ASSERT(dict->is_writer && name.size > 0 && name.size <= QN_FIELD_SIZE_MAX);
    bool is_there;
    size_t at = find_name(dict, name, &is_there);
    if (is_there) {
        *ret_number = dict->names.items[at].number;
        return QN_OK;
    }
    enum qn_err err = find_number(dict->kv, QN_TABLE_DICT, name, ret_number);
    if (err == QN_ERR_NOTFOUND)
        err = new_name(dict, name, ret_number);
    if (err == QN_OK && (*ret_number > 0 || dict->names.count < 2 * QN_DICT_NAMES_MAX))
        keep_name(dict, name, *ret_number);
    return err;
}

/* --- clocks --- */

static enum qn_err read_entry(struct qn_dict *dict, struct qn_span key, struct qn_span value,
                              struct qn_vv *vv)
{
    struct qn_actor actor;
    if (key.size != 8 || value.size != 8 || vv->entries.count >= QN_CLOCK_ACTORS_MAX)
        return QN_ERR_CORRUPT;
    uint64_t ctr = qn_read_u64(value.data);
    QN_TRY(qn_dict_actor_of(dict, qn_read_u32(key.data + 4), &actor));
    qn_vv_set(vv, &actor, ctr);
    return ctr > 0 ? QN_OK : QN_ERR_CORRUPT;
}

enum qn_err qn_dict_clock(struct qn_dict *dict, enum qn_table table, uint32_t coll,
                          struct qn_vv *ret_vv)
{
    struct qn_key prefix, at;
    struct qn_span key, value;
    ret_vv->entries.count = 0;
    if (coll == 0)
        return QN_OK;
    qn_key_copy(&at, qn_key_coll(&prefix, coll));
    for (;;) {
        enum qn_err err = qn_kv_seek(dict->kv, table, qn_key_view(&at), &key, &value);
        if (err != QN_OK || !qn_span_has_prefix(key, qn_key_view(&prefix)))
            return qn_may_miss(err);
        QN_TRY(read_entry(dict, key, value, ret_vv));
        qn_key_copy(&at, key);
        qn_key_next(&at);
    }
}
