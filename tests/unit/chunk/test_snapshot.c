#include <criterion/criterion.h>

#include "chunk/pack_private.h"
#include "chunk/snapshot_body.h"
#include "proto/pack.h"
#include "support/span.h"

static const uint8_t master[QN_MASTER_KEY_SIZE] = {1, 2, 3};
static const uint8_t salt[32] = {9, 8, 7};

/* Two paths, /etc and /srv. */
static const uint8_t two_paths[] = {0x92, 0xc4, 4, '/', 'e', 't', 'c', 0xc4, 4, '/', 's', 'r', 'v'};

static struct qn_snapshot sample(void)
{
    return (struct qn_snapshot){
        .plan = "nightly",
        .site = "Tilleuls",
        .started_ms = 1700000000000,
        .ended_ms = 1700000100000,
        .sequence = 7,
        .is_partial = true,
        .root = {.id = {{0xab}}, .levels = 3, .entry_count = 123456, .size = UINT64_MAX},
        .counts = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
        .paths = QN_SPAN_OF(two_paths)};
}

static struct qn_vault_keys keys_of(uint32_t epoch)
{
    struct qn_vault_keys keys;
    qn_vault_keys_init(&keys, master, epoch);
    return keys;
}

static struct qn_span seal(const struct qn_snapshot *snapshot, struct qn_buf *out)
{
    struct qn_vault_keys keys = keys_of(1);
    struct qn_snapshot_name name, again;
    qn_buf_init(out, QN_SNAPSHOT_SIZE_MAX);
    cr_assert_eq(qn_snapshot_seal(snapshot, &keys, salt, out, &name), QN_OK);
    qn_snapshot_name_of(qn_buf_view(out), &again);
    cr_assert_arr_eq(name.bytes, again.bytes, sizeof(name.bytes));
    return qn_buf_view(out);
}

static enum qn_err open_as(struct qn_span sealed, const struct qn_vault_keys *keys)
{
    QN_AUTO_BUF struct qn_buf plain;
    struct qn_snapshot snapshot;
    qn_buf_init(&plain, QN_SNAPSHOT_SIZE_MAX);
    return qn_snapshot_open(sealed, keys, &plain, &snapshot);
}

Test(snapshot, roundtrip)
{
    QN_AUTO_BUF struct qn_buf sealed, plain;
    struct qn_vault_keys keys = keys_of(1);
    struct qn_snapshot in = sample(), out;
    seal(&in, &sealed);
    cr_assert_eq(sealed.size, 1024);
    qn_buf_init(&plain, QN_SNAPSHOT_SIZE_MAX);
    cr_assert_eq(qn_snapshot_open(qn_buf_view(&sealed), &keys, &plain, &out), QN_OK);
    cr_assert_str_eq(out.plan, "nightly");
    cr_assert_str_eq(out.site, "Tilleuls");
    cr_assert_eq(out.started_ms, 1700000000000);
    cr_assert_eq(out.ended_ms, 1700000100000);
    cr_assert_eq(out.sequence, 7);
    cr_assert(out.is_partial);
    cr_assert_eq(qn_chunk_id_cmp(&out.root.id, &in.root.id), 0);
    cr_assert_eq(out.root.levels, 3);
    cr_assert_eq(out.root.entry_count, 123456);
    cr_assert_eq(out.root.size, UINT64_MAX);
    cr_assert_arr_eq(&out.counts, &in.counts, sizeof(in.counts));
    assert_span_eq(out.paths, QN_SPAN_OF(two_paths));
}

/* docs/formats/vault.md; the key and the check of the head have vectors of their own. */
Test(snapshot, bytes)
{
    QN_AUTO_BUF struct qn_buf body, wanted;
    struct qn_snapshot snapshot = sample();
    snapshot.site[0] = 'x', snapshot.site[1] = 0;
    qn_buf_init(&body, 1000);
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &body), QN_OK);
    assert_span_eq(qn_buf_view(&body),
                   from_hex(&wanted, "9a01" /* version */
                                     "a76e696768746c79"
                                     "a178"               /* plan, site */
                                     "cf0000018bcfe56800" /* started */
                                     "cf0000018bcfe6eea0" /* ended */
                                     "07c3"               /* sequence, partial */
                                     "94c420ab000000000000000000000000000000"
                                     "00000000000000000000000000000000" /* root: id */
                                     "03ce0001e240cfffffffffffffffff"   /* levels, entries, size */
                                     "9a0102030405060708090a"           /* counts */
                                     "92c4042f657463c4042f737276"));    /* paths */
}

/* The name of the whole file, made by another implementation of docs/formats/vault.md. */
Test(snapshot, file)
{
    QN_AUTO_BUF struct qn_buf sealed, wanted;
    struct qn_snapshot snapshot = sample();
    struct qn_snapshot_name name;
    qn_snapshot_name_of(seal(&snapshot, &sealed), &name);
    assert_span_eq(
        QN_SPAN_OF(name),
        from_hex(&wanted, "0fc1644d3dc7d28875e813be7196d057634721a9177367cf5d0c21a4009e10a6"));
}

/* The same body, with the site's own store behind it. */
Test(snapshot, with_the_store)
{
    QN_AUTO_BUF struct qn_buf without, with, sealed, plain;
    struct qn_vault_keys keys = keys_of(1);
    struct qn_snapshot snapshot = sample(), out;
    qn_buf_init(&without, 1000);
    qn_buf_init(&with, 1000);
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &without), QN_OK);
    snapshot.store =
        (struct qn_tree_root){.id = {{0xcd}}, .levels = 1, .entry_count = 3, .size = 70};
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &with), QN_OK);
    cr_assert_eq(with.data[0], 0x9b);
    cr_assert_eq(with.data[1], 2);
    cr_assert_arr_eq(with.data + 2, without.data + 2, without.size - 2);
    cr_assert_eq(with.data[without.size], 0x94);
    qn_buf_init(&plain, QN_SNAPSHOT_SIZE_MAX);
    cr_assert_eq(qn_snapshot_open(seal(&snapshot, &sealed), &keys, &plain, &out), QN_OK);
    cr_assert_eq(qn_chunk_id_cmp(&out.store.id, &snapshot.store.id), 0);
    cr_assert_eq(out.store.entry_count, 3);
    cr_assert_eq(out.store.size, 70);
}

/* A version of its own, with or without a store before them. */
Test(snapshot, with_places)
{
    QN_AUTO_BUF struct qn_buf body, wanted, again;
    struct qn_snapshot snapshot = sample(), out;
    qn_buf_init(&body, 1000);
    qn_buf_init(&again, 1000);
    snapshot.places =
        from_hex(&wanted, "01"
                          "0101010101010101010101010101010101010101010101010101010101010101"
                          "030000054040404040404040");
    snapshot.places_run = 6;
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &body), QN_OK);
    cr_assert_eq(body.data[0], 0x9d);
    cr_assert_eq(body.data[1], 3);
    cr_assert_eq(body.data[body.size - 1], 6);
    cr_assert_eq(qn_snapshot_body_read(qn_buf_view(&body), &out), QN_OK);
    assert_span_eq(out.places, snapshot.places);
    cr_assert_eq(out.places_run, 6);
    cr_assert_eq(qn_snapshot_body_pack(&out, &again), QN_OK);
    assert_span_eq(qn_buf_view(&again), qn_buf_view(&body));
    body.data[body.size - 13] ^= 0x40; /* a kind that there is not */
    cr_assert_eq(qn_snapshot_body_read(qn_buf_view(&body), &out), QN_ERR_CORRUPT);
    snapshot.places = SPAN("\1");
    cr_assert_neq(qn_snapshot_body_pack(&snapshot, &again), QN_OK);
}

/* Two forms of one snapshot would have two names. */
Test(snapshot, an_empty_store_stands_nowhere)
{
    QN_AUTO_BUF struct qn_buf body;
    struct qn_snapshot snapshot = sample(), out;
    qn_buf_init(&body, 1000);
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &body), QN_OK);
    cr_assert_eq(qn_snapshot_body_read(qn_buf_view(&body), &out), QN_OK);
    body.data[0] = 0x9b;
    body.data[1] = 2;
    qn_buf_append_str(&body, "\x94\xc4\x20");
    for (int i = 0; i < 35; i++)
        qn_buf_append_u8(&body, 0);
    cr_assert_eq(qn_snapshot_body_read(qn_buf_view(&body), &out), QN_ERR_CORRUPT);
    snapshot.store = (struct qn_tree_root){.size = 1};
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &body), QN_ERR_INVALID);
}

Test(snapshot, an_empty_list_and_no_paths)
{
    QN_AUTO_BUF struct qn_buf sealed;
    struct qn_vault_keys keys = keys_of(1);
    struct qn_snapshot snapshot = sample();
    snapshot.root = (struct qn_tree_root){0};
    snapshot.paths = SPAN("\x90");
    cr_assert_eq(open_as(seal(&snapshot, &sealed), &keys), QN_OK);
}

Test(snapshot, the_size_shows_only_how_many_kilobytes_it_has)
{
    QN_AUTO_BUF struct qn_buf paths;
    struct qn_snapshot snapshot = sample();
    uint8_t path[1000] = {'/'};
    memset(path + 1, 'p', sizeof(path) - 1);
    size_t size_before = 1024;
    qn_buf_init(&paths, 2000);
    for (size_t size = 1; size <= sizeof(path); size++) {
        QN_AUTO_BUF struct qn_buf sealed;
        qn_buf_reset(&paths);
        qn_pack_array(&paths, 1);
        qn_pack_bin(&paths, qn_span(path, size));
        snapshot.paths = qn_buf_view(&paths);
        seal(&snapshot, &sealed);
        cr_assert(sealed.size == size_before || sealed.size == size_before + 1024);
        size_before = sealed.size;
    }
    cr_assert_eq(size_before, 2048);
}

Test(snapshot, any_changed_byte_is_noticed)
{
    QN_AUTO_BUF struct qn_buf sealed;
    struct qn_vault_keys keys = keys_of(1);
    struct qn_snapshot snapshot = sample();
    seal(&snapshot, &sealed);
    for (size_t i = 0; i < sealed.size; i++) {
        sealed.data[i] ^= 0x40;
        cr_assert_neq(open_as(qn_buf_view(&sealed), &keys), QN_OK, "byte %zu", i);
        sealed.data[i] ^= 0x40;
    }
    cr_assert_eq(open_as(qn_buf_view(&sealed), &keys), QN_OK);
}

Test(snapshot, says_why_it_cannot_be_opened)
{
    QN_AUTO_BUF struct qn_buf sealed;
    struct qn_vault_keys keys = keys_of(1), later = keys_of(2), others;
    static const uint8_t other_master[QN_MASTER_KEY_SIZE] = {4};
    struct qn_snapshot snapshot = sample();
    struct qn_span whole = seal(&snapshot, &sealed);
    qn_vault_keys_init(&others, other_master, 1);
    cr_assert_eq(open_as(whole, &others), QN_ERR_SIGNATURE);
    cr_assert_eq(open_as(whole, &later), QN_ERR_UNSUPPORTED);
    cr_assert_eq(open_as(qn_span(whole.data, whole.size - 1), &keys), QN_ERR_INVALID);
    cr_assert_eq(open_as(qn_span(NULL, 0), &keys), QN_ERR_INVALID);
    sealed.data[0] ^= 1;
    cr_assert_eq(open_as(whole, &keys), QN_ERR_INVALID);
    sealed.data[0] ^= 1;
    sealed.data[7] = '2';
    cr_assert_eq(open_as(whole, &keys), QN_ERR_UNSUPPORTED);
    sealed.data[7] = '1';
    sealed.data[whole.size - 1] ^= 1;
    cr_assert_eq(open_as(whole, &keys), QN_ERR_SIGNATURE);
}

/* Sealed by whoever has the keys, but not by this code. */
static enum qn_err open_plain(struct qn_span plain, enum qn_head_kind kind)
{
    uint8_t file[1024];
    uint8_t padded[1024 - QN_HEAD_SIZE - QN_AEAD_TAG_SIZE] = {0};
    struct qn_vault_keys keys = keys_of(1);
    struct qn_aead *aead = qn_aead_new();
    struct qn_pack_aad aad;
    memcpy(padded, plain.data, plain.size);
    qn_head_seal(&keys, "QNSNAP01", kind, salt, aead, file);
    memcpy(aad.head, file, QN_HEAD_SIZE);
    qn_aead_seal(aead, QN_HEAD_SIZE, qn_pack_aad(&aad, QN_REGION_SNAPSHOT), QN_SPAN_OF(padded),
                 file + QN_HEAD_SIZE);
    qn_aead_free(aead);
    return open_as(QN_SPAN_OF(file), &keys);
}

Test(snapshot, sealed_nonsense_is_corrupt)
{
    QN_AUTO_BUF struct qn_buf plain;
    struct qn_snapshot snapshot = sample();
    qn_buf_init(&plain, 1000);
    qn_buf_append_u32(&plain, 0);
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &plain), QN_OK);
    qn_write_u32(plain.data, (uint32_t)plain.size - 4);
    cr_assert_eq(open_plain(qn_buf_view(&plain), QN_HEAD_META), QN_OK);
    cr_assert_eq(open_plain(qn_buf_view(&plain), QN_HEAD_DATA), QN_ERR_INVALID);
    qn_write_u32(plain.data, (uint32_t)plain.size - 5); /* cut, and not zeros behind it */
    cr_assert_eq(open_plain(qn_buf_view(&plain), QN_HEAD_META), QN_ERR_CORRUPT);
    qn_write_u32(plain.data, (uint32_t)plain.size - 3); /* a zero too many */
    cr_assert_eq(open_plain(qn_buf_view(&plain), QN_HEAD_META), QN_ERR_CORRUPT);
    qn_write_u32(plain.data, UINT32_MAX);
    cr_assert_eq(open_plain(qn_buf_view(&plain), QN_HEAD_META), QN_ERR_CORRUPT);
    cr_assert_eq(open_plain(SPAN("\0\0\0\0"), QN_HEAD_META), QN_ERR_CORRUPT);
    cr_assert_eq(open_plain(SPAN("\0\0\0\2\x91\4"), QN_HEAD_META), QN_ERR_UNSUPPORTED);
}

Test(snapshot, what_cannot_be_stored_is_refused)
{
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 1000);
    struct qn_snapshot snapshot = sample();
    snapshot.plan[0] = 0;
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &out), QN_ERR_INVALID);
    snapshot = sample();
    memset(snapshot.site, 'x', sizeof(snapshot.site));
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &out), QN_ERR_INVALID);
    snapshot = sample(), snapshot.sequence = 0;
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &out), QN_ERR_INVALID);
    snapshot = sample(), snapshot.root.levels = 0;
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &out), QN_ERR_INVALID);
    snapshot.root = (struct qn_tree_root){.id = {{1}}}; /* an empty list that has a chunk */
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &out), QN_ERR_INVALID);
    snapshot.root = (struct qn_tree_root){.size = 1};
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &out), QN_ERR_INVALID);
    snapshot.root = (struct qn_tree_root){.levels = 1};
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &out), QN_ERR_INVALID);
    snapshot = sample(), snapshot.root.levels = QN_TREE_LEVELS_MAX + 1;
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &out), QN_ERR_INVALID);
    snapshot = sample(), snapshot.paths = SPAN("\x91\xc4\1a"); /* not absolute */
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &out), QN_ERR_INVALID);
    snapshot.paths = SPAN("\x91\xc4\1/\x90"); /* something behind */
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &out), QN_ERR_INVALID);
    snapshot.paths = qn_span(NULL, 0);
    cr_assert_eq(qn_snapshot_body_pack(&snapshot, &out), QN_ERR_INVALID);
    cr_assert_eq(out.size, 0);
}

Test(snapshot, too_many_paths_are_refused)
{
    QN_AUTO_BUF struct qn_buf paths, out;
    struct qn_snapshot_name name;
    struct qn_vault_keys keys = keys_of(1);
    struct qn_snapshot snapshot = sample();
    static uint8_t path[QN_PATH_SIZE_MAX] = {'/'};
    memset(path + 1, 'p', sizeof(path) - 1);
    qn_buf_init(&paths, 1 << 20);
    qn_buf_init(&out, 1 << 20);
    qn_pack_array(&paths, 20);
    for (int i = 0; i < 20; i++)
        qn_pack_bin(&paths, QN_SPAN_OF(path));
    snapshot.paths = qn_buf_view(&paths);
    cr_assert_eq(qn_snapshot_seal(&snapshot, &keys, salt, &out, &name), QN_ERR_LIMIT);
    qn_buf_reset(&paths);
    qn_pack_array(&paths, QN_SNAPSHOT_PATHS_MAX + 1);
    for (int i = 0; i <= QN_SNAPSHOT_PATHS_MAX; i++)
        qn_pack_bin(&paths, SPAN("/"));
    snapshot.paths = qn_buf_view(&paths);
    cr_assert_eq(qn_snapshot_seal(&snapshot, &keys, salt, &out, &name), QN_ERR_LIMIT);
    cr_assert_eq(out.size, 0);
}
