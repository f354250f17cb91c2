#include "http/parser.h"

#ifdef QN_HTTP_LLHTTP
#include <llhttp.h>
typedef llhttp_t packaged;
typedef llhttp_settings_t packaged_settings;
#else
#include <http_parser.h>
typedef http_parser packaged;
typedef http_parser_settings packaged_settings;
#endif

#include "http/scan.h"

/* Their callbacks give a field in pieces, in order; all bytes are there, so that pieces touch. */
struct parse {
    struct qn_http_head *head;
    bool is_over;     /* more fields than there is room for */
    bool is_complete; /* the empty line was seen */
};

static void extend(struct qn_span *span, const char *at, size_t size)
{
    if (span->data == NULL)
        span->data = (const uint8_t *)at;
    span->size += size;
}

static int on_target(packaged *parser, const char *at, size_t size)
{
    struct parse *parse = parser->data;
    extend(&parse->head->target, at, size);
    return 0;
}

/* Whether it is more of the name that came last, and not the next field's. */
static bool is_more_of_name(const struct qn_http_head *head, const char *at)
{
    if (head->header_count == 0)
        return false;
    const struct qn_span *name = &head->headers[head->header_count - 1].name;
    return name->data + name->size == (const uint8_t *)at;
}

static int on_name(packaged *parser, const char *at, size_t size)
{
    struct parse *parse = parser->data;
    struct qn_http_head *head = parse->head;
    if (!is_more_of_name(head, at)) {
        if (head->header_count == QN_HTTP_HEADERS_MAX) {
            parse->is_over = true;
            return -1;
        }
        head->headers[head->header_count++] = (struct qn_http_header){0};
    }
    extend(&head->headers[head->header_count - 1].name, at, size);
    return 0;
}

static int on_value(packaged *parser, const char *at, size_t size)
{
    struct parse *parse = parser->data;
    struct qn_http_head *head = parse->head;
    if (head->header_count == 0)
        return -1;
    extend(&head->headers[head->header_count - 1].value, at, size);
    return 0;
}

static int on_headers_complete(packaged *parser)
{
    struct parse *parse = parser->data;
    parse->is_complete = true;
    return 0;
}

#ifdef QN_HTTP_LLHTTP
static bool run(packaged *parser, const char *bytes, size_t size)
{
    enum llhttp_errno err = llhttp_execute(parser, bytes, size);
    /* An Upgrade that a client offers is not taken up. */
    return err == HPE_OK ||
           (err == HPE_PAUSED_UPGRADE && llhttp_get_error_pos(parser) == bytes + size);
}

static void start(packaged *parser, packaged_settings *settings)
{
    llhttp_settings_init(settings);
    llhttp_init(parser, HTTP_REQUEST, settings);
}

#define RUN(parser, settings, bytes, size) run((parser), (bytes), (size))
#else
static void start(packaged *parser, packaged_settings *settings)
{
    http_parser_settings_init(settings);
    http_parser_init(parser, HTTP_REQUEST);
}

#define RUN(parser, settings, bytes, size)                                                         \
    (http_parser_execute((parser), (settings), (bytes), (size)) == (size) &&                       \
     HTTP_PARSER_ERRNO(parser) == HPE_OK)
#endif

static void trim_values(struct qn_http_head *head)
{
    for (size_t i = 0; i < head->header_count; i++)
        head->headers[i].value = qn_http_trim(head->headers[i].value);
}

enum qn_err qn_http_parse(struct qn_span line_rest, struct qn_http_head *head, bool *ret_is_chunked)
{
    struct parse parse = {.head = head};
    packaged_settings settings;
    packaged parser;
    start(&parser, &settings);
    settings.on_url = on_target;
    settings.on_header_field = on_name;
    settings.on_header_value = on_value;
    settings.on_headers_complete = on_headers_complete;
    parser.data = &parse;
    bool is_read = RUN(&parser, &settings, "POST", 4) &&
                   RUN(&parser, &settings, (const char *)line_rest.data, line_rest.size);
    if (parse.is_over)
        return QN_ERR_LIMIT;
    trim_values(head);
    head->is_1_0 = parser.http_minor == 0;
    if (!is_read || !parse.is_complete)
        return QN_ERR_INVALID;
    *ret_is_chunked = (parser.flags & F_CHUNKED) != 0;
    return QN_OK;
}
