#include "support/sites.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/limits.h"
#include "model/late_owed.h"
#include "proto/pack.h"

#define must(expression) cr_assert_eq((expression), QN_OK, "%s", #expression)

static size_t site_keys(void *context, const uint8_t prefix[QN_ACTOR_PREFIX_SIZE],
                        const struct qn_public_key **ret_keys)
{
    struct group *group = context;
    for (size_t i = 0; i < group->count; i++) {
        if (memcmp(group->sites[i].id.bytes, prefix, QN_ACTOR_PREFIX_SIZE) == 0) {
            *ret_keys = qn_signer_public(group->sites[i].signer);
            return 1;
        }
    }
    return 0;
}

static void site_init(struct group *group, struct site *site, uint8_t number)
{
    uint8_t seed[QN_SEED_SIZE] = {number};
    site->group = group;
    site->store = memkv_new();
    memkv_lend_strictly(site->store);
    must(qn_signer_new(seed, &site->signer));
    qn_site_id_of(qn_signer_public(site->signer), &site->id);
    struct qn_replica_options options = {
        .site = site->id, .signer = site->signer, .site_keys = site_keys, .context = group};
    site->replica = qn_replica_new(&options);
}

void group_init(struct group *group, size_t count, uint64_t seed)
{
    *group = (struct group){.count = count, .wall_ms = 1700000000000, .prng = {seed}};
    memset(group->coll.bytes, 7, sizeof(group->coll.bytes));
    for (size_t i = 0; i < count; i++)
        site_init(group, &group->sites[i], (uint8_t)(i + 1));
}

void group_deinit(struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        qn_replica_free(group->sites[i].replica);
        qn_signer_free(group->sites[i].signer);
        memkv_free(group->sites[i].store);
    }
    qn_vec_each (&group->written, written) {
        qn_op_deinit(&written->op);
        qn_free(written->bytes);
    }
    qn_vec_free(&group->written);
    qn_vv_deinit(&group->paged);
}

static struct qn_kv *reader(const struct site *site)
{
    return memkv_reader(site->store);
}

static struct qn_span text(const char *from)
{
    return qn_span_str(from);
}

/* --- writing --- */

static const struct written *find_written(const struct group *group, const struct qn_dot *dot)
{
    qn_vec_each (&group->written, written) {
        if (qn_dot_cmp(&written->op.dot, dot) == 0)
            return written;
    }
    return NULL;
}

static void remember_item(struct group *group, const struct qn_actor *actor, struct qn_span bytes)
{
    struct written written = {.bytes = qn_memdup(bytes.data, bytes.size), .size = bytes.size};
    must(qn_op_unpack(qn_span(written.bytes, bytes.size), actor, &written.op));
    const struct written *known = find_written(group, &written.op.dot);
    if (known == NULL) {
        qn_vec_push(&group->written, written);
        return;
    }
    if (!qn_span_eq(qn_span(known->bytes, known->size), bytes))
        group->fault = "a dot was used twice";
    qn_op_deinit(&written.op);
    qn_free(written.bytes);
}

/* The oracle reads what is new from the log, through the door that others read it by. */
static void remember(struct site *site, uint64_t head_before)
{
    struct group *group = site->group;
    QN_AUTO_VV struct qn_vv floor = {0};
    must(qn_read_floor(reader(site), &group->coll, &floor));
    struct qn_ops_request request = {.coll = group->coll,
                                     .known = &floor, /* what came with pages is in no log */
                                     .from_seq = head_before + 1,
                                     .size_wish = QN_FRAME_SIZE_MAX,
                                     .ops_wish = SIZE_MAX};
    QN_AUTO_BUF struct qn_buf out;
    struct qn_ops_read read;
    struct qn_ops ops;
    qn_buf_init(&out, QN_FRAME_SIZE_MAX);
    must(qn_read_ops(reader(site), &request, &out, &read));
    qn_vv_deinit(&read.last);
    if (read.op_count == 0)
        return;
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&out));
    must(qn_ops_unpack(&cursor, &ops));
    qn_vec_each (&ops.items, item)
        remember_item(group, &ops.actors.items[item->actor].last.actor, item->op);
    qn_ops_deinit(&ops);
}

void site_begin(struct site *site)
{
    struct group *group = site->group;
    site->head_before = site_info(site).order_head;
    must(qn_replica_begin(site->replica, memkv_begin(site->store), ++group->wall_ms,
                          qn_prng_next(&group->prng)));
}

enum qn_err site_end(struct site *site, enum qn_err err)
{
    if (err == QN_OK)
        err = qn_replica_seal(site->replica);
    if (err == QN_OK)
        err = memkv_commit(site->store);
    else
        memkv_abort(site->store);
    qn_replica_done(site->replica, err == QN_OK);
    if (err == QN_OK)
        remember(site, site->head_before);
    return err;
}

enum qn_err site_write(struct site *site, const struct qn_write *write,
                       struct qn_write_result *ret_result)
{
    *ret_result = (struct qn_write_result){0};
    site_begin(site);
    return site_end(site, qn_replica_write(site->replica, write, ret_result));
}

enum qn_err site_put(struct site *site, const char *key, const char *field, const char *value)
{
    QN_AUTO_BUF struct qn_buf packed;
    struct qn_write_result result;
    qn_buf_init(&packed, QN_VALUE_SIZE_MAX);
    qn_pack_cstr(&packed, value);
    struct qn_op_set set = {text(field), qn_buf_view(&packed)};
    struct qn_write write = {.coll = site->group->coll,
                             .kind = QN_OP_PUT,
                             .key = text(key),
                             .user = text("ana"),
                             .fields = &set,
                             .field_count = 1};
    return site_write(site, &write, &result);
}

enum qn_err site_do(struct site *site, enum qn_op_kind kind, const char *key)
{
    struct qn_write_result result;
    struct qn_write write = {.coll = site->group->coll, .kind = kind, .key = text(key)};
    return site_write(site, &write, &result);
}

void site_restore(struct site *site, const struct memkv *image)
{
    struct memkv *restored = memkv_clone(image);
    memkv_free(site->store);
    site->store = restored;
    site_begin(site);
    must(site_end(site, qn_replica_renew(site->replica)));
}

/* --- exchanging --- */

static void add_message(struct messages *out, struct qn_buf *body)
{
    struct message message;
    message.bytes = qn_buf_take(body, &message.size);
    qn_vec_push(&out->list, message);
}

void site_collect(struct site *from, struct site *to, struct messages *out)
{
    QN_AUTO_VV struct qn_vv known = {0};
    struct qn_ops_request request = {
        .coll = from->group->coll, .known = &known, .size_wish = 1, .ops_wish = 1};
    must(qn_read_cc(reader(to), &request.coll, &known));
    enum qn_err err = qn_read_start(reader(from), &request.coll, &known, &request.from_seq);
    for (bool is_end = request.from_seq == 0 || err != QN_OK; !is_end;) {
        struct qn_buf body;
        struct qn_ops_read read;
        qn_buf_init(&body, QN_FRAME_SIZE_MAX);
        must(qn_read_ops(reader(from), &request, &body, &read));
        if (read.op_count > 0)
            add_message(out, &body);
        qn_buf_deinit(&body);
        qn_vv_deinit(&read.last);
        request.from_seq = read.next_seq;
        is_end = read.is_end;
    }
}

void messages_free(struct messages *messages)
{
    qn_vec_each (&messages->list, message)
        qn_free(message->bytes);
    qn_vec_free(&messages->list);
}

enum qn_err site_apply(struct site *site, const struct message *message, size_t *ret_applied)
{
    struct qn_ops ops;
    struct qn_cursor cursor = qn_cursor(qn_span(message->bytes, message->size));
    *ret_applied = 0;
    must(qn_ops_unpack(&cursor, &ops));
    site_begin(site);
    enum qn_err err =
        site_end(site, qn_replica_apply(site->replica, &site->group->coll, &ops, ret_applied));
    qn_ops_deinit(&ops);
    return err;
}

enum qn_err site_pull(struct site *to, struct site *from)
{
    struct messages messages = {0};
    size_t applied;
    enum qn_err err = QN_OK;
    site_collect(from, to, &messages);
    qn_vec_each (&messages.list, message)
        if (err == QN_OK)
            err = site_apply(to, message, &applied);
    messages_free(&messages);
    return err;
}

void group_settle(struct group *group)
{
    for (size_t round = 0; round < 4; round++)
        for (size_t i = 0; i < group->count; i++)
            for (size_t j = 0; j < group->count; j++)
                if (i != j && site_pull(&group->sites[i], &group->sites[j]) != QN_OK)
                    group->fault = "an operation was refused";
}

/* --- the oracle --- */

struct triple {
    struct qn_span key, field, value;
    struct qn_dot dot;
};

struct triples {
    QN_VEC(struct triple) list;
};

static int triple_cmp(const void *a, const void *b)
{
    const struct triple *left = a, *right = b;
    int order = qn_span_cmp(left->key, right->key);
    if (order == 0)
        order = qn_span_cmp(left->field, right->field);
    return order != 0 ? order : qn_dot_cmp(&left->dot, &right->dot);
}

static bool is_removed(const struct group *group, const struct qn_vv *by, const struct triple *pair)
{
    qn_vec_each (&group->written, written) {
        if (!qn_vv_has(by, &written->op.dot))
            continue;
        qn_vec_each (&written->op.removed, removed) {
            if (qn_dot_cmp(&removed->dot, &pair->dot) == 0 &&
                qn_span_eq(removed->field, pair->field))
                return true;
        }
    }
    return false;
}

static void expected(const struct group *group, const struct qn_vv *cc, struct triples *out)
{
    qn_vec_each (&group->written, written) {
        if (!qn_vv_has(cc, &written->op.dot))
            continue;
        qn_vec_each (&written->op.set, set) {
            struct triple pair = {written->op.key, set->field, set->value, written->op.dot};
            if (!is_removed(group, cc, &pair))
                qn_vec_push(&out->list, pair);
        }
    }
    if (out->list.count > 0)
        qsort(out->list.items, out->list.count, sizeof(*out->list.items), triple_cmp);
}

/* Spans are borrowed from the store, names of fields too. */
static void stored(struct site *site, struct triples *out)
{
    struct qn_span key = qn_span(NULL, 0);
    for (;;) {
        QN_AUTO_RECORD struct qn_record record = {0};
        enum qn_err err =
            qn_read_next(reader(site), &site->group->coll, key, text(""), &key, &record);
        if (err == QN_ERR_NOTFOUND)
            return;
        must(err);
        qn_vec_each (&record.fields, field)
            qn_vec_each (&field->pairs, pair)
                qn_vec_push(&out->list,
                            ((struct triple){key, field->name, pair->value, pair->dot}));
    }
}

static bool is_equal_triple(const struct triple *a, const struct triple *b)
{
    return triple_cmp(a, b) == 0 && qn_span_eq(a->value, b->value);
}

/* What is missing here may have been replaced by an operation that was lost with its site, if a
 * page brought what came of it. */
static const char *compare(const struct group *group, const struct triples *want,
                           const struct triples *got)
{
    size_t at = 0;
    qn_vec_each (&want->list, triple) {
        if (at < got->list.count && is_equal_triple(&got->list.items[at], triple))
            at++;
        else if (!is_removed(group, &group->paged, triple))
            return "something that was written is lost";
    }
    return at == got->list.count ? NULL : "more is stored than was left";
}

static bool is_same(const struct triples *a, const struct triples *b)
{
    if (a->list.count != b->list.count)
        return false;
    for (size_t i = 0; i < a->list.count; i++)
        if (!is_equal_triple(&a->list.items[i], &b->list.items[i]))
            return false;
    return true;
}

const char *site_check_oracle(struct site *site)
{
    QN_AUTO_VV struct qn_vv cc = {0};
    struct triples want = {0}, got = {0};
    must(qn_read_cc(reader(site), &site->group->coll, &cc));
    expected(site->group, &cc, &want);
    stored(site, &got);
    const char *fault = site_info(site).late.is_late ? NULL : compare(site->group, &want, &got);
    qn_vec_free(&want.list);
    qn_vec_free(&got.list);
    return fault;
}

/* --- what follows from the records --- */

/* Of a site: what is stored reflects them. */
struct clocks {
    struct qn_vv cc;
    struct qn_segs segs;
};

struct recount {
    uint64_t live, trashed, conflicts, rows;
    uint64_t counts[65536];
    uint8_t sums[65536][32];
    uint8_t total[32];
};

/* Schoolbook addition, a byte at a time, so that it shares nothing with the model. */
static void add(uint8_t sum[32], const uint8_t leaf[32])
{
    unsigned carry = 0;
    for (size_t i = 32; i-- > 0;) {
        carry += (unsigned)sum[i] + leaf[i];
        sum[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

static void root_of(const uint8_t sum[32], uint64_t count, uint8_t out[QN_ROOT_SIZE])
{
    struct qn_digest digest;
    uint8_t number[8];
    qn_write_u64(number, count);
    QN_DIGEST(&digest, qn_span(sum, 32), QN_SPAN_OF(number));
    memcpy(out, digest.bytes, QN_ROOT_SIZE);
}

static bool is_indexed(struct site *site, enum qn_table index, struct qn_span key)
{
    struct qn_span after = qn_span(NULL, 0);
    while (qn_read_next_in(reader(site), index, &site->group->coll, after, &after) == QN_OK)
        if (qn_span_eq(after, key))
            return true;
    return false;
}

static size_t count_index(struct site *site, enum qn_table index)
{
    size_t count = 0;
    struct qn_span after = qn_span(NULL, 0);
    while (qn_read_next_in(reader(site), index, &site->group->coll, after, &after) == QN_OK)
        count++;
    return count;
}

/* Invariant 1. */
static const char *check_dot(const struct clocks *clocks, struct qn_span key,
                             const struct qn_field *field, const struct qn_pair *pair)
{
    struct qn_spot at = {QN_SPOT_PAIR, key, field->name, pair->dot};
    bool is_reflected =
        qn_vv_has(&clocks->cc, &pair->dot) || qn_segs_have(&clocks->segs, &at, &pair->dot);
    return is_reflected ? NULL : "a stored dot is not in the clock";
}

static const char *recount_record(struct site *site, struct recount *recount, struct qn_span key,
                                  const struct qn_record *record, const struct clocks *clocks)
{
    uint8_t hash[QN_STATE_HASH_SIZE];
    struct qn_digest leaf;
    enum qn_record_state state = qn_record_state(record);
    bool is_counted = !qn_span_eq_str(key, QN_KEY_COLLECTION);
    bool is_trashed = state == QN_RECORD_TRASHED, has_conflict = qn_record_has_conflict(record);
    qn_record_hash(record, false, hash);
    qn_record_leaf(&site->group->coll, key, hash, &leaf);
    add(recount->sums[qn_record_bucket(key)], leaf.bytes);
    add(recount->total, leaf.bytes);
    recount->counts[qn_record_bucket(key)]++;
    recount->rows++;
    recount->live += is_counted && !is_trashed;
    recount->trashed += is_counted && is_trashed;
    recount->conflicts += has_conflict;
    if (is_indexed(site, QN_TABLE_CONF, key) != has_conflict)
        return "the index of conflicts is wrong";
    if (is_counted && is_indexed(site, QN_TABLE_TRASH, key) != is_trashed)
        return "the index of the trash is wrong";
    qn_vec_each (&record->fields, field)
        qn_vec_each (&field->pairs, pair) {
            const char *fault = check_dot(clocks, key, field, pair);
            if (fault != NULL)
                return fault;
        }
    return NULL;
}

static const char *recount_all(struct site *site, struct recount *recount,
                               const struct clocks *clocks)
{
    struct qn_span key = qn_span(NULL, 0);
    const char *fault = NULL;
    while (fault == NULL) {
        QN_AUTO_RECORD struct qn_record record = {0};
        enum qn_err err =
            qn_read_next(reader(site), &site->group->coll, key, text(""), &key, &record);
        if (err == QN_ERR_NOTFOUND)
            return NULL;
        if (err != QN_OK)
            return "a record cannot be read";
        fault = recount_record(site, recount, key, &record, clocks);
    }
    return fault;
}

static const char *check_buckets(struct site *site, const struct recount *recount)
{
    static uint8_t first[256][QN_ROOT_SIZE], second[256][QN_ROOT_SIZE];
    uint8_t wanted[QN_ROOT_SIZE];
    must(qn_read_fp(reader(site), &site->group->coll, 1, 0, first));
    for (size_t high = 0; high < 256; high++) {
        uint8_t sum[32] = {0};
        uint64_t count = 0;
        for (size_t low = 0; low < 256; low++) {
            add(sum, recount->sums[high << 8 | low]);
            count += recount->counts[high << 8 | low];
        }
        root_of(sum, count, wanted);
        if (memcmp(wanted, first[high], QN_ROOT_SIZE) != 0)
            return "a fingerprint of 256 buckets is wrong";
        if (count == 0)
            continue;
        must(qn_read_fp(reader(site), &site->group->coll, 2, (uint8_t)high, second));
        for (size_t low = 0; low < 256; low++) {
            root_of(recount->sums[high << 8 | low], recount->counts[high << 8 | low], wanted);
            if (memcmp(wanted, second[low], QN_ROOT_SIZE) != 0)
                return "a fingerprint of a bucket is wrong";
        }
    }
    return NULL;
}

static uint64_t log_bytes(struct site *site)
{
    struct qn_span key, op, from = text("");
    uint64_t bytes = 0;
    uint8_t next[QN_KV_KEY_SIZE_MAX];
    while (qn_kv_seek(reader(site), QN_TABLE_LOG, from, &key, &op) == QN_OK) {
        bytes += op.size - 8;
        memcpy(next, key.data, key.size);
        next[key.size] = 0;
        from = qn_span(next, key.size + 1);
    }
    return bytes;
}

static const char *check_counters(struct site *site, const struct recount *recount)
{
    uint8_t root[QN_ROOT_SIZE];
    struct qn_coll_info info = site_info(site);
    root_of(recount->total, recount->rows, root);
    if (memcmp(root, info.root, sizeof(root)) != 0)
        return "the root is wrong";
    if (info.live != recount->live || info.trashed != recount->trashed ||
        info.conflicts != recount->conflicts || info.rows != recount->rows)
        return "a counter is wrong";
    if (info.log_ops != memkv_count(site->store, QN_TABLE_LOG))
        return "the count of the log is wrong";
    if (info.log_bytes != log_bytes(site))
        return "the size of the log is wrong";
    if (count_index(site, QN_TABLE_CONF) != recount->conflicts ||
        count_index(site, QN_TABLE_TRASH) != recount->trashed)
        return "an index has more than there is";
    return NULL;
}

/* The whole log can be read and ends, for every actor that it holds, at the clock. */
static const char *check_log(struct site *site, const struct qn_vv *cc)
{
    QN_AUTO_VV struct qn_vv seen = {0};
    must(qn_read_floor(reader(site), &site->group->coll, &seen));
    struct qn_ops_request request = {
        .coll = site->group->coll, .known = &seen, .from_seq = 1, .size_wish = 1000, .ops_wish = 3};
    for (bool is_end = false; !is_end;) {
        QN_AUTO_BUF struct qn_buf body;
        struct qn_ops_read read;
        qn_buf_init(&body, QN_FRAME_SIZE_MAX);
        if (qn_read_ops(reader(site), &request, &body, &read) != QN_OK)
            return "the log cannot be read";
        qn_vv_join(&seen, &read.last);
        qn_vv_deinit(&read.last);
        request.from_seq = read.next_seq;
        is_end = read.is_end;
    }
    return qn_vv_eq(&seen, cc) ? NULL : "the log does not reach the clock";
}

/* What a late site removed without saying so does not come back. */
static const char *check_owed(struct site *site, uint32_t coll)
{
    struct qn_owed owed;
    struct qn_key at;
    enum qn_err err = qn_owed_next(reader(site), coll, NULL, &owed);
    while (err == QN_OK) {
        QN_AUTO_RECORD struct qn_record record = {0};
        err = qn_read_record(reader(site), &site->group->coll, owed.spot.key, &record);
        if (err == QN_OK && qn_record_pair(&record, owed.spot.field, &owed.spot.dot) != NULL)
            return "what was removed came back";
        at = owed.at;
        err = qn_owed_next(reader(site), coll, &at, &owed);
    }
    return NULL;
}

static const char *check_all(struct site *site, struct recount *recount,
                             const struct clocks *clocks, const struct qn_coll_row *row)
{
    const char *fault = recount_all(site, recount, clocks);
    if (fault == NULL)
        fault = check_counters(site, recount);
    if (fault == NULL)
        fault = check_buckets(site, recount);
    if (fault != NULL)
        return fault;
    if (row->is_late) /* its log serves what it wrote itself, no more */
        return check_owed(site, row->number);
    bool is_empty = memkv_count(site->store, QN_TABLE_SEG) == 0;
    return is_empty ? check_log(site, &clocks->cc) : "a clean site has segments";
}

const char *site_check(struct site *site)
{
    struct qn_coll_row row;
    struct clocks clocks = {0};
    struct recount *recount = qn_alloc_zero(sizeof(*recount));
    must(qn_coll_row_get(reader(site), &site->group->coll, &row));
    must(qn_read_cc(reader(site), &site->group->coll, &clocks.cc));
    must(qn_segs_load(reader(site), row.number, true, &clocks.segs));
    const char *fault = check_all(site, recount, &clocks, &row);
    qn_segs_deinit(&clocks.segs);
    qn_vv_deinit(&clocks.cc);
    qn_free(recount);
    return fault;
}

static bool is_equal(struct site *a, struct site *b)
{
    QN_AUTO_VV struct qn_vv left = {0}, right = {0};
    struct triples ours = {0}, theirs = {0};
    must(qn_read_cc(reader(a), &a->group->coll, &left));
    must(qn_read_cc(reader(b), &b->group->coll, &right));
    stored(a, &ours);
    stored(b, &theirs);
    bool is_same_state = is_same(&ours, &theirs) && qn_vv_eq(&left, &right);
    qn_vec_free(&ours.list);
    qn_vec_free(&theirs.list);
    struct qn_coll_info x = site_info(a), y = site_info(b);
    return is_same_state && memcmp(x.root, y.root, sizeof(x.root)) == 0;
}

const char *group_check_equal(struct group *group)
{
    for (size_t i = 1; i < group->count; i++)
        if (!is_equal(&group->sites[0], &group->sites[i]))
            return "two sites differ";
    return NULL;
}

/* --- looking --- */

const char *site_shown(struct site *site, const char *key, const char *field)
{
    static char shown[256];
    QN_AUTO_RECORD struct qn_record record = {0};
    struct qn_span value;
    shown[0] = 0;
    if (qn_read_record(reader(site), &site->group->coll, text(key), &record) != QN_OK)
        return shown;
    const struct qn_field *found = qn_record_field(&record, text(field));
    if (found == NULL)
        return shown;
    struct qn_cursor cursor = qn_cursor(qn_field_shown(found)->value);
    must(qn_cursor_str(&cursor, sizeof(shown) - 1, &value));
    memcpy(shown, value.data, value.size);
    shown[value.size] = 0;
    return shown;
}

enum qn_record_state site_state(struct site *site, const char *key)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    enum qn_err err = qn_read_record(reader(site), &site->group->coll, text(key), &record);
    return err == QN_OK ? qn_record_state(&record) : QN_RECORD_NONE;
}

struct qn_coll_info site_info(struct site *site)
{
    struct qn_coll_info info;
    must(qn_read_coll(reader(site), &site->group->coll, &info));
    return info;
}
