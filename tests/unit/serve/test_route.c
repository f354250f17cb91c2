#include "serve/route.h"

#include <criterion/criterion.h>

static const struct qn_web_handler one = {0}, two = {0}, page = {0};
static const struct qn_route table[] = {
    {"dav", .methods = QN_METHOD(PROPFIND), .handler = &one},
    {"api/v1", .methods = QN_METHODS_READ, .handler = &two},
    {"api/v1/session", .is_exact = true, .methods = QN_METHOD(POST), .handler = &one},
    {"", .is_exact = true, .methods = QN_METHOD(PROPFIND), .handler = &one},
    {"", .methods = QN_METHODS_READ, .handler = &page},
};
static const struct qn_routes routes = {table, sizeof(table) / sizeof(table[0])};

static struct qn_route_found find(const char *path, enum qn_http_method method)
{
    return qn_route_find(&routes, qn_span_str(path), method);
}

Test(route, the_longest_prefix_that_allows_the_method)
{
    cr_assert_eq(find("dav", QN_HTTP_PROPFIND).route->handler, &one);
    cr_assert_eq(find("dav/a/b", QN_HTTP_PROPFIND).route->handler, &one);
    cr_assert_eq(find("api/v1/session", QN_HTTP_POST).route->handler, &one);
    cr_assert_eq(find("api/v1/session", QN_HTTP_GET).route->handler, &two);
    cr_assert_eq(find("", QN_HTTP_PROPFIND).route->handler, &one);
    cr_assert_eq(find("", QN_HTTP_GET).route->handler, &page);
}

Test(route, a_prefix_is_whole_names)
{
    cr_assert_eq(find("davos", QN_HTTP_GET).route->handler, &page);
    cr_assert_null(find("davos", QN_HTTP_PROPFIND).route);
    cr_assert_eq(find("api/v1/session/x", QN_HTTP_GET).route->handler, &two);
    cr_assert_null(find("api/v1/session/x", QN_HTTP_POST).route);
}

Test(route, says_what_is_allowed)
{
    struct qn_route_found found = find("api/v1/session", QN_HTTP_DELETE);
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 200);
    cr_assert_null(found.route);
    qn_route_append_methods(found.methods, &text);
    qn_buf_append_u8(&text, 0);
    cr_assert_str_eq((const char *)text.data, "GET, HEAD, POST");
}

Test(route, what_lies_behind)
{
    struct qn_span rest = qn_route_rest(&table[0], qn_span_str("dav/a/b"));
    cr_assert(qn_span_eq_str(rest, "a/b"));
    cr_assert_eq(qn_route_rest(&table[0], qn_span_str("dav")).size, 0);
    cr_assert(qn_span_eq_str(qn_route_rest(&table[4], qn_span_str("a/b")), "a/b"));
}

/* Whatever WebDAV gives or changes asks for a device; the page and the API do not. */
Test(route, of_the_daemon)
{
    static const char *const drives[] = {"dav", "dav/plans", "dav/plans/a.txt"};
    for (enum qn_http_method method = QN_HTTP_GET; method < QN_HTTP_UNKNOWN; method++) {
        for (size_t i = 0; i < sizeof(drives) / sizeof(drives[0]); i++) {
            struct qn_route_found found =
                qn_route_find(&qn_serve_routes, qn_span_str(drives[i]), method);
            bool is_open = method == QN_HTTP_OPTIONS || found.route == NULL;
            cr_assert(is_open || (found.route->needs_person && found.route->needs_device), "%s %s",
                      qn_http_method_name(method), drives[i]);
        }
        struct qn_route_found api =
            qn_route_find(&qn_serve_routes, qn_span_str("api/v1/folders"), method);
        cr_assert(api.route == NULL || (api.route->needs_person && !api.route->needs_device));
    }
    cr_assert(
        qn_route_find(&qn_serve_routes, qn_span_str(""), QN_HTTP_PROPFIND).route->needs_device);
}
