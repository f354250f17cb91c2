/* LOCK and UNLOCK. A lock is in the table from the moment it is given, so that nobody comes
 * between, and is answered when its row is durable.
 *
 *   judge ── table ── [empty file] ── row ── answer
 */
#include <stdio.h>

#include "serve/dav_private.h"

#define EXPIRED_MAX 16 /* rows of locks that are over, swept along with a new one */

struct locking {
    char token[QN_DAV_TOKEN_SIZE];
    bool is_new_resource;
    struct qn_buf bytes; /* keys, and the row */
};

static void free_locking(struct dav_request *dav)
{
    struct locking *lock = dav->own;
    qn_buf_deinit(&lock->bytes);
    qn_free(lock);
}

static struct locking *new_locking(struct dav_request *dav)
{
    struct locking *lock = QN_NEW(struct locking);
    qn_buf_init(&lock->bytes, QN_LOCAL_ROW_SIZE_MAX);
    dav->own = lock;
    dav->free_own = free_locking;
    return lock;
}

static const struct qn_dav_lock *find(const struct dav_request *dav)
{
    const struct locking *lock = dav->own;
    return qn_dav_locks_find(dav->dav->locks, qn_span_str(lock->token), dav_wall_ms(dav->dav));
}

/* ---- the answer ---- */

static void answer_lock(struct dav_request *dav, bool is_new)
{
    struct locking *own = dav->own;
    const struct qn_dav_lock *lock = find(dav);
    unsigned status = own->is_new_resource ? 201 : 200;
    dav_note(dav, status);
    if (!dav->web)
        return;
    if (!lock) { /* it was taken away meanwhile, with its resource */
        dav_refuse(dav, 409);
        return;
    }
    QN_AUTO_BUF struct qn_buf body, token;
    qn_buf_init(&body, 64 * 1024);
    qn_buf_init(&token, QN_DAV_TOKEN_SIZE + 2);
    qn_dav_lock_answer(&body, lock, DAV_PREFIX, dav_wall_ms(dav->dav));
    qn_buf_printf(&token, "<%s>", lock->token);
    struct qn_buf *head = dav_head(dav, status, body.size);
    dav_text_field(head, "Content-Type", QN_DAV_XML_TYPE);
    if (is_new && qn_http_answer_field(head, "Lock-Token", qn_buf_view(&token)) != QN_OK)
        qn_web_cut(dav->web); /* a token of ours is printable: it does not happen */
    qn_web_head_end(dav->web);
    qn_web_send(dav->web, qn_buf_view(&body));
    qn_web_finish(dav->web);
}

/* ---- storing ---- */

static void forget(struct dav_request *dav)
{
    const struct locking *own = dav->own;
    qn_dav_locks_remove(dav->dav->locks, qn_span_str(own->token));
}

static void fail(struct dav_request *dav, enum qn_err err)
{
    forget(dav);
    dav_refuse_err(dav, err);
    dav_release(dav);
}

/* Rows of locks that are over go along; returns how many. */
static size_t sweep(struct dav_request *dav, struct qn_local_row *rows,
                    char (*keys)[sizeof(QN_DAV_LOCK_ROW_PREFIX) + QN_DAV_TOKEN_SIZE])
{
    size_t count = 0;
    char token[QN_DAV_TOKEN_SIZE];
    while (count < EXPIRED_MAX &&
           qn_dav_locks_take_expired(dav->dav->locks, dav_wall_ms(dav->dav), token)) {
        snprintf(keys[count], sizeof(keys[count]), QN_DAV_LOCK_ROW_PREFIX "%s", token);
        rows[count] = (struct qn_local_row){.key = qn_span_str(keys[count]), .is_gone = true};
        count++;
    }
    return count;
}

/* The lock may be gone already, with its resource. */
static void put_lock(struct dav_request *dav, void (*done)(void *, enum qn_err))
{
    struct locking *own = dav->own;
    struct qn_local_row rows[EXPIRED_MAX + 1];
    char keys[EXPIRED_MAX][sizeof(QN_DAV_LOCK_ROW_PREFIX) + QN_DAV_TOKEN_SIZE];
    size_t count = sweep(dav, rows, keys);
    const struct qn_dav_lock *lock = find(dav);
    if (!lock) {
        fail(dav, QN_ERR_STATE);
        return;
    }
    qn_buf_reset(&own->bytes);
    qn_dav_lock_key(qn_span_str(lock->token), &own->bytes);
    size_t key_size = own->bytes.size;
    qn_dav_lock_row(lock, &own->bytes);
    rows[count++] =
        (struct qn_local_row){.key = qn_span(own->bytes.data, key_size),
                              .value = qn_span_from(qn_buf_view(&own->bytes), key_size)};
    dav_put(dav, (struct dav_rows){rows, count}, done);
}

static void on_lock_stored(void *context, enum qn_err err)
{
    struct dav_request *dav = context;
    if (!dav_resume(dav))
        return;
    if (err == QN_OK) {
        answer_lock(dav, true);
    } else {
        forget(dav);
        dav_refuse_err(dav, err);
    }
    dav_release(dav);
}

/* ---- a new lock on something new: an empty file (RFC 4918, 7.3) ---- */

/* Somebody else made it meanwhile: it is there, and locked now. */
static void on_made(void *context, enum qn_err err, const struct qn_entry_info *entry)
{
    struct dav_request *dav = context;
    struct locking *own = dav->own;
    if (!dav_resume(dav))
        return;
    own->is_new_resource = err == QN_OK;
    if (err == QN_OK || err == QN_ERR_CONFLICT)
        put_lock(dav, on_lock_stored);
    else
        fail(dav, err);
}

static void on_upload(void *context, enum qn_err err, struct qn_folder_upload *upload)
{
    struct dav_request *dav = context;
    struct qn_folder_expect expect = {.must_not_exist = true};
    const struct qn_folder_said said = {.modified_ns = INT64_MIN};
    if (!dav_resume(dav))
        return;
    if (err != QN_OK) {
        fail(dav, err);
        return;
    }
    dav_wait(dav, dav->folder->ops->commit(upload, &expect, &said, on_made, dav));
}

/* ---- LOCK ---- */

static void refuse_lock(struct dav_request *dav, enum qn_err err, const struct qn_dav_lock *against)
{
    if (err == QN_ERR_BUSY)
        dav_refuse_condition(dav, 423, "no-conflicting-lock", against->path);
    else
        dav_refuse(dav, 507);
}

static bool read_depth(struct dav_request *dav, bool *ret_is_deep)
{
    enum qn_dav_depth depth = QN_DAV_DEPTH_INFINITY;
    struct qn_span field = dav_field(dav, "Depth");
    if (field.size > 0 && (qn_dav_depth_read(field, &depth) != QN_OK || depth == QN_DAV_DEPTH_1)) {
        dav_refuse(dav, 400);
        return false;
    }
    *ret_is_deep = depth == QN_DAV_DEPTH_INFINITY;
    return true;
}

static void add_lock(struct dav_request *dav, const struct qn_dav_lock_ask *ask, bool is_deep)
{
    struct locking *own = dav->own;
    const struct qn_dav_lock *lock;
    struct qn_dav_lock_wish wish = {.path = qn_buf_view(&dav->path),
                                    .owner = ask->owner,
                                    .person = dav->person.name,
                                    .is_exclusive = ask->is_exclusive,
                                    .is_deep = is_deep,
                                    .timeout_s = qn_dav_timeout_read(dav_field(dav, "Timeout"))};
    dav->dav->options.host->random(wish.random, sizeof(wish.random));
    enum qn_err err = qn_dav_locks_add(dav->dav->locks, &wish, dav_wall_ms(dav->dav), &lock);
    if (err != QN_OK) {
        refuse_lock(dav, err, err == QN_ERR_BUSY ? lock : NULL);
        return;
    }
    strcpy(own->token, lock->token);
    dav_hold(dav);
    if (dav->exists)
        put_lock(dav, on_lock_stored);
    else
        dav_wait(dav, dav->folder->ops->upload(dav->folder, dav->inner, 0, on_upload, dav));
}

static void lock_new(struct dav_request *dav)
{
    struct qn_dav_lock_ask ask;
    bool is_deep = true;
    enum qn_err err = qn_dav_lock_ask_read(dav->xml, &ask);
    if (err != QN_OK) {
        dav_refuse(dav, err == QN_ERR_UNSUPPORTED ? 422 : 400);
        return;
    }
    if (!read_depth(dav, &is_deep))
        return;
    struct qn_span parent = dav_parent(qn_buf_view(&dav->path));
    if (dav->exists || dav_check_locks(dav, parent, false))
        add_lock(dav, &ask, is_deep);
}

static void on_refreshed(void *context, enum qn_err err)
{
    struct dav_request *dav = context;
    if (!dav_resume(dav))
        return;
    if (err == QN_OK)
        answer_lock(dav, false);
    else
        dav_refuse_err(dav, err);
    dav_release(dav);
}

/* The lock is named by the If header; it may be one of a parent's. */
static const struct qn_dav_lock *lock_to_refresh(struct dav_request *dav)
{
    const struct qn_dav_lock *lock = NULL;
    while (dav->has_if && (lock = qn_dav_locks_covering(dav->dav->locks, qn_buf_view(&dav->path),
                                                        dav_wall_ms(dav->dav), lock)) != NULL)
        if (strcmp(lock->person, dav->person.name) == 0 &&
            qn_dav_if_submits(&dav->given, qn_span_str(lock->token)))
            return lock;
    return NULL;
}

static void refresh(struct dav_request *dav)
{
    struct locking *own = dav->own;
    const struct qn_dav_lock *lock = lock_to_refresh(dav);
    if (!lock) {
        dav_refuse(dav, dav->has_if ? 412 : 400);
        return;
    }
    strcpy(own->token, lock->token);
    qn_dav_locks_refresh(dav->dav->locks, qn_span_str(own->token),
                         qn_dav_timeout_read(dav_field(dav, "Timeout")), dav_wall_ms(dav->dav));
    dav_hold(dav);
    put_lock(dav, on_refreshed);
}

static void go_lock(struct dav_request *dav)
{
    new_locking(dav);
    if (qn_dav_xml_is_empty(dav->xml))
        refresh(dav);
    else
        lock_new(dav);
}

const struct dav_method dav_lock = {.method = QN_HTTP_LOCK,
                                    .action = "lock",
                                    .is_write = true,
                                    .is_unlocked = true,
                                    .takes_xml = true,
                                    .value_depth = QN_DAV_LOCK_VALUES,
                                    .go = go_lock};

/* ---- UNLOCK ---- */

static void on_unlocked(void *context, enum qn_err err)
{
    struct dav_request *dav = context;
    if (!dav_resume(dav))
        return;
    if (err == QN_OK) {
        forget(dav);
        dav_note(dav, 204);
        dav_empty(dav, 204);
    } else {
        dav_refuse_err(dav, err);
    }
    dav_release(dav);
}

static void go_unlock(struct dav_request *dav)
{
    struct locking *own = new_locking(dav);
    struct qn_span token;
    if (qn_dav_lock_token_read(dav_field(dav, "Lock-Token"), &token) != QN_OK) {
        dav_refuse(dav, 400);
        return;
    }
    const struct qn_dav_lock *lock =
        qn_dav_locks_find(dav->dav->locks, token, dav_wall_ms(dav->dav));
    if (!lock || !qn_dav_lock_covers(lock, qn_buf_view(&dav->path))) {
        dav_refuse_condition(dav, 409, "lock-token-matches-request-uri", qn_span(NULL, 0));
        return;
    }
    if (strcmp(lock->person, dav->person.name) != 0) {
        dav_refuse(dav, 403);
        return;
    }
    strcpy(own->token, lock->token);
    qn_dav_lock_key(qn_span_str(own->token), &own->bytes);
    struct qn_local_row row = {.key = qn_buf_view(&own->bytes), .is_gone = true};
    dav_hold(dav);
    dav_put(dav, (struct dav_rows){&row, 1}, on_unlocked);
}

const struct dav_method dav_unlock = {.method = QN_HTTP_UNLOCK,
                                      .action = "lock",
                                      .is_write = true,
                                      .is_unlocked = true,
                                      .go = go_unlock};
