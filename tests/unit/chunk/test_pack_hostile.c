/* Packs whose seals are right and whose content is not: keys get into wrong hands, and programs
 * have bugs. Each region is sealed here by hand. */
#include <criterion/criterion.h>

#include "chunk/pack_private.h"
#include "support/packs.h"
#include "support/span.h"

#define PACK_SIZE 4096

struct forge {
    struct qn_vault_keys keys;
    struct qn_aead *aead;
    struct qn_unpacker *unpacker;
    struct qn_pack_aad aad;
    uint8_t pack[PACK_SIZE];
};

static void init(struct forge *f)
{
    static const uint8_t salt[32] = {1};
    enum qn_pack_kind kind;
    *f = (struct forge){0};
    packs_keys(&f->keys, 0, 7);
    f->aead = qn_aead_new();
    f->unpacker = qn_unpacker_new(&f->keys);
    qn_head_seal(&f->keys, QN_PACK_MAGIC, QN_HEAD_DATA, salt, f->aead, f->pack);
    memcpy(f->aad.head, f->pack, QN_PACK_HEAD_SIZE);
    cr_assert_eq(qn_unpacker_start(f->unpacker, qn_span(f->pack, QN_PACK_HEAD_SIZE), &kind), QN_OK);
}

static void deinit(struct forge *f)
{
    qn_aead_free(f->aead);
    qn_unpacker_free(f->unpacker);
}

static size_t seal_at(struct forge *f, enum qn_pack_region region, size_t offset,
                      struct qn_span plain)
{
    cr_assert_leq(offset + plain.size + QN_AEAD_TAG_SIZE, PACK_SIZE);
    qn_aead_seal(f->aead, offset, qn_pack_aad(&f->aad, region), plain, f->pack + offset);
    return offset + plain.size + QN_AEAD_TAG_SIZE;
}

static enum qn_err trailer_says(struct forge *f, uint32_t offset, uint32_t size, uint32_t count)
{
    uint8_t plain[QN_PACK_TRAILER_PLAIN_SIZE] = {0};
    size_t at = PACK_SIZE - QN_PACK_TRAILER_SIZE, got_offset, got_size;
    qn_write_u32(plain, offset);
    qn_write_u32(plain + 4, size);
    qn_write_u32(plain + 8, count);
    seal_at(f, QN_REGION_TRAILER, at, QN_SPAN_OF(plain));
    return qn_unpacker_trailer(f->unpacker, qn_span(f->pack + at, QN_PACK_TRAILER_SIZE), PACK_SIZE,
                               &got_offset, &got_size);
}

Test(hostile, a_trailer_must_name_what_lies_before_it)
{
    struct forge f;
    uint32_t end = PACK_SIZE - QN_PACK_TRAILER_SIZE, one = QN_BLOB_RECORD_SIZE + QN_AEAD_TAG_SIZE;
    init(&f);
    cr_assert_eq(trailer_says(&f, end - one, one, 1), QN_OK);
    cr_assert_eq(trailer_says(&f, end - one, one, 2), QN_ERR_CORRUPT);
    cr_assert_eq(trailer_says(&f, end - one - 1, one, 1), QN_ERR_CORRUPT);
    cr_assert_eq(trailer_says(&f, end - one - 1, one + 1, 1), QN_ERR_CORRUPT);
    cr_assert_eq(trailer_says(&f, end - one, UINT32_MAX, 1), QN_ERR_CORRUPT);
    cr_assert_eq(trailer_says(&f, UINT32_MAX, one, 1), QN_ERR_CORRUPT);
    cr_assert_eq(trailer_says(&f, 0, end, 0), QN_ERR_CORRUPT);
    cr_assert_eq(trailer_says(&f, end, 0, 0), QN_ERR_CORRUPT);
    cr_assert_eq(trailer_says(&f, end - one, one, UINT32_MAX), QN_ERR_CORRUPT);
    deinit(&f);
}

Test(hostile, a_trailer_is_of_a_pack_of_that_size)
{
    struct forge f;
    size_t offset, size, at = PACK_SIZE - QN_PACK_TRAILER_SIZE;
    uint32_t one = QN_BLOB_RECORD_SIZE + QN_AEAD_TAG_SIZE;
    init(&f);
    cr_assert_eq(trailer_says(&f, (uint32_t)at - one, one, 1), QN_OK);
    struct qn_span trailer = qn_span(f.pack + at, QN_PACK_TRAILER_SIZE);
    cr_assert_eq(qn_unpacker_trailer(f.unpacker, trailer, PACK_SIZE + 1, &offset, &size),
                 QN_ERR_SIGNATURE);
    cr_assert_eq(qn_unpacker_trailer(f.unpacker, trailer, 10, &offset, &size), QN_ERR_CORRUPT);
    cr_assert_eq(qn_unpacker_trailer(f.unpacker, trailer, SIZE_MAX, &offset, &size), QN_ERR_LIMIT);
    cr_assert_eq(
        qn_unpacker_trailer(f.unpacker, qn_span(f.pack + at, 63), PACK_SIZE, &offset, &size),
        QN_ERR_CORRUPT);
    deinit(&f);
}

static enum qn_err directory_of(struct forge *f, const struct qn_blob *blobs, size_t count,
                                qn_blob_vec *out)
{
    uint8_t plain[10 * QN_BLOB_RECORD_SIZE];
    size_t offset = 2000;
    for (size_t i = 0; i < count; i++)
        qn_blob_record_write(&blobs[i], plain + i * QN_BLOB_RECORD_SIZE);
    size_t end =
        seal_at(f, QN_REGION_DIRECTORY, offset, qn_span(plain, count * QN_BLOB_RECORD_SIZE));
    return qn_unpacker_directory(f->unpacker, offset, qn_span(f->pack + offset, end - offset), out);
}

static struct qn_blob raw_blob(uint32_t size)
{
    return (struct qn_blob){.kind = QN_BLOB_DATA, .stored_size = size, .raw_size = size};
}

Test(hostile, a_directory_lists_possible_blobs_that_lie_before_it)
{
    struct forge f;
    qn_blob_vec out = {0};
    struct qn_blob good[] = {raw_blob(500), raw_blob(900)}, bad[2];
    init(&f);
    cr_assert_eq(directory_of(&f, good, 2, &out), QN_OK);
    cr_assert_eq(out.count, 2);
    cr_assert_eq(out.items[1].offset, QN_PACK_HEAD_SIZE + qn_blob_span_size(&good[0]));
    static const struct qn_blob impossible[] = {
        {.kind = 0},
        {.kind = 6},
        {.kind = 1, .raw_size = 10, .stored_size = 11},
        {.kind = 1, .raw_size = 10, .stored_size = 10, .is_squeezed = true},
        {.kind = 1, .raw_size = QN_BLOB_SIZE_MAX + 1, .stored_size = 10, .is_squeezed = true},
        {.kind = 1, .raw_size = UINT32_MAX, .stored_size = UINT32_MAX},
        {.kind = 1, .raw_size = 1500, .stored_size = 1500}, /* reaches into the directory */
    };
    for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
        bad[0] = good[0];
        bad[1] = impossible[i];
        cr_assert_eq(directory_of(&f, bad, 2, &out), QN_ERR_CORRUPT, "%zu", i);
        cr_assert_eq(out.count, 0);
    }
    qn_vec_free(&out);
    deinit(&f);
}

Test(hostile, a_directory_of_any_size_is_safe)
{
    struct forge f;
    qn_blob_vec out = {0};
    init(&f);
    for (size_t size = 0; size < 200; size++)
        cr_assert_neq(qn_unpacker_directory(f.unpacker, 2000, qn_span(f.pack + 2000, size), &out),
                      QN_OK);
    cr_assert_eq(qn_unpacker_directory(f.unpacker, SIZE_MAX, qn_span(f.pack, 16), &out),
                 QN_ERR_CORRUPT);
    QN_AUTO_FREE uint8_t *large = qn_alloc_zero(QN_PACK_SIZE_MAX);
    size_t too_large = (QN_PACK_BLOBS_MAX + 1) * QN_BLOB_RECORD_SIZE + QN_AEAD_TAG_SIZE;
    cr_assert_eq(qn_unpacker_directory(f.unpacker, 2000, qn_span(large, too_large), &out),
                 QN_ERR_CORRUPT);
    qn_vec_free(&out);
    deinit(&f);
}

static enum qn_err scan_header(struct forge *f, const uint8_t record[QN_BLOB_RECORD_SIZE],
                               struct qn_blob *ret_blob)
{
    size_t at = QN_PACK_HEAD_SIZE;
    seal_at(f, QN_REGION_HEADER, at, qn_span(record, QN_BLOB_RECORD_SIZE));
    enum qn_err err = qn_unpacker_scan(f->unpacker, QN_SPAN_OF(f->pack), &at, ret_blob);
    cr_assert(err == QN_OK ? at > QN_PACK_HEAD_SIZE : at == QN_PACK_HEAD_SIZE);
    return err;
}

Test(hostile, a_scanned_header_is_checked_like_a_directory)
{
    struct forge f;
    uint8_t record[QN_BLOB_RECORD_SIZE];
    struct qn_blob blob = raw_blob(500), got;
    init(&f);
    qn_blob_record_write(&blob, record);
    cr_assert_eq(scan_header(&f, record, &got), QN_OK);
    cr_assert_eq(got.offset, QN_PACK_HEAD_SIZE);
    record[1] = 2; /* neither raw nor squeezed */
    cr_assert_eq(scan_header(&f, record, &got), QN_ERR_CORRUPT);
    blob = raw_blob(PACK_SIZE);
    qn_blob_record_write(&blob, record);
    cr_assert_eq(scan_header(&f, record, &got), QN_ERR_CORRUPT);
    memset(record, 0, sizeof(record));
    cr_assert_eq(scan_header(&f, record, &got), QN_ERR_NOTFOUND);
    deinit(&f);
}

Test(hostile, a_scan_from_anywhere_is_safe)
{
    struct forge f;
    struct qn_blob blob;
    init(&f);
    static const size_t starts[] = {0, 63, PACK_SIZE - 1, PACK_SIZE, PACK_SIZE + 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        size_t at = starts[i];
        cr_assert_eq(qn_unpacker_scan(f.unpacker, QN_SPAN_OF(f.pack), &at, &blob), QN_ERR_CORRUPT);
        cr_assert_eq(at, starts[i]);
    }
    deinit(&f);
}

/* A directory of one record has the size of a header: what it is for is sealed with it. */
Test(hostile, a_region_of_one_kind_is_none_of_another)
{
    struct forge f;
    struct qn_blob blob = raw_blob(1), got;
    uint8_t record[QN_BLOB_RECORD_SIZE];
    size_t at = 2000;
    init(&f);
    qn_blob_record_write(&blob, record);
    seal_at(&f, QN_REGION_DIRECTORY, at, QN_SPAN_OF(record));
    cr_assert_eq(qn_unpacker_scan(f.unpacker, QN_SPAN_OF(f.pack), &at, &got), QN_ERR_SIGNATURE);
    seal_at(&f, QN_REGION_HEADER, at, QN_SPAN_OF(record));
    cr_assert_eq(qn_unpacker_scan(f.unpacker, QN_SPAN_OF(f.pack), &at, &got), QN_OK);
    deinit(&f);
}

/* A region that was copied to another place, or taken from another pack, opens nowhere. */
Test(hostile, a_region_opens_only_where_it_was_sealed)
{
    struct forge f;
    struct qn_blob blob = raw_blob(1), got;
    uint8_t record[QN_BLOB_RECORD_SIZE];
    size_t at = 1000;
    init(&f);
    qn_blob_record_write(&blob, record);
    seal_at(&f, QN_REGION_HEADER, at, QN_SPAN_OF(record));
    memcpy(f.pack + 2000, f.pack + at, QN_BLOB_HEADER_SIZE);
    size_t elsewhere = 2000;
    cr_assert_eq(qn_unpacker_scan(f.unpacker, QN_SPAN_OF(f.pack), &elsewhere, &got),
                 QN_ERR_SIGNATURE);
    cr_assert_eq(qn_unpacker_scan(f.unpacker, QN_SPAN_OF(f.pack), &at, &got), QN_OK);
    deinit(&f);
}

Test(hostile, a_squeezed_body_that_is_none_is_refused)
{
    struct forge f;
    struct qn_blob blob = {.kind = QN_BLOB_DATA,
                           .offset = QN_PACK_HEAD_SIZE,
                           .stored_size = 100,
                           .raw_size = 1000,
                           .is_squeezed = true};
    uint8_t record[QN_BLOB_RECORD_SIZE], body[100] = {0x28, 0xb5, 0x2f, 0xfd}, out[1000];
    init(&f);
    qn_blob_record_write(&blob, record);
    size_t at = seal_at(&f, QN_REGION_HEADER, blob.offset, QN_SPAN_OF(record));
    seal_at(&f, QN_REGION_BODY, at, QN_SPAN_OF(body));
    struct qn_span bytes = qn_span(f.pack + blob.offset, qn_blob_span_size(&blob));
    cr_assert_eq(qn_unpacker_blob(f.unpacker, &blob, bytes, NULL, out), QN_ERR_CORRUPT);
    for (size_t size = 0; size < bytes.size; size++)
        cr_assert_eq(qn_unpacker_blob(f.unpacker, &blob, qn_span(bytes.data, size), NULL, out),
                     QN_ERR_CORRUPT);
    deinit(&f);
}
