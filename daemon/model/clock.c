#include "model/clock.h"

#include "base/limits.h"
#include "base/search.h"
#include "proto/pack.h"

#define HLC_MS_MAX ((UINT64_C(1) << 48) - 1)

void qn_actor_make(const struct qn_site_id *site, uint64_t incarnation, struct qn_actor *ret_actor)
{
    memcpy(ret_actor->bytes, site->bytes, QN_ACTOR_PREFIX_SIZE);
    qn_write_u64(ret_actor->bytes + QN_ACTOR_PREFIX_SIZE, incarnation);
}

int qn_actor_cmp(const struct qn_actor *a, const struct qn_actor *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool qn_actor_is_of(const struct qn_actor *actor, const struct qn_site_id *site)
{
    return memcmp(actor->bytes, site->bytes, QN_ACTOR_PREFIX_SIZE) == 0;
}

int qn_dot_cmp(const struct qn_dot *a, const struct qn_dot *b)
{
    int order = qn_actor_cmp(&a->actor, &b->actor);
    return order != 0 ? order : (a->ctr > b->ctr) - (a->ctr < b->ctr);
}

void qn_vv_deinit(struct qn_vv *vv)
{
    qn_vec_free(&vv->entries);
}

void qn_vv_copy(struct qn_vv *vv, const struct qn_vv *from)
{
    vv->entries.count = 0;
    qn_vec_each (&from->entries, entry)
        qn_vec_push(&vv->entries, *entry);
}

static int order_of_entry(const void *item, const void *actor)
{
    const struct qn_vv_entry *entry = item;
    return qn_actor_cmp(&entry->actor, actor);
}

/* The first entry that is not below the actor; whether it is the actor's own. */
static size_t find(const struct qn_vv *vv, const struct qn_actor *actor, bool *ret_is_there)
{
    return qn_vec_search(&vv->entries, actor, order_of_entry, ret_is_there);
}

uint64_t qn_vv_get(const struct qn_vv *vv, const struct qn_actor *actor)
{
    bool is_there;
    size_t at = find(vv, actor, &is_there);
    return is_there ? vv->entries.items[at].ctr : 0;
}

void qn_vv_set(struct qn_vv *vv, const struct qn_actor *actor, uint64_t ctr)
{
    bool is_there;
    size_t at = find(vv, actor, &is_there);
    if (is_there && ctr == 0)
        qn_vec_remove(&vv->entries, at);
    else if (is_there)
        vv->entries.items[at].ctr = ctr;
    else if (ctr != 0)
        *qn_vec_insert_slot(&vv->entries, at) = (struct qn_vv_entry){*actor, ctr};
}

void qn_vv_raise(struct qn_vv *vv, const struct qn_actor *actor, uint64_t ctr)
{
    if (ctr > qn_vv_get(vv, actor))
        qn_vv_set(vv, actor, ctr);
}

void qn_vv_join(struct qn_vv *vv, const struct qn_vv *other)
{
    qn_vec_each (&other->entries, entry)
        qn_vv_raise(vv, &entry->actor, entry->ctr);
}

bool qn_vv_has(const struct qn_vv *vv, const struct qn_dot *dot)
{
    return qn_vv_get(vv, &dot->actor) >= dot->ctr;
}

bool qn_vv_covers(const struct qn_vv *vv, const struct qn_vv *other)
{
    qn_vec_each (&other->entries, entry)
        if (qn_vv_get(vv, &entry->actor) < entry->ctr)
            return false;
    return true;
}

bool qn_vv_eq(const struct qn_vv *a, const struct qn_vv *b)
{
    return a->entries.count == b->entries.count && qn_vv_covers(a, b) && qn_vv_covers(b, a);
}

uint64_t qn_vv_missing(const struct qn_vv *vv, const struct qn_vv *other)
{
    uint64_t missing = 0;
    qn_vec_each (&other->entries, entry) {
        uint64_t known = qn_vv_get(vv, &entry->actor);
        uint64_t more = entry->ctr > known ? entry->ctr - known : 0;
        missing = more > UINT64_MAX - missing ? UINT64_MAX : missing + more;
    }
    return missing;
}

void qn_vv_pack(const struct qn_vv *vv, struct qn_buf *out)
{
    qn_pack_array(out, 2 * vv->entries.count);
    qn_vec_each (&vv->entries, entry) {
        qn_pack_bin(out, QN_SPAN_OF(entry->actor.bytes));
        qn_pack_u64(out, entry->ctr);
    }
}

void qn_vv_digest(const struct qn_vv *vv, struct qn_digest *ret_digest)
{
    QN_AUTO_BUF struct qn_buf canonical;
    qn_buf_init(&canonical, 5 + vv->entries.count * (2 + QN_ACTOR_SIZE + 9));
    qn_vv_pack(vv, &canonical);
    QN_DIGEST(ret_digest, qn_buf_view(&canonical));
}

static enum qn_err unpack_entries(struct qn_cursor *cursor, size_t count, struct qn_vv *vv)
{
    for (size_t i = 0; i < count; i++) {
        struct qn_vv_entry entry;
        QN_TRY(qn_cursor_bytes(cursor, entry.actor.bytes, sizeof(entry.actor.bytes)));
        QN_TRY(qn_cursor_u64(cursor, &entry.ctr));
        bool is_ascending =
            i == 0 || qn_actor_cmp(&vv->entries.items[i - 1].actor, &entry.actor) < 0;
        if (entry.ctr == 0 || !is_ascending)
            return QN_ERR_INVALID;
        qn_vec_push(&vv->entries, entry);
    }
    return QN_OK;
}

enum qn_err qn_vv_unpack(struct qn_cursor *cursor, struct qn_vv *ret_vv)
{
    struct qn_cursor trial = *cursor;
    struct qn_vv vv = {0};
    size_t count;
    QN_TRY(qn_cursor_array(&trial, 2 * QN_CLOCK_ACTORS_MAX, &count));
    if (count % 2 != 0)
        return QN_ERR_INVALID;
    enum qn_err err = unpack_entries(&trial, count / 2, &vv);
    if (err != QN_OK) {
        qn_vv_deinit(&vv);
        return err;
    }
    *cursor = trial;
    *ret_vv = vv;
    return QN_OK;
}

qn_hlc qn_hlc_next(qn_hlc last, uint64_t wall_ms)
{
    qn_hlc wall = (wall_ms < HLC_MS_MAX ? wall_ms : HLC_MS_MAX) << 16;
    return wall > last ? wall : last + 1;
}

qn_hlc qn_hlc_seen(qn_hlc last, qn_hlc remote, uint64_t wall_ms, bool *ret_is_skewed)
{
    uint64_t remote_ms = qn_hlc_ms(remote);
    *ret_is_skewed = remote_ms > wall_ms && remote_ms - wall_ms > QN_CLOCK_SKEW_MAX_MS;
    return !*ret_is_skewed && remote > last ? remote : last;
}
