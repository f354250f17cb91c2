/* Requests and answers over TLS and 127.0.0.1. */
#include "handlers.h"

static struct web_rig rig;
static struct web_client client;

static void set_up(void)
{
    handlers_reset();
    web_rig_init(&rig, test_routes, test_route_count);
    web_client_init(&client, &rig, NULL);
}

static void tear_down(void)
{
    web_client_deinit(&client);
    web_rig_deinit(&rig);
}

TestSuite(connection, .init = set_up, .fini = tear_down);

#define HOST "Host: a\r\n"

static void expect(unsigned status, const char *content)
{
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, 65536);
    unsigned got = web_client_answer(&client, false, &body);
    cr_assert_eq(got, status, "%u: %.*s", got, (int)body.size, (const char *)body.data);
    qn_buf_append_u8(&body, 0);
    cr_assert_str_eq((const char *)body.data, content);
}

Test(connection, answers_one_request_after_the_other)
{
    for (int i = 0; i < 3; i++) {
        web_client_say(&client, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
        expect(200, "hello");
    }
    cr_assert_eq(handlers.complete, 3);
}

Test(connection, says_on_every_answer_what_browsers_may_not_do)
{
    static const char *const asked[] = {"/hello", "/nothing", "/private"};
    for (size_t i = 0; i < 3; i++) {
        char text[128];
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" HOST "\r\n", asked[i]);
        web_client_say(&client, text);
        web_client_answer(&client, false, NULL);
        cr_assert_str_eq(web_client_field("X-Content-Type-Options"), "nosniff");
        cr_assert_str_eq(web_client_field("Referrer-Policy"), "no-referrer");
        cr_assert_str_eq(web_client_field("Cross-Origin-Resource-Policy"), "same-origin");
        cr_assert_str_eq(web_client_field("Strict-Transport-Security"), "max-age=31536000");
        cr_assert(strstr(web_client_field("Content-Security-Policy"), "default-src 'none'") !=
                  NULL);
        cr_assert(strstr(web_client_field("Content-Security-Policy"), "frame-ancestors 'none'") !=
                  NULL);
        cr_assert(strstr(web_client_field("Content-Security-Policy"), "; sandbox") != NULL);
        cr_assert_str_eq(web_client_field("Date"), "Fri, 15 Jan 2027 08:00:00 GMT");
    }
}

Test(connection, pipelined_requests_are_answered_in_order)
{
    web_client_say(&client, "GET /path/1 HTTP/1.1\r\n" HOST "\r\nGET /path/2 HTTP/1.1\r\n" HOST
                            "\r\nPUT /count HTTP/1.1\r\n" HOST
                            "Content-Length: 3\r\n\r\nabcGET /path/4 HTTP/1.1\r\n" HOST "\r\n");
    expect(200, "[1]? from 127.0.0.1");
    expect(200, "[2]? from 127.0.0.1");
    expect(201, "3");
    expect(200, "[4]? from 127.0.0.1");
    cr_assert_eq(handlers.started, 1); /* the count; path handlers do not count */
}

Test(connection, paths_are_decoded_and_composed)
{
    web_client_say(&client, "GET /path/a%20b/e%CC%81/?c=%41 HTTP/1.1\r\n" HOST
                            "Accept-Language: fr-FR,fr;q=0.9\r\n\r\n");
    expect(200, "[a b/\xc3\xa9]/?c=%41 from 127.0.0.1 fr");
    web_client_say(&client, "GET https://a/path/x HTTP/1.1\r\n" HOST "\r\n");
    expect(200, "[x]? from 127.0.0.1");
    web_client_say(&client, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
    expect(200, "[]/? from 127.0.0.1");
}

Test(connection, head_has_the_length_and_no_content)
{
    web_client_say(&client,
                   "HEAD /hello HTTP/1.1\r\n" HOST "\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n");
    cr_assert_eq(web_client_answer(&client, true, NULL), 200);
    cr_assert_str_eq(web_client_field("Content-Length"), "5");
    expect(200, "hello");
}

Test(connection, bodies_in_chunks_both_ways)
{
    web_client_say(&client, "PUT /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                            "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: x\r\n\r\n");
    expect(200, "hello world");
    cr_assert_str_eq(web_client_field("Transfer-Encoding"), "chunked");
    web_client_say(&client, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    expect(200, "hello");
}

Test(connection, any_cut_of_requests_gives_the_same_answers)
{
    static const char text[] =
        "PUT /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        "PUT /count HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nabcd"
        "GET /hello HTTP/1.1\r\n" HOST "\r\n";
    for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
        web_client_send(&client, qn_span(text, cut));
        for (int i = 0; i < 5; i++)
            qn_loop_turn(rig.loop);
        web_client_send(&client, qn_span(text + cut, sizeof(text) - 1 - cut));
        expect(200, "hello");
        expect(201, "4");
        expect(200, "hello");
    }
}

Test(connection, cut_at_any_byte_every_handler_hears_the_end)
{
    static const char text[] =
        "PUT /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        "PUT /count HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nabcd";
    for (size_t cut = 0; cut < sizeof(text); cut++) {
        struct web_client other;
        struct qn_serve_status status;
        web_client_init(&other, &rig, NULL);
        web_client_send(&other, qn_span(text, cut));
        for (int i = 0; i < 5; i++)
            qn_loop_turn(rig.loop);
        web_client_deinit(&other);
        do {
            qn_loop_turn(rig.loop);
            qn_serve_status(rig.serve, &status);
        } while (status.connection_count > 1);
        cr_assert_eq(handlers.started, handlers.ended, "cut at %zu", cut);
    }
    cr_assert_lt(handlers.complete, handlers.ended);
}

Test(connection, continues_when_the_handler_wants_the_body)
{
    web_client_say(&client, "PUT /count HTTP/1.1\r\n" HOST
                            "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    cr_assert_eq(web_client_answer(&client, false, NULL), 100);
    web_client_say(&client, "abcd");
    expect(201, "4");
    web_client_say(&client, "PUT /early HTTP/1.1\r\n" HOST
                            "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    expect(200, "hello");
    cr_assert_str_eq(web_client_field("Connection"), "close");
    web_until(&client, client.is_gone);
}

Test(connection, a_short_body_that_nobody_wants_is_read_over)
{
    web_client_say(&client, "PUT /early HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nabcd"
                            "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    expect(200, "hello");
    expect(200, "hello");
    web_client_say(&client, "PUT /early HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                            "4\r\nabcd\r\n0\r\n\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n");
    expect(200, "hello");
    expect(200, "hello");
    web_client_say(&client, "PUT /early HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n");
    expect(200, "hello");
    cr_assert_str_eq(web_client_field("Connection"), "close");
}

Test(connection, http_1_0_gets_what_it_understands)
{
    web_client_say(&client, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect(200, "hello");
    cr_assert_str_eq(web_client_field("Connection"), "keep-alive");
    web_client_say(&client, "GET /hello HTTP/1.0\r\n\r\n");
    expect(200, "hello");
    cr_assert_str_eq(web_client_field("Connection"), "close");
    web_until(&client, client.is_gone);
}

Test(connection, chunks_become_the_rest_of_the_connection_for_1_0)
{
    web_client_say(&client, "PUT /echo HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello");
    web_until(&client, client.is_gone);
    const char *end = memmem(client.received.data, client.received.size, "\r\n\r\nhello", 9);
    cr_assert_not_null(end);
    cr_assert_eq((const uint8_t *)end + 9, client.received.data + client.received.size);
}

static void check_refused(const char *text, unsigned status)
{
    struct web_client other;
    web_client_init(&other, &rig, NULL);
    web_client_say(&other, text);
    unsigned got = web_client_answer(&other, false, NULL);
    cr_assert_eq(got, status, "%u instead of %u: %s", got, status, text);
    cr_assert_str_eq(web_client_field("Connection"), "close");
    web_until(&other, other.is_gone);
    cr_assert_eq(other.received.size, 0, "a second answer: %s", text);
    web_client_deinit(&other);
}

/* What comes behind a head that two readers could read differently is never taken for a request. */
Test(connection, heads_that_could_be_read_in_two_ways_end_the_connection)
{
#define NEXT "GET /hello HTTP/1.1\r\n" HOST "\r\n"
    static const char *const texts[] = {
        "PUT /count HTTP/1.1\r\n" HOST
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT,
        "PUT /count HTTP/1.1\r\n" HOST "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd" NEXT,
        "PUT /count HTTP/1.1\r\n" HOST "Content-Length: 4, 4\r\n\r\nabcd" NEXT,
        "PUT /count HTTP/1.1\r\n" HOST "Content-Length: +4\r\n\r\nabcd" NEXT,
        "PUT /count HTTP/1.1\r\n" HOST "Content-Length : 4\r\n\r\nabcd" NEXT,
        "PUT /count HTTP/1.1\r\n" HOST "Content-Length: 4\nX: y\r\n\r\nabcd" NEXT,
        "PUT /count HTTP/1.1\r\n" HOST "X: y\r\n Content-Length: 4\r\n\r\nabcd" NEXT,
        "PUT /count HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n" NEXT,
        "PUT /count HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551620\r\n\r\nabcd" NEXT,
        "GET /hello HTTP/1.1\r\n\r\n" NEXT,
        "GET /hello HTTP/1.1\r\n" HOST "Host: b\r\n\r\n" NEXT,
        "GET /hello\r\n\r\n" NEXT,
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        check_refused(texts[i], 400);
    check_refused("PUT /count HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n" NEXT,
                  501);
    check_refused("PUT /count HTTP/1.1\r\n" HOST
                  "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" NEXT,
                  400);
    check_refused("BREW /hello HTTP/1.1\r\n" HOST "\r\n" NEXT, 501);
    check_refused("GET /path/../hello HTTP/1.1\r\n" HOST "\r\n" NEXT, 400);
    check_refused("GET /path/%2e%2e/hello HTTP/1.1\r\n" HOST "\r\n" NEXT, 400);
    check_refused("GET /hello HTTP/2.0\r\n" HOST "\r\n" NEXT, 505);
    cr_assert_eq(handlers.started, 0);
}

Test(connection, broken_chunks_end_the_connection)
{
    check_refused("PUT /count HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                  "zz\r\n" NEXT,
                  400);
    check_refused("PUT /count HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                  "ffffffffffffffffff\r\n" NEXT,
                  400);
    struct web_client other;
    web_client_init(&other, &rig, NULL);
    web_client_say(&other, "PUT /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                           "1\r\nax\r\n" NEXT);
    web_until(&other, other.is_gone);
    web_client_deinit(&other);
}

Test(connection, an_answer_that_is_not_whole_is_seen_as_cut)
{
    web_client_say(&client, "GET /short HTTP/1.1\r\n" HOST "\r\n");
    web_until(&client, client.is_gone);
    cr_assert_eq(handlers.ended, 1);
    cr_assert_eq(handlers.complete, 0);
    struct web_client other;
    web_client_init(&other, &rig, NULL);
    web_client_say(&other, "GET /cut HTTP/1.1\r\n" HOST "\r\n");
    web_until(&other,
              other.received.size > 5 &&
                  memcmp(other.received.data + other.received.size - 7, "begin\r\n", 7) == 0);
    qn_web_cut(handlers.late);
    web_until(&other, other.is_gone);
    cr_assert_null(memmem(other.received.data, other.received.size, "0\r\n\r\n", 5));
    web_client_deinit(&other);
}

Test(connection, not_found_and_not_allowed)
{
    web_client_say(&client, "GET /nothing HTTP/1.1\r\n" HOST "\r\n");
    expect(404, "404: There is no such thing here, or you may not see it.\n");
    web_client_say(&client, "GET /nothing HTTP/1.1\r\nAccept-Language: fr\r\n" HOST "\r\n");
    expect(404, "404: Il n'y a rien de tel ici, ou vous n'y avez pas acc\xc3\xa8s.\n");
    web_client_say(&client, "PUT /hello HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
    cr_assert_eq(web_client_answer(&client, false, NULL), 405);
    cr_assert_str_eq(web_client_field("Allow"), "GET, HEAD");
    web_client_say(&client, "GET /api/nothing HTTP/1.1\r\n" HOST "\r\n");
    expect(404,
           "{\"error\":{\"code\":\"not-found\",\"message\":\"There is no such thing here, or you "
           "may not see it.\",\"object\":\"\"}}\n");
    web_client_say(&client, "GET /api/nothing HTTP/1.1\r\nAccept-Language: fr\r\n" HOST "\r\n");
    expect(404,
           "{\"error\":{\"code\":\"not-found\",\"message\":\"Il n'y a rien de tel ici, ou vous n'y "
           "avez pas acc\xc3\xa8s.\",\"object\":\"\"}}\n");
}

Test(connection, the_door_decides_who_comes_in)
{
    web_client_say(&client, "GET /private HTTP/1.1\r\n" HOST "\r\n");
    cr_assert_eq(web_client_answer(&client, false, NULL), 401);
    cr_assert_str_eq(web_client_field("WWW-Authenticate"),
                     "Basic realm=\"Quoin\", charset=\"UTF-8\"");
    web_client_say(&client, "GET /api/private HTTP/1.1\r\n" HOST "Sec-Fetch-Mode: cors\r\n\r\n");
    cr_assert_eq(web_client_answer(&client, false, NULL), 401);
    cr_assert_str_eq(web_client_field("WWW-Authenticate"), "");
    web_client_say(&client, "GET /private HTTP/1.1\r\n" HOST "X-Test-Door: wrong\r\n\r\n");
    cr_assert_eq(web_client_answer(&client, false, NULL), 401);
    web_client_say(&client, "GET /hello HTTP/1.1\r\n" HOST "X-Test-Door: wrong\r\n\r\n");
    expect(200, "hello");
    web_client_say(&client, "GET /private HTTP/1.1\r\n" HOST "X-Test-Door: person lea\r\n\r\n");
    expect(200, "lea");
    web_client_say(&client, "GET /hello HTTP/1.1\r\n" HOST "X-Test-Door: throttled\r\n\r\n");
    cr_assert_eq(web_client_answer(&client, false, NULL), 429);
    cr_assert_str_eq(web_client_field("Retry-After"), "7");
    web_client_say(&client, "GET /hello HTTP/1.1\r\n" HOST "X-Test-Door: busy\r\n\r\n");
    cr_assert_eq(web_client_answer(&client, false, NULL), 503);
    web_client_say(&client, "GET /hello HTTP/1.1\r\n" HOST "X-Test-Door: forbidden\r\n\r\n");
    cr_assert_eq(web_client_answer(&client, false, NULL), 403);
    web_client_say(&client, "GET /hello HTTP/1.1\r\n" HOST "X-Test-Door: misdirected\r\n\r\n");
    cr_assert_eq(web_client_answer(&client, false, NULL), 421);
    web_until(&client, client.is_gone);
}

Test(connection, a_drive_takes_the_password_of_a_device)
{
    web_client_say(&client, "GET /drive HTTP/1.1\r\n" HOST "X-Test-Door: device lea\r\n\r\n");
    expect(200, "lea");
    web_client_say(&client, "GET /drive HTTP/1.1\r\n" HOST "X-Test-Door: browse lea\r\n\r\n");
    expect(200, "lea");
    web_client_say(&client, "GET /drive HTTP/1.1\r\n" HOST "X-Test-Door: person lea\r\n\r\n");
    cr_assert_eq(web_client_answer(&client, false, NULL), 401);
    cr_assert_str_eq(web_client_field("WWW-Authenticate"),
                     "Basic realm=\"Quoin\", charset=\"UTF-8\"");
    web_client_say(&client, "GET /drive HTTP/1.1\r\n" HOST "\r\n");
    cr_assert_eq(web_client_answer(&client, false, NULL), 401);
}

Test(connection, a_door_that_takes_its_time)
{
    rig.is_door_slow = true;
    web_client_say(&client, "GET /private HTTP/1.1\r\n" HOST "X-Test-Door: person lea\r\n\r\n");
    web_until(&client, rig.waiting.done != NULL);
    web_rig_open_door(&rig);
    expect(200, "lea");
    web_client_say(&client, "GET /private HTTP/1.1\r\n" HOST "\r\n");
    web_until(&client, rig.waiting.done != NULL);
    web_client_deinit(&client);
    turn_until(rig.loop, rig.forgotten_count == 1);
    web_client_init(&client, &rig, NULL);
}

Test(connection, nothing_grows_with_a_client_that_does_not_read)
{
    web_client_say(&client, "GET /big?20000000 HTTP/1.1\r\n" HOST "\r\n");
    for (int i = 0; i < 2000; i++)
        qn_loop_turn(rig.loop);
    cr_assert_geq(handlers.room_min, QN_WEB_ROOM_LOW);
    cr_assert_eq(handlers.ended, 0);
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, 32000000);
    cr_assert_eq(web_client_answer(&client, false, &body), 200);
    cr_assert_eq(body.size, 20000000);
    for (size_t i = 0; i < body.size; i++)
        cr_assert_eq(body.data[i], i % 251);
}

Test(connection, nothing_grows_with_a_handler_that_does_not_take)
{
    static uint8_t bytes[4 * 1024 * 1024];
    char head[128];
    size_t sent = 0;
    handlers.is_paused = true;
    snprintf(head, sizeof(head), "PUT /count HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n",
             sizeof(bytes) * 8);
    web_client_say(&client, head);
    for (int idle = 0; idle < 2000; idle++) {
        size_t went = web_client_turn(&client, qn_span(bytes, 65536), SIZE_MAX);
        sent += went;
        idle = went > 0 ? 0 : idle;
        qn_loop_turn(rig.loop);
    }
    cr_assert_lt(sent, sizeof(bytes) * 8, "all of it was taken by somebody");
    handlers.is_paused = false;
    qn_web_pause_body(handlers.late, false);
    while (sent < sizeof(bytes) * 8) {
        size_t left = sizeof(bytes) * 8 - sent;
        sent += web_client_turn(&client, qn_span(bytes, left < 65536 ? left : 65536), SIZE_MAX);
        qn_loop_turn(rig.loop);
    }
    expect(201, "33554432");
}

Test(connection, a_long_echo_keeps_its_order)
{
    static uint8_t bytes[3000000];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i % 253);
    web_client_say(&client, "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 3000000\r\n\r\n");
    web_client_send(&client, qn_span(bytes, sizeof(bytes)));
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, sizeof(bytes));
    cr_assert_eq(web_client_answer(&client, false, &body), 200);
    cr_assert_eq(body.size, sizeof(bytes));
    cr_assert_eq(memcmp(body.data, bytes, sizeof(bytes)), 0);
}

Test(connection, the_page_and_its_files)
{
    QN_AUTO_BUF struct qn_buf page;
    char etag[128], text[256];
    qn_buf_init(&page, 1000000);
    web_client_say(&client, "GET / HTTP/1.1\r\n" HOST "\r\n");
    cr_assert_eq(web_client_answer(&client, false, &page), 200);
    cr_assert_str_eq(web_client_field("Content-Type"), "text/html; charset=utf-8");
    cr_assert_null(strstr(web_client_field("Content-Security-Policy"), "unsafe"));
    cr_assert_null(memmem(page.data, page.size, "@SITE@", 6));
    snprintf(etag, sizeof(etag), "%s", web_client_field("ETag"));
    cr_assert_eq(etag[0], '"');
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "If-None-Match: %s\r\n\r\n", etag);
    web_client_say(&client, text);
    cr_assert_eq(web_client_answer(&client, false, NULL), 304);
    web_client_say(&client, "HEAD / HTTP/1.1\r\n" HOST "\r\n");
    cr_assert_eq(web_client_answer(&client, true, NULL), 200);
    cr_assert_eq(strtoul(web_client_field("Content-Length"), NULL, 10), page.size);
    web_client_say(&client, "GET /app.js HTTP/1.1\r\n" HOST "\r\n");
    cr_assert_eq(web_client_answer(&client, false, NULL), 200);
    cr_assert_str_eq(web_client_field("Content-Type"), "text/javascript; charset=utf-8");
}

/* A handler that waits for something else has heard the end before the engine refuses: two answers
 * to one request would end the process. */
Test(connection, a_broken_body_ends_the_request_for_its_handler)
{
    web_client_say(&client, "PUT /count HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                            "3\r\nabc\r\nno chunk\r\n");
    cr_assert_eq(web_client_answer(&client, false, NULL), 400);
    cr_assert_eq(handlers.ended, 1);
    cr_assert_eq(handlers.complete, 0);
    web_until(&client, client.is_gone);
    cr_assert_eq(handlers.ended, 1);
}
