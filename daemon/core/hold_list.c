/* LIST_PUT: a list arrives in pieces, is checked, and goes into the store in batches. Its names
 * come as changes to a list that is here (base): both are walked side by side, the base read in
 * pages, so that never more than some thousand names are in memory besides what was sent. A list
 * that was cut off goes on behind the names that are here. */
#include "core/hold_impl.h"

#define LIST_FIELDS 8

void hold_list_reset(struct hold_list *list)
{
    qn_buf_deinit(&list->packed);
    qn_buf_deinit(&list->known);
    qn_buf_deinit(&list->names);
    *list = (struct hold_list){0};
}

static void say_ack(struct qn_core *core, struct bulk *bulk, const char *code, uint64_t until_ms,
                    struct qn_span missing)
{
    struct hold_list *list = &bulk->hold->list;
    struct qn_buf *out = core_message(core, QN_MSG_LIST_ACK, 4);
    qn_pack_bin(out, qn_digest_view(&list->id));
    if (code == NULL)
        qn_pack_nil(out);
    else
        qn_pack_cstr(out, code);
    qn_pack_u64(out, until_ms);
    qn_pack_bin(out, missing);
    bulk_send(core, bulk);
    hold_list_reset(list);
}

static void refuse(struct qn_core *core, struct bulk *bulk, const char *code)
{
    say_ack(core, bulk, code, 0, qn_span(NULL, 0));
}

static const char *code_of(enum qn_err err)
{
    switch ((int)err) { /* the rest is this site's trouble */
    case QN_ERR_LIMIT:
        return "quota";
    case QN_ERR_DENIED:
        return "denied";
    case QN_ERR_INVALID:
    case QN_ERR_SIGNATURE:
        return "bad";
    }
    return "later";
}

/* ---- what was sent ---- */

static bool ascends(struct qn_span names)
{
    for (size_t at = QN_DIGEST_SIZE; at < names.size; at += QN_DIGEST_SIZE)
        if (memcmp(names.data + at - QN_DIGEST_SIZE, names.data + at, QN_DIGEST_SIZE) >= 0)
            return false;
    return true;
}

static enum qn_err take_names(struct qn_cursor *cursor, struct qn_span *ret_names)
{
    QN_TRY(qn_cursor_bin(cursor, QN_HELD_LIST_NAMES_MAX * QN_DIGEST_SIZE, ret_names));
    return ret_names->size % QN_DIGEST_SIZE == 0 && ascends(*ret_names) ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err take_head(struct qn_cursor *cursor, struct qn_list_head *head)
{
    uint64_t name_count;
    QN_TRY(qn_cursor_bytes(cursor, head->snapshot.bytes, sizeof(head->snapshot.bytes)));
    QN_TRY(qn_cursor_bytes(cursor, head->names.bytes, sizeof(head->names.bytes)));
    QN_TRY(qn_cursor_u64(cursor, &name_count));
    if (name_count > QN_HELD_LIST_NAMES_MAX)
        return QN_ERR_LIMIT;
    head->name_count = (uint32_t)name_count;
    return QN_OK;
}

static enum qn_err unpack(struct hold_list *list)
{
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&list->packed));
    struct qn_digest id;
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, LIST_FIELDS, &count));
    if (count != LIST_FIELDS)
        return QN_ERR_INVALID;
    QN_TRY(take_head(&cursor, &list->head));
    QN_TRY(qn_cursor_bytes(&cursor, list->signature.bytes, sizeof(list->signature.bytes)));
    QN_TRY(qn_cursor_bin(&cursor, QN_HELD_SEALED_SIZE_MAX, &list->sealed));
    QN_TRY(hold_take_after(&cursor, &list->base, &list->has_base));
    QN_TRY(take_names(&cursor, &list->removed));
    QN_TRY(take_names(&cursor, &list->added));
    QN_TRY(qn_cursor_finish(&cursor));
    qn_list_id(&list->head, &id);
    bool is_right = qn_digest_eq(&id, &list->id) && (list->has_base || list->removed.size == 0);
    return is_right ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err verify(const struct qn_core *core, const struct bulk *bulk)
{
    const struct hold_list *list = &bulk->hold->list;
    const struct qn_site *site = qn_group_site(qn_ledger_group(core->ledger), &bulk->peer->site);
    if (site == NULL)
        return QN_ERR_SIGNATURE;
    return qn_verify(&site->keys.site, "quoin list 1", qn_digest_view(&list->id), &list->signature);
}

static void begin(struct qn_core *core, struct bulk *bulk)
{
    struct hold_list *list = &bulk->hold->list;
    struct qn_buf payload;
    list->is_running = true;
    list->number = core_token(core);
    qn_buf_init(&list->known, HOLD_LIST_BATCH * QN_DIGEST_SIZE);
    qn_buf_init(&list->names, 2 * HOLD_LIST_BATCH * QN_DIGEST_SIZE);
    hold_payload(bulk, 5, &payload);
    qn_pack_bin(&payload, qn_digest_view(&list->head.snapshot));
    qn_pack_bin(&payload, qn_digest_view(&list->head.names));
    qn_pack_u64(&payload, list->head.name_count);
    qn_pack_bin(&payload, list->sealed);
    hold_commit(core, bulk, QN_INTENT_HELD_LIST, &payload, hold_tag(HOLD_LIST_BEGUN, list->number));
}

static enum qn_err take_whole(struct qn_core *core, struct bulk *bulk)
{
    QN_TRY(unpack(&bulk->hold->list));
    if (verify(core, bulk) == QN_OK) {
        begin(core, bulk);
    } else {
        core_note(core, "held-list-unsigned", QN_ERR_SIGNATURE, "");
        refuse(core, bulk, "bad");
    }
    return QN_OK;
}

struct list_piece {
    struct qn_digest id;
    uint64_t piece, pieces;
    struct qn_span bytes;
};

static enum qn_err take_piece(struct hold_list *list, const struct list_piece *piece)
{
    if (list->is_running)
        return QN_ERR_STATE; /* one list at a time */
    if (piece->pieces > HOLD_LIST_PIECES || piece->piece >= piece->pieces || piece->bytes.size == 0)
        return QN_ERR_INVALID;
    if (piece->piece == 0) {
        hold_list_reset(list);
        list->id = piece->id;
        list->pieces = piece->pieces;
        qn_buf_init(&list->packed, HOLD_LIST_SIZE_MAX);
    }
    bool is_next = piece->piece == list->piece && piece->pieces == list->pieces &&
                   qn_digest_eq(&piece->id, &list->id);
    if (!is_next)
        return QN_ERR_INVALID;
    qn_buf_append_span(&list->packed, piece->bytes);
    list->piece++;
    return qn_buf_status(&list->packed);
}

enum qn_err hold_heard_list(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    struct hold_list *list = &bulk->hold->list;
    struct list_piece piece;
    QN_TRY(qn_cursor_bytes(fields, piece.id.bytes, sizeof(piece.id.bytes)));
    QN_TRY(qn_cursor_u64(fields, &piece.piece));
    QN_TRY(qn_cursor_u64(fields, &piece.pieces));
    QN_TRY(qn_cursor_bin(fields, BULK_LIST_PIECE, &piece.bytes));
    if (bulk->is_narrow && list->is_running && qn_digest_eq(&piece.id, &list->id))
        return QN_OK; /* said again: the answer is on its way */
    QN_TRY(take_piece(list, &piece));
    return list->piece == list->pieces ? take_whole(core, bulk) : QN_OK;
}

/* ---- names, as changes to the base ---- */

static struct qn_span first_name(struct qn_span names)
{
    return qn_span(names.data, names.size == 0 ? 0 : QN_DIGEST_SIZE);
}

/* The order of the first names; one that has none is behind all. */
static int order_of_first(struct qn_span a, struct qn_span b)
{
    if (a.size == 0 || b.size == 0)
        return (a.size == 0) - (b.size == 0);
    return memcmp(a.data, b.data, QN_DIGEST_SIZE);
}

static void add_name(struct hold_list *list, struct qn_span name)
{
    if (list->made++ >= list->have)
        qn_buf_append_span(&list->names, name);
}

/* One name of the base, or one that was added. What does not fit the base does not hash to the
 * digest either, so it is found out at the end. */
static void merge_one(struct hold_list *list, size_t *at)
{
    struct qn_span known = qn_span_from(qn_buf_view(&list->known), *at);
    while (list->removed.size > 0 && known.size > 0 && order_of_first(list->removed, known) < 0)
        list->removed = qn_span_from(list->removed, QN_DIGEST_SIZE);
    if (order_of_first(list->added, known) < 0) {
        add_name(list, first_name(list->added));
        list->added = qn_span_from(list->added, QN_DIGEST_SIZE);
        return;
    }
    if (list->removed.size == 0 || order_of_first(list->removed, known) != 0)
        add_name(list, first_name(known));
    *at += QN_DIGEST_SIZE;
}

/* Until there is a batch, or the page of the base is used up. */
static void merge(struct hold_list *list)
{
    size_t at = 0;
    while (list->names.size < HOLD_LIST_BATCH * QN_DIGEST_SIZE) {
        bool is_page_empty = at == list->known.size;
        if (is_page_empty && (!list->is_known_end || list->added.size == 0))
            break;
        merge_one(list, &at);
    }
    qn_buf_consume(&list->known, at);
}

static void read_base(struct qn_core *core, struct bulk *bulk)
{
    struct hold_list *list = &bulk->hold->list;
    struct qn_buf args;
    hold_read_args(HOLD_READ_LIST, &bulk->peer->site, 5, &args);
    qn_pack_bin(&args, qn_digest_view(&list->base));
    hold_pack_after(&args, list->is_known_begun ? &list->known_after : NULL);
    qn_pack_u64(&args, HOLD_LIST_BATCH);
    bulk_read(core, bulk, QN_READ_HELD, &args, PENDING_HOLD,
              hold_tag(HOLD_LIST_BASE, list->number));
}

static void store_names(struct qn_core *core, struct bulk *bulk, size_t size)
{
    struct hold_list *list = &bulk->hold->list;
    struct qn_buf payload;
    hold_payload(bulk, 4, &payload);
    qn_pack_bin(&payload, qn_digest_view(&list->id));
    qn_pack_u64(&payload, list->at);
    qn_pack_bin(&payload, qn_span(list->names.data, size));
    list->at += (uint32_t)(size / QN_DIGEST_SIZE);
    qn_buf_consume(&list->names, size);
    hold_commit(core, bulk, QN_INTENT_HELD_NAMES, &payload,
                hold_tag(HOLD_LIST_NAMES, list->number));
}

static void finish(struct qn_core *core, struct bulk *bulk)
{
    struct hold_list *list = &bulk->hold->list;
    struct qn_buf payload;
    hold_payload(bulk, 3, &payload);
    qn_pack_bin(&payload, qn_digest_view(&list->id));
    qn_pack_u64(&payload, bulk->is_narrow ? BULK_NARROW_NAMES : BULK_NAMES_MAX);
    hold_commit(core, bulk, QN_INTENT_HELD_FINISH, &payload,
                hold_tag(HOLD_LIST_DONE, list->number));
}

static void go_on(struct qn_core *core, struct bulk *bulk)
{
    struct hold_list *list = &bulk->hold->list;
    merge(list);
    if (list->names.size >= HOLD_LIST_BATCH * QN_DIGEST_SIZE)
        store_names(core, bulk, HOLD_LIST_BATCH * QN_DIGEST_SIZE);
    else if (!list->is_known_end)
        read_base(core, bulk);
    else if (list->names.size > 0)
        store_names(core, bulk, list->names.size);
    else
        finish(core, bulk);
}

/* ---- answers of the store ---- */

void hold_list_base(struct qn_core *core, struct bulk *bulk, uint64_t number,
                    const struct qn_read_result *result)
{
    struct hold_list *list = &bulk->hold->list;
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&result->body));
    struct qn_span names;
    size_t count;
    if (!list->is_running || list->number != number)
        return;
    enum qn_err err = result->err;
    if (err == QN_OK)
        err = qn_cursor_array(&cursor, 2, &count);
    if (err == QN_OK)
        err = qn_cursor_bool(&cursor, &list->is_known_end);
    if (err == QN_OK)
        err = qn_cursor_bin(&cursor, HOLD_LIST_BATCH * QN_DIGEST_SIZE, &names);
    if (err != QN_OK) { /* not here any more: the owner sends all names */
        refuse(core, bulk, err == QN_ERR_NOTFOUND ? "base" : "later");
        return;
    }
    if (names.size > 0)
        memcpy(list->known_after.bytes, names.data + names.size - QN_DIGEST_SIZE, QN_DIGEST_SIZE);
    list->is_known_begun = true;
    qn_buf_append_span(&list->known, names);
    go_on(core, bulk);
}

static void begun(struct qn_core *core, struct bulk *bulk, const struct qn_outcome *outcome)
{
    struct hold_list *list = &bulk->hold->list;
    struct qn_cursor cursor = qn_cursor(qn_span(outcome->answer, outcome->answer_size));
    size_t count;
    uint64_t have = 0;
    enum qn_err err = outcome->err;
    if (err == QN_OK)
        err = qn_cursor_array(&cursor, 1, &count);
    if (err == QN_OK)
        err = qn_cursor_u64(&cursor, &have);
    if (err != QN_OK) {
        refuse(core, bulk, code_of(err));
        return;
    }
    list->have = list->at = (uint32_t)have;
    list->is_known_end = !list->has_base;
    if (list->have == list->head.name_count)
        finish(core, bulk);
    else
        go_on(core, bulk);
}

/* The names do not fit the head. With a base that may be a difference between the two books of the
 * pair; all names settle it, if they begin anew. */
static void wrong_names(struct qn_core *core, struct bulk *bulk)
{
    struct hold_list *list = &bulk->hold->list;
    struct qn_buf payload;
    hold_payload(bulk, 2, &payload);
    qn_pack_bin(&payload, qn_digest_view(&list->id)); /* one that arrives is dropped at once */
    hold_commit(core, bulk, QN_INTENT_HELD_FORGET, &payload, hold_tag(HOLD_QUIET, 0));
    refuse(core, bulk, list->has_base ? "base" : "bad");
}

static void done(struct qn_core *core, struct bulk *bulk, const struct qn_outcome *outcome)
{
    struct qn_cursor cursor = qn_cursor(qn_span(outcome->answer, outcome->answer_size));
    struct qn_span missing;
    uint64_t left_ms;
    size_t count;
    enum qn_err err = outcome->err;
    if (err == QN_ERR_HELD && qn_cursor_array(&cursor, 1, &count) == QN_OK &&
        qn_cursor_bin(&cursor, BULK_NAMES_MAX * QN_DIGEST_SIZE, &missing) == QN_OK)
        say_ack(core, bulk, "missing", 0, missing);
    else if (err == QN_OK && qn_cursor_array(&cursor, 1, &count) == QN_OK &&
             qn_cursor_u64(&cursor, &left_ms) == QN_OK)
        say_ack(core, bulk, NULL, core->wall_ms + left_ms, qn_span(NULL, 0));
    else if (err == QN_ERR_SIGNATURE) /* and it is dropped */
        refuse(core, bulk, bulk->hold->list.has_base ? "base" : "bad");
    else if (err == QN_ERR_STATE)
        wrong_names(core, bulk);
    else
        refuse(core, bulk, code_of(err));
    book_touch(core);
}

void hold_list_outcome(struct qn_core *core, struct bulk *bulk, enum hold_what what,
                       uint64_t number, const struct qn_outcome *outcome)
{
    struct hold_list *list = &bulk->hold->list;
    if (!list->is_running || list->number != number)
        return;
    if (what == HOLD_LIST_BEGUN)
        begun(core, bulk, outcome);
    else if (what == HOLD_LIST_DONE)
        done(core, bulk, outcome);
    else if (outcome->err == QN_OK)
        go_on(core, bulk);
    else if (outcome->err == QN_ERR_INVALID || outcome->err == QN_ERR_STATE)
        wrong_names(core, bulk);
    else
        refuse(core, bulk, code_of(outcome->err));
}
