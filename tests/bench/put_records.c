/* Puts records one by one through the control socket, several under way, and says how long each
 * took until its answer, which is until it was durable:
 *
 *     put_records SOCKET COLLECTION COUNT FLIGHT PREFIX
 *
 * One line of JSON. Each put sets one field of a record of its own,
 * whose key begins with PREFIX.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "client/client.h"
#include "proto/pack.h"

#define FLIGHT_MAX 64

struct puts {
    struct qn_client *client;
    const char *collection, *prefix;
    unsigned long long count, sent, done;
    unsigned flight;
    uint64_t first_id;
    double *started, *took; /* by number; ms */
};

static void must(enum qn_err err, const char *what)
{
    if (err == QN_OK)
        return;
    fprintf(stderr, "put_records: %s: %s\n", what, qn_err_name(err));
    exit(1);
}

static double now_ms(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6;
}

static void send_one(struct puts *puts)
{
    char key[64], value[32];
    uint64_t id;
    snprintf(key, sizeof(key), "%s-%08llu", puts->prefix, puts->sent);
    snprintf(value, sizeof(value), "valeur %llu", puts->sent);
    struct qn_buf args;
    qn_buf_init(&args, 1024);
    qn_pack_map(&args, 3);
    qn_pack_cstr(&args, "collection");
    qn_pack_cstr(&args, puts->collection);
    qn_pack_cstr(&args, "fields");
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "n");
    qn_pack_cstr(&args, value);
    qn_pack_cstr(&args, "key");
    qn_pack_cstr(&args, key);
    puts->started[puts->sent] = now_ms();
    must(qn_client_send(puts->client, "record.put", qn_buf_view(&args), &id), "send");
    if (puts->sent == 0)
        puts->first_id = id;
    puts->sent++;
    qn_buf_deinit(&args);
}

static void take_one(struct puts *puts)
{
    struct qn_client_answer answer;
    must(qn_client_receive(puts->client, 60000, &answer), "answer");
    if (answer.kind != QN_CLIENT_END) {
        fprintf(stderr, "put_records: refused: %.*s\n", (int)answer.code.size,
                (const char *)answer.code.data);
        exit(1);
    }
    uint64_t number = answer.id - puts->first_id;
    puts->took[number] = now_ms() - puts->started[number];
    puts->done++;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 64;
    struct puts puts = {.collection = argv[2],
                        .count = strtoull(argv[3], NULL, 10),
                        .flight = (unsigned)strtoul(argv[4], NULL, 10),
                        .prefix = argv[5]};
    if (puts.count == 0 || puts.flight == 0 || puts.flight > FLIGHT_MAX)
        return 64;
    puts.started = qn_alloc_zero(puts.count * sizeof(double));
    puts.took = qn_alloc_zero(puts.count * sizeof(double));
    must(qn_client_open(argv[1], 10000, &puts.client), "connect");
    double start = now_ms();
    while (puts.done < puts.count) {
        if (puts.sent < puts.count && puts.sent - puts.done < puts.flight)
            send_one(&puts);
        else
            take_one(&puts);
    }
    double s = (now_ms() - start) / 1e3;
    qsort(puts.took, puts.count, sizeof(double), compare);
    printf("{\"puts\": %llu, \"flight\": %u, \"per_s\": %.0f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, "
           "\"most_ms\": %.2f}\n",
           puts.count, puts.flight, (double)puts.count / s, puts.took[puts.count / 2],
           puts.took[puts.count * 99 / 100], puts.took[puts.count - 1]);
    qn_client_free(puts.client);
    qn_free(puts.started);
    qn_free(puts.took);
    return 0;
}
