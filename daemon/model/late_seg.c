#include "model/late_seg.h"

#include "base/limits.h"
#include "model/bugs.h"
#include "model/tables.h"
#include "proto/pack.h"

#define KIND_CLOCK    'c'
#define KIND_SEG      's'

#define SEG_FORMAT    1
#define SEG_VOID      0x01

#define CLOCK_HEADS   1 /* as it came, with its checkpoints */
#define CLOCK_LOWERED 2 /* a plain vector */

#define SEG_SIZE_MAX  (1 + 1 + 4 + 4 + 2 * QN_SPOT_SIZE_MAX)

static void free_seg(struct qn_seg *seg)
{
    qn_free(seg->row);
}

static void free_clock(struct qn_seg_clock *clock)
{
    qn_vv_deinit(&clock->vv);
}

void qn_segs_deinit(struct qn_segs *segs)
{
    qn_vec_each (&segs->list, seg)
        free_seg(seg);
    qn_vec_each (&segs->clocks, clock)
        free_clock(clock);
    qn_vec_free(&segs->list);
    qn_vec_free(&segs->clocks);
}

/* --- reading --- */

static void vv_of(const struct qn_page_heads *heads, struct qn_vv *ret_vv)
{
    qn_vec_each (&heads->list, head)
        qn_vec_push(&ret_vv->entries, ((struct qn_vv_entry){head->at.actor, head->at.ctr}));
}

static enum qn_err damaged(enum qn_err err)
{
    return err == QN_OK ? QN_OK : QN_ERR_CORRUPT;
}

static enum qn_err read_heads(struct qn_span packed, struct qn_page_heads *ret_heads)
{
    struct qn_cursor cursor = qn_cursor(packed);
    QN_TRY(damaged(qn_page_heads_unpack(&cursor, ret_heads)));
    if (qn_cursor_is_end(&cursor))
        return QN_OK;
    qn_page_heads_deinit(ret_heads);
    return QN_ERR_CORRUPT;
}

static enum qn_err read_vv(uint8_t format, struct qn_span packed, struct qn_vv *vv)
{
    struct qn_page_heads heads = {0};
    struct qn_cursor cursor = qn_cursor(packed);
    if (format == CLOCK_LOWERED) {
        QN_TRY(damaged(qn_vv_unpack(&cursor, vv)));
        return damaged(qn_cursor_finish(&cursor));
    }
    QN_TRY(read_heads(packed, &heads));
    vv_of(&heads, vv);
    qn_page_heads_deinit(&heads);
    return QN_OK;
}

/* u8 format, 32 bytes hash, then the clock. */
static enum qn_err load_clock(struct qn_span key, struct qn_span value, bool with_vector,
                              struct qn_segs *segs)
{
    if (key.size != 9 || value.size < 2 + QN_DIGEST_SIZE ||
        (value.data[0] != CLOCK_HEADS && value.data[0] != CLOCK_LOWERED))
        return QN_ERR_CORRUPT;
    struct qn_seg_clock *clock = qn_vec_push_slot(&segs->clocks);
    *clock = (struct qn_seg_clock){.number = qn_read_u32(key.data + 5),
                                   .is_lowered = value.data[0] == CLOCK_LOWERED};
    memcpy(clock->digest.bytes, value.data + 1, QN_DIGEST_SIZE);
    if (!with_vector)
        return QN_OK;
    return read_vv(value.data[0], qn_span_from(value, 1 + QN_DIGEST_SIZE), &clock->vv);
}

static enum qn_err find_clock(const struct qn_segs *segs, uint32_t number, size_t *ret_index)
{
    for (size_t i = 0; i < segs->clocks.count; i++) {
        if (segs->clocks.items[i].number == number) {
            *ret_index = i;
            return QN_OK;
        }
    }
    return QN_ERR_CORRUPT;
}

static enum qn_err read_spots(struct qn_span packed, struct qn_seg *seg)
{
    struct qn_cursor cursor = qn_cursor(packed);
    QN_TRY(damaged(qn_spot_unpack(&cursor, &seg->lo)));
    QN_TRY(damaged(qn_spot_unpack(&cursor, &seg->hi)));
    return damaged(qn_cursor_finish(&cursor));
}

/* u8 format, u8 flags, u32 pass, u32 number of the clock, the spots. */
static enum qn_err load_seg(struct qn_span key, struct qn_span value, struct qn_segs *segs)
{
    if (key.size != 9 || value.size < 12 || value.data[0] != SEG_FORMAT ||
        (value.data[1] & ~SEG_VOID) != 0)
        return QN_ERR_CORRUPT;
    struct qn_seg seg = {.number = qn_read_u32(key.data + 5),
                         .pass = qn_read_u32(value.data + 2),
                         .is_void = value.data[1] != 0};
    QN_TRY(find_clock(segs, qn_read_u32(value.data + 6), &seg.clock));
    struct qn_span spots = qn_span_from(value, 10);
    seg.row = qn_memdup(spots.data, spots.size);
    qn_vec_push(&segs->list, seg);
    return read_spots(qn_span(seg.row, spots.size), &segs->list.items[segs->list.count - 1]);
}

static enum qn_err load_kind(struct qn_kv *kv, uint32_t coll, uint8_t kind, bool with_clocks,
                             struct qn_segs *segs)
{
    struct qn_key prefix, at;
    struct qn_span key, value;
    qn_key_copy(&at, qn_key_late(&prefix, coll, kind));
    for (;;) {
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_SEG, qn_key_view(&at), &key, &value);
        if (err != QN_OK || !qn_span_has_prefix(key, qn_key_view(&prefix)))
            return qn_may_miss(err);
        if (kind == KIND_CLOCK)
            QN_TRY(load_clock(key, value, with_clocks, segs));
        else
            QN_TRY(load_seg(key, value, segs));
        qn_key_copy(&at, key);
        qn_key_next(&at);
    }
}

enum qn_err qn_segs_load(struct qn_kv *kv, uint32_t coll, bool with_clocks, struct qn_segs *segs)
{
    QN_TRY(load_kind(kv, coll, KIND_CLOCK, with_clocks, segs));
    return load_kind(kv, coll, KIND_SEG, with_clocks, segs);
}

enum qn_err qn_segs_heads(struct qn_kv *kv, uint32_t coll, const struct qn_seg_clock *clock,
                          struct qn_page_heads *ret_heads)
{
    struct qn_key key;
    struct qn_span value;
    qn_key_late_number(&key, coll, KIND_CLOCK, clock->number);
    QN_TRY(qn_must_exist(qn_kv_get(kv, QN_TABLE_SEG, qn_key_view(&key), &value)));
    if (value.size < 2 + QN_DIGEST_SIZE || value.data[0] != CLOCK_HEADS)
        return QN_ERR_CORRUPT;
    return read_heads(qn_span_from(value, 1 + QN_DIGEST_SIZE), ret_heads);
}

/* --- asking --- */

const struct qn_seg *qn_segs_last(const struct qn_segs *segs, uint32_t pass)
{
    if (segs->list.count == 0)
        return NULL;
    const struct qn_seg *last = &segs->list.items[segs->list.count - 1];
    return last->pass == pass ? last : NULL;
}

static bool holds(const struct qn_seg *seg, const struct qn_spot *at)
{
    return qn_spot_cmp(&seg->lo, at) < 0 && qn_spot_cmp(at, &seg->hi) <= 0;
}

bool qn_segs_have(const struct qn_segs *segs, const struct qn_spot *at, const struct qn_dot *dot)
{
    if (QN_BUG(QN_BUG_NO_SEGMENTS))
        return false;
    qn_vec_each (&segs->list, seg)
        if (qn_vv_has(&segs->clocks.items[seg->clock].vv, dot) && holds(seg, at))
            return true;
    return false;
}

size_t qn_segs_open(const struct qn_segs *segs, const struct qn_vv *cc)
{
    size_t count = 0;
    qn_vec_each (&segs->list, seg)
        count += !qn_vv_covers(cc, &segs->clocks.items[seg->clock].vv);
    return count;
}

bool qn_segs_are_void(const struct qn_segs *segs, const struct qn_spot *at)
{
    qn_vec_each (&segs->list, seg)
        if (seg->is_void && holds(seg, at))
            return true;
    return false;
}

size_t qn_segs_clock(const struct qn_segs *segs, const struct qn_digest *digest)
{
    for (size_t i = 0; i < segs->clocks.count; i++) {
        const struct qn_seg_clock *clock = &segs->clocks.items[i];
        if (!clock->is_lowered && memcmp(clock->digest.bytes, digest->bytes, QN_DIGEST_SIZE) == 0)
            return i;
    }
    return SIZE_MAX;
}

enum qn_err qn_segs_check_room(const struct qn_segs *segs, const struct qn_vv *more)
{
    size_t heads = more->entries.count;
    qn_vec_each (&segs->clocks, clock)
        heads += clock->vv.entries.count;
    bool has_room = segs->list.count < QN_SEGS_MAX && heads <= QN_SEG_HEADS_MAX;
    return has_room ? QN_OK : QN_ERR_LIMIT;
}

/* --- writing --- */

static enum qn_err put_clock(struct qn_kv *kv, uint32_t coll, const struct qn_seg_clock *clock,
                             uint8_t format, struct qn_span packed)
{
    struct qn_key key;
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, 1 + QN_DIGEST_SIZE + packed.size);
    qn_buf_append_u8(&row, format);
    qn_buf_append(&row, clock->digest.bytes, QN_DIGEST_SIZE);
    qn_buf_append_span(&row, packed);
    qn_key_late_number(&key, coll, KIND_CLOCK, clock->number);
    return qn_kv_put(kv, QN_TABLE_SEG, qn_key_view(&key), qn_buf_view(&row));
}

enum qn_err qn_segs_add_clock(struct qn_kv *kv, uint32_t coll, struct qn_segs *segs,
                              const struct qn_page_heads *heads, size_t *ret_index)
{
    QN_AUTO_BUF struct qn_buf packed;
    struct qn_seg_clock clock = {.number = 1};
    qn_vec_each (&segs->clocks, known)
        clock.number = known->number >= clock.number ? known->number + 1 : clock.number;
    vv_of(heads, &clock.vv);
    qn_vv_digest(&clock.vv, &clock.digest);
    qn_vec_push(&segs->clocks, clock);
    *ret_index = segs->clocks.count - 1;
    qn_buf_init(&packed, QN_FRAME_SIZE_MAX);
    qn_page_heads_pack(heads, &packed);
    return put_clock(kv, coll, &clock, CLOCK_HEADS, qn_buf_view(&packed));
}

static enum qn_err put_seg(struct qn_kv *kv, uint32_t coll, const struct qn_segs *segs,
                           struct qn_seg *seg)
{
    struct qn_key key;
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, SEG_SIZE_MAX);
    qn_buf_append_u8(&row, SEG_FORMAT);
    qn_buf_append_u8(&row, seg->is_void ? SEG_VOID : 0);
    qn_buf_append_u32(&row, seg->pass);
    qn_buf_append_u32(&row, segs->clocks.items[seg->clock].number);
    qn_spot_pack(&seg->lo, &row);
    qn_spot_pack(&seg->hi, &row);
    qn_key_late_number(&key, coll, KIND_SEG, seg->number);
    QN_TRY(qn_kv_put(kv, QN_TABLE_SEG, qn_key_view(&key), qn_buf_view(&row)));
    struct qn_span spots = qn_span_from(qn_buf_view(&row), 10);
    uint8_t *kept = qn_memdup(spots.data, spots.size);
    free_seg(seg);
    seg->row = kept;
    return read_spots(qn_span(kept, spots.size), seg);
}

static bool goes_on(const struct qn_seg *last, const struct qn_seg *seg)
{
    return last->pass == seg->pass && last->clock == seg->clock && !last->is_void &&
           qn_spot_cmp(&last->hi, &seg->lo) == 0;
}

enum qn_err qn_segs_add(struct qn_kv *kv, uint32_t coll, struct qn_segs *segs,
                        const struct qn_seg *seg)
{
    size_t count = segs->list.count;
    struct qn_seg *last = count > 0 ? &segs->list.items[count - 1] : NULL;
    if (last != NULL && goes_on(last, seg)) {
        last->hi = seg->hi;
        return put_seg(kv, coll, segs, last);
    }
    struct qn_seg added = *seg;
    added.number = last != NULL ? last->number + 1 : 1;
    added.row = NULL;
    qn_vec_push(&segs->list, added);
    return put_seg(kv, coll, segs, &segs->list.items[count]);
}

enum qn_err qn_segs_lower(struct qn_kv *kv, uint32_t coll, struct qn_segs *segs, size_t clock,
                          const struct qn_vv *vv)
{
    QN_AUTO_BUF struct qn_buf packed;
    struct qn_seg_clock *lowered = &segs->clocks.items[clock];
    qn_vv_copy(&lowered->vv, vv);
    qn_vv_digest(vv, &lowered->digest);
    lowered->is_lowered = true;
    qn_buf_init(&packed, QN_FRAME_SIZE_MAX);
    qn_vv_pack(vv, &packed);
    QN_TRY(put_clock(kv, coll, lowered, CLOCK_LOWERED, qn_buf_view(&packed)));
    qn_vec_each (&segs->list, seg) {
        if (seg->clock != clock || seg->is_void)
            continue;
        seg->is_void = true;
        QN_TRY(put_seg(kv, coll, segs, seg));
    }
    return QN_OK;
}

static enum qn_err drop_row(struct qn_kv *kv, uint32_t coll, uint8_t kind, uint32_t number)
{
    struct qn_key key;
    qn_key_late_number(&key, coll, kind, number);
    return qn_must_exist(qn_kv_del(kv, QN_TABLE_SEG, qn_key_view(&key)));
}

static bool is_used(const struct qn_segs *segs, size_t clock)
{
    qn_vec_each (&segs->list, seg)
        if (seg->clock == clock)
            return true;
    return false;
}

static enum qn_err drop_clocks(struct qn_kv *kv, uint32_t coll, struct qn_segs *segs)
{
    for (size_t i = segs->clocks.count; i > 0; i--) {
        if (is_used(segs, i - 1))
            continue;
        QN_TRY(drop_row(kv, coll, KIND_CLOCK, segs->clocks.items[i - 1].number));
        free_clock(&segs->clocks.items[i - 1]);
        qn_vec_remove(&segs->clocks, i - 1);
        qn_vec_each (&segs->list, seg)
            seg->clock -= seg->clock > i - 1;
    }
    return QN_OK;
}

enum qn_err qn_segs_drop(struct qn_kv *kv, uint32_t coll, struct qn_segs *segs,
                         const struct qn_vv *cc)
{
    for (size_t i = segs->list.count; i > 0; i--) {
        struct qn_seg *seg = &segs->list.items[i - 1];
        if (!qn_vv_covers(cc, &segs->clocks.items[seg->clock].vv))
            continue;
        QN_TRY(drop_row(kv, coll, KIND_SEG, seg->number));
        free_seg(seg);
        qn_vec_remove(&segs->list, i - 1);
    }
    return drop_clocks(kv, coll, segs);
}
