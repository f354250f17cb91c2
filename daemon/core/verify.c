/* Comparing collections with other sites: the request `verify`, and answering a peer's audit.
 *
 * A task (collection, site) asks for the peer's state until both clocks are equal. Equal roots:
 * done. Else it descends (RECORDS 1.6): 256 sums by the first byte of the bucket, 256 below each
 * one that differs, then the keys and state hashes of each differing bucket, side by side. */
#include "core/integrity.h"

#define OWN_MAX        4 /* at a time, that nobody asked for */
#define OWN_TIMEOUT_MS 60000

static void task_free(struct verify_task *task)
{
    if (task->descent != NULL) {
        qn_buf_deinit(&task->descent->my_keys);
        qn_buf_deinit(&task->descent->their_keys);
        qn_free(task->descent);
    }
    qn_buf_deinit(&task->keys);
    qn_free(task);
}

void verify_free(struct verify *verify)
{
    qn_vec_each (&verify->tasks, task)
        task_free(*task);
    qn_vec_free(&verify->tasks);
    qn_buf_deinit(&verify->incidents);
    qn_free(verify);
}

void verify_gone(struct qn_core *core, uint64_t request)
{
    core->is_presence_stale = true;
    for (size_t i = core->verifies.count; i-- > 0;)
        if (!core->verifies.items[i]->is_own && core->verifies.items[i]->request == request) {
            verify_free(core->verifies.items[i]);
            qn_vec_remove(&core->verifies, i);
        }
}

static struct verify_task *add_task(struct verify *verify, const struct coll *coll,
                                    const struct peer *peer)
{
    struct verify_task *task = QN_NEW(struct verify_task);
    task->coll = coll->id;
    task->site = peer->site;
    qn_buf_init(&task->keys, QN_CONTROL_FRAME_SIZE_MAX / 2);
    qn_vec_push(&verify->tasks, task);
    return task;
}

void verify_start(struct qn_core *core, uint64_t request, struct coll *only, bool with_scrub,
                  uint64_t timeout_ms)
{
    struct verify *verify = QN_NEW(struct verify);
    verify->request = request;
    verify->deadline_ms = core->now_ms + timeout_ms;
    verify->grace_ms = core->now_ms + (core->is_mesh ? VERIFY_CALL_MS : VERIFY_GRACE_MS);
    core->is_presence_stale = true;
    verify->with_scrub = with_scrub;
    verify->has_only = only != NULL;
    if (only != NULL)
        verify->only = only->id;
    qn_vec_each (&core->colls, coll)
        if (with_scrub && (only == NULL || only == *coll) && (*coll)->is_shared)
            scrub_want(core, *coll);
    qn_vec_each (&core->colls, coll)
        qn_vec_each (&core->peers, peer)
            if ((only == NULL || only == *coll) && (*coll)->is_shared &&
                core_shares(core, *coll, &(*peer)->site))
                add_task(verify, *coll, *peer);
    qn_vec_push(&core->verifies, verify);
}

/* ---- asking ---- */

static void ask_state(struct qn_core *core, struct peer *peer, struct verify_task *task)
{
    struct qn_buf *out = core_message(core, QN_MSG_STATE_ASK, 1);
    qn_pack_bin(out, QN_SPAN_OF(task->coll.bytes));
    core_send(core, peer->session->link);
    task->ask_ms = core->now_ms + VERIFY_ASK_MS;
}

static void read_own(struct qn_core *core, struct verify_task *task, enum qn_read_kind kind,
                     unsigned level, unsigned prefix, unsigned bucket)
{
    struct qn_read *read = QN_NEW(struct qn_read);
    *read = (struct qn_read){.kind = kind,
                             .coll = task->coll,
                             .level = level,
                             .prefix = (uint8_t)prefix,
                             .bucket = (uint16_t)bucket};
    struct pending *pending = core_read_later(core, read, PENDING_VERIFY);
    pending->coll = task->coll;
    pending->level = level;
    pending->prefix = (uint8_t)prefix;
    pending->bucket = (uint16_t)bucket;
    pending->site = task->site;
    task->descent->has_mine = task->descent->has_theirs = false;
}

static void ask_sums(struct qn_core *core, struct peer *peer, struct verify_task *task,
                     unsigned level, unsigned prefix)
{
    task->stage = level == 1 ? VERIFY_TOP : VERIFY_MIDDLE;
    read_own(core, task, QN_READ_FP, level, prefix, 0);
    struct qn_buf *out = core_message(core, QN_MSG_FP_ASK, 3);
    qn_pack_bin(out, QN_SPAN_OF(task->coll.bytes));
    qn_pack_u64(out, level);
    qn_pack_u64(out, prefix);
    core_send(core, peer->session->link);
}

static void ask_keys(struct qn_core *core, struct peer *peer, struct verify_task *task)
{
    unsigned bucket = task->descent->prefix << 8 | task->descent->bucket;
    task->stage = VERIFY_KEYS;
    read_own(core, task, QN_READ_BUCKET, 0, 0, bucket);
    struct qn_buf *out = core_message(core, QN_MSG_KEYS_ASK, 2);
    qn_pack_bin(out, QN_SPAN_OF(task->coll.bytes));
    qn_pack_u64(out, bucket);
    core_send(core, peer->session->link);
}

/* ---- descending ---- */

static void conclude(struct qn_core *core, struct verify_task *task)
{
    struct coll *coll = core_coll(core, &task->coll);
    if (task->key_count == 0) { /* it moved under us, or the sums are wrong: compare again */
        task->stage = VERIFY_ASK;
        if (coll != NULL && !task->descent->has_counted)
            coll->care.wants_count = true;
        task->descent->has_counted = true;
        return;
    }
    task->stage = VERIFY_DONE;
    task->result = VERIFY_DIFFERENT;
    if (coll == NULL)
        return;
    coll_known(coll, &task->site)->differs = true;
    repair_suspect(core, coll, qn_buf_view(&task->keys), task->key_count);
}

static bool differs(const struct descent *descent, unsigned level, unsigned index)
{
    return memcmp(descent->mine[level - 1] + index * QN_ROOT_SIZE,
                  descent->theirs[level - 1] + index * QN_ROOT_SIZE, QN_ROOT_SIZE) != 0;
}

static void next_prefix(struct qn_core *core, struct peer *peer, struct verify_task *task)
{
    struct descent *d = task->descent;
    while (d->prefix < 256 && !differs(d, 1, d->prefix))
        d->prefix++;
    if (d->prefix < 256 && task->key_count < VERIFY_KEYS_MAX)
        ask_sums(core, peer, task, 2, d->prefix);
    else
        conclude(core, task);
}

static void next_bucket(struct qn_core *core, struct peer *peer, struct verify_task *task)
{
    struct descent *d = task->descent;
    while (d->bucket < 256 && !differs(d, 2, d->bucket))
        d->bucket++;
    if (d->bucket < 256 && task->key_count < VERIFY_KEYS_MAX) {
        ask_keys(core, peer, task);
        return;
    }
    d->prefix++;
    next_prefix(core, peer, task);
}

struct key_list {
    struct qn_cursor cursor;
    size_t left;
    struct qn_span key, hash;
    bool has_key;
};

static void list_next(struct key_list *list)
{
    list->has_key = list->left >= 2 &&
                    qn_cursor_str(&list->cursor, QN_KEY_SIZE_MAX, &list->key) == QN_OK &&
                    qn_cursor_bin(&list->cursor, QN_STATE_HASH_SIZE, &list->hash) == QN_OK;
    list->left -= list->has_key ? 2 : 0;
}

static struct key_list list_open(const struct qn_buf *packed)
{
    struct key_list list = {.cursor = qn_cursor(qn_buf_view(packed))};
    if (qn_cursor_array(&list.cursor, QN_FRAME_SIZE_MAX, &list.left) != QN_OK)
        list.left = 0;
    list_next(&list);
    return list;
}

static void add_key(struct verify_task *task, struct qn_span key)
{
    if (task->key_count >= VERIFY_KEYS_MAX)
        return;
    qn_pack_str(&task->keys, key);
    task->key_count++;
}

/* Two lists in key order, side by side. */
static void compare_keys(struct verify_task *task)
{
    struct key_list mine = list_open(&task->descent->my_keys);
    struct key_list theirs = list_open(&task->descent->their_keys);
    while (mine.has_key || theirs.has_key) {
        int order = !mine.has_key ? 1 : !theirs.has_key ? -1 : qn_span_cmp(mine.key, theirs.key);
        if (order != 0 || !qn_span_eq(mine.hash, theirs.hash))
            add_key(task, order <= 0 ? mine.key : theirs.key);
        if (order <= 0)
            list_next(&mine);
        if (order >= 0)
            list_next(&theirs);
    }
}

/* Both halves of what was asked for are here: go on. */
static void go_on(struct qn_core *core, struct verify_task *task)
{
    struct peer *peer = core_peer(core, &task->site);
    struct descent *d = task->descent;
    if (!d->has_mine || !d->has_theirs || peer == NULL || peer->session == NULL)
        return;
    if (task->stage == VERIFY_TOP) {
        d->prefix = 0;
        next_prefix(core, peer, task);
    } else if (task->stage == VERIFY_MIDDLE) {
        d->bucket = 0;
        next_bucket(core, peer, task);
    } else if (task->stage == VERIFY_KEYS) {
        compare_keys(task);
        d->bucket++;
        next_bucket(core, peer, task);
    }
}

static void descend(struct qn_core *core, struct peer *peer, struct verify_task *task)
{
    if (task->descent == NULL) {
        task->descent = QN_NEW(struct descent);
        qn_buf_init(&task->descent->my_keys, QN_FRAME_SIZE_MAX);
        qn_buf_init(&task->descent->their_keys, QN_FRAME_SIZE_MAX);
    }
    ask_sums(core, peer, task, 1, 0);
}

static bool is_running(const struct qn_core *core, const struct coll *coll,
                       const struct qn_site_id *site, size_t *count)
{
    bool is_found = false;
    qn_vec_each (&core->verifies, verify) {
        *count += (*verify)->is_own;
        qn_vec_each (&(*verify)->tasks, task)
            is_found |= (*task)->stage != VERIFY_DONE && qn_coll_id_eq(&(*task)->coll, &coll->id) &&
                        qn_site_id_eq(&(*task)->site, site);
    }
    return is_found;
}

static struct verify_task *start_own(struct qn_core *core, struct peer *peer, struct coll *coll)
{
    size_t count = 0;
    if (is_running(core, coll, &peer->site, &count) || count >= OWN_MAX)
        return NULL; /* the next contact compares again */
    struct verify *verify = QN_NEW(struct verify);
    verify->is_own = true;
    verify->deadline_ms = core->now_ms + OWN_TIMEOUT_MS;
    verify->grace_ms = core->now_ms;
    qn_vec_push(&core->verifies, verify);
    return add_task(verify, coll, peer);
}

void verify_differs(struct qn_core *core, struct peer *peer, struct coll *coll)
{
    struct verify_task *task = start_own(core, peer, coll);
    if (task != NULL)
        descend(core, peer, task);
}

void verify_look(struct qn_core *core, struct peer *peer, struct coll *coll)
{
    (void)start_own(core, peer, coll);
}

void verify_again(struct qn_core *core, struct coll *coll)
{
    qn_vec_each (&coll->known, known) {
        struct peer *peer = (*known)->differs ? core_peer(core, &(*known)->site) : NULL;
        if (peer_is_connected(peer) && peer_share(peer, &coll->id) != NULL)
            (void)start_own(core, peer, coll);
    }
}

/* ---- hearing ---- */

#define each_task(core, wanted_coll, wanted_site, task)                                            \
    qn_vec_each (&(core)->verifies, verify_)                                                       \
        qn_vec_each (&(*verify_)->tasks, task)                                                     \
            if (qn_coll_id_eq(&(*task)->coll, (wanted_coll)) &&                                    \
                qn_site_id_eq(&(*task)->site, (wanted_site)))

void verify_heard_state(struct qn_core *core, struct peer *peer, const struct qn_coll_id *id,
                        const uint8_t *hash, const uint8_t *root, bool is_late)
{
    struct coll *coll = core_coll(core, id);
    bool is_equal = memcmp(hash, coll->cc_hash, QN_ROOT_SIZE) == 0;
    each_task(core, id, &peer->site, slot)
    {
        struct verify_task *task = *slot;
        task->is_incomplete = coll->info.late.is_late || is_late;
        if (task->stage != VERIFY_ASK || !is_equal || task->is_incomplete)
            continue;
        if (coll->info.damage.is_uncounted || coll->info.late.is_late)
            continue;
        if (memcmp(root, coll->info.root, QN_ROOT_SIZE) != 0) {
            descend(core, peer, task);
            continue;
        }
        task->stage = VERIFY_DONE;
        task->result = VERIFY_IDENTICAL;
        coll_known(coll, &peer->site)->differs = false;
    }
}

void verify_heard_fp(struct qn_core *core, struct peer *peer, const struct qn_coll_id *coll,
                     uint64_t level, uint64_t prefix, struct qn_span sums)
{
    each_task(core, coll, &peer->site, slot)
    {
        struct verify_task *task = *slot;
        bool is_asked = task->stage == (level == 1 ? VERIFY_TOP : VERIFY_MIDDLE) &&
                        (level == 1 || prefix == task->descent->prefix);
        if (!is_asked)
            continue;
        memcpy(task->descent->theirs[level - 1], sums.data, sums.size);
        task->descent->has_theirs = true;
        go_on(core, task);
    }
}

void verify_heard_keys(struct qn_core *core, struct peer *peer, const struct qn_coll_id *coll,
                       uint64_t bucket, struct qn_span keys)
{
    each_task(core, coll, &peer->site, slot)
    {
        struct verify_task *task = *slot;
        if (task->stage != VERIFY_KEYS ||
            bucket != (task->descent->prefix << 8 | task->descent->bucket))
            continue;
        qn_buf_reset(&task->descent->their_keys);
        qn_buf_append_span(&task->descent->their_keys, keys);
        task->descent->has_theirs = true;
        go_on(core, task);
    }
}

/* ---- reads: this site's half, or what a peer asked for ---- */

void verify_asked(struct qn_core *core, struct peer *peer, struct share *share,
                  enum qn_read_kind kind, unsigned level, uint8_t prefix, uint16_t bucket)
{
    struct qn_read *read = QN_NEW(struct qn_read);
    *read = (struct qn_read){.kind = kind,
                             .asker = peer->site,
                             .coll = share->coll->id,
                             .level = level,
                             .prefix = prefix,
                             .bucket = bucket};
    struct pending *pending = core_read_later(core, read, PENDING_VERIFY);
    pending->link = peer->session->link;
    pending->coll = share->coll->id;
    pending->level = level;
    pending->prefix = prefix;
    pending->bucket = bucket;
    pending->for_peer = true;
}

static void answer_peer(struct qn_core *core, const struct pending *pending,
                        const struct qn_read_result *result)
{
    struct peer *peer = core_peer_of_link(core, pending->link);
    if (peer == NULL || result->err != QN_OK)
        return;
    bool is_fp = pending->level > 0;
    struct qn_buf *out = core_message(core, is_fp ? QN_MSG_FP : QN_MSG_KEYS, is_fp ? 4 : 3);
    qn_pack_bin(out, QN_SPAN_OF(pending->coll.bytes));
    if (is_fp) {
        qn_pack_u64(out, pending->level);
        qn_pack_u64(out, pending->prefix);
        qn_pack_bin(out, qn_buf_view(&result->body));
    } else {
        qn_pack_u64(out, pending->bucket);
        qn_pack_raw(out, qn_buf_view(&result->body));
    }
    core_send(core, peer->session->link);
}

static void take_own(struct qn_core *core, struct verify_task *task, const struct pending *pending,
                     const struct qn_read_result *result)
{
    struct descent *d = task->descent;
    if (d == NULL || result->err != QN_OK)
        return;
    if (task->stage == VERIFY_KEYS && pending->level == 0 &&
        pending->bucket == (d->prefix << 8 | d->bucket)) {
        qn_buf_reset(&d->my_keys);
        qn_buf_append_span(&d->my_keys, qn_buf_view(&result->body));
    } else if (pending->level == (task->stage == VERIFY_TOP ? 1u : 2u) &&
               result->body.size == sizeof(d->mine[0])) {
        memcpy(d->mine[pending->level - 1], result->body.data, result->body.size);
    } else {
        return;
    }
    d->has_mine = true;
    go_on(core, task);
}

void verify_read_done(struct qn_core *core, const struct pending *pending,
                      const struct qn_read_result *result)
{
    if (pending->for_peer) {
        answer_peer(core, pending, result);
        return;
    }
    each_task(core, &pending->coll, &pending->site, slot) take_own(core, *slot, pending, result);
}

bool verify_wants(const struct qn_core *core, const struct qn_site_id *site)
{
    qn_vec_each (&core->verifies, verify)
        qn_vec_each (&(*verify)->tasks, task)
            if ((*task)->stage != VERIFY_DONE && qn_site_id_eq(&(*task)->site, site))
                return true;
    return false;
}

/* ---- the answer ---- */

static void report(struct qn_core *core, const struct verify *verify,
                   const struct verify_task *task)
{
    static const char *const words[] = {[VERIFY_UNREACHABLE] = "unreachable",
                                        [VERIFY_BEHIND] = "behind",
                                        [VERIFY_IDENTICAL] = "identical",
                                        [VERIFY_DIFFERENT] = "different"};
    const struct coll *coll = core_coll(core, &task->coll);
    const struct qn_site *site = qn_group_site(qn_ledger_group(core->ledger), &task->site);
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_CONTROL_FRAME_SIZE_MAX - 1024);
    qn_pack_map(&row, task->is_incomplete ? 5 : 4);
    qn_pack_cstr(&row, "collection");
    qn_pack_cstr(&row, coll == NULL ? "" : coll->shown);
    if (task->is_incomplete) {
        qn_pack_cstr(&row, "incomplete");
        qn_pack_bool(&row, true);
    }
    qn_pack_cstr(&row, "keys");
    qn_pack_array(&row, task->key_count);
    qn_pack_raw(&row, qn_buf_view(&task->keys));
    qn_pack_cstr(&row, "site");
    qn_pack_cstr(&row, site == NULL ? "" : site->name);
    qn_pack_cstr(&row, "state");
    qn_pack_cstr(&row, words[task->result]);
    core_reply_data(core, verify->request, &row);
}

/* ---- what was found and done before ---- */

static const char *word_of(uint64_t kind)
{
    static const char *const words[] = {
        [QN_INCIDENT_DAMAGED] = "damaged",   [QN_INCIDENT_REPAIRED] = "repaired",
        [QN_INCIDENT_MAJORITY] = "majority", [QN_INCIDENT_BOTH] = "both",
        [QN_INCIDENT_RECOUNTED] = "counted", [QN_INCIDENT_LOG] = "log",
        [QN_INCIDENT_ORDER] = "order",       [QN_INCIDENT_CLOCK] = "clock",
        [QN_INCIDENT_GIVEN_UP] = "given-up",
    };
    bool is_known = kind > 0 && kind < sizeof(words) / sizeof(words[0]);
    return is_known ? words[kind] : "unknown";
}

static enum qn_err add_incident(struct qn_core *core, struct verify *verify,
                                const struct coll *coll, struct qn_cursor *cursor)
{
    uint64_t at_ms, kind;
    struct qn_span key;
    struct qn_site_id id;
    QN_TRY(qn_cursor_u64(cursor, &at_ms));
    QN_TRY(qn_cursor_u64(cursor, &kind));
    QN_TRY(qn_cursor_str(cursor, QN_KEY_SIZE_MAX, &key));
    QN_TRY(qn_cursor_bytes(cursor, id.bytes, sizeof(id.bytes)));
    const struct qn_site *site = qn_group_site(qn_ledger_group(core->ledger), &id);
    struct qn_buf *out = &verify->incidents;
    qn_pack_map(out, 5);
    qn_pack_cstr(out, "collection");
    qn_pack_cstr(out, coll->shown);
    qn_pack_cstr(out, "key");
    qn_pack_str(out, key);
    qn_pack_cstr(out, "site");
    qn_pack_cstr(out, site == NULL ? "" : site->name);
    qn_pack_cstr(out, "time");
    qn_pack_u64(out, at_ms);
    qn_pack_cstr(out, "what");
    qn_pack_cstr(out, word_of(kind));
    verify->incident_count++;
    return QN_OK;
}

static void add_incidents(struct qn_core *core, struct verify *verify, const struct coll *coll,
                          struct qn_span body)
{
    struct qn_cursor cursor = qn_cursor(body);
    size_t count;
    if (qn_cursor_array(&cursor, 4 * INCIDENTS_SHOWN_MAX, &count) != QN_OK)
        return;
    for (size_t i = 0; i < count; i += 4)
        if (verify->incidents.size > QN_CONTROL_FRAME_SIZE_MAX / 4 ||
            add_incident(core, verify, coll, &cursor) != QN_OK)
            return;
}

void verify_incidents_done(struct qn_core *core, const struct pending *pending,
                           const struct qn_read_result *result)
{
    const struct coll *coll = core_coll(core, &pending->coll);
    qn_vec_each (&core->verifies, slot) {
        struct verify *verify = *slot;
        if (verify->is_own || verify->request != pending->request || verify->reads == 0)
            continue;
        verify->reads--;
        if (coll != NULL && result->err == QN_OK)
            add_incidents(core, verify, coll, qn_buf_view(&result->body));
    }
}

/* True while they are on their way. */
static bool waits_for_incidents(struct qn_core *core, struct verify *verify)
{
    if (verify->is_own || verify->has_asked)
        return verify->reads > 0;
    verify->has_asked = true;
    qn_buf_init(&verify->incidents, QN_CONTROL_FRAME_SIZE_MAX / 2);
    qn_vec_each (&core->colls, slot) {
        struct coll *coll = *slot;
        bool is_wanted = !verify->has_only || qn_coll_id_eq(&coll->id, &verify->only);
        if (!coll->is_shared || coll->info.damage.found == 0 || !is_wanted)
            continue;
        struct qn_read *read = QN_NEW(struct qn_read);
        *read = (struct qn_read){.kind = QN_READ_INCIDENTS, .coll = coll->id};
        struct pending *pending = core_read_later(core, read, PENDING_INTEGRITY);
        pending->level = INTEGRITY_VERIFY;
        pending->coll = coll->id;
        pending->request = verify->request;
        verify->reads++;
    }
    return verify->reads > 0;
}

static void finish_own(struct qn_core *core, struct verify *verify)
{
    for (size_t i = core->verifies.count; i-- > 0;)
        if (core->verifies.items[i] == verify)
            qn_vec_remove(&core->verifies, i);
    verify_free(verify);
}

static void finish(struct qn_core *core, struct verify *verify)
{
    bool is_identical = true;
    if (verify->is_own) {
        finish_own(core, verify);
        return;
    }
    qn_vec_each (&verify->tasks, task) {
        report(core, verify, *task);
        is_identical &= (*task)->result == VERIFY_IDENTICAL;
    }
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, QN_CONTROL_FRAME_SIZE_MAX - 1024);
    qn_pack_map(&data, 2);
    qn_pack_cstr(&data, "identical");
    qn_pack_bool(&data, is_identical);
    qn_pack_cstr(&data, "incidents");
    qn_pack_array(&data, verify->incident_count);
    qn_pack_raw(&data, qn_buf_view(&verify->incidents));
    core_reply_end(core, verify->request, &data);
    verify_gone(core, verify->request);
}

/* Asks where it is time to; true while there is something to wait for. */
static bool run_task(struct qn_core *core, struct verify_task *task, uint64_t grace_ms)
{
    struct peer *peer = core_peer(core, &task->site);
    if (task->stage == VERIFY_DONE)
        return false;
    if (peer == NULL || peer->session == NULL) {
        task->stage = VERIFY_ASK; /* a lost link starts it over */
        task->result = VERIFY_UNREACHABLE;
        bool is_waited_for = core->now_ms < grace_ms;
        if (is_waited_for)
            core_wake(core, grace_ms);
        return is_waited_for;
    }
    task->result = VERIFY_BEHIND;
    if (task->stage == VERIFY_ASK && core->now_ms >= task->ask_ms)
        ask_state(core, peer, task);
    core_wake(core, task->ask_ms > core->now_ms ? task->ask_ms : core->now_ms + VERIFY_ASK_MS);
    return true;
}

/* What is read here first may change what there is to compare. */
static bool waits_for_scrub(struct qn_core *core, struct verify *verify)
{
    bool is_waiting = false;
    qn_vec_each (&core->colls, coll)
        is_waiting |= verify->with_scrub && (*coll)->is_shared && scrub_is_wanted(core, *coll);
    if (is_waiting)
        verify->grace_ms = core->now_ms + VERIFY_GRACE_MS;
    else
        verify->with_scrub = false;
    return is_waiting;
}

void verify_tick(struct qn_core *core)
{
    for (size_t i = core->verifies.count; i-- > 0;) {
        struct verify *verify = core->verifies.items[i];
        bool is_waiting = waits_for_scrub(core, verify);
        if (is_waiting && core->now_ms < verify->deadline_ms) {
            core_wake(core, verify->deadline_ms);
            continue;
        }
        qn_vec_each (&verify->tasks, task)
            is_waiting |= run_task(core, *task, verify->grace_ms);
        if ((!is_waiting || core->now_ms >= verify->deadline_ms) &&
            !waits_for_incidents(core, verify))
            finish(core, verify);
        else
            core_wake(core, verify->deadline_ms);
    }
}
