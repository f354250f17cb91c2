#include "model/recall.h"

#include "base/limits.h"
#include "model/copy.h"
#include "model/late.h"

#define PARTS 4 /* values of a collection */

/* One of them, and what is known of it here. */
struct wanted {
    struct qn_coll_id coll;
    struct qn_vv known;
    struct qn_span cursor, clock; /* of the pass that is running, if there is one; else empty */
};

struct walk {
    struct qn_kv *kv; /* of the copy */
    const struct qn_recall_options *options;
    bool has_told, has_held, has_more;
};

static void tell(struct walk *walk, enum qn_recalled what, const struct wanted *wanted,
                 const struct qn_buf *body, const struct qn_buf *lost)
{
    walk->has_told = true;
    walk->options->tell(walk->options->context, what, &wanted->coll, qn_buf_view(body),
                        lost == NULL ? qn_span(NULL, 0) : qn_buf_view(lost));
}

static enum qn_err may_go_on(struct walk *walk)
{
    enum qn_err err = walk->options->may_go_on(walk->options->context);
    walk->has_more |= err == QN_ERR_LIMIT;
    return err;
}

static enum qn_err walk_ops(struct walk *walk, const struct wanted *wanted, uint64_t from_seq)
{
    struct qn_ops_request request = {.coll = wanted->coll,
                                     .known = &wanted->known,
                                     .from_seq = from_seq,
                                     .size_wish = walk->options->ops_size,
                                     .ops_wish = walk->options->ops_max};
    QN_AUTO_BUF struct qn_buf body;
    bool is_end = false;
    qn_buf_init(&body, QN_FRAME_SIZE_MAX);
    while (request.from_seq > 0 && !is_end) {
        struct qn_ops_read read;
        QN_TRY(may_go_on(walk));
        qn_buf_reset(&body);
        QN_TRY(qn_read_ops(walk->kv, &request, &body, &read));
        if (read.op_count > 0)
            tell(walk, QN_RECALLED_OPS, wanted, &body, NULL);
        request.from_seq = read.next_seq;
        is_end = read.is_end;
        qn_vv_deinit(&read.last);
    }
    return QN_OK;
}

/* Once more afterwards: whether nothing is missing then is for the next walk to see. */
static enum qn_err walk_pages(struct walk *walk, const struct wanted *wanted)
{
    struct qn_page_read page = {.is_last = false}, before;
    struct qn_digest clock;
    struct qn_page_request request = {.coll = wanted->coll,
                                      .after = wanted->cursor,
                                      .size_wish = walk->options->page_size,
                                      .is_last_copy = true};
    if (wanted->clock.size == sizeof(clock.bytes)) {
        memcpy(clock.bytes, wanted->clock.data, sizeof(clock.bytes));
        request.known = &clock;
    }
    QN_AUTO_BUF struct qn_buf body, lost;
    qn_buf_init(&body, QN_FRAME_SIZE_MAX);
    qn_buf_init(&lost, QN_FRAME_SIZE_MAX);
    while (!page.is_last) {
        QN_TRY(may_go_on(walk));
        qn_buf_reset(&body);
        qn_buf_reset(&lost);
        QN_TRY(qn_read_page(walk->kv, &request, &body, &page));
        QN_TRY(qn_read_lost(walk->kv, &wanted->coll, request.after,
                            qn_span(page.next, page.next_size), &lost));
        tell(walk, QN_RECALLED_PAGE, wanted, &body, &lost);
        before = page;
        clock = page.clock;
        request.known = &clock;
        request.after = qn_span(before.next, before.next_size);
    }
    walk->has_more = true;
    return QN_OK;
}

/* The log of the copy, if it reaches back to what is known here, and can be read; else its records.
 */
static enum qn_err walk_coll(struct walk *walk, const struct wanted *wanted)
{
    uint64_t from_seq = 0;
    enum qn_err err = qn_read_start(walk->kv, &wanted->coll, &wanted->known, &from_seq);
    if (err == QN_OK)
        err = walk_ops(walk, wanted, from_seq);
    if (err == QN_ERR_HELD || err == QN_ERR_CORRUPT)
        err = walk_pages(walk, wanted);
    return err == QN_ERR_LIMIT && walk->has_more ? QN_OK : err;
}

static enum qn_err read_wanted(struct qn_cursor *cursor, struct wanted *wanted)
{
    QN_TRY(qn_cursor_bytes(cursor, wanted->coll.bytes, sizeof(wanted->coll.bytes)));
    QN_TRY(qn_vv_unpack(cursor, &wanted->known));
    QN_TRY(qn_cursor_bin(cursor, QN_SPOT_SIZE_MAX, &wanted->cursor));
    return qn_cursor_bin(cursor, QN_DIGEST_SIZE, &wanted->clock);
}

static enum qn_err walk_next(struct walk *walk, struct qn_cursor *cursor)
{
    struct wanted wanted = {.known = {.entries = {0}}};
    enum qn_err err = read_wanted(cursor, &wanted);
    if (err == QN_OK)
        err = walk_coll(walk, &wanted);
    qn_vv_deinit(&wanted.known);
    walk->has_held |= err == QN_ERR_HELD;
    return err == QN_ERR_HELD ? QN_OK : err;
}

enum qn_err qn_recall(struct qn_kv *kv, const struct qn_recall_options *options,
                      struct qn_span colls, bool *ret_has_more)
{
    struct walk walk = {.kv = kv, .options = options};
    struct qn_cursor cursor = qn_cursor(colls);
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, SIZE_MAX, &count));
    for (size_t i = 0; i + PARTS <= count; i += PARTS)
        QN_TRY(walk_next(&walk, &cursor));
    if (walk.has_held && !walk.has_told)
        return QN_ERR_HELD;
    /* A copy of a site that was late itself has no pages: its log waits for the other members. */
    *ret_has_more = walk.has_more || walk.has_held;
    return QN_OK;
}
