#include <criterion/criterion.h>
#include <signal.h>

#include "chunk/pack_private.h"
#include "support/packs.h"
#include "support/span.h"

struct fixture {
    struct qn_vault_keys keys;
    struct qn_packer *packer;
    struct qn_unpacker *unpacker;
    struct qn_mac *mac;
    struct qn_span pack; /* what finish() made */
    struct qn_pack_name name;
    const struct qn_blob *blobs;
    size_t count;
};

static void start(struct fixture *f, enum qn_pack_kind kind)
{
    uint8_t salt[32];
    for (size_t i = 0; i < sizeof(salt); i++)
        salt[i] = (uint8_t)(0x40 + i);
    qn_packer_start(f->packer, kind, salt);
}

static void init(struct fixture *f, size_t size_goal, enum qn_pack_kind kind)
{
    *f = (struct fixture){0};
    packs_keys(&f->keys, 0, 7);
    f->packer = qn_packer_new(&f->keys, size_goal);
    f->unpacker = qn_unpacker_new(&f->keys);
    f->mac = qn_mac_new(QN_SPAN_OF(f->keys.id));
    start(f, kind);
}

static void deinit(struct fixture *f)
{
    qn_packer_free(f->packer);
    qn_unpacker_free(f->unpacker);
    qn_mac_free(f->mac);
}

static struct qn_blob add(struct fixture *f, enum qn_blob_kind kind, struct qn_span raw)
{
    struct qn_blob blob;
    struct qn_chunk_id id = packs_id(&f->keys, raw);
    cr_assert_eq(qn_packer_add(f->packer, kind, &id, raw, raw.size, false, &blob), QN_OK);
    return blob;
}

static void finish(struct fixture *f)
{
    cr_assert_eq(qn_packer_finish(f->packer, &f->pack, &f->name, &f->blobs, &f->count), QN_OK);
}

static void unpack(struct fixture *f)
{
    enum qn_pack_kind kind;
    cr_assert_eq(qn_unpacker_start(f->unpacker, qn_span(f->pack.data, QN_PACK_HEAD_SIZE), &kind),
                 QN_OK);
}

static enum qn_err open_blob(struct fixture *f, const struct qn_blob *blob, uint8_t *out)
{
    struct qn_span bytes = qn_span(f->pack.data + blob->offset, qn_blob_span_size(blob));
    return qn_unpacker_blob(f->unpacker, blob, bytes, f->mac, out);
}

static void assert_name(const struct fixture *f, const char *hex)
{
    QN_AUTO_BUF struct qn_buf wanted;
    assert_span_eq(QN_SPAN_OF(f->name.bytes), from_hex(&wanted, hex));
}

/* The names, and so every byte, of two packs; computed with another implementation, in Python. */
Test(pack, fixed_vectors)
{
    struct fixture f;
    struct qn_prng prng = {.state = 2};
    struct qn_digest digest;
    uint8_t noise[300];
    packs_fill(&prng, noise, sizeof(noise));
    init(&f, 1 << 20, QN_PACK_DATA);
    add(&f, QN_BLOB_DATA, SPAN("hello"));
    add(&f, QN_BLOB_DATA, QN_SPAN_OF(noise));
    add(&f, QN_BLOB_DATA, SPAN(""));
    finish(&f);
    cr_assert_eq(f.pack.size, 896);
    assert_name(&f, "41027a4f9fc2c6e00919e4ffa41d67bf387220bb1ba873e3359e8d233a4eec66");
    QN_DIGEST(&digest, f.pack);
    assert_span_eq(QN_SPAN_OF(f.name.bytes), qn_digest_view(&digest));
    start(&f, QN_PACK_META);
    add(&f, QN_BLOB_MANIFEST, SPAN("manifest"));
    add(&f, QN_BLOB_LEAF, SPAN("leaf"));
    add(&f, QN_BLOB_NODE, SPAN("node"));
    finish(&f);
    cr_assert_eq(f.pack.size, 608);
    assert_name(&f, "9e92d96e0ec2d2b7365015af63afbe7ce495bedcca975c83203c0abf8dd4c607");
    deinit(&f);
}

Test(pack, a_blob_says_where_it_is)
{
    struct fixture f;
    uint8_t out[5];
    init(&f, 1 << 20, QN_PACK_DATA);
    cr_assert_eq(qn_packer_count(f.packer), 0);
    struct qn_blob first = add(&f, QN_BLOB_DATA, SPAN("first"));
    struct qn_blob second = add(&f, QN_BLOB_DATA, SPAN("other"));
    cr_assert_eq(qn_packer_count(f.packer), 2);
    cr_assert_eq(first.offset, QN_PACK_HEAD_SIZE);
    cr_assert_eq(second.offset, QN_PACK_HEAD_SIZE + qn_blob_span_size(&first));
    finish(&f);
    cr_assert_eq(f.count, 2);
    cr_assert_eq(f.blobs[1].offset, second.offset);
    unpack(&f);
    cr_assert_eq(open_blob(&f, &second, out), QN_OK);
    assert_span_eq(QN_SPAN_OF(out), SPAN("other"));
    deinit(&f);
}

Test(pack, a_squeezed_blob_comes_back)
{
    struct fixture f;
    struct qn_squeezer *squeezer = qn_squeezer_new(3);
    QN_AUTO_BUF struct qn_buf squeezed;
    struct qn_blob blob;
    uint8_t raw[5000] = {1}, out[5000];
    bool is_smaller;
    struct qn_chunk_id id;
    init(&f, 1 << 20, QN_PACK_DATA);
    qn_buf_init(&squeezed, sizeof(raw));
    cr_assert_eq(qn_squeeze(squeezer, QN_SPAN_OF(raw), &squeezed, &is_smaller), QN_OK);
    id = packs_id(&f.keys, QN_SPAN_OF(raw));
    cr_assert_eq(qn_packer_add(f.packer, QN_BLOB_DATA, &id, qn_buf_view(&squeezed), sizeof(raw),
                               true, &blob),
                 QN_OK);
    finish(&f);
    unpack(&f);
    cr_assert_eq(open_blob(&f, &blob, out), QN_OK);
    assert_span_eq(QN_SPAN_OF(out), QN_SPAN_OF(raw));
    qn_squeezer_free(squeezer);
    deinit(&f);
}

Test(pack, is_full_when_the_next_blob_would_exceed_the_goal)
{
    struct fixture f;
    uint8_t bytes[1000] = {0};
    init(&f, 10000, QN_PACK_DATA);
    while (qn_packer_has_room(f.packer, sizeof(bytes)))
        add(&f, QN_BLOB_DATA, QN_SPAN_OF(bytes));
    cr_assert_eq(qn_packer_count(f.packer), 8);
    struct qn_blob blob;
    struct qn_chunk_id id = {{0}};
    cr_assert_eq(
        qn_packer_add(f.packer, QN_BLOB_DATA, &id, QN_SPAN_OF(bytes), sizeof(bytes), false, &blob),
        QN_ERR_LIMIT);
    cr_assert_eq(qn_packer_count(f.packer), 8);
    cr_assert(qn_packer_has_room(f.packer, 100));
    finish(&f);
    cr_assert_leq(f.pack.size, qn_padme(10000));
    cr_assert_not(qn_packer_has_room(f.packer, 0)); /* it is closed */
    deinit(&f);
}

Test(pack, an_empty_one_has_room_for_the_largest_blob_whatever_the_goal)
{
    struct fixture f;
    QN_AUTO_FREE uint8_t *bytes = qn_alloc_zero(QN_BLOB_SIZE_MAX);
    QN_AUTO_FREE uint8_t *out = qn_alloc(QN_BLOB_SIZE_MAX);
    init(&f, 1, QN_PACK_DATA);
    cr_assert(qn_packer_has_room(f.packer, QN_BLOB_SIZE_MAX));
    cr_assert_not(qn_packer_has_room(f.packer, QN_BLOB_SIZE_MAX + 1));
    struct qn_blob blob = add(&f, QN_BLOB_DATA, qn_span(bytes, QN_BLOB_SIZE_MAX));
    cr_assert_not(qn_packer_has_room(f.packer, 0));
    finish(&f);
    unpack(&f);
    cr_assert_eq(open_blob(&f, &blob, out), QN_OK);
    cr_assert_eq(memcmp(out, bytes, QN_BLOB_SIZE_MAX), 0);
    deinit(&f);
}

Test(pack, impossible_blobs_are_not_taken)
{
    struct fixture f;
    struct qn_blob blob;
    struct qn_chunk_id id = {{0}};
    QN_AUTO_FREE uint8_t *bytes = qn_alloc_zero(QN_BLOB_SIZE_MAX + 1);
    init(&f, 8 << 20, QN_PACK_DATA);
    struct qn_span ten = qn_span(bytes, 10), large = qn_span(bytes, QN_BLOB_SIZE_MAX + 1);
    cr_assert_eq(qn_packer_add(f.packer, 1, &id, ten, 11, false, &blob), QN_ERR_INVALID);
    cr_assert_eq(qn_packer_add(f.packer, 1, &id, ten, 10, true, &blob), QN_ERR_INVALID);
    cr_assert_eq(qn_packer_add(f.packer, 0, &id, ten, 10, false, &blob), QN_ERR_INVALID);
    cr_assert_eq(qn_packer_add(f.packer, 6, &id, ten, 10, false, &blob), QN_ERR_INVALID);
    cr_assert_eq(qn_packer_add(f.packer, 1, &id, large, large.size, false, &blob), QN_ERR_LIMIT);
    cr_assert_eq(qn_packer_add(f.packer, 1, &id, ten, QN_BLOB_SIZE_MAX + 1, true, &blob),
                 QN_ERR_LIMIT);
    cr_assert_eq(qn_packer_count(f.packer), 0);
    cr_assert_eq(qn_packer_finish(f.packer, &f.pack, &f.name, &f.blobs, &f.count), QN_ERR_STATE);
    deinit(&f);
}

Test(pack, the_kind_comes_back)
{
    static const enum qn_pack_kind kinds[] = {QN_PACK_DATA, QN_PACK_META};
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        enum qn_pack_kind kind;
        init(&f, 1 << 20, kinds[i]);
        add(&f, QN_BLOB_LEAF, SPAN("leaf"));
        finish(&f);
        cr_assert_eq(qn_unpacker_start(f.unpacker, qn_span(f.pack.data, QN_PACK_HEAD_SIZE), &kind),
                     QN_OK);
        cr_assert_eq(kind, kinds[i]);
        deinit(&f);
    }
}

Test(pack, keys_of_another_vault_or_epoch_open_nothing)
{
    struct fixture f;
    struct qn_vault_keys foreign, later;
    enum qn_pack_kind kind;
    init(&f, 1 << 20, QN_PACK_DATA);
    add(&f, QN_BLOB_DATA, SPAN("secret"));
    finish(&f);
    packs_keys(&foreign, 1, 7);
    packs_keys(&later, 0, 8);
    struct qn_unpacker *one = qn_unpacker_new(&foreign), *other = qn_unpacker_new(&later);
    struct qn_span head = qn_span(f.pack.data, QN_PACK_HEAD_SIZE);
    cr_assert_eq(qn_unpacker_start(one, head, &kind), QN_ERR_SIGNATURE);
    cr_assert_eq(qn_unpacker_start(other, head, &kind), QN_ERR_UNSUPPORTED);
    qn_unpacker_free(one);
    qn_unpacker_free(other);
    qn_unpacker_free(NULL);
    qn_packer_free(NULL);
    deinit(&f);
}

/* Whoever has the id key checks the content too: a wrong id is found even under a right seal. */
Test(pack, a_blob_under_a_wrong_id_is_refused)
{
    struct fixture f;
    struct qn_blob blob;
    struct qn_chunk_id id = packs_id(&f.keys, SPAN("something else"));
    uint8_t out[5];
    init(&f, 1 << 20, QN_PACK_DATA);
    cr_assert_eq(qn_packer_add(f.packer, QN_BLOB_DATA, &id, SPAN("hello"), 5, false, &blob), QN_OK);
    finish(&f);
    unpack(&f);
    cr_assert_eq(open_blob(&f, &blob, out), QN_ERR_CORRUPT);
    struct qn_span bytes = qn_span(f.pack.data + blob.offset, qn_blob_span_size(&blob));
    cr_assert_eq(qn_unpacker_blob(f.unpacker, &blob, bytes, NULL, out), QN_OK);
    deinit(&f);
}

/* The index is a file on a disk: what it says of a blob is compared with the blob. */
Test(pack, an_index_that_is_wrong_in_any_field_is_noticed)
{
    struct fixture f;
    uint8_t out[100];
    init(&f, 1 << 20, QN_PACK_DATA);
    add(&f, QN_BLOB_DATA, SPAN("first"));
    struct qn_blob good = add(&f, QN_BLOB_DATA, SPAN("hello")), bad;
    finish(&f);
    unpack(&f);
    cr_assert_eq(open_blob(&f, &good, out), QN_OK);
    bad = good, bad.id.bytes[31] ^= 1;
    cr_assert_eq(open_blob(&f, &bad, out), QN_ERR_CORRUPT);
    bad = good, bad.kind = QN_BLOB_LEAF;
    cr_assert_eq(open_blob(&f, &bad, out), QN_ERR_CORRUPT);
    bad = good, bad.kind = 77;
    cr_assert_eq(open_blob(&f, &bad, out), QN_ERR_CORRUPT);
    bad = good, bad.offset--;
    cr_assert_eq(open_blob(&f, &bad, out), QN_ERR_SIGNATURE);
    bad = good, bad.offset = QN_PACK_HEAD_SIZE; /* another blob of the same size */
    cr_assert_eq(open_blob(&f, &bad, out), QN_ERR_CORRUPT);
    bad = good, bad.raw_size++;
    cr_assert_eq(open_blob(&f, &bad, out), QN_ERR_CORRUPT);
    bad = good, bad.raw_size = bad.stored_size = 6;
    cr_assert_eq(open_blob(&f, &bad, out), QN_ERR_CORRUPT);
    bad = good, bad.is_squeezed = true, bad.raw_size = 100;
    cr_assert_eq(open_blob(&f, &bad, out), QN_ERR_CORRUPT);
    deinit(&f);
}

Test(pack, a_packer_keeps_nothing_of_the_pack_before)
{
    struct fixture f, fresh;
    init(&f, 1 << 20, QN_PACK_DATA);
    init(&fresh, 1 << 20, QN_PACK_DATA);
    add(&f, QN_BLOB_DATA, SPAN("dropped"));
    start(&f, QN_PACK_DATA);
    cr_assert_eq(qn_packer_count(f.packer), 0);
    add(&f, QN_BLOB_DATA, SPAN("kept"));
    add(&fresh, QN_BLOB_DATA, SPAN("kept"));
    finish(&f);
    finish(&fresh);
    assert_span_eq(f.pack, fresh.pack);
    deinit(&f);
    deinit(&fresh);
}

Test(pack, adding_after_finish_is_a_bug, .signal = SIGABRT)
{
    struct fixture f;
    init(&f, 1 << 20, QN_PACK_DATA);
    add(&f, QN_BLOB_DATA, SPAN("kept"));
    finish(&f);
    add(&f, QN_BLOB_DATA, SPAN("late"));
}

/* Some of the paper's table, and what it promises. */
Test(padme, known_sizes)
{
    static const size_t known[][2] = {
        {0, 0},
        {1, 1},
        {2, 2},
        {9, 10},
        {100, 104},
        {1000, 1024},
        {1024, 1024},
        {65537, 67584},
        {(4 << 20) + 1, (4 << 20) + (128 << 10)},
        {16 << 20, 16 << 20},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        cr_assert_eq(qn_padme(known[i][0]), known[i][1], "%zu: %zu", known[i][0],
                     qn_padme(known[i][0]));
}

Test(padme, is_a_little_more_and_stays_when_repeated)
{
    for (size_t size = 1; size < QN_PACK_SIZE_MAX; size += 1 + size / 100) {
        size_t padded = qn_padme(size);
        cr_assert(padded >= size && (padded - size) * 100 <= size * 12, "%zu", size);
        cr_assert(size < 65536 || (padded - size) * 32 <= size, "%zu", size);
        cr_assert_eq(qn_padme(padded), padded);
    }
}
