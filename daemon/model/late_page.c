/* Taking a page (RECORDS 1.2, `page_merge`). All of it is checked before anything is written. */
#include "base/assert.h"
#include "base/limits.h"
#include "base/search.h"
#include "model/bugs.h"
#include "model/copy.h"
#include "model/history.h"
#include "model/late_impl.h"
#include "model/late_owed.h"

struct taking {
    struct qn_replica *replica;
    struct qn_coll_state *coll;
    struct qn_page page;
    struct qn_vv vv; /* the clock of the page */
    size_t clock;    /* its index among those that are stored; SIZE_MAX: it is new */
    size_t at;       /* the next record of the page */
    qn_hlc latest;
    QN_VEC(struct qn_copy_left) lost; /* damaged where the page was read: it says nothing of them */
    struct qn_page_result result;
};

/* --- the clock --- */

/* A chain that forked: the same dot stands for two operations. */
static enum qn_err check_fork(const struct taking *taking, const struct qn_page_head *head)
{
    struct qn_replica *replica = taking->replica;
    struct qn_checkpoint ours;
    uint32_t number, coll = taking->coll->row.number;
    enum qn_err err = qn_dict_find_actor(&replica->dict, &head->at.actor, &number);
    if (err == QN_OK)
        err = qn_checkpoint_get(replica->kv, coll, number, head->at.ctr, &ours);
    if (err != QN_OK)
        return qn_may_miss(err);
    bool is_same = memcmp(ours.hash.bytes, head->hash.bytes, QN_DIGEST_SIZE) == 0;
    return is_same ? QN_OK : QN_ERR_SIGNATURE;
}

static enum qn_err check_heads(struct taking *taking)
{
    const struct qn_coll_id *coll = &taking->coll->id;
    qn_vec_each (&taking->page.heads.list, head) {
        QN_TRY(qn_replica_verify(taking->replica, coll, &head->at, &head->hash, &head->signature,
                                 QN_ERR_HELD));
        QN_TRY(check_fork(taking, head));
        qn_vec_push(&taking->vv.entries, ((struct qn_vv_entry){head->at.actor, head->at.ctr}));
    }
    return QN_OK;
}

static enum qn_err check_clock(struct taking *taking)
{
    struct qn_segs *segs = &taking->coll->segs;
    if (taking->page.has_heads) {
        QN_TRY(check_heads(taking));
        qn_vv_digest(&taking->vv, &taking->page.clock);
    }
    taking->clock = qn_segs_clock(segs, &taking->page.clock);
    if (taking->clock == SIZE_MAX)
        return taking->page.has_heads ? qn_segs_check_room(segs, &taking->vv) : QN_ERR_NOTFOUND;
    static const struct qn_vv nothing;
    qn_vv_copy(&taking->vv, &segs->clocks.items[taking->clock].vv);
    const struct qn_seg *last = qn_segs_last(segs, taking->coll->row.pass);
    bool goes_on = last != NULL && last->clock == taking->clock;
    return goes_on ? QN_OK : qn_segs_check_room(segs, &nothing);
}

static enum qn_err check_pairs(struct taking *taking)
{
    qn_vec_each (&taking->page.pairs, pair) {
        if (!qn_vv_has(&taking->vv, &pair->pair.dot))
            return QN_ERR_INVALID;
        taking->latest = pair->pair.hlc > taking->latest ? pair->pair.hlc : taking->latest;
    }
    return QN_OK;
}

/* --- the records of the range, here and there --- */

/* One key: it is stored here, or the page has it, or both. */
struct step {
    struct qn_key own; /* empty: none is stored behind the last one */
    struct qn_span key;
    const struct qn_page_pair *pairs;
    size_t count;
};

/* The first key that is stored at or behind `from` and not behind the range. */
static enum qn_err find_own(const struct taking *taking, const struct qn_key *from,
                            struct qn_key *ret_own)
{
    struct qn_key prefix;
    struct qn_span key, value;
    uint32_t coll = taking->coll->row.number;
    ret_own->size = 0;
    enum qn_err err =
        qn_kv_seek(taking->replica->kv, QN_TABLE_REC, qn_key_view(from), &key, &value);
    if (err != QN_OK || !qn_span_has_prefix(key, qn_key_coll(&prefix, coll)))
        return qn_may_miss(err);
    const struct qn_spot *hi = &taking->page.hi;
    if (hi->kind == QN_SPOT_END || qn_span_cmp(qn_span_from(key, 4), hi->key) <= 0)
        qn_key_copy(ret_own, key);
    return QN_OK;
}

static enum qn_err start(struct taking *taking, struct step *step)
{
    struct qn_key from;
    const struct qn_spot *lo = &taking->page.lo;
    uint32_t coll = taking->coll->row.number;
    taking->at = 0;
    qn_key_record(&from, coll, lo->kind == QN_SPOT_START ? qn_span(NULL, 0) : lo->key);
    if (lo->kind == QN_SPOT_KEY)
        qn_key_next(&from);
    return find_own(taking, &from, &step->own);
}

/* QN_ERR_NOTFOUND: there is no more. The key is borrowed from the step or the page. */
static enum qn_err next(struct taking *taking, struct step *step)
{
    const struct qn_page *page = &taking->page;
    bool has_theirs = taking->at<page->records.count, has_own = step->own.size> 0;
    const struct qn_page_record *theirs = has_theirs ? &page->records.items[taking->at] : NULL;
    if (!has_theirs && !has_own)
        return QN_ERR_NOTFOUND;
    int order = !has_own      ? 1
                : !has_theirs ? -1
                              : qn_span_cmp(qn_span_from(qn_key_view(&step->own), 4), theirs->key);
    step->pairs = NULL;
    step->count = 0;
    if (order >= 0) {
        step->key = theirs->key;
        step->pairs = &page->pairs.items[theirs->first];
        step->count = theirs->count;
        taking->at++;
    } else {
        step->key = qn_span_from(qn_key_view(&step->own), 4);
    }
    return QN_OK;
}

/* Behind a key that is stored here, to the next one. */
static enum qn_err pass(struct taking *taking, struct step *step)
{
    struct qn_key from;
    if (step->own.size == 0 || qn_span_cmp(qn_span_from(qn_key_view(&step->own), 4), step->key) > 0)
        return QN_OK;
    qn_key_copy(&from, qn_key_view(&step->own));
    qn_key_next(&from);
    return find_own(taking, &from, &step->own);
}

static int order_of_theirs(const void *item, const void *key)
{
    const struct qn_page_pair *pair = item, *wanted = key;
    int order = qn_span_cmp(pair->field, wanted->field);
    return order != 0 ? order : qn_dot_cmp(&pair->pair.dot, &wanted->pair.dot);
}

static bool has_theirs(const struct step *step, const struct qn_page_pair *mine)
{
    bool is_there;
    qn_search(step->pairs, step->count, sizeof(*step->pairs), mine, order_of_theirs, &is_there);
    return is_there;
}

/* A pair of the record in hand that the page should have and has not. */
static bool is_dropped(const struct taking *taking, const struct step *step, struct qn_span field,
                       const struct qn_pair *pair)
{
    struct qn_spot at = {QN_SPOT_PAIR, step->key, field, pair->dot};
    struct qn_page_pair mine = {field, *pair};
    return qn_vv_has(&taking->vv, &pair->dot) && !has_theirs(step, &mine) &&
           qn_spot_cmp(&taking->page.lo, &at) < 0 && qn_spot_cmp(&at, &taking->page.hi) <= 0;
}

/* --- does it take away too much? --- */

/* Values are replaced and records are thrown away all the time; that values go and nothing comes in
 * their place, of a record that is not in the trash, is rare. */
static bool is_loss(const struct taking *taking, const struct step *step)
{
    const struct qn_record *record = &taking->replica->record;
    if (taking->replica->record_head.state == QN_RECORD_TRASHED)
        return false;
    for (size_t i = 0; i < step->count; i++)
        if (qn_record_pair(record, step->pairs[i].field, &step->pairs[i].pair.dot) == NULL)
            return false;
    qn_vec_each (&record->fields, field) {
        if (qn_span_eq_str(field->name, QN_FIELD_TRASH))
            continue;
        qn_vec_each (&field->pairs, pair)
            if (is_dropped(taking, step, field->name, pair))
                return true;
    }
    return false;
}

static bool is_too_much(const struct taking *taking)
{
    const struct qn_coll_row *row = &taking->coll->row;
    uint64_t dropped = row->dropped + taking->result.dropped;
    uint64_t max = row->rows_before / QN_PAGE_DROP_SHARE;
    return !row->may_drop && dropped > (max > QN_PAGE_DROP_MIN ? max : QN_PAGE_DROP_MIN);
}

static enum qn_err check_losses(struct taking *taking)
{
    struct step step;
    QN_TRY(start(taking, &step));
    if (step.own.size == 0)
        return QN_OK;
    enum qn_err err;
    while ((err = next(taking, &step)) == QN_OK) {
        QN_TRY(qn_replica_load(taking->replica, taking->coll, step.key));
        taking->result.dropped += is_loss(taking, &step);
        QN_TRY(pass(taking, &step));
    }
    QN_TRY(qn_may_miss(err));
    return is_too_much(taking) ? QN_ERR_CONFLICT : QN_OK;
}

static enum qn_err check(struct taking *taking)
{
    QN_TRY(check_clock(taking));
    QN_TRY(check_pairs(taking));
    return check_losses(taking);
}

/* --- merging --- */

/* What somebody threw away and nobody has any more was erased: nothing may stay of it. */
static enum qn_err keep_past(struct taking *taking, const struct step *step, struct qn_span field,
                             const struct qn_pair *pair)
{
    struct qn_replica *replica = taking->replica;
    struct qn_op by = {.hlc = qn_hlc_next(0, replica->wall_ms), .key = step->key};
    if (replica->record_head.state == QN_RECORD_TRASHED && step->count == 0)
        return QN_OK;
    return qn_history_add(&replica->dict, taking->coll->row.number, field, pair, &by);
}

struct drops {
    QN_VEC(struct qn_page_pair) list;
};

static void find_drops(const struct taking *taking, const struct step *step, struct drops *out)
{
    qn_vec_each (&taking->replica->record.fields, field)
        qn_vec_each (&field->pairs, pair)
            if (is_dropped(taking, step, field->name, pair))
                qn_vec_push(&out->list, ((struct qn_page_pair){field->name, *pair}));
}

static enum qn_err drop(struct taking *taking, const struct step *step,
                        const struct qn_page_pair *mine)
{
    struct qn_coll_state *coll = taking->coll;
    struct qn_spot at = {QN_SPOT_PAIR, step->key, mine->field, mine->pair.dot};
    QN_TRY(keep_past(taking, step, mine->field, &mine->pair));
    qn_record_remove(&taking->replica->record, mine->field, &mine->pair.dot);
    return qn_owed_suspect(taking->replica->kv, coll->row.number, &coll->segs, &at);
}

static enum qn_err drop_all(struct taking *taking, const struct step *step, bool *is_changed)
{
    struct drops drops = {0};
    find_drops(taking, step, &drops);
    enum qn_err err = QN_OK;
    for (size_t i = 0; i < drops.list.count && err == QN_OK; i++)
        err = drop(taking, step, &drops.list.items[i]);
    *is_changed = drops.list.count > 0;
    qn_vec_free(&drops.list);
    return err;
}

static enum qn_err take_pair(struct taking *taking, const struct step *step,
                             const struct qn_page_pair *theirs, bool *is_changed)
{
    struct qn_replica *replica = taking->replica;
    struct qn_coll_state *coll = taking->coll;
    struct qn_spot at = {QN_SPOT_PAIR, step->key, theirs->field, theirs->pair.dot};
    if (qn_record_pair(&replica->record, theirs->field, &theirs->pair.dot) != NULL)
        return QN_OK;
    if (qn_replica_reflects(coll, &at, &theirs->pair.dot))
        return qn_owed_suspect(replica->kv, coll->row.number, &coll->segs, &at);
    qn_record_add(&replica->record, theirs->field, &theirs->pair);
    *is_changed = true;
    return QN_OK;
}

/* Its whole copy comes when the clocks are equal (replica_repair.c), if its site is still there. */
static enum qn_err keep_aside(struct taking *taking, const struct step *step)
{
    QN_TRY(qn_aside_outdate(taking->replica->kv, taking->coll->row.number, step->key));
    for (size_t i = 0; i < step->count; i++)
        QN_TRY(qn_replica_keep_pair(taking->replica, taking->coll, step->key, step->pairs[i].field,
                                    &step->pairs[i].pair));
    return QN_OK;
}

static enum qn_err merge(struct taking *taking, const struct step *step)
{
    bool is_changed;
    struct qn_replica *replica = taking->replica;
    QN_TRY(qn_replica_load(replica, taking->coll, step->key));
    if (replica->is_aside)
        return keep_aside(taking, step);
    QN_TRY(drop_all(taking, step, &is_changed));
    for (size_t i = 0; i < step->count; i++)
        QN_TRY(take_pair(taking, step, &step->pairs[i], &is_changed));
    if (!is_changed)
        return QN_OK;
    taking->result.changed++;
    bool was_trashed = replica->record_head.state == QN_RECORD_TRASHED;
    QN_TRY(qn_replica_store(replica, taking->coll, step->key));
    if (was_trashed && step->count == 0 && replica->record_head.state == QN_RECORD_NONE)
        return qn_history_purge(replica->kv, taking->coll->row.number, step->key);
    return QN_OK;
}

/* Before the page is merged: that these records are not in it says nothing. */
static enum qn_err lose_all(struct taking *taking)
{
    qn_vec_each (&taking->lost, lost)
        QN_TRY(qn_replica_lose(taking->replica, taking->coll, lost));
    return QN_OK;
}

static enum qn_err merge_all(struct taking *taking)
{
    struct step step;
    enum qn_err err;
    QN_TRY(lose_all(taking));
    QN_TRY(start(taking, &step));
    while ((err = next(taking, &step)) == QN_OK) {
        QN_TRY(merge(taking, &step));
        QN_TRY(pass(taking, &step));
    }
    return qn_may_miss(err);
}

static enum qn_err add_segment(struct taking *taking)
{
    struct qn_kv *kv = taking->replica->kv;
    struct qn_coll_state *coll = taking->coll;
    uint32_t number = coll->row.number;
    if (taking->clock == SIZE_MAX)
        QN_TRY(qn_segs_add_clock(kv, number, &coll->segs, &taking->page.heads, &taking->clock));
    struct qn_seg seg = {.pass = coll->row.pass,
                         .clock = taking->clock,
                         .lo = taking->page.lo,
                         .hi = taking->page.hi};
    return qn_segs_add(kv, number, &coll->segs, &seg);
}

/* Others know operations of this site that it has not: it is a copy of an older one. */
static enum qn_err check_self(const struct taking *taking)
{
    struct qn_replica *replica = taking->replica;
    if (!replica->has_self ||
        qn_vv_get(&taking->vv, &replica->self) <= qn_vv_get(&taking->coll->cc, &replica->self))
        return QN_OK;
    return qn_replica_renew(replica);
}

static enum qn_err write(struct taking *taking)
{
    struct qn_replica *replica = taking->replica;
    struct qn_coll_state *coll = taking->coll;
    QN_TRY(check_self(taking));
    QN_TRY(merge_all(taking));
    QN_TRY(add_segment(taking));
    qn_replica_see(replica, taking->latest);
    coll->row.dropped += taking->result.dropped;
    if (QN_BUG(QN_BUG_PAGE_CLAIMS))
        QN_TRY(qn_late_claim(replica, coll));
    if (taking->result.is_end)
        QN_TRY(qn_late_end_pass(replica, coll));
    qn_replica_touch(replica, &coll->id);
    return qn_coll_row_put(replica->kv, &coll->id, &coll->row);
}

/* --- whether it is the next one --- */

static enum qn_err take(struct taking *taking)
{
    static const struct qn_spot start_of_all = {.kind = QN_SPOT_START};
    const struct qn_coll_state *coll = taking->coll;
    const struct qn_seg *last = qn_segs_last(&coll->segs, coll->row.pass);
    const struct qn_spot *cursor = last != NULL ? &last->hi : &start_of_all;
    if (qn_spot_cmp(&taking->page.hi, cursor) <= 0)
        return QN_OK;
    if (qn_spot_cmp(&taking->page.lo, cursor) != 0)
        return QN_ERR_STATE;
    taking->result.is_end = taking->page.hi.kind == QN_SPOT_END;
    QN_TRY(check(taking));
    return qn_replica_fault(write(taking));
}

static enum qn_err unpack_lost(struct taking *taking, struct qn_span lost)
{
    struct qn_cursor cursor = qn_cursor(lost);
    size_t count = 0;
    if (lost.size > 0)
        QN_TRY(qn_cursor_array(&cursor, SIZE_MAX, &count));
    for (size_t i = 0; i < count; i += 3) {
        struct qn_copy_left one;
        QN_TRY(qn_copy_left_unpack(&cursor, &one));
        qn_vec_push(&taking->lost, one);
    }
    return qn_cursor_finish(&cursor);
}

static void free_lost(struct taking *taking)
{
    qn_vec_each (&taking->lost, lost)
        qn_copy_left_deinit(lost);
    qn_vec_free(&taking->lost);
}

enum qn_err qn_replica_page(struct qn_replica *replica, const struct qn_coll_id *coll,
                            struct qn_span body, struct qn_span lost,
                            struct qn_page_result *ret_result)
{
    struct taking taking = {.replica = replica};
    QN_TRY(qn_replica_coll(replica, coll, &taking.coll));
    if (!taking.coll->row.is_passing)
        return QN_ERR_STATE;
    QN_TRY(qn_page_unpack(body, &taking.page));
    enum qn_err err = unpack_lost(&taking, lost);
    if (err == QN_OK)
        err = take(&taking);
    free_lost(&taking);
    qn_vv_deinit(&taking.vv);
    qn_page_deinit(&taking.page);
    if (err == QN_OK)
        *ret_result = taking.result;
    return err;
}
