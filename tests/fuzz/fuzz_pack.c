/* A pack of whatever bytes, also where the seals are right. The first byte says how deep the input
 * goes in:
 *
 *   0  a whole pack, its head included
 *   1  a pack behind a valid head
 *   2  plaintext: of a trailer (48), then of a directory
 *   3  plaintext: of a blob's header (42), then of its body
 *
 * What is accepted makes sense: blobs lie in the pack one behind the other, sizes are legal. */
#include "base/mem.h"
#include "chunk/pack_private.h"
#include "support/fuzz.h"
#include "support/packs.h"

struct world {
    struct qn_vault_keys keys;
    struct qn_unpacker *unpacker;
    struct qn_aead *aead;
    struct qn_pack_aad aad;
    struct qn_buf pack;
};

static void init(struct world *w)
{
    static const uint8_t salt[32] = {1};
    enum qn_pack_kind kind;
    uint8_t head[QN_PACK_HEAD_SIZE];
    packs_keys(&w->keys, 0, 7);
    w->unpacker = qn_unpacker_new(&w->keys);
    w->aead = qn_aead_new();
    qn_head_seal(&w->keys, QN_PACK_MAGIC, QN_HEAD_DATA, salt, w->aead, head);
    memcpy(w->aad.head, head, sizeof(head));
    qn_buf_init(&w->pack, 1 << 20);
    qn_buf_append(&w->pack, head, sizeof(head));
    FUZZ_CHECK(qn_unpacker_start(w->unpacker, QN_SPAN_OF(head), &kind) == QN_OK);
}

static void deinit(struct world *w)
{
    qn_unpacker_free(w->unpacker);
    qn_aead_free(w->aead);
    qn_buf_deinit(&w->pack);
}

static void append_sealed(struct world *w, enum qn_pack_region region, struct qn_span plain)
{
    uint8_t *room = qn_buf_reserve(&w->pack, plain.size + QN_AEAD_TAG_SIZE);
    FUZZ_CHECK(room != NULL);
    qn_aead_seal(w->aead, w->pack.size, qn_pack_aad(&w->aad, region), plain, room);
    w->pack.size += plain.size + QN_AEAD_TAG_SIZE;
}

static void check_blobs(const qn_blob_vec *blobs, size_t end)
{
    size_t at = QN_PACK_HEAD_SIZE;
    qn_vec_each (blobs, blob) {
        FUZZ_CHECK(qn_blob_is_possible(blob) && blob->offset == at);
        at += qn_blob_span_size(blob);
    }
    FUZZ_CHECK(at <= end);
}

static void read_whole(struct world *w, struct qn_span pack)
{
    qn_blob_vec blobs = {0};
    if (packs_by_directory(w->unpacker, pack, &blobs) == QN_OK) {
        check_blobs(&blobs, pack.size);
        (void)!packs_open_all(w->unpacker, pack, &blobs, NULL);
    }
    if (packs_by_scan(w->unpacker, pack, &blobs) == QN_OK) {
        check_blobs(&blobs, pack.size);
        (void)!packs_open_all(w->unpacker, pack, &blobs, NULL);
    }
    qn_vec_free(&blobs);
}

static void read_behind_head(struct world *w, struct qn_span rest)
{
    qn_buf_append_span(&w->pack, rest);
    read_whole(w, qn_buf_view(&w->pack));
}

static void read_directory(struct world *w, struct qn_span input)
{
    uint8_t trailer[QN_PACK_TRAILER_PLAIN_SIZE] = {0};
    size_t taken = input.size < sizeof(trailer) ? input.size : sizeof(trailer);
    static const uint8_t blobs_place[4096];
    size_t offset, size;
    qn_blob_vec blobs = {0};
    if (taken > 0)
        memcpy(trailer, input.data, taken);
    qn_buf_append_span(&w->pack, QN_SPAN_OF(blobs_place));
    size_t begin = w->pack.size;
    append_sealed(w, QN_REGION_DIRECTORY, qn_span_from(input, taken));
    size_t end = w->pack.size;
    append_sealed(w, QN_REGION_TRAILER, QN_SPAN_OF(trailer));
    struct qn_span sealed = qn_span(w->pack.data + begin, end - begin);
    if (qn_unpacker_directory(w->unpacker, begin, sealed, &blobs) == QN_OK)
        check_blobs(&blobs, begin);
    struct qn_span last = qn_span(w->pack.data + end, QN_PACK_TRAILER_SIZE);
    if (qn_unpacker_trailer(w->unpacker, last, w->pack.size, &offset, &size) == QN_OK)
        FUZZ_CHECK(offset >= QN_PACK_HEAD_SIZE && offset + size == end);
    qn_vec_free(&blobs);
}

/* The size in the header is that of the body, so that the body is reached. */
static void read_blob(struct world *w, struct qn_span input)
{
    uint8_t record[QN_BLOB_RECORD_SIZE] = {0};
    size_t taken = input.size < sizeof(record) ? input.size : sizeof(record);
    if (taken > 0)
        memcpy(record, input.data, taken);
    struct qn_span body = qn_span_from(input, taken);
    qn_write_u32(record + 6, (uint32_t)body.size);
    append_sealed(w, QN_REGION_HEADER, QN_SPAN_OF(record));
    append_sealed(w, QN_REGION_BODY, body);
    static const uint8_t end[QN_BLOB_RECORD_SIZE];
    append_sealed(w, QN_REGION_HEADER, QN_SPAN_OF(end));
    read_whole(w, qn_buf_view(&w->pack));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w;
    if (size == 0 || size > 1 << 16)
        return 0;
    struct qn_span input = qn_span(data + 1, size - 1);
    init(&w);
    switch (data[0] % 4) {
    case 0:
        read_whole(&w, input);
        break;
    case 1:
        read_behind_head(&w, input);
        break;
    case 2:
        read_directory(&w, input);
        break;
    case 3:
        read_blob(&w, input);
        break;
    }
    deinit(&w);
    return 0;
}
