/* The XML of a request's body as a flat list of elements, through expat.
 *
 * What a stranger sends is small and plain: a DOCTYPE or a processing instruction stops the parser,
 * so no entity can be declared; depth, elements, attributes and the bytes kept are limited. An
 * element at `value_depth` has a value: what is inside, written so that it means the same anywhere
 * (each prefix is declared in it), which is how dead properties and owners of locks are stored.
 * Pure; a parser belongs to one thread.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

#define QN_DAV_BODY_SIZE_MAX    (128 * 1024)
#define QN_DAV_TEXT_SIZE_MAX    (256 * 1024) /* names of one body, as kept; and its values */
#define QN_DAV_XML_DEPTH_MAX    32
#define QN_DAV_ELEMENTS_MAX     4096
#define QN_DAV_ATTRIBUTES_MAX   64 /* of one element, with its declarations of prefixes */
#define QN_DAV_VALUE_DEPTH_NONE QN_DAV_XML_DEPTH_MAX

struct qn_dav_node {
    struct qn_span ns, name; /* ns is empty without one */
    struct qn_span lang;     /* xml:lang in force, of an element at value_depth */
    struct qn_span value;
    unsigned depth; /* 0: the root */
};

struct qn_dav_xml;
/* `salt` is random, against collisions in expat's tables. */
struct qn_dav_xml *qn_dav_xml_new(unsigned value_depth, uint64_t salt);
void qn_dav_xml_free(struct qn_dav_xml *xml);
/* QN_ERR_INVALID: not well-formed, or not wanted. QN_ERR_LIMIT. Once failed, it stays so. */
enum qn_err QN_CHECKED qn_dav_xml_feed(struct qn_dav_xml *xml, struct qn_span bytes);
bool qn_dav_xml_is_empty(const struct qn_dav_xml *xml); /* nothing was fed */
/* The end of the body. */
enum qn_err QN_CHECKED qn_dav_xml_end(struct qn_dav_xml *xml);
/* In the order of the document; after qn_dav_xml_end, for as long as `xml` lives. */
const struct qn_dav_node *qn_dav_xml_nodes(const struct qn_dav_xml *xml, size_t *ret_count);
