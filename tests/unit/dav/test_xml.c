#include <criterion/criterion.h>
#include <stdio.h>

#include "dav/body.h"
#include "support/span.h"

/* Fed byte by byte, as a network may bring it. */
static struct qn_dav_xml *parse(const char *text, unsigned value_depth, enum qn_err wanted)
{
    struct qn_dav_xml *xml = qn_dav_xml_new(value_depth, 42);
    enum qn_err err = QN_OK;
    for (size_t i = 0; text[i] != 0 && err == QN_OK; i++)
        err = qn_dav_xml_feed(xml, qn_span(text + i, 1));
    if (err == QN_OK)
        err = qn_dav_xml_end(xml);
    cr_assert_eq(err, wanted, "%s: %s", qn_err_name(err), text);
    return xml;
}

static void refuse(const char *text, enum qn_err wanted)
{
    qn_dav_xml_free(parse(text, QN_DAV_PROPPATCH_VALUES, wanted));
}

Test(dav_xml, what_is_not_plain_is_refused)
{
    refuse("<a>", QN_ERR_INVALID);
    refuse("<a></b>", QN_ERR_INVALID);
    refuse("<a><bar:foo xmlns:bar=\"\"/></a>", QN_ERR_INVALID);
    refuse("<p:a/>", QN_ERR_INVALID);
    refuse("<!DOCTYPE a><a/>", QN_ERR_INVALID);
    refuse("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", QN_ERR_INVALID);
    refuse("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", QN_ERR_INVALID);
    refuse("<?php x?><a/>", QN_ERR_INVALID);
    refuse("<a>&undeclared;</a>", QN_ERR_INVALID);
    refuse("<a>\x01</a>", QN_ERR_INVALID);
    refuse("<a>\xff</a>", QN_ERR_INVALID);
    refuse("<?xml version=\"1.0\" encoding=\"ebcdic\"?><a/>", QN_ERR_INVALID);
}

static enum qn_err parse_repeated(const char *open, const char *close, size_t times)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 1024 * 1024);
    qn_buf_append_str(&text, "<r>");
    for (size_t i = 0; i < times; i++)
        qn_buf_append_str(&text, open);
    for (size_t i = 0; i < times; i++)
        qn_buf_append_str(&text, close);
    qn_buf_append_str(&text, "</r>");
    struct qn_dav_xml *xml = qn_dav_xml_new(1, 42);
    enum qn_err err = qn_dav_xml_feed(xml, qn_buf_view(&text));
    if (err == QN_OK)
        err = qn_dav_xml_end(xml);
    qn_dav_xml_free(xml);
    return err;
}

Test(dav_xml, depth_elements_and_bytes_are_limited)
{
    cr_assert_eq(parse_repeated("<a>", "</a>", QN_DAV_XML_DEPTH_MAX - 1), QN_OK);
    cr_assert_eq(parse_repeated("<a>", "</a>", QN_DAV_XML_DEPTH_MAX), QN_ERR_LIMIT);
    cr_assert_eq(parse_repeated("<a/>", "", QN_DAV_ELEMENTS_MAX - 1), QN_OK);
    cr_assert_eq(parse_repeated("<a/>", "", QN_DAV_ELEMENTS_MAX), QN_ERR_LIMIT);
    cr_assert_eq(parse_repeated("0123456789abcdef", "", QN_DAV_BODY_SIZE_MAX / 16), QN_ERR_LIMIT);
}

/* A long name of a namespace, declared once and used by many that each must say it again. */
Test(dav_xml, namespaces_do_not_multiply_a_body)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 1024 * 1024);
    qn_buf_append_str(&text, "<r xmlns:p=\"");
    for (size_t i = 0; i < 4000; i++)
        qn_buf_append_str(&text, "0123456789");
    qn_buf_append_str(&text, "\">");
    for (size_t i = 0; i < 1000; i++)
        qn_buf_append_str(&text, "<a><p:b/></a>");
    qn_buf_append_str(&text, "</r>");
    struct qn_dav_xml *xml = qn_dav_xml_new(1, 42);
    cr_assert_eq(qn_dav_xml_feed(xml, qn_buf_view(&text)), QN_ERR_LIMIT);
    cr_assert_eq(qn_dav_xml_end(xml), QN_ERR_LIMIT);
    qn_dav_xml_free(xml);
}

/* Values stand alone: prefixes from outside are declared again, text and attributes stay. */
static const struct {
    const char *property, *value;
} values[] = {
    {"<p:x xmlns:p='u'/>", ""},
    {"<p:x xmlns:p='u'>a &amp; b &lt;c&gt;</p:x>", "a &amp; b &lt;c&gt;"},
    {"<p:x xmlns:p='u'><p:y/></p:x>", "<p:y xmlns:p=\"u\"/>"},
    {"<x xmlns='u'><y a=' 1&#10;'>t</y></x>", "<y xmlns=\"u\" a=\" 1&#10;\">t</y>"},
    {"<x xmlns='u'><y><z xmlns=''/></y></x>", "<y xmlns=\"u\"><z xmlns=\"\"/></y>"},
    {"<x><y/><y><z/></y></x>", "<y/><y><z/></y>"},
    {"<p:x xmlns:p='u'><q xmlns:r='v' r:a='1'/><p:y/></p:x>",
     "<q xmlns:r=\"v\" r:a=\"1\"/><p:y xmlns:p=\"u\"/>"},
    {"<p:x xmlns:p='u'><p:y xmlns:p='w'><p:z/></p:y><p:z/></p:x>",
     "<p:y xmlns:p=\"w\"><p:z/></p:y><p:z xmlns:p=\"u\"/>"},
    {"<x xmlns:q='u'><y t='q:name'/></x>", "<y t=\"q:name\"/>"},
    {"<x xmlns='u'>\xf0\x90\x8c\xb0<![CDATA[<&]]></x>", "\xf0\x90\x8c\xb0&lt;&amp;"},
    {"<x><y xml:lang='en'>t</y></x>", "<y xml:lang=\"en\">t</y>"},
    {"<x>a\r\nb&#13;</x>", "a\nb&#13;"},
};

Test(dav_xml, a_value_means_the_same_anywhere)
{
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char text[1024];
        struct qn_dav_changes changes;
        snprintf(text, sizeof(text),
                 "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop>%s</D:prop></D:set>"
                 "</D:propertyupdate>",
                 values[i].property);
        struct qn_dav_xml *xml = parse(text, QN_DAV_PROPPATCH_VALUES, QN_OK);
        cr_assert_eq(qn_dav_changes_read(xml, &changes), QN_OK);
        cr_assert_eq(changes.count, 1);
        cr_assert(qn_span_eq_str(changes.items[0].value, values[i].value), "%.*s",
                  (int)changes.items[0].value.size, changes.items[0].value.data);
        qn_dav_xml_free(xml);
    }
}

Test(dav_xml, changes_keep_their_order_and_language)
{
    struct qn_dav_changes changes;
    struct qn_dav_xml *xml = parse("<propertyupdate xmlns='DAV:' xml:lang='de'>"
                                   "<set><prop><a xmlns='u'>1</a></prop></set>"
                                   "<remove><prop xml:lang='fr'><b xmlns='u'/></prop></remove>"
                                   "<set><prop><getetag/><a xmlns='u' xml:lang='en'>2</a></prop>"
                                   "</set></propertyupdate>",
                                   QN_DAV_PROPPATCH_VALUES, QN_OK);
    cr_assert_eq(qn_dav_changes_read(xml, &changes), QN_OK);
    cr_assert_eq(changes.count, 4);
    assert_span_eq(changes.items[0].lang, SPAN("de"));
    cr_assert(changes.items[1].is_removal);
    cr_assert_eq(changes.items[2].name.live, QN_DAV_GETETAG);
    assert_span_eq(changes.items[3].lang, SPAN("en"));
    assert_span_eq(changes.items[3].value, SPAN("2"));
    qn_dav_xml_free(xml);
}

static enum qn_err ask(const char *text, struct qn_dav_ask *ret_ask)
{
    struct qn_dav_xml *xml = qn_dav_xml_new(QN_DAV_PROPFIND_VALUES, 42);
    enum qn_err err = qn_dav_xml_feed(xml, qn_span_str(text));
    if (err == QN_OK && *text)
        err = qn_dav_xml_end(xml);
    if (err == QN_OK)
        err = qn_dav_ask_read(xml, ret_ask);
    qn_dav_xml_free(xml);
    return err;
}

Test(dav_xml, propfind_asks_for_one_of_three_things)
{
    struct qn_dav_ask found;
    cr_assert_eq(ask("", &found), QN_OK);
    cr_assert_eq(found.kind, QN_DAV_ASK_ALL);
    cr_assert_eq(ask("<propfind xmlns='DAV:'><propname/></propfind>", &found), QN_OK);
    cr_assert_eq(found.kind, QN_DAV_ASK_NAMES);
    cr_assert_eq(ask("<propfind xmlns='DAV:'><allprop/><include><supportedlock/></include>"
                     "</propfind>",
                     &found),
                 QN_OK);
    cr_assert_eq(found.kind, QN_DAV_ASK_ALL);
    cr_assert(qn_dav_ask_has(&found, QN_DAV_SUPPORTEDLOCK));
    cr_assert_eq(ask("<propfind xmlns='DAV:'><prop><getetag/><getetag/><x xmlns='u'/></prop>"
                     "<unknown xmlns='v'/></propfind>",
                     &found),
                 QN_OK);
    cr_assert_eq(found.kind, QN_DAV_ASK_SOME);
    cr_assert_eq(found.count, 2);
    cr_assert(qn_dav_ask_needs_dead(&found));
    cr_assert_eq(ask("<propfind xmlns='DAV:'/>", &found), QN_ERR_INVALID);
    cr_assert_eq(ask("<propfind xmlns='DAV:'><prop/><allprop/></propfind>", &found),
                 QN_ERR_INVALID);
    cr_assert_eq(ask("<propfind><prop/></propfind>", &found), QN_ERR_INVALID);
}

static enum qn_err lock_ask(const char *inner, struct qn_dav_lock_ask *ret_ask, char *owner)
{
    char text[1024];
    snprintf(text, sizeof(text), "<l:lockinfo xmlns:l='DAV:'>%s</l:lockinfo>", inner);
    struct qn_dav_xml *xml = parse(text, QN_DAV_LOCK_VALUES, QN_OK);
    enum qn_err err = qn_dav_lock_ask_read(xml, ret_ask);
    if (err == QN_OK)
        snprintf(owner, 256, "%.*s", (int)ret_ask->owner.size, ret_ask->owner.data);
    qn_dav_xml_free(xml);
    return err;
}

Test(dav_xml, a_lock_has_a_scope_a_type_and_an_owner)
{
    struct qn_dav_lock_ask found;
    char owner[256];
    cr_assert_eq(lock_ask("<l:lockscope>\n<l:shared/>\n</l:lockscope><l:locktype><l:write/>"
                          "</l:locktype><l:owner><l:href>mailto:a</l:href><l:exclusive/></l:owner>",
                          &found, owner),
                 QN_OK);
    cr_assert_not(found.is_exclusive);
    cr_assert_str_eq(owner,
                     "<l:href xmlns:l=\"DAV:\">mailto:a</l:href><l:exclusive xmlns:l=\"DAV:\"/>");
    cr_assert_eq(lock_ask("<l:lockscope><l:exclusive/></l:lockscope><l:locktype><l:write/>"
                          "</l:locktype>",
                          &found, owner),
                 QN_OK);
    cr_assert(found.is_exclusive);
    cr_assert_eq(lock_ask("<l:lockscope><l:exclusive/></l:lockscope>", &found, owner),
                 QN_ERR_UNSUPPORTED);
    cr_assert_eq(
        lock_ask("<l:owner><l:lockscope><l:exclusive/></l:lockscope></l:owner>", &found, owner),
        QN_ERR_UNSUPPORTED);
}
