/* The daily proof of the trail.
 *
 *   timer ── audit.witnesses (core) ── data: points* ── end ── pin ── rows (pool) ── alerts ──
 * timer
 *
 * What a witness said once it says again: so it is asked for what it was told since, and for all
 * that it keeps after a start, once a week, and while anything differs.
 */
#include "app/trail_watch.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/mem.h"
#include "core/args.h"
#include "os/os.h"
#include "people/audit.h"
#include "proto/pack.h"

#define FIRST_MS     ((uint64_t)60 * 1000) /* the others are connected by then, mostly */
#define AGAIN_MS     ((uint64_t)3600 * 1000)
#define EVERY_MS     ((uint64_t)24 * 3600 * 1000)
#define WHOLE_MS     (7 * EVERY_MS - EVERY_MS / 2)
#define DAILY_POINTS 48 /* of a witness: twice as many as a day has */

struct qn_trail_watch {
    struct qn_trail_watch_options options;
    struct qn_timer *timer;
    struct qn_audit_verify *verify; /* NULL: no proof is under way */
    char names[QN_SITES_MAX][QN_NAME_SIZE_MAX + 1];
    size_t name_count;
    struct qn_store_pin *pin; /* NULL: no job runs */
    struct qn_audit_verdict verdict;
    uint64_t fault_seq;           /* of the last proof, without what witnesses say; 0: whole */
    uint64_t proven_ms, whole_ms; /* the last proof, and the last by all that witnesses keep;
                                     monotonic; 0: there was none */
    bool is_whole;                /* the one under way */
    bool has_found;               /* the last one did */
    enum qn_err err;
    atomic_bool stops;
};

static void end_proof(struct qn_trail_watch *watch, uint64_t again_ms)
{
    qn_audit_verify_free(watch->verify);
    watch->verify = NULL;
    watch->name_count = 0;
    if (!atomic_load(&watch->stops))
        qn_timer_set(watch->timer, again_ms);
}

/* ---- what other sites know ---- */

/* QN_SITES_MAX: there are too many. An answer of several pages comes in pieces. */
static size_t witness_of(struct qn_trail_watch *watch, struct qn_span name)
{
    for (size_t i = 0; i < watch->name_count; i++)
        if (qn_span_eq_str(name, watch->names[i]))
            return i;
    if (watch->name_count == QN_SITES_MAX)
        return QN_SITES_MAX;
    char *slot = watch->names[watch->name_count];
    snprintf(slot, sizeof(watch->names[0]), "%.*s", (int)name.size, (const char *)name.data);
    return watch->name_count++;
}

static enum qn_err take_point(struct qn_trail_watch *watch, size_t who, struct qn_cursor *cursor)
{
    struct qn_audit_checkpoint checkpoint;
    struct qn_span row;
    uint64_t received_ms;
    size_t count;
    QN_TRY(qn_cursor_array(cursor, 2, &count));
    QN_TRY(qn_cursor_u64(cursor, &received_ms));
    QN_TRY(qn_cursor_bin(cursor, QN_AUDIT_ENTRY_SIZE_MAX, &row));
    if (qn_audit_checkpoint_unpack(row, &checkpoint) == QN_OK)
        qn_audit_verify_witness(watch->verify, who, received_ms, &checkpoint);
    return QN_OK;
}

/* Of one that was not reached nothing new is known. */
static void take_witness(struct qn_trail_watch *watch, struct qn_span data)
{
    struct qn_span name, state;
    struct qn_cursor points = qn_cursor(args_value(data, "points"));
    size_t count, who;
    if (!args_text(data, "site", QN_NAME_SIZE_MAX, &name) ||
        !args_text(data, "state", QN_NAME_SIZE_MAX, &state) || !qn_span_eq_str(state, "answered") ||
        qn_cursor_array(&points, QN_CONTROL_FRAME_SIZE_MAX, &count) != QN_OK)
        return;
    who = witness_of(watch, name);
    while (who < QN_SITES_MAX && count-- > 0 && take_point(watch, who, &points) == QN_OK)
        continue;
}

/* ---- the rows ---- */

static void work(void *context) /* on the pool */
{
    struct qn_trail_watch *watch = context;
    struct qn_kv *kv = qn_store_pin_kv(watch->pin);
    struct qn_span key, value, prefix = qn_span_str(QN_AUDIT_PREFIX);
    uint8_t at[QN_KV_KEY_SIZE_MAX + 1];
    size_t at_size = prefix.size;
    memcpy(at, prefix.data, prefix.size);
    do {
        watch->err = qn_kv_seek(kv, QN_TABLE_LOCAL, qn_span(at, at_size), &key, &value);
        if (watch->err != QN_OK || !qn_span_has_prefix(key, prefix) ||
            key.size > QN_KV_KEY_SIZE_MAX)
            break;
        qn_audit_verify_row(watch->verify, key, value);
        memcpy(at, key.data, key.size);
        at[key.size] = 0; /* the next key is behind it */
        at_size = key.size + 1;
    } while (!atomic_load(&watch->stops));
    if (watch->err == QN_ERR_NOTFOUND)
        watch->err = QN_OK;
    qn_audit_verify_end(watch->verify, &watch->verdict);
}

static void tell_witnesses(struct qn_trail_watch *watch)
{
    watch->has_found = false;
    for (size_t i = 0; i < watch->name_count; i++) {
        const struct qn_audit_witness *witness = qn_audit_verify_of(watch->verify, i);
        bool differs = witness->differs_seq != 0;
        watch->has_found |= differs;
        if (differs)
            qn_log(watch->options.log, QN_LOG_ERROR,
                   "the audit trail is not what %s knows of it, from entry %llu on; see `syncctl "
                   "log verify`",
                   watch->names[i], (unsigned long long)witness->differs_seq);
        qn_core_found_trail(qn_driver_core(watch->options.driver), qn_span_str(watch->names[i]),
                            differs ? qn_os_wall_ms() : 0);
    }
}

static void tell(struct qn_trail_watch *watch)
{
    const struct qn_audit_verdict *verdict = &watch->verdict;
    bool is_fine = verdict->fault == QN_AUDIT_WHOLE || verdict->fault == QN_AUDIT_WITNESS;
    watch->fault_seq = is_fine ? 0 : verdict->seq > 0 ? verdict->seq : 1;
    if (!is_fine)
        qn_log(watch->options.log, QN_LOG_ERROR,
               "the audit trail is not whole at entry %llu (%s); see `syncctl log verify`",
               (unsigned long long)verdict->seq, qn_audit_fault_name(verdict->fault));
    tell_witnesses(watch);
    watch->proven_ms = qn_loop_now_ms(watch->options.loop);
    if (watch->is_whole)
        watch->whole_ms = watch->proven_ms;
}

static void done(void *context)
{
    struct qn_trail_watch *watch = context;
    bool is_told = watch->err == QN_OK && !atomic_load(&watch->stops);
    qn_store_unpin(watch->pin);
    watch->pin = NULL;
    if (is_told)
        tell(watch);
    end_proof(watch, is_told ? EVERY_MS : AGAIN_MS);
}

static void read_rows(struct qn_trail_watch *watch)
{
    if (qn_store_pin(watch->options.store, &watch->pin) != QN_OK) {
        watch->pin = NULL;
        end_proof(watch, AGAIN_MS);
    } else if (qn_loop_job(watch->options.loop, work, done, watch) != QN_OK) {
        qn_store_unpin(watch->pin);
        watch->pin = NULL;
        end_proof(watch, AGAIN_MS);
    }
}

/* ---- the request ---- */

/* Inside a step of the core: nothing may be asked of it here. */
void qn_trail_watch_reply(struct qn_trail_watch *watch, const struct qn_effect *reply)
{
    if (watch == NULL || watch->verify == NULL || watch->pin != NULL)
        return;
    if (reply->reply == QN_REPLY_DATA)
        take_witness(watch, qn_span(reply->bytes, reply->size));
    else if (reply->reply == QN_REPLY_ERROR || atomic_load(&watch->stops))
        end_proof(watch, AGAIN_MS);
    else
        read_rows(watch);
}

/* Of two days that were missed, or a week, the newest points would not tell. */
static bool needs_all(const struct qn_trail_watch *watch, uint64_t now_ms)
{
    return watch->whole_ms == 0 || watch->has_found || now_ms >= watch->whole_ms + WHOLE_MS ||
           now_ms >= watch->proven_ms + EVERY_MS + 2 * AGAIN_MS;
}

static void on_timer(void *context)
{
    struct qn_trail_watch *watch = context;
    const struct qn_trail_watch_options *options = &watch->options;
    const struct qn_group *group = qn_core_group(qn_driver_core(options->driver));
    const struct qn_site *site = group != NULL ? qn_group_site(group, options->id) : NULL;
    QN_AUTO_BUF struct qn_buf args;
    watch->is_whole = needs_all(watch, qn_loop_now_ms(options->loop));
    qn_buf_init(&args, 32);
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "points");
    qn_pack_u64(&args, watch->is_whole ? 0 : DAILY_POINTS);
    watch->verify =
        qn_audit_verify_new(options->id, site != NULL ? site->epochs.items : options->key,
                            site != NULL ? site->epochs.count : 1, qn_os_wall_ms());
    qn_driver_request(options->driver, QN_TRAIL_WATCH_TOKEN, qn_span_str("audit.witnesses"),
                      qn_buf_view(&args), qn_span(NULL, 0));
}

/* ---- life ---- */

struct qn_trail_watch *qn_trail_watch_new(const struct qn_trail_watch_options *options)
{
    struct qn_trail_watch *watch = QN_NEW(struct qn_trail_watch);
    watch->options = *options;
    atomic_init(&watch->stops, false);
    watch->timer = qn_timer_new(options->loop, on_timer, watch);
    qn_timer_set(watch->timer, FIRST_MS);
    return watch;
}

void qn_trail_watch_health(const struct qn_trail_watch *watch, struct qn_health *health)
{
    if (watch != NULL)
        health->trail_fault = watch->fault_seq;
}

void qn_trail_watch_stop(struct qn_trail_watch *watch)
{
    if (watch == NULL)
        return;
    atomic_store(&watch->stops, true);
    qn_timer_free(watch->timer);
    watch->timer = NULL;
}

bool qn_trail_watch_is_idle(const struct qn_trail_watch *watch)
{
    return watch == NULL || watch->pin == NULL;
}

void qn_trail_watch_free(struct qn_trail_watch *watch)
{
    if (watch == NULL)
        return;
    qn_audit_verify_free(watch->verify);
    qn_free(watch);
}
