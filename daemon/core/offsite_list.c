/* Lists of snapshots to a holder, one at a time, as soon as all packs are there (docs/protocol.md
 * 10.6). Names are told as changes against a list that the holder has whole, so that a backup that
 * brought nothing new costs little.
 *
 *   LOOKING -> READING -> SENDING -> SENT -> COMMITTING -> NONE
 */
#include "core/offsite_impl.h"

/* A line that was not measured yet is taken for a slow one. */
#define RATE_MIN     (16 * 1024)
#define PIECE_MS_MAX 4000
#define MISSING_MAX  3 /* lists that were not whole there, in one connection; then they wait */

/* ---- life ---- */

static void clear(struct lists *lists)
{
    qn_buf_deinit(&lists->file);
    qn_buf_deinit(&lists->base_file);
    lists->file = lists->base_file = (struct qn_buf){0};
    qn_buf_reset(&lists->packed);
    lists->is_file_here = lists->is_base_here = false;
    lists->state = LIST_NONE;
}

void lists_end(struct offsite *offsite)
{
    struct lists *lists = &offsite->lists;
    clear(lists);
    qn_buf_reset(&lists->forgets);
    lists->needs_list = lists->is_without_base = lists->has_base = false;
    lists->needs_forget = lists->is_forgetting = lists->has_asked_forget = false;
    lists->forget_commits = 0;
    lists->missing_count = 0;
    lists->skipped.count = 0;
    lists->after = lists->retry_ms = lists->piece_ms = 0;
}

void lists_free(struct lists *lists)
{
    clear(lists);
    qn_buf_deinit(&lists->packed);
    qn_buf_deinit(&lists->forgets);
    qn_vec_free(&lists->skipped);
}

bool lists_are_idle(const struct offsite *offsite)
{
    const struct lists *lists = &offsite->lists;
    return lists->state == LIST_NONE && !lists->needs_list && !lists->needs_forget &&
           !lists->is_forgetting && !lists->has_asked_forget && lists->forget_commits == 0;
}

/* This one cannot be done now: on to the others, and later to it again. */
static void put_off(struct qn_core *core, struct lists *lists, uint64_t delay_ms)
{
    if (lists->skipped.count < SKIPPED_MAX)
        qn_vec_push(&lists->skipped, lists->id);
    clear(lists);
    lists->needs_list = lists->skipped.count < SKIPPED_MAX;
    if (lists->retry_ms == 0 || core->now_ms + delay_ms < lists->retry_ms)
        lists->retry_ms = core->now_ms + delay_ms;
}

void lists_unblock(struct qn_core *core, struct bulk *bulk)
{
    if (bulk->offsite->lists.retry_ms != 0)
        bulk->offsite->lists.retry_ms = core->now_ms;
}

static bool is_put_off(const struct lists *lists)
{
    qn_vec_each (&lists->skipped, skipped)
        if (qn_digest_eq(skipped, &lists->id))
            return true;
    return false;
}

/* Once more from the first. */
static void again(struct lists *lists)
{
    clear(lists);
    lists->needs_list = true;
    lists->after = 0;
}

static void failed(struct qn_core *core, struct bulk *bulk, const char *code, enum qn_err err)
{
    core_note(core, code, err, holder_name(core, bulk));
    put_off(core, &bulk->offsite->lists, FULL_MS);
}

/* ---- which one ---- */

static void look(struct qn_core *core, struct bulk *bulk)
{
    struct lists *lists = &bulk->offsite->lists;
    struct qn_buf args = copy_read(bulk, COPY_READ_LIST, 1);
    qn_pack_u64(&args, lists->after);
    read_copy(core, bulk, &args, TAG_NEXT_LIST);
    lists->needs_list = false;
    lists->state = LIST_LOOKING;
}

static enum qn_err take_head(struct qn_cursor *answer, struct qn_list_head *head)
{
    uint64_t count;
    QN_TRY(read_digest(answer, &head->snapshot));
    QN_TRY(read_digest(answer, &head->names));
    QN_TRY(qn_cursor_u64(answer, &count));
    head->name_count = (uint32_t)count;
    return QN_OK;
}

static enum qn_err take_found(struct lists *lists, struct qn_cursor *answer, bool *ret_is_found)
{
    size_t count;
    QN_TRY(qn_cursor_array(answer, 7, &count));
    QN_TRY(qn_cursor_u64(answer, &lists->after));
    *ret_is_found = count == 7;
    if (!*ret_is_found)
        return QN_OK;
    QN_TRY(take_head(answer, &lists->head));
    qn_list_id(&lists->head, &lists->id);
    lists->has_base = qn_cursor_peek(answer) != QN_ITEM_NIL && !lists->is_without_base;
    return lists->has_base ? take_head(answer, &lists->base_head) : QN_OK;
}

static void read_snapshot(struct qn_core *core, struct bulk *bulk, const struct qn_digest *name,
                          enum tag tag)
{
    struct qn_file_work what = {.kind = QN_FILE_SNAPSHOT};
    memcpy(what.name.bytes, name->bytes, sizeof(what.name.bytes));
    own_file(core, bulk, &what, qn_span(NULL, 0), tag_of(tag, 0));
}

void lists_read_done(struct qn_core *core, struct bulk *bulk, struct qn_read_result *result)
{
    struct lists *lists = &bulk->offsite->lists;
    struct qn_cursor answer = qn_cursor(qn_buf_view(&result->body));
    bool is_found = false;
    if (lists->state != LIST_LOOKING)
        return;
    enum qn_err err = result->err == QN_OK ? take_found(lists, &answer, &is_found) : result->err;
    if (err != QN_OK) {
        core_note(core, "read-failed", err, holder_name(core, bulk));
        lists->state = LIST_NONE;
        lists->retry_ms = core->now_ms + RETRY_READ_MS;
    } else if (is_found && is_put_off(lists)) {
        lists->state = LIST_NONE;
        lists->needs_list = true;
    } else if (is_found) {
        lists->state = LIST_READING;
        read_snapshot(core, bulk, &lists->head.snapshot, TAG_SNAPSHOT);
        if (lists->has_base)
            read_snapshot(core, bulk, &lists->base_head.snapshot, TAG_BASE);
    } else {
        lists->state = LIST_NONE;
        lists->after = 0; /* the next look is at all of them */
    }
}

/* ---- as bytes ---- */

struct snapshot_file {
    struct qn_span sealed, names;
};

/* What the vault has must be what the book says, or the id would be of something else. */
static bool split(const struct qn_buf *file, const struct qn_list_head *head,
                  struct snapshot_file *ret_parts)
{
    struct qn_span bytes = qn_buf_view(file);
    struct qn_digest digest;
    if (bytes.size < 4 || qn_read_u32(bytes.data) > bytes.size - 4)
        return false;
    size_t sealed_size = qn_read_u32(bytes.data);
    ret_parts->sealed = qn_span(bytes.data + 4, sealed_size);
    ret_parts->names = qn_span_from(bytes, 4 + sealed_size);
    QN_DIGEST(&digest, ret_parts->names);
    return ret_parts->names.size == (size_t)head->name_count * QN_DIGEST_SIZE &&
           qn_digest_eq(&digest, &head->names);
}

/* Appends the names of `a` that are not in `b`; both ascend. */
static void subtract(struct qn_span a, struct qn_span b, struct qn_buf *out)
{
    size_t at = 0;
    for (size_t i = 0; i < a.size; i += QN_DIGEST_SIZE) {
        int order = -1;
        while (at < b.size && (order = memcmp(b.data + at, a.data + i, QN_DIGEST_SIZE)) < 0)
            at += QN_DIGEST_SIZE;
        if (at >= b.size || order != 0)
            qn_buf_append(out, a.data + i, QN_DIGEST_SIZE);
    }
}

static enum qn_err pack_list(const struct qn_core *core, struct lists *lists,
                             const struct snapshot_file *file, const struct qn_span *base)
{
    struct qn_signature signature;
    struct qn_digest base_id;
    QN_AUTO_BUF struct qn_buf removed, added;
    qn_buf_init(&removed, QN_HELD_LIST_NAMES_MAX * QN_DIGEST_SIZE);
    qn_buf_init(&added, QN_HELD_LIST_NAMES_MAX * QN_DIGEST_SIZE);
    struct qn_span none = {0}, before = base == NULL ? none : *base;
    subtract(before, file->names, &removed);
    subtract(file->names, before, &added);
    QN_TRY(qn_signer_sign(core->options.signer, "quoin list 1", qn_digest_view(&lists->id),
                          &signature));
    struct qn_buf *out = &lists->packed;
    qn_buf_reset(out);
    qn_pack_array(out, 8);
    qn_pack_bin(out, qn_digest_view(&lists->head.snapshot));
    qn_pack_bin(out, qn_digest_view(&lists->head.names));
    qn_pack_u64(out, lists->head.name_count);
    qn_pack_bin(out, QN_SPAN_OF(signature.bytes));
    qn_pack_bin(out, file->sealed);
    if (base == NULL) {
        qn_pack_nil(out);
    } else {
        qn_list_id(&lists->base_head, &base_id);
        qn_pack_bin(out, qn_digest_view(&base_id));
    }
    qn_pack_bin(out, qn_buf_view(&removed));
    qn_pack_bin(out, qn_buf_view(&added));
    return qn_buf_status(out);
}

static void compose(struct qn_core *core, struct bulk *bulk)
{
    struct lists *lists = &bulk->offsite->lists;
    struct snapshot_file file, base;
    bool has_base = lists->has_base && lists->base_file.size > 0 &&
                    split(&lists->base_file, &lists->base_head, &base);
    if (!split(&lists->file, &lists->head, &file)) { /* the book is behind the vault, or before */
        put_off(core, lists, LATER_MS);
        return;
    }
    enum qn_err err = pack_list(core, lists, &file, has_base ? &base.names : NULL);
    if (err != QN_OK) {
        failed(core, bulk, "list-not-made", err);
        return;
    }
    if (bulk->is_narrow && lists->packed.size > BULK_NARROW_LIST) {
        offsite_needs_more(core, bulk);
        return;
    }
    lists->has_base = has_base;
    lists->piece = 0;
    lists->piece_size = lists->packed.size <= 8 * LIST_PIECE ? LIST_PIECE : BULK_LIST_PIECE;
    lists->pieces = (lists->packed.size + lists->piece_size - 1) / lists->piece_size;
    lists->state = LIST_SENDING;
}

void lists_file_done(struct qn_core *core, struct bulk *bulk, enum tag tag,
                     struct qn_file_result *result)
{
    struct lists *lists = &bulk->offsite->lists;
    struct qn_buf *file = tag == TAG_SNAPSHOT ? &lists->file : &lists->base_file;
    bool *is_here = tag == TAG_SNAPSHOT ? &lists->is_file_here : &lists->is_base_here;
    if (lists->state != LIST_READING || *is_here)
        return;
    *is_here = true;
    if (result->err == QN_OK) {
        *file = result->bytes;
        result->bytes = (struct qn_buf){0};
    } else if (tag == TAG_SNAPSHOT && result->err != QN_ERR_NOTFOUND) {
        core_note(core, "snapshot-not-read", result->err, holder_name(core, bulk));
    }
    if (lists->is_file_here && (lists->is_base_here || !lists->has_base))
        compose(core, bulk);
}

/* ---- sending ---- */

/* Lists are not acknowledged piece by piece, so they go by the rate that was measured. */
static void send_piece(struct qn_core *core, struct bulk *bulk)
{
    struct lists *lists = &bulk->offsite->lists;
    struct pace *pace = &bulk->offsite->packs.pace;
    size_t offset = lists->piece * lists->piece_size, left = lists->packed.size - offset,
           size = left < lists->piece_size ? left : lists->piece_size;
    uint64_t rate = pace->rate > RATE_MIN ? pace->rate : RATE_MIN, wait = size * 1000 / rate;
    struct qn_buf *out = core_message(core, QN_MSG_LIST_PUT, 4);
    qn_pack_bin(out, qn_digest_view(&lists->id));
    qn_pack_u64(out, lists->piece);
    qn_pack_u64(out, lists->pieces);
    qn_pack_bin(out, qn_span(lists->packed.data + offset, size));
    bulk_send(core, bulk);
    pace_sent(pace, size);
    lists->piece_ms = core->now_ms + (wait < PIECE_MS_MAX ? wait : PIECE_MS_MAX);
    if (++lists->piece == lists->pieces)
        lists->state = LIST_SENT;
}

static void send_pieces(struct qn_core *core, struct bulk *bulk)
{
    struct lists *lists = &bulk->offsite->lists;
    while (lists->state == LIST_SENDING) {
        if (core->now_ms < lists->piece_ms) {
            core_wake(core, lists->piece_ms);
            return;
        }
        if (packs_room(core, bulk->offsite) == 0 && bulk->offsite->packs.inflight > 0)
            return; /* an acknowledgement makes room */
        if (packs_room(core, bulk->offsite) == 0) {
            packs_wake(core, bulk->offsite);
            return;
        }
        send_piece(core, bulk);
    }
}

/* ---- answers ---- */

static void commit_list(struct qn_core *core, struct bulk *bulk)
{
    struct lists *lists = &bulk->offsite->lists;
    struct qn_buf payload = copy_intent(bulk, 4);
    qn_pack_u64(&payload, core->wall_ms);
    qn_pack_bin(&payload, qn_digest_view(&lists->head.snapshot));
    qn_pack_bin(&payload, qn_digest_view(&lists->head.names));
    qn_pack_u64(&payload, lists->head.name_count);
    commit_copy(core, bulk, QN_INTENT_COPY_LIST, &payload, TAG_LISTED);
    lists->is_without_base = false;
    lists->state = LIST_COMMITTING;
}

/* Packs that it said to have, and has no more: they are sent again, then the list. */
static void heard_missing(struct qn_core *core, struct bulk *bulk, struct qn_span names)
{
    commit_lost(core, bulk, names, TAG_MISSING);
    bulk->offsite->lists.state = LIST_COMMITTING;
}

static void heard_code(struct qn_core *core, struct bulk *bulk, struct qn_span code)
{
    struct lists *lists = &bulk->offsite->lists;
    bool is_about_names = qn_span_eq_str(code, "base") || qn_span_eq_str(code, "bad");
    if (lists->has_base && is_about_names) { /* with all names, then */
        lists->is_without_base = true;
        again(lists);
        return;
    }
    lists->is_without_base = false;
    if (qn_span_eq_str(code, "later")) {
        put_off(core, lists, LATER_MS);
        return;
    }
    if (qn_span_eq_str(code, "quota") || qn_span_eq_str(code, "room"))
        packs_block(core, bulk);
    failed(core, bulk, "list-refused", QN_ERR_DENIED);
}

enum qn_err lists_acked(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    struct lists *lists = &bulk->offsite->lists;
    struct qn_digest id;
    struct qn_span code = {0}, missing;
    uint64_t locked_ms;
    QN_TRY(read_digest(fields, &id));
    if (qn_cursor_nil(fields) != QN_OK)
        QN_TRY(qn_cursor_str(fields, 64, &code));
    QN_TRY(qn_cursor_u64(fields, &locked_ms));
    QN_TRY(read_joined(fields, BULK_NAMES_MAX, &missing));
    bool is_refusal = code.size > 0 && !qn_span_eq_str(code, "missing");
    if (!qn_digest_eq(&id, &lists->id) ||
        (lists->state != LIST_SENT && !(is_refusal && lists->state == LIST_SENDING)))
        return bulk->is_narrow ? QN_OK : QN_ERR_INVALID; /* to one that was said again */
    if (is_refusal)
        heard_code(core, bulk, code);
    else if (code.size == 0)
        commit_list(core, bulk);
    else if (missing.size == 0)
        return QN_ERR_INVALID;
    else
        heard_missing(core, bulk, missing);
    return QN_OK;
}

void lists_committed(struct qn_core *core, struct bulk *bulk, enum tag tag,
                     const struct qn_outcome *outcome)
{
    struct lists *lists = &bulk->offsite->lists;
    if (lists->state != LIST_COMMITTING)
        return;
    if (outcome->err != QN_OK) {
        put_off(core, lists, RETRY_COMMIT_MS);
    } else if (tag == TAG_LISTED) {
        again(lists);
        lists->needs_forget = true;                     /* of a list that this one replaces */
    } else if (++lists->missing_count <= MISSING_MAX) { /* the book waits for the packs */
        again(lists);
        packs_look(bulk->offsite, true);
    } else {
        put_off(core, lists, FULL_MS);
        packs_look(bulk->offsite, true);
    }
}

/* ---- what is due ---- */

void lists_say_again(struct offsite *offsite)
{
    struct lists *lists = &offsite->lists;
    if (lists->state != LIST_SENT)
        return;
    lists->piece = 0;
    lists->state = LIST_SENDING;
}

void lists_tick(struct qn_core *core, struct bulk *bulk)
{
    struct lists *lists = &bulk->offsite->lists;
    if (lists->retry_ms != 0 && core->now_ms >= lists->retry_ms) {
        lists->retry_ms = lists->after = 0;
        lists->skipped.count = 0;
        lists->needs_list = true;
    } else if (lists->retry_ms != 0) {
        core_wake(core, lists->retry_ms);
    }
    if (bulk->offsite->role != ROLE_SEND)
        lists->needs_list = false;
    if (lists->needs_list && lists->state == LIST_NONE && !offsite_is_ending(core, bulk))
        look(core, bulk);
    send_pieces(core, bulk);
}
