/* A process that writes is killed again and again, at no particular moment. Whatever it had
 * acknowledged must be there, and what is there must be what was written, in order, without a gap.
 * (That the bytes reach the disk itself is not what SIGKILL can test.) */
#include <signal.h>
#include <sys/wait.h>

#include "base/prng.h"
#include "support/store_fixture.h"

#define LOOPS      30
#define WINDOW     64 /* submitted and not acknowledged */
#define VALUE_SIZE 100

struct child {
    pid_t pid;
    int acks; /* counters as u64, in order */
};

static void make_value(uint64_t counter, uint8_t value[VALUE_SIZE])
{
    struct qn_prng prng = {counter};
    for (size_t i = 0; i < VALUE_SIZE; i++)
        value[i] = (uint8_t)qn_prng_next(&prng);
}

static struct qn_intent *make_intent(uint64_t counter)
{
    uint8_t key[8], value[VALUE_SIZE];
    qn_write_u64(key, counter);
    make_value(counter, value);
    return fake_put(counter, QN_SPAN_OF(key), QN_SPAN_OF(value));
}

/* Writes counters from `next` on until it is killed. */
static void write_for_ever(struct store_fixture *f, uint64_t next, int acks)
{
    uint64_t acknowledged = next - 1;
    store_fixture_open(f, STORE_MAP_SIZE);
    store_fixture_start(f);
    for (;;) {
        for (; next - acknowledged <= WINDOW; next++)
            submit(f, make_intent(next));
        AUTO_RESULTS struct results results = {0};
        wait_for(&f->notified);
        collect_into(f, &results);
        qn_vec_each (&results.outcomes, outcome) {
            if (outcome->err != QN_OK || outcome->token != acknowledged + 1)
                _exit(2);
            acknowledged = outcome->token;
            if (write(acks, &acknowledged, sizeof(acknowledged)) != sizeof(acknowledged))
                _exit(3);
        }
    }
}

static struct child spawn(struct store_fixture *f, uint64_t next)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        write_for_ever(f, next, ends[1]);
    }
    close(ends[1]);
    return (struct child){.pid = pid, .acks = ends[0]};
}

/* Kills it after some acknowledgements, and reads those that were on their way. */
static uint64_t kill_after(struct child *child, uint64_t count, uint64_t acknowledged)
{
    uint64_t counter;
    for (uint64_t seen = 0; read(child->acks, &counter, sizeof(counter)) == sizeof(counter);) {
        acknowledged = counter;
        if (++seen == count)
            kill(child->pid, SIGKILL);
    }
    int status;
    cr_assert_eq(waitpid(child->pid, &status, 0), child->pid);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child failed: %d", status);
    close(child->acks);
    return acknowledged;
}

static uint64_t check_counters(struct store_fixture *f)
{
    struct qn_kv *kv;
    struct qn_span key, value;
    uint8_t at[9] = {0}, wanted[VALUE_SIZE];
    uint64_t last = 0;
    cr_assert_eq(qn_store_read_begin(f->store, &kv), QN_OK);
    while (qn_kv_seek(kv, QN_TABLE_REC, QN_SPAN_OF(at), &key, &value) == QN_OK) {
        cr_assert_eq(qn_read_u64(key.data), ++last, "a gap");
        make_value(last, wanted);
        cr_assert(qn_span_eq(value, QN_SPAN_OF(wanted)), "counter %lu", (unsigned long)last);
        memcpy(at, key.data, 8);
    }
    qn_store_read_end(f->store);
    return last;
}

Test(kill, what_was_acknowledged_is_there)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    struct qn_prng prng = {42};
    uint64_t last = 0;
    for (int i = 0; i < LOOPS; i++) {
        store_fixture_close(&f);
        struct child child = spawn(&f, last + 1);
        uint64_t acknowledged = kill_after(&child, 1 + qn_prng_below(&prng, 400), last);
        cr_assert_gt(acknowledged, last);
        store_fixture_open(&f, STORE_MAP_SIZE);
        last = check_counters(&f);
        cr_assert_geq(last, acknowledged);
        cr_assert_leq(last, acknowledged + WINDOW);
    }
}
