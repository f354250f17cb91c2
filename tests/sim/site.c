#include <stdio.h>
#include <stdlib.h>

#include "model/bugs.h"
#include "model/doubt.h"
#include "model/intents.h"
#include "proto/pack.h"
#include "sim/world.h"

#define WALL_BASE_MS 1764000000000u
#define BOOT_MS      1000 /* what a boot takes */
#define OVERDUE_MAX  50
#define LATE_IN_MS   1000
#define LATES_MAX    3 /* in that time, for each collection that there is */

static void make_keys(struct sim_site *site)
{
    uint8_t kit[QN_SEED_SIZE];
    memset(site->seed, (int)site->index + 1, sizeof(site->seed));
    memset(kit, (int)site->index + 101, sizeof(kit));
    QN_ASSERT(qn_signer_new(site->seed, &site->signer) == QN_OK);
    site->keys.site = *qn_signer_public(site->signer);
    QN_ASSERT(qn_kit_keys(kit, &site->keys.recovery_sign, &site->keys.recovery_seal) == QN_OK);
    QN_ASSERT(qn_kit_signer(kit, &site->kit) == QN_OK);
    qn_site_id_of(&site->keys.site, &site->id);
}

static void make_genesis(struct sim_site *site)
{
    struct qn_body_genesis genesis = {
        .group_name = qn_span_str("lot"), .site_name = qn_span_str(site->name), .keys = site->keys};
    struct qn_digest group;
    QN_ASSERT(qn_genesis_compose(site->signer, &genesis, (qn_hlc)WALL_BASE_MS << 16, &site->genesis,
                                 &group) == QN_OK);
}

void site_init(struct sim_world *world, size_t index)
{
    struct sim_site *site = &world->sites[index];
    site->index = index;
    snprintf(site->name, sizeof(site->name), "site%zu", index);
    snprintf(site->address, sizeof(site->address), "s%zu:1", index);
    qn_buf_init(&site->genesis, QN_LEDGER_ENTRY_SIZE_MAX);
    make_keys(site);
    if (index == 0)
        make_genesis(site);
    site->disk = memkv_new();
    site->read = QN_NEW(struct sim_read);
}

static void unpin(struct sim_site *site, uint64_t name)
{
    for (size_t i = site->pins.count; i-- > 0;)
        if (site->pins.items[i].name == name) {
            memkv_free(site->pins.items[i].disk);
            qn_vec_remove(&site->pins, i);
        }
}

static struct memkv *pinned(struct sim_site *site, uint64_t name)
{
    qn_vec_each (&site->pins, pin)
        if (pin->name == name)
            return pin->disk;
    struct sim_pin *pin = qn_vec_push_slot(&site->pins);
    *pin = (struct sim_pin){.name = name, .disk = memkv_clone(site->disk)};
    return pin->disk;
}

static void drop_volatile(struct sim_site *site)
{
    while (site->pins.count > 0)
        unpin(site, site->pins.items[0].name);
    qn_vec_each (&site->queue, intent)
        qn_intent_free(*intent);
    site->queue.count = 0;
    qn_commit_free(site->undelivered);
    site->undelivered = NULL;
    site->writer_is_busy = false;
    site->tick_at = 0;
    vault_crash(&site->vault);
    replay_forget(site);
    qn_core_free(site->core);
    qn_applier_free(site->applier);
    site->core = NULL;
    site->applier = NULL;
}

void site_deinit(struct sim_site *site)
{
    drop_volatile(site);
    vault_deinit(&site->vault);
    files_deinit(site);
    qn_vec_free(&site->queue);
    qn_vec_free(&site->pins);
    qn_update_deinit(&site->update);
    qn_signer_free(site->signer);
    qn_signer_free(site->kit);
    qn_buf_deinit(&site->genesis);
    oracle_disk_goes(site);
    qn_free(site->read);
    memkv_free(site->disk);
    memkv_free(site->image);
    memkv_free(site->copy);
    memkv_free(site->before);
}

uint64_t site_wall_ms(const struct sim_world *world, const struct sim_site *site)
{
    return (uint64_t)((int64_t)(WALL_BASE_MS + world->now_ms) + site->wall_skew_ms);
}

/* ---- effects ---- */

static size_t site_at(const struct qn_effect *effect)
{
    return effect->size > 1 && effect->bytes[0] == 's'
               ? strtoull((char *)effect->bytes + 1, NULL, 10)
               : SIM_SITES_MAX;
}

static void write_soon(struct sim_world *world, struct sim_site *site)
{
    if (site->writer_is_busy || site->queue.count == 0)
        return;
    site->writer_is_busy = true;
    world_push(world, (struct sim_event){.at_ms = world->now_ms + world_below(world, 6),
                                         .kind = SIM_WRITE,
                                         .site = site->index,
                                         .life = site->life});
}

static void run_read(struct sim_world *world, struct sim_site *site, const struct qn_read *read)
{
    struct qn_read_result *result = qn_alloc_zero(sizeof(*result));
    struct memkv *disk = read->pin != 0 ? pinned(site, read->pin) : site->disk;
    qn_core_read(memkv_reader(disk), read, result);
    world_push(world, (struct sim_event){.at_ms = world->now_ms + world_below(world, 3),
                                         .kind = SIM_READ,
                                         .site = site->index,
                                         .life = site->life,
                                         .read = result});
}

/* Late and caught up in turns, for nothing new. */
static void look_at_late(struct sim_world *world, struct sim_site *site)
{
    if (world->now_ms >= site->late_ms + LATE_IN_MS) {
        site->late_ms = world->now_ms;
        site->lates = 0;
    }
    if (++site->lates > LATES_MAX * world->colls.count)
        world_fail(world, "%s becomes late over and over", site->name);
}

/* Notes that an honest group never gives. */
static void look_at_note(struct sim_world *world, struct sim_site *site,
                         const struct qn_effect *effect)
{
    static const char *const wrong[] = {"fingerprint",  "bad-operation", "bad-frame",
                                        "flood",        "bad-ledger",    "bad-heads",
                                        "equivocation", "read-failed",   "frame-too-large",
                                        "bad-guest",    "cloned",        "late-refused"};
    world_trace(world, "%s note %s %s", site->name, effect->code, effect->object);
    world->repairs += strcmp(effect->code, "repaired") == 0;
    if (strcmp(effect->code, "late") == 0)
        look_at_late(world, site);
    if (strcmp(effect->code, "damage") == 0 && !site->is_rotten)
        world_fail(world, "%s: damage in %s, where nothing rotted", site->name, effect->object);
    /* Whoever gets an operation that rotted at its sender cannot know that. */
    if (world->log_flips > 0 && strcmp(effect->code, "bad-operation") == 0)
        return;
    if (world->flips > 0 && (strcmp(effect->code, "fingerprint") == 0 ||
                             (strcmp(effect->code, "read-failed") == 0 && site->is_rotten)))
        return;
    world->forks += strcmp(effect->code, "forked") == 0;
    if (world->has_twins &&
        (strcmp(effect->code, "fingerprint") == 0 || strcmp(effect->code, "cloned") == 0))
        return;
    if (world->may_fork && strcmp(effect->code, "equivocation") == 0)
        return;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (strcmp(effect->code, wrong[i]) == 0)
            world_fail(world, "%s: note %s (%s)", site->name, effect->code,
                       qn_err_name(effect->err));
}

static void take_reply(struct sim_world *world, struct sim_site *site,
                       const struct qn_effect *effect)
{
    struct qn_cursor cursor = qn_cursor(qn_span(effect->bytes, effect->size));
    struct qn_span key, code;
    size_t count;
    if (effect->reply == QN_REPLY_DATA)
        return;
    if (effect->size > 0 && qn_cursor_map(&cursor, 1, &count) == QN_OK &&
        qn_cursor_str(&cursor, 64, &key) == QN_OK && qn_span_eq_str(key, "code") &&
        qn_cursor_str(&cursor, QN_CODE_SIZE_MAX, &code) == QN_OK)
        snprintf(world->code_text, sizeof(world->code_text), "%.*s", (int)code.size, code.data);
    oracle_acked(world, site, effect->token, effect->reply == QN_REPLY_END);
}

static void carry_out(struct sim_world *world, struct sim_site *site, struct qn_effect *effect)
{
    switch (effect->kind) {
    case QN_EFFECT_DIAL:
        world_trace(world, "%s dials %s", site->name, (char *)effect->bytes);
        world_push(world, (struct sim_event){.at_ms = world->now_ms + 1 + world_below(world, 30),
                                             .kind = SIM_DIAL,
                                             .site = site->index,
                                             .life = site->life,
                                             .token = effect->token,
                                             .target = site_at(effect),
                                             .link_kind = effect->link_kind,
                                             .expected = effect->expected,
                                             .has_expected = effect->has_expected});
        break;
    case QN_EFFECT_SEND:
        network_send(world, site, effect->link, effect->bytes, effect->size);
        break;
    case QN_EFFECT_CLOSE:
        network_close(world, site, effect->link);
        break;
    case QN_EFFECT_COMMIT:
        qn_vec_push(&site->queue, effect->intent);
        effect->intent = NULL;
        break;
    case QN_EFFECT_READ:
        run_read(world, site, effect->read);
        break;
    case QN_EFFECT_UNPIN:
        unpin(site, effect->token);
        break;
    case QN_EFFECT_REPLY:
        take_reply(world, site, effect);
        break;
    case QN_EFFECT_ADMIT:
        break; /* network_dial asks the core itself */
    case QN_EFFECT_JOB:
        vault_start(world, site, effect->job);
        effect->job = NULL;
        break;
    case QN_EFFECT_JOB_STOP:
        vault_stop(site, effect->token);
        break;
    case QN_EFFECT_FILE:
        files_start(world, site, effect->file);
        effect->file = NULL;
        break;
    case QN_EFFECT_VAULT_KEY:
        break;
    case QN_EFFECT_RECOVERED:
        site->has_kit = false;
        break;
    case QN_EFFECT_CALLED: /* by a site that found no way to a folder; nobody has one */
        world_fail(world, "%s is made to dial for nothing", site->name);
        break;
    case QN_EFFECT_NOTE:
        look_at_note(world, site, effect);
        break;
    }
}

static void tick_later(struct sim_world *world, struct sim_site *site)
{
    if (site->update.deadline_ms == UINT64_MAX)
        return;
    uint64_t at = site->update.deadline_ms + site->boot_at_ms;
    at -= at < BOOT_MS ? at : BOOT_MS;
    site->overdue = at <= world->now_ms ? site->overdue + 1 : 0;
    if (site->overdue > OVERDUE_MAX)
        world_fail(world, "%s: a deadline stays in the past: a busy loop", site->name);
    if (at <= world->now_ms)
        at = world->now_ms + 1;
    if (site->tick_at != 0 && site->tick_at <= at)
        return;
    site->tick_at = at;
    world_push(world, (struct sim_event){
                          .at_ms = at, .kind = SIM_TICK, .site = site->index, .life = site->life});
}

void site_step(struct sim_world *world, struct sim_site *site, struct qn_event *event)
{
    if (!site->is_up)
        return;
    event->mono_ms = BOOT_MS + world->now_ms - site->boot_at_ms;
    event->wall_ms = site_wall_ms(world, site);
    qn_core_step(site->core, event, &site->update);
    qn_vec_each (&site->update.effects, effect)
        carry_out(world, site, effect);
    write_soon(world, site);
    tick_later(world, site);
}

void site_request(struct sim_world *world, struct sim_site *site, uint64_t request,
                  const char *command, const struct qn_buf *args)
{
    struct qn_event event = {.kind = QN_EVENT_REQUEST,
                             .token = request,
                             .command = qn_span_str(command),
                             .args = qn_buf_view(args),
                             .user = qn_span_str("tester")};
    for (size_t i = 0; i < sizeof(event.entropy); i++)
        event.entropy[i] = (uint8_t)qn_prng_next(&world->prng);
    world_trace(world, "%s request %s", site->name, command);
    site_step(world, site, &event);
}

/* ---- the writer ---- */

enum qn_err site_transact(struct sim_world *world, struct sim_site *site,
                          struct qn_intent *const *intents, size_t count, uint64_t random,
                          struct qn_commit *commit)
{
    struct qn_kv *kv = memkv_begin(site->disk);
    enum qn_err err = qn_applier_begin(site->applier, kv, site_wall_ms(world, site), random);
    for (size_t i = 0; i < count && err == QN_OK; i++)
        err = qn_applier_execute(site->applier, intents[i], commit);
    if (err == QN_OK)
        err = qn_applier_seal(site->applier, commit);
    if (err == QN_OK)
        return memkv_commit(site->disk);
    memkv_abort(site->disk);
    return err;
}

static enum qn_err run_group(struct sim_world *world, struct sim_site *site,
                             struct qn_commit *commit, size_t count)
{
    trouble_begin(world, site, site->queue.items[0]->kind == QN_INTENT_LEDGER_MERGE);
    enum qn_err err =
        site_transact(world, site, site->queue.items, count, qn_prng_next(&world->prng), commit);
    return trouble_end(world, site, err);
}

/* After an abort every intent of the group has an outcome, also those that did not run. */
static void fail_rest(const struct sim_site *site, struct qn_commit *commit, size_t count,
                      enum qn_err err)
{
    for (size_t i = commit->outcomes.count; i < count; i++)
        qn_vec_push(&commit->outcomes, ((struct qn_outcome){.token = site->queue.items[i]->token,
                                                            .kind = site->queue.items[i]->kind,
                                                            .err = err}));
}

/* QN_BUG_CLOCK_APART: the clock is written in a transaction of its own, later; after a crash in
 * between the data is there and the clock is not. */
static void keep_before(struct sim_site *site)
{
    if (!QN_BUG(QN_BUG_CLOCK_APART))
        return;
    memkv_free(site->before);
    site->before = memkv_clone(site->disk);
}

static void copy_table(struct qn_kv *from, struct qn_kv *to, enum qn_table table, bool deletes)
{
    QN_AUTO_BUF struct qn_buf place;
    qn_buf_init(&place, 1024);
    struct qn_span key, value;
    while (qn_kv_seek(from, table, qn_buf_view(&place), &key, &value) == QN_OK) {
        qn_buf_reset(&place);
        qn_buf_append_span(&place, key);
        enum qn_err err = deletes ? qn_kv_del(to, table, qn_buf_view(&place))
                                  : qn_kv_put(to, table, qn_buf_view(&place), value);
        QN_ASSERT(err == QN_OK);
        qn_buf_append_u8(&place, 0);
    }
}

static void lose_clock(struct sim_site *site)
{
    if (!QN_BUG(QN_BUG_CLOCK_APART) || site->before == NULL)
        return;
    struct qn_kv *kv = memkv_begin(site->disk);
    copy_table(kv, kv, QN_TABLE_CC, true);
    copy_table(memkv_reader(site->before), kv, QN_TABLE_CC, false);
    QN_ASSERT(memkv_commit(site->disk) == QN_OK);
    memkv_sync(site->disk);
}

void site_write(struct sim_world *world, struct sim_site *site)
{
    keep_before(site);
    size_t count = 1 + world_below(world, 6);
    if (count > site->queue.count)
        count = site->queue.count;
    struct qn_commit *commit = qn_commit_new();
    enum qn_err err = run_group(world, site, commit, count);
    if (err != QN_OK)
        fail_rest(site, commit, count, err);
    qn_applier_done(site->applier, commit, err);
    for (size_t i = 0; i < count; i++) {
        enum qn_err outcome = commit->outcomes.items[i].err;
        if (outcome == QN_OK)
            replay_keep(site, site->queue.items[0]);
        else
            world_trace(world, "%s refuses intent %d: %s", site->name,
                        (int)site->queue.items[0]->kind, qn_err_name(outcome));
        qn_intent_free(site->queue.items[0]);
        qn_vec_remove(&site->queue, 0);
    }
    site->undelivered = commit;
    site->undelivered_is_synced = world->is_calm || world_chance(world, 500);
    if (err == QN_OK)
        replay_some(world, site);
    if (site->undelivered_is_synced)
        memkv_sync(site->disk);
    world_push(world, (struct sim_event){.at_ms = world->now_ms + world_below(world, 12),
                                         .kind = SIM_COMMIT,
                                         .site = site->index,
                                         .life = site->life});
}

void site_commit(struct sim_world *world, struct sim_site *site)
{
    struct qn_commit *commit = site->undelivered;
    site->undelivered = NULL;
    site->writer_is_busy = false;
    memkv_sync(site->disk);
    world->commits++;
    oracle_committed(world, site, commit);
    if (world_chance(world, 30))
        custody_check(world, site);
    struct qn_event event = {.kind = QN_EVENT_COMMIT, .commit = commit};
    trail_grow(world, site);
    site_step(world, site, &event);
    qn_commit_free(commit);
    if (site->has_failed) /* as the daemon does: it ends, and the store is opened afresh */
        site_crash(world, site);
}

/* ---- the log ---- */

/* The log is a cache: any of it may go at any time. */
bool site_forget(struct sim_world *world, struct sim_site *site, const struct qn_coll_id *coll,
                 uint64_t seq)
{
    if (site->undelivered != NULL || site->writer_is_busy)
        return false;
    world_trace(world, "%s forgets operations up to %llu", site->name, (unsigned long long)seq);
    struct qn_commit *commit = qn_commit_new();
    struct qn_kv *kv = memkv_begin(site->disk);
    QN_ASSERT(qn_applier_begin(site->applier, kv, site_wall_ms(world, site), 0) == QN_OK);
    QN_ASSERT(qn_replica_truncate(site->applier->replica, coll, seq) == QN_OK);
    QN_ASSERT(qn_applier_seal(site->applier, commit) == QN_OK);
    QN_ASSERT(memkv_commit(site->disk) == QN_OK);
    qn_applier_done(site->applier, commit, QN_OK);
    memkv_sync(site->disk);
    qn_commit_free(commit);
    rot_look(world);
    return true;
}

void site_truncate(struct sim_world *world, struct sim_site *site)
{
    const struct qn_coll_id *coll = &world->colls.items[world_below(world, world->colls.count)];
    struct qn_coll_info info;
    if (qn_read_coll(memkv_reader(site->disk), coll, &info) == QN_OK && info.order_head > 0)
        (void)site_forget(world, site, coll, 1 + world_below(world, info.order_head));
}

/* ---- life ---- */

/* As the daemon does it: durable before anything else happens (app/machine.h). */
static void mark_renewal(struct sim_world *world, struct sim_site *site)
{
    struct qn_buf payload;
    qn_buf_init(&payload, 16);
    qn_pack_array(&payload, 0);
    struct qn_intent *intent = qn_intent_new(QN_INTENT_RENEW, UINT64_MAX, &payload);
    struct qn_commit *commit = qn_commit_new();
    struct qn_kv *kv = memkv_begin(site->disk);
    QN_ASSERT(qn_applier_begin(site->applier, kv, site_wall_ms(world, site), 0) == QN_OK);
    QN_ASSERT(qn_applier_execute(site->applier, intent, commit) == QN_OK);
    QN_ASSERT(qn_doubt_put(kv, true) == QN_OK);
    QN_ASSERT(qn_applier_seal(site->applier, commit) == QN_OK);
    QN_ASSERT(memkv_commit(site->disk) == QN_OK);
    qn_applier_done(site->applier, commit, QN_OK);
    memkv_sync(site->disk);
    qn_intent_free(intent);
    qn_commit_free(commit);
    site->is_restored = false;
}

void site_start(struct sim_world *world, struct sim_site *site)
{
    char addresses[1][QN_ADDRESS_SIZE_MAX + 1] = {{0}};
    snprintf(addresses[0], sizeof(addresses[0]), "%s", site->address);
    world_trace(world, "%s starts", site->name);
    if (site->is_off) {
        site->is_off = false;
        site->boots++;
        site->boot_at_ms = world->now_ms;
    }
    struct qn_core_options options = {.site = site->id,
                                      .signer = site->signer,
                                      .keys = site->keys,
                                      .name = site->name,
                                      .legal_entity = "",
                                      .version = "sim",
                                      .genesis = qn_buf_view(&site->genesis),
                                      .join = site->has_code ? &site->code : NULL,
                                      .recovery = site->has_kit ? site->kit : NULL,
                                      .addresses =
                                          (const char(*)[QN_ADDRESS_SIZE_MAX + 1]) addresses,
                                      .address_count = site->is_hidden ? 0 : 1,
                                      .disk_bytes = 1ull << 40,
                                      .count_step = 3,
                                      .page_size = 200,
                                      .unfork_ops_max = 2,
                                      .boot = {.bytes = {site->boots}},
                                      .seed = qn_prng_next(&world->prng)};
    site->core = qn_core_new(&options);
    site->applier = qn_applier_new(&site->id, site->signer);
    struct qn_kv *kv = memkv_reader(site->disk);
    QN_ASSERT(qn_applier_load(site->applier, kv) == QN_OK);
    trail_tell(world, site);
    if (site->is_restored)
        mark_renewal(world, site);
    kv = memkv_reader(site->disk);
    QN_ASSERT(qn_core_load(site->core, kv) == QN_OK);
    oracle_started(world, site);
    site->is_up = true;
    struct qn_event event = {.kind = QN_EVENT_START};
    site_step(world, site, &event);
}

void site_crash(struct sim_world *world, struct sim_site *site)
{
    world_trace(world, "%s %s", site->name,
                site->has_failed ? "ends: its store failed" : "crashes");
    site->is_up = site->has_failed = false;
    site->life++;
    bool is_lost = site->undelivered != NULL && !site->undelivered_is_synced;
    bool is_kept = site->undelivered != NULL && site->undelivered_is_synced;
    if (is_kept)
        oracle_committed(world, site, site->undelivered);
    drop_volatile(site);
    files_crash(world, site);
    network_site_down(world, site->index);
    if (is_lost)
        memkv_crash(site->disk);
    if (is_kept)
        lose_clock(site);
    rot_look(world);
    custody_check(world, site);
    qn_vec_each (&world->acks, ack)
        if (ack->site == site->index)
            ack->is_open = false;
}

/* A machine that comes back from an old copy of its disk. */
void site_restore_image(struct sim_world *world, struct sim_site *site)
{
    QN_ASSERT(!site->is_up && site->image != NULL);
    world_trace(world, "%s goes back to an image", site->name);
    oracle_before_restore(world, site);
    custody_forget(world, site);
    oracle_disk_goes(site);
    memkv_free(site->disk);
    site->disk = site->image;
    site->image = NULL;
    site->is_restored = site->has_old_rows = true;
    site->has_rotten_log = false; /* there is no image of one that has */
    rot_look(world);
}

static void forget_disk(struct sim_world *world, struct sim_site *site)
{
    recall_keep(world, site);
    oracle_before_burn(world, site);
    memkv_free(site->image);
    oracle_disk_goes(site);
    memkv_free(site->disk);
    site->disk = memkv_new();
    site->image = NULL;
    site->is_restored = site->has_old_rows = site->has_rotten_log = false;
    vault_deinit(&site->vault);
    site->vault = (struct sim_vault){0};
    files_deinit(site); /* what it held for others, too: its promises are void */
    custody_forget(world, site);
    site->is_off = true;
    rot_look(world);
}

static void take_new_key(struct sim_site *site)
{
    site->burnt++;
    site->seed[0] = (uint8_t)(0x80 + site->burnt); /* no other site's byte */
    qn_signer_free(site->signer);
    QN_ASSERT(qn_signer_new(site->seed, &site->signer) == QN_OK);
    site->keys.site = *qn_signer_public(site->signer);
}

void site_burn(struct sim_world *world, struct sim_site *site, const struct sim_site *helper)
{
    QN_ASSERT(!site->is_up);
    world_trace(world, "%s burns; %s is to help", site->name, helper->name);
    forget_disk(world, site);
    take_new_key(site);
    qn_buf_reset(&site->genesis);
    site->has_kit = site->has_code = true;
    site->helper = helper->index;
    site->code = (struct qn_code){.address_count = 1};
    memcpy(site->code.group_prefix, qn_core_group(helper->core)->id.bytes, QN_GROUP_PREFIX_SIZE);
    snprintf(site->code.addresses[0], sizeof(site->code.addresses[0]), "%s", helper->address);
}
