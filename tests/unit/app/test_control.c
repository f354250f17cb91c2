#include "fixture.h"

#include <sys/stat.h>

#define FIXTURE()                                                                                  \
    AUTO_SITE struct site site;                                                                    \
    site_init(&site);                                                                              \
    AUTO_CLIENT struct client client;                                                              \
    client_init(&client, &site)

static void assert_works(struct site *site)
{
    AUTO_CLIENT struct client client;
    client_init(&client, site);
    client_do(&client, "status", NULL, "");
}

Test(control, the_socket_is_for_owner_and_group)
{
    FIXTURE();
    struct stat status;
    cr_assert_eq(stat(site.socket_path, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0660);
}

Test(control, a_stale_socket_is_replaced_and_the_own_one_removed)
{
    char path[TMP_PATH_SIZE];
    {
        FIXTURE();
        assert_works(&site);
        strcpy(path, site.socket_path);
        qn_control_stop(site.control);
        cr_assert_neq(access(path, F_OK), 0);
    }
    cr_assert_neq(access(path, F_OK), 0);
}

Test(control, answers_carry_the_id_of_their_request)
{
    FIXTURE();
    QN_AUTO_BUF struct qn_buf both;
    qn_buf_init(&both, 4096);
    for (uint64_t id = 40; id < 42; id++) { /* both in one piece */
        QN_AUTO_BUF struct qn_buf body;
        qn_buf_init(&body, 1024);
        pack_request(&body, id, "status", NULL);
        qn_buf_append_u32(&both, (uint32_t)body.size);
        qn_buf_append_span(&both, qn_buf_view(&body));
    }
    client_put(&client, both.data, both.size);
    for (uint64_t id = 40; id < 42; id++) {
        AUTO_ANSWER struct answer answer;
        client_take(&client, &answer);
        cr_assert_eq(answer.id, id);
    }
}

Test(control, a_frame_may_come_in_pieces)
{
    FIXTURE();
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, 1024);
    pack_request(&body, 1, "status", NULL);
    uint8_t head[4];
    qn_write_u32(head, (uint32_t)body.size);
    for (size_t i = 0; i < sizeof(head); i++)
        client_put(&client, head + i, 1);
    for (size_t i = 0; i < body.size; i++)
        client_put(&client, body.data + i, 1);
    AUTO_ANSWER struct answer answer;
    client_take(&client, &answer);
    cr_assert_str_eq(answer.type, "end");
}

Test(control, wrong_requests_are_answered)
{
    FIXTURE();
    ARGS(unknown, "sugar", "2");
    ARGS(level, "level", "loud");
    client_do(&client, "make.coffee", NULL, "unknown-command");
    client_do(&client, "status", &unknown, "bad-request");
    client_do(&client, "collection.list", &unknown, "bad-request");
    client_do(&client, "record.list", &unknown, "bad-request");
    client_do(&client, "log.level", &level, "bad-request");
}

Test(control, the_level_of_the_log_can_be_set)
{
    FIXTURE();
    ARGS(level, "level", "debug");
    client_do(&client, "log.level", &level, "");
    cr_assert_eq(site.log.level, QN_LOG_DEBUG);
    site.log.level = QN_LOG_ERROR;
}

static void assert_closes(const void *bytes, size_t size)
{
    FIXTURE();
    client_put(&client, bytes, size);
    turn_until(site.loop, client_is_closed(&client));
    cr_assert_eq(client.in.size, 0, "no answer");
    assert_works(&site);
}

Test(control, what_is_no_request_ends_its_connection_only)
{
    assert_closes("\0\0\0\0", 4);             /* a size of zero */
    assert_closes("\0\x10\0\x01", 4);         /* one above the maximum */
    assert_closes("\xff\xff\xff\xff", 4);     /* the largest */
    assert_closes("\0\0\0\1\xc1", 5);         /* not msgpack */
    assert_closes("\0\0\0\1\x80", 5);         /* an empty map */
    assert_closes("\0\0\0\2\x81\xa4", 6);     /* cut */
    assert_closes("\0\0\0\4\x93\1\2\3", 8);   /* an array */
    assert_closes("\0\0\0\5\x80\0\0\0\0", 9); /* something behind it */
}

Test(control, a_deep_nest_is_no_request)
{
    uint8_t nest[4 + 200] = {0, 0, 0, 200, 0x83, 0xa4, 'a', 'r', 'g', 's'};
    memset(nest + 10, 0x91, sizeof(nest) - 10);
    assert_closes(nest, sizeof(nest));
}

Test(control, half_a_frame_harms_nobody)
{
    FIXTURE();
    client_put(&client, "\0\0\1\0half", 8);
    close(client.fd);
    client.fd = -1;
    assert_works(&site);
}

/* What is asked and never read: it is not read either, once the limit is reached. */
Test(control, who_does_not_read_is_not_read)
{
    FIXTURE();
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, 1024);
    pack_request(&body, 1, "status", NULL);
    uint8_t frame[1024];
    qn_write_u32(frame, (uint32_t)body.size);
    memcpy(frame + 4, body.data, body.size);
    size_t asked = 0, refused = 0;
    while (refused < 100 && asked < 10000000) { /* whole frames only, as long as they go */
        if (send(client.fd, frame, 4 + body.size, MSG_NOSIGNAL) == (ssize_t)(4 + body.size)) {
            asked++;
            refused = 0;
        } else {
            refused++;
        }
        qn_loop_turn(site.loop);
    }
    cr_assert_eq(refused, 100, "it took %zu requests", asked);
    assert_works(&site);
    for (size_t i = 0; i < asked; i++) { /* and goes on where it was */
        AUTO_ANSWER struct answer answer;
        client_take(&client, &answer);
        cr_assert_str_eq(answer.type, "end");
    }
}

Test(control, requests_beyond_the_limit_wait)
{
    FIXTURE();
    make_collection(&client, "c");
    size_t count = 3 * QN_CONTROL_REQUESTS_MAX;
    for (size_t i = 0; i < count; i++) {
        QN_AUTO_BUF struct qn_buf args;
        qn_buf_init(&args, 1024);
        qn_pack_map(&args, 2);
        qn_pack_cstr(&args, "collection");
        qn_pack_nil(&args);
        qn_pack_cstr(&args, "timeout_ms");
        qn_pack_u64(&args, 0);
        client_ask(&client, "verify", &args);
    }
    for (size_t ends = 0; ends < count;) {
        AUTO_ANSWER struct answer answer;
        client_take(&client, &answer);
        cr_assert_str_neq(answer.type, "error", "%s", answer.code);
        ends += strcmp(answer.type, "end") == 0;
    }
}

Test(control, there_is_room_for_so_many_clients)
{
    AUTO_SITE struct site site;
    site_init(&site);
    static struct client clients[QN_CONTROL_CLIENTS_MAX + 1];
    for (size_t i = 0; i <= QN_CONTROL_CLIENTS_MAX; i++) {
        client_init(&clients[i], &site);
        if (i < QN_CONTROL_CLIENTS_MAX)
            client_do(&clients[i], "status", NULL, "");
    }
    turn_until(site.loop, client_is_closed(&clients[QN_CONTROL_CLIENTS_MAX]));
    client_do(&clients[0], "status", NULL, "");
    for (size_t i = 0; i <= QN_CONTROL_CLIENTS_MAX; i++)
        client_deinit(&clients[i]);
    for (size_t i = 0; i < 1000; i++)
        qn_loop_turn(site.loop);
    assert_works(&site);
}

Test(control, who_leaves_in_the_middle_is_forgotten)
{
    FIXTURE();
    make_collection(&client, "c");
    for (int i = 0; i < 20; i++) {
        AUTO_CLIENT struct client other;
        client_init(&other, &site);
        QN_AUTO_BUF struct qn_buf args;
        qn_buf_init(&args, 1024);
        qn_pack_map(&args, 2);
        qn_pack_cstr(&args, "collection");
        qn_pack_cstr(&args, "c");
        qn_pack_cstr(&args, "timeout_ms");
        qn_pack_u64(&args, 60000);
        client_ask(&other, "verify", &args);
        ARGS(list, "collection", "c");
        client_ask(&other, "record.list", &list);
        client_ask(&other, "site.list", NULL);
    }
    assert_works(&site);
}

Test(control, a_stop_answers_what_is_under_way)
{
    FIXTURE();
    make_collection(&client, "c");
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, 1024);
    qn_pack_map(&args, 3);
    qn_pack_cstr(&args, "collection");
    qn_pack_cstr(&args, "c");
    qn_pack_cstr(&args, "fields");
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "f");
    qn_pack_cstr(&args, "v");
    qn_pack_cstr(&args, "key");
    qn_pack_cstr(&args, "k");
    client_ask(&client, "record.put", &args);
    qn_control_stop(site.control);
    qn_driver_stop(site.driver);
    turn_until(site.loop, site.has_stopped);
    AUTO_ANSWER struct answer answer;
    client_take(&client, &answer);
    cr_assert_str_eq(answer.type, "end");
}
