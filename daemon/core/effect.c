#include <stdio.h>

#include "core/state.h"

static struct qn_effect *effect(struct qn_core *core, enum qn_effect_kind kind)
{
    struct qn_effect *e = qn_vec_push_slot(&core->update->effects);
    *e = (struct qn_effect){.kind = kind};
    return e;
}

static void effect_deinit(struct qn_effect *effect)
{
    qn_free(effect->bytes);
    qn_intent_free(effect->intent);
    qn_read_free(effect->read);
    qn_job_free(effect->job);
    qn_file_work_free(effect->file);
}

void qn_update_deinit(struct qn_update *update)
{
    qn_vec_each (&update->effects, e)
        effect_deinit(e);
    qn_vec_free(&update->effects);
}

void update_reset(struct qn_update *update)
{
    qn_vec_each (&update->effects, e)
        effect_deinit(e);
    update->effects.count = 0;
    update->deadline_ms = UINT64_MAX;
}

uint64_t core_token(struct qn_core *core)
{
    return ++core->next_token;
}

struct qn_buf *core_message(struct qn_core *core, enum qn_message number, size_t field_count)
{
    qn_buf_reset(&core->frame);
    qn_pack_array(&core->frame, 1 + field_count);
    qn_pack_u64(&core->frame, number);
    return &core->frame;
}

void core_send(struct qn_core *core, qn_link link)
{
    if (core->frame.is_over) { /* only a huge group or vector can do this; say so, do not lie */
        core_note(core, "frame-too-large", QN_ERR_LIMIT, "");
        return;
    }
    struct qn_effect *e = effect(core, QN_EFFECT_SEND);
    e->link = link;
    e->size = core->frame.size;
    e->bytes = qn_memdup(core->frame.data, core->frame.size);
}

void core_close(struct qn_core *core, qn_link link)
{
    effect(core, QN_EFFECT_CLOSE)->link = link;
}

void core_note(struct qn_core *core, const char *code, enum qn_err err, const char *object)
{
    struct qn_effect *e = effect(core, QN_EFFECT_NOTE);
    e->code = code;
    e->err = err;
    snprintf(e->object, sizeof(e->object), "%s", object);
}

void core_dial(struct qn_core *core, uint64_t token, const char *address, enum qn_link_kind kind,
               const struct qn_public_key *expected)
{
    struct qn_effect *e = effect(core, QN_EFFECT_DIAL);
    e->token = token;
    e->link_kind = kind;
    e->size = strlen(address) + 1;
    e->bytes = qn_memdup(address, e->size);
    e->has_expected = expected != NULL;
    if (expected != NULL)
        e->expected = *expected;
}

void core_vault_key(struct qn_core *core, struct qn_span sealed)
{
    struct qn_effect *e = effect(core, QN_EFFECT_VAULT_KEY);
    core->recovery.stage = RECOVERY_VAULT;
    e->size = sealed.size;
    e->bytes = sealed.size == 0 ? NULL : qn_memdup(sealed.data, sealed.size);
}

void core_recovered(struct qn_core *core)
{
    effect(core, QN_EFFECT_RECOVERED);
}

void core_called(struct qn_core *core, const struct qn_public_key *key)
{
    effect(core, QN_EFFECT_CALLED)->expected = *key;
}

void core_admit(struct qn_core *core)
{
    effect(core, QN_EFFECT_ADMIT);
}

void core_unpin(struct qn_core *core, uint64_t pin)
{
    effect(core, QN_EFFECT_UNPIN)->token = pin;
}

static struct pending *remember(struct qn_core *core, uint64_t token, enum pending_kind kind)
{
    struct pending *pending = qn_vec_push_slot(&core->pending);
    *pending = (struct pending){.token = token, .kind = kind};
    return pending;
}

struct pending *core_commit(struct qn_core *core, enum qn_intent_kind kind,
                            struct qn_buf *take_payload, enum pending_kind pending)
{
    QN_ASSERT(qn_buf_status(take_payload) == QN_OK);
    uint64_t token = core_token(core);
    effect(core, QN_EFFECT_COMMIT)->intent = qn_intent_new(kind, token, take_payload);
    return remember(core, token, pending);
}

struct qn_intent *core_last_intent(struct qn_core *core)
{
    struct qn_effect *last = &core->update->effects.items[core->update->effects.count - 1];
    QN_ASSERT(last->kind == QN_EFFECT_COMMIT);
    return last->intent;
}

struct pending *core_read_later(struct qn_core *core, struct qn_read *take_read,
                                enum pending_kind pending)
{
    take_read->token = core_token(core);
    effect(core, QN_EFFECT_READ)->read = take_read;
    return remember(core, take_read->token, pending);
}

uint64_t core_job(struct qn_core *core, enum qn_job_kind kind, struct qn_buf *take_args)
{
    struct qn_job *job = QN_NEW(struct qn_job);
    *job = (struct qn_job){.token = core_token(core), .kind = kind, .args = *take_args};
    *take_args = (struct qn_buf){0};
    effect(core, QN_EFFECT_JOB)->job = job;
    return job->token;
}

void core_stop_job(struct qn_core *core, uint64_t token)
{
    effect(core, QN_EFFECT_JOB_STOP)->token = token;
}

struct pending *core_file(struct qn_core *core, struct qn_file_work *take_work,
                          enum pending_kind pending)
{
    take_work->token = core_token(core);
    effect(core, QN_EFFECT_FILE)->file = take_work;
    return remember(core, take_work->token, pending);
}

bool core_pending_take(struct qn_core *core, uint64_t token, struct pending *ret_pending)
{
    for (size_t i = 0; i < core->pending.count; i++) {
        if (core->pending.items[i].token != token)
            continue;
        *ret_pending = core->pending.items[i];
        qn_vec_remove(&core->pending, i);
        return true;
    }
    return false;
}

static void reply(struct qn_core *core, uint64_t request, enum qn_reply_kind kind,
                  const struct qn_buf *data)
{
    struct qn_effect *e = effect(core, QN_EFFECT_REPLY);
    e->token = request;
    e->reply = kind;
    if (data != NULL && data->size > 0) {
        e->bytes = qn_memdup(data->data, data->size);
        e->size = data->size;
    }
}

void core_reply_data(struct qn_core *core, uint64_t request, const struct qn_buf *data)
{
    reply(core, request, QN_REPLY_DATA, data);
}

void core_reply_end(struct qn_core *core, uint64_t request, const struct qn_buf *data)
{
    reply(core, request, QN_REPLY_END, data);
}

void core_reply_error(struct qn_core *core, uint64_t request, enum qn_err err, const char *code,
                      const char *object)
{
    reply(core, request, QN_REPLY_ERROR, NULL);
    struct qn_effect *e = &core->update->effects.items[core->update->effects.count - 1];
    e->err = err;
    e->code = code;
    snprintf(e->object, sizeof(e->object), "%s", object);
}

void core_wake(struct qn_core *core, uint64_t at_ms)
{
    if (at_ms < core->update->deadline_ms)
        core->update->deadline_ms = at_ms;
}

uint64_t core_jitter(struct qn_core *core, uint64_t delay_ms)
{
    return delay_ms * 3 / 4 + qn_prng_below(&core->prng, delay_ms / 2 + 1);
}
