/* Sending pages: one pinned reading transaction for a pass, a window that follows the delay of the
 * line (pace.h), so that what is written meanwhile does not wait behind them. */
#include "core/integrity.h"
#include "core/late.h"
#include "model/bugs.h"

#define SILENCE_MS 90000 /* without a word, a peer has given up: the transaction ends */

/* ---- the transaction ---- */

static size_t count_sources(const struct qn_core *core)
{
    size_t count = 0;
    qn_vec_each (&core->peers, peer)
        if ((*peer)->session != NULL)
            qn_vec_each (&(*peer)->session->shares, share)
                count += (*share)->source != NULL;
    return count;
}

static void pin(struct qn_core *core, struct page_source *source)
{
    source->pin = core_token(core);
    source->pin_end_ms = core->now_ms + QN_PIN_TIME_MAX_MS;
}

void pages_end(struct qn_core *core, struct share *share)
{
    if (share->source == NULL)
        return;
    if (core != NULL)
        core_unpin(core, share->source->pin);
    qn_vec_free(&share->source->sent);
    qn_free(share->source);
    share->source = NULL;
}

/* ---- reading ahead of the window ---- */

static bool has_room(const struct page_source *source)
{
    return source->inflight < source->pace.window && source->sent.count < QN_PAGES_WINDOW_COUNT &&
           source->inflight_raw < QN_PAGES_WINDOW_SIZE;
}

static void read_page(struct qn_core *core, struct peer *peer, struct share *share)
{
    struct page_source *source = share->source;
    if (core->now_ms >= source->pin_end_ms) { /* the pages from here on have another clock */
        core_unpin(core, source->pin);
        pin(core, source);
    }
    struct qn_read *read = QN_NEW(struct qn_read);
    read->kind = QN_READ_PAGE;
    read->coll = share->coll->id;
    read->pin = source->pin;
    read->size_wish = source->raw_wish;
    read->has_clock = source->has_known;
    read->clock = source->known;
    qn_buf_init(&read->names, QN_SPOT_SIZE_MAX);
    qn_buf_append(&read->names, source->cursor, source->cursor_size);
    struct pending *pending = core_read_later(core, read, PENDING_PAGE);
    pending->link = peer->session->link;
    pending->coll = share->coll->id;
    pending->seq = source->pin;
    source->is_reading = true;
}

static void pump(struct qn_core *core, struct peer *peer, struct share *share)
{
    const struct page_source *source = share->source;
    if (!source->is_reading && !source->is_end && has_room(source))
        read_page(core, peer, share);
}

/* ---- sending ---- */

static void say_page(struct qn_core *core, const struct peer *peer, const struct share *share,
                     uint64_t pass, const struct page_sent *page, const struct qn_read_result *read)
{
    struct qn_buf *out = core_message(core, QN_MSG_PAGE, 7);
    qn_pack_bin(out, QN_SPAN_OF(share->coll->id.bytes));
    qn_pack_u64(out, pass);
    qn_pack_u64(out, page->seq);
    qn_pack_u64(out, share->coll->info.rows);
    qn_pack_u64(out, read == NULL ? 0 : read->page.record_count);
    qn_pack_u64(out, page->raw_size);
    qn_pack_bin(out, read == NULL ? qn_span(NULL, 0) : qn_buf_view(&read->body));
    core_send(core, peer->session->link);
}

static void refuse(struct qn_core *core, struct peer *peer, struct share *share, uint64_t pass)
{
    static const struct page_sent none;
    pages_end(core, share);
    say_page(core, peer, share, pass, &none, NULL);
}

/* So that a page is a fraction of the window: on a slow line it must not stand in the way. */
static void adapt_wish(const struct qn_core *core, struct page_source *source, size_t raw_size,
                       size_t size)
{
    uint64_t wish = source->pace.window / 4 * raw_size / (size == 0 ? 1 : size);
    if (core->options.page_size > 0)
        return;
    source->raw_wish = wish < QN_PAGE_SIZE_MIN ? QN_PAGE_SIZE_MIN
                       : wish > QN_PAGE_SIZE   ? QN_PAGE_SIZE
                                               : (size_t)wish;
}

static void send_page(struct qn_core *core, struct peer *peer, struct share *share,
                      const struct qn_read_result *result)
{
    struct page_source *source = share->source;
    const struct qn_page_read *page = &result->page;
    struct page_sent sent = {.seq = source->next_seq++,
                             .at_ms = core->now_ms,
                             .size = result->body.size,
                             .raw_size = result->raw_size};
    say_page(core, peer, share, source->pass, &sent, result);
    qn_vec_push(&source->sent, sent);
    source->inflight += sent.size;
    source->inflight_raw += sent.raw_size;
    source->has_known = true;
    source->known = page->clock;
    source->is_end = page->is_last;
    memcpy(source->cursor, page->next, page->next_size);
    source->cursor_size = page->next_size;
    adapt_wish(core, source, sent.raw_size, sent.size);
}

/* A damaged record is set aside by a scrub; copies of it may be had, and then there are pages. */
static void read_failed(struct qn_core *core, const struct share *share, enum qn_err err)
{
    struct coll *coll = share->coll;
    if (err == QN_ERR_DAMAGED && !scrub_is_wanted(core, coll))
        scrub_want(core, coll);
    else if (err != QN_ERR_DAMAGED && err != QN_ERR_HELD && err != QN_ERR_BUSY)
        core_note(core, "read-failed", err, (const char *)coll->info.name);
}

void pages_read_done(struct qn_core *core, const struct pending *pending,
                     const struct qn_read_result *result)
{
    struct peer *peer = core_peer_of_link(core, pending->link);
    struct share *share = peer_share(peer, &pending->coll);
    struct page_source *source = share == NULL ? NULL : share->source;
    if (source == NULL || source->pin != pending->seq)
        return;
    source->is_reading = false;
    if (result->err != QN_OK) {
        read_failed(core, share, result->err);
        refuse(core, peer, share, source->pass);
        return;
    }
    send_page(core, peer, share, result);
    pump(core, peer, share);
}

/* ---- what the peer says ---- */

void pages_asked(struct qn_core *core, struct peer *peer, struct share *share, uint64_t pass,
                 struct qn_span cursor, struct qn_span clock)
{
    pages_end(core, share);
    if (count_sources(core) >= QN_PINS_MAX ||
        (share->coll->info.late.is_late && !QN_BUG(QN_BUG_LATE_SERVES))) {
        refuse(core, peer, share, pass);
        return;
    }
    struct page_source *source = share->source = QN_NEW(struct page_source);
    source->pass = pass;
    source->heard_ms = core->now_ms;
    source->raw_wish = core->options.page_size > 0 ? core->options.page_size : QN_PAGE_SIZE_MIN;
    if (cursor.size > 0)
        memcpy(source->cursor, cursor.data, cursor.size);
    source->cursor_size = cursor.size;
    source->has_known = clock.size == sizeof(source->known.bytes);
    if (source->has_known)
        memcpy(source->known.bytes, clock.data, clock.size);
    pace_reset(&source->pace, core->now_ms);
    pin(core, source);
    pump(core, peer, share);
}

void pages_acked(struct qn_core *core, struct peer *peer, struct share *share, uint64_t pass,
                 uint64_t seq, uint64_t held_ms)
{
    struct page_source *source = share->source;
    if (source == NULL || source->pass != pass || source->sent.count == 0 ||
        source->sent.items[0].seq != seq)
        return; /* of an earlier pass */
    const struct page_sent sent = source->sent.items[0];
    qn_vec_remove(&source->sent, 0);
    source->heard_ms = core->now_ms;
    source->inflight -= sent.size;
    source->inflight_raw -= sent.raw_size;
    uint64_t round_trip_ms = core->now_ms - sent.at_ms;
    round_trip_ms -= held_ms < round_trip_ms ? held_ms : round_trip_ms; /* what the line took */
    pace_acked(&source->pace, core->now_ms, round_trip_ms, sent.size);
    if (source->is_end && source->sent.count == 0)
        pages_end(core, share);
    else
        pump(core, peer, share);
}

void pages_tick(struct qn_core *core, struct peer *peer, struct share *share)
{
    const struct page_source *source = share->source;
    if (source == NULL)
        return;
    if (core->now_ms >= source->heard_ms + SILENCE_MS)
        pages_end(core, share);
    else
        core_wake(core, source->heard_ms + SILENCE_MS);
}

/* An operation costs about as much as four rows of a page; and a late site serves nobody meanwhile,
 * so it has to be worth it. */
bool pages_are_better(const struct share *share, const struct qn_vv *known)
{
    uint64_t missing = qn_vv_missing(known, &share->coll->cc);
    return share->knows_pages && !share->coll->info.late.is_late && missing > QN_PAGES_OPS_MIN &&
           2 * missing > share->coll->info.rows;
}
