/* How fast a site writes and another one applies, on the store in memory; prints one line of JSON.
 *
 *   bench_apply COUNT       operations; records of 8 fields, each written twice, batches of 1,000
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/limits.h"
#include "model/replica.h"
#include "model/replica_read.h"
#include "proto/pack.h"
#include "support/memkv.h"

#define FIELDS 8
#define BATCH  1000

struct end {
    struct memkv *store;
    struct qn_replica *replica;
    struct qn_signer *signer;
};

static const struct qn_coll_id coll = {{1}};

static void must(enum qn_err err)
{
    if (err == QN_OK)
        return;
    fprintf(stderr, "bench_apply: %s\n", qn_err_name(err));
    exit(1);
}

static double now_s(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static size_t keys_of(void *context, const uint8_t prefix[QN_ACTOR_PREFIX_SIZE],
                      const struct qn_public_key **ret_keys)
{
    const struct end *writer = context;
    *ret_keys = qn_signer_public(writer->signer);
    return 1;
}

static void make(struct end *end, struct end *writer, uint8_t number)
{
    uint8_t seed[QN_SEED_SIZE] = {number};
    struct qn_replica_options options = {.site_keys = keys_of, .context = writer};
    end->store = memkv_new();
    must(qn_signer_new(seed, &end->signer));
    qn_site_id_of(qn_signer_public(end->signer), &options.site);
    options.signer = end->signer;
    end->replica = qn_replica_new(&options);
}

static void commit(struct end *end)
{
    must(qn_replica_seal(end->replica));
    must(memkv_commit(end->store));
    memkv_sync(end->store);
    qn_replica_done(end->replica, true);
}

static void write_one(struct end *end, unsigned long number, unsigned long count)
{
    char names[FIELDS][12], key[32];
    struct qn_op_set sets[FIELDS];
    struct qn_buf values;
    struct qn_write_result result;
    size_t ends[FIELDS + 1] = {0};
    qn_buf_init(&values, 1024);
    for (size_t i = 0; i < FIELDS; i++) { /* the buffer may move: spans come after */
        char text[32];
        snprintf(names[i], sizeof(names[i]), "field%zu", i);
        snprintf(text, sizeof(text), "value %lu %zu", number, i);
        qn_pack_cstr(&values, text);
        ends[i + 1] = values.size;
    }
    for (size_t i = 0; i < FIELDS; i++)
        sets[i] = (struct qn_op_set){qn_span_str(names[i]),
                                     qn_span(values.data + ends[i], ends[i + 1] - ends[i])};
    snprintf(key, sizeof(key), "record-%lu", number % (count / 2 + 1));
    struct qn_write write = {.coll = coll,
                             .kind = QN_OP_PUT,
                             .key = qn_span_str(key),
                             .user = qn_span_str("ana"),
                             .fields = sets,
                             .field_count = FIELDS};
    must(qn_replica_write(end->replica, &write, &result));
    qn_buf_deinit(&values);
}

static double write_all(struct end *end, unsigned long count)
{
    double start = now_s();
    for (unsigned long i = 0; i < count; i += BATCH) {
        must(qn_replica_begin(end->replica, memkv_begin(end->store), 1700000000000 + i, 1 + i));
        for (unsigned long j = i; j < i + BATCH && j < count; j++)
            write_one(end, j, count);
        commit(end);
    }
    return now_s() - start;
}

/* Seconds spent in transactions of the receiver; reading the sender's log is not counted. */
static double apply_all(struct end *from, struct end *to)
{
    double spent = 0;
    struct qn_ops_request request = {
        .coll = coll, .from_seq = 1, .size_wish = QN_OPS_BATCH_SIZE, .ops_wish = BATCH};
    for (bool is_end = false; !is_end;) {
        struct qn_buf body;
        struct qn_ops_read read;
        struct qn_ops ops;
        size_t applied;
        qn_buf_init(&body, QN_FRAME_SIZE_MAX);
        must(qn_read_ops(memkv_reader(from->store), &request, &body, &read));
        double start = now_s();
        struct qn_cursor cursor = qn_cursor(qn_buf_view(&body));
        if (read.op_count > 0) {
            must(qn_ops_unpack(&cursor, &ops));
            must(qn_replica_begin(to->replica, memkv_begin(to->store), 1700000000000, 7));
            must(qn_replica_apply(to->replica, &coll, &ops, &applied));
            commit(to);
            qn_ops_deinit(&ops);
        }
        spent += now_s() - start;
        request.from_seq = read.next_seq;
        is_end = read.is_end;
        qn_vv_deinit(&read.last);
        qn_buf_deinit(&body);
    }
    return spent;
}

static void destroy(struct end *end)
{
    qn_replica_free(end->replica);
    qn_signer_free(end->signer);
    memkv_free(end->store);
}

int main(int argc, char **argv)
{
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
    struct end a, b;
    make(&a, &a, 1);
    make(&b, &a, 2);
    double written = write_all(&a, count), applied = apply_all(&a, &b);
    printf("{\"bench\": \"apply\", \"ops\": %lu, \"fields\": %d, \"write_per_s\": %.0f, "
           "\"apply_per_s\": %.0f}\n",
           count, FIELDS, (double)count / written, (double)count / applied);
    destroy(&a);
    destroy(&b);
    return 0;
}
