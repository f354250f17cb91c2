/* A store in a folder of its own, with the fake applier, for tests of the store. */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include "store/store.h"
#include "support/fake_applier.h"
#include "support/span.h"
#include "support/tmp_dir.h"

#define STORE_MAP_SIZE   ((size_t)64 << 20)
#define STORE_WAIT_MAX_S 60

struct store_fixture {
    struct tmp_dir dir;
    struct qn_store *store;
    struct fake *fake;
    sem_t notified;
    _Atomic unsigned notify_count;
    _Atomic uint64_t notified_txn_id;
};

static inline uint64_t store_fixture_number(void *context)
{
    return 4711;
}

static inline enum qn_err store_fixture_try_open(struct store_fixture *f, size_t map_size,
                                                 struct qn_store **ret_store)
{
    return qn_store_open(&(struct qn_store_options){.path = f->dir.path,
                                                    .map_size = map_size,
                                                    .wall_ms = store_fixture_number,
                                                    .entropy = store_fixture_number},
                         ret_store);
}

static inline void store_fixture_open(struct store_fixture *f, size_t map_size)
{
    cr_assert_eq(store_fixture_try_open(f, map_size, &f->store), QN_OK);
}

static inline void store_fixture_close(struct store_fixture *f)
{
    qn_store_close(f->store);
    f->store = NULL;
}

static inline void store_fixture_init(struct store_fixture *f, size_t map_size)
{
    *f = (struct store_fixture){.fake = fake_new()};
    tmp_dir_init(&f->dir);
    sem_init(&f->notified, 0, 0);
    store_fixture_open(f, map_size);
}

static inline void store_fixture_deinit(struct store_fixture *f)
{
    store_fixture_close(f);
    fake_free(f->fake);
    sem_destroy(&f->notified);
    tmp_dir_deinit(&f->dir);
}
#define STORE_FIXTURE(map_size)                                                                    \
    __attribute__((cleanup(store_fixture_deinit))) struct store_fixture f;                         \
    store_fixture_init(&f, map_size)

/* On the writer thread. */
static inline void store_fixture_notify(void *context)
{
    struct store_fixture *f = context;
    atomic_fetch_add(&f->notify_count, 1);
    atomic_store(&f->notified_txn_id, qn_store_txn_id(f->store));
    sem_post(&f->notified);
}

static inline void store_fixture_start(struct store_fixture *f)
{
    cr_assert_eq(qn_store_start(f->store, fake_applier(f->fake), store_fixture_notify, f), QN_OK);
}

/* Not a delay: an end for a test that would hang. */
static inline void wait_for(sem_t *semaphore)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STORE_WAIT_MAX_S;
    while (sem_timedwait(semaphore, &until) != 0)
        cr_assert_eq(errno, EINTR, "nothing came");
}

static inline void submit(struct store_fixture *f, struct qn_intent *intent)
{
    cr_assert_eq(qn_store_submit(f->store, intent), QN_OK);
}

static inline void submit_put(struct store_fixture *f, uint64_t token, const char *key)
{
    submit(f, fake_put(token, qn_span_str(key), qn_span_str(key)));
}

/* Holds the writer in a transaction, so that what is submitted next queues up. */
static inline void hold_writer(struct store_fixture *f, uint64_t token)
{
    submit(f, fake_wait(token));
    wait_for(&f->fake->is_waiting);
}

static inline void release_writer(struct store_fixture *f)
{
    sem_post(&f->fake->gate);
}

/* Outcomes of all transactions until `count` are there, in order; and how many a transaction. */
struct results {
    QN_VEC(struct qn_outcome) outcomes;
    QN_VEC(size_t) groups;
};

static inline void collect_into(struct store_fixture *f, struct results *results)
{
    struct qn_commit *next;
    for (struct qn_commit *it = qn_store_collect(f->store); it != NULL; it = next) {
        qn_vec_push(&results->groups, it->outcomes.count);
        qn_vec_each (&it->outcomes, outcome)
            qn_vec_push(&results->outcomes, *outcome);
        next = it->next;
        qn_commit_free(it);
    }
}

static inline void collect(struct store_fixture *f, size_t count, struct results *results)
{
    while (results->outcomes.count < count) {
        wait_for(&f->notified);
        collect_into(f, results);
    }
    cr_assert_eq(results->outcomes.count, count);
}

static inline void results_deinit(struct results *results)
{
    qn_vec_free(&results->outcomes);
    qn_vec_free(&results->groups);
}
#define AUTO_RESULTS __attribute__((cleanup(results_deinit)))

static inline bool store_has(struct store_fixture *f, const char *key)
{
    struct qn_kv *kv;
    struct qn_span value;
    cr_assert_eq(qn_store_read_begin(f->store, &kv), QN_OK);
    enum qn_err err = qn_kv_get(kv, QN_TABLE_REC, qn_span_str(key), &value);
    cr_assert(err == QN_OK || err == QN_ERR_NOTFOUND);
    qn_store_read_end(f->store);
    return err == QN_OK;
}
