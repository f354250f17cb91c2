#include "dav/multistatus.h"

#include "base/text.h"
#include "dav/escape.h"
#include "dav/live.h"
#include "dav/win32.h"
#include "http/answer.h"

#define DECLARATION "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"

void qn_dav_multistatus_start(struct qn_buf *out)
{
    qn_buf_append_str(out, DECLARATION "<D:multistatus xmlns:D=\"" QN_DAV_NS "\">\n");
}

void qn_dav_multistatus_end(struct qn_buf *out)
{
    qn_buf_append_str(out, "</D:multistatus>\n");
}

static void start_response(struct qn_buf *out, struct qn_span href)
{
    qn_buf_append_str(out, "<D:response><D:href>");
    qn_dav_escape(out, href);
    qn_buf_append_str(out, "</D:href>");
}

static void end_response(struct qn_buf *out)
{
    qn_buf_append_str(out, "</D:response>\n");
}

static void status_line(struct qn_buf *out, unsigned status)
{
    qn_buf_append_str(out, "<D:status>HTTP/1.1 ");
    qn_text_append_number(out, status);
    qn_buf_append_u8(out, ' ');
    qn_buf_append_str(out, qn_http_reason(status));
    qn_buf_append_str(out, "</D:status>");
}

static void start_propstat(struct qn_buf *out)
{
    qn_buf_append_str(out, "<D:propstat><D:prop>");
}

static void end_propstat(struct qn_buf *out, unsigned status)
{
    qn_buf_append_str(out, "</D:prop>");
    status_line(out, status);
    qn_buf_append_str(out, "</D:propstat>");
}

/* ---- names ---- */

/* Names that a client brought keep their namespace by a prefix of their own. */
static void open_name(struct qn_buf *out, struct qn_span ns, struct qn_span name)
{
    const char *prefix = ns.size == 0 ? "" : qn_span_eq_str(ns, QN_DAV_NS) ? "D:" : "ns0:";
    qn_buf_append_str(out, "<");
    qn_buf_append_str(out, prefix);
    qn_buf_append_span(out, name);
    if (prefix[0] != 'n')
        return;
    qn_buf_append_str(out, " xmlns:ns0=\"");
    qn_dav_escape_attribute(out, ns);
    qn_buf_append_str(out, "\"");
}

static void close_name(struct qn_buf *out, struct qn_span ns, struct qn_span name)
{
    const char *prefix = ns.size == 0 ? "" : qn_span_eq_str(ns, QN_DAV_NS) ? "D:" : "ns0:";
    qn_buf_append_str(out, "</");
    qn_buf_append_str(out, prefix);
    qn_buf_append_span(out, name);
    qn_buf_append_str(out, ">");
}

static void empty_name(struct qn_buf *out, struct qn_span ns, struct qn_span name)
{
    open_name(out, ns, name);
    qn_buf_append_str(out, "/>");
}

static void dead_property(struct qn_buf *out, const struct qn_dav_dead_property *property)
{
    open_name(out, property->ns, property->name);
    if (property->lang.size > 0) {
        qn_buf_append_str(out, " xml:lang=\"");
        qn_dav_escape_attribute(out, property->lang);
        qn_buf_append_str(out, "\"");
    }
    if (property->value.size == 0) {
        qn_buf_append_str(out, "/>");
        return;
    }
    qn_buf_append_str(out, ">");
    qn_buf_append_span(out, property->value);
    close_name(out, property->ns, property->name);
}

/* ---- PROPFIND ---- */

static const struct qn_dav_dead_property *dead_of(const struct qn_dav_resource *resource,
                                                  const struct qn_dav_name *name)
{
    return resource->dead ? qn_dav_dead_find(resource->dead, name->ns, name->name) : NULL;
}

static bool has(const struct qn_dav_resource *resource, const struct qn_dav_name *name)
{
    if (name->live != QN_DAV_DEAD)
        return qn_dav_live_has(name->live, resource);
    return dead_of(resource, name) != NULL;
}

static void found(struct qn_buf *out, const struct qn_dav_ask *ask,
                  const struct qn_dav_resource *resource)
{
    for (size_t i = 0; i < ask->count; i++) {
        const struct qn_dav_name *name = &ask->names[i];
        if (!has(resource, name))
            continue;
        if (name->live != QN_DAV_DEAD)
            qn_dav_live_write(out, name->live, resource);
        else
            dead_property(out, dead_of(resource, name));
    }
}

static size_t count_missing(const struct qn_dav_ask *ask, const struct qn_dav_resource *resource)
{
    size_t count = 0;
    for (size_t i = 0; i < ask->count; i++)
        count += !has(resource, &ask->names[i]);
    return count;
}

static void missing(struct qn_buf *out, const struct qn_dav_ask *ask,
                    const struct qn_dav_resource *resource)
{
    start_propstat(out);
    for (size_t i = 0; i < ask->count; i++)
        if (!has(resource, &ask->names[i]))
            empty_name(out, ask->names[i].ns, ask->names[i].name);
    end_propstat(out, 404);
}

static void some(struct qn_buf *out, const struct qn_dav_ask *ask,
                 const struct qn_dav_resource *resource)
{
    size_t missing_count = count_missing(ask, resource);
    if (missing_count < ask->count || ask->count == 0) {
        start_propstat(out);
        found(out, ask, resource);
        end_propstat(out, 200);
    }
    if (missing_count > 0)
        missing(out, ask, resource);
}

static void live_name(struct qn_buf *out, enum qn_dav_live live)
{
    const struct qn_dav_live_name *name = qn_dav_live_name(live);
    empty_name(out, qn_span_str(name->ns), qn_span_str(name->name));
}

static void all_names(struct qn_buf *out, const struct qn_dav_resource *resource)
{
    start_propstat(out);
    for (unsigned live = 0; live < QN_DAV_LIVE_COUNT; live++)
        if (qn_dav_live_has((enum qn_dav_live)live, resource))
            live_name(out, (enum qn_dav_live)live);
    for (size_t i = 0; resource->dead && i < resource->dead->count; i++)
        empty_name(out, resource->dead->items[i].ns, resource->dead->items[i].name);
    end_propstat(out, 200);
}

static bool is_in_all(const struct qn_dav_ask *ask, const struct qn_dav_dead_property *property)
{
    bool is_included = qn_dav_win32_is_in_all(property);
    for (size_t i = 0; i < ask->count && !is_included; i++)
        is_included = qn_span_eq(ask->names[i].ns, property->ns) &&
                      qn_span_eq(ask->names[i].name, property->name);
    return is_included;
}

static void all(struct qn_buf *out, const struct qn_dav_ask *ask,
                const struct qn_dav_resource *resource)
{
    start_propstat(out);
    for (unsigned live = 0; live < QN_DAV_LIVE_COUNT; live++)
        if (qn_dav_live_has((enum qn_dav_live)live, resource) &&
            (qn_dav_live_is_in_all((enum qn_dav_live)live) ||
             qn_dav_ask_has(ask, (enum qn_dav_live)live)))
            qn_dav_live_write(out, (enum qn_dav_live)live, resource);
    for (size_t i = 0; resource->dead && i < resource->dead->count; i++)
        if (is_in_all(ask, &resource->dead->items[i]))
            dead_property(out, &resource->dead->items[i]);
    end_propstat(out, 200);
}

void qn_dav_multistatus_resource(struct qn_buf *out, const struct qn_dav_ask *ask,
                                 const struct qn_dav_resource *resource)
{
    start_response(out, resource->href);
    switch (ask->kind) {
    case QN_DAV_ASK_ALL:
        all(out, ask, resource);
        break;
    case QN_DAV_ASK_NAMES:
        all_names(out, resource);
        break;
    case QN_DAV_ASK_SOME:
        some(out, ask, resource);
        break;
    }
    end_response(out);
}

/* ---- the others ---- */

static void error_element(struct qn_buf *out, const char *condition, struct qn_span href)
{
    qn_buf_printf(out, "<D:error><D:%s", condition);
    if (href.size == 0) {
        qn_buf_append_str(out, "/></D:error>");
        return;
    }
    qn_buf_append_str(out, "><D:href>");
    qn_dav_escape(out, href);
    qn_buf_printf(out, "</D:href></D:%s></D:error>", condition);
}

void qn_dav_multistatus_status(struct qn_buf *out, struct qn_span href, unsigned status,
                               const char *condition)
{
    start_response(out, href);
    status_line(out, status);
    if (condition)
        error_element(out, condition, qn_span(NULL, 0));
    end_response(out);
}

static bool has_before(const unsigned *statuses, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (statuses[k] == statuses[i])
            return true;
    return false;
}

/* One propstat for each status that occurs. */
void qn_dav_multistatus_changes(struct qn_buf *out, struct qn_span href,
                                const struct qn_dav_changes *changes, const unsigned *statuses)
{
    start_response(out, href);
    for (size_t i = 0; i < changes->count; i++) {
        if (has_before(statuses, i))
            continue;
        start_propstat(out);
        for (size_t k = i; k < changes->count; k++)
            if (statuses[k] == statuses[i])
                empty_name(out, changes->items[k].name.ns, changes->items[k].name.name);
        end_propstat(out, statuses[i]);
    }
    end_response(out);
}

void qn_dav_lock_answer(struct qn_buf *out, const struct qn_dav_lock *lock, const char *locks_href,
                        uint64_t now_ms)
{
    qn_buf_append_str(out, DECLARATION "<D:prop xmlns:D=\"" QN_DAV_NS "\"><D:lockdiscovery>");
    qn_dav_live_lock(out, lock, locks_href, true, now_ms);
    qn_buf_append_str(out, "</D:lockdiscovery></D:prop>\n");
}

void qn_dav_error_body(struct qn_buf *out, const char *condition, struct qn_span href)
{
    const char *root = "<D:error xmlns:D=\"" QN_DAV_NS "\">";
    qn_buf_append_str(out, DECLARATION);
    qn_buf_append_str(out, root);
    qn_buf_printf(out, "<D:%s", condition);
    if (href.size > 0) {
        qn_buf_append_str(out, "><D:href>");
        qn_dav_escape(out, href);
        qn_buf_printf(out, "</D:href></D:%s>", condition);
    } else {
        qn_buf_append_str(out, "/>");
    }
    qn_buf_append_str(out, "</D:error>\n");
}
