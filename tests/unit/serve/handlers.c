#include "handlers.h"

#include "base/mem.h"
#include "serve/page.h"

struct handlers handlers;

void handlers_reset(void)
{
    handlers = (struct handlers){.room_min = SIZE_MAX};
}

static void on_end(struct qn_web_request *request, bool is_complete)
{
    handlers.ended++;
    handlers.complete += is_complete;
    if (handlers.late == request)
        handlers.late = NULL;
    qn_free(qn_web_state(request));
}

static void hello(struct qn_web_request *request)
{
    handlers.started++;
    qn_web_answer(request, 200, "text/plain", qn_span_str("hello"));
}

/* ---- echo ---- */

static void echo_start(struct qn_web_request *request)
{
    handlers.started++;
    qn_web_head(request, 200, QN_HTTP_NO_LENGTH);
    qn_web_head_end(request);
    qn_web_want_body(request);
}

static void echo_body(struct qn_web_request *request, struct qn_span piece)
{
    cr_assert_leq(piece.size, qn_web_room(request), "it was paused");
    qn_web_send(request, piece);
    if (qn_web_room(request) < QN_WEB_ROOM_LOW)
        qn_web_pause_body(request, true);
}

static void echo_room(struct qn_web_request *request)
{
    qn_web_pause_body(request, false);
}

/* ---- count ---- */

static void count_start(struct qn_web_request *request)
{
    handlers.started++;
    handlers.count_taken = 0;
    handlers.late = request;
    qn_web_want_body(request);
    qn_web_pause_body(request, handlers.is_paused);
}

static void count_body(struct qn_web_request *request, struct qn_span piece)
{
    cr_assert(!handlers.is_paused);
    handlers.count_taken += piece.size;
}

static void count_end(struct qn_web_request *request)
{
    char text[32];
    snprintf(text, sizeof(text), "%zu", handlers.count_taken);
    qn_web_answer(request, 201, "text/plain", qn_span_str(text));
}

/* ---- big ---- */

struct big {
    uint64_t size, sent;
};

static void big_start(struct qn_web_request *request)
{
    struct big *big = QN_NEW(struct big);
    struct qn_span query = qn_web_query(request);
    char text[32];
    handlers.started++;
    snprintf(text, sizeof(text), "%.*s", (int)query.size, (const char *)query.data);
    big->size = strtoull(text, NULL, 10);
    qn_web_set_state(request, big);
    qn_web_head(request, 200, big->size);
    qn_web_head_end(request);
}

static void big_room(struct qn_web_request *request)
{
    static uint8_t bytes[256 * 1024];
    struct big *big = qn_web_state(request);
    size_t room = qn_web_room(request);
    uint64_t left = big->size - big->sent;
    size_t size = left < sizeof(bytes) ? (size_t)left : sizeof(bytes);
    if (room < handlers.room_min)
        handlers.room_min = room;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((big->sent + i) % 251);
    qn_web_send(request, qn_span(bytes, size));
    big->sent += size;
    if (big->sent == big->size)
        qn_web_finish(request);
}

/* ---- the others ---- */

static void late_start(struct qn_web_request *request)
{
    handlers.started++;
    handlers.late = request;
}

static void cut_start(struct qn_web_request *request)
{
    qn_web_head(request, 200, QN_HTTP_NO_LENGTH);
    qn_web_head_end(request);
    qn_web_send(request, qn_span_str("begin"));
    handlers.late = request;
}

static void short_start(struct qn_web_request *request)
{
    qn_web_head(request, 200, 10);
    qn_web_head_end(request);
    qn_web_send(request, qn_span_str("12345"));
    qn_web_finish(request);
}

static void private_start(struct qn_web_request *request)
{
    qn_web_answer(request, 200, "text/plain", qn_span_str(qn_web_person(request)->name));
}

static void path_start(struct qn_web_request *request)
{
    char text[1024];
    struct qn_span path = qn_web_path(request), query = qn_web_query(request);
    snprintf(text, sizeof(text), "[%.*s]%s?%.*s from %s%s", (int)path.size, (const char *)path.data,
             qn_web_path_has_slash(request) ? "/" : "", (int)query.size, (const char *)query.data,
             qn_web_from(request), qn_web_is_french(request) ? " fr" : "");
    qn_web_answer(request, 200, "text/plain; charset=utf-8", qn_span_str(text));
}

static const struct qn_web_handler hello_handler = {.start = hello, .end = on_end},
                                   echo_handler = {.start = echo_start,
                                                   .body = echo_body,
                                                   .body_end = qn_web_finish,
                                                   .room = echo_room,
                                                   .end = on_end},
                                   count_handler = {.start = count_start,
                                                    .body = count_body,
                                                    .body_end = count_end,
                                                    .end = on_end},
                                   big_handler = {.start = big_start,
                                                  .room = big_room,
                                                  .end = on_end},
                                   late_handler = {.start = late_start, .end = on_end},
                                   cut_handler = {.start = cut_start, .end = on_end},
                                   short_handler = {.start = short_start, .end = on_end},
                                   private_handler = {.start = private_start, .end = on_end},
                                   path_handler = {.start = path_start, .end = on_end};

const struct qn_route test_routes[] = {
    {"hello", .methods = QN_METHODS_READ, .handler = &hello_handler},
    {"echo", .methods = QN_METHOD(PUT), .handler = &echo_handler},
    {"count", .methods = QN_METHOD(PUT), .handler = &count_handler},
    {"early", .methods = QN_METHOD(PUT), .handler = &hello_handler},
    {"big", .methods = QN_METHODS_READ, .handler = &big_handler},
    {"late", .methods = QN_METHODS_READ, .handler = &late_handler},
    {"cut", .methods = QN_METHODS_READ, .handler = &cut_handler},
    {"short", .methods = QN_METHODS_READ, .handler = &short_handler},
    {"private", .needs_person = true, .methods = QN_METHODS_READ, .handler = &private_handler},
    {"api/private", .needs_person = true, .methods = QN_METHODS_READ, .handler = &private_handler},
    {"drive", .needs_person = true, .needs_device = true, .methods = QN_METHODS_READ,
     .handler = &private_handler},
    {"path", .methods = QN_METHODS_READ, .handler = &path_handler},
    {"", .is_exact = true, .methods = QN_METHOD(OPTIONS), .handler = &path_handler},
    {"", .methods = QN_METHODS_READ, .handler = &qn_page_handler},
};
const size_t test_route_count = sizeof(test_routes) / sizeof(test_routes[0]);
