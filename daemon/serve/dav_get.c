/* GET and HEAD: a file, or parts of it, in pieces; one is read ahead while another goes out.
 *
 *   open ── conditions ── head ── (read ── send)* ── end
 */
#include <inttypes.h>
#include <stdio.h>

#include "dav/media.h"
#include "dav/names.h"
#include "http/condition.h"
#include "serve/dav_private.h"

#define PIECE_SIZE ((size_t)256 * 1024)
#define NS_PER_S   INT64_C(1000000000)
#define BOUNDARY   "quoin-part-6f1d2c0a9b" /* beside lengths that are told, any will do */

struct getting {
    struct qn_folder_file *file;
    const char *type;
    struct qn_http_ranges ranges;
    bool is_multipart;
    size_t range;        /* that is being read */
    uint64_t read_at;    /* inside it */
    struct qn_buf out;   /* goes out now; its first `sent` bytes did */
    struct qn_buf ahead; /* comes behind it */
    size_t sent;
    bool is_reading, is_all_read;
};

static void free_getting(struct dav_request *dav)
{
    struct getting *get = dav->own;
    if (get->file)
        dav->folder->ops->close(get->file);
    qn_buf_deinit(&get->out);
    qn_buf_deinit(&get->ahead);
    qn_free(get);
}

/* ---- what goes out ---- */

static void part_head(const struct dav_request *dav, const struct qn_http_range *range,
                      struct qn_buf *out)
{
    const struct getting *get = dav->own;
    qn_buf_printf(out,
                  "\r\n--" BOUNDARY "\r\nContent-Type: %s\r\n"
                  "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n\r\n",
                  get->type, range->first, range->first + range->size - 1, dav->info.size);
}
#define MULTIPART_END "\r\n--" BOUNDARY "--\r\n"

static uint64_t answer_size(const struct dav_request *dav)
{
    const struct getting *get = dav->own;
    uint64_t size = 0;
    for (size_t i = 0; i < get->ranges.count; i++) {
        QN_AUTO_BUF struct qn_buf head;
        qn_buf_init(&head, 1024);
        if (get->is_multipart)
            part_head(dav, &get->ranges.items[i], &head);
        size += head.size + get->ranges.items[i].size;
    }
    return get->is_multipart ? size + sizeof(MULTIPART_END) - 1 : size;
}

static void read_next(struct dav_request *dav);

static void finish(struct dav_request *dav)
{
    qn_web_finish(dav->web);
}

static void swap_in_ahead(struct getting *get)
{
    struct qn_buf empty = get->out;
    get->out = get->ahead;
    get->ahead = empty;
    qn_buf_reset(&get->ahead);
    get->sent = 0;
}

static void pump(struct dav_request *dav)
{
    struct getting *get = dav->own;
    for (;;) {
        if (get->sent == get->out.size && get->ahead.size > 0 && !get->is_reading)
            swap_in_ahead(get);
        if (!get->is_reading && !get->is_all_read && get->ahead.size == 0)
            read_next(dav);
        size_t room = qn_web_room(dav->web), left = get->out.size - get->sent;
        if (left == 0 || room == 0)
            break;
        size_t size = left < room ? left : room;
        qn_web_send(dav->web, qn_span(get->out.data + get->sent, size));
        get->sent += size;
    }
    if (get->is_all_read && get->sent == get->out.size && get->ahead.size == 0)
        finish(dav);
}

void dav_get_room(struct dav_request *dav)
{
    struct getting *get = dav->own;
    if (get && get->file && !(get->is_all_read && get->out.size == get->sent))
        pump(dav);
}

static void end_of_range(struct getting *get)
{
    get->range++;
    get->read_at = 0;
    if (get->range < get->ranges.count)
        return;
    get->is_all_read = true;
    if (get->is_multipart)
        qn_buf_append_str(&get->ahead, MULTIPART_END);
}

/* A file that became shorter: what was promised cannot come any more. */
static void on_read(void *context, enum qn_err err, struct qn_span bytes)
{
    struct dav_request *dav = context;
    if (!dav_resume(dav))
        return;
    struct getting *get = dav->own;
    const struct qn_http_range *range = &get->ranges.items[get->range];
    get->is_reading = false;
    if (err != QN_OK || bytes.size == 0 || bytes.size > range->size - get->read_at) {
        get->is_all_read = true;
        get->sent = get->out.size;
        qn_buf_reset(&get->ahead);
        qn_web_cut(dav->web);
        return;
    }
    qn_buf_append_span(&get->ahead, bytes);
    get->read_at += bytes.size;
    if (get->read_at == range->size)
        end_of_range(get);
    pump(dav);
}

static void read_next(struct dav_request *dav)
{
    struct getting *get = dav->own;
    const struct qn_http_range *range = &get->ranges.items[get->range];
    uint64_t left = range->size - get->read_at;
    if (get->read_at == 0 && get->is_multipart)
        part_head(dav, range, &get->ahead);
    get->is_reading = true;
    dav_wait(dav,
             dav->folder->ops->read(get->file, range->first + get->read_at,
                                    left < PIECE_SIZE ? (size_t)left : PIECE_SIZE, on_read, dav));
}

/* ---- the head ---- */

static void append_fields(struct dav_request *dav, struct qn_buf *head)
{
    struct qn_span name = dav_last(dav->inner);
    const struct getting *get = dav->own;
    qn_http_answer_date(head, "Last-Modified",
                        dav->info.modified_ns / NS_PER_S - (dav->info.modified_ns % NS_PER_S < 0));
    if (dav->info.etag[0] != 0)
        dav_text_field(head, "ETag", dav->info.etag);
    dav_text_field(head, "Accept-Ranges", "bytes");
    if (!qn_dav_media_is_harmless(get->type))
        qn_http_answer_attachment(head, name);
}

static void refuse_range(struct dav_request *dav)
{
    char text[64];
    snprintf(text, sizeof(text), "bytes */%" PRIu64, dav->info.size);
    struct qn_buf *head = dav_head(dav, 416, 0);
    dav_text_field(head, "Content-Range", text);
    qn_web_head_end(dav->web);
    qn_web_finish(dav->web);
}

static void append_content_fields(struct dav_request *dav, struct qn_buf *head, bool is_partial)
{
    const struct getting *get = dav->own;
    const struct qn_http_range *range = &get->ranges.items[0];
    char text[96];
    if (get->is_multipart) {
        dav_text_field(head, "Content-Type", "multipart/byteranges; boundary=" BOUNDARY);
        return;
    }
    dav_text_field(head, "Content-Type", get->type);
    if (!is_partial)
        return;
    snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range->first,
             range->first + range->size - 1, dav->info.size);
    dav_text_field(head, "Content-Range", text);
}

static void answer(struct dav_request *dav)
{
    struct getting *get = dav->own;
    struct qn_http_state state = {.exists = true,
                                  .etag = qn_span_str(dav->info.etag),
                                  .modified_s = dav->info.modified_ns / NS_PER_S};
    if (qn_http_ranges_read(qn_web_asked(dav->web), &state, dav->info.size, &get->ranges) !=
        QN_OK) {
        refuse_range(dav);
        return;
    }
    bool is_partial = get->ranges.count > 0;
    get->is_multipart = get->ranges.count > 1;
    if (!is_partial && dav->info.size > 0)
        get->ranges = (struct qn_http_ranges){.items = {{0, dav->info.size}}, .count = 1};
    get->is_all_read = get->ranges.count == 0 || qn_web_asked(dav->web)->method == QN_HTTP_HEAD;
    struct qn_buf *head = dav_head(dav, is_partial ? 206 : 200, answer_size(dav));
    append_content_fields(dav, head, is_partial);
    append_fields(dav, head);
    qn_web_head_end(dav->web);
    pump(dav);
}

static struct getting *new_getting(struct dav_request *dav)
{
    struct getting *get = QN_NEW(struct getting);
    qn_buf_init(&get->out, PIECE_SIZE + 1024);
    qn_buf_init(&get->ahead, PIECE_SIZE + 1024);
    get->type = qn_dav_media_type(dav_last(dav->inner));
    dav->own = get;
    dav->free_own = free_getting;
    return get;
}

/* The signs that Finder looks for, where there is no such file. */
static void answer_nothing(struct dav_request *dav, enum qn_err err)
{
    if (err == QN_ERR_NOTFOUND && qn_dav_name_is_virtual(dav->inner)) {
        qn_web_answer(dav->web, 200, "application/octet-stream", qn_span(NULL, 0));
        return;
    }
    if (err == QN_ERR_EXISTS)
        dav_refuse(dav, 405); /* a directory */
    else
        dav_refuse_err(dav, err);
}

static void on_open(void *context, enum qn_err err, struct qn_folder_file *file,
                    const struct qn_entry_info *entry)
{
    struct dav_request *dav = context;
    struct getting *get = dav->own;
    get->file = err == QN_OK ? file : NULL;
    if (!dav_resume(dav))
        return;
    if (err != QN_OK) {
        answer_nothing(dav, err);
        return;
    }
    dav_set_info(dav, entry);
    bool is_read = qn_web_asked(dav->web)->method == QN_HTTP_GET;
    if (dav_check_http(dav) && (!is_read || dav_note_read(dav)))
        answer(dav);
    else
        get->is_all_read = true;
}

static void go(struct dav_request *dav)
{
    new_getting(dav);
    dav_wait(dav, dav->folder->ops->open(dav->folder, dav->inner, on_open, dav));
}

/* Opening tells all that the conditions of HTTP need. */
static void before(struct dav_request *dav)
{
    if (!dav->folder || dav->inner.size == 0)
        dav_refuse(dav, 405);
    else if (qn_http_header(qn_web_asked(dav->web), "If"))
        dav_judge(dav);
    else
        go(dav);
}

const struct dav_method dav_get = {
    .method = QN_HTTP_GET, .action = "read", .before = before, .go = go};
