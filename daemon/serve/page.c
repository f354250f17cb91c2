#include "serve/page.h"

#include "base/mem.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "http/condition.h"
#include "serve/serve_private.h"

#define PAGE_SIZE_MAX ((size_t)1024 * 1024)
#define ETAG_SIZE     32 /* hexadecimal digits */

/* Nothing but the page's own files: no other host, no script or style inside the document. */
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "        \
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "               \
    "frame-ancestors 'none'"

struct served {
    const struct qn_page_file *file;
    const char *type;
    struct qn_buf bytes; /* of what differs from the file; else empty */
    struct qn_span content;
    char etag[ETAG_SIZE + 3];
};

struct qn_page {
    size_t count;
    struct served files[];
};

static const char *type_of(const char *name)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".json", "application/json; charset=utf-8"},
        {".webmanifest", "application/manifest+json"},
        {".txt", "text/plain; charset=utf-8"},
    };
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending != NULL && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(ending, types[i].ending) == 0)
            return types[i].type;
    return "application/octet-stream";
}

static void append_escaped(struct qn_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("&<>\"'", *text) != NULL)
            qn_buf_printf(out, "&#%d;", *text);
        else
            qn_buf_append_u8(out, (uint8_t)*text);
    }
}

static void fill_in(struct served *served, const char *site)
{
    static const char mark[] = "@SITE@";
    struct qn_span rest = qn_span(served->file->bytes, served->file->size);
    qn_buf_init(&served->bytes, PAGE_SIZE_MAX);
    for (;;) {
        const uint8_t *at = memmem(rest.data, rest.size, mark, strlen(mark));
        if (at == NULL)
            break;
        size_t before = (size_t)(at - rest.data);
        qn_buf_append(&served->bytes, rest.data, before);
        append_escaped(&served->bytes, site);
        rest = qn_span_from(rest, before + strlen(mark));
    }
    qn_buf_append_span(&served->bytes, rest);
    served->content = qn_buf_view(&served->bytes);
}

static void set_etag(struct served *served)
{
    struct qn_digest digest;
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, ETAG_SIZE + 2);
    QN_DIGEST(&digest, served->content);
    qn_buf_append_u8(&text, '"');
    qn_text_append_hex(&text, qn_span(digest.bytes, ETAG_SIZE / 2));
    qn_buf_append_u8(&text, '"');
    memcpy(served->etag, text.data, text.size);
}

struct qn_page *qn_page_new(const char *site)
{
    struct qn_page *page =
        qn_alloc_zero(sizeof(*page) + qn_page_file_count * sizeof(page->files[0]));
    page->count = qn_page_file_count;
    for (size_t i = 0; i < page->count; i++) {
        struct served *served = &page->files[i];
        served->file = &qn_page_files[i];
        served->type = type_of(served->file->name);
        served->content = qn_span(served->file->bytes, served->file->size);
        if (strcmp(served->file->name, "index.html") == 0)
            fill_in(served, site);
        set_etag(served);
    }
    return page;
}

void qn_page_free(struct qn_page *page)
{
    if (page == NULL)
        return;
    for (size_t i = 0; i < page->count; i++)
        qn_buf_deinit(&page->files[i].bytes);
    qn_free(page);
}

static const struct served *find(const struct qn_page *page, struct qn_span path)
{
    if (path.size == 0)
        path = qn_span_str("index.html");
    for (size_t i = 0; i < page->count; i++)
        if (qn_span_eq_str(path, page->files[i].file->name))
            return &page->files[i];
    return NULL;
}

static void start(struct qn_web_request *request)
{
    struct served *served =
        (struct served *)(uintptr_t)find(qn_web_serve(request)->page, qn_web_path(request));
    if (served == NULL) {
        qn_web_refuse(request, 404, "not-found", "");
        return;
    }
    struct qn_http_state state = {.exists = true, .etag = qn_span_str(served->etag)};
    enum qn_http_verdict verdict = qn_http_condition(qn_web_asked(request), &state);
    if (verdict == QN_HTTP_PRECONDITION_FAILED || verdict == QN_HTTP_BAD_CONDITION) {
        qn_web_refuse(request, verdict == QN_HTTP_BAD_CONDITION ? 400 : 412, "precondition", "");
        return;
    }
    bool is_known = verdict == QN_HTTP_NOT_MODIFIED;
    struct qn_buf *head = qn_web_head(request, is_known ? 304 : 200, served->content.size);
    web_field(head, "Content-Type", served->type);
    web_field(head, "Cache-Control", "no-cache");
    web_field(head, "Content-Security-Policy", POLICY);
    web_field(head, "ETag", served->etag);
    qn_web_head_end(request);
    qn_web_set_state(request, served);
    if (is_known || qn_web_asked(request)->method == QN_HTTP_HEAD)
        qn_web_finish(request);
}

/* The request's state is what of the file is left to be sent: kept in the request, not the file. */
static void room(struct qn_web_request *request)
{
    const struct served *served = qn_web_state(request);
    uint64_t sent = web_sent(request);
    if (served == NULL)
        return;
    struct qn_span rest = qn_span_from(served->content, (size_t)sent);
    size_t most = qn_web_room(request);
    qn_web_send(request, qn_span(rest.data, rest.size < most ? rest.size : most));
    if (web_sent(request) == served->content.size)
        qn_web_finish(request);
}

const struct qn_web_handler qn_page_handler = {.start = start, .room = room};
