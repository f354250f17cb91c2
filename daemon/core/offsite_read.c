/* What offsite*.c reads of the book, in any read transaction (QN_READ_COPY). The forms of arguments
 * and answers stand at `enum copy_read`. Pure reading: nothing here knows a core. */
#include "core/offsite_impl.h"

#define PACKS_MAX 256 /* in one answer */

struct reader {
    struct qn_kv *kv;
    struct qn_site_id holder;
    struct qn_cursor args;
    struct qn_buf *out;
};

static void pack_digest(struct reader *reader, const struct qn_digest *digest)
{
    qn_pack_bin(reader->out, qn_digest_view(digest));
}

/* ---- whether there is anything to do ---- */

static enum qn_err find_packs(struct reader *reader, bool *ret_are_there)
{
    struct qn_book_next next;
    uint64_t after = 0;
    size_t count = 0;
    bool is_end = false;
    while (count == 0 && !is_end)
        QN_TRY(qn_book_next_packs(reader->kv, &reader->holder, after, 1, &next, &count, &after,
                                  &is_end));
    *ret_are_there = count > 0;
    return QN_OK;
}

static enum qn_err find_list(struct reader *reader, uint64_t after, uint64_t *ret_after,
                             struct qn_own_snap *ret_snap)
{
    enum qn_err err;
    do {
        err = qn_book_next_list(reader->kv, &reader->holder, after, &after, ret_snap);
    } while (err == QN_ERR_BUSY);
    *ret_after = after;
    return err;
}

static enum qn_err is_found(enum qn_err err, bool *ret_is_found)
{
    *ret_is_found = err == QN_OK;
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

static enum qn_err pack_proof(struct reader *reader)
{
    struct qn_proof proof;
    QN_TRY(qn_book_proof_get(reader->kv, &reader->holder, &proof));
    qn_pack_u64(reader->out, proof.verified_ms);
    qn_pack_u64(reader->out, proof.ended_ms);
    qn_pack_u64(reader->out, proof.started_ms);
    qn_pack_u64(reader->out, proof.at);
    qn_pack_u64(reader->out, proof.bad);
    qn_pack_u64(reader->out, proof.unknown);
    return QN_OK;
}

static enum qn_err read_look(struct reader *reader)
{
    struct qn_copy copy;
    struct qn_own_totals totals;
    struct qn_own_snap snap;
    struct qn_digest sum, list;
    uint64_t after, unread;
    bool has_packs, has_list, has_forget;
    QN_TRY(qn_book_copy_get(reader->kv, &reader->holder, &copy));
    QN_TRY(qn_book_totals(reader->kv, &totals));
    QN_TRY(qn_book_list_sum(reader->kv, &reader->holder, &sum));
    QN_TRY(find_packs(reader, &has_packs));
    QN_TRY(is_found(find_list(reader, 0, &after, &snap), &has_list));
    QN_TRY(is_found(qn_book_next_forget(reader->kv, &reader->holder, NULL, &list), &has_forget));
    QN_TRY(qn_book_unread_count(reader->kv, &reader->holder, &unread));
    qn_pack_array(reader->out, 14);
    pack_digest(reader, &copy.sum);
    pack_digest(reader, &sum);
    qn_pack_bool(reader->out, has_packs);
    qn_pack_bool(reader->out, has_list);
    qn_pack_bool(reader->out, has_forget);
    qn_pack_u64(reader->out, copy.own_packs);
    qn_pack_u64(reader->out, qn_copy_missing_bytes(&copy, &totals));
    qn_pack_u64(reader->out, unread);
    return pack_proof(reader);
}

/* ---- packs ---- */

typedef enum qn_err (*next_packs)(struct qn_kv *kv, const struct qn_site_id *holder,
                                  uint64_t after_order, size_t count_max, struct qn_book_next *out,
                                  size_t *ret_count, uint64_t *ret_after, bool *ret_is_end);

static enum qn_err read_packs(struct reader *reader, next_packs next)
{
    struct qn_book_next packs[PACKS_MAX];
    uint64_t after, count_max;
    size_t count;
    bool is_end;
    QN_TRY(qn_cursor_u64(&reader->args, &after));
    QN_TRY(qn_cursor_u64(&reader->args, &count_max));
    if (count_max > PACKS_MAX)
        return QN_ERR_LIMIT;
    QN_TRY(next(reader->kv, &reader->holder, after, count_max, packs, &count, &after, &is_end));
    qn_pack_array(reader->out, 3);
    qn_pack_u64(reader->out, after);
    qn_pack_bool(reader->out, is_end);
    qn_pack_array(reader->out, 3 * count);
    for (size_t i = 0; i < count; i++) {
        pack_digest(reader, &packs[i].pack);
        qn_pack_u64(reader->out, packs[i].size);
        qn_pack_u64(reader->out, packs[i].order);
    }
    return QN_OK;
}

/* ---- lists ---- */

static void pack_head(struct reader *reader, const struct qn_own_snap *snap)
{
    pack_digest(reader, &snap->name);
    pack_digest(reader, &snap->names);
    qn_pack_u64(reader->out, snap->name_count);
}

/* The youngest snapshot whose list the holder has whole, of the same plan if there is one. */
static enum qn_err find_base(struct reader *reader, const struct qn_own_snap *snap,
                             struct qn_own_snap *ret_base, bool *ret_has)
{
    struct qn_own_snap other;
    uint64_t after = 0;
    bool has_same = false;
    enum qn_err err;
    *ret_has = false;
    while ((err = qn_book_snap_next(reader->kv, after, &other)) == QN_OK) {
        enum qn_copy_state state;
        bool is_same = strcmp(other.plan, snap->plan) == 0;
        after = other.number;
        QN_TRY(qn_book_copy_state(reader->kv, &reader->holder, &other, &state));
        if (state != QN_COPY_COMPLETE || (has_same && !is_same))
            continue;
        has_same |= is_same;
        *ret_has = true;
        *ret_base = other;
    }
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

static enum qn_err read_list(struct reader *reader)
{
    struct qn_own_snap snap, base;
    uint64_t after;
    bool has_list, has_base = false;
    QN_TRY(qn_cursor_u64(&reader->args, &after));
    QN_TRY(is_found(find_list(reader, after, &after, &snap), &has_list));
    qn_pack_array(reader->out, has_list ? 7 : 2);
    qn_pack_u64(reader->out, after);
    if (!has_list) {
        qn_pack_nil(reader->out);
        return QN_OK;
    }
    pack_head(reader, &snap);
    QN_TRY(find_base(reader, &snap, &base, &has_base));
    if (has_base) {
        pack_head(reader, &base);
        return QN_OK;
    }
    for (int i = 0; i < 3; i++)
        qn_pack_nil(reader->out);
    return QN_OK;
}

static enum qn_err read_forgets(struct reader *reader)
{
    QN_AUTO_BUF struct qn_buf lists;
    struct qn_digest list;
    const struct qn_digest *after = NULL;
    enum qn_err err = QN_OK;
    qn_buf_init(&lists, BULK_OFFERS_MAX * QN_DIGEST_SIZE);
    while (lists.size < lists.size_max &&
           (err = qn_book_next_forget(reader->kv, &reader->holder, after, &list)) == QN_OK) {
        qn_buf_append_span(&lists, qn_digest_view(&list));
        after = &list;
    }
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        return err;
    qn_pack_array(reader->out, 1);
    qn_pack_bin(reader->out, qn_buf_view(&lists));
    return QN_OK;
}

/* ---- comparing: two ascending rows of names ---- */

typedef enum qn_err (*book_names)(struct qn_kv *kv, const struct qn_site_id *holder,
                                  const struct qn_digest *after, size_t count_max,
                                  struct qn_digest *out, size_t *ret_count, bool *ret_is_end);

struct compare {
    uint64_t what;
    bool has_after, is_last;
    struct qn_digest after;
    uint64_t unknown_max, unknown;
    struct qn_span theirs;
    size_t at; /* names of theirs that were passed */
    size_t lost_max;
    struct qn_buf lost; /* in the book, not there */
    struct qn_buf more; /* there, not in the book */
    bool is_cut;
};

static enum qn_err read_compare_args(struct reader *reader, struct compare *compare)
{
    QN_TRY(qn_cursor_u64(&reader->args, &compare->what));
    if (qn_cursor_nil(&reader->args) != QN_OK) {
        QN_TRY(read_digest(&reader->args, &compare->after));
        compare->has_after = true;
    }
    QN_TRY(qn_cursor_bool(&reader->args, &compare->is_last));
    QN_TRY(qn_cursor_u64(&reader->args, &compare->unknown_max));
    return read_joined(&reader->args, BULK_NAMES_MAX, &compare->theirs);
}

static const uint8_t *their_name(const struct compare *compare)
{
    size_t at = compare->at * QN_DIGEST_SIZE;
    return at < compare->theirs.size ? compare->theirs.data + at : NULL;
}

static void pass_theirs(struct compare *compare, const struct qn_digest *until)
{
    for (const uint8_t *name; (name = their_name(compare)) != NULL; compare->at++) {
        if (until != NULL && memcmp(name, until->bytes, QN_DIGEST_SIZE) >= 0)
            return;
        qn_buf_append(&compare->more, name, QN_DIGEST_SIZE);
    }
}

/* One name of the book. False: the range ends before it. */
static bool pass_ours(struct compare *compare, const struct qn_digest *ours)
{
    bool is_behind =
        compare->theirs.size == 0 ||
        memcmp(ours->bytes, compare->theirs.data + compare->theirs.size - QN_DIGEST_SIZE,
               QN_DIGEST_SIZE) > 0;
    if (!compare->is_last && is_behind)
        return false;
    pass_theirs(compare, ours);
    const uint8_t *name = their_name(compare);
    if (name != NULL && memcmp(name, ours->bytes, QN_DIGEST_SIZE) == 0)
        compare->at++;
    else
        qn_buf_append_span(&compare->lost, qn_digest_view(ours));
    compare->after = *ours;
    compare->has_after = true;
    compare->is_cut = compare->lost.size >= compare->lost_max * QN_DIGEST_SIZE;
    return !compare->is_cut;
}

static enum qn_err run_compare(struct reader *reader, struct compare *compare, book_names names)
{
    struct qn_digest ours[256];
    bool is_end = false, goes_on = true;
    while (!is_end && goes_on) {
        size_t count;
        QN_TRY(names(reader->kv, &reader->holder, compare->has_after ? &compare->after : NULL,
                     sizeof(ours) / sizeof(ours[0]), ours, &count, &is_end));
        for (size_t i = 0; i < count && goes_on; i++)
            goes_on = pass_ours(compare, &ours[i]);
    }
    if (!compare->is_cut)
        pass_theirs(compare, NULL);
    return QN_OK;
}

/* What the holder has beyond the book: with the size that it has here. One that is not here is told
 * with the least, so that the sums agree. */
static enum qn_err pack_more_packs(struct reader *reader, struct compare *compare)
{
    QN_AUTO_BUF struct qn_buf rows;
    size_t count = 0;
    qn_buf_init(&rows, QN_FRAME_SIZE_MAX);
    for (size_t at = 0; at < compare->more.size; at += QN_DIGEST_SIZE) {
        struct qn_digest name;
        struct qn_own_pack pack = {.size = 1};
        memcpy(name.bytes, compare->more.data + at, sizeof(name.bytes));
        enum qn_err err = qn_book_pack_get(reader->kv, &name, &pack);
        if (err != QN_OK && err != QN_ERR_NOTFOUND)
            return err;
        if (err == QN_ERR_NOTFOUND && compare->unknown == compare->unknown_max)
            continue;
        compare->unknown += err == QN_ERR_NOTFOUND;
        qn_pack_bin(&rows, qn_digest_view(&name));
        qn_pack_u64(&rows, pack.size);
        count++;
    }
    qn_pack_array(reader->out, 2 * count);
    qn_pack_raw(reader->out, qn_buf_view(&rows));
    qn_pack_array(reader->out, 0);
    return QN_OK;
}

static bool has_name(const struct qn_buf *names, const struct qn_digest *name)
{
    return names_have(qn_buf_view(names), name);
}

/* Lists of snapshots that are here: their acknowledgement was lost. Others are left alone. */
static enum qn_err pack_more_lists(struct reader *reader, const struct compare *compare)
{
    QN_AUTO_BUF struct qn_buf rows;
    struct reader inner = *reader;
    struct qn_own_snap snap;
    uint64_t after = 0;
    size_t count = 0;
    enum qn_err err;
    qn_buf_init(&rows, QN_FRAME_SIZE_MAX);
    inner.out = &rows;
    while (count < COMPARE_LISTS_MAX &&
           (err = qn_book_snap_next(reader->kv, after, &snap)) == QN_OK) {
        struct qn_list_head head = {
            .snapshot = snap.name, .names = snap.names, .name_count = snap.name_count};
        struct qn_digest list;
        qn_list_id(&head, &list);
        after = snap.number;
        if (!has_name(&compare->more, &list))
            continue;
        pack_head(&inner, &snap);
        count++;
    }
    if (count < COMPARE_LISTS_MAX && err != QN_ERR_NOTFOUND)
        return err;
    qn_pack_array(reader->out, 0);
    qn_pack_array(reader->out, 3 * count);
    qn_pack_raw(reader->out, qn_buf_view(&rows));
    return QN_OK;
}

static enum qn_err pack_compared(struct reader *reader, struct compare *compare)
{
    bool are_packs = compare->what == 0;
    qn_pack_array(reader->out, 5);
    if (compare->is_cut)
        pack_digest(reader, &compare->after);
    else
        qn_pack_nil(reader->out);
    qn_pack_bin(reader->out, qn_buf_view(&compare->lost));
    QN_TRY(are_packs ? pack_more_packs(reader, compare) : pack_more_lists(reader, compare));
    qn_pack_u64(reader->out, compare->unknown);
    return QN_OK;
}

static enum qn_err read_compare(struct reader *reader)
{
    struct compare compare = {0};
    QN_TRY(read_compare_args(reader, &compare));
    bool are_packs = compare.what == 0;
    compare.lost_max = are_packs ? COMPARE_LOST_MAX : COMPARE_LISTS_MAX;
    qn_buf_init(&compare.lost, compare.lost_max * QN_DIGEST_SIZE);
    qn_buf_init(&compare.more, BULK_NAMES_MAX * QN_DIGEST_SIZE);
    enum qn_err err = run_compare(reader, &compare, are_packs ? qn_book_names : qn_book_lists);
    if (err == QN_OK)
        err = pack_compared(reader, &compare);
    qn_buf_deinit(&compare.lost);
    qn_buf_deinit(&compare.more);
    return err;
}

enum qn_err offsite_read(struct qn_kv *kv, struct qn_span args, struct qn_buf *out)
{
    struct reader reader = {.kv = kv, .args = qn_cursor(args), .out = out};
    size_t count;
    uint64_t what;
    QN_TRY(qn_cursor_array(&reader.args, 16, &count));
    QN_TRY(qn_cursor_u64(&reader.args, &what));
    QN_TRY(qn_cursor_bytes(&reader.args, reader.holder.bytes, sizeof(reader.holder.bytes)));
    switch ((enum copy_read)what) {
    case COPY_READ_LOOK:
        return read_look(&reader);
    case COPY_READ_PACKS:
        return read_packs(&reader, qn_book_next_packs);
    case COPY_READ_ACKED:
        return read_packs(&reader, qn_book_next_acked);
    case COPY_READ_LIST:
        return read_list(&reader);
    case COPY_READ_FORGETS:
        return read_forgets(&reader);
    case COPY_READ_COMPARE:
        return read_compare(&reader);
    }
    return QN_ERR_INVALID;
}
