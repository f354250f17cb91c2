/* Names of properties, and those that this server computes itself. Pure. */
#pragma once

#include "base/span.h"

/* An order of columns: answers give them in this order. */
enum qn_dav_live {
    QN_DAV_RESOURCETYPE,
    QN_DAV_GETETAG,
    QN_DAV_GETLASTMODIFIED,
    QN_DAV_CREATIONDATE,
    QN_DAV_GETCONTENTLENGTH,
    QN_DAV_GETCONTENTTYPE,
    QN_DAV_DISPLAYNAME,
    QN_DAV_SUPPORTEDLOCK,
    QN_DAV_LOCKDISCOVERY,
    QN_DAV_QUOTA_AVAILABLE,
    QN_DAV_QUOTA_USED,
    QN_DAV_OC_CHECKSUMS,
    QN_DAV_OC_SIZE,
    QN_DAV_OC_PERMISSIONS,
    QN_DAV_WIN32_MODIFIED, /* Win32LastModifiedTime */
    QN_DAV_LASTMODIFIED,   /* DAV:lastmodified: how ownCloud's clients set the time */
    QN_DAV_LIVE_COUNT,
    QN_DAV_DEAD = QN_DAV_LIVE_COUNT, /* none of them: stored as it came */
};

#define QN_DAV_NS    "DAV:"
#define QN_DAV_OC    "http://owncloud.org/ns"
#define QN_DAV_WIN32 "urn:schemas-microsoft-com:"

enum qn_dav_live qn_dav_live_of(struct qn_span ns, struct qn_span name);
struct qn_dav_live_name {
    const char *ns, *name, *prefix; /* the prefix that answers use for it */
};
const struct qn_dav_live_name *qn_dav_live_name(enum qn_dav_live live); /* not of QN_DAV_DEAD */
