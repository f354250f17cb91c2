#include "dav/xml.h"

#include <expat.h>

#include "base/buf.h"
#include "base/vec.h"
#include "dav/escape.h"

/* Between the namespace, the name and the prefix in expat's names; stands in none of them. */
#define SEPARATOR     '\n'
#define XML_NAMESPACE "http://www.w3.org/XML/1998/namespace"

/* A piece of a buffer, which moves while it grows. */
struct piece {
    size_t at, size;
};

struct raw_node {
    struct piece ns, name, lang, value;
    unsigned depth;
};

/* A prefix that the value being written has declared. */
struct binding {
    unsigned depth; /* of the element that declared it */
    char *prefix, *uri;
};

struct lang {
    unsigned depth;
    struct piece text;
};

struct qn_dav_xml {
    XML_Parser parser;
    struct qn_buf text;   /* names and languages */
    struct qn_buf values; /* what is being written, and was */
    QN_VEC(struct raw_node) raw;
    QN_VEC(struct qn_dav_node) nodes;
    QN_VEC(struct binding) bindings;
    QN_VEC(struct binding) declared; /* of the element that comes next */
    QN_VEC(struct lang) langs;
    size_t value_node; /* whose value is being written */
    bool is_in_value;
    bool is_tag_open; /* its last start tag has no '>' yet */
    unsigned value_depth, depth;
    size_t fed;
    enum qn_err err;
};

/* expat's names: "uri\nlocal\nprefix", "uri\nlocal" or "local". */
struct name {
    struct qn_span ns, local, prefix;
};

static struct name name_split(const char *text)
{
    const char *first = strchr(text, SEPARATOR);
    if (!first)
        return (struct name){.local = qn_span_str(text)};
    struct name name = {.ns = qn_span(text, (size_t)(first - text))};
    const char *second = strchr(first + 1, SEPARATOR);
    size_t size = second ? (size_t)(second - first - 1) : strlen(first + 1);
    name.local = qn_span(first + 1, size);
    if (second)
        name.prefix = qn_span_str(second + 1);
    return name;
}

static void fail(struct qn_dav_xml *xml, enum qn_err err)
{
    if (xml->err == QN_OK)
        xml->err = err;
    XML_StopParser(xml->parser, XML_FALSE);
}

static struct piece keep(struct qn_dav_xml *xml, struct qn_span text)
{
    struct piece piece = {.at = xml->text.size, .size = text.size};
    qn_buf_append_span(&xml->text, text);
    return piece;
}

static struct qn_span piece_view(const struct qn_buf *buf, struct piece piece)
{
    return qn_span_from(qn_span(buf->data, piece.at + piece.size), piece.at);
}

static void binding_free(struct binding *binding)
{
    qn_free(binding->prefix);
    qn_free(binding->uri);
}

static char *dup_span(struct qn_span text)
{
    char *copy = qn_alloc(text.size + 1);
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    return copy;
}

/* ---- values ---- */

static void close_tag(struct qn_dav_xml *xml)
{
    if (xml->is_tag_open)
        qn_buf_append_str(&xml->values, ">");
    xml->is_tag_open = false;
}

static void write_name(struct qn_dav_xml *xml, const struct name *name)
{
    if (name->prefix.size > 0) {
        qn_buf_append_span(&xml->values, name->prefix);
        qn_buf_append_str(&xml->values, ":");
    }
    qn_buf_append_span(&xml->values, name->local);
}

static void write_declaration(struct qn_dav_xml *xml, struct qn_span prefix, struct qn_span uri)
{
    qn_buf_append_str(&xml->values, prefix.size > 0 ? " xmlns:" : " xmlns");
    qn_buf_append_span(&xml->values, prefix);
    qn_buf_append_str(&xml->values, "=\"");
    qn_dav_escape_attribute(&xml->values, uri);
    qn_buf_append_str(&xml->values, "\"");
}

static bool is_bound(const struct qn_dav_xml *xml, struct qn_span prefix, struct qn_span uri)
{
    for (size_t i = xml->bindings.count; i-- > 0;)
        if (qn_span_eq_str(prefix, xml->bindings.items[i].prefix))
            return qn_span_eq_str(uri, xml->bindings.items[i].uri);
    return prefix.size == 0 && uri.size == 0;
}

static void bind(struct qn_dav_xml *xml, struct qn_span prefix, struct qn_span uri)
{
    struct binding binding = {
        .depth = xml->depth, .prefix = dup_span(prefix), .uri = dup_span(uri)};
    write_declaration(xml, prefix, uri);
    qn_vec_push(&xml->bindings, binding);
}

static void bind_used(struct qn_dav_xml *xml, const struct name *name)
{
    if (qn_span_eq_str(name->prefix, "xml") || is_bound(xml, name->prefix, name->ns))
        return;
    bind(xml, name->prefix, name->ns);
}

/* What the element declares itself may be used in its text: it goes along even if no name does. */
static void write_start(struct qn_dav_xml *xml, const struct name *name, const char **attributes)
{
    close_tag(xml);
    qn_buf_append_str(&xml->values, "<");
    write_name(xml, name);
    qn_vec_each (&xml->declared, declared)
        bind(xml, qn_span_str(declared->prefix), qn_span_str(declared->uri));
    bind_used(xml, name);
    for (size_t i = 0; attributes[i]; i += 2) {
        struct name attribute = name_split(attributes[i]);
        if (attribute.ns.size > 0)
            bind_used(xml, &attribute);
        qn_buf_append_str(&xml->values, " ");
        write_name(xml, &attribute);
        qn_buf_append_str(&xml->values, "=\"");
        qn_dav_escape_attribute(&xml->values, qn_span_str(attributes[i + 1]));
        qn_buf_append_str(&xml->values, "\"");
    }
    xml->is_tag_open = true;
}

static void write_end(struct qn_dav_xml *xml, const struct name *name)
{
    if (xml->is_tag_open) {
        qn_buf_append_str(&xml->values, "/>");
        xml->is_tag_open = false;
        return;
    }
    qn_buf_append_str(&xml->values, "</");
    write_name(xml, name);
    qn_buf_append_str(&xml->values, ">");
}

static void unbind(struct qn_dav_xml *xml)
{
    while (xml->bindings.count > 0 &&
           xml->bindings.items[xml->bindings.count - 1].depth >= xml->depth)
        binding_free(&xml->bindings.items[--xml->bindings.count]);
}

/* ---- what expat tells ---- */

static void forget_declared(struct qn_dav_xml *xml)
{
    qn_vec_each (&xml->declared, declared)
        binding_free(declared);
    xml->declared.count = 0;
}

static void on_declaration(void *context, const char *prefix, const char *uri)
{
    struct qn_dav_xml *xml = context;
    if (xml->declared.count == QN_DAV_ATTRIBUTES_MAX) {
        fail(xml, QN_ERR_LIMIT);
        return;
    }
    struct binding binding = {.prefix = qn_strdup(prefix ? prefix : ""),
                              .uri = qn_strdup(uri ? uri : "")};
    qn_vec_push(&xml->declared, binding);
}

static void note_lang(struct qn_dav_xml *xml, const char **attributes)
{
    for (size_t i = 0; attributes[i]; i += 2) {
        struct name name = name_split(attributes[i]);
        if (!qn_span_eq_str(name.ns, XML_NAMESPACE) || !qn_span_eq_str(name.local, "lang"))
            continue;
        struct lang lang = {.depth = xml->depth, .text = keep(xml, qn_span_str(attributes[i + 1]))};
        qn_vec_push(&xml->langs, lang);
    }
}

static void add_node(struct qn_dav_xml *xml, const struct name *name)
{
    struct raw_node node = {.depth = xml->depth};
    node.ns = keep(xml, name->ns);
    node.name = keep(xml, name->local);
    if (xml->depth == xml->value_depth) {
        if (xml->langs.count > 0)
            node.lang = xml->langs.items[xml->langs.count - 1].text;
        xml->value_node = xml->raw.count;
        xml->is_in_value = true;
        node.value.at = xml->values.size;
    }
    qn_vec_push(&xml->raw, node);
}

static size_t attribute_count(const char **attributes)
{
    size_t count = 0;
    while (attributes[count])
        count++;
    return count / 2;
}

static void on_start(void *context, const char *text, const char **attributes)
{
    struct qn_dav_xml *xml = context;
    struct name name = name_split(text);
    if (xml->err != QN_OK)
        return;
    if (xml->depth == QN_DAV_XML_DEPTH_MAX || xml->raw.count == QN_DAV_ELEMENTS_MAX ||
        attribute_count(attributes) > QN_DAV_ATTRIBUTES_MAX) {
        fail(xml, QN_ERR_LIMIT);
        return;
    }
    if (xml->is_in_value)
        write_start(xml, &name, attributes);
    else
        note_lang(xml, attributes);
    add_node(xml, &name);
    forget_declared(xml);
    xml->depth++;
    if (xml->text.is_over || xml->values.is_over)
        fail(xml, QN_ERR_LIMIT);
}

static void end_value(struct qn_dav_xml *xml)
{
    struct raw_node *node = &xml->raw.items[xml->value_node];
    node->value.size = xml->values.size - node->value.at;
    xml->is_in_value = false;
}

static void on_end(void *context, const char *text)
{
    struct qn_dav_xml *xml = context;
    struct name name = name_split(text);
    if (xml->err != QN_OK)
        return;
    xml->depth--;
    if (xml->is_in_value && xml->depth > xml->value_depth)
        write_end(xml, &name);
    else if (xml->is_in_value)
        end_value(xml);
    unbind(xml);
    while (xml->langs.count > 0 && xml->langs.items[xml->langs.count - 1].depth >= xml->depth)
        xml->langs.count--;
    if (xml->text.is_over || xml->values.is_over)
        fail(xml, QN_ERR_LIMIT);
}

static void on_text(void *context, const char *text, int size)
{
    struct qn_dav_xml *xml = context;
    if (!xml->is_in_value || xml->err != QN_OK)
        return;
    close_tag(xml);
    qn_dav_escape(&xml->values, qn_span(text, (size_t)size));
    if (xml->text.is_over || xml->values.is_over)
        fail(xml, QN_ERR_LIMIT);
}

static void on_doctype(void *context, const char *name, const char *system, const char *public,
                       int has_subset)
{
    fail(context, QN_ERR_INVALID);
}

static void on_instruction(void *context, const char *target, const char *data)
{
    fail(context, QN_ERR_INVALID);
}

/* ---- the parser ---- */

/* 0 would make expat draw a salt itself. */
static void set_salt(XML_Parser parser, uint64_t salt)
{
#if XML_MAJOR_VERSION * 100 + XML_MINOR_VERSION >= 208
    uint8_t entropy[16] = {1};
    qn_write_u64(entropy + 8, salt);
    XML_SetHashSalt16Bytes(parser, entropy);
#else
    XML_SetHashSalt(parser, (unsigned long)(salt != 0 ? salt : 1));
#endif
}

static void set_handlers(struct qn_dav_xml *xml, uint64_t salt)
{
    XML_SetUserData(xml->parser, xml);
    XML_SetReturnNSTriplet(xml->parser, 1);
    set_salt(xml->parser, salt);
    XML_SetElementHandler(xml->parser, on_start, on_end);
    XML_SetNamespaceDeclHandler(xml->parser, on_declaration, NULL);
    XML_SetCharacterDataHandler(xml->parser, on_text);
    XML_SetStartDoctypeDeclHandler(xml->parser, on_doctype);
    XML_SetProcessingInstructionHandler(xml->parser, on_instruction);
}

struct qn_dav_xml *qn_dav_xml_new(unsigned value_depth, uint64_t salt)
{
    static const XML_Memory_Handling_Suite memory = {qn_alloc, qn_realloc, qn_free};
    static const char separator[] = {SEPARATOR, 0};
    struct qn_dav_xml *xml = QN_NEW(struct qn_dav_xml);
    xml->value_depth = value_depth;
    qn_buf_init(&xml->text, QN_DAV_TEXT_SIZE_MAX);
    qn_buf_init(&xml->values, QN_DAV_TEXT_SIZE_MAX);
    xml->parser = XML_ParserCreate_MM(NULL, &memory, separator);
    if (xml->parser)
        set_handlers(xml, salt);
    else
        xml->err = QN_ERR_LIMIT;
    return xml;
}

void qn_dav_xml_free(struct qn_dav_xml *xml)
{
    if (!xml)
        return;
    if (xml->parser)
        XML_ParserFree(xml->parser);
    forget_declared(xml);
    qn_vec_each (&xml->bindings, binding)
        binding_free(binding);
    qn_vec_free(&xml->declared);
    qn_vec_free(&xml->bindings);
    qn_vec_free(&xml->langs);
    qn_vec_free(&xml->raw);
    qn_vec_free(&xml->nodes);
    qn_buf_deinit(&xml->text);
    qn_buf_deinit(&xml->values);
    qn_free(xml);
}

static enum qn_err parse(struct qn_dav_xml *xml, struct qn_span bytes, bool is_final)
{
    if (xml->err == QN_OK &&
        XML_Parse(xml->parser, (const char *)bytes.data, (int)bytes.size, is_final) !=
            XML_STATUS_OK &&
        xml->err == QN_OK)
        xml->err = QN_ERR_INVALID;
    return xml->err;
}

enum qn_err qn_dav_xml_feed(struct qn_dav_xml *xml, struct qn_span bytes)
{
    if (bytes.size > QN_DAV_BODY_SIZE_MAX - xml->fed) {
        xml->err = xml->err != QN_OK ? xml->err : QN_ERR_LIMIT;
        return xml->err;
    }
    xml->fed += bytes.size;
    return bytes.size > 0 ? parse(xml, bytes, false) : xml->err;
}

bool qn_dav_xml_is_empty(const struct qn_dav_xml *xml)
{
    return xml->fed == 0;
}

enum qn_err qn_dav_xml_end(struct qn_dav_xml *xml)
{
    QN_TRY(parse(xml, qn_span(NULL, 0), true));
    qn_vec_each (&xml->raw, raw) {
        struct qn_dav_node node = {.ns = piece_view(&xml->text, raw->ns),
                                   .name = piece_view(&xml->text, raw->name),
                                   .lang = piece_view(&xml->text, raw->lang),
                                   .value = piece_view(&xml->values, raw->value),
                                   .depth = raw->depth};
        qn_vec_push(&xml->nodes, node);
    }
    return QN_OK;
}

const struct qn_dav_node *qn_dav_xml_nodes(const struct qn_dav_xml *xml, size_t *ret_count)
{
    *ret_count = xml->nodes.count;
    return xml->nodes.items;
}
