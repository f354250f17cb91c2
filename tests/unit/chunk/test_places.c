#include <criterion/criterion.h>

#include "base/prng.h"
#include "chunk/places.h"
#include "support/span.h"

static struct qn_place place_of(uint8_t pack, enum qn_blob_kind kind, uint32_t offset,
                                uint32_t stored, uint32_t raw)
{
    struct qn_place place = {.blob = {.kind = kind,
                                      .offset = offset,
                                      .stored_size = stored,
                                      .raw_size = raw,
                                      .is_squeezed = stored != raw}};
    memset(place.pack.bytes, pack, sizeof(place.pack.bytes));
    memset(place.blob.id.bytes, (int)(offset & 0xff), sizeof(place.blob.id.bytes));
    return place;
}

struct got {
    struct qn_place places[8];
    size_t count;
};

static enum qn_err get(void *context, const struct qn_place *place)
{
    struct got *got = context;
    if (got->count < 8)
        got->places[got->count] = *place;
    got->count++;
    return QN_OK;
}

static void pack(const struct qn_place *places, size_t count, struct qn_buf *out)
{
    struct qn_places writer;
    qn_places_init(&writer);
    qn_buf_init(out, 1 << 20);
    for (size_t i = 0; i < count; i++)
        cr_assert(qn_places_add(&writer, &places[i]));
    qn_places_pack(&writer, out);
    qn_places_deinit(&writer);
}

Test(places, come_back)
{
    QN_AUTO_BUF struct qn_buf bytes;
    const struct qn_place in[] = {place_of(1, QN_BLOB_LEAF, 64, 4000, 9000),
                                  place_of(1, QN_BLOB_PLACES, 200, 77, 77),
                                  place_of(2, QN_BLOB_DATA, 16 << 20, 2 << 20, 2 << 20),
                                  place_of(1, QN_BLOB_MANIFEST, 64, 1, 2)};
    struct got got = {0};
    pack(in, 4, &bytes);
    cr_assert_eq(qn_places_read(qn_buf_view(&bytes), get, &got), QN_OK);
    cr_assert_eq(got.count, 4);
    for (size_t i = 0; i < 4; i++) {
        const struct qn_place *one = &got.places[i];
        cr_assert_arr_eq(one->pack.bytes, in[i].pack.bytes, 32);
        cr_assert_eq(one->blob.kind, in[i].blob.kind);
        cr_assert_eq(one->blob.offset, in[i].blob.offset);
        cr_assert_eq(one->blob.stored_size, in[i].blob.stored_size);
        cr_assert_eq(one->blob.raw_size, in[i].blob.raw_size);
        cr_assert_eq(one->blob.is_squeezed, in[i].blob.is_squeezed);
        size_t size = one->blob.kind == QN_BLOB_PLACES ? 32 : QN_PLACE_ID_SIZE;
        cr_assert_arr_eq(one->blob.id.bytes, in[i].blob.id.bytes, size);
    }
}

/* docs/formats/vault.md */
Test(places, bytes)
{
    QN_AUTO_BUF struct qn_buf bytes, wanted;
    const struct qn_place in[] = {place_of(1, QN_BLOB_NODE, 64, 300, 700),
                                  place_of(1, QN_BLOB_PLACES, 438, 5, 5),
                                  place_of(2, QN_BLOB_DATA, 0x105, 1000, 1000)};
    pack(in, 3, &bytes);
    assert_span_eq(qn_buf_view(&bytes),
                   from_hex(&wanted,
                            "02"
                            "0101010101010101010101010101010101010101010101010101010101010101"
                            "0202020202020202020202020202020202020202020202020202020202020202"
                            "84"               /* a node, squeezed */
                            "00"               /* in the first pack */
                            "00"               /* at once behind its head */
                            "ac02bc05"         /* 300 of 700 */
                            "4040404040404040" /* of its id */
                            "05"               /* its places, raw */
                            "000005"           /* at once behind it */
                            "b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6"
                            "01"       /* data */
                            "01"       /* in the second pack */
                            "ff03e807" /* 256 before; 1000 */
                            "0505050505050505"));
}

Test(places, nothing_is_nothing)
{
    QN_AUTO_BUF struct qn_buf bytes;
    struct got got = {0};
    pack(NULL, 0, &bytes);
    cr_assert_eq(bytes.size, 0);
    cr_assert_eq(qn_places_read(qn_buf_view(&bytes), get, &got), QN_ERR_CORRUPT);
}

Test(places, there_is_an_end_to_them)
{
    struct qn_places writer;
    size_t packs = 0, rows;
    qn_places_init(&writer);
    for (struct qn_place place = place_of(0, QN_BLOB_DATA, 64, 9, 9); packs < 10000; packs++) {
        qn_write_u32(place.pack.bytes, (uint32_t)packs);
        if (!qn_places_add(&writer, &place))
            break;
    }
    cr_assert_eq(packs, QN_PLACES_PACKS_MAX);
    struct qn_place known = place_of(0, QN_BLOB_DATA, 64, 9, 9);
    for (rows = packs; rows < 100000 && qn_places_add(&writer, &known); rows++)
        ;
    cr_assert_eq(rows, QN_PLACES_ROWS_MAX);
    QN_AUTO_BUF struct qn_buf bytes;
    struct got got = {0};
    qn_buf_init(&bytes, 1 << 20);
    qn_places_pack(&writer, &bytes);
    cr_assert_eq(qn_places_read(qn_buf_view(&bytes), get, &got), QN_OK);
    cr_assert_eq(got.count, rows);
    qn_places_deinit(&writer);
}

Test(places, what_no_pack_can_have_is_not_taken)
{
    struct qn_places writer;
    const struct qn_place bad[] = {place_of(1, 0, 64, 5, 5), place_of(1, 6, 64, 5, 5),
                                   place_of(1, QN_BLOB_DATA, 64, 9, 8)};
    qn_places_init(&writer);
    for (size_t i = 0; i < 3; i++)
        cr_assert_not(qn_places_add(&writer, &bad[i]));
    qn_places_deinit(&writer);
}

/* What is read lies in a pack, whatever the bytes. */
static enum qn_err check(void *context, const struct qn_place *place)
{
    const struct qn_blob *blob = &place->blob;
    (void)context;
    cr_assert_geq(blob->offset, QN_PACK_HEAD_SIZE);
    cr_assert_leq(blob->offset + qn_blob_span_size(blob), QN_PACK_SIZE_MAX);
    cr_assert_leq(blob->raw_size, QN_BLOB_SIZE_MAX);
    return QN_OK;
}

Test(places, any_bytes_are_safe)
{
    QN_AUTO_BUF struct qn_buf bytes;
    const struct qn_place in[] = {place_of(1, QN_BLOB_NODE, 64, 300, 700),
                                  place_of(1, QN_BLOB_PLACES, 438, 5, 5),
                                  place_of(2, QN_BLOB_DATA, 0x105, 1000, 1000)};
    struct qn_prng prng = {.state = 5};
    size_t refused = 0;
    pack(in, 3, &bytes);
    for (size_t size = 0; size < bytes.size; size++) /* cut: fewer rows, or none */
        (void)!qn_places_read(qn_span(bytes.data, size), check, NULL);
    for (int i = 0; i < 20000; i++) {
        QN_AUTO_FREE uint8_t *copy = qn_memdup(bytes.data, bytes.size);
        for (int n = 0; n < 3; n++)
            copy[qn_prng_below(&prng, bytes.size)] = (uint8_t)qn_prng_next(&prng);
        refused += qn_places_read(qn_span(copy, bytes.size), check, NULL) != QN_OK;
    }
    cr_assert_gt(refused, 1000);
}
