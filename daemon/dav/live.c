#include "dav/live.h"

#include <inttypes.h>

#include "base/civil.h"
#include "base/text.h"
#include "dav/escape.h"
#include "dav/media.h"
#include "dav/win32.h"
#include "http/condition.h"
#include "http/target.h"

#define NS_PER_S INT64_C(1000000000)

bool qn_dav_live_has(enum qn_dav_live live, const struct qn_dav_resource *resource)
{
    switch (live) {
    case QN_DAV_RESOURCETYPE:
    case QN_DAV_GETLASTMODIFIED:
    case QN_DAV_CREATIONDATE:
    case QN_DAV_DISPLAYNAME:
    case QN_DAV_OC_PERMISSIONS:
    case QN_DAV_WIN32_MODIFIED:
        return true;
    case QN_DAV_GETCONTENTLENGTH:
    case QN_DAV_GETCONTENTTYPE:
    case QN_DAV_OC_SIZE:
        return !resource->is_collection;
    case QN_DAV_GETETAG:
        return resource->etag.size > 0;
    case QN_DAV_SUPPORTEDLOCK:
    case QN_DAV_LOCKDISCOVERY:
        return resource->locks != NULL;
    case QN_DAV_QUOTA_AVAILABLE:
    case QN_DAV_QUOTA_USED:
        return resource->is_collection && resource->has_quota;
    case QN_DAV_OC_CHECKSUMS:
        return resource->digest.size > 0;
    case QN_DAV_LASTMODIFIED: /* to be set only */
    case QN_DAV_LIVE_COUNT:
        return false;
    }
    return false;
}

bool qn_dav_live_is_in_all(enum qn_dav_live live)
{
    return live <= QN_DAV_LOCKDISCOVERY && live != QN_DAV_SUPPORTEDLOCK;
}

static int64_t seconds_of(int64_t ns)
{
    return ns / NS_PER_S - (ns % NS_PER_S < 0);
}

/* ISO 8601 in UTC, whole seconds: longer fractions break Windows' client. Nanoseconds of 64 bits
 * are of the years 1677 to 2262. */
static void write_iso(struct qn_buf *out, int64_t ns)
{
    char text[] = "1970-01-01T00:00:00Z";
    struct qn_civil at = qn_civil_of(seconds_of(ns));
    qn_text_digits((uint64_t)at.year, 4, text);
    qn_text_digits((uint64_t)at.month, 2, text + 5);
    qn_text_digits((uint64_t)at.day, 2, text + 8);
    qn_text_digits((uint64_t)at.hour, 2, text + 11);
    qn_text_digits((uint64_t)at.minute, 2, text + 14);
    qn_text_digits((uint64_t)at.second, 2, text + 17);
    qn_buf_append(out, text, sizeof(text) - 1);
}

static void write_date(struct qn_buf *out, int64_t ns)
{
    char text[QN_HTTP_DATE_SIZE];
    qn_http_date_print(seconds_of(ns), text);
    qn_buf_append_str(out, text);
}

static void write_supported(struct qn_buf *out)
{
    static const char *const scopes[] = {"exclusive", "shared"};
    for (size_t i = 0; i < 2; i++)
        qn_buf_printf(out,
                      "<D:lockentry><D:lockscope><D:%s/></D:lockscope><D:locktype><D:write/>"
                      "</D:locktype></D:lockentry>",
                      scopes[i]);
}

void qn_dav_live_lock(struct qn_buf *out, const struct qn_dav_lock *lock, const char *locks_href,
                      bool shows_token, uint64_t now_ms)
{
    uint64_t left_ms = lock->expires_ms > now_ms ? lock->expires_ms - now_ms : 0;
    qn_buf_printf(out,
                  "<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope><D:%s/>"
                  "</D:lockscope><D:depth>%s</D:depth>",
                  lock->is_exclusive ? "exclusive" : "shared", lock->is_deep ? "infinity" : "0");
    if (lock->owner.size > 0) {
        qn_buf_append_str(out, "<D:owner>");
        qn_buf_append_span(out, lock->owner);
        qn_buf_append_str(out, "</D:owner>");
    }
    qn_buf_printf(out, "<D:timeout>Second-%" PRIu64 "</D:timeout>", (left_ms + 999) / 1000);
    if (shows_token)
        qn_buf_printf(out, "<D:locktoken><D:href>%s</D:href></D:locktoken>", lock->token);
    qn_buf_printf(out, "<D:lockroot><D:href>%s", locks_href);
    qn_http_path_encode(lock->path, out);
    qn_buf_append_str(out, "</D:href></D:lockroot></D:activelock>");
}

static void write_locks(struct qn_buf *out, const struct qn_dav_resource *resource)
{
    const struct qn_dav_lock *lock = NULL;
    for (size_t told = 0; told < QN_DAV_LOCKS_TOLD_MAX; told++) {
        lock = qn_dav_locks_covering(resource->locks, resource->path, resource->now_ms, lock);
        if (lock == NULL)
            return;
        qn_dav_live_lock(out, lock, resource->locks_href,
                         resource->person && strcmp(lock->person, resource->person) == 0,
                         resource->now_ms);
    }
}

/* In one element, as ownCloud does. */
static void write_checksums(struct qn_buf *out, const struct qn_dav_resource *resource)
{
    qn_buf_append_str(out, "<oc:checksum>");
    if (resource->sha1.size > 0) {
        qn_buf_append_str(out, "SHA1:");
        qn_text_append_hex(out, resource->sha1);
        qn_buf_append_str(out, " MD5:");
        qn_text_append_hex(out, resource->md5);
        qn_buf_append_str(out, " ");
    }
    qn_buf_append_str(out, "SHA256:");
    qn_text_append_hex(out, resource->digest);
    qn_buf_append_str(out, "</oc:checksum>");
}

/* ownCloud's letters: may be deleted, renamed, moved; written (a file); and made in, files and
 * directories (a collection). */
static const char *permissions(const struct qn_dav_resource *resource)
{
    if (!resource->may_write)
        return "";
    return resource->is_collection ? "DNVCK" : "DNVW";
}

static void write_value(struct qn_buf *out, enum qn_dav_live live,
                        const struct qn_dav_resource *resource)
{
    switch (live) {
    case QN_DAV_RESOURCETYPE:
        qn_buf_append_str(out, resource->is_collection ? "<D:collection/>" : "");
        break;
    case QN_DAV_GETETAG:
        qn_dav_escape(out, resource->etag);
        break;
    case QN_DAV_GETLASTMODIFIED:
    case QN_DAV_WIN32_MODIFIED:
        write_date(out, resource->modified_ns);
        break;
    case QN_DAV_CREATIONDATE:
        write_iso(out, qn_dav_win32_created_ns(resource->dead, resource->created_ns));
        break;
    case QN_DAV_GETCONTENTLENGTH:
    case QN_DAV_OC_SIZE:
        qn_text_append_number(out, resource->size);
        break;
    case QN_DAV_GETCONTENTTYPE:
        qn_buf_append_str(out, qn_dav_media_type(resource->name));
        break;
    case QN_DAV_DISPLAYNAME:
        qn_dav_escape(out, resource->name);
        break;
    case QN_DAV_SUPPORTEDLOCK:
        write_supported(out);
        break;
    case QN_DAV_LOCKDISCOVERY:
        write_locks(out, resource);
        break;
    case QN_DAV_QUOTA_AVAILABLE:
        qn_text_append_number(out, resource->quota_free);
        break;
    case QN_DAV_QUOTA_USED:
        qn_text_append_number(out, resource->quota_used);
        break;
    case QN_DAV_OC_CHECKSUMS:
        write_checksums(out, resource);
        break;
    case QN_DAV_OC_PERMISSIONS:
        qn_buf_append_str(out, permissions(resource));
        break;
    case QN_DAV_LASTMODIFIED:
    case QN_DAV_LIVE_COUNT:
        break;
    }
}

static void write_name(struct qn_buf *out, const struct qn_dav_live_name *name)
{
    qn_buf_append_str(out, name->prefix);
    qn_buf_append_u8(out, ':');
    qn_buf_append_str(out, name->name);
}

/* Other prefixes than D are declared where they are used: few listings have them. */
void qn_dav_live_write(struct qn_buf *out, enum qn_dav_live live,
                       const struct qn_dav_resource *resource)
{
    const struct qn_dav_live_name *name = qn_dav_live_name(live);
    qn_buf_append_u8(out, '<');
    write_name(out, name);
    if (name->prefix[0] != 'D')
        qn_buf_printf(out, " xmlns:%s=\"%s\"", name->prefix, name->ns);
    qn_buf_append_u8(out, '>');
    size_t start = out->size;
    write_value(out, live, resource);
    if (out->size == start && !out->is_over) {
        qn_buf_truncate(out, start - 1);
        qn_buf_append_str(out, "/>");
        return;
    }
    qn_buf_append_str(out, "</");
    write_name(out, name);
    qn_buf_append_u8(out, '>');
}
