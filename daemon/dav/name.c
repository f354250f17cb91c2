#include "dav/name.h"

#include "base/assert.h"

static const struct qn_dav_live_name names[QN_DAV_LIVE_COUNT] = {
    [QN_DAV_RESOURCETYPE] = {QN_DAV_NS, "resourcetype", "D"},
    [QN_DAV_GETETAG] = {QN_DAV_NS, "getetag", "D"},
    [QN_DAV_GETLASTMODIFIED] = {QN_DAV_NS, "getlastmodified", "D"},
    [QN_DAV_CREATIONDATE] = {QN_DAV_NS, "creationdate", "D"},
    [QN_DAV_GETCONTENTLENGTH] = {QN_DAV_NS, "getcontentlength", "D"},
    [QN_DAV_GETCONTENTTYPE] = {QN_DAV_NS, "getcontenttype", "D"},
    [QN_DAV_DISPLAYNAME] = {QN_DAV_NS, "displayname", "D"},
    [QN_DAV_SUPPORTEDLOCK] = {QN_DAV_NS, "supportedlock", "D"},
    [QN_DAV_LOCKDISCOVERY] = {QN_DAV_NS, "lockdiscovery", "D"},
    [QN_DAV_QUOTA_AVAILABLE] = {QN_DAV_NS, "quota-available-bytes", "D"},
    [QN_DAV_QUOTA_USED] = {QN_DAV_NS, "quota-used-bytes", "D"},
    [QN_DAV_OC_CHECKSUMS] = {QN_DAV_OC, "checksums", "oc"},
    [QN_DAV_OC_SIZE] = {QN_DAV_OC, "size", "oc"},
    [QN_DAV_OC_PERMISSIONS] = {QN_DAV_OC, "permissions", "oc"},
    [QN_DAV_WIN32_MODIFIED] = {QN_DAV_WIN32, "Win32LastModifiedTime", "Z"},
    [QN_DAV_LASTMODIFIED] = {QN_DAV_NS, "lastmodified", "D"},
};

enum qn_dav_live qn_dav_live_of(struct qn_span ns, struct qn_span name)
{
    unsigned i = 0;
    while (i < QN_DAV_LIVE_COUNT &&
           !(qn_span_eq_str(name, names[i].name) && qn_span_eq_str(ns, names[i].ns)))
        i++;
    return (enum qn_dav_live)i;
}

const struct qn_dav_live_name *qn_dav_live_name(enum qn_dav_live live)
{
    QN_ASSERT(live < QN_DAV_LIVE_COUNT);
    return &names[live];
}
