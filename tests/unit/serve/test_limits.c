/* Who is let in, for how long, and with which TLS. */
#include <errno.h>
#include <sys/resource.h>

#include "handlers.h"
#include "http/head.h"
#include "serve/door.h"

static struct web_rig rig;

static void set_up(void)
{
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    handlers_reset();
    web_rig_init(&rig, test_routes, test_route_count);
}

static void tear_down(void)
{
    web_rig_deinit(&rig);
}

TestSuite(limits, .init = set_up, .fini = tear_down);

#define HOST  "Host: a\r\n"
#define HELLO "GET /hello HTTP/1.1\r\n" HOST "\r\n"

static size_t connections(void)
{
    struct qn_serve_status status;
    qn_serve_status(rig.serve, &status);
    return status.connection_count;
}

/* Those that are there, and those that were put out. */
static uint64_t came(void)
{
    struct qn_serve_status status;
    qn_serve_status(rig.serve, &status);
    return status.connection_count + status.refused_count;
}

static void check_answers(struct web_client *client)
{
    web_client_say(client, HELLO);
    cr_assert_eq(web_client_answer(client, false, NULL), 200);
}

static void check_is_served(const char *from)
{
    struct web_client client;
    web_client_init(&client, &rig, &(struct web_client_options){.from = from});
    check_answers(&client);
    web_client_deinit(&client);
}

/* docs/serving.md tells people these numbers; what is below tries that they hold. */
Test(limits, are_those_that_are_told)
{
    cr_assert_eq(QN_HTTP_HEAD_SIZE_MAX, 16384);
    cr_assert_eq(QN_HTTP_HEADERS_MAX, 100);
    cr_assert_eq(QN_WEB_HEAD_TIME_MAX_MS, 10000);
    cr_assert_eq(QN_WEB_BODY_TIME_MAX_MS, 60000);
    cr_assert_eq(QN_WEB_FROM_ADDRESS_MAX, 64);
    cr_assert_eq(QN_WEB_CONNECTIONS_MAX, 1000);
    cr_assert_eq(QN_DOOR_CACHE_MS, 300000);
}

Test(limits, a_head_has_to_come_within_ten_seconds)
{
    struct web_client silent, slow;
    web_client_init(&silent, &rig, NULL);
    web_client_init(&slow, &rig, NULL);
    web_client_say(&slow, "GET /hello HT");
    turn_until(rig.loop, connections() == 2);
    for (int i = 0; i < 10; i++)
        qn_loop_turn(rig.loop);
    rig.now_ms += QN_WEB_HEAD_TIME_MAX_MS - 1;
    for (int i = 0; i < 50; i++)
        qn_loop_turn(rig.loop);
    cr_assert_eq(connections(), 2);
    rig.now_ms += 1;
    cr_assert_eq(web_client_answer(&slow, false, NULL), 408);
    web_until(&slow, slow.is_gone);
    turn_until(rig.loop, connections() <= 1);
    web_client_deinit(&silent);
    web_client_deinit(&slow);
}

Test(limits, a_byte_now_and_then_does_not_make_it_longer)
{
    struct web_client slow;
    web_client_init(&slow, &rig, NULL);
    for (int i = 0; i < 11 && !slow.is_gone; i++) {
        web_client_say(&slow, "G");
        for (int j = 0; j < 10; j++)
            qn_loop_turn(rig.loop);
        rig.now_ms += 1000;
    }
    cr_assert_eq(web_client_answer(&slow, false, NULL), 408);
    web_client_deinit(&slow);
}

Test(limits, an_idle_connection_is_kept_for_a_minute)
{
    struct web_client client;
    web_client_init(&client, &rig, NULL);
    web_client_say(&client, HELLO);
    cr_assert_eq(web_client_answer(&client, false, NULL), 200);
    turn_until(rig.loop, handlers.ended == 1);
    rig.now_ms += QN_WEB_KEPT_TIME_MAX_MS - 1;
    web_client_say(&client, HELLO);
    cr_assert_eq(web_client_answer(&client, false, NULL), 200);
    turn_until(rig.loop, handlers.ended == 2);
    rig.now_ms += QN_WEB_KEPT_TIME_MAX_MS;
    web_until(&client, client.is_gone);
    web_client_deinit(&client);
}

Test(limits, a_body_has_to_go_on)
{
    static const uint8_t bytes[QN_WEB_BODY_STEP];
    struct web_client client;
    web_client_init(&client, &rig, NULL);
    web_client_say(&client, "PUT /count HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n");
    for (size_t i = 1; i <= 5; i++) {
        web_client_send(&client, qn_span(bytes, sizeof(bytes)));
        web_until(&client, handlers.count_taken == i * sizeof(bytes));
        rig.now_ms += QN_WEB_BODY_TIME_MAX_MS - 1;
        for (int j = 0; j < 20; j++)
            qn_loop_turn(rig.loop);
        cr_assert_eq(handlers.ended, 0);
    }
    web_client_send(&client, qn_span(bytes, 10)); /* too little to count */
    web_until(&client, handlers.count_taken == 5 * sizeof(bytes) + 10);
    rig.now_ms += QN_WEB_BODY_TIME_MAX_MS;
    turn_until(rig.loop, handlers.ended == 1);
    cr_assert_eq(handlers.complete, 0);
    web_until(&client, client.is_gone);
    web_client_deinit(&client);
}

Test(limits, a_handler_may_take_its_time)
{
    struct web_client client;
    web_client_init(&client, &rig, NULL);
    web_client_say(&client, "GET /late HTTP/1.1\r\n" HOST "\r\n");
    web_until(&client, handlers.late != NULL);
    rig.now_ms += 3600 * 1000;
    for (int i = 0; i < 50; i++)
        qn_loop_turn(rig.loop);
    qn_web_answer(handlers.late, 200, "text/plain", qn_span_str("at last"));
    cr_assert_eq(web_client_answer(&client, false, NULL), 200);
    web_client_deinit(&client);
}

Test(limits, an_answer_has_to_be_taken)
{
    struct web_client client;
    web_client_init(&client, &rig, NULL);
    web_client_say(&client, "GET /big?90000000 HTTP/1.1\r\n" HOST "\r\n");
    for (int i = 0; i < 3000; i++)
        qn_loop_turn(rig.loop);
    rig.now_ms += QN_WEB_ANSWER_TIME_MAX_MS;
    turn_until(rig.loop, handlers.ended == 1);
    cr_assert_eq(handlers.complete, 0);
    web_client_deinit(&client);
}

Test(limits, a_client_that_leaves_is_told_to_the_handler)
{
    struct web_client client;
    web_client_init(&client, &rig, NULL);
    web_client_say(&client, "GET /late HTTP/1.1\r\n" HOST "\r\n");
    web_until(&client, handlers.late != NULL);
    web_client_deinit(&client);
    turn_until(rig.loop, handlers.ended == 1);
    cr_assert_eq(connections(), 0);
}

Test(limits, so_many_from_one_address)
{
    static struct web_client clients[QN_WEB_FROM_ADDRESS_MAX + 1];
    for (size_t i = 0; i < QN_WEB_FROM_ADDRESS_MAX; i++) {
        web_client_init(&clients[i], &rig, NULL);
        web_until(&clients[i], clients[i].is_up);
    }
    turn_until(rig.loop, connections() == QN_WEB_FROM_ADDRESS_MAX);
    struct web_client *last = &clients[QN_WEB_FROM_ADDRESS_MAX];
    web_client_init(last, &rig, NULL);
    web_until(last, last->is_gone);
    cr_assert_eq(connections(), QN_WEB_FROM_ADDRESS_MAX);
    check_is_served("127.0.0.2");
    for (size_t i = 0; i <= QN_WEB_FROM_ADDRESS_MAX; i++)
        web_client_deinit(&clients[i]);
}

static void begin_many(struct web_client *clients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char from[32];
        snprintf(from, sizeof(from), "127.0.1.%zu", 1 + i / 50);
        uint64_t before = came();
        web_client_init(&clients[i], &rig, &(struct web_client_options){.from = from});
        turn_until(rig.loop, came() > before);
    }
}

static void end_many(struct web_client *clients, size_t count)
{
    for (size_t i = 0; i < count; i++)
        web_client_deinit(&clients[i]);
}

/* A crowd that connects and says nothing: others come in all the same. */
Test(limits, slow_clients_keep_nobody_out)
{
    static struct web_client clients[QN_WEB_CONNECTIONS_MAX];
    begin_many(clients, QN_WEB_CONNECTIONS_MAX);
    cr_assert_eq(connections(), QN_WEB_SHAKING_MAX);
    for (int i = 0; i < 20; i++)
        check_is_served("127.0.0.9");
    cr_assert_leq(connections(), QN_WEB_SHAKING_MAX);
    end_many(clients, QN_WEB_CONNECTIONS_MAX);
}

/* Who had begun before that crowd, and takes their time, is not put out for it. */
Test(limits, a_crowd_puts_out_its_own)
{
    static struct web_client clients[QN_WEB_CONNECTIONS_MAX];
    struct web_client slow;
    web_client_init(&slow, &rig, &(struct web_client_options){.from = "127.0.0.9"});
    turn_until(rig.loop, connections() == 1);
    begin_many(clients, QN_WEB_CONNECTIONS_MAX);
    check_answers(&slow);
    web_client_deinit(&slow);
    end_many(clients, QN_WEB_CONNECTIONS_MAX);
}

Test(limits, so_many_handshakes_from_one_address)
{
    static struct web_client clients[QN_WEB_SHAKING_ADDRESS_MAX + 1];
    for (size_t i = 0; i <= QN_WEB_SHAKING_ADDRESS_MAX; i++) {
        web_client_init(&clients[i], &rig, NULL);
        turn_until(rig.loop, came() == i + 1);
    }
    cr_assert_eq(connections(), QN_WEB_SHAKING_ADDRESS_MAX);
    web_until(&clients[0], clients[0].is_gone);
    check_answers(&clients[QN_WEB_SHAKING_ADDRESS_MAX]);
    end_many(clients, QN_WEB_SHAKING_ADDRESS_MAX + 1);
}

/* Nor do those who send a body slowly where nobody need be known. */
Test(limits, slow_bodies_of_strangers_keep_nobody_out)
{
    static struct web_client clients[QN_WEB_CONNECTIONS_MAX];
    for (size_t i = 0; i < QN_WEB_CONNECTIONS_MAX; i++) {
        char from[32];
        snprintf(from, sizeof(from), "127.0.1.%zu", 1 + i / 40);
        web_client_init(&clients[i], &rig, &(struct web_client_options){.from = from});
        web_client_say(&clients[i],
                       "PUT /count HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\nabc");
        web_until(&clients[i], handlers.started == i + 1);
    }
    rig.now_ms += 1;
    for (int i = 0; i < 20; i++)
        check_is_served("127.0.0.9");
    cr_assert_leq(connections(), QN_WEB_CONNECTIONS_MAX);
    cr_assert_geq(handlers.ended, 20, "each of them was told the end");
    for (size_t i = 0; i < QN_WEB_CONNECTIONS_MAX; i++)
        web_client_deinit(&clients[i]);
}

/* A body that never comes to its end. */
static void begin_slow_body(struct web_client *client, unsigned number, const char *who)
{
    char from[32], text[160];
    snprintf(from, sizeof(from), "127.0.3.%u", number);
    web_client_init(client, &rig, &(struct web_client_options){.from = from});
    snprintf(text, sizeof(text),
             "PUT /count HTTP/1.1\r\n" HOST "X-Test-Door: person %s\r\nContent-Length: 9\r\n\r\nx",
             who);
    web_client_say(client, text);
}

Test(limits, slow_bodies_of_one_person_leave_room_for_others)
{
    static struct web_client slow[QN_WEB_BODIES_PERSON_MAX];
    struct web_client more;
    for (unsigned i = 0; i < QN_WEB_BODIES_PERSON_MAX; i++) {
        begin_slow_body(&slow[i], 1 + i, "anne");
        turn_until(rig.loop, handlers.started == i + 1);
    }
    begin_slow_body(&more, 200, "anne");
    cr_assert_eq(web_client_answer(&more, false, NULL), 503);
    cr_assert_str_neq(web_client_field("Retry-After"), "");
    web_client_deinit(&more);
    check_is_served("127.0.3.1");
    begin_slow_body(&more, 201, "bert");
    web_client_say(&more, "12345678");
    cr_assert_eq(web_client_answer(&more, false, NULL), 201);
    web_client_deinit(&more);
    web_client_say(&slow[0], "12345678");
    cr_assert_eq(web_client_answer(&slow[0], false, NULL), 201);
    begin_slow_body(&more, 202, "anne");
    web_client_say(&more, "12345678");
    cr_assert_eq(web_client_answer(&more, false, NULL), 201, "one has come to its end");
    web_client_deinit(&more);
    for (unsigned i = 0; i < QN_WEB_BODIES_PERSON_MAX; i++)
        web_client_deinit(&slow[i]);
}

Test(limits, so_do_those_from_one_address)
{
    static struct web_client slow[QN_WEB_BODIES_ADDRESS_MAX];
    struct web_client more;
    char who[16];
    for (unsigned i = 0; i < QN_WEB_BODIES_ADDRESS_MAX; i++) {
        snprintf(who, sizeof(who), "p%u", i);
        begin_slow_body(&slow[i], 1, who);
        turn_until(rig.loop, handlers.started == i + 1);
    }
    begin_slow_body(&more, 1, "anne");
    cr_assert_eq(web_client_answer(&more, false, NULL), 503);
    web_client_deinit(&more);
    check_is_served("127.0.3.1");
    begin_slow_body(&more, 2, "anne");
    web_client_say(&more, "12345678");
    cr_assert_eq(web_client_answer(&more, false, NULL), 201);
    web_client_deinit(&more);
    for (unsigned i = 0; i < QN_WEB_BODIES_ADDRESS_MAX; i++)
        web_client_deinit(&slow[i]);
}

Test(limits, tls_1_2_and_1_3_and_nothing_older)
{
    static const struct {
        int version;
        const char *name;
    } versions[] = {{TLS1_2_VERSION, "TLSv1.2"}, {TLS1_3_VERSION, "TLSv1.3"}};
    struct web_client client;
    for (size_t i = 0; i < 2; i++) {
        web_client_init(&client, &rig,
                        &(struct web_client_options){.version = versions[i].version,
                                                     .alpn = i > 0 ? "http/1.1" : NULL});
        web_client_say(&client, HELLO);
        cr_assert_eq(web_client_answer(&client, false, NULL), 200);
        cr_assert_str_eq(SSL_get_version(client.ssl), versions[i].name);
        cr_assert_eq(SSL_session_reused(client.ssl), 0);
        cr_assert_not(SSL_SESSION_has_ticket(SSL_get_session(client.ssl)));
        web_client_deinit(&client);
    }
    web_client_init(&client, &rig, &(struct web_client_options){.version = TLS1_1_VERSION});
    SSL_set_security_level(client.ssl, 0);
    web_until(&client, client.is_gone);
    cr_assert_not(client.is_up);
    web_client_deinit(&client);
    web_client_init(&client, &rig, &(struct web_client_options){.alpn = "h2"});
    web_until(&client, client.is_gone);
    cr_assert_not(client.is_up);
    web_client_deinit(&client);
}

Test(limits, what_is_not_tls_is_dropped)
{
    struct web_client client;
    char bytes[256];
    ssize_t got = -1;
    web_client_init(&client, &rig, NULL);
    cr_assert_gt(write(client.fd, HELLO, strlen(HELLO)), 0);
    turn_until(rig.loop, (got = read(client.fd, bytes, sizeof(bytes))) >= 0 || errno != EAGAIN);
    cr_assert_lt(got, 10, "at most an alert");
    turn_until(rig.loop, connections() == 0);
    web_client_deinit(&client);
}

Test(limits, a_listener_that_is_no_longer_wished_goes_and_what_is_up_stays)
{
    struct web_client client;
    web_client_init(&client, &rig, NULL);
    web_client_say(&client, HELLO);
    cr_assert_eq(web_client_answer(&client, false, NULL), 200);
    uint16_t before = rig.port;
    rig.port = rig.port < 60000 ? rig.port + 1 : rig.port - 1;
    snprintf(rig.config.listen[0], sizeof(rig.config.listen[0]), "127.0.0.1:%u", rig.port);
    qn_serve_configure(rig.serve, &rig.config);
    web_client_say(&client, HELLO);
    cr_assert_eq(web_client_answer(&client, false, NULL), 200);
    check_is_served("127.0.0.1");
    struct qn_serve_status status;
    qn_serve_status(rig.serve, &status);
    cr_assert_eq(status.listener_count, 1);
    cr_assert_neq(before, rig.port);
    web_client_deinit(&client);
}

Test(limits, stopping_ends_what_is_idle_and_lets_the_rest_finish)
{
    struct web_client idle, busy;
    web_client_init(&idle, &rig, NULL);
    web_client_init(&busy, &rig, NULL);
    web_client_say(&busy, "GET /late HTTP/1.1\r\n" HOST "\r\n");
    web_until(&busy, handlers.late != NULL);
    web_until(&idle, idle.is_up);
    qn_serve_stop(rig.serve);
    web_until(&idle, idle.is_gone);
    qn_web_answer(handlers.late, 200, "text/plain", qn_span_str("last"));
    cr_assert_eq(web_client_answer(&busy, false, NULL), 200);
    web_until(&busy, busy.is_gone);
    web_client_deinit(&idle);
    web_client_deinit(&busy);
}
