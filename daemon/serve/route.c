#include "serve/route.h"

#include "serve/api.h"
#include "serve/dav.h"
#include "serve/page.h"

#define API_METHODS                                                                                \
    (QN_METHODS_READ | QN_METHOD(PUT) | QN_METHOD(PATCH) | QN_METHOD(POST) | QN_METHOD(DELETE))

static bool matches(const struct qn_route *route, struct qn_span path)
{
    struct qn_span prefix = qn_span_str(route->prefix);
    if (route->is_exact)
        return qn_span_eq(path, prefix);
    return qn_span_has_prefix(path, prefix) &&
           (prefix.size == 0 || path.size == prefix.size || path.data[prefix.size] == '/');
}

struct qn_route_found qn_route_find(const struct qn_routes *routes, struct qn_span path,
                                    enum qn_http_method method)
{
    struct qn_route_found found = {0};
    size_t longest = 0;
    for (size_t i = 0; i < routes->count; i++) {
        const struct qn_route *route = &routes->items[i];
        size_t size = strlen(route->prefix);
        if (!matches(route, path))
            continue;
        found.methods |= route->methods;
        bool is_better = found.route == NULL || size > longest ||
                         (size == longest && route->is_exact && !found.route->is_exact);
        if ((route->methods & 1U << method) != 0 && is_better) {
            found.route = route;
            longest = size;
        }
    }
    return found;
}

struct qn_span qn_route_rest(const struct qn_route *route, struct qn_span path)
{
    size_t size = strlen(route->prefix);
    struct qn_span rest = qn_span_from(path, size);
    return size > 0 && rest.size > 0 ? qn_span_from(rest, 1) : rest;
}

void qn_route_append_methods(unsigned methods, struct qn_buf *out)
{
    const char *between = "";
    for (enum qn_http_method method = QN_HTTP_GET; method < QN_HTTP_UNKNOWN; method++)
        if ((methods & 1U << method) != 0) {
            qn_buf_append_str(out, between);
            qn_buf_append_str(out, qn_http_method_name(method));
            between = ", ";
        }
}

/* One row a prefix and kind of method. The page comes last: it has everything that nothing else
 * has, and knows which names it does not have. */
#define QN_METHODS_DAV                                                                             \
    (QN_METHODS_READ | QN_METHOD(PUT) | QN_METHOD(DELETE) | QN_METHOD(MKCOL) | QN_METHOD(COPY) |   \
     QN_METHOD(MOVE) | QN_METHOD(PROPFIND) | QN_METHOD(PROPPATCH) | QN_METHOD(LOCK) |              \
     QN_METHOD(UNLOCK))

/* What WebDAV can do here is told to anybody: some clients ask before they have a name. */
static const struct qn_route routes[] = {
    {"api/v1/session", .methods = QN_METHOD(POST), .handler = &qn_api_session_handler},
    {"api/v1/session", .needs_person = true, .methods = QN_METHOD(DELETE),
     .handler = &qn_api_session_handler},
    {"api/v1", .needs_person = true, .methods = API_METHODS, .handler = &qn_api_handler},
    {"dav", .methods = QN_METHOD(OPTIONS), .handler = &qn_dav_handler},
    {"dav", .needs_person = true, .needs_device = true, .methods = QN_METHODS_DAV,
     .handler = &qn_dav_handler},
    {"", .is_exact = true, .methods = QN_METHOD(OPTIONS), .handler = &qn_dav_root_handler},
    {"", .is_exact = true, .needs_person = true, .needs_device = true,
     .methods = QN_METHOD(PROPFIND), .handler = &qn_dav_root_handler},
    {"", .methods = QN_METHODS_READ, .handler = &qn_page_handler},
};

const struct qn_routes qn_serve_routes = {routes, sizeof(routes) / sizeof(routes[0])};
