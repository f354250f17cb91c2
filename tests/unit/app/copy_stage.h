/* A holder that is played by the test, and the copy that it has: for test_copies.c. The loop has a
 * thread of its own; the test's thread asks. */
#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "app/copies.h"
#include "core/args.h"
#include "os/os.h"
#include "proto/pack.h"
#include "support/span.h"
#include "world.h"

static const uint8_t master[QN_MASTER_KEY_SIZE] = {7}; /* of world.c */

enum lie {
    HONEST,
    LIE_BYTES,    /* changed ones */
    LIE_SWAP,     /* another pack under each name */
    LIE_SHORT,    /* packs end early */
    LIE_ENDLESS,  /* lists that never end */
    LIE_AGAIN,    /* the same list again and again */
    LIE_COUNT,    /* fewer names than said */
    LIE_ORDER,    /* names that do not ascend */
    LIE_SNAPSHOT, /* the snapshot was changed, and named anew */
    LIE_NONSENSE, /* no rows at all */
    LIE_SILENT,   /* no answer */
    LIE_AWAY,     /* the core gives it up */
};

struct late { /* a request that is answered when its time on the line is over */
    uint64_t token, due_ms;
    size_t round; /* one more than the last one whose answer was there when it came */
    struct qn_buf command, args;
};

struct stage {
    struct world world;
    struct qn_loop *loop;
    struct qn_mailbox *stopper;
    struct qn_log log;
    pthread_t thread;
    struct qn_copies *copies;
    struct qn_copy_vault *copy;
    atomic_bool is_cancelled;
    /* the holder */
    _Atomic enum lie lie;
    char packs[TMP_PATH_SIZE];
    struct qn_buf sealed, live;
    struct qn_pack_name other;
    _Atomic uint64_t delay_ms; /* there and back */
    struct qn_timer *line;
    QN_VEC(struct late) late; /* the loop's thread */
    _Atomic size_t rounds;    /* round trips: requests that waited for the answers of others */
    _Atomic uint64_t requests, served;
};

/* ---- the holder, on the loop's thread ---- */

static void reply_end(struct stage *stage, uint64_t token, struct qn_buf *data)
{
    cr_assert_eq(qn_buf_status(data), QN_OK);
    struct qn_effect effect = {
        .kind = QN_EFFECT_REPLY, .reply = QN_REPLY_END, .bytes = data->data, .size = data->size};
    stage->served += data->size;
    qn_copies_reply(stage->copies, token, &effect);
    qn_buf_deinit(data);
}

static void reply_error(struct stage *stage, uint64_t token, enum qn_err err, const char *code)
{
    struct qn_effect effect = {
        .kind = QN_EFFECT_REPLY, .reply = QN_REPLY_ERROR, .err = err, .code = code};
    qn_copies_reply(stage->copies, token, &effect);
}

static void pack_page(struct qn_buf *data, struct qn_span body, bool is_last)
{
    qn_buf_init(data, body.size + 64);
    qn_pack_map(data, 2);
    qn_pack_cstr(data, "body");
    qn_pack_bin(data, body);
    qn_pack_cstr(data, "last");
    qn_pack_bool(data, is_last);
}

static void pack_row(const struct stage *stage, const uint8_t id[32], struct qn_span sealed,
                     struct qn_buf *body)
{
    struct qn_snapshot_name name;
    qn_snapshot_name_of(sealed, &name);
    qn_pack_array(body, 6);
    qn_pack_bin(body, qn_span(id, 32));
    qn_pack_bin(body, QN_SPAN_OF(name.bytes));
    qn_pack_u64(body, 1000);
    qn_pack_u64(body, 2000);
    qn_pack_u64(body, stage->live.size / 32);
    qn_pack_bin(body, sealed);
}

/* The id of a list that comes behind `after`. */
static void next_id(struct qn_span args, uint8_t ret_id[32])
{
    struct qn_cursor cursor = qn_cursor(args_value(args, "after"));
    memset(ret_id, 0, 32);
    if (qn_cursor_bytes(&cursor, ret_id, 32) != QN_OK)
        return;
    for (size_t i = 32; i-- > 0 && ++ret_id[i] == 0;)
        ;
}

static void give_lists(struct stage *stage, uint64_t token, struct qn_span args)
{
    struct qn_buf body, data;
    uint8_t id[32];
    enum lie lie = stage->lie;
    next_id(args, id);
    if (lie == LIE_AGAIN)
        memset(id, 1, sizeof(id));
    QN_AUTO_BUF struct qn_buf sealed;
    qn_buf_init(&sealed, stage->sealed.size);
    qn_buf_append_span(&sealed, qn_buf_view(&stage->sealed));
    if (lie == LIE_SNAPSHOT)
        sealed.data[100] ^= 1;
    qn_buf_init(&body, sealed.size + 1024);
    qn_pack_array(&body, 1);
    if (lie == LIE_NONSENSE)
        qn_pack_cstr(&body, "nonsense");
    else
        pack_row(stage, id, qn_buf_view(&sealed), &body);
    pack_page(&data, qn_buf_view(&body), lie != LIE_ENDLESS && lie != LIE_AGAIN);
    qn_buf_deinit(&body);
    reply_end(stage, token, &data);
}

static void give_names(struct stage *stage, uint64_t token, struct qn_span args)
{
    struct qn_span names = qn_buf_view(&stage->live);
    struct qn_buf data, body;
    (void)args;
    qn_buf_init(&body, names.size);
    qn_buf_append_span(&body, names);
    if (stage->lie == LIE_COUNT)
        body.size -= 32;
    if (stage->lie == LIE_ORDER)
        memcpy(body.data + 32, body.data, 32);
    pack_page(&data, qn_buf_view(&body), true);
    qn_buf_deinit(&body);
    reply_end(stage, token, &data);
}

static enum qn_err read_held(const struct stage *stage, const struct qn_pack_name *name,
                             struct qn_buf *out)
{
    char path[2 * TMP_PATH_SIZE];
    char *hex = span_hex(QN_SPAN_OF((stage->lie == LIE_SWAP ? &stage->other : name)->bytes));
    snprintf(path, sizeof(path), "%.600s/%.2s/%s", stage->packs, hex, hex);
    qn_free(hex);
    return qn_os_read_file(path, 32 << 20, out);
}

static void give_pack(struct stage *stage, uint64_t token, struct qn_span args)
{
    struct qn_pack_name name;
    struct qn_cursor cursor = qn_cursor(args_value(args, "name"));
    uint64_t offset, size;
    QN_AUTO_BUF struct qn_buf whole;
    struct qn_buf data;
    qn_buf_init(&whole, 32 << 20);
    if (qn_cursor_bytes(&cursor, name.bytes, 32) != QN_OK || !args_u64(args, "offset", &offset) ||
        !args_u64(args, "size", &size) || read_held(stage, &name, &whole) != QN_OK) {
        reply_error(stage, token, QN_ERR_NOTFOUND, "not-held");
        return;
    }
    if (stage->lie == LIE_SHORT)
        whole.size = whole.size * 3 / 4;
    if (offset >= whole.size) {
        reply_error(stage, token, QN_ERR_CORRUPT, "holder-bad");
        return;
    }
    size = size < whole.size - offset ? size : whole.size - offset;
    if (stage->lie == LIE_BYTES)
        whole.data[offset + size / 2] ^= 1;
    qn_buf_init(&data, size + 128);
    qn_pack_map(&data, 3);
    qn_pack_cstr(&data, "bytes");
    qn_pack_bin(&data, qn_span(whole.data + offset, size));
    qn_pack_cstr(&data, "site");
    qn_pack_cstr(&data, "two");
    qn_pack_cstr(&data, "size");
    qn_pack_u64(&data, whole.size);
    reply_end(stage, token, &data);
}

static void answer(struct stage *stage, uint64_t token, struct qn_span command, struct qn_span args)
{
    if (stage->lie == LIE_AWAY)
        reply_error(stage, token, QN_ERR_TIMEOUT, "holder-offline");
    else if (qn_span_eq_str(command, "vault.lists"))
        give_lists(stage, token, args);
    else if (qn_span_eq_str(command, "vault.names"))
        give_names(stage, token, args);
    else
        give_pack(stage, token, args);
}

static void put_on_line(struct stage *stage, uint64_t token, struct qn_span command,
                        struct qn_span args)
{
    struct late *late = qn_vec_push_slot(&stage->late);
    *late = (struct late){
        .token = token, .due_ms = qn_os_boot_ms() + stage->delay_ms, .round = stage->rounds + 1};
    qn_buf_init(&late->command, command.size);
    qn_buf_init(&late->args, args.size);
    qn_buf_append_span(&late->command, command);
    qn_buf_append_span(&late->args, args);
    if (stage->late.count == 1)
        qn_timer_set(stage->line, stage->delay_ms);
}

static void on_line(void *context)
{
    struct stage *stage = context;
    while (stage->late.count > 0 && stage->late.items[0].due_ms <= qn_os_boot_ms()) {
        struct late late = stage->late.items[0];
        qn_vec_remove(&stage->late, 0);
        if (late.round > stage->rounds)
            stage->rounds = late.round;
        answer(stage, late.token, qn_buf_view(&late.command), qn_buf_view(&late.args));
        qn_buf_deinit(&late.command);
        qn_buf_deinit(&late.args);
    }
    if (stage->late.count > 0)
        qn_timer_set(stage->line, stage->late.items[0].due_ms - qn_os_boot_ms() + 1);
}

static void on_request(void *context, uint64_t token, struct qn_span command, struct qn_span args)
{
    struct stage *stage = context;
    stage->requests++;
    if (stage->lie == LIE_SILENT)
        return;
    if (stage->delay_ms > 0)
        put_on_line(stage, token, command, args);
    else
        answer(stage, token, command, args);
}

static void on_gone(void *context, uint64_t token)
{
    (void)context, (void)token;
}

/* ---- the stage ---- */

static void on_stop(void *context)
{
    qn_loop_stop(context);
}

static void *run_loop(void *context)
{
    qn_loop_run(context);
    return NULL;
}

static void start_copies(struct stage *stage)
{
    qn_log_init(&stage->log, QN_LOG_ERROR, qn_os_boot_ms);
    cr_assert_eq(qn_loop_new(&stage->loop), QN_OK);
    stage->stopper = qn_mailbox_new(stage->loop, on_stop, stage->loop);
    stage->line = qn_timer_new(stage->loop, on_line, stage);
    stage->copies = qn_copies_new(stage->loop, &stage->log);
    qn_copies_set_core(
        stage->copies,
        &(struct qn_copies_core){.request = on_request, .gone = on_gone, .context = stage});
    cr_assert_eq(pthread_create(&stage->thread, NULL, run_loop, stage->loop), 0);
}

/* Under whose name a list could be found is left to no chance. */
static void take_data_pack(void *context, const struct qn_pack_name *name, size_t size,
                           enum qn_pack_kind kind)
{
    (void)size;
    if (kind == QN_PACK_DATA)
        *(struct qn_pack_name *)context = *name;
}

/* A snapshot of which the holder has packs and list; the vault here is gone. */
static void hand_over(struct stage *stage, const struct qn_snapshot_name *name)
{
    struct world *w = &stage->world;
    qn_buf_init(&stage->sealed, QN_SNAPSHOT_SIZE_MAX);
    qn_buf_init(&stage->live, QN_LIVE_SIZE_MAX);
    cr_assert_eq(qn_vault_snapshot_files(w->vault, name, &stage->sealed, &stage->live), QN_OK);
    cr_assert_eq(qn_vault_packs(w->vault, take_data_pack, &stage->other), QN_OK);
    world_close(w);
    char from[TMP_PATH_SIZE];
    tmp_dir_at(&w->dir, "vault/packs", from);
    tmp_dir_at(&w->dir, "held", stage->packs);
    cr_assert_eq(rename(from, stage->packs), 0);
    world_remove(w->vault_dir);
}

static void keep_copy(struct stage *stage)
{
    struct qn_snapshot_name name;
    world_backup(&stage->world, &name);
    hand_over(stage, &name);
}

static void stage_init(struct stage *stage)
{
    *stage = (struct stage){0};
    world_init(&stage->world);
    start_copies(stage);
}

static void stage_deinit(struct stage *stage)
{
    stage->world.vault = stage->copy == NULL ? stage->world.vault : NULL;
    qn_copy_vault_close(stage->copy);
    qn_mailbox_post(stage->stopper);
    pthread_join(stage->thread, NULL);
    qn_copies_end(stage->copies);
    qn_copies_free(stage->copies);
    qn_mailbox_free(stage->stopper);
    qn_timer_free(stage->line);
    qn_vec_free(&stage->late);
    while (qn_loop_turn(stage->loop))
        ;
    qn_loop_free(stage->loop);
    qn_buf_deinit(&stage->sealed);
    qn_buf_deinit(&stage->live);
    world_deinit(&stage->world);
}
#define STAGE                                                                                      \
    __attribute__((cleanup(stage_deinit))) struct stage s;                                         \
    stage_init(&s)

static enum qn_err open_copy(struct stage *stage)
{
    struct qn_copy_vault_options options = {.copies = stage->copies,
                                            .state_dir = stage->world.dir.path,
                                            .site = "two",
                                            .master = master,
                                            .epoch = 1,
                                            .map_size = 64 << 20,
                                            .is_cancelled = &stage->is_cancelled};
    enum qn_err err = qn_copy_vault_open(&options, &stage->copy);
    if (err == QN_OK)
        stage->world.vault = qn_copy_vault_of(stage->copy);
    return err;
}

static void close_copy(struct stage *stage)
{
    qn_copy_vault_close(stage->copy);
    stage->copy = NULL;
    stage->world.vault = NULL;
}

/* Lists, chooses the one there is, restores it. */
static enum qn_err restore(struct stage *stage)
{
    qn_snapshot_vec snapshots = {0};
    QN_TRY(qn_copy_vault_snapshots(stage->copy, NULL, &snapshots));
    enum qn_err err = snapshots.count == 1 ? QN_OK : QN_ERR_NOTFOUND;
    if (err == QN_OK)
        err = qn_copy_vault_adopt(stage->copy, &snapshots.items[0].name);
    if (err == QN_OK)
        err = world_try_restore(&stage->world, &snapshots.items[0].snapshot, NULL, 0);
    qn_snapshots_deinit(&snapshots);
    return err;
}

static void fill(struct stage *stage)
{
    world_fill(&stage->world, 80);
    world_random_file(&stage->world, "large", 7 << 20);
    keep_copy(stage);
}
