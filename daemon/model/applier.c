#include "model/applier.h"

#include "base/assert.h"
#include "model/bugs.h"
#include "model/intents.h"
#include "model/peers.h"
#include "proto/pack.h"

struct qn_intent *qn_intent_new(enum qn_intent_kind kind, uint64_t token,
                                struct qn_buf *take_payload)
{
    struct qn_intent *intent = QN_NEW(struct qn_intent);
    intent->kind = kind;
    intent->token = token;
    intent->payload = qn_buf_take(take_payload, &intent->size);
    intent->op_count = 1;
    return intent;
}

void qn_intent_free(struct qn_intent *intent)
{
    if (intent == NULL)
        return;
    qn_free(intent->payload);
    qn_free(intent);
}

struct qn_commit *qn_commit_new(void)
{
    struct qn_commit *commit = QN_NEW(struct qn_commit);
    qn_buf_init(&commit->entries, QN_LEDGER_SIZE_MAX);
    return commit;
}

static void drop_answers(struct qn_commit *commit)
{
    qn_vec_each (&commit->outcomes, outcome) {
        qn_free(outcome->answer);
        outcome->answer = NULL;
        outcome->answer_size = 0;
    }
}

static void drop_changes(struct qn_commit *commit)
{
    qn_vec_each (&commit->changes, change)
        qn_vv_deinit(&change->cc);
    commit->changes.count = 0;
    qn_buf_reset(&commit->entries);
}

void qn_commit_free(struct qn_commit *commit)
{
    if (commit == NULL)
        return;
    drop_changes(commit);
    drop_answers(commit);
    qn_vec_free(&commit->changes);
    qn_vec_free(&commit->outcomes);
    qn_buf_deinit(&commit->entries);
    qn_free(commit);
}

static size_t keys_of_site(void *context, const uint8_t prefix[QN_ACTOR_PREFIX_SIZE],
                           const struct qn_public_key **ret_keys)
{
    const struct qn_applier *applier = context;
    const struct qn_group *group = qn_ledger_group(applier->ledger);
    const struct qn_site *site = group == NULL ? NULL : qn_group_site_by_prefix(group, prefix);
    if (site == NULL)
        return 0;
    *ret_keys = site->epochs.items;
    return site->epochs.count;
}

struct qn_applier *qn_applier_new(const struct qn_site_id *site, const struct qn_signer *signer)
{
    struct qn_applier *applier = QN_NEW(struct qn_applier);
    applier->site = *site;
    applier->signer = signer;
    applier->ledger = qn_ledger_new();
    applier->replica = qn_replica_new(&(struct qn_replica_options){
        .site = *site, .signer = signer, .site_keys = keys_of_site, .context = applier});
    return applier;
}

void qn_applier_free(struct qn_applier *applier)
{
    if (applier == NULL)
        return;
    qn_replica_free(applier->replica);
    qn_ledger_free(applier->ledger);
    qn_free(applier);
}

enum qn_err qn_ledger_load(struct qn_ledger *ledger, struct qn_kv *kv)
{
    uint8_t key[9] = {0};
    for (size_t size = 8;; size = 9) { /* from the found key and one zero byte behind it */
        struct qn_span found, entry;
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_LEDGER, qn_span(key, size), &found, &entry);
        if (err == QN_ERR_NOTFOUND)
            return QN_OK;
        QN_TRY(err);
        bool is_new;
        if (found.size != 8 || qn_ledger_add(ledger, entry, &is_new) != QN_OK)
            return QN_ERR_CORRUPT;
        memcpy(key, found.data, 8);
    }
}

enum qn_err qn_applier_load(struct qn_applier *applier, struct qn_kv *kv)
{
    return qn_ledger_load(applier->ledger, kv);
}

enum qn_err qn_applier_begin(struct qn_applier *applier, struct qn_kv *kv, uint64_t wall_ms,
                             uint64_t entropy)
{
    applier->kv = kv;
    applier->wall_ms = wall_ms;
    applier->ledger_start = qn_ledger_count(applier->ledger);
    return qn_replica_begin(applier->replica, kv, wall_ms, entropy);
}

bool qn_err_is_fatal(enum qn_err err)
{
    return err == QN_ERR_CORRUPT || err == QN_ERR_IO || err == QN_ERR_NOSPACE ||
           err == QN_ERR_CRYPTO;
}

enum qn_err qn_applier_execute(struct qn_applier *applier, const struct qn_intent *intent,
                               struct qn_commit *commit)
{
    struct qn_outcome outcome = {.token = intent->token, .kind = intent->kind};
    outcome.err = qn_intent_run(applier, intent, &outcome);
    qn_vec_push(&commit->outcomes, outcome);
    return qn_err_is_fatal(outcome.err) ? outcome.err : QN_OK;
}

static enum qn_err report_collections(struct qn_applier *applier, struct qn_commit *commit)
{
    size_t count;
    const struct qn_coll_id *touched = qn_replica_touched(applier->replica, &count);
    for (size_t i = 0; i < count; i++) {
        struct qn_coll_change *change = qn_vec_push_slot(&commit->changes);
        *change = (struct qn_coll_change){.coll = touched[i]};
        QN_TRY(qn_read_coll(applier->kv, &touched[i], &change->info));
        QN_TRY(qn_read_cc(applier->kv, &touched[i], &change->cc));
    }
    return QN_OK;
}

static void report_entries(const struct qn_applier *applier, struct qn_commit *commit)
{
    size_t count = qn_ledger_count(applier->ledger) - applier->ledger_start;
    if (count == 0)
        return;
    qn_pack_array(&commit->entries, count);
    for (size_t i = 0; i < count; i++)
        qn_pack_bin(&commit->entries, qn_ledger_entry(applier->ledger, applier->ledger_start + i));
}

enum qn_err qn_applier_seal(struct qn_applier *applier, struct qn_commit *commit)
{
    QN_TRY(qn_replica_seal(applier->replica));
    QN_TRY(report_collections(applier, commit));
    report_entries(applier, commit);
    QN_TRY(qn_buf_status(&commit->entries));
    return qn_replica_own_actor(applier->replica, &commit->actor);
}

/* The ledger in memory is ahead of the store after an abort: it is rebuilt without what was lost.
 */
static void rewind_ledger(struct qn_applier *applier)
{
    if (qn_ledger_count(applier->ledger) == applier->ledger_start)
        return;
    struct qn_ledger *ledger = qn_ledger_new();
    for (size_t i = 0; i < applier->ledger_start; i++) {
        bool is_new;
        QN_ASSERT(qn_ledger_add(ledger, qn_ledger_entry(applier->ledger, i), &is_new) == QN_OK);
    }
    qn_ledger_free(applier->ledger);
    applier->ledger = ledger;
}

void qn_applier_done(struct qn_applier *applier, struct qn_commit *commit, enum qn_err err)
{
    qn_replica_done(applier->replica, err == QN_OK);
    applier->kv = NULL;
    if (err == QN_OK)
        return;
    rewind_ledger(applier);
    drop_changes(commit);
    drop_answers(commit);
    qn_vec_each (&commit->outcomes, outcome)
        outcome->err = err;
}
