#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop/exchange.h"
#include "support/tmp_dir.h"
#include "support/turns.h"

#define LONG_MS 600000

struct table {
    struct tmp_dir dir;
    char path[TMP_PATH_SIZE];
    struct qn_loop *loop;
    int listener, peer;
    int calls;
    enum qn_err err;
    char answer[QN_EXCHANGE_ANSWER_SIZE + 1];
};

static void table_init(struct table *table)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *table = (struct table){.peer = -1};
    tmp_dir_init(&table->dir);
    strcpy(address.sun_path, tmp_dir_at(&table->dir, "s", table->path));
    table->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(table->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(table->listener, 1), 0);
    table->loop = new_loop();
}

static void table_deinit(struct table *table)
{
    free_loop(table->loop);
    close(table->listener);
    if (table->peer >= 0)
        close(table->peer);
    tmp_dir_deinit(&table->dir);
}
#define TABLE                                                                                      \
    __attribute__((cleanup(table_deinit))) struct table t;                                         \
    table_init(&t)

static void on_end(void *context, enum qn_err err, struct qn_span answer)
{
    struct table *table = context;
    table->calls++;
    table->err = err;
    memcpy(table->answer, answer.data, answer.size);
    table->answer[answer.size] = '\0';
}

static struct qn_exchange *say(struct table *table, struct qn_span said, uint64_t time_max_ms)
{
    return qn_exchange_new(table->loop, &(struct qn_exchange_options){.path = table->path,
                                                                      .said = said,
                                                                      .time_max_ms = time_max_ms,
                                                                      .on_end = on_end,
                                                                      .context = table});
}

static bool is_accepted(struct table *table)
{
    if (table->peer < 0)
        table->peer = accept4(table->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return table->peer >= 0;
}

/* Reads at most a part at a time, to its end. */
static bool has_heard_all(struct table *table, size_t *size)
{
    char part[4096];
    ssize_t got = read(table->peer, part, sizeof(part));
    *size += got > 0 ? (size_t)got : 0;
    return got == 0;
}

Test(exchange, says_all_and_hears_all)
{
    TABLE;
    static char much[1 << 20];
    size_t size = 0;
    struct qn_exchange *exchange = say(&t, qn_span((uint8_t *)much, sizeof(much)), LONG_MS);
    turn_until(t.loop, is_accepted(&t));
    turn_until(t.loop, has_heard_all(&t, &size));
    cr_assert_eq(size, sizeof(much));
    cr_assert_eq(t.calls, 0);
    cr_assert_eq(write(t.peer, "no way\nse", 9), 9);
    qn_loop_turn(t.loop);
    cr_assert_eq(write(t.peer, "nt\n", 3), 3);
    close(t.peer);
    t.peer = -1;
    turn_until(t.loop, t.calls == 1);
    cr_assert_eq(t.err, QN_OK);
    cr_assert_str_eq(t.answer, "no way\nsent\n");
    qn_exchange_free(exchange);
}

Test(exchange, keeps_the_end_of_a_long_answer)
{
    TABLE;
    struct qn_exchange *exchange = say(&t, qn_span_str("x"), LONG_MS);
    turn_until(t.loop, is_accepted(&t));
    for (int i = 0; i < 2000; i++) {
        char line[32];
        snprintf(line, sizeof(line), "line %04d\n", i);
        while (write(t.peer, line, 10) != 10)
            qn_loop_turn(t.loop);
    }
    close(t.peer);
    t.peer = -1;
    turn_until(t.loop, t.calls == 1);
    cr_assert_eq(strlen(t.answer), QN_EXCHANGE_ANSWER_SIZE);
    cr_assert_str_eq(t.answer + QN_EXCHANGE_ANSWER_SIZE - 10, "line 1999\n");
    qn_exchange_free(exchange);
}

Test(exchange, nobody_listens)
{
    TABLE;
    cr_assert_eq(unlink(t.path), 0);
    struct qn_exchange *exchange = say(&t, qn_span_str("x"), LONG_MS);
    turn_until(t.loop, t.calls == 1);
    cr_assert_eq(t.err, QN_ERR_IO);
    qn_exchange_free(exchange);
}

Test(exchange, no_answer_in_time)
{
    TABLE;
    struct qn_exchange *exchange = say(&t, qn_span_str("x"), 1);
    turn_until(t.loop, t.calls == 1);
    cr_assert_eq(t.err, QN_ERR_TIMEOUT);
    qn_exchange_free(exchange);
}

Test(exchange, is_forgotten_at_any_time)
{
    TABLE;
    qn_exchange_free(say(&t, qn_span_str("x"), LONG_MS));
    struct qn_exchange *exchange = say(&t, qn_span_str("x"), LONG_MS);
    turn_until(t.loop, is_accepted(&t));
    qn_exchange_free(exchange);
    qn_exchange_free(NULL);
    cr_assert_eq(t.calls, 0);
}
