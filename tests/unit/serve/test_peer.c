/* Another site asks for its people: who is believed what. */
#include <criterion/criterion.h>

#include "people/people.h"
#include "wire.h"
#include "support/web_rig.h"

static struct web_rig rig;
static struct wire wire;
static struct qn_public_key key;
static bool is_member, shares;
static struct qn_person seen;

static void who(struct qn_web_request *request)
{
    seen = *qn_web_person(request);
    qn_web_answer(request, 200, "text/plain", qn_span_str(seen.name));
}

static const struct qn_web_handler who_handler = {.start = who};
static const struct qn_route routes[] = {
    {"dav", .needs_person = true, .methods = QN_METHODS_READ | QN_METHOD(PUT),
     .handler = &who_handler},
    {"", .methods = QN_METHODS_READ, .handler = &who_handler},
};

static const char *member(void *context, const struct qn_public_key *asked)
{
    return is_member && qn_public_key_eq(asked, &key) ? "two" : NULL;
}

static bool has_part(void *context, const struct qn_public_key *asked, struct qn_span folder)
{
    return shares && qn_public_key_eq(asked, &key);
}

static struct qn_folder *folder(void *context, struct qn_span name)
{
    static struct qn_folder none;
    return qn_span_eq_str(name, "F") ? &none : NULL;
}

static void set_up(void)
{
    is_member = shares = true;
    seen = (struct qn_person){0};
    web_rig_init(&rig, routes, 2);
    rig.host.member = member;
    rig.host.shares = has_part;
    rig.host.folder = folder;
    struct qn_stream *stream = wire_init(&wire, rig.loop, &key);
    qn_serve_take_peer(rig.serve, stream, &key);
}

static void tear_down(void)
{
    wire_deinit(&wire);
    web_rig_deinit(&rig);
}

TestSuite(peer, .init = set_up, .fini = tear_down);

#define ANNE "X-Quoin-Person: anne\r\nX-Quoin-Right: read\r\n"

/* The status of the answer, all of which is taken away. */
static unsigned ask(const char *target, const char *fields)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 4096);
    qn_buf_printf(&text, "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target, fields);
    qn_buf_append_u8(&text, 0);
    qn_buf_reset(&wire.received);
    wire_say(&wire, (const char *)text.data);
    turn_until(rig.loop,
               wire.received.size > 12 &&
                   (wire_has(&wire, "\n") || wire_has(&wire, "}") || wire_has(&wire, seen.name)));
    qn_buf_append_u8(&wire.received, 0);
    return (unsigned)strtoul((const char *)wire.received.data + strlen("HTTP/1.1 "), NULL, 10);
}

Test(peer, asks_for_a_person_of_its_own)
{
    cr_assert_eq(ask("/dav/F/a", ANNE "X-Quoin-Device: phone\r\n"), 200);
    cr_assert_str_eq(seen.name, "anne@two");
    cr_assert_str_eq(seen.device, "phone");
    cr_assert_eq(seen.role, QN_ROLE_READER);
    struct qn_span name = qn_span_str("F");
    cr_assert_eq(qn_people_right(NULL, &seen, QN_THING_FOLDER, name), QN_RIGHT_READ);
    cr_assert_eq(qn_people_right(NULL, &seen, QN_THING_COLLECTION, name), QN_RIGHT_NONE);
    cr_assert_not(qn_people_is_operator(NULL, &seen));
    cr_assert_eq(ask("/dav/F/a", "X-Quoin-Person: \xc3\xa9va\r\nX-Quoin-Right: write\r\n"), 200);
    cr_assert_str_eq(seen.name, "\xc3\xa9va@two");
    cr_assert_str_eq(seen.device, "");
    cr_assert_eq(qn_people_right(NULL, &seen, QN_THING_FOLDER, name), QN_RIGHT_WRITE);
    cr_assert_eq(rig.door_count, 0, "the people's door has no say here");
}

Test(peer, sees_only_folders)
{
    static const char *const targets[] = {"/",
                                          "/dav",
                                          "/dav/",
                                          "/api/v1/me",
                                          "/api/v1/folders",
                                          "/api/v1/collections/F/records",
                                          "/davF/F",
                                          "/app.js"};
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        cr_assert_eq(ask(targets[i], ANNE), 403, "%s", targets[i]);
    cr_assert_str_eq(seen.name, "");
}

Test(peer, sees_only_those_that_it_shares)
{
    cr_assert_eq(ask("/dav/G/a", ANNE), 404, "not here");
    shares = false;
    cr_assert_eq(ask("/dav/F/a", ANNE), 404, "not its");
    cr_assert_str_eq(seen.name, "");
}

Test(peer, that_is_no_member_any_more_is_cut)
{
    cr_assert_eq(ask("/dav/F/a", ANNE), 200);
    is_member = false;
    turn_until(rig.loop, wire.is_down);
}

/* Labels of devices are what people write. */
Test(peer, names_a_device_with_any_words)
{
    cr_assert_eq(ask("/dav/F/a", ANNE "X-Quoin-Device: phone of Anne / \xc3\xa9t\xc3\xa9\r\n"),
                 200);
    cr_assert_str_eq(seen.device, "phone of Anne / \xc3\xa9t\xc3\xa9");
}

Test(peer, has_to_say_who_it_is)
{
    static const char *const fields[] = {
        "",
        "X-Quoin-Person: anne\r\n",
        "X-Quoin-Right: read\r\n",
        "X-Quoin-Person: anne\r\nX-Quoin-Right: none\r\n",
        "X-Quoin-Person: anne\r\nX-Quoin-Right: all\r\n",
        "X-Quoin-Person: anne\r\n" ANNE,
        ANNE "X-Quoin-Right: write\r\n",
        ANNE "X-Quoin-Device: a\r\nX-Quoin-Device: b\r\n",
        ANNE "X-Quoin-Device: \xc3\r\n",
        ANNE "X-Quoin-Device: 0123456789012345678901234567890123456789012345678901234567890123\r\n",
        "X-Quoin-Person:\r\nX-Quoin-Right: read\r\n",
        "X-Quoin-Person: a@b\r\nX-Quoin-Right: read\r\n",
        "X-Quoin-Person: a:b\r\nX-Quoin-Right: read\r\n",
        "X-Quoin-Person: \xff\r\nX-Quoin-Right: read\r\n",
        "X-Quoin-Person: 0123456789012345678901234567890123456789012345678901234567890123\r\n"
        "X-Quoin-Right: read\r\n",
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        cr_assert_eq(ask("/dav/F/a", fields[i]), 400, "%s", fields[i]);
    cr_assert_str_eq(seen.name, "");
}

Test(peer, people_cannot_speak_as_a_site_does)
{
    static const char *const fields[] = {"X-Quoin-Person: anne\r\n", "x-quoin-right: write\r\n",
                                         "X-QUOIN-DEVICE: a\r\n"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct web_client client;
        char text[256];
        web_client_init(&client, &rig, NULL);
        snprintf(text, sizeof(text),
                 "GET / HTTP/1.1\r\nHost: a\r\nX-Test-Door: person rita\r\n%s\r\n", fields[i]);
        web_client_say(&client, text);
        cr_assert_eq(web_client_answer(&client, false, NULL), 400);
        web_client_deinit(&client);
    }
    cr_assert_str_eq(seen.name, "");
}

Test(peer, has_a_limit_of_connections)
{
    struct wire more[QN_WEB_LINES_FROM_MAX];
    struct qn_serve_status status;
    for (size_t i = 0; i < QN_WEB_LINES_FROM_MAX; i++)
        qn_serve_take_peer(rig.serve, wire_init(&more[i], rig.loop, &key), &key);
    turn_until(rig.loop, more[QN_WEB_LINES_FROM_MAX - 1].is_down);
    qn_serve_status(rig.serve, &status);
    cr_assert_eq(status.connection_count, QN_WEB_LINES_FROM_MAX);
    cr_assert_eq(status.refused_count, 1);
    for (size_t i = 0; i < QN_WEB_LINES_FROM_MAX; i++)
        wire_deinit(&more[i]);
}

Test(peer, is_closed_when_it_asks_nothing_for_long)
{
    cr_assert_eq(ask("/dav/F/a", ANNE), 200);
    rig.now_ms += QN_WEB_LINE_IDLE_MS + 1000; /* the other side goes first */
    cr_assert_eq(ask("/dav/F/a", ANNE), 200);
    rig.now_ms += QN_WEB_LINE_KEPT_MS + 1000;
    turn_until(rig.loop, wire.is_down);
}
