/* Rewrites the audit trail of a site whose daemon is down, as root there can, who has its key too:
 * by itself what is left proves well.
 *
 *   rewrite_trail STATE rename OBJECT   what was done to OBJECT was done to "user:nobody"
 *   rewrite_trail STATE cut COUNT       the last COUNT entries never were
 *   rewrite_trail STATE grow OBJECT     as rename; and there is one entry more, with a checkpoint
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/setup.h"
#include "people/audit.h"
#include "store/env.h"
#include "store/kv_lmdb.h"

#define MAP_SIZE ((uint64_t)1 << 30)

struct forger {
    struct qn_setup setup;
    struct qn_signer *signer;
    struct qn_site_id id;
    struct qn_env env;
    struct qn_kv_lmdb kv;
    const char *object; /* NULL: none */
    uint64_t cut;
    bool grows;
};

static void key_of(const char *prefix, uint64_t seq, struct qn_buf *out)
{
    qn_buf_reset(out);
    qn_audit_key(prefix, seq, out);
}

static enum qn_err read_head(struct forger *forger, struct qn_audit_head *ret_head)
{
    struct qn_span row;
    QN_TRY(qn_kv_get(&forger->kv.kv, QN_TABLE_LOCAL, qn_span_str(QN_AUDIT_HEAD_KEY), &row));
    return qn_audit_head_unpack(row, ret_head);
}

/* One entry anew behind the one before, whose hash is in the head. */
static enum qn_err forge_entry(struct forger *forger, uint64_t seq, struct qn_audit_head *head)
{
    struct qn_kv *kv = &forger->kv.kv;
    struct qn_audit_entry entry;
    struct qn_span row;
    QN_AUTO_BUF struct qn_buf key, forged;
    qn_buf_init(&key, 64);
    qn_buf_init(&forged, QN_AUDIT_ENTRY_SIZE_MAX);
    key_of(QN_AUDIT_ENTRY_PREFIX, seq, &key);
    QN_TRY(qn_kv_get(kv, QN_TABLE_LOCAL, qn_buf_view(&key), &row));
    QN_TRY(qn_audit_entry_unpack(row, &entry));
    if (forger->object != NULL && qn_span_eq_str(entry.object, forger->object))
        entry.object = qn_span_str("user:nobody");
    entry.previous = head->hash;
    qn_audit_entry_pack(&entry, &forged);
    qn_audit_entry_hash(qn_buf_view(&forged), &head->hash);
    return qn_kv_put(kv, QN_TABLE_LOCAL, qn_buf_view(&key), qn_buf_view(&forged));
}

/* A checkpoint of that entry, if there was one, with the site's signature. */
static enum qn_err forge_checkpoint(struct forger *forger, uint64_t seq,
                                    const struct qn_audit_head *head)
{
    struct qn_kv *kv = &forger->kv.kv;
    struct qn_audit_checkpoint checkpoint;
    struct qn_span row;
    QN_AUTO_BUF struct qn_buf key, forged;
    qn_buf_init(&key, 64);
    qn_buf_init(&forged, QN_AUDIT_ENTRY_SIZE_MAX);
    key_of(QN_AUDIT_CHECKPOINT_PREFIX, seq, &key);
    enum qn_err err = qn_kv_get(kv, QN_TABLE_LOCAL, qn_buf_view(&key), &row);
    if (err == QN_ERR_NOTFOUND)
        return QN_OK;
    QN_TRY(err);
    if (seq > head->last)
        return qn_kv_del(kv, QN_TABLE_LOCAL, qn_buf_view(&key));
    QN_TRY(qn_audit_checkpoint_unpack(row, &checkpoint));
    checkpoint.hash = head->hash;
    QN_TRY(qn_audit_checkpoint_sign(&checkpoint, &forger->id, forger->signer));
    qn_audit_checkpoint_pack(&checkpoint, &forged);
    return qn_kv_put(kv, QN_TABLE_LOCAL, qn_buf_view(&key), qn_buf_view(&forged));
}

static enum qn_err drop(struct forger *forger, uint64_t seq, const struct qn_audit_head *head)
{
    QN_AUTO_BUF struct qn_buf key;
    qn_buf_init(&key, 64);
    key_of(QN_AUDIT_ENTRY_PREFIX, seq, &key);
    QN_TRY(qn_kv_del(&forger->kv.kv, QN_TABLE_LOCAL, qn_buf_view(&key)));
    return forge_checkpoint(forger, seq, head);
}

/* So that nothing that is told goes back. */
static enum qn_err grow(struct forger *forger, struct qn_audit_head *head)
{
    struct qn_kv *kv = &forger->kv.kv;
    struct qn_audit_entry entry;
    struct qn_audit_checkpoint checkpoint;
    struct qn_span row;
    QN_AUTO_BUF struct qn_buf key, forged;
    qn_buf_init(&key, 64);
    qn_buf_init(&forged, QN_AUDIT_ENTRY_SIZE_MAX);
    key_of(QN_AUDIT_ENTRY_PREFIX, head->last, &key);
    QN_TRY(qn_kv_get(kv, QN_TABLE_LOCAL, qn_buf_view(&key), &row));
    QN_TRY(qn_audit_entry_unpack(row, &entry));
    entry.seq = ++head->last;
    entry.previous = head->hash;
    checkpoint = (struct qn_audit_checkpoint){.seq = entry.seq, .wall_ms = entry.wall_ms};
    qn_audit_entry_pack(&entry, &forged);
    qn_audit_entry_hash(qn_buf_view(&forged), &head->hash);
    checkpoint.hash = head->hash;
    key_of(QN_AUDIT_ENTRY_PREFIX, entry.seq, &key);
    QN_TRY(qn_kv_put(kv, QN_TABLE_LOCAL, qn_buf_view(&key), qn_buf_view(&forged)));
    QN_TRY(qn_audit_checkpoint_sign(&checkpoint, &forger->id, forger->signer));
    qn_buf_reset(&forged);
    qn_audit_checkpoint_pack(&checkpoint, &forged);
    key_of(QN_AUDIT_CHECKPOINT_PREFIX, entry.seq, &key);
    return qn_kv_put(kv, QN_TABLE_LOCAL, qn_buf_view(&key), qn_buf_view(&forged));
}

static enum qn_err forge(struct forger *forger)
{
    struct qn_audit_head head;
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, 128);
    QN_TRY(read_head(forger, &head));
    uint64_t last = head.last;
    head.last = last - forger->cut;
    memset(&head.hash, 0, sizeof(head.hash)); /* the test's trails begin with entry 1 */
    for (uint64_t seq = head.first; seq <= head.last; seq++) {
        QN_TRY(forge_entry(forger, seq, &head));
        QN_TRY(forge_checkpoint(forger, seq, &head));
    }
    for (uint64_t seq = head.last + 1; seq <= last; seq++)
        QN_TRY(drop(forger, seq, &head));
    if (forger->grows)
        QN_TRY(grow(forger, &head));
    qn_audit_head_pack(&head, &row);
    return qn_kv_put(&forger->kv.kv, QN_TABLE_LOCAL, qn_span_str(QN_AUDIT_HEAD_KEY),
                     qn_buf_view(&row));
}

static enum qn_err run(struct forger *forger, const char *state)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/store", state);
    QN_TRY(qn_setup_read(state, &forger->setup));
    QN_TRY(qn_signer_new(forger->setup.seed, &forger->signer));
    qn_setup_site_id(&forger->setup, qn_signer_public(forger->signer), &forger->id);
    QN_TRY(qn_env_open(&forger->env, path, MAP_SIZE));
    qn_kv_lmdb_init(&forger->kv, forger->env.mdb, forger->env.tables);
    QN_TRY(qn_kv_lmdb_begin_write(&forger->kv));
    QN_TRY(forge(forger));
    return qn_kv_lmdb_commit(&forger->kv);
}

int main(int argc, char **argv)
{
    static struct forger forger;
    if (argc != 4)
        return 64;
    forger.grows = strcmp(argv[2], "grow") == 0;
    if (forger.grows || strcmp(argv[2], "rename") == 0)
        forger.object = argv[3];
    else
        forger.cut = strtoull(argv[3], NULL, 10);
    enum qn_err err = run(&forger, argv[1]);
    printf("%s\n", qn_err_name(err));
    qn_kv_lmdb_deinit(&forger.kv);
    qn_env_close(&forger.env);
    qn_signer_free(forger.signer);
    qn_setup_deinit(&forger.setup);
    return err == QN_OK ? 0 : 2;
}
