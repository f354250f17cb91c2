#include "support/fake_applier.h"

#include <errno.h>

#include "base/assert.h"
#include "base/mem.h"

struct qn_applier {
    struct fake fake;
    struct qn_kv *kv;
};

struct fake *fake_new(void)
{
    struct qn_applier *applier = QN_NEW(struct qn_applier);
    sem_init(&applier->fake.gate, 0, 0);
    sem_init(&applier->fake.is_waiting, 0, 0);
    return &applier->fake;
}

void fake_free(struct fake *fake)
{
    sem_destroy(&fake->gate);
    sem_destroy(&fake->is_waiting);
    qn_free(fake_applier(fake));
}

struct qn_applier *fake_applier(struct fake *fake)
{
    return (struct qn_applier *)fake;
}

/* ---- intents: a letter, then what belongs to it ---- */

static struct qn_intent *make(uint64_t token, char letter, struct qn_span rest)
{
    struct qn_buf payload;
    qn_buf_init(&payload, (size_t)1 << 30);
    qn_buf_append_u8(&payload, (uint8_t)letter);
    qn_buf_append_span(&payload, rest);
    return qn_intent_new(QN_INTENT_WRITE, token, &payload);
}

struct qn_intent *fake_put(uint64_t token, struct qn_span key, struct qn_span value)
{
    QN_AUTO_BUF struct qn_buf rest;
    qn_buf_init(&rest, (size_t)1 << 30);
    qn_buf_append_u16(&rest, (uint16_t)key.size);
    qn_buf_append_span(&rest, key);
    qn_buf_append_span(&rest, value);
    return make(token, 'p', qn_buf_view(&rest));
}

struct qn_intent *fake_refuse(uint64_t token, enum qn_err err)
{
    return make(token, 'r', qn_span(&(uint8_t){(uint8_t)err}, 1));
}

struct qn_intent *fake_fail(uint64_t token, enum qn_err err, bool with_outcome)
{
    return make(token, with_outcome ? 'f' : 'F', qn_span(&(uint8_t){(uint8_t)err}, 1));
}

struct qn_intent *fake_overfill(uint64_t token, uint32_t size)
{
    uint8_t bytes[4];
    qn_write_u32(bytes, size);
    return make(token, 'o', qn_span(bytes, sizeof(bytes)));
}

struct qn_intent *fake_wait(uint64_t token)
{
    return make(token, 'w', qn_span(NULL, 0));
}

static enum qn_err put(struct qn_applier *applier, struct qn_span rest)
{
    uint16_t key_size = qn_read_u16(rest.data);
    return qn_kv_put(applier->kv, QN_TABLE_REC, qn_span(rest.data + 2, key_size),
                     qn_span_from(rest, 2u + key_size));
}

static void overfill(struct qn_applier *applier, size_t size)
{
    QN_AUTO_FREE void *bytes = qn_alloc_zero(size);
    QN_ASSERT(qn_kv_put(applier->kv, QN_TABLE_LOG, qn_span("o", 1), qn_span(bytes, size)) != QN_OK);
}

static void wait_at_gate(struct qn_applier *applier)
{
    sem_post(&applier->fake.is_waiting);
    while (sem_wait(&applier->fake.gate) != 0)
        QN_ASSERT(errno == EINTR);
}

/* The outcome's error; *ret_fatal aborts. */
static enum qn_err run(struct qn_applier *applier, struct qn_span payload, enum qn_err *ret_fatal)
{
    struct qn_span rest = qn_span_from(payload, 1);
    switch (payload.data[0]) {
    case 'p':
        return *ret_fatal = put(applier, rest);
    case 'r':
        return (enum qn_err)rest.data[0];
    case 'f':
    case 'F':
        return *ret_fatal = (enum qn_err)rest.data[0];
    case 'o':
        overfill(applier, qn_read_u32(rest.data));
        return QN_OK;
    case 'w':
        wait_at_gate(applier);
        return QN_OK;
    default:
        return QN_ERR_INVALID;
    }
}

/* ---- model/applier.h ---- */

struct qn_intent *qn_intent_new(enum qn_intent_kind kind, uint64_t token,
                                struct qn_buf *take_payload)
{
    struct qn_intent *intent = QN_NEW(struct qn_intent);
    *intent = (struct qn_intent){.kind = kind, .token = token, .op_count = 1};
    intent->payload = qn_buf_take(take_payload, &intent->size);
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
    return QN_NEW(struct qn_commit);
}

void qn_commit_free(struct qn_commit *commit)
{
    if (commit == NULL)
        return;
    qn_vec_free(&commit->outcomes);
    qn_free(commit);
}

enum qn_err qn_applier_begin(struct qn_applier *applier, struct qn_kv *kv, uint64_t wall_ms,
                             uint64_t entropy)
{
    enum qn_err err = applier->fake.begin_err;
    QN_ASSERT(applier->kv == NULL && wall_ms != 0 && entropy != 0);
    applier->fake.begin_err = QN_OK;
    if (err != QN_OK)
        return err;
    applier->kv = kv;
    atomic_fetch_add(&applier->fake.begun, 1);
    return QN_OK;
}

enum qn_err qn_applier_execute(struct qn_applier *applier, const struct qn_intent *intent,
                               struct qn_commit *commit)
{
    enum qn_err fatal = QN_OK;
    enum qn_err err = run(applier, qn_span(intent->payload, intent->size), &fatal);
    if (intent->payload[0] != 'F')
        qn_vec_push(&commit->outcomes,
                    ((struct qn_outcome){
                        .token = intent->token, .kind = intent->kind, .err = err, .changed = 1}));
    return fatal;
}

enum qn_err qn_applier_seal(struct qn_applier *applier, struct qn_commit *commit)
{
    enum qn_err err = applier->fake.seal_err;
    applier->fake.seal_err = QN_OK;
    return err;
}

void qn_applier_done(struct qn_applier *applier, struct qn_commit *commit, enum qn_err err)
{
    QN_ASSERT(applier->kv != NULL);
    applier->kv = NULL;
    atomic_fetch_add(err == QN_OK ? &applier->fake.done : &applier->fake.aborted, 1);
}
