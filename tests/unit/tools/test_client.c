#include <criterion/criterion.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/limits.h"
#include "client/client.h"
#include "proto/cursor.h"
#include "proto/pack.h"
#include "support/span.h"
#include "support/tmp_dir.h"

/* A daemon that reads so many requests, keeps them, and then sends what it was given. */
struct fake {
    struct tmp_dir dir;
    char path[TMP_PATH_SIZE];
    int listener;
    pthread_t thread;
    size_t requests; /* to read before it answers */
    size_t step;     /* bytes a send */
    bool stays;      /* until the client goes */
    struct qn_buf got, answers;
};

static void read_request(struct fake *fake, int fd)
{
    uint8_t head[4];
    cr_assert_eq(recv(fd, head, 4, MSG_WAITALL), 4);
    uint32_t size = qn_read_u32(head);
    uint8_t *body = malloc(size);
    cr_assert_eq(recv(fd, body, size, MSG_WAITALL), size);
    qn_buf_append(&fake->got, body, size);
    free(body);
}

static void *serve(void *context)
{
    struct fake *fake = context;
    int fd = accept(fake->listener, NULL, NULL);
    for (size_t i = 0; i < fake->requests; i++)
        read_request(fake, fd);
    struct qn_span left = qn_buf_view(&fake->answers);
    while (left.size > 0) {
        size_t part = left.size < fake->step ? left.size : fake->step;
        if (send(fd, left.data, part, MSG_NOSIGNAL) != (ssize_t)part)
            break;
        left = qn_span_from(left, part);
    }
    char byte;
    while (fake->stays && recv(fd, &byte, 1, 0) > 0)
        continue;
    close(fd);
    return NULL;
}

static void fake_init(struct fake *fake)
{
    *fake = (struct fake){.step = 1 << 20};
    tmp_dir_init(&fake->dir);
    tmp_dir_at(&fake->dir, "control.sock", fake->path);
    qn_buf_init(&fake->got, 4 << 20);
    qn_buf_init(&fake->answers, 4 << 20);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cr_assert_lt(strlen(fake->path), sizeof(address.sun_path));
    strcpy(address.sun_path, fake->path);
    fake->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(fake->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(fake->listener, 1), 0);
}

static void fake_deinit(struct fake *fake)
{
    if (fake->thread != 0)
        pthread_join(fake->thread, NULL);
    close(fake->listener);
    qn_buf_deinit(&fake->got);
    qn_buf_deinit(&fake->answers);
    tmp_dir_deinit(&fake->dir);
}

static struct qn_client *connected(struct fake *fake)
{
    struct qn_client *client;
    cr_assert_eq(pthread_create(&fake->thread, NULL, serve, fake), 0);
    cr_assert_eq(qn_client_open(fake->path, 1000, &client), QN_OK);
    return client;
}

static void frame(struct fake *fake, struct qn_span body)
{
    qn_buf_append_u32(&fake->answers, (uint32_t)body.size);
    qn_buf_append_span(&fake->answers, body);
}

static void answer(struct fake *fake, const char *type, uint64_t id, const char *text)
{
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, 2 << 20);
    qn_pack_map(&body, 3);
    qn_pack_cstr(&body, "data");
    qn_pack_cstr(&body, text);
    qn_pack_cstr(&body, "id");
    qn_pack_u64(&body, id);
    qn_pack_cstr(&body, "type");
    qn_pack_cstr(&body, type);
    frame(fake, qn_buf_view(&body));
}

static void error_answer(struct fake *fake, uint64_t id)
{
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, 1024);
    qn_pack_map(&body, 5);
    static const char *const pairs[] = {"code", "bad-key", "err", "invalid", "id"};
    for (size_t i = 0; i < 5; i++)
        qn_pack_cstr(&body, pairs[i]);
    qn_pack_u64(&body, id);
    static const char *const more[] = {"object", "k\xc3\xa9", "type", "error"};
    for (size_t i = 0; i < 4; i++)
        qn_pack_cstr(&body, more[i]);
    frame(fake, qn_buf_view(&body));
}

static uint64_t ask(struct qn_client *client, const char *cmd)
{
    uint64_t id;
    cr_assert_eq(qn_client_send(client, cmd, SPAN("\x80"), &id), QN_OK);
    return id;
}

static void expect_text(struct qn_client *client, enum qn_client_kind kind, uint64_t id,
                        const char *text)
{
    struct qn_client_answer got;
    cr_assert_eq(qn_client_receive(client, 5000, &got), QN_OK);
    cr_assert(got.kind == kind && got.id == id, "%s", text);
    struct qn_cursor cursor = qn_cursor(got.data);
    struct qn_span shown;
    cr_assert_eq(qn_cursor_str(&cursor, got.data.size, &shown), QN_OK);
    cr_assert(qn_span_eq_str(shown, text), "%s", text);
}

#define FAKE()                                                                                     \
    __attribute__((cleanup(fake_deinit))) struct fake fake;                                        \
    fake_init(&fake)

Test(client, a_request_is_a_canonical_map_in_a_frame)
{
    FAKE();
    fake.requests = 1;
    answer(&fake, "end", 1, "done");
    struct qn_client *client = connected(&fake);
    expect_text(client, QN_CLIENT_END, ask(client, "status"), "done");
    qn_client_free(client);
    pthread_join(fake.thread, NULL);
    fake.thread = 0;
    assert_buf_eq(&fake.got, "\x83\xa4"
                             "args\x80\xa3"
                             "cmd\xa6status\xa2id\x01");
}

Test(client, several_requests_at_once_and_answers_in_pieces)
{
    FAKE();
    fake.requests = 2;
    fake.step = 3;
    answer(&fake, "data", 2, "two");
    answer(&fake, "data", 1, "one");
    error_answer(&fake, 2);
    answer(&fake, "end", 1, "");
    struct qn_client *client = connected(&fake);
    cr_assert_eq(ask(client, "a"), 1);
    cr_assert_eq(ask(client, "b"), 2);
    expect_text(client, QN_CLIENT_DATA, 2, "two");
    expect_text(client, QN_CLIENT_DATA, 1, "one");
    struct qn_client_answer got;
    cr_assert_eq(qn_client_receive(client, 5000, &got), QN_OK);
    cr_assert(got.kind == QN_CLIENT_ERROR && got.id == 2);
    cr_assert(qn_span_eq_str(got.code, "bad-key") && qn_span_eq_str(got.object, "k\xc3\xa9"));
    expect_text(client, QN_CLIENT_END, 1, "");
    cr_assert_eq(qn_client_receive(client, 5000, &got), QN_ERR_CLOSED);
    qn_client_free(client);
}

Test(client, the_largest_frame)
{
    FAKE();
    size_t size = QN_CONTROL_FRAME_SIZE_MAX - 64;
    char *text = calloc(1, size + 1);
    memset(text, 'x', size);
    answer(&fake, "data", 1, text);
    answer(&fake, "end", 1, "after");
    struct qn_client *client = connected(&fake);
    expect_text(client, QN_CLIENT_DATA, 1, text);
    expect_text(client, QN_CLIENT_END, 1, "after");
    qn_client_free(client);
    free(text);
}

/* What a broken daemon sends is refused, and costs no memory. */
Test(client, nonsense)
{
    static const struct {
        struct qn_span bytes;
        enum qn_err err;
    } cases[] = {
        {{(const uint8_t *)"\0\0\0\0", 4}, QN_ERR_INVALID},
        {{(const uint8_t *)"\0\x10\0\1", 4}, QN_ERR_INVALID},
        {{(const uint8_t *)"\xff\xff\xff\xff", 4}, QN_ERR_INVALID},
        {{(const uint8_t *)"\0\0\0\1\xc0", 5}, QN_ERR_INVALID},
        {{(const uint8_t *)"\0\0\0\2\x80\xc0", 6}, QN_ERR_INVALID},
        {{(const uint8_t *)"\0\0\0\x09\x81\xa4type\xa2xy", 13}, QN_ERR_INVALID},
        {{(const uint8_t *)"\0\0\0\x09\x81\xa4", 6}, QN_ERR_CLOSED},
        {{(const uint8_t *)"\0\0", 2}, QN_ERR_CLOSED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        FAKE();
        qn_buf_append_span(&fake.answers, cases[i].bytes);
        struct qn_client *client = connected(&fake);
        struct qn_client_answer got;
        cr_assert_eq(qn_client_receive(client, 5000, &got), cases[i].err, "case %zu", i);
        qn_client_free(client);
    }
}

Test(client, waiting_ends)
{
    FAKE();
    fake.stays = true;
    struct qn_client *client = connected(&fake);
    struct qn_client_answer got;
    uint64_t before_ms = qn_client_clock_ms();
    cr_assert_eq(qn_client_receive(client, 60, &got), QN_ERR_TIMEOUT);
    uint64_t waited_ms = qn_client_clock_ms() - before_ms;
    cr_assert(waited_ms >= 50 && waited_ms < 5000);
    cr_assert_eq(qn_client_receive(client, 0, &got), QN_ERR_TIMEOUT);
    qn_client_free(client);
}

/* Nobody accepts: the socket takes some bytes, then no more. */
Test(client, sending_to_a_stopped_daemon_ends)
{
    FAKE();
    struct qn_client *client;
    cr_assert_eq(qn_client_open(fake.path, 50, &client), QN_OK);
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, 1 << 20);
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "a");
    uint8_t zeros[65536] = {0};
    qn_pack_bin(&args, QN_SPAN_OF(zeros));
    enum qn_err err = QN_OK;
    uint64_t id;
    for (int i = 0; i < 1000 && err == QN_OK; i++)
        err = qn_client_send(client, "x", qn_buf_view(&args), &id);
    cr_assert_eq(err, QN_ERR_TIMEOUT);
    qn_client_free(client);
}

Test(client, connecting_to_a_stopped_daemon_ends)
{
    FAKE();
    struct qn_client *clients[16] = {0};
    enum qn_err err = QN_OK;
    for (size_t i = 0; i < 16 && err == QN_OK; i++)
        err = qn_client_open(fake.path, 20, &clients[i]);
    cr_assert_eq(err, QN_ERR_TIMEOUT);
    for (size_t i = 0; i < 16; i++)
        qn_client_free(clients[i]);
}

Test(client, nobody_there)
{
    FAKE();
    struct qn_client *client;
    char path[TMP_PATH_SIZE];
    cr_assert_eq(qn_client_open(tmp_dir_at(&fake.dir, "none", path), 50, &client), QN_ERR_NOTFOUND);
    close(fake.listener); /* its socket stays, as after kill -9 */
    cr_assert_eq(qn_client_open(fake.path, 50, &client), QN_ERR_NOTFOUND);
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    cr_assert_eq(qn_client_open(path, 50, &client), QN_ERR_LIMIT);
    fake.listener = socket(AF_UNIX, SOCK_STREAM, 0);
}

Test(client, a_request_too_large_is_not_sent)
{
    FAKE();
    fake.requests = 1;
    answer(&fake, "end", 1, "fine");
    struct qn_client *client = connected(&fake);
    uint8_t *bytes = calloc(1, QN_CONTROL_FRAME_SIZE_MAX);
    uint64_t id;
    cr_assert_eq(qn_client_send(client, "x", qn_span(bytes, QN_CONTROL_FRAME_SIZE_MAX), &id),
                 QN_ERR_LIMIT);
    free(bytes);
    expect_text(client, QN_CLIENT_END, ask(client, "status"), "fine");
    qn_client_free(client);
}
