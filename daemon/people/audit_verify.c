#include "people/audit.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/vec.h"

#define MONTH_MIN_MS ((uint64_t)30 * 24 * 3600 * 1000)
#define KEYS_MAX     QN_SITE_KEYS_MAX

struct known {
    struct qn_audit_checkpoint checkpoint;
    bool is_witness;
    size_t who; /* then */
    uint64_t received_ms;
};

struct qn_audit_verify {
    struct qn_site_id id;
    struct qn_public_key keys[KEYS_MAX];
    size_t key_count;
    uint64_t now_ms;
    QN_VEC(struct known) known; /* by seq, once the entries begin */
    size_t next_known;
    bool is_sorted;
    bool has_entries, has_head;
    struct qn_digest last_hash;
    struct qn_audit_head head;
    struct qn_audit_verdict verdict;
    struct qn_audit_witness witnesses[QN_SITES_MAX];
};

struct qn_audit_verify *qn_audit_verify_new(const struct qn_site_id *id,
                                            const struct qn_public_key *keys, size_t key_count,
                                            uint64_t now_ms)
{
    struct qn_audit_verify *verify = QN_NEW(struct qn_audit_verify);
    verify->id = *id;
    verify->key_count = key_count < KEYS_MAX ? key_count : KEYS_MAX;
    memcpy(verify->keys, keys, verify->key_count * sizeof(*keys));
    verify->now_ms = now_ms;
    return verify;
}

void qn_audit_verify_free(struct qn_audit_verify *verify)
{
    if (verify == NULL)
        return;
    qn_vec_free(&verify->known);
    qn_free(verify);
}

static void blame(struct qn_audit_verify *verify, enum qn_audit_fault fault, uint64_t seq)
{
    if (verify->verdict.fault != QN_AUDIT_WHOLE)
        return;
    verify->verdict.fault = fault;
    verify->verdict.seq = seq;
}

/* ---- checkpoints ---- */

static bool is_signed(const struct qn_audit_verify *verify,
                      const struct qn_audit_checkpoint *checkpoint)
{
    for (size_t i = 0; i < verify->key_count; i++)
        if (qn_audit_checkpoint_verify(checkpoint, &verify->id, &verify->keys[i]) == QN_OK)
            return true;
    return false;
}

void qn_audit_verify_witness(struct qn_audit_verify *verify, size_t who, uint64_t received_ms,
                             const struct qn_audit_checkpoint *checkpoint)
{
    if (who >= QN_SITES_MAX || verify->witnesses[who].points >= QN_AUDIT_WITNESS_POINTS_MAX ||
        checkpoint->seq == 0 || !is_signed(verify, checkpoint))
        return;
    verify->verdict.witnessed++;
    verify->witnesses[who].points++;
    qn_vec_push(&verify->known, ((struct known){.checkpoint = *checkpoint,
                                                .is_witness = true,
                                                .who = who,
                                                .received_ms = received_ms}));
}

const struct qn_audit_witness *qn_audit_verify_of(const struct qn_audit_verify *verify, size_t who)
{
    return &verify->witnesses[who];
}

static void take_checkpoint(struct qn_audit_verify *verify, uint64_t seq, struct qn_span value)
{
    struct qn_audit_checkpoint checkpoint;
    if (qn_audit_checkpoint_unpack(value, &checkpoint) != QN_OK || checkpoint.seq != seq ||
        !is_signed(verify, &checkpoint)) {
        blame(verify, QN_AUDIT_SIGNATURE, seq);
        return;
    }
    if (verify->verdict.checkpoints >= 2 * QN_AUDIT_CHECKPOINTS_MAX)
        return;
    verify->verdict.checkpoints++;
    qn_vec_push(&verify->known, ((struct known){.checkpoint = checkpoint}));
}

static int by_seq(const void *a, const void *b)
{
    const struct known *x = a, *y = b;
    if (x->checkpoint.seq != y->checkpoint.seq)
        return x->checkpoint.seq < y->checkpoint.seq ? -1 : 1;
    return x->received_ms < y->received_ms ? -1 : x->received_ms > y->received_ms;
}

/* All that is known comes before the first entry: witnesses by the order of calls, checkpoints by
 * the order of keys. */
static void sort_known(struct qn_audit_verify *verify)
{
    if (!verify->is_sorted && verify->known.count > 0)
        qsort(verify->known.items, verify->known.count, sizeof(struct known), by_seq);
    verify->is_sorted = true;
}

static void matches(struct qn_audit_verify *verify, const struct known *known)
{
    struct qn_audit_witness *witness = &verify->witnesses[known->who];
    if (!known->is_witness)
        return;
    witness->matched_seq = known->checkpoint.seq;
    witness->matched_ms = known->received_ms;
}

static void differs(struct qn_audit_verify *verify, const struct known *known, bool is_missing)
{
    struct qn_audit_witness *witness = &verify->witnesses[known->who];
    if (!known->is_witness) {
        blame(verify, is_missing ? QN_AUDIT_END : QN_AUDIT_CHECKPOINT, known->checkpoint.seq);
        return;
    }
    blame(verify, QN_AUDIT_WITNESS, known->checkpoint.seq);
    if (witness->differs_seq != 0)
        return;
    witness->differs_seq = known->checkpoint.seq;
    witness->differs_ms = known->received_ms;
    witness->is_missing = is_missing;
}

/* What is known of this entry, and nothing else was known of those before. */
static void compare_known(struct qn_audit_verify *verify, uint64_t seq,
                          const struct qn_digest *hash)
{
    sort_known(verify);
    while (verify->next_known < verify->known.count) {
        const struct known *known = &verify->known.items[verify->next_known];
        if (known->checkpoint.seq > seq)
            return;
        if (known->checkpoint.seq == seq && !qn_digest_eq(&known->checkpoint.hash, hash))
            differs(verify, known, false);
        else if (known->checkpoint.seq == seq)
            matches(verify, known);
        verify->next_known++;
    }
}

/* ---- entries ---- */

/* Before the first entry lies nothing, or what was let go: then a checkpoint may tell its hash. */
static void start(struct qn_audit_verify *verify, const struct qn_audit_entry *entry)
{
    verify->has_entries = true;
    verify->verdict.first = entry->seq;
    if (entry->seq > 1)
        compare_known(verify, entry->seq - 1, &entry->previous);
    static const struct qn_digest zero;
    if (entry->seq == 1 && !qn_digest_eq(&entry->previous, &zero))
        blame(verify, QN_AUDIT_CHAIN, 1);
}

static void take_entry(struct qn_audit_verify *verify, uint64_t seq, struct qn_span value)
{
    struct qn_audit_entry entry;
    if (qn_audit_entry_unpack(value, &entry) != QN_OK || entry.seq != seq) {
        blame(verify, QN_AUDIT_FORM, seq);
        return;
    }
    if (!verify->has_entries)
        start(verify, &entry);
    else if (seq != verify->verdict.last + 1)
        blame(verify, QN_AUDIT_GAP, seq);
    else if (!qn_digest_eq(&entry.previous, &verify->last_hash))
        blame(verify, QN_AUDIT_CHAIN, seq);
    verify->verdict.last = seq;
    qn_audit_entry_hash(value, &verify->last_hash);
    compare_known(verify, seq, &verify->last_hash);
}

static void take_head(struct qn_audit_verify *verify, struct qn_span value)
{
    verify->has_head = qn_audit_head_unpack(value, &verify->head) == QN_OK;
}

static uint64_t seq_of(struct qn_span key, const char *prefix)
{
    struct qn_span rest = qn_span_from(key, strlen(prefix));
    return rest.size == 8 ? qn_read_u64(rest.data) : 0;
}

void qn_audit_verify_row(struct qn_audit_verify *verify, struct qn_span key, struct qn_span value)
{
    if (qn_span_has_prefix(key, qn_span_str(QN_AUDIT_CHECKPOINT_PREFIX)))
        take_checkpoint(verify, seq_of(key, QN_AUDIT_CHECKPOINT_PREFIX), value);
    else if (qn_span_has_prefix(key, qn_span_str(QN_AUDIT_ENTRY_PREFIX)))
        take_entry(verify, seq_of(key, QN_AUDIT_ENTRY_PREFIX), value);
    else if (qn_span_eq_str(key, QN_AUDIT_HEAD_KEY))
        take_head(verify, value);
    else
        blame(verify, QN_AUDIT_FORM, 0);
}

/* ---- the end ---- */

static void check_end(struct qn_audit_verify *verify)
{
    const struct qn_audit_head *head = &verify->head;
    uint64_t last = verify->verdict.last;
    sort_known(verify);
    for (size_t i = verify->next_known; i < verify->known.count; i++) /* of what is not there */
        differs(verify, &verify->known.items[i], true);
    if (!verify->has_entries && !verify->has_head)
        return;
    if (!verify->has_head || head->last != last ||
        (verify->has_entries && !qn_digest_eq(&head->hash, &verify->last_hash)))
        blame(verify, QN_AUDIT_END, last + 1);
}

/* Whether all before that entry is so old that it may be gone: it is as old as a checkpoint behind
 * it at least. */
static bool may_be_gone(const struct qn_audit_verify *verify, uint64_t first)
{
    uint64_t keep_ms = QN_AUDIT_KEEP_MONTHS_MIN * MONTH_MIN_MS;
    qn_vec_each (&verify->known, known)
        if (known->checkpoint.seq + 1 >= first &&
            known->checkpoint.wall_ms + keep_ms <= verify->now_ms)
            return true;
    return false;
}

/* A witness has a checkpoint from before it, of a time whose entries have to be here. */
static bool is_missed(const struct qn_audit_verify *verify, uint64_t first)
{
    uint64_t keep_ms = QN_AUDIT_KEEP_MONTHS_MIN * MONTH_MIN_MS;
    qn_vec_each (&verify->known, known)
        if (known->is_witness && known->checkpoint.seq + 1 < first &&
            known->checkpoint.wall_ms + keep_ms > verify->now_ms)
            return true;
    return false;
}

static void check_start(struct qn_audit_verify *verify)
{
    uint64_t first = verify->verdict.first;
    if (!verify->has_entries || first == 1)
        return;
    if (!verify->has_head || verify->head.first < first || !may_be_gone(verify, first) ||
        is_missed(verify, first))
        blame(verify, QN_AUDIT_START, first);
}

void qn_audit_verify_end(struct qn_audit_verify *verify, struct qn_audit_verdict *ret_verdict)
{
    check_end(verify);
    check_start(verify);
    *ret_verdict = verify->verdict;
}

const char *qn_audit_fault_name(enum qn_audit_fault fault)
{
    static const char *const names[] = {"whole",     "form", "gap",   "chain",  "checkpoint",
                                        "signature", "end",  "start", "witness"};
    return names[fault];
}
