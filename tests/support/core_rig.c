#include "support/core_rig.h"

static void store_ledger(struct rig *rig)
{
    struct qn_kv *kv = memkv_begin(rig->disk);
    for (size_t i = 0; i < qn_ledger_count(rig->world.ledger); i++) {
        uint8_t key[8];
        qn_write_u64(key, i);
        QN_ASSERT(qn_kv_put(kv, QN_TABLE_LEDGER, QN_SPAN_OF(key),
                            qn_ledger_entry(rig->world.ledger, i)) == QN_OK);
    }
    QN_ASSERT(memkv_commit(rig->disk) == QN_OK);
}

void rig_init(struct rig *rig, uint8_t colls)
{
    *rig = (struct rig){.now_ms = 1000};
    qn_buf_init(&rig->end, 1024 * 1024);
    world_init(&rig->world);
    world_join(&rig->world, 1, 0);
    for (uint8_t number = 1; number <= colls; number++) {
        struct qn_buf body = {0};
        world_create_body(&rig->world, number, NULL, 0, true, &body);
        QN_ASSERT(world_append(&rig->world, 0, &body) == QN_OK);
        qn_buf_deinit(&body);
    }
    const struct world_site *site = &rig->world.sites[0];
    rig->disk = memkv_new();
    store_ledger(rig);
    rig->applier = qn_applier_new(&site->id, site->signer);
    QN_ASSERT(qn_applier_load(rig->applier, memkv_reader(rig->disk)) == QN_OK);
}

void rig_deinit(struct rig *rig)
{
    rig_forget(rig);
    qn_buf_deinit(&rig->end);
    qn_vec_free(&rig->frames);
    qn_vec_free(&rig->bulk_frames);
    qn_vec_free(&rig->files);
    qn_vec_free(&rig->reads);
    qn_vec_free(&rig->intents);
    qn_job_free(rig->job);
    qn_core_free(rig->core);
    qn_update_deinit(&rig->update);
    qn_applier_free(rig->applier);
    memkv_free(rig->disk);
    world_deinit(&rig->world);
}

void rig_start(struct rig *rig)
{
    const struct world_site *site = &rig->world.sites[0];
    qn_core_free(rig->core);
    rig_forget(rig);
    rig->core = qn_core_new(
        &(struct qn_core_options){.site = site->id,
                                  .signer = site->signer,
                                  .keys = site->keys,
                                  .name = site->name,
                                  .legal_entity = "",
                                  .version = "test",
                                  .disk_bytes = rig->disk_bytes,
                                  .boot = rig->boot,
                                  .recovery = rig->recovery,
                                  .kit_seed = rig->kit_seed,
                                  .sealed_key = qn_span_str(rig->recovery == NULL ? "sealed" : ""),
                                  .key_epoch = 1});
    QN_ASSERT(qn_core_load(rig->core, memkv_reader(rig->disk)) == QN_OK);
    rig_step(rig, (struct qn_event){.kind = QN_EVENT_START});
}

void rig_guest(struct rig *rig, const struct qn_signer *key)
{
    struct qn_event up = {.kind = QN_EVENT_LINK_UP,
                          .link = RIG_LINK,
                          .link_kind = QN_LINK_GUEST,
                          .key = *qn_signer_public(key)};
    memset(up.exporter, RIG_EXPORTER, sizeof(up.exporter));
    rig_forget(rig);
    rig_step(rig, up);
}

void rig_agree(struct rig *rig)
{
    struct qn_buf body;
    world_place_body(&rig->world, 1, 1000, 30, &body);
    QN_ASSERT(world_append(&rig->world, 0, &body) == QN_OK);
    qn_buf_deinit(&body);
    world_accept_body(&rig->world, rig->world.ledger, 0, 1, 1000, 30, &body);
    QN_ASSERT(world_append(&rig->world, 1, &body) == QN_OK);
    qn_buf_deinit(&body);
    store_ledger(rig);
}

void rig_link(struct rig *rig)
{
    struct qn_buf out;
    struct qn_digest digest;
    rig_step(rig, (struct qn_event){.kind = QN_EVENT_LINK_UP,
                                    .link = RIG_LINK,
                                    .key = rig->world.sites[1].keys.site});
    qn_ledger_digest(rig->world.ledger, &digest);
    rig_message(&out, QN_MSG_HELLO, 7);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION_MIN);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION);
    qn_pack_bin(&out, QN_SPAN_OF(rig->world.group.bytes));
    qn_pack_bin(&out, QN_SPAN_OF(digest.bytes));
    qn_pack_u64(&out, WORLD_START_MS);
    qn_pack_cstr(&out, "test");
    qn_pack_nil(&out);
    rig_frame(rig, &out);
}

void rig_bulk(struct rig *rig)
{
    struct qn_buf out;
    rig_step(rig, (struct qn_event){.kind = QN_EVENT_LINK_UP,
                                    .link = RIG_BULK,
                                    .link_kind = QN_LINK_BULK,
                                    .key = rig->world.sites[1].keys.site});
    rig_message(&out, QN_MSG_BULK_HELLO, 3);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION_MIN);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION);
    qn_pack_bin(&out, QN_SPAN_OF(rig->world.group.bytes));
    rig_bulk_frame(rig, &out);
}

void rig_bulk_down(struct rig *rig)
{
    rig_step(rig,
             (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_BULK, .err = QN_ERR_CLOSED});
}

/* ---- steps ---- */

static void keep_bytes(struct qn_buf *frame, const struct qn_effect *effect)
{
    qn_buf_init(frame, QN_FRAME_SIZE_MAX);
    qn_buf_append(frame, effect->bytes, effect->size);
}

/* On the first connection; the number is one byte behind that of the array. */
static bool is_of_bulk(const struct qn_effect *effect)
{
    uint8_t number = effect->size > 1 ? ((const uint8_t *)effect->bytes)[1] : 0;
    return number >= QN_MSG_VAULT_ASK && number <= QN_MSG_PACK_OFFERED;
}

static void keep_frame(struct rig *rig, const struct qn_effect *effect)
{
    keep_bytes(qn_vec_push_slot(&rig->frames), effect);
    if (effect->link == RIG_BULK || is_of_bulk(effect))
        keep_bytes(qn_vec_push_slot(&rig->bulk_frames), effect);
}

static void keep(struct rig *rig, struct qn_effect *effect)
{
    switch (effect->kind) {
    case QN_EFFECT_SEND:
        keep_frame(rig, effect);
        break;
    case QN_EFFECT_CLOSE:
        rig->has_closed |= effect->link == RIG_LINK;
        rig->has_closed_bulk |= effect->link == RIG_BULK;
        break;
    case QN_EFFECT_COMMIT:
        qn_vec_push(&rig->intents, effect->intent);
        effect->intent = NULL;
        break;
    case QN_EFFECT_READ:
        qn_vec_push(&rig->reads, effect->read);
        effect->read = NULL;
        break;
    case QN_EFFECT_REPLY:
        rig->code = effect->reply == QN_REPLY_ERROR ? effect->code : NULL;
        rig->replies += effect->reply != QN_REPLY_DATA;
        if (effect->reply == QN_REPLY_END) {
            qn_buf_reset(&rig->end);
            qn_buf_append(&rig->end, effect->bytes, effect->size);
        }
        break;
    case QN_EFFECT_NOTE:
        rig->note = rig->note == NULL ? effect->code : rig->note;
        break;
    case QN_EFFECT_JOB:
        qn_job_free(rig->job);
        rig->job = effect->job;
        effect->job = NULL;
        break;
    case QN_EFFECT_FILE:
        qn_vec_push(&rig->files, effect->file);
        effect->file = NULL;
        break;
    case QN_EFFECT_VAULT_KEY:
        rig->keys++;
        rig->key_size = effect->size;
        break;
    case QN_EFFECT_UNPIN:
        rig->unpins++;
        break;
    case QN_EFFECT_CALLED:
        rig->called++;
        rig->called_key = effect->expected;
        break;
    case QN_EFFECT_RECOVERED:
        rig->recovered++;
        break;
    case QN_EFFECT_DIAL:
        rig->has_dialled_bulk |= effect->link_kind == QN_LINK_BULK;
        break;
    case QN_EFFECT_ADMIT:
    case QN_EFFECT_JOB_STOP:
        break;
    }
}

void rig_step(struct rig *rig, struct qn_event event)
{
    event.mono_ms = ++rig->now_ms;
    event.wall_ms = (uint64_t)((int64_t)(WORLD_START_MS + rig->now_ms) + rig->wall_ahead_ms);
    qn_core_step(rig->core, &event, &rig->update);
    qn_vec_each (&rig->update.effects, effect)
        keep(rig, effect);
}

void rig_wait(struct rig *rig, uint64_t ms)
{
    rig->now_ms += ms;
    rig_step(rig, (struct qn_event){.kind = QN_EVENT_TICK});
}

void rig_message(struct qn_buf *ret_out, enum qn_message number, size_t field_count)
{
    qn_buf_init(ret_out, QN_FRAME_SIZE_MAX);
    qn_pack_array(ret_out, 1 + field_count);
    qn_pack_u64(ret_out, number);
}

void rig_frame(struct rig *rig, struct qn_buf *take_bytes)
{
    QN_ASSERT(qn_buf_status(take_bytes) == QN_OK);
    rig_step(rig, (struct qn_event){
                      .kind = QN_EVENT_FRAME, .link = RIG_LINK, .frame = qn_buf_view(take_bytes)});
    qn_buf_deinit(take_bytes);
}

void rig_bulk_frame(struct rig *rig, struct qn_buf *take_bytes)
{
    QN_ASSERT(qn_buf_status(take_bytes) == QN_OK);
    rig_step(rig, (struct qn_event){
                      .kind = QN_EVENT_FRAME, .link = RIG_BULK, .frame = qn_buf_view(take_bytes)});
    qn_buf_deinit(take_bytes);
}

void rig_file(struct rig *rig, struct qn_file_result *result)
{
    rig_step(rig, (struct qn_event){.kind = QN_EVENT_FILE, .file = result});
    qn_file_result_deinit(result);
}

void rig_request(struct rig *rig, const char *command, const struct qn_buf *args)
{
    rig_step(rig, (struct qn_event){.kind = QN_EVENT_REQUEST,
                                    .token = 1,
                                    .command = qn_span_str(command),
                                    .args = qn_buf_view(args),
                                    .user = qn_span_str("tester")});
}

/* ---- what the edges do ---- */

static void read_one(struct rig *rig, struct qn_read *read, enum qn_err err)
{
    struct qn_read_result result = {.token = read->token, .err = err};
    if (err == QN_OK)
        qn_core_read(memkv_reader(rig->disk), read, &result);
    rig_step(rig, (struct qn_event){.kind = QN_EVENT_READ, .read = &result});
    qn_read_result_deinit(&result);
    qn_read_free(read);
}

void rig_read_all(struct rig *rig, enum qn_err err)
{
    size_t count = err == QN_OK ? SIZE_MAX : rig->reads.count;
    for (size_t i = 0; i < count && rig->reads.count > 0; i++) {
        struct qn_read *read = rig->reads.items[0];
        qn_vec_remove(&rig->reads, 0);
        read_one(rig, read, err);
    }
}

static void run(struct rig *rig, struct qn_intent *const *intents, size_t count,
                struct qn_commit *commit)
{
    struct qn_kv *kv = memkv_begin(rig->disk);
    QN_ASSERT(qn_applier_begin(rig->applier, kv, WORLD_START_MS + rig->now_ms, rig->now_ms) ==
              QN_OK);
    for (size_t i = 0; i < count; i++)
        QN_ASSERT(qn_applier_execute(rig->applier, intents[i], commit) == QN_OK);
    QN_ASSERT(qn_applier_seal(rig->applier, commit) == QN_OK);
    QN_ASSERT(memkv_commit(rig->disk) == QN_OK);
    qn_applier_done(rig->applier, commit, QN_OK);
}

static void drop_intents(struct rig *rig)
{
    qn_vec_each (&rig->intents, intent)
        qn_intent_free(*intent);
    rig->intents.count = 0;
}

void rig_commit(struct rig *rig)
{
    struct qn_commit *commit = qn_commit_new();
    run(rig, rig->intents.items, rig->intents.count, commit);
    drop_intents(rig);
    rig_step(rig, (struct qn_event){.kind = QN_EVENT_COMMIT, .commit = commit});
    qn_commit_free(commit);
}

void rig_fail_commit(struct rig *rig, enum qn_err err)
{
    struct qn_commit *commit = qn_commit_new();
    qn_vec_each (&rig->intents, intent)
        qn_vec_push(
            &commit->outcomes,
            ((struct qn_outcome){.token = (*intent)->token, .kind = (*intent)->kind, .err = err}));
    drop_intents(rig);
    rig_step(rig, (struct qn_event){.kind = QN_EVENT_COMMIT, .commit = commit});
    qn_commit_free(commit);
}

void rig_job(struct rig *rig, enum qn_job_news news, enum qn_err err, const struct qn_buf *payload)
{
    static const uint8_t empty_map = 0x80;
    struct qn_job_event job = {.token = rig->job->token,
                               .news = news,
                               .err = err,
                               .payload =
                                   payload == NULL ? QN_SPAN_OF(empty_map) : qn_buf_view(payload)};
    rig_step(rig, (struct qn_event){.kind = QN_EVENT_JOB, .job = &job});
}

void rig_put(struct rig *rig, uint8_t coll, const char *key)
{
    struct qn_buf payload;
    struct qn_coll_id id = world_coll(coll);
    qn_buf_init(&payload, 1024);
    qn_pack_array(&payload, 2);
    qn_pack_bin(&payload, QN_SPAN_OF(id.bytes));
    qn_pack_array(&payload, 1);
    qn_pack_array(&payload, 4);
    qn_pack_u64(&payload, QN_OP_PUT);
    qn_pack_cstr(&payload, key);
    qn_pack_cstr(&payload, "tester");
    qn_pack_array(&payload, 2);
    qn_pack_cstr(&payload, "x");
    qn_pack_u64(&payload, rig->now_ms);
    qn_vec_push(&rig->intents, qn_intent_new(QN_INTENT_WRITE, UINT64_MAX, &payload));
    rig_commit(rig);
}

void rig_write(struct rig *rig, struct qn_intent *take_intent)
{
    struct qn_commit *commit = qn_commit_new();
    run(rig, &take_intent, 1, commit);
    QN_ASSERT(commit->outcomes.items[0].err == QN_OK);
    qn_intent_free(take_intent);
    qn_commit_free(commit);
}

static enum qn_message number_of(const struct qn_buf *frame)
{
    struct qn_cursor cursor = qn_cursor(qn_buf_view(frame));
    size_t count;
    uint64_t number;
    QN_ASSERT(qn_cursor_array(&cursor, 64, &count) == QN_OK);
    QN_ASSERT(qn_cursor_u64(&cursor, &number) == QN_OK);
    return (enum qn_message)number;
}

size_t rig_count(const struct rig *rig, enum qn_message number)
{
    size_t count = 0;
    qn_vec_each (&rig->frames, frame)
        count += number_of(frame) == number;
    return count;
}

void rig_forget(struct rig *rig)
{
    qn_vec_each (&rig->frames, frame)
        qn_buf_deinit(frame);
    rig->frames.count = 0;
    qn_vec_each (&rig->reads, read)
        qn_read_free(*read);
    rig->reads.count = 0;
    qn_vec_each (&rig->files, file)
        qn_file_work_free(*file);
    rig->files.count = 0;
    drop_intents(rig);
    qn_vec_each (&rig->bulk_frames, frame)
        qn_buf_deinit(frame);
    rig->bulk_frames.count = 0;
    rig->has_closed = rig->has_closed_bulk = rig->has_dialled_bulk = false;
    rig->note = rig->code = NULL;
}
