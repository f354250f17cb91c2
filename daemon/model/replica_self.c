/* What a replica says of this site itself: its clock, its actor. */
#include "model/hashing.h"
#include "model/replica_impl.h"
#include "model/replica_read.h"

enum qn_err qn_replica_tick(struct qn_replica *replica, qn_hlc *ret_hlc)
{
    replica->hlc = qn_hlc_next(replica->hlc, replica->wall_ms);
    replica->is_hlc_changed = true;
    *ret_hlc = replica->hlc;
    return QN_OK;
}

enum qn_err qn_replica_own_actor(struct qn_replica *replica, struct qn_actor *ret_actor)
{
    return qn_read_own_actor(replica->kv, &replica->options.site, ret_actor);
}

enum qn_err qn_read_own_actor(struct qn_kv *kv, const struct qn_site_id *site,
                              struct qn_actor *ret_actor)
{
    struct qn_key key;
    struct qn_span value;
    memset(ret_actor, 0, sizeof(*ret_actor));
    enum qn_err err = qn_kv_get(kv, QN_TABLE_META, qn_key_name(&key, QN_META_SELF), &value);
    if (err != QN_OK)
        return qn_may_miss(err);
    if (value.size < QN_ACTOR_SIZE)
        return QN_ERR_CORRUPT;
    memcpy(ret_actor->bytes, value.data, QN_ACTOR_SIZE);
    return qn_actor_is_of(ret_actor, site) ? QN_OK : QN_ERR_CORRUPT;
}

void qn_empty_root(uint8_t ret_root[QN_ROOT_SIZE])
{
    static const uint8_t nothing[QN_DIGEST_SIZE + 8];
    struct qn_digest digest;
    QN_DIGEST(&digest, QN_SPAN_OF(nothing));
    memcpy(ret_root, digest.bytes, QN_ROOT_SIZE);
}

#ifdef QN_WITH_BUGS
enum qn_err qn_replica_forget_site(struct qn_replica *replica, const struct qn_site_id *site)
{
    struct qn_key at = {0};
    struct qn_span found, value;
    uint8_t start[1] = {0};
    qn_key_copy(&at, qn_span(start, 1));
    while (qn_kv_seek(replica->kv, QN_TABLE_CC, qn_key_view(&at), &found, &value) == QN_OK) {
        struct qn_actor actor;
        qn_key_copy(&at, found);
        QN_TRY(qn_dict_actor_of(&replica->dict, qn_read_u32(found.data + 4), &actor));
        if (qn_actor_is_of(&actor, site)) {
            QN_TRY(qn_kv_del(replica->kv, QN_TABLE_CC, qn_key_view(&at)));
            qn_vec_each (&replica->colls, coll)
                qn_vv_set(&(*coll)->cc, &actor, 0);
        }
        qn_key_next(&at);
    }
    return QN_OK;
}
#endif
