#include "model/trail.h"

#include "model/fixed.h"
#include "model/tables.h"

#define FORMAT   1
#define KEY_SIZE (QN_DIGEST_SIZE + 8)
#define FIRST    UINT64_MAX /* the place of the first one that a site tells */
#define DAY_MS   ((uint64_t)24 * 3600 * 1000)
#define WEEK_MS  (7 * DAY_MS)

static void write_key(const struct qn_site_id *site, uint64_t place, uint8_t ret_key[KEY_SIZE])
{
    memcpy(ret_key, site->bytes, QN_DIGEST_SIZE);
    qn_write_u64(ret_key + QN_DIGEST_SIZE, place);
}

static enum qn_err read_row(struct qn_span row, struct qn_trail_point *ret_point)
{
    struct qn_fixed fixed = qn_fixed(row, FORMAT);
    ret_point->received_ms = qn_fixed_u64(&fixed);
    ret_point->seq = qn_fixed_u64(&fixed);
    ret_point->hash = qn_fixed_digest(&fixed);
    ret_point->is_proof = qn_fixed_u8(&fixed) != 0;
    ret_point->checkpoint = qn_fixed_rest(&fixed);
    return qn_fixed_end(&fixed);
}

enum qn_err qn_trail_next(struct qn_kv *kv, const struct qn_site_id *site, uint64_t after,
                          struct qn_trail_point *ret_point)
{
    uint8_t key[KEY_SIZE];
    struct qn_span found, row;
    if (after == FIRST)
        return QN_ERR_NOTFOUND;
    write_key(site, after + 1, key);
    QN_TRY(qn_kv_seek(kv, QN_TABLE_TRAIL, QN_SPAN_OF(key), &found, &row));
    if (found.size != KEY_SIZE || memcmp(found.data, site->bytes, QN_DIGEST_SIZE) != 0)
        return QN_ERR_NOTFOUND;
    ret_point->place = qn_read_u64(found.data + QN_DIGEST_SIZE);
    return read_row(row, ret_point);
}

static enum qn_err put(struct qn_kv *kv, const struct qn_site_id *site,
                       const struct qn_trail_point *point)
{
    uint8_t key[KEY_SIZE];
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_TRAIL_CHECKPOINT_SIZE_MAX + 64);
    qn_buf_append_u8(&row, FORMAT);
    qn_buf_append_u64(&row, point->received_ms);
    qn_buf_append_u64(&row, point->seq);
    qn_buf_append_span(&row, qn_digest_view(&point->hash));
    qn_buf_append_u8(&row, point->is_proof);
    qn_buf_append_span(&row, point->checkpoint);
    QN_TRY(qn_buf_status(&row));
    write_key(site, point->place, key);
    return qn_kv_put(kv, QN_TABLE_TRAIL, QN_SPAN_OF(key), qn_buf_view(&row));
}

static bool is_same(const struct qn_trail_point *a, const struct qn_trail_point *b)
{
    return a->seq == b->seq && qn_digest_eq(&a->hash, &b->hash);
}

/* ---- what goes ---- */

struct thinning {
    uint64_t now_ms, last_day; /* of the one before, which came later */
    size_t kept;
};

static bool stays(const struct thinning *thinning, const struct qn_trail_point *point)
{
    if (point->received_ms >= thinning->now_ms)
        return true;
    uint64_t age_ms = thinning->now_ms - point->received_ms;
    if (age_ms > QN_TRAIL_KEEP_DAYS * DAY_MS)
        return false;
    return point->is_proof || age_ms <= WEEK_MS ||
           point->received_ms / DAY_MS != thinning->last_day;
}

/* From the newest to the oldest; the newest of all stays whatever its age. */
static enum qn_err thin(struct qn_kv *kv, const struct qn_site_id *site, uint64_t now_ms,
                        size_t *ret_kept)
{
    struct thinning thinning = {.now_ms = now_ms};
    struct qn_trail_point point = {0};
    enum qn_err err;
    while ((err = qn_trail_next(kv, site, point.place, &point)) == QN_OK) {
        uint8_t key[KEY_SIZE];
        bool is_kept = thinning.kept == 0 || stays(&thinning, &point);
        thinning.kept += is_kept;
        if (is_kept)
            thinning.last_day = point.received_ms / DAY_MS;
        write_key(site, point.place, key);
        if (!is_kept)
            QN_TRY(qn_kv_del(kv, QN_TABLE_TRAIL, QN_SPAN_OF(key)));
    }
    *ret_kept = thinning.kept;
    return qn_may_miss(err);
}

/* ---- what comes ---- */

/* Marks the one that is contradicted. Its bytes are copied: a write ends the loan. */
static enum qn_err mark(struct qn_kv *kv, const struct qn_site_id *site,
                        struct qn_trail_point *newest)
{
    uint8_t copy[QN_TRAIL_CHECKPOINT_SIZE_MAX];
    struct qn_span bytes = newest->checkpoint;
    if (newest->is_proof)
        return QN_OK;
    if (bytes.size > sizeof(copy))
        return QN_ERR_CORRUPT;
    memcpy(copy, bytes.data, bytes.size);
    newest->checkpoint = qn_span(copy, bytes.size);
    newest->is_proof = true;
    return put(kv, site, newest);
}

enum qn_err qn_trail_keep(struct qn_kv *kv, const struct qn_site_id *site,
                          const struct qn_trail_point *told, uint64_t now_ms)
{
    struct qn_trail_point newest = {0}, point = *told;
    size_t count;
    QN_TRY(thin(kv, site, now_ms, &count));
    enum qn_err err = qn_trail_next(kv, site, 0, &newest);
    QN_TRY(qn_may_miss(err));
    bool has_newest = err == QN_OK;
    if (has_newest && is_same(&newest, told))
        return QN_OK;
    if (count >= QN_TRAIL_POINTS_MAX || (has_newest && newest.place == 1))
        return QN_ERR_LIMIT;
    point.received_ms = now_ms;
    point.place = has_newest ? newest.place - 1 : FIRST;
    point.is_proof = has_newest && told->seq <= newest.seq;
    if (point.is_proof)
        QN_TRY(mark(kv, site, &newest));
    return put(kv, site, &point);
}

/* A proof is a pair: the later one of the newest pair. */
enum qn_err qn_trail_contradicted(struct qn_kv *kv, const struct qn_site_id *site, uint64_t *ret_ms)
{
    struct qn_trail_point point = {0};
    enum qn_err err;
    while ((err = qn_trail_next(kv, site, point.place, &point)) == QN_OK)
        if (point.is_proof)
            break;
    QN_TRY(qn_may_miss(err));
    *ret_ms = err == QN_OK ? point.received_ms : 0;
    return QN_OK;
}
