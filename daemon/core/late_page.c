/* Taking pages of a late collection: in the order of the source, each acknowledged behind its
 * commit, and what is done with a source whose pages are refused (late.c asks for them). */
#include "core/late.h"

#include "chunk/squeeze.h"

#define RATE_MS       2000
#define INBOUND_MAX   (QN_PAGES_WINDOW_SIZE + 2 * QN_PAGE_SIZE_MAX)
#define OP_SIZE_GUESS 256 /* raw bytes of a page for one operation of the writer's measure */

/* ---- pages in ---- */

static void measure_rate(struct page_pass *pass, uint64_t now_ms, size_t size)
{
    pass->bytes += size;
    pass->rate_bytes += size;
    if (now_ms < pass->rate_at_ms + RATE_MS)
        return;
    uint64_t rate = pass->rate_bytes * 1000 / (now_ms - pass->rate_at_ms);
    pass->rate = pass->rate == 0 ? rate : (3 * pass->rate + rate) / 4;
    pass->rate_bytes = 0;
    pass->rate_at_ms = now_ms;
}

static enum qn_err unpack_body(struct qn_span body, size_t raw_size, struct qn_buf *raw)
{
    if (body.size > raw_size)
        return QN_ERR_INVALID;
    if (body.size == raw_size) {
        qn_buf_append_span(raw, body);
        return QN_OK;
    }
    struct qn_squeezer *squeezer = qn_squeezer_new(1);
    uint8_t *bytes = qn_alloc(raw_size);
    enum qn_err err = qn_unsqueeze(squeezer, body, bytes, raw_size);
    if (err == QN_OK)
        qn_buf_append(raw, bytes, raw_size);
    qn_free(bytes);
    qn_squeezer_free(squeezer);
    return err == QN_OK ? QN_OK : QN_ERR_INVALID;
}

struct page_head { /* what a PAGE says of its body */
    uint64_t pass, seq, rows, records, raw_size;
};

static void submit(struct qn_core *core, struct coll *coll, const struct qn_buf *raw,
                   const struct page_head *page)
{
    struct qn_buf payload;
    qn_buf_init(&payload, QN_PAGE_SIZE_MAX + 64);
    qn_pack_array(&payload, 3);
    qn_pack_bin(&payload, QN_SPAN_OF(coll->id.bytes));
    qn_pack_bin(&payload, qn_buf_view(raw));
    qn_pack_array(&payload, 0); /* whoever has damaged records serves none */
    struct pending *pending = core_commit(core, QN_INTENT_PAGE, &payload, PENDING_LATE);
    pending->coll = coll->id;
    pending->link = coll->pass->link;
    pending->request = coll->pass->number;
    pending->seq = page->seq;
    pending->records = page->records;
    pending->at_ms = core->now_ms;
    pending->level = (unsigned)raw->size;
    core_last_intent(core)->op_count = raw->size / OP_SIZE_GUESS + 1;
}

static enum qn_err take_page(struct qn_core *core, struct coll *coll, const struct page_head *page,
                             struct qn_span body)
{
    struct page_pass *pass = coll->pass;
    QN_AUTO_BUF struct qn_buf raw;
    qn_buf_init(&raw, QN_PAGE_SIZE_MAX);
    if (page->raw_size > QN_PAGE_SIZE_MAX || coll->pages_size + page->raw_size > INBOUND_MAX ||
        coll->pages_count >= QN_PAGES_WINDOW_COUNT)
        return QN_ERR_LIMIT;
    if (page->seq != pass->next_seq)
        return QN_ERR_INVALID;
    QN_TRY(unpack_body(body, page->raw_size, &raw));
    pass->next_seq++;
    coll->pages_count++;
    coll->pages_size += raw.size;
    pass->heard_ms = core->now_ms;
    measure_rate(pass, core->now_ms, body.size);
    submit(core, coll, &raw, page);
    return QN_OK;
}

enum qn_err late_heard_page(struct qn_core *core, struct peer *peer, struct share *share,
                            struct qn_cursor *cursor)
{
    struct page_head page;
    struct qn_span body;
    struct page_pass *pass = share->coll->pass;
    QN_TRY(qn_cursor_u64(cursor, &page.pass));
    QN_TRY(qn_cursor_u64(cursor, &page.seq));
    QN_TRY(qn_cursor_u64(cursor, &page.rows));
    QN_TRY(qn_cursor_u64(cursor, &page.records));
    QN_TRY(qn_cursor_u64(cursor, &page.raw_size));
    QN_TRY(qn_cursor_bin(cursor, QN_PAGE_SIZE_MAX, &body));
    if (pass == NULL || pass->link != peer->session->link || pass->number != page.pass)
        return QN_OK; /* of a pass that was given up */
    pass->rows = page.rows;
    if (page.raw_size > 0)
        return take_page(core, share->coll, &page, body);
    late_source_has_none(core, share, pass);
    return QN_OK;
}

/* ---- what became of it ---- */

static void say_page_ack(struct qn_core *core, const struct coll *coll,
                         const struct pending *pending)
{
    struct qn_buf *out = core_message(core, QN_MSG_PAGEACK, 4);
    qn_pack_bin(out, QN_SPAN_OF(coll->id.bytes));
    qn_pack_u64(out, pending->request);
    qn_pack_u64(out, pending->seq);
    qn_pack_u64(out, core->now_ms - pending->at_ms);
    core_send(core, pending->link);
}

/* A page that cannot be: its source is broken or hostile. Another one goes on at the cursor. */
static void source_is_bad(struct qn_core *core, struct page_pass *pass, struct peer *peer,
                          enum qn_err err)
{
    late_leave_source(core, pass, core->now_ms);
    if (peer != NULL)
        peer_bad(core, peer, "late-refused", err);
}

static void page_refused(struct qn_core *core, struct coll *coll, struct peer *peer,
                         enum qn_err err)
{
    struct page_pass *pass = coll->pass;
    struct share *share = peer_share(peer, &coll->id);
    switch (err) {
    case QN_ERR_STATE: /* not at the cursor, or late no more: the next one begins where it stands */
        late_leave_source(core, pass, core->now_ms);
        break;
    case QN_ERR_NOTFOUND: /* of a clock that it should have sent */
    case QN_ERR_HELD:     /* by a site or key that the ledger does not have yet */
        if (share != NULL)
            late_source_has_none(core, share, pass);
        break;
    case QN_ERR_SIGNATURE:
        if (peer != NULL && group_may_lack_key(core, peer))
            late_source_has_none(core, share, pass);
        else
            source_is_bad(core, pass, peer, err);
        break;
    case QN_ERR_INVALID:
    case QN_ERR_LIMIT:
    case QN_ERR_EXISTS:
        source_is_bad(core, pass, peer, err);
        break;
    case QN_ERR_CONFLICT: /* it would take away too much */
        late_leave_source(core, pass, UINT64_MAX);
        pass->is_stopped = true;
        core_note(core, "late-stopped", err, coll->shown);
        break;
    default: /* this site's store: later */
        late_leave_source(core, pass, core->now_ms + RETRY_COMMIT_MS);
    }
}

/* It became late, or clean; or could not: the disk is full. */
static void change_stored(struct qn_core *core, struct coll *coll, const struct qn_outcome *outcome)
{
    coll->is_becoming_late = coll->is_rescuing = false;
    if (outcome->err != QN_OK) {
        core_note(core, "commit-failed", outcome->err, coll->shown);
        coll->late_retry_ms = core->now_ms + RETRY_COMMIT_MS;
    } else if (outcome->kind == QN_INTENT_LATE) {
        core_note(core, "late", QN_OK, coll->shown);
    } else if (outcome->kind == QN_INTENT_RESCUE) {
        core_note(core, "rescued", QN_OK, coll->shown);
    }
}

void late_outcome(struct qn_core *core, const struct pending *pending,
                  const struct qn_outcome *outcome)
{
    struct coll *coll = core_coll(core, &pending->coll);
    if (outcome->kind != QN_INTENT_PAGE) {
        change_stored(core, coll, outcome);
        return;
    }
    struct page_pass *pass = coll->pass;
    coll->pages_count--;
    coll->pages_size -= pending->level;
    if (pass == NULL || pass->number != pending->request)
        return;
    pass->records += outcome->err == QN_OK ? pending->records : 0;
    if (outcome->err == QN_OK)
        say_page_ack(core, coll, pending);
    else
        page_refused(core, coll, core_peer_of_link(core, pending->link), outcome->err);
}
