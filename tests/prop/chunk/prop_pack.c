/* Laws of packs, for random blobs. */
#include <criterion/criterion.h>

#include "chunk/pack_private.h"
#include "support/packs.h"

#define BLOBS_MAX 12

struct blobs {
    struct qn_buf raw[BLOBS_MAX];
    enum qn_blob_kind kinds[BLOBS_MAX];
    size_t count;
};

struct world {
    struct qn_vault_keys keys;
    struct qn_packer *packer;
    struct qn_unpacker *unpacker;
    struct qn_squeezer *squeezer;
    struct qn_mac *mac;
    struct blobs blobs;
    uint8_t *pack; /* a copy, that may be damaged */
    size_t size;
    struct qn_pack_name name;
};

static void init(struct world *w)
{
    *w = (struct world){0};
    packs_keys(&w->keys, 0, 7);
    w->packer = qn_packer_new(&w->keys, 4 << 20);
    w->unpacker = qn_unpacker_new(&w->keys);
    w->squeezer = qn_squeezer_new(1);
    w->mac = qn_mac_new(QN_SPAN_OF(w->keys.id));
    for (size_t i = 0; i < BLOBS_MAX; i++)
        qn_buf_init(&w->blobs.raw[i], QN_BLOB_SIZE_MAX);
}

static void deinit(struct world *w)
{
    qn_packer_free(w->packer);
    qn_unpacker_free(w->unpacker);
    qn_squeezer_free(w->squeezer);
    qn_mac_free(w->mac);
    for (size_t i = 0; i < BLOBS_MAX; i++)
        qn_buf_deinit(&w->blobs.raw[i]);
    qn_free(w->pack);
}

/* Half of them shrink. */
static void draw_blobs(struct world *w, struct qn_prng *prng, size_t size_max)
{
    w->blobs.count = 1 + qn_prng_below(prng, BLOBS_MAX);
    for (size_t i = 0; i < w->blobs.count; i++) {
        struct qn_buf *raw = &w->blobs.raw[i];
        size_t size = qn_prng_below(prng, 1 + qn_prng_below(prng, size_max + 1));
        qn_buf_reset(raw);
        uint8_t *room = qn_buf_reserve(raw, size);
        packs_fill(prng, room, size);
        if (qn_prng_below(prng, 2) == 0)
            for (size_t at = 0; at < size; at++)
                room[at] &= 3;
        raw->size = size;
        w->blobs.kinds[i] = QN_BLOB_DATA + qn_prng_below(prng, 4);
    }
}

static void add_blob(struct world *w, size_t i)
{
    QN_AUTO_BUF struct qn_buf squeezed;
    struct qn_span raw = qn_buf_view(&w->blobs.raw[i]);
    struct qn_chunk_id id = packs_id(&w->keys, raw);
    bool is_squeezed;
    struct qn_blob blob;
    qn_buf_init(&squeezed, raw.size);
    cr_assert_eq(qn_squeeze(w->squeezer, raw, &squeezed, &is_squeezed), QN_OK);
    struct qn_span stored = is_squeezed ? qn_buf_view(&squeezed) : raw;
    cr_assert_eq(
        qn_packer_add(w->packer, w->blobs.kinds[i], &id, stored, raw.size, is_squeezed, &blob),
        QN_OK);
}

/* All blobs that were drawn, under the salt that follows from `salt_seed`. */
static void make_pack(struct world *w, uint64_t salt_seed)
{
    struct qn_prng prng = {.state = salt_seed};
    uint8_t salt[32];
    struct qn_span bytes;
    const struct qn_blob *blobs;
    size_t count;
    packs_fill(&prng, salt, sizeof(salt));
    qn_packer_start(w->packer, QN_PACK_DATA, salt);
    for (size_t i = 0; i < w->blobs.count; i++)
        add_blob(w, i);
    cr_assert_eq(qn_packer_finish(w->packer, &bytes, &w->name, &blobs, &count), QN_OK);
    cr_assert_eq(count, w->blobs.count);
    qn_free(w->pack);
    w->pack = qn_memdup(bytes.data, bytes.size);
    w->size = bytes.size;
}

static struct qn_span pack_of(const struct world *w)
{
    return qn_span(w->pack, w->size);
}

static void assert_all_there(struct world *w, const qn_blob_vec *found, uint64_t seed)
{
    cr_assert_eq(found->count, w->blobs.count, "seed %lu", (unsigned long)seed);
    for (size_t i = 0; i < found->count; i++) {
        const struct qn_blob *blob = &found->items[i];
        struct qn_span wanted = qn_buf_view(&w->blobs.raw[i]);
        uint8_t *raw = NULL;
        cr_assert_eq(packs_open_blob(w->unpacker, pack_of(w), blob, w->mac, &raw), QN_OK);
        cr_assert(qn_span_eq(qn_span(raw, blob->raw_size), wanted), "seed %lu, blob %zu",
                  (unsigned long)seed, i);
        cr_assert_eq(blob->kind, w->blobs.kinds[i]);
        qn_free(raw);
    }
}

Test(pack, any_blobs_come_back_by_directory_and_by_scan)
{
    struct world w;
    qn_blob_vec found = {0};
    init(&w);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct qn_prng prng = {.state = seed};
        draw_blobs(&w, &prng, seed % 10 == 0 ? 300000 : 5000);
        make_pack(&w, seed);
        cr_assert_eq(packs_by_directory(w.unpacker, pack_of(&w), &found), QN_OK);
        assert_all_there(&w, &found, seed);
        cr_assert_eq(packs_by_scan(w.unpacker, pack_of(&w), &found), QN_OK);
        assert_all_there(&w, &found, seed);
    }
    qn_vec_free(&found);
    deinit(&w);
}

static size_t blobs_end(const qn_blob_vec *found)
{
    const struct qn_blob *last = &found->items[found->count - 1];
    return last->offset + qn_blob_span_size(last);
}

/* By its seals; the padding has no reader, its bytes are covered by the name alone. */
static bool is_whole(struct world *w, qn_blob_vec *found)
{
    return packs_by_directory(w->unpacker, pack_of(w), found) == QN_OK &&
           packs_open_all(w->unpacker, pack_of(w), found, w->mac) == QN_OK &&
           packs_by_scan(w->unpacker, pack_of(w), found) == QN_OK;
}

static bool is_named(const struct world *w)
{
    struct qn_digest digest;
    QN_DIGEST(&digest, pack_of(w));
    return memcmp(digest.bytes, w->name.bytes, sizeof(digest.bytes)) == 0;
}

Test(pack, any_flipped_byte_is_detected)
{
    struct world w;
    qn_blob_vec found = {0};
    init(&w);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct qn_prng prng = {.state = seed};
        draw_blobs(&w, &prng, 200);
        make_pack(&w, seed);
        cr_assert(is_whole(&w, &found) && is_named(&w));
        size_t padding = blobs_end(&found) + QN_BLOB_HEADER_SIZE;
        size_t bare = qn_pack_size_bare(blobs_end(&found), found.count);
        size_t padding_end = padding + (w.size - bare) + QN_AEAD_TAG_SIZE;
        for (size_t i = 0; i < w.size; i++) {
            w.pack[i] ^= (uint8_t)(1u << qn_prng_below(&prng, 8));
            bool is_padding = i >= padding && i < padding_end;
            cr_assert_not(is_named(&w), "seed %lu, byte %zu", (unsigned long)seed, i);
            cr_assert_eq(is_whole(&w, &found), is_padding, "seed %lu, byte %zu",
                         (unsigned long)seed, i);
            make_pack(&w, seed);
        }
    }
    qn_vec_free(&found);
    deinit(&w);
}

/* A scan needs no more than the blobs and the header behind them. */
Test(pack, a_truncated_one_is_an_error_at_every_length)
{
    struct world w;
    qn_blob_vec found = {0};
    struct qn_prng prng = {.state = 4};
    init(&w);
    draw_blobs(&w, &prng, 200);
    make_pack(&w, 4);
    cr_assert(is_whole(&w, &found));
    size_t scanned = blobs_end(&found) + QN_BLOB_HEADER_SIZE;
    for (size_t size = 0; size < w.size; size++) {
        QN_AUTO_FREE uint8_t *cut = qn_memdup(w.pack, size); /* so that ASan sees its end */
        cr_assert_neq(packs_by_directory(w.unpacker, qn_span(cut, size), &found), QN_OK, "%zu",
                      size);
        enum qn_err err = packs_by_scan(w.unpacker, qn_span(cut, size), &found);
        cr_assert_eq(err == QN_OK, size >= scanned, "%zu: %s", size, qn_err_name(err));
    }
    qn_vec_free(&found);
    deinit(&w);
}

/* What stands behind damage is still found by a scan that looks for the next header. */
Test(pack, a_damaged_header_loses_one_blob)
{
    struct world w;
    qn_blob_vec found = {0};
    enum qn_pack_kind kind;
    struct qn_prng prng = {.state = 5};
    init(&w);
    do
        draw_blobs(&w, &prng, 3000);
    while (w.blobs.count < 3);
    make_pack(&w, 5);
    cr_assert(is_whole(&w, &found));
    size_t second = found.items[1].offset, third = found.items[2].offset, at = second;
    w.pack[second + 3] ^= 1;
    struct qn_blob blob;
    cr_assert_eq(qn_unpacker_start(w.unpacker, qn_span(w.pack, QN_PACK_HEAD_SIZE), &kind), QN_OK);
    while (qn_unpacker_scan(w.unpacker, pack_of(&w), &at, &blob) == QN_ERR_SIGNATURE)
        at++;
    cr_assert_eq(blob.offset, third);
    cr_assert_eq(blob.raw_size, found.items[2].raw_size);
    qn_vec_free(&found);
    deinit(&w);
}

static void assert_differs(struct qn_span a, struct qn_span b, size_t begin, size_t end)
{
    cr_assert_neq(memcmp(a.data + begin, b.data + begin, end - begin), 0, "%zu to %zu", begin, end);
}

Test(pack, another_salt_makes_every_region_another_one)
{
    struct world one, other;
    qn_blob_vec found = {0};
    struct qn_prng prng = {.state = 6}, again = {.state = 6};
    init(&one);
    init(&other);
    draw_blobs(&one, &prng, 2000);
    draw_blobs(&other, &again, 2000);
    make_pack(&one, 1);
    make_pack(&other, 2);
    struct qn_span a = pack_of(&one), b = pack_of(&other);
    cr_assert_eq(a.size, b.size);
    cr_assert(is_whole(&one, &found));
    qn_vec_each (&found, blob) {
        size_t body = blob->offset + QN_BLOB_HEADER_SIZE;
        assert_differs(a, b, blob->offset, body);
        assert_differs(a, b, body, body + blob->stored_size + QN_AEAD_TAG_SIZE);
    }
    size_t padding = blobs_end(&found);
    size_t directory =
        a.size - QN_PACK_TRAILER_SIZE - QN_AEAD_TAG_SIZE - found.count * QN_BLOB_RECORD_SIZE;
    assert_differs(a, b, padding, padding + QN_BLOB_HEADER_SIZE);
    assert_differs(a, b, padding + QN_BLOB_HEADER_SIZE, directory);
    assert_differs(a, b, directory, a.size - QN_PACK_TRAILER_SIZE);
    assert_differs(a, b, a.size - QN_PACK_TRAILER_SIZE, a.size);
    qn_vec_free(&found);
    deinit(&one);
    deinit(&other);
}

/* All that a holder sees of the lengths is the size of the whole. */
Test(pack, sizes_say_little)
{
    struct world w;
    size_t sizes = 0, before = 0;
    init(&w);
    w.blobs.count = 1;
    w.blobs.kinds[0] = QN_BLOB_DATA;
    for (size_t size = 0; size < 4096; size++) {
        qn_buf_reset(&w.blobs.raw[0]);
        memset(qn_buf_reserve(&w.blobs.raw[0], size), 0xaa, size);
        w.blobs.raw[0].size = size;
        struct qn_span raw = qn_buf_view(&w.blobs.raw[0]);
        struct qn_chunk_id id = {{0}};
        static const uint8_t salt[32];
        struct qn_blob blob;
        const struct qn_blob *blobs;
        struct qn_span bytes;
        size_t count;
        qn_packer_start(w.packer, QN_PACK_DATA, salt);
        cr_assert_eq(qn_packer_add(w.packer, 1, &id, raw, size, false, &blob), QN_OK);
        cr_assert_eq(qn_packer_finish(w.packer, &bytes, &w.name, &blobs, &count), QN_OK);
        cr_assert_eq(bytes.size, qn_padme(bytes.size));
        sizes += bytes.size != before;
        before = bytes.size;
    }
    cr_assert_lt(sizes, 80, "%zu sizes of 4096", sizes);
    deinit(&w);
}
