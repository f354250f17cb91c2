#include "http/body.h"

#include "http/scan.h"

#define LINE_SIZE_MAX     256  /* of a chunk's line, with its extensions */
#define TRAILERS_SIZE_MAX 4096 /* all of them */

enum state {
    DONE,
    LENGTH,       /* `left` bytes of a body with a length */
    SIZE_FIRST,   /* the first digit of a chunk's size */
    SIZE,         /* more of them */
    EXTENSION,    /* behind a ';' */
    SIZE_LF,      /* behind the CR of the chunk's line */
    DATA,         /* `left` bytes of a chunk */
    DATA_CR,      /* the line end behind them */
    DATA_LF,      /* */
    TRAILER,      /* the first byte of a line behind the last chunk */
    TRAILER_REST, /* more of it */
    TRAILER_LF,   /* behind its CR */
    END_LF,       /* behind the CR of the empty line */
};

void qn_http_body_start(struct qn_http_body *body, const struct qn_http_head *head)
{
    bool has_length = head->content_length != QN_HTTP_NO_LENGTH && head->content_length > 0;
    *body = (struct qn_http_body){
        .is_chunked = head->is_chunked,
        .left = has_length && !head->is_chunked ? head->content_length : 0,
        .state = head->is_chunked ? SIZE_FIRST
                 : has_length     ? LENGTH
                                  : DONE,
    };
}

static bool is_text(uint8_t byte)
{
    return (byte >= ' ' || byte == '\t') && byte != 0x7f;
}

/* All chunks together have a length that could have stood in Content-Length. */
static enum qn_err add_digit(struct qn_http_body *body, int digit)
{
    if (digit < 0 || body->left > (uint64_t)INT64_MAX >> 4)
        return QN_ERR_INVALID;
    body->left = body->left << 4 | (uint64_t)digit;
    body->state = SIZE;
    return body->left > (uint64_t)INT64_MAX - body->total ? QN_ERR_INVALID : QN_OK;
}

static enum qn_err go(struct qn_http_body *body, bool is_right, enum state next)
{
    if (!is_right)
        return QN_ERR_INVALID;
    body->state = next;
    return QN_OK;
}

static enum qn_err in_size(struct qn_http_body *body, uint8_t byte)
{
    if (byte == '\r' || byte == ';')
        return go(body, true, byte == ';' ? EXTENSION : SIZE_LF);
    return add_digit(body, qn_http_digit(byte));
}

static enum qn_err line_end(struct qn_http_body *body, uint8_t byte, enum state next)
{
    body->line_size = 0;
    return go(body, byte == '\n', next);
}

/* A byte of what is not content. */
static enum qn_err step(struct qn_http_body *body, uint8_t byte)
{
    bool is_cr = byte == '\r';
    body->line_size++;
    switch ((enum state)body->state) {
    case SIZE_FIRST:
        return add_digit(body, qn_http_digit(byte));
    case SIZE:
        return in_size(body, byte);
    case EXTENSION:
        return go(body, is_cr || is_text(byte), is_cr ? SIZE_LF : EXTENSION);
    case SIZE_LF:
        return line_end(body, byte, body->left > 0 ? DATA : TRAILER);
    case DATA_CR:
        return go(body, is_cr, DATA_LF);
    case DATA_LF:
        return line_end(body, byte, SIZE_FIRST);
    case TRAILER:
        return go(body, is_cr || (byte > ' ' && is_text(byte)), is_cr ? END_LF : TRAILER_REST);
    case TRAILER_REST:
        return go(body, is_cr || is_text(byte), is_cr ? TRAILER_LF : TRAILER_REST);
    case TRAILER_LF:
        return go(body, byte == '\n', TRAILER);
    case END_LF:
        return go(body, byte == '\n', DONE);
    case DONE:
    case LENGTH:
    case DATA:
        break;
    }
    return QN_ERR_STATE;
}

static bool is_too_long(const struct qn_http_body *body)
{
    return body->line_size > (body->state >= TRAILER ? TRAILERS_SIZE_MAX : LINE_SIZE_MAX);
}

static struct qn_span take_content(struct qn_http_body *body, struct qn_span bytes)
{
    size_t size = bytes.size < body->left ? bytes.size : (size_t)body->left;
    body->left -= size;
    body->total += size;
    if (body->left == 0)
        body->state = body->state == DATA ? DATA_CR : DONE;
    return qn_span(bytes.data, size);
}

enum qn_err qn_http_body_take(struct qn_http_body *body, struct qn_span bytes, size_t *ret_used,
                              struct qn_span *ret_piece)
{
    size_t used = 0;
    struct qn_span piece = {0};
    while (used < bytes.size && piece.size == 0 && body->state != DONE) {
        if (body->state == DATA || body->state == LENGTH) {
            piece = take_content(body, qn_span_from(bytes, used));
            used += piece.size;
            continue;
        }
        QN_TRY(step(body, bytes.data[used++]));
        if (is_too_long(body))
            return QN_ERR_INVALID;
    }
    *ret_used = used;
    *ret_piece = piece;
    return QN_OK;
}

bool qn_http_body_is_done(const struct qn_http_body *body)
{
    return body->state == DONE;
}

void qn_http_chunk_line(struct qn_buf *out, size_t size)
{
    qn_buf_printf(out, "%zx\r\n", size);
}
