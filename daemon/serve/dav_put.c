/* PUT: the body goes into an upload that nobody sees, and takes its place at the end.
 *
 *   judge ── upload ── [100 Continue] body* ── end ── checks ── commit ── answer
 *
 * The bytes that come are gathered in one buffer while another is being written; when both are full
 * the client waits. A client that goes away leaves nothing.
 */
#include <inttypes.h>
#include <openssl/evp.h>

#include "base/assert.h"
#include "dav/names.h"
#include "serve/dav_private.h"

#define FILL_SIZE     ((size_t)256 * 1024)
#define FILL_SIZE_MAX (FILL_SIZE + 128 * 1024) /* and the piece that filled it */

struct putting {
    struct qn_folder_upload *upload; /* NULL: none, or committed */
    struct qn_buf filling, writing;
    uint64_t size;
    bool is_writing, is_paused, has_ended, is_refused;
    bool has_mtime, has_checksum;
    int64_t modified_ns;
    enum qn_dav_digest kind;
    uint8_t wanted[QN_DAV_DIGEST_SIZE_MAX];
    /* With a checksum: of each kind, for who says one compares by them later. */
    EVP_MD_CTX *digests[QN_DAV_DIGEST_COUNT];
    struct qn_weak_digests weak;
};

static void free_putting(struct dav_request *dav)
{
    struct putting *put = dav->own;
    if (put->upload)
        dav->folder->ops->abort(put->upload);
    for (size_t kind = 0; kind < QN_DAV_DIGEST_COUNT; kind++)
        EVP_MD_CTX_free(put->digests[kind]);
    qn_buf_deinit(&put->filling);
    qn_buf_deinit(&put->writing);
    qn_free(put);
}

static void refuse(struct dav_request *dav, unsigned status)
{
    struct putting *put = dav->own;
    if (put->upload)
        dav->folder->ops->abort(put->upload);
    put->upload = NULL;
    if (!put->is_refused)
        dav_refuse(dav, status);
    put->is_refused = true;
}

/* ---- what the client says of it ---- */

static const EVP_MD *algorithm(enum qn_dav_digest kind)
{
    switch (kind) {
    case QN_DAV_MD5:
        return EVP_md5();
    case QN_DAV_SHA1:
        return EVP_sha1();
    case QN_DAV_SHA256:
        return EVP_sha256();
    case QN_DAV_DIGEST_COUNT:
        break;
    }
    return NULL;
}

/* A checksum of a kind that is not known is passed over. */
static enum qn_err read_checksum(struct dav_request *dav)
{
    struct putting *put = dav->own;
    struct qn_span field = dav_field(dav, "OC-Checksum");
    if (field.size == 0)
        return QN_OK;
    enum qn_err err = qn_dav_checksum_read(field, &put->kind, put->wanted);
    if (err != QN_OK)
        return err == QN_ERR_UNSUPPORTED ? QN_OK : err;
    for (enum qn_dav_digest kind = 0; kind < QN_DAV_DIGEST_COUNT; kind++) {
        put->digests[kind] = EVP_MD_CTX_new();
        if (!put->digests[kind] ||
            EVP_DigestInit_ex(put->digests[kind], algorithm(kind), NULL) != 1)
            return QN_ERR_CRYPTO;
    }
    put->has_checksum = true;
    return QN_OK;
}

static enum qn_err read_fields(struct dav_request *dav)
{
    struct putting *put = dav->own;
    struct qn_span mtime = dav_field(dav, "X-OC-Mtime");
    if (qn_http_header(qn_web_asked(dav->web), "Content-Range"))
        return QN_ERR_INVALID; /* part of a file is not put (RFC 9110, 14.5) */
    put->has_mtime = mtime.size > 0;
    if (put->has_mtime)
        QN_TRY(qn_dav_mtime_read(mtime, &put->modified_ns));
    return read_checksum(dav);
}

/* Finder puts in chunks and says the length beside. */
static bool is_as_expected(struct dav_request *dav)
{
    const struct putting *put = dav->own;
    struct qn_span field = qn_dav_trim(dav_field(dav, "X-Expected-Entity-Length"));
    char text[32];
    snprintf(text, sizeof(text), "%" PRIu64, put->size);
    return field.size == 0 || qn_span_eq_str(field, text);
}

static bool digest_piece(struct putting *put, struct qn_span piece)
{
    for (size_t kind = 0; put->has_checksum && kind < QN_DAV_DIGEST_COUNT; kind++)
        if (EVP_DigestUpdate(put->digests[kind], piece.data, piece.size) != 1)
            return false;
    return true;
}

static bool has_wanted_digest(struct putting *put)
{
    uint8_t digests[QN_DAV_DIGEST_COUNT][EVP_MAX_MD_SIZE];
    if (!put->has_checksum)
        return true;
    for (size_t kind = 0; kind < QN_DAV_DIGEST_COUNT; kind++)
        if (EVP_DigestFinal_ex(put->digests[kind], digests[kind], NULL) != 1)
            return false;
    memcpy(put->weak.sha1, digests[QN_DAV_SHA1], sizeof(put->weak.sha1));
    memcpy(put->weak.md5, digests[QN_DAV_MD5], sizeof(put->weak.md5));
    return memcmp(digests[put->kind], put->wanted, qn_dav_digest_size(put->kind)) == 0;
}

/* ---- the end ---- */

static void answer(struct dav_request *dav)
{
    struct putting *put = dav->own;
    unsigned status = dav->exists ? 204 : 201;
    dav_note(dav, status);
    struct qn_buf *head = dav_head(dav, status, 0);
    if (!head)
        return;
    if (dav->info.etag[0] != 0) {
        dav_text_field(head, "ETag", dav->info.etag);
        dav_text_field(head, "OC-ETag", dav->info.etag);
    }
    if (put->has_mtime)
        dav_text_field(head, "X-OC-Mtime", "accepted");
    qn_web_head_end(dav->web);
    qn_web_finish(dav->web);
}

/* Two wrote at once without naming a version: the other's is beside it. */
static void note_kept(struct dav_request *dav, struct qn_span name)
{
    QN_AUTO_BUF struct qn_buf path;
    qn_buf_init(&path, 2 * DAV_PATH_SIZE_MAX);
    qn_buf_append_span(&path, dav_parent(qn_buf_view(&dav->path)));
    qn_buf_append_str(&path, "/");
    qn_buf_append_span(&path, name);
    if (!path.is_over)
        dav_note_target(dav, qn_buf_view(&path));
}

static void on_commit(void *context, enum qn_err err, const struct qn_entry_info *entry)
{
    struct dav_request *dav = context;
    bool existed = dav->exists;
    if (!dav_resume(dav))
        return;
    if (err != QN_OK) {
        dav_refuse_err(dav, err);
    } else {
        if (entry->kept.size > 0)
            note_kept(dav, entry->kept);
        dav_set_info(dav, entry);
        dav->exists = existed;
        answer(dav);
    }
    dav_release(dav);
}

/* From here on it happens, whether or not the client waits for it. */
static void commit(struct dav_request *dav)
{
    struct putting *put = dav->own;
    struct qn_folder_expect expect = dav_expect(dav);
    struct qn_folder_upload *upload = put->upload;
    if (!is_as_expected(dav) || !has_wanted_digest(put)) {
        refuse(dav, 400);
        return;
    }
    if (!dav_may_still_change(dav)) {
        put->is_refused = true;
        dav->folder->ops->abort(upload);
        put->upload = NULL;
        return;
    }
    put->upload = NULL;
    const struct qn_folder_said said = {
        .modified_ns = put->has_mtime ? put->modified_ns : INT64_MIN,
        .weak = put->has_checksum ? &put->weak : NULL,
    };
    dav_hold(dav);
    dav_wait(dav, dav->folder->ops->commit(upload, &expect, &said, on_commit, dav));
}

/* ---- the way in ---- */

static void pump(struct dav_request *dav);

static void on_written(void *context, enum qn_err err)
{
    struct dav_request *dav = context;
    if (!dav_resume(dav))
        return;
    struct putting *put = dav->own;
    put->is_writing = false;
    qn_buf_reset(&put->writing);
    if (err != QN_OK)
        refuse(dav, dav_status_of(err));
    else
        pump(dav);
}

static void write_out(struct dav_request *dav)
{
    struct putting *put = dav->own;
    struct qn_buf empty = put->writing;
    put->writing = put->filling;
    put->filling = empty;
    put->is_writing = true;
    dav_wait(dav,
             dav->folder->ops->write(put->upload, qn_buf_view(&put->writing), on_written, dav));
}

static void pump(struct dav_request *dav)
{
    struct putting *put = dav->own;
    bool is_enough = put->filling.size >= FILL_SIZE || (put->has_ended && put->filling.size > 0);
    if (is_enough && !put->is_writing)
        write_out(dav);
    bool is_full = put->filling.size >= FILL_SIZE;
    if (is_full != put->is_paused && !put->has_ended) {
        put->is_paused = is_full;
        qn_web_pause_body(dav->web, is_full);
    }
    if (put->has_ended && put->filling.size == 0 && !put->is_writing)
        commit(dav);
}

void dav_put_body(struct dav_request *dav, struct qn_span piece)
{
    struct putting *put = dav->own;
    if (!put || put->is_refused || !put->upload)
        return;
    put->size += piece.size;
    qn_buf_append_span(&put->filling, piece);
    if (!put->filling.is_over && digest_piece(put, piece))
        pump(dav);
    else
        refuse(dav, 500);
}

void dav_put_body_end(struct dav_request *dav)
{
    struct putting *put = dav->own;
    if (!put || put->is_refused || !put->upload)
        return;
    put->has_ended = true;
    pump(dav);
}

static void on_upload(void *context, enum qn_err err, struct qn_folder_upload *upload)
{
    struct dav_request *dav = context;
    struct putting *put = dav->own;
    put->upload = err == QN_OK ? upload : NULL;
    if (!dav_resume(dav))
        return;
    if (err != QN_OK)
        refuse(dav, err == QN_ERR_EXISTS ? 405 : dav_status_of(err)); /* a directory is there */
    else
        qn_web_want_body(dav->web);
}

static void go(struct dav_request *dav)
{
    struct putting *put = QN_NEW(struct putting);
    uint64_t length = qn_web_asked(dav->web)->content_length;
    qn_buf_init(&put->filling, FILL_SIZE_MAX);
    qn_buf_init(&put->writing, FILL_SIZE_MAX);
    dav->own = put;
    dav->free_own = free_putting;
    enum qn_err err = read_fields(dav);
    if (err != QN_OK || (dav->exists && dav->info.is_directory)) {
        refuse(dav, err != QN_OK ? dav_status_of(err) : 405);
        return;
    }
    if (!dav_has_body(dav))
        length = 0;
    dav_wait(dav, dav->folder->ops->upload(dav->folder, dav->inner,
                                           length == QN_HTTP_NO_LENGTH ? UINT64_MAX : length,
                                           on_upload, dav));
}

const struct dav_method dav_put_method = {
    .method = QN_HTTP_PUT, .action = "write", .is_write = true, .makes_or_removes = true, .go = go};
