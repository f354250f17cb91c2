/* What a holder has against what the book thinks it has: a page of its names at a time, first of
 * packs, then of lists. A page is compared with the rows of the book in the same range, in pieces
 * that fit one commit. */
#include "core/offsite_impl.h"

#define PACKS 0
#define LISTS 1

static size_t chunk_max(const struct names *names)
{
    return names->what == PACKS ? BULK_NAMES_MAX : COMPARE_LISTS_MAX;
}

static void ask_page(struct qn_core *core, struct bulk *bulk)
{
    struct names *names = &bulk->offsite->names;
    struct qn_buf *out = core_message(core, QN_MSG_NAMES_ASK, 2);
    qn_pack_u64(out, names->what);
    if (names->has_after)
        qn_pack_bin(out, qn_digest_view(&names->after));
    else
        qn_pack_nil(out);
    bulk_send(core, bulk);
    names->is_asked = true;
}

static void next_kind(struct qn_core *core, struct bulk *bulk)
{
    struct names *names = &bulk->offsite->names;
    while (names->what <= LISTS && names->are_equal[names->what])
        names->what++;
    if (names->what > LISTS) {
        offsite_open(core, bulk);
        return;
    }
    names->has_after = names->is_last = false;
    names->heard = names->unknown = 0;
    ask_page(core, bulk);
}

void names_start(struct qn_core *core, struct bulk *bulk, bool packs_equal, bool lists_equal)
{
    struct names *names = &bulk->offsite->names;
    names_end(bulk->offsite);
    if (bulk->is_narrow && !(packs_equal && lists_equal)) {
        offsite_needs_more(core, bulk);
        return;
    }
    bulk->offsite->stage = STAGE_NAMES;
    names->are_equal[PACKS] = packs_equal;
    names->are_equal[LISTS] = lists_equal;
    names->what = PACKS;
    next_kind(core, bulk);
}

void names_end(struct offsite *offsite)
{
    struct names *names = &offsite->names;
    struct qn_buf page = names->page;
    qn_buf_reset(&page);
    *names = (struct names){.page = page};
}

/* ---- one page ---- */

/* The range of the piece that is compared next: behind `after`, to its last name or to the end. */
static void compare(struct qn_core *core, struct bulk *bulk)
{
    struct names *names = &bulk->offsite->names;
    size_t count = names->page.size / QN_DIGEST_SIZE;
    bool is_whole = count <= chunk_max(names);
    names->chunk = is_whole ? count : chunk_max(names);
    names->is_chunk_last = is_whole && names->is_last;
    struct qn_buf args = copy_read(bulk, COPY_READ_COMPARE, 5);
    qn_pack_u64(&args, names->what);
    if (names->has_after)
        qn_pack_bin(&args, qn_digest_view(&names->after));
    else
        qn_pack_nil(&args);
    qn_pack_bool(&args, names->is_chunk_last);
    qn_pack_u64(&args, QN_COPY_UNKNOWN_MAX - names->unknown);
    qn_pack_bin(&args, qn_span(names->page.data, names->chunk * QN_DIGEST_SIZE));
    read_copy(core, bulk, &args, TAG_COMPARE);
}

static void go_on(struct qn_core *core, struct bulk *bulk)
{
    struct names *names = &bulk->offsite->names;
    if (names->page.size > 0 || (names->is_last && !names->is_chunk_last)) {
        compare(core, bulk);
    } else if (names->is_last) {
        names->what++;
        next_kind(core, bulk);
    } else {
        ask_page(core, bulk);
    }
}

static enum qn_err check_order(const struct names *names, struct qn_span joined)
{
    const uint8_t *before = names->has_after ? names->after.bytes : NULL;
    for (size_t at = 0; at < joined.size; at += QN_DIGEST_SIZE) {
        const uint8_t *name = joined.data + at;
        if (before != NULL && memcmp(before, name, QN_DIGEST_SIZE) >= 0)
            return QN_ERR_INVALID;
        before = name;
    }
    return joined.size > 0 || names->is_last ? QN_OK : QN_ERR_INVALID; /* it gets on, or ends */
}

enum qn_err names_frame(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    struct names *names = &bulk->offsite->names;
    uint64_t what;
    struct qn_span joined;
    if (!names->is_asked)
        return QN_ERR_STATE;
    QN_TRY(qn_cursor_u64(fields, &what));
    QN_TRY(qn_cursor_bool(fields, &names->is_last));
    QN_TRY(read_joined(fields, BULK_NAMES_MAX, &joined));
    if (what != names->what)
        return QN_ERR_INVALID;
    QN_TRY(check_order(names, joined));
    names->heard += joined.size / QN_DIGEST_SIZE;
    if (names->heard > (what == PACKS ? QN_COPY_NAMES_MAX : QN_HELD_LISTS_MAX))
        return QN_ERR_LIMIT;
    names->is_asked = names->is_chunk_last = false;
    qn_buf_reset(&names->page);
    qn_buf_append_span(&names->page, joined);
    compare(core, bulk);
    return QN_OK;
}

/* ---- what came of it ---- */

static void fix(struct qn_core *core, struct bulk *bulk, enum qn_intent_kind kind,
                struct qn_buf *take_payload)
{
    bulk->offsite->names.commits++;
    commit_copy(core, bulk, kind, take_payload, TAG_FIXED);
}

static enum qn_err fix_lost(struct qn_core *core, struct bulk *bulk, struct qn_cursor *answer)
{
    struct qn_span lost;
    QN_TRY(read_joined(answer, COMPARE_LOST_MAX, &lost));
    if (lost.size > 0 && bulk->offsite->names.what == PACKS) {
        struct qn_buf payload = copy_intent(bulk, 1);
        qn_pack_bin(&payload, lost);
        fix(core, bulk, QN_INTENT_COPY_LOST, &payload);
        return QN_OK;
    }
    for (size_t at = 0; at < lost.size; at += QN_DIGEST_SIZE) {
        struct qn_buf payload = copy_intent(bulk, 1);
        qn_pack_bin(&payload, qn_span(lost.data + at, QN_DIGEST_SIZE));
        fix(core, bulk, QN_INTENT_COPY_FORGOTTEN, &payload);
    }
    return QN_OK;
}

/* The array goes into the intent as it is. */
static enum qn_err fix_packs(struct qn_core *core, struct bulk *bulk, struct qn_cursor *answer)
{
    struct qn_span packs;
    QN_TRY(qn_cursor_skip(answer, 2, &packs));
    struct qn_cursor inside = qn_cursor(packs);
    size_t count;
    QN_TRY(qn_cursor_array(&inside, 2 * BULK_NAMES_MAX, &count));
    if (count == 0)
        return QN_OK;
    struct qn_buf payload = copy_intent(bulk, 2);
    qn_pack_u64(&payload, core->wall_ms);
    qn_pack_raw(&payload, packs);
    fix(core, bulk, QN_INTENT_COPY_ACKED, &payload);
    bulk->offsite->packs.has_claims = true;
    return QN_OK;
}

static enum qn_err fix_lists(struct qn_core *core, struct bulk *bulk, struct qn_cursor *answer)
{
    size_t count;
    QN_TRY(qn_cursor_array(answer, 3 * COMPARE_LISTS_MAX, &count));
    for (size_t i = 0; i < count; i += 3) {
        struct qn_digest snapshot, digest;
        uint64_t name_count;
        QN_TRY(read_digest(answer, &snapshot));
        QN_TRY(read_digest(answer, &digest));
        QN_TRY(qn_cursor_u64(answer, &name_count));
        struct qn_buf payload = copy_intent(bulk, 4);
        qn_pack_u64(&payload, core->wall_ms);
        qn_pack_bin(&payload, qn_digest_view(&snapshot));
        qn_pack_bin(&payload, qn_digest_view(&digest));
        qn_pack_u64(&payload, name_count);
        fix(core, bulk, QN_INTENT_COPY_LIST, &payload);
    }
    return QN_OK;
}

/* Drops the names of the page up to `reached`. */
static void consume_to(struct names *names, const struct qn_digest *reached)
{
    size_t at = 0;
    while (at < names->page.size &&
           memcmp(names->page.data + at, reached->bytes, QN_DIGEST_SIZE) <= 0)
        at += QN_DIGEST_SIZE;
    qn_buf_consume(&names->page, at);
    names->has_after = true;
    names->after = *reached;
}

static enum qn_err take_reached(struct names *names, struct qn_cursor *answer)
{
    struct qn_digest reached;
    if (qn_cursor_nil(answer) != QN_OK) {
        QN_TRY(read_digest(answer, &reached));
        consume_to(names, &reached);
        names->is_chunk_last = false;
        return QN_OK;
    }
    if (names->chunk == 0)
        return QN_OK;
    memcpy(reached.bytes, names->page.data + (names->chunk - 1) * QN_DIGEST_SIZE, QN_DIGEST_SIZE);
    consume_to(names, &reached);
    return QN_OK;
}

static enum qn_err take_compared(struct qn_core *core, struct bulk *bulk, struct qn_cursor *answer)
{
    struct names *names = &bulk->offsite->names;
    size_t count;
    uint64_t unknown;
    QN_TRY(qn_cursor_array(answer, 5, &count));
    QN_TRY(take_reached(names, answer));
    QN_TRY(fix_lost(core, bulk, answer));
    QN_TRY(fix_packs(core, bulk, answer));
    QN_TRY(fix_lists(core, bulk, answer));
    QN_TRY(qn_cursor_u64(answer, &unknown));
    names->unknown += unknown;
    return QN_OK;
}

/* What cannot be compared now is compared on the next connection. */
static void give_up(struct qn_core *core, struct bulk *bulk, const char *code, enum qn_err err)
{
    core_note(core, code, err, holder_name(core, bulk));
    names_end(bulk->offsite);
    offsite_open(core, bulk);
}

void names_compared(struct qn_core *core, struct bulk *bulk, struct qn_read_result *result)
{
    struct qn_cursor answer = qn_cursor(qn_buf_view(&result->body));
    if (bulk->offsite->stage != STAGE_NAMES)
        return;
    enum qn_err err = result->err == QN_OK ? take_compared(core, bulk, &answer) : result->err;
    if (err != QN_OK)
        give_up(core, bulk, "read-failed", err);
    else if (bulk->offsite->names.commits == 0)
        go_on(core, bulk);
}

void names_fixed(struct qn_core *core, struct bulk *bulk, const struct qn_outcome *outcome)
{
    struct names *names = &bulk->offsite->names;
    if (bulk->offsite->stage != STAGE_NAMES || names->commits == 0)
        return;
    names->commits--;
    if (outcome->err != QN_OK)
        give_up(core, bulk, "book-failed", outcome->err);
    else if (names->commits == 0)
        go_on(core, bulk);
}
