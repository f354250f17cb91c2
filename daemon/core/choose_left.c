/* A record that nobody has whole is given up: what all sites have of it, whenever that was, is
 * joined here and written anew by this one (model/repair.h). */
#include "core/integrity.h"

#define JOINED_SIZE_MAX (QN_FRAME_SIZE_MAX / 2) /* of LEFT_KEYS_MAX in one intent, each twice */
#define PAIR_SIZE       64                      /* of a pair, beside its texts, at most */

struct joined {
    struct qn_record record;
    size_t size;
};

/* What is here of a pair already stays: nobody can say which is right. */
static void join(struct joined *joined, const struct qn_record *from)
{
    qn_vec_each (&from->fields, field)
        qn_vec_each (&field->pairs, pair) {
            size_t size = PAIR_SIZE + field->name.size + pair->user.size + pair->value.size;
            if (joined->size + size > JOINED_SIZE_MAX ||
                qn_record_pair(&joined->record, field->name, &pair->dot) != NULL)
                continue;
            qn_record_add(&joined->record, field->name, pair);
            joined->size += size;
        }
}

/* Of late sites, which have it whole, as far as they are. */
static void join_copy(const struct vote *vote, struct qn_span key, struct joined *said)
{
    struct qn_record_copy copy = {0};
    if (vote_find(vote, key, &copy) != QN_OK)
        return;
    if (copy.kind == QN_COPY_RECORD)
        join(said, &copy.record);
    qn_record_copy_deinit(&copy);
}

/* Behind the copies; earlier releases say nothing there. */
static enum qn_err open_left(const struct vote *vote, struct qn_cursor *ret_cursor,
                             size_t *ret_count)
{
    uint8_t clock[QN_ROOT_SIZE];
    struct qn_span skipped;
    size_t copies;
    if (!vote->has_answered)
        return QN_ERR_NOTFOUND;
    QN_TRY(vote_open(vote, ret_cursor, clock, &copies));
    for (size_t i = 0; i < copies; i++)
        QN_TRY(qn_cursor_skip(ret_cursor, QN_VALUE_DEPTH_MAX + 2, &skipped));
    if (qn_cursor_is_end(ret_cursor))
        return QN_ERR_NOTFOUND;
    return qn_cursor_array(ret_cursor, 3 * QN_COPIES_MAX, ret_count);
}

static void join_left(const struct vote *vote, struct qn_span key, struct joined *said,
                      struct joined *seen)
{
    struct qn_cursor cursor;
    size_t count = 0;
    if (open_left(vote, &cursor, &count) != QN_OK)
        return;
    for (size_t i = 0; i + 3 <= count; i += 3) {
        struct qn_copy_left left;
        if (qn_copy_left_unpack(&cursor, &left) != QN_OK)
            return;
        if (qn_span_eq(left.key, key)) {
            join(said, &left.said);
            join(seen, &left.seen);
        }
        qn_copy_left_deinit(&left);
    }
}

static void add_item(const struct repairing *repairing, struct qn_span key, enum qn_repair_how how,
                     const struct qn_record *record, struct qn_buf *out)
{
    qn_pack_str(out, key);
    qn_pack_u64(out, how);
    qn_pack_bin(out, QN_SPAN_OF(repairing->votes.items[0].site.bytes));
    if (record->fields.count > 0)
        qn_record_pack(record, out);
    else
        qn_pack_nil(out);
}

size_t repair_add_left(const struct repairing *repairing, struct qn_span key, struct qn_buf *out)
{
    struct joined said = {.size = 0}, seen = {.size = 0};
    size_t count = 1;
    qn_vec_each (&repairing->votes, vote) {
        join_copy(vote, key, &said);
        join_left(vote, key, &said, &seen);
    }
    add_item(repairing, key, QN_REPAIR_ANEW, &said.record, out);
    if (seen.record.fields.count > 0) {
        add_item(repairing, key, QN_REPAIR_ANEW_SEEN, &seen.record, out);
        count++;
    }
    qn_record_deinit(&said.record);
    qn_record_deinit(&seen.record);
    return count;
}
