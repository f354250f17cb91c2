#include "model/damage.h"

#include "model/tables.h"

#define DAMAGE_FORMAT   1
#define DAMAGE_SIZE     (2 + 4 * 8)
#define INCIDENT_HEAD   (1 + 8 + sizeof(struct qn_site_id))
#define ASIDE_SIZE_MAX  (64 * 1024) /* kept of a damaged row, for whoever wants to look at it */
#define ASIDE_HASH_NONE 0

/* The parts of the table: what follows a collection's number in a key. */
enum part {
    PART_SUMMARY = 0,
    PART_ASIDE = 1,
    PART_INCIDENT = 2,
    PART_KEPT = 3,
};

static struct qn_span part_key(struct qn_key *key, uint32_t coll, enum part part)
{
    uint8_t byte = (uint8_t)part;
    qn_key_coll(key, coll);
    qn_key_add(key, QN_SPAN_OF(byte));
    return qn_key_view(key);
}

static struct qn_span aside_key(struct qn_key *key, uint32_t coll, struct qn_span record)
{
    part_key(key, coll, PART_ASIDE);
    qn_key_add(key, record);
    return qn_key_view(key);
}

static struct qn_span incident_key(struct qn_key *key, uint32_t coll, uint64_t number)
{
    part_key(key, coll, PART_INCIDENT);
    qn_key_add_u64(key, number);
    return qn_key_view(key);
}

/* ---- the summary ---- */

enum qn_err qn_damage_get(struct qn_kv *kv, uint32_t coll, struct qn_damage *ret_damage)
{
    struct qn_key key;
    struct qn_span value;
    *ret_damage = (struct qn_damage){0};
    if (coll == 0)
        return QN_OK;
    enum qn_err err = qn_kv_get(kv, QN_TABLE_AUDIT, part_key(&key, coll, PART_SUMMARY), &value);
    if (err != QN_OK)
        return qn_may_miss(err);
    if (value.size != DAMAGE_SIZE || value.data[0] != DAMAGE_FORMAT)
        return QN_OK; /* damaged itself: nothing is known, and the next scrub finds all again */
    ret_damage->is_uncounted = value.data[1] != 0;
    ret_damage->damaged = qn_read_u64(value.data + 2);
    ret_damage->found = qn_read_u64(value.data + 10);
    ret_damage->found_ms = qn_read_u64(value.data + 18);
    ret_damage->scrubbed_ms = qn_read_u64(value.data + 26);
    return QN_OK;
}

enum qn_err qn_damage_put(struct qn_kv *kv, uint32_t coll, const struct qn_damage *damage)
{
    struct qn_key key;
    uint8_t value[DAMAGE_SIZE] = {DAMAGE_FORMAT, damage->is_uncounted};
    qn_write_u64(value + 2, damage->damaged);
    qn_write_u64(value + 10, damage->found);
    qn_write_u64(value + 18, damage->found_ms);
    qn_write_u64(value + 26, damage->scrubbed_ms);
    return qn_kv_put(kv, QN_TABLE_AUDIT, part_key(&key, coll, PART_SUMMARY), QN_SPAN_OF(value));
}

/* ---- records that are set aside ---- */

enum qn_err qn_aside_put(struct qn_kv *kv, uint32_t coll, struct qn_span key, const uint8_t *hash,
                         struct qn_span row)
{
    struct qn_key at;
    QN_AUTO_BUF struct qn_buf value;
    qn_buf_init(&value, ASIDE_SIZE_MAX + 64);
    qn_buf_append_u8(&value, hash == NULL ? ASIDE_HASH_NONE : QN_STATE_HASH_SIZE);
    if (hash != NULL)
        qn_buf_append(&value, hash, QN_STATE_HASH_SIZE);
    qn_buf_append(&value, row.data, row.size < ASIDE_SIZE_MAX ? row.size : ASIDE_SIZE_MAX);
    QN_TRY(qn_buf_status(&value));
    return qn_kv_put(kv, QN_TABLE_AUDIT, aside_key(&at, coll, key), qn_buf_view(&value));
}

/* The size before the key: what is kept of one record is not that of one whose key goes on. */
static struct qn_span kept_key(struct qn_key *at, uint32_t coll, struct qn_span key)
{
    uint8_t size = (uint8_t)key.size;
    part_key(at, coll, PART_KEPT);
    qn_key_add(at, QN_SPAN_OF(size));
    qn_key_add(at, key);
    return qn_key_view(at);
}

enum qn_err qn_aside_keep(struct qn_kv *kv, uint32_t coll, struct qn_span key, uint32_t actor,
                          uint64_t ctr, struct qn_span field, struct qn_span op)
{
    struct qn_key at;
    kept_key(&at, coll, key);
    qn_key_add_u32(&at, actor);
    qn_key_add_u64(&at, ctr);
    qn_key_add(&at, field);
    return qn_kv_put(kv, QN_TABLE_AUDIT, qn_key_view(&at), op);
}

enum qn_err qn_aside_kept(struct qn_kv *kv, uint32_t coll, struct qn_span key, struct qn_key *at,
                          struct qn_aside_op *ret_kept)
{
    struct qn_key prefix;
    struct qn_span found;
    kept_key(&prefix, coll, key);
    if (at->size == 0)
        *at = prefix;
    else
        qn_key_next(at);
    QN_TRY(qn_kv_seek(kv, QN_TABLE_AUDIT, qn_key_view(at), &found, &ret_kept->op));
    if (!qn_span_has_prefix(found, qn_key_view(&prefix)) || found.size < prefix.size + 12)
        return QN_ERR_NOTFOUND;
    ret_kept->actor = qn_read_u32(found.data + prefix.size);
    ret_kept->ctr = qn_read_u64(found.data + prefix.size + 4);
    qn_key_copy(at, found);
    return QN_OK;
}

enum qn_err qn_aside_unkeep(struct qn_kv *kv, uint32_t coll, struct qn_span key)
{
    struct qn_key at = {.size = 0};
    struct qn_aside_op kept;
    enum qn_err err;
    while ((err = qn_aside_kept(kv, coll, key, &at, &kept)) == QN_OK)
        QN_TRY(qn_kv_del(kv, QN_TABLE_AUDIT, qn_key_view(&at)));
    return qn_may_miss(err);
}

enum qn_err qn_aside_del(struct qn_kv *kv, uint32_t coll, struct qn_span key)
{
    struct qn_key at;
    return qn_may_miss(qn_kv_del(kv, QN_TABLE_AUDIT, aside_key(&at, coll, key)));
}

/* Both borrowed. */
static enum qn_err read_aside(struct qn_kv *kv, uint32_t coll, struct qn_span key,
                              struct qn_span *ret_hash, struct qn_span *ret_row)
{
    struct qn_key at;
    struct qn_span value;
    QN_TRY(qn_kv_get(kv, QN_TABLE_AUDIT, aside_key(&at, coll, key), &value));
    bool has_hash = value.size > QN_STATE_HASH_SIZE && value.data[0] == QN_STATE_HASH_SIZE;
    *ret_row = qn_span_from(value, 1);
    *ret_hash = has_hash ? qn_span(ret_row->data, QN_STATE_HASH_SIZE) : qn_span(NULL, 0);
    *ret_row = qn_span_from(*ret_row, ret_hash->size);
    return QN_OK;
}

enum qn_err qn_aside_get(struct qn_kv *kv, uint32_t coll, struct qn_span key,
                         struct qn_span *ret_hash)
{
    struct qn_span row;
    return read_aside(kv, coll, key, ret_hash, &row);
}

enum qn_err qn_aside_row(struct qn_kv *kv, uint32_t coll, struct qn_span key,
                         struct qn_span *ret_row)
{
    struct qn_span hash;
    return read_aside(kv, coll, key, &hash, ret_row);
}

enum qn_err qn_aside_outdate(struct qn_kv *kv, uint32_t coll, struct qn_span key)
{
    struct qn_span hash, row;
    QN_TRY(read_aside(kv, coll, key, &hash, &row));
    return hash.size == 0 ? QN_OK : qn_aside_put(kv, coll, key, NULL, row);
}

enum qn_err qn_aside_next(struct qn_kv *kv, uint32_t coll, struct qn_span after,
                          struct qn_span *ret_key)
{
    struct qn_key at, prefix;
    struct qn_span key, value;
    aside_key(&at, coll, after);
    if (after.size > 0)
        qn_key_next(&at);
    QN_TRY(qn_kv_seek(kv, QN_TABLE_AUDIT, qn_key_view(&at), &key, &value));
    if (!qn_span_has_prefix(key, part_key(&prefix, coll, PART_ASIDE)))
        return QN_ERR_NOTFOUND;
    *ret_key = qn_span_from(key, 5);
    return QN_OK;
}

/* ---- incidents ---- */

enum qn_err qn_incident_add(struct qn_kv *kv, uint32_t coll, struct qn_damage *damage,
                            const struct qn_incident *incident)
{
    struct qn_key key;
    QN_AUTO_BUF struct qn_buf value;
    qn_buf_init(&value, 512);
    qn_buf_append_u8(&value, (uint8_t)incident->kind);
    qn_buf_append_u64(&value, incident->at_ms);
    qn_buf_append(&value, incident->site.bytes, sizeof(incident->site.bytes));
    qn_buf_append_span(&value, incident->key);
    QN_TRY(qn_buf_status(&value));
    uint64_t number = ++damage->found;
    damage->found_ms = incident->at_ms;
    QN_TRY(qn_kv_put(kv, QN_TABLE_AUDIT, incident_key(&key, coll, number), qn_buf_view(&value)));
    if (number > QN_INCIDENTS_MAX)
        QN_TRY(qn_may_miss(
            qn_kv_del(kv, QN_TABLE_AUDIT, incident_key(&key, coll, number - QN_INCIDENTS_MAX))));
    return qn_damage_put(kv, coll, damage);
}

enum qn_err qn_incident_before(struct qn_kv *kv, uint32_t coll, uint64_t before,
                               uint64_t *ret_number, struct qn_incident *ret_incident)
{
    struct qn_damage damage;
    struct qn_key key;
    struct qn_span value;
    QN_TRY(qn_damage_get(kv, coll, &damage));
    uint64_t number = before > damage.found ? damage.found : before - 1;
    if (number == 0)
        return QN_ERR_NOTFOUND;
    QN_TRY(qn_kv_get(kv, QN_TABLE_AUDIT, incident_key(&key, coll, number), &value));
    if (value.size < INCIDENT_HEAD)
        return QN_ERR_NOTFOUND;
    *ret_number = number;
    ret_incident->kind = (enum qn_incident_kind)value.data[0];
    ret_incident->at_ms = qn_read_u64(value.data + 1);
    memcpy(ret_incident->site.bytes, value.data + 9, sizeof(ret_incident->site.bytes));
    ret_incident->key = qn_span_from(value, INCIDENT_HEAD);
    return QN_OK;
}
