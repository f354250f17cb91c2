/* Records that are erased, at two sites that have seen all of it, on real disks: nothing is left of
 * them in any table once the logs are cut, and their space is used again. With
 * QN_ERASE_RECORDS=1000000 so many; it then says on one line of JSON what the store took. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/limits.h"
#include "base/vec.h"
#include "model/replica.h"
#include "model/replica_read.h"
#include "proto/pack.h"
#include "store/store.h"
#include "support/tmp_dir.h"

#define RECORDS  20000
#define BATCH    1000
#define DAY_MS   (24 * 3600 * UINT64_C(1000))
#define SLACK    ((uint64_t)1 << 20) /* what the last transactions freed is not free yet */
#define MAP_SIZE ((size_t)64 << 30)

struct end {
    struct tmp_dir dir;
    struct qn_store *store;
    struct qn_replica *replica;
    struct qn_signer *signer;
    struct qn_site_id id;
    uint64_t heard; /* local sequence of the other one up to which it has all */
};

struct pair {
    struct end ends[2];
};

static const struct qn_coll_id coll = {{1}};
static uint64_t wall_ms = UINT64_C(1700000000000), turn;

static void must(enum qn_err err)
{
    cr_assert_eq(err, QN_OK, "%s", qn_err_name(err));
}

static uint64_t number(void *context)
{
    return 4711;
}

static size_t keys_of(void *context, const uint8_t prefix[QN_ACTOR_PREFIX_SIZE],
                      const struct qn_public_key **ret_keys)
{
    struct pair *pair = context;
    for (size_t i = 0; i < 2; i++) {
        if (memcmp(pair->ends[i].id.bytes, prefix, QN_ACTOR_PREFIX_SIZE) != 0)
            continue;
        *ret_keys = qn_signer_public(pair->ends[i].signer);
        return 1;
    }
    return 0;
}

static void make(struct pair *pair, size_t index)
{
    struct end *end = &pair->ends[index];
    uint8_t seed[QN_SEED_SIZE] = {(uint8_t)(index + 1)};
    tmp_dir_init(&end->dir);
    must(qn_store_open(
        &(struct qn_store_options){
            .path = end->dir.path, .map_size = MAP_SIZE, .wall_ms = number, .entropy = number},
        &end->store));
    must(qn_signer_new(seed, &end->signer));
    qn_site_id_of(qn_signer_public(end->signer), &end->id);
    end->replica = qn_replica_new(&(struct qn_replica_options){
        .site = end->id, .signer = end->signer, .site_keys = keys_of, .context = pair});
    end->heard = 0;
}

static void end_deinit(struct end *end)
{
    qn_replica_free(end->replica);
    qn_signer_free(end->signer);
    qn_store_close(end->store);
    tmp_dir_deinit(&end->dir);
}

static void begin(struct end *end)
{
    struct qn_kv *kv;
    must(qn_store_write_begin(end->store, &kv));
    must(qn_replica_begin(end->replica, kv, ++wall_ms, ++turn));
}

static void commit(struct end *end)
{
    must(qn_replica_seal(end->replica));
    must(qn_store_write_end(end->store, true));
    qn_replica_done(end->replica, true);
}

/* ---- writing ---- */

static void write_one(struct end *end, enum qn_op_kind kind, size_t at, const char *text)
{
    char key[32];
    struct qn_buf value;
    struct qn_write_result result;
    qn_buf_init(&value, 1024);
    qn_pack_cstr(&value, text);
    snprintf(key, sizeof(key), "resident-%08zu", at);
    struct qn_op_set sets[] = {{qn_span_str("name"), qn_buf_view(&value)},
                               {qn_span_str("note"), qn_buf_view(&value)}};
    struct qn_write write = {.coll = coll, .kind = kind, .key = qn_span_str(key)};
    if (kind == QN_OP_PUT) {
        write.fields = sets;
        write.field_count = 2;
    }
    must(qn_replica_write(end->replica, &write, &result));
    qn_buf_deinit(&value);
}

/* Every `step`-th record. */
static void write_all(struct end *end, enum qn_op_kind kind, size_t count, size_t step,
                      const char *text)
{
    for (size_t at = 0; at < count;) {
        begin(end);
        for (size_t i = 0; i < BATCH && at < count; i++, at += step)
            write_one(end, kind, at, text);
        commit(end);
    }
}

static void empty_trash(struct end *end)
{
    struct qn_trash_swept swept = {0};
    uint8_t after[QN_KEY_SIZE_MAX];
    do {
        memcpy(after, swept.after, swept.after_size);
        struct qn_trash_sweep sweep = {
            .coll = coll, .until_ms = UINT64_MAX, .after = qn_span(after, swept.after_size)};
        begin(end);
        must(qn_replica_empty_trash(end->replica, &sweep, &swept));
        commit(end);
    } while (swept.after_size > 0);
}

/* ---- passing it on ---- */

static bool read_ops(struct end *from, uint64_t *seq, struct qn_buf *body, size_t *ret_count)
{
    struct qn_kv *kv;
    struct qn_ops_read read;
    struct qn_ops_request request = {
        .coll = coll, .from_seq = *seq, .size_wish = QN_OPS_BATCH_SIZE, .ops_wish = BATCH};
    must(qn_store_read_begin(from->store, &kv));
    must(qn_read_ops(kv, &request, body, &read));
    qn_store_read_end(from->store);
    *seq = read.next_seq;
    *ret_count = read.op_count;
    qn_vv_deinit(&read.last);
    return !read.is_end;
}

static void apply(struct end *to, const struct qn_buf *body)
{
    struct qn_ops ops;
    size_t applied;
    struct qn_cursor cursor = qn_cursor(qn_buf_view(body));
    must(qn_ops_unpack(&cursor, &ops));
    begin(to);
    must(qn_replica_apply(to->replica, &coll, &ops, &applied));
    commit(to);
    qn_ops_deinit(&ops);
}

static void pass_on(struct end *from, struct end *to)
{
    uint64_t seq = to->heard + 1;
    bool goes_on = true;
    while (goes_on) {
        QN_AUTO_BUF struct qn_buf body;
        size_t count;
        qn_buf_init(&body, QN_FRAME_SIZE_MAX);
        goes_on = read_ops(from, &seq, &body, &count);
        if (count > 0)
            apply(to, &body);
    }
    to->heard = seq - 1;
}

static void cut_log(struct end *end)
{
    QN_AUTO_VV struct qn_vv covered = {0};
    struct qn_kv *kv;
    bool is_done = false;
    must(qn_store_read_begin(end->store, &kv));
    must(qn_read_cc(kv, &coll, &covered));
    qn_store_read_end(end->store);
    struct qn_log_cut cut = {.coll = coll,
                             .covered = &covered,
                             .covered_seq = UINT64_MAX,
                             .ops_max = UINT64_MAX,
                             .bytes_max = UINT64_MAX,
                             .age_max_ms = UINT64_MAX};
    while (!is_done) {
        size_t dropped;
        begin(end);
        must(qn_replica_cut_log(end->replica, &cut, &dropped, &is_done));
        commit(end);
    }
}

/* ---- what is there ---- */

static size_t count_rows(struct end *end, enum qn_table table)
{
    struct qn_kv *kv;
    struct qn_span key = {0}, value;
    uint8_t next[QN_KV_KEY_SIZE_MAX + 1] = {0};
    size_t count = 0, size = 1;
    must(qn_store_read_begin(end->store, &kv));
    while (qn_kv_seek(kv, table, qn_span(next, size), &key, &value) == QN_OK) {
        memcpy(next, key.data, key.size);
        next[key.size] = 0;
        size = key.size + 1;
        count++;
    }
    qn_store_read_end(end->store);
    return count;
}

static uint64_t file_bytes(const struct end *end)
{
    struct stat status;
    char path[TMP_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/data.mdb", end->dir.path);
    cr_assert_eq(stat(path, &status), 0);
    return (uint64_t)status.st_size;
}

static void check_full(struct end *end, size_t count)
{
    cr_assert_eq(count_rows(end, QN_TABLE_REC), count);
    cr_assert_eq(count_rows(end, QN_TABLE_FP), 256);
    cr_assert_geq(count_rows(end, QN_TABLE_HIST), count / 10);
    cr_assert_geq(count_rows(end, QN_TABLE_CONF), count / 100);
}

static void check_empty(struct end *end)
{
    static const enum qn_table tables[] = {QN_TABLE_REC,  QN_TABLE_FP,   QN_TABLE_CONF,
                                           QN_TABLE_HIST, QN_TABLE_LOG,  QN_TABLE_ORDER,
                                           QN_TABLE_SEG,  QN_TABLE_TRASH};
    struct qn_kv *kv;
    struct qn_coll_info info;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        cr_expect_eq(count_rows(end, tables[i]), 0, "table %d has %zu rows", tables[i],
                     count_rows(end, tables[i]));
    cr_expect_eq(count_rows(end, QN_TABLE_CHAIN), 2, "the latest of each of the two actors");
    must(qn_store_read_begin(end->store, &kv));
    must(qn_read_coll(kv, &coll, &info));
    qn_store_read_end(end->store);
    cr_expect(info.rows == 0 && info.live == 0 && info.trashed == 0 && info.conflicts == 0);
}

/* Written, edited, some of it at both at once; thrown away; erased; forgotten by the logs. */
static void live_and_die(struct pair *pair, size_t count)
{
    struct end *a = &pair->ends[0], *b = &pair->ends[1];
    write_all(a, QN_OP_PUT, count, 1, "Odette Vaysse, chambre 12, dort bien");
    write_all(a, QN_OP_PUT, count, 10, "Odette Vaysse, chambre 14");
    pass_on(a, b);
    write_all(a, QN_OP_PUT, count, 100, "écrit ici");
    write_all(b, QN_OP_PUT, count, 100, "écrit là");
    pass_on(b, a);
    pass_on(a, b);
    check_full(a, count);
    check_full(b, count);
    write_all(b, QN_OP_TRASH, count, 1, "");
    pass_on(b, a);
    empty_trash(a);
    pass_on(a, b);
    pass_on(b, a);
    cut_log(a);
    cut_log(b);
    check_empty(a);
    check_empty(b);
}

static size_t record_count(void)
{
    const char *text = getenv("QN_ERASE_RECORDS");
    return text == NULL ? RECORDS : strtoul(text, NULL, 10);
}

Test(erased, a_million_records_leave_no_rows_and_their_space_is_used_again)
{
    struct pair pair;
    size_t count = record_count();
    uint64_t first[2], second[2];
    for (size_t i = 0; i < 2; i++)
        make(&pair, i);
    live_and_die(&pair, count);
    for (size_t i = 0; i < 2; i++)
        first[i] = file_bytes(&pair.ends[i]);
    live_and_die(&pair, count);
    for (size_t i = 0; i < 2; i++) {
        second[i] = file_bytes(&pair.ends[i]);
        cr_assert_leq(second[i], first[i] + first[i] / 50 + SLACK, "%zu: from %lu to %lu bytes", i,
                      (unsigned long)first[i], (unsigned long)second[i]);
    }
    if (getenv("QN_ERASE_RECORDS") != NULL)
        printf("{\"records\":%zu,\"rows_left\":0,\"bytes_first\":%lu,\"bytes_again\":%lu}\n", count,
               (unsigned long)first[0], (unsigned long)second[0]);
    for (size_t i = 0; i < 2; i++)
        end_deinit(&pair.ends[i]);
}
