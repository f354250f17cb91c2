#include "chunk/squeeze.h"
#include "core/hold.h"
#include "core/integrity.h"
#include "core/offsite.h"
#include "core/trail.h"
#include "core/twin.h"
#include "proto/pack.h"

void qn_read_free(struct qn_read *read)
{
    if (read == NULL)
        return;
    qn_vv_deinit(&read->known);
    qn_buf_deinit(&read->names);
    qn_free(read->scrub);
    qn_free(read);
}

void qn_read_result_deinit(struct qn_read_result *result)
{
    qn_buf_deinit(&result->body);
    qn_vv_deinit(&result->ops.last);
    qn_free(result->scrub);
    result->scrub = NULL;
    if (result->book != NULL)
        book_view_deinit(result->book);
    qn_free(result->book);
    result->book = NULL;
}

static enum qn_err read_ops(struct qn_kv *kv, const struct qn_read *read,
                            struct qn_read_result *result)
{
    struct qn_ops_request request = {.coll = read->coll,
                                     .from_seq = read->from_seq,
                                     .to_seq = read->to_seq,
                                     .known = &read->known,
                                     .size_wish = read->size_wish,
                                     .ops_wish = QN_OPS_BATCH_OPS_MAX};
    if (request.from_seq == 0) {
        QN_TRY(qn_read_start(kv, &read->coll, &read->known, &request.from_seq));
        if (request.from_seq == 0 || request.from_seq > request.to_seq) {
            result->ops.is_end = true;
            result->ops.next_seq = read->to_seq + 1;
            return QN_OK;
        }
    }
    return qn_read_ops(kv, &request, &result->body, &result->ops);
}

static enum qn_err read_fp(struct qn_kv *kv, const struct qn_read *read,
                           struct qn_read_result *result)
{
    uint8_t sums[256][QN_ROOT_SIZE];
    QN_TRY(qn_read_fp(kv, &read->coll, read->level, read->prefix, sums));
    qn_buf_append(&result->body, sums, sizeof(sums));
    return QN_OK;
}

#define BUCKET_KEYS_MAX 2000

static enum qn_err read_bucket(struct qn_kv *kv, const struct qn_read *read,
                               struct qn_read_result *result)
{
    size_t count;
    return qn_read_bucket(kv, &read->coll, read->bucket, BUCKET_KEYS_MAX, &result->body, &count);
}

#define COPIES_SIZE_MAX (QN_FRAME_SIZE_MAX / 2)
#define PAGE_LEVEL      3 /* of zstd: a core does a multiple of what a line of 20 Mbit/s takes */

static enum qn_err squeeze_page(struct qn_read_result *result)
{
    struct qn_squeezer *squeezer = qn_squeezer_new(PAGE_LEVEL);
    struct qn_buf small;
    bool is_smaller;
    qn_buf_init(&small, QN_PAGE_SIZE_MAX);
    result->raw_size = result->body.size;
    enum qn_err err = qn_squeeze(squeezer, qn_buf_view(&result->body), &small, &is_smaller);
    if (err == QN_OK && is_smaller && small.size < result->raw_size) {
        qn_buf_deinit(&result->body);
        result->body = small;
        small = (struct qn_buf){0};
    }
    qn_buf_deinit(&small);
    qn_squeezer_free(squeezer);
    return err;
}

static enum qn_err read_page(struct qn_kv *kv, const struct qn_read *read,
                             struct qn_read_result *result)
{
    struct qn_page_request request = {.coll = read->coll,
                                      .after = qn_buf_view(&read->names),
                                      .size_wish = read->size_wish,
                                      .known = read->has_clock ? &read->clock : NULL};
    QN_TRY(qn_read_page(kv, &request, &result->body, &result->page));
    QN_TRY(qn_buf_status(&result->body));
    return result->body.size <= QN_PAGE_SIZE_MAX ? squeeze_page(result) : QN_ERR_LIMIT;
}

static enum qn_err run(struct qn_kv *kv, const struct qn_read *read, struct qn_read_result *result)
{
    size_t count;
    switch (read->kind) {
    case QN_READ_OPS:
        return read_ops(kv, read, result);
    case QN_READ_FP:
        return read_fp(kv, read, result);
    case QN_READ_BUCKET:
        return read_bucket(kv, read, result);
    case QN_READ_BOOK:
        result->book = QN_NEW(struct qn_book_view);
        return book_view_read(kv, result->book);
    case QN_READ_STALE:
        return book_stale_read(kv, qn_buf_view(&read->names), &result->body);
    case QN_READ_HELD:
        return hold_read(kv, qn_buf_view(&read->names), &result->body);
    case QN_READ_TRAIL:
        return trail_read(kv, qn_buf_view(&read->names), &result->body);
    case QN_READ_COPY:
        return offsite_read(kv, qn_buf_view(&read->names), &result->body);
    case QN_READ_COPIES:
        return qn_read_copies(kv, &read->coll, qn_buf_view(&read->names), read->with_left,
                              COPIES_SIZE_MAX, &result->body);
    case QN_READ_CHAIN:
        return fork_read(kv, &read->coll, qn_buf_view(&read->names), &result->body);
    case QN_READ_ASIDE:
        return qn_read_aside(kv, &read->coll, qn_buf_view(&read->names), read->size_wish,
                             &result->body, &count);
    case QN_READ_INCIDENTS:
        return qn_read_incidents(kv, &read->coll, INCIDENTS_SHOWN_MAX, &result->body);
    case QN_READ_SCRUB:
        result->scrub = qn_memdup(read->scrub, sizeof(*read->scrub));
        return qn_read_scrub(kv, &read->coll, result->scrub, SCRUB_ENTRIES, &result->body);
    case QN_READ_PAGE:
        return read_page(kv, read, result);
    }
    return QN_ERR_INVALID;
}

void qn_core_read(struct qn_kv *kv, const struct qn_read *read, struct qn_read_result *ret_result)
{
    *ret_result = (struct qn_read_result){.token = read->token};
    qn_buf_init(&ret_result->body, QN_FRAME_SIZE_MAX);
    ret_result->err = run(kv, read, ret_result);
    if (ret_result->err == QN_OK)
        ret_result->err = qn_buf_status(&ret_result->body);
}
