/* What the copies of several sites come to (RECORDS 1.6): of a record that is damaged here, the
 * copy that matches the hash that it bore, else what most sites have; of one that is whole
 * everywhere and not the same, what the majority of three or more sites has, else all values,
 * written anew by the site with the lowest identity, so that one site does it. */
#include "core/integrity.h"

#define ITEMS_MAX 2 /* of one key */

/* A parsed copy of the key in hand. */
struct candidate {
    const struct vote *vote;
    struct qn_record_copy copy;
    uint8_t hash[QN_STATE_HASH_SIZE];
    size_t equals; /* how many candidates have the same */
};

struct candidates {
    QN_VEC(struct candidate) list; /* of the sites with the clock; the own one first */
};

enum qn_err vote_open(const struct vote *vote, struct qn_cursor *ret_cursor,
                      uint8_t ret_clock[QN_ROOT_SIZE], size_t *ret_count)
{
    *ret_cursor = qn_cursor(qn_buf_view(&vote->copies));
    QN_TRY(qn_cursor_bytes(ret_cursor, ret_clock, QN_ROOT_SIZE));
    QN_TRY(qn_cursor_array(ret_cursor, 2 * QN_COPIES_MAX, ret_count));
    return *ret_count % 2 == 0 ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_clock(const struct vote *vote, uint8_t ret_clock[QN_ROOT_SIZE])
{
    struct qn_cursor cursor;
    size_t count;
    return vote->has_answered ? vote_open(vote, &cursor, ret_clock, &count) : QN_ERR_NOTFOUND;
}

static void hash_of(const struct qn_record_copy *copy, uint8_t ret_hash[QN_STATE_HASH_SIZE])
{
    memset(ret_hash, 0, QN_STATE_HASH_SIZE);
    if (copy->kind == QN_COPY_RECORD)
        qn_record_hash(&copy->record, false, ret_hash);
}

enum qn_err vote_find(const struct vote *vote, struct qn_span key, struct qn_record_copy *ret_copy)
{
    struct qn_cursor cursor;
    uint8_t clock[QN_ROOT_SIZE];
    size_t count;
    if (!vote->has_answered)
        return QN_ERR_NOTFOUND;
    QN_TRY(vote_open(vote, &cursor, clock, &count));
    for (size_t i = 0; i < count; i += 2) {
        struct qn_span found;
        QN_TRY(qn_cursor_str(&cursor, QN_KEY_SIZE_MAX, &found));
        struct qn_record_copy copy = {0};
        QN_TRY(qn_record_copy_unpack(&cursor, &copy));
        if (qn_span_eq(found, key)) {
            *ret_copy = copy;
            return QN_OK;
        }
        qn_record_copy_deinit(&copy);
    }
    return QN_ERR_NOTFOUND;
}

static bool has_clock(const struct vote *vote, const uint8_t clock[QN_ROOT_SIZE])
{
    uint8_t theirs[QN_ROOT_SIZE];
    return read_clock(vote, theirs) == QN_OK && memcmp(clock, theirs, sizeof(theirs)) == 0;
}

static void collect(const struct repairing *repairing, const uint8_t clock[QN_ROOT_SIZE],
                    struct qn_span key, struct candidates *candidates)
{
    qn_vec_each (&repairing->votes, vote) {
        struct qn_record_copy copy = {0};
        if (!has_clock(vote, clock) || vote_find(vote, key, &copy) != QN_OK)
            continue;
        struct candidate *candidate = qn_vec_push_slot(&candidates->list);
        *candidate = (struct candidate){.vote = vote, .copy = copy};
        hash_of(&copy, candidate->hash);
    }
}

static bool is_whole(const struct candidate *candidate)
{
    return candidate->copy.kind == QN_COPY_RECORD || candidate->copy.kind == QN_COPY_NONE;
}

static size_t count_equals(struct candidates *candidates)
{
    size_t whole = 0;
    qn_vec_each (&candidates->list, a) {
        a->equals = 0;
        whole += is_whole(a);
        qn_vec_each (&candidates->list, b)
            a->equals +=
                is_whole(a) && is_whole(b) && memcmp(a->hash, b->hash, sizeof(a->hash)) == 0;
    }
    return whole;
}

static void release(struct candidates *candidates)
{
    qn_vec_each (&candidates->list, candidate)
        qn_record_copy_deinit(&candidate->copy);
    qn_vec_free(&candidates->list);
}

/* The one that most have. */
static const struct candidate *best(const struct candidates *candidates)
{
    const struct candidate *found = NULL;
    qn_vec_each (&candidates->list, candidate)
        if (is_whole(candidate) && (found == NULL || candidate->equals > found->equals))
            found = candidate;
    return found;
}

static const struct candidate *that_matches(const struct candidates *candidates,
                                            struct qn_span hash)
{
    qn_vec_each (&candidates->list, candidate)
        if (candidate->copy.kind == QN_COPY_RECORD && qn_span_eq(QN_SPAN_OF(candidate->hash), hash))
            return candidate;
    return NULL;
}

static bool is_lowest(const struct candidates *candidates, const struct qn_site_id *site)
{
    qn_vec_each (&candidates->list, candidate)
        if (is_whole(candidate) &&
            memcmp(candidate->vote->site.bytes, site->bytes, sizeof(site->bytes)) < 0)
            return false;
    return true;
}

static bool contradicts(const struct qn_record *a, const struct qn_record *b)
{
    qn_vec_each (&a->fields, field)
        qn_vec_each (&field->pairs, pair) {
            const struct qn_pair *other = qn_record_pair(b, field->name, &pair->dot);
            if (other != NULL && !qn_span_eq(other->value, pair->value))
                return true;
        }
    return false;
}

static bool has_more_fields(const struct qn_record *a, const struct qn_record *b)
{
    qn_vec_each (&a->fields, field)
        if (qn_record_field(b, field->name) == NULL)
            return true;
    return false;
}

/* Records that are no copy of one another, of which one is damaged, but were written by a machine
 * that ran twice: one dot has two contents, or a record or field is one that most know nothing of.
 * No number of sites says which of the two runs is right (docs/records.md). */
static bool is_of_twins(const struct candidates *candidates, const struct candidate *most)
{
    if (most->copy.kind == QN_COPY_NONE)
        return true;
    qn_vec_each (&candidates->list, a)
        if (a->copy.kind == QN_COPY_RECORD && has_more_fields(&a->copy.record, &most->copy.record))
            return true;
    qn_vec_each (&candidates->list, a)
        qn_vec_each (&candidates->list, b)
            if (a->copy.kind == QN_COPY_RECORD && b->copy.kind == QN_COPY_RECORD &&
                contradicts(&a->copy.record, &b->copy.record))
                return true;
    return false;
}

/* NULL: there is nothing to do here. */
static const struct candidate *choose(const struct qn_core *core, struct candidates *candidates,
                                      enum qn_repair_how *ret_how)
{
    size_t whole = count_equals(candidates);
    const struct candidate *own = &candidates->list.items[0], *most = best(candidates);
    if (own->copy.kind == QN_COPY_DAMAGED) {
        const struct candidate *match = that_matches(candidates, own->copy.hash);
        *ret_how = QN_REPAIR_TAKE;
        return match != NULL ? match : most;
    }
    if (!is_whole(own) || own->equals == whole)
        return NULL;
    if (whole >= 3 && 2 * most->equals > whole && !is_of_twins(candidates, most)) {
        *ret_how = QN_REPAIR_MAJORITY;
        return memcmp(most->hash, own->hash, sizeof(own->hash)) == 0 ? NULL : most;
    }
    *ret_how = QN_REPAIR_BOTH;
    if (!is_lowest(candidates, &core->site))
        return NULL;
    qn_vec_each (&candidates->list, other)
        if (is_whole(other) && memcmp(other->hash, own->hash, sizeof(own->hash)) != 0)
            return other;
    return NULL;
}

static void add_item(struct qn_span key, enum qn_repair_how how, const struct candidate *chosen,
                     struct qn_buf *out)
{
    qn_pack_str(out, key);
    qn_pack_u64(out, how);
    qn_pack_bin(out, QN_SPAN_OF(chosen->vote->site.bytes));
    qn_pack_raw(out, chosen->copy.packed);
}

/* Those with that clock. */
static size_t count_equal_clocks(const struct repairing *repairing,
                                 const uint8_t clock[QN_ROOT_SIZE])
{
    size_t equal = 0;
    qn_vec_each (&repairing->votes, vote)
        equal += has_clock(vote, clock);
    return equal;
}

/* ---- where nobody else has the clock ---- */

static bool is_late(const uint8_t clock[QN_ROOT_SIZE])
{
    static const uint8_t zeros[QN_ROOT_SIZE];
    return memcmp(clock, zeros, sizeof(zeros)) == 0;
}

/* Whoever has it at another clock and is not late will have this one, or is waited for. */
static bool is_beyond_help(const struct vote *vote, struct qn_span key)
{
    uint8_t clock[QN_ROOT_SIZE];
    struct qn_record_copy copy = {0};
    if (read_clock(vote, clock) != QN_OK || vote_find(vote, key, &copy) != QN_OK)
        return false;
    bool is_damaged = copy.kind == QN_COPY_DAMAGED;
    qn_record_copy_deinit(&copy);
    return is_damaged || is_late(clock);
}

/* At any of those that answered. */
static bool is_hopeless(const struct repairing *repairing, struct qn_span key)
{
    qn_vec_each (&repairing->votes, vote)
        if (vote->has_answered && !is_beyond_help(vote, key))
            return false;
    return true;
}

/* The very record that was damaged, whatever else its site has. */
static size_t add_same(const struct repairing *repairing, struct qn_span key, struct qn_span hash,
                       struct qn_buf *out)
{
    size_t count = 0;
    for (size_t i = 1; i < repairing->votes.count && count == 0; i++) {
        uint8_t theirs[QN_STATE_HASH_SIZE];
        struct candidate candidate = {.vote = &repairing->votes.items[i]};
        if (vote_find(candidate.vote, key, &candidate.copy) != QN_OK)
            continue;
        hash_of(&candidate.copy, theirs);
        if (candidate.copy.kind == QN_COPY_RECORD && qn_span_eq(QN_SPAN_OF(theirs), hash)) {
            add_item(key, QN_REPAIR_SAME, &candidate, out);
            count = 1;
        }
        qn_record_copy_deinit(&candidate.copy);
    }
    return count;
}

/* A record that is damaged here, and for which nobody has a copy of the same clock. */
static size_t add_other(struct repairing *repairing, const struct qn_record_copy *own,
                        struct qn_span key, struct qn_buf *out)
{
    size_t count = own->hash.size > 0 ? add_same(repairing, key, own->hash, out) : 0;
    if (count > 0 || !is_hopeless(repairing, key))
        return count;
    if (!repairing->has_all) {
        repairing->is_waiting = true; /* whoever is away may have it: nothing is given up */
        return 0;
    }
    repairing->is_hopeless = true;
    repairing->has_given_up |= repairing->with_left;
    return repairing->with_left ? repair_add_left(repairing, key, out) : 0;
}

/* ---- all of them ---- */

static size_t choose_one(const struct qn_core *core, struct repairing *repairing,
                         const uint8_t clock[QN_ROOT_SIZE], struct qn_span key, struct qn_buf *out)
{
    struct candidates candidates = {0};
    size_t count = 0;
    collect(repairing, clock, key, &candidates);
    if (candidates.list.count > 0 && candidates.list.items[0].vote == &repairing->votes.items[0]) {
        const struct candidate *own = &candidates.list.items[0];
        enum qn_repair_how how = QN_REPAIR_TAKE;
        const struct candidate *chosen =
            candidates.list.count > 1 ? choose(core, &candidates, &how) : NULL;
        repairing->diverges |= how == QN_REPAIR_BOTH;
        count = chosen != NULL;
        if (chosen != NULL)
            add_item(key, how, chosen, out);
        else if (own->copy.kind == QN_COPY_DAMAGED)
            count = add_other(repairing, &own->copy, key, out);
    }
    release(&candidates);
    return count;
}

static enum qn_err choose_each(const struct qn_core *core, struct repairing *repairing,
                               const uint8_t clock[QN_ROOT_SIZE], struct qn_buf *items,
                               size_t *count)
{
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&repairing->keys));
    size_t keys;
    QN_TRY(qn_cursor_array(&cursor, QN_COPIES_MAX, &keys));
    for (size_t i = 0; i < keys && *count + ITEMS_MAX <= QN_COPIES_MAX; i++) {
        struct qn_span key;
        QN_TRY(qn_cursor_str(&cursor, QN_KEY_SIZE_MAX, &key));
        *count += choose_one(core, repairing, clock, key, items);
    }
    return QN_OK;
}

enum qn_err repair_choose(const struct qn_core *core, const struct coll *coll,
                          struct repairing *repairing, struct qn_buf *out, size_t *ret_count)
{
    uint8_t clock[QN_ROOT_SIZE];
    if (repairing->votes.count == 0 || !repairing->votes.items[0].has_answered)
        return QN_ERR_HELD;
    QN_TRY(read_clock(&repairing->votes.items[0], clock));
    if (is_late(clock))
        return QN_ERR_HELD;
    QN_AUTO_BUF struct qn_buf items;
    qn_buf_init(&items, out->size_max - 256);
    *ret_count = 0;
    QN_TRY(choose_each(core, repairing, clock, &items, ret_count));
    if (*ret_count == 0 && count_equal_clocks(repairing, clock) < 2)
        return QN_ERR_HELD;
    QN_TRY(qn_buf_status(&items));
    qn_pack_array(out, 3);
    qn_pack_bin(out, QN_SPAN_OF(coll->id.bytes));
    qn_pack_bin(out, qn_span(clock, QN_ROOT_SIZE));
    qn_pack_array(out, 4 * *ret_count);
    qn_pack_raw(out, qn_buf_view(&items));
    return qn_buf_status(out);
}
