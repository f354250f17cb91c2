/* What the bodies of PROPFIND, PROPPATCH and LOCK ask for (RFC 4918, sections 9.1, 9.2, 9.10), read
 * from a parsed document (xml.h). Names and values borrow from it. Pure; thread: any.
 */
#pragma once

#include "dav/name.h"
#include "dav/xml.h"

/* Where the values of a body are: give them to qn_dav_xml_new. */
#define QN_DAV_PROPFIND_VALUES  QN_DAV_VALUE_DEPTH_NONE
#define QN_DAV_PROPPATCH_VALUES 3
#define QN_DAV_LOCK_VALUES      1

#define QN_DAV_ASKED_MAX        256 /* properties in one request */

struct qn_dav_name {
    struct qn_span ns, name;
    enum qn_dav_live live;
};

enum qn_dav_ask_kind {
    QN_DAV_ASK_ALL,   /* allprop: those of RFC 4918 and all dead ones, with what `include` names */
    QN_DAV_ASK_NAMES, /* propname */
    QN_DAV_ASK_SOME,  /* prop */
};
struct qn_dav_ask {
    enum qn_dav_ask_kind kind;
    struct qn_dav_name names[QN_DAV_ASKED_MAX];
    size_t count;
};
/* An empty body asks for all. QN_ERR_INVALID (400), QN_ERR_LIMIT. */
enum qn_err QN_CHECKED qn_dav_ask_read(const struct qn_dav_xml *xml, struct qn_dav_ask *ret_ask);
bool qn_dav_ask_has(const struct qn_dav_ask *ask, enum qn_dav_live live);
/* Whether an answer needs the dead properties at all: creationdate may come from one (win32.h). */
bool qn_dav_ask_needs_dead(const struct qn_dav_ask *ask);

struct qn_dav_change {
    struct qn_dav_name name;
    bool is_removal;
    struct qn_span lang, value;
};
struct qn_dav_changes {
    struct qn_dav_change items[QN_DAV_ASKED_MAX]; /* in the order of the document */
    size_t count;
};
enum qn_err QN_CHECKED qn_dav_changes_read(const struct qn_dav_xml *xml,
                                           struct qn_dav_changes *ret_changes);

struct qn_dav_lock_ask {
    bool is_exclusive;
    struct qn_span owner; /* XML that stands alone; empty if none was said */
};
/* QN_ERR_UNSUPPORTED: a scope or type that is not known (422). */
enum qn_err QN_CHECKED qn_dav_lock_ask_read(const struct qn_dav_xml *xml,
                                            struct qn_dav_lock_ask *ret_ask);
