/* Which records differ from those of another site: 256 sums by the first byte of the bucket, 256
 * below each one that differs, then the keys and state hashes of each differing bucket, side by
 * side (RECORDS 1.6). Also the answers to a peer that does the same. */
#include "core/integrity.h"

/* ---- asking ---- */

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

void verify_descend(struct qn_core *core, struct peer *peer, struct verify_task *task)
{
    if (task->descent == NULL) {
        task->descent = QN_NEW(struct descent);
        qn_buf_init(&task->descent->my_keys, QN_FRAME_SIZE_MAX);
        qn_buf_init(&task->descent->their_keys, QN_FRAME_SIZE_MAX);
    }
    ask_sums(core, peer, task, 1, 0);
}

/* ---- hearing ---- */

void verify_heard_fp(struct qn_core *core, struct peer *peer, const struct qn_coll_id *coll,
                     uint64_t level, uint64_t prefix, struct qn_span sums)
{
    verify_each_task(core, coll, &peer->site, slot)
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
    verify_each_task(core, coll, &peer->site, slot)
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
    verify_each_task(core, &pending->coll, &pending->site, slot)
        take_own(core, *slot, pending, result);
}
