/* Which handler answers which path. A table: the longest prefix that allows the method wins, so
 * that one path can have several rows (`/`: OPTIONS and PROPFIND for WebDAV, GET for the page).
 * Pure; thread: any.
 */
#pragma once

#include "serve/request.h"

#define QN_METHOD(name) (1U << QN_HTTP_##name)
#define QN_METHODS_READ (QN_METHOD(GET) | QN_METHOD(HEAD))

struct qn_route {
    const char *prefix; /* decoded, without slashes at its ends: "api/v1"; "" is the root */
    bool is_exact;      /* the prefix itself only, nothing below it */
    bool needs_person;  /* the door must know who asks; else 401 */
    bool needs_device;  /* not with the account's own password; else 401 */
    unsigned methods;   /* QN_METHOD(...) | ... */
    const struct qn_web_handler *handler;
};

struct qn_routes {
    const struct qn_route *items;
    size_t count;
};

struct qn_route_found {
    const struct qn_route *route; /* NULL: see `methods` */
    unsigned methods;             /* that the path allows; 0: there is nothing (404), else 405 */
};
/* `path` as qn_http_path_decode gives it. */
struct qn_route_found qn_route_find(const struct qn_routes *routes, struct qn_span path,
                                    enum qn_http_method method);
/* What lies behind the route's prefix. */
struct qn_span qn_route_rest(const struct qn_route *route, struct qn_span path);
/* "GET, HEAD, PUT" */
void qn_route_append_methods(unsigned methods, struct qn_buf *out);

/* The routes of the daemon. */
extern const struct qn_routes qn_serve_routes;
