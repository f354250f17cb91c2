/* Requests for folders of another site, whose part the test plays. */
#include <criterion/criterion.h>

#include "people/account.h"
#include "support/fake_local.h"
#include "support/web_rig.h"
#include "wire.h"

#define DIALS_MAX 16

static struct web_rig rig;
static struct web_client client;
static struct fake_local *disk;
static struct qn_people *people;
static struct wire wires[DIALS_MAX];
static size_t wire_count;
static uint64_t dials[DIALS_MAX];
static size_t dial_count;
static bool can_dial;

/* ---- the host ---- */

static bool is_elsewhere(void *context, struct qn_span folder, const char **ret_site,
                         bool *ret_is_online)
{
    *ret_site = "one";
    *ret_is_online = true;
    return qn_span_eq_str(folder, "F");
}

static bool dial(void *context, const char *site, uint64_t token)
{
    cr_assert_str_eq(site, "one");
    cr_assert_lt(dial_count, DIALS_MAX);
    if (can_dial)
        dials[dial_count++] = token;
    return can_dial;
}

static enum qn_err fill(void *context, struct qn_account *account)
{
    account->role = QN_ROLE_EDITOR;
    bool is_anne = strcmp(account->name, "anne") == 0;
    return qn_account_grant(account, QN_THING_FOLDER, SPAN("F"),
                            is_anne ? QN_RIGHT_WRITE : QN_RIGHT_READ);
}

static void on_edited(void *context, enum qn_err err)
{
    cr_assert_eq(err, QN_OK);
}

static void add_person(const char *name)
{
    struct qn_people_edit edit = {
        .change = QN_PEOPLE_ADD, .name = name, .edit = fill, .done = on_edited};
    qn_people_edit(people, &edit);
    fake_local_turn(disk);
}

static void local(struct qn_web_request *request)
{
    qn_web_refuse(request, 404, "not-found", "");
}

static const struct qn_web_handler local_handler = {.start = local};
static const struct qn_route routes[] = {
    {"dav", .needs_person = true,
     .methods = QN_METHODS_READ | QN_METHOD(PUT) | QN_METHOD(MOVE) | QN_METHOD(PROPFIND),
     .handler = &local_handler},
    {"api/v1", .needs_person = true, .methods = QN_METHODS_READ, .handler = &local_handler},
};

static void set_up(void)
{
    wire_count = dial_count = 0;
    can_dial = true;
    disk = fake_local_new();
    people = qn_people_new(fake_local_door(disk));
    add_person("anne");
    add_person("rita");
    web_rig_init_people(&rig, routes, 2, people);
    rig.host.elsewhere = is_elsewhere;
    rig.host.dial = dial;
    web_client_init(&client, &rig, NULL);
}

static void tear_down(void)
{
    web_client_deinit(&client);
    for (size_t i = 0; i < wire_count; i++)
        wire_cut(&wires[i]);
    qn_serve_stop(rig.serve);
    for (size_t i = 0; i < wire_count; i++)
        wire_deinit(&wires[i]);
    web_rig_deinit(&rig);
    qn_people_free(people);
    fake_local_free(disk);
}

TestSuite(remote, .init = set_up, .fini = tear_down);

/* ---- steps ---- */

#define FIELDS "Host: two.lan\r\nX-Test-Door: person anne\r\n"
#define SAYS                                                                                       \
    "Host: two.lan\r\nX-Quoin-Person: anne\r\nX-Quoin-Right: write\r\n"                            \
    "X-Quoin-Device: password\r\n"
#define GET_A "GET /dav/F/a HTTP/1.1\r\n" SAYS "\r\n"

static void ask(const char *line, const char *fields)
{
    char text[1024];
    snprintf(text, sizeof(text), "%s HTTP/1.1\r\n" FIELDS "%s\r\n", line, fields);
    web_client_say(&client, text);
}

/* The next connection that was asked for comes up. */
static struct wire *connect_one(void)
{
    struct qn_public_key key;
    web_until(&client, dial_count > wire_count);
    struct wire *wire = &wires[wire_count];
    qn_serve_dialled(rig.serve, dials[wire_count++], wire_init(wire, rig.loop, &key));
    return wire;
}

static void await(struct wire *wire, const char *end)
{
    web_until(&client, wire_has(wire, end));
}

/* All that the site was sent, from the start. */
static void expect_asked(struct wire *wire, const char *text)
{
    web_until(&client, wire->received.size >= strlen(text));
    cr_assert(qn_span_eq_str(qn_buf_view(&wire->received), text), "%.*s", (int)wire->received.size,
              (const char *)wire->received.data);
    qn_buf_reset(&wire->received);
}

static void expect(unsigned status, const char *content)
{
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, 65536);
    unsigned got = web_client_answer(&client, false, &body);
    cr_assert_eq(got, status, "%u: %.*s", got, (int)body.size, (const char *)body.data);
    qn_buf_append_u8(&body, 0);
    if (content != NULL)
        cr_assert_str_eq((const char *)body.data, content);
}

static void expect_offline(void)
{
    expect(503, "503: The site that has this cannot be reached for the moment. (one)\n");
    cr_assert_str_eq(web_client_field("Retry-After"), "10");
}

#define OK_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static struct wire *ask_once(void)
{
    ask("GET /dav/F/a", "");
    struct wire *wire = connect_one();
    expect_asked(wire, GET_A);
    wire_say(wire, OK_5);
    expect(200, "hello");
    return wire;
}

/* ---- what goes on ---- */

Test(remote, a_request_goes_on_with_what_matters_and_no_more)
{
    ask("GET /dav/F/d/%c3%a9?x=%20y",
        "Range: bytes=1-2\r\nIf-None-Match: \"a\"\r\nAuthorization: Basic YTpi\r\n"
        "Cookie: __Host-quoin=secret\r\nUser-Agent: x\r\nConnection: keep-alive\r\n");
    struct wire *wire = connect_one();
    expect_asked(wire, "GET /dav/F/d/%C3%A9?x=%20y HTTP/1.1\r\n" SAYS
                       "Range: bytes=1-2\r\nIf-None-Match: \"a\"\r\n\r\n");
    wire_say(wire, "HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\nETag: \"b\"\r\n"
                   "Content-Range: bytes 1-2/5\r\nSet-Cookie: a=b\r\nWWW-Authenticate: Basic\r\n"
                   "X-Other: c\r\nServer: d\r\n\r\nel");
    expect(206, "el");
    cr_assert_str_eq(web_client_field("ETag"), "\"b\"");
    cr_assert_str_eq(web_client_field("Content-Range"), "bytes 1-2/5");
    cr_assert_str_eq(web_client_field("X-Content-Type-Options"), "nosniff");
    static const char *const kept[] = {"Set-Cookie", "WWW-Authenticate", "X-Other", "Server"};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        cr_assert_str_eq(web_client_field(kept[i]), "", "%s", kept[i]);
}

/* Another site, or who has broken into it, says what it likes: in the browser nothing of it is a
 * page of this site. */
Test(remote, what_another_site_answers_is_no_page_of_this_one)
{
    static const char *const kinds[] = {
        "Content-Type: text/html\r\nContent-Disposition: inline\r\n",
        "Content-Type: image/svg+xml\r\n",
        "Content-Disposition: inline\r\nContent-Disposition: attachment\r\n",
        "Content-Type: text/plain\r\nContent-Type: text/html\r\n",
        "Content-Type: text/plain, text/html\r\n",
    };
    struct wire *wire = NULL;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char answer[512];
        ask("GET /dav/F/d/%C3%A9.txt", "");
        wire = wire == NULL ? connect_one() : wire;
        await(wire, "\r\n\r\n");
        qn_buf_reset(&wire->received);
        snprintf(answer, sizeof(answer),
                 "HTTP/1.1 200 OK\r\n%sContent-Security-Policy: script-src *\r\n"
                 "X-Frame-Options: ALLOW\r\nContent-Length: 5\r\n\r\nhello",
                 kinds[i]);
        wire_say(wire, answer);
        expect(200, "hello");
        cr_assert_str_eq(web_client_field("X-Frame-Options"), "DENY");
        cr_assert_not_null(
            strstr(web_client_field("Content-Security-Policy"), "default-src 'none'"));
        cr_assert_null(strstr(web_client_field("Content-Security-Policy"), "script-src"));
        cr_assert_str_eq(web_client_field("Content-Disposition"),
                         "attachment; filename=\"__.txt\"; filename*=UTF-8''%C3%A9.txt", "%s",
                         kinds[i]);
    }
}

Test(remote, pictures_are_shown_and_an_attachment_keeps_its_name)
{
    ask("GET /dav/F/a.png", "");
    struct wire *wire = connect_one();
    await(wire, "\r\n\r\n");
    qn_buf_reset(&wire->received);
    wire_say(wire, "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 1\r\n\r\nx");
    expect(200, "x");
    cr_assert_str_eq(web_client_field("Content-Disposition"), "");
    ask("GET /dav/F/a.png", "If-None-Match: \"a\"\r\n");
    await(wire, "\r\n\r\n");
    qn_buf_reset(&wire->received);
    wire_say(wire, "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n");
    expect(304, "");
    cr_assert_str_eq(web_client_field("Content-Disposition"), "");
    ask("GET /dav/F/d?zip", "");
    await(wire, "\r\n\r\n");
    wire_say(wire,
             "HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\n"
             "Content-Disposition: attachment; filename=\"d.zip\"\r\nContent-Length: 2\r\n\r\nPK");
    expect(200, "PK");
    cr_assert_str_eq(web_client_field("Content-Disposition"), "attachment; filename=\"d.zip\"");
}

Test(remote, what_webdav_needs_goes_on)
{
    ask("MOVE /dav/F/a/", "Destination: https://two.lan/dav/F/b\r\nOverwrite: F\r\n"
                          "If: <https://two.lan/dav/F/a> (<urn:uuid:1>)\r\nDepth: infinity\r\n");
    struct wire *wire = connect_one();
    expect_asked(wire, "MOVE /dav/F/a/ HTTP/1.1\r\n" SAYS
                       "Destination: https://two.lan/dav/F/b\r\nOverwrite: F\r\n"
                       "If: <https://two.lan/dav/F/a> (<urn:uuid:1>)\r\nDepth: infinity\r\n\r\n");
    wire_say(wire, "HTTP/1.1 204 No Content\r\n\r\n");
    expect(204, "");
}

Test(remote, bodies_go_both_ways_with_a_length_and_in_chunks)
{
    ask("PUT /dav/F/a", "Content-Length: 5\r\nExpect: 100-continue\r\n");
    struct wire *wire = connect_one();
    await(wire, "Content-Length: 5\r\n\r\n");
    cr_assert(memmem(wire->received.data, wire->received.size, "Expect", 6) == NULL);
    web_until(&client, client.received.size > 0);
    cr_assert_eq(client.received.size, strlen("HTTP/1.1 100 Continue\r\n\r\n"));
    qn_buf_reset(&client.received);
    web_client_say(&client, "hello");
    await(wire, "\r\n\r\nhello");
    wire_say(wire, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nTransfer-Encoding: "
                   "chunked\r\n\r\n3\r\nyes\r\n");
    wire_say(wire, "1\r\n!\r\n0\r\n\r\n");
    expect(201, "yes!");
    qn_buf_reset(&wire->received);
    ask("PUT /dav/F/a", "Transfer-Encoding: chunked\r\n");
    web_client_say(&client, "2\r\nab\r\n");
    await(wire, "\r\n\r\n2\r\nab\r\n");
    web_client_say(&client, "0\r\n\r\n");
    await(wire, "2\r\nab\r\n0\r\n\r\n");
    wire_say(wire, "HTTP/1.1 204 No Content\r\n\r\n");
    expect(204, "");
    cr_assert_eq(dial_count, 1, "one connection for both");
}

Test(remote, the_answer_to_head_has_no_content)
{
    ask("HEAD /dav/F/a", "");
    struct wire *wire = connect_one();
    await(wire, "\r\n\r\n");
    wire_say(wire, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    cr_assert_eq(web_client_answer(&client, true, NULL), 200);
    cr_assert_str_eq(web_client_field("Content-Length"), "5");
    ask("GET /dav/F/a", "");
    await(wire, GET_A);
    wire_say(wire, OK_5);
    expect(200, "hello");
}

/* ---- rights ---- */

Test(remote, who_may_only_read_does_not_even_ask)
{
    web_client_say(&client, "PUT /dav/F/a HTTP/1.1\r\nHost: a\r\nX-Test-Door: person rita\r\n"
                            "Content-Length: 2\r\n\r\nab");
    expect(403, NULL);
    web_client_say(&client, "GET /dav/F/a HTTP/1.1\r\nHost: a\r\nX-Test-Door: person nora\r\n\r\n");
    expect(404, NULL); /* the handler of this site */
    web_client_say(&client, "GET /dav/F/a HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(401, NULL);
    ask("GET /dav/G/a", "");
    expect(404, NULL);
    cr_assert_eq(dial_count, 0);
    web_client_say(&client, "GET /dav/F/a HTTP/1.1\r\nHost: a\r\nX-Test-Door: person rita\r\n\r\n");
    expect_asked(connect_one(), "GET /dav/F/a HTTP/1.1\r\nHost: a\r\nX-Quoin-Person: rita\r\n"
                                "X-Quoin-Right: read\r\nX-Quoin-Device: password\r\n\r\n");
    wire_say(&wires[0], OK_5);
    expect(200, "hello");
}

/* ---- what goes wrong ---- */

Test(remote, a_site_that_cannot_be_reached_is_named)
{
    ask("GET /dav/F/a", "");
    web_until(&client, dial_count == 1);
    qn_serve_dialled(rig.serve, dials[0], NULL);
    expect_offline();
    can_dial = false;
    ask("GET /dav/F/a", "");
    expect_offline();
    ask("GET /api/v1/folders/F/list", "");
    expect(503, "{\"error\":{\"code\":\"site-offline\",\"message\":\"The site that has this "
                "cannot be reached for the moment.\",\"object\":\"one\"}}\n");
}

Test(remote, a_connection_that_does_not_come_in_time_is_not_waited_for)
{
    ask("PUT /dav/F/a", "Content-Length: 5\r\n");
    web_until(&client, dial_count == 1);
    rig.now_ms += QN_WEB_LINE_TIME_MAX_MS - 1;
    for (int i = 0; i < 1000; i++)
        qn_loop_turn(rig.loop);
    cr_assert_eq(client.received.size, 0);
    rig.now_ms += 1;
    expect_offline();
}

Test(remote, an_answer_that_ends_in_the_middle_is_cut)
{
    ask("GET /dav/F/a", "");
    struct wire *wire = connect_one();
    await(wire, "\r\n\r\n");
    wire_say(wire, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
    web_until(&client, client.received.size > 3 &&
                           memcmp(client.received.data + client.received.size - 3, "hel", 3) == 0);
    wire_cut(wire);
    web_until(&client, client.is_gone);
}

Test(remote, so_is_one_in_chunks)
{
    ask("GET /dav/F/a", "");
    struct wire *wire = connect_one();
    await(wire, "\r\n\r\n");
    wire_say(wire, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n");
    web_until(&client,
              client.received.size > 5 &&
                  memcmp(client.received.data + client.received.size - 5, "hel\r\n", 5) == 0);
    wire_cut(wire);
    web_until(&client, client.is_gone);
    cr_assert(memmem(client.received.data, client.received.size, "0\r\n\r\n", 5) == NULL);
}

Test(remote, a_site_that_goes_before_it_answers_is_offline)
{
    ask("PUT /dav/F/a", "Content-Length: 5\r\n");
    struct wire *wire = connect_one();
    web_client_say(&client, "hel");
    await(wire, "hel");
    wire_cut(wire);
    expect_offline();
    cr_assert_eq(dial_count, 1, "a change is sent once");
}

Test(remote, a_kept_connection_that_has_ended_is_replaced)
{
    struct wire *wire = ask_once();
    wire_cut(wire);
    for (int i = 0; i < 1000; i++)
        qn_loop_turn(rig.loop);
    ask("GET /dav/F/a", "");
    struct wire *second = connect_one();
    expect_asked(second, GET_A);
    wire_say(second, OK_5);
    expect(200, "hello");
}

Test(remote, what_is_read_is_asked_again_once_when_a_kept_connection_ends_under_it)
{
    struct wire *wire = ask_once();
    ask("GET /dav/F/a", "");
    expect_asked(wire, GET_A);
    wire_cut(wire);
    struct wire *second = connect_one();
    expect_asked(second, GET_A);
    wire_cut(second);
    expect_offline();
    cr_assert_eq(dial_count, 2);
}

Test(remote, nonsense_is_a_bad_gateway)
{
    static const char *const answers[] = {
        "HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "what\r\n\r\n",
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n"};
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        ask("GET /dav/F/a", "");
        struct wire *wire = connect_one();
        await(wire, "\r\n\r\n");
        wire_say(wire, answers[i]);
        expect(502, "502: The site that has this answered wrongly. Tell your IT person. (one)\n");
        web_until(&client, wire->is_down);
    }
}

Test(remote, who_answers_unasked_is_left)
{
    struct wire *wire = ask_once();
    wire_say(wire, OK_5);
    web_until(&client, wire->is_down);
    ask("GET /dav/F/a", "");
    struct wire *second = connect_one();
    expect_asked(second, GET_A);
    wire_say(second, OK_5 "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    expect(200, "hello");
    web_until(&client, second->is_down);
}

Test(remote, an_answer_before_the_end_of_the_body_ends_the_connection)
{
    ask("PUT /dav/F/a", "Content-Length: 1000000\r\n");
    struct wire *wire = connect_one();
    web_client_say(&client, "some");
    await(wire, "some");
    wire_say(wire, "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 2\r\n\r\nno");
    expect(412, "no");
    web_until(&client, wire->is_down);
}

Test(remote, a_client_that_leaves_takes_its_request_along)
{
    ask("GET /dav/F/a", "");
    struct wire *wire = connect_one();
    await(wire, "\r\n\r\n");
    web_client_deinit(&client);
    turn_until(rig.loop, wire->is_down);
    web_client_init(&client, &rig, NULL);
    ask("GET /dav/F/a", ""); /* one that waits */
    web_until(&client, dial_count == 2);
    web_client_deinit(&client);
    struct qn_serve_status status;
    do {
        qn_loop_turn(rig.loop);
        qn_serve_status(rig.serve, &status);
    } while (status.connection_count > 0);
    web_client_init(&client, &rig, NULL);
    connect_one(); /* it is kept for the next */
    ask("GET /dav/F/a", "");
    expect_asked(&wires[1], GET_A);
    wire_say(&wires[1], OK_5);
    expect(200, "hello");
}

/* ---- how many, how long ---- */

Test(remote, a_ninth_request_waits_for_one_of_eight_connections)
{
    struct web_client others[QN_WEB_LINES_MAX];
    for (size_t i = 0; i < QN_WEB_LINES_MAX; i++) {
        web_client_init(&others[i], &rig, NULL);
        web_client_say(&others[i], "GET /dav/F/b HTTP/1.1\r\n" FIELDS "\r\n");
        connect_one();
        await(&wires[i], "\r\n\r\n");
    }
    ask("GET /dav/F/a", "");
    for (int i = 0; i < 1000; i++)
        web_client_turn(&client, qn_span(NULL, 0), SIZE_MAX), qn_loop_turn(rig.loop);
    cr_assert_eq(dial_count, QN_WEB_LINES_MAX);
    qn_buf_reset(&wires[3].received);
    wire_say(&wires[3], OK_5);
    expect_asked(&wires[3], GET_A);
    wire_say(&wires[3], "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine");
    expect(200, "mine");
    for (size_t i = 0; i < QN_WEB_LINES_MAX; i++)
        web_client_deinit(&others[i]);
}

Test(remote, a_connection_without_work_is_closed_after_a_minute)
{
    struct wire *wire = ask_once();
    rig.now_ms += QN_WEB_LINE_IDLE_MS - 1000;
    for (int i = 0; i < 1000; i++)
        qn_loop_turn(rig.loop);
    cr_assert_not(wire->is_down);
    rig.now_ms += 1000;
    turn_until(rig.loop, wire->is_down);
}

Test(remote, little_of_a_large_answer_waits_in_between)
{
    QN_AUTO_BUF struct qn_buf piece;
    const size_t size = 8 * 1024 * 1024;
    qn_buf_init(&piece, size);
    memset(qn_buf_reserve(&piece, size), 'x', size);
    piece.size = size;
    ask("GET /dav/F/a", "");
    struct wire *wire = connect_one();
    await(wire, "\r\n\r\n");
    char head[64];
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", 10 * size);
    wire_say(wire, head);
    size_t sent = 0; /* as long as the server takes it; the client takes nothing */
    for (int idle = 0; idle < 2000 && sent < 10; idle++) {
        qn_loop_turn(rig.loop);
        if (qn_stream_queued(wire->stream) == 0) {
            cr_assert_eq(qn_stream_send(wire->stream, qn_buf_view(&piece), qn_span(NULL, 0)),
                         QN_OK);
            sent++;
            idle = 0;
        }
    }
    cr_assert_lt(sent, 6, "the kernel's buffers hold some megabytes, the daemon holds little");
    web_until(&client, client.received.size > size);
}

/* ---- questions of this site's own ---- */

static struct {
    unsigned told;
    enum qn_err err;
    uint64_t count;
    bool is_indexing;
    char hits[512];
} found;

static void on_found(void *context, enum qn_err err, const struct qn_serve_found *what)
{
    found.told++;
    found.err = err;
    found.count = what->count;
    found.is_indexing = what->is_indexing;
    memset(found.hits, 0, sizeof(found.hits));
    for (size_t i = 0; i < what->hits.size && i < sizeof(found.hits) - 1; i++)
        found.hits[i] = what->hits.data[i] == 0 ? '?' : (char)what->hits.data[i];
}

static void search(void)
{
    memset(&found, 0, sizeof(found));
    qn_serve_search(rig.serve,
                    &(struct qn_serve_search){.site = "one",
                                              .folder = SPAN("F"),
                                              .person = SPAN("anne"),
                                              .words = SPAN("a&b \xc3\xa9"),
                                              .limit = 2},
                    on_found, NULL);
}

#define SEARCH                                                                                     \
    "GET /api/v1/folders/F/search?limit=2&q=a%26b%20%C3%A9 HTTP/1.1\r\nHost: localhost\r\n"        \
    "X-Quoin-Person: anne\r\nX-Quoin-Right: read\r\n\r\n"

static void say_content(struct wire *wire, const char *content)
{
    char text[1024];
    snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(content), content);
    wire_say(wire, text);
}

Test(remote, a_search_takes_what_may_be_a_file_and_no_more_than_was_asked)
{
    search();
    struct wire *wire = connect_one();
    expect_asked(wire, SEARCH);
    say_content(wire, "{\"results\":[{\"path\":\"../up\"},{\"path\":7},{\"path\":\"d/one\"},"
                      "{\"path\":\"a\\u0007b\"},{\"path\":\"two\",\"folder\":\"G\"},"
                      "{\"path\":\"three\"}],\"indexing\":true}");
    web_until(&client, found.told > 0);
    cr_assert_eq(found.err, QN_OK);
    cr_assert_eq(found.count, 2);
    cr_assert(found.is_indexing);
    cr_assert_not_null(strstr(found.hits, "d/one"));
    cr_assert_not_null(strstr(found.hits, "two"));
    cr_assert_null(strstr(found.hits, "G"), "another folder's: %s", found.hits);
    search(); /* over the same connection */
    expect_asked(wire, SEARCH);
    say_content(wire, "[1]");
    web_until(&client, found.told > 0);
    cr_assert_eq(found.err, QN_ERR_INVALID);
    cr_assert_eq(dial_count, 1);
}

Test(remote, a_site_that_does_not_answer_a_search_is_given_up)
{
    search();
    struct wire *wire = connect_one();
    expect_asked(wire, SEARCH);
    rig.now_ms += QN_WEB_ASK_TIME_MAX_MS;
    web_until(&client, found.told > 0);
    cr_assert_eq(found.err, QN_ERR_TIMEOUT);
    can_dial = false;
    search();
    cr_assert_eq(found.told, 1);
    cr_assert_eq(found.err, QN_ERR_CLOSED);
}

Test(remote, a_search_ends_with_the_server)
{
    search();
    connect_one();
    cr_assert_eq(found.told, 0);
    tear_down();
    cr_assert_eq(found.told, 1);
    cr_assert_eq(found.err, QN_ERR_CLOSED);
    set_up();
}
