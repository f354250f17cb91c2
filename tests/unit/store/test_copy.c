/* Copies of a store: what is in them, that they come back the same, and that a small change stays
 * small. */
#include "store/copy.h"
#include "support/store_fixture.h"

#include "base/text.h"
#include "base/vec.h"

#define ROWS 3000

struct piece {
    struct qn_buf path, rows;
};

struct copy {
    QN_VEC(struct piece) pieces;
    size_t size;
};

static void copy_deinit(struct copy *copy)
{
    qn_vec_each (&copy->pieces, piece) {
        qn_buf_deinit(&piece->path);
        qn_buf_deinit(&piece->rows);
    }
    qn_vec_free(&copy->pieces);
}
#define AUTO_COPY __attribute__((cleanup(copy_deinit)))

static enum qn_err keep(void *context, struct qn_span path, struct qn_span rows)
{
    struct copy *copy = context;
    struct piece *piece = qn_vec_push_slot(&copy->pieces);
    qn_buf_init(&piece->path, 4096);
    qn_buf_init(&piece->rows, 1 << 24);
    qn_buf_append_span(&piece->path, path);
    qn_buf_append_span(&piece->rows, rows);
    copy->size += rows.size;
    return QN_OK;
}

static void put(struct qn_kv *kv, enum qn_table table, struct qn_span key, struct qn_span value)
{
    cr_assert_eq(qn_kv_put(kv, table, key, value), QN_OK);
}

static void put_numbered(struct qn_kv *kv, size_t number, uint8_t fill)
{
    uint8_t key[16] = "record", value[300];
    qn_write_u64(key + 8, number * 7);
    memset(value, fill, sizeof(value));
    qn_write_u64(value, number);
    put(kv, QN_TABLE_REC, QN_SPAN_OF(key), QN_SPAN_OF(value));
}

static struct qn_kv *writing(struct qn_store *store)
{
    struct qn_kv *kv;
    cr_assert_eq(qn_store_write_begin(store, &kv), QN_OK);
    return kv;
}

static void fill(struct qn_store *store)
{
    struct qn_kv *kv = writing(store);
    static const char *const excluded[] = {"model.lock"};
    for (size_t i = 0; i < ROWS; i++)
        put_numbered(kv, i, 1);
    put(kv, QN_TABLE_META, qn_span_str("model.hlc"), qn_span_str("x"));
    put(kv, QN_TABLE_META, qn_span_str("app.guard"), qn_span_str("y"));
    put(kv, QN_TABLE_META, qn_span_str(excluded[0]), qn_span_str("secret of this boot"));
    put(kv, QN_TABLE_PLAN, qn_span_str("pnight"), qn_span_str("plan"));
    put(kv, QN_TABLE_PLAN, qn_span_str("rnight"), qn_span_str("runs"));
    put(kv, QN_TABLE_PLAN, qn_span_str("dnight"), qn_span_str("drill"));
    put(kv, QN_TABLE_LEDGER, qn_span_str("00000001"), qn_span_str("entry"));
    put(kv, QN_TABLE_CONF, qn_span_str("empty"), qn_span(NULL, 0));
    put(kv, QN_TABLE_HELD, qn_span_str("owner"), qn_span_str("held"));
    put(kv, QN_TABLE_OWN_PACK, qn_span_str("pack"), qn_span_str("own"));
    put(kv, QN_TABLE_PEER, qn_span_str("peer"), qn_span_str("heard"));
    put(kv, QN_TABLE_LOCAL, qn_span_str("user/anne"), qn_span_str("account"));
    put(kv, QN_TABLE_TRAIL, qn_span_str("site"), qn_span_str("once told"));
    cr_assert_eq(qn_store_write_end(store, true), QN_OK);
}

static void copy_of(struct qn_store *store, struct copy *copy)
{
    cr_assert_eq(qn_store_copy(store, keep, copy), QN_OK);
}

static bool has_bytes(const struct copy *copy, const char *text)
{
    qn_vec_each (&copy->pieces, piece)
        if (memmem(piece->rows.data, piece->rows.size, text, strlen(text)) != NULL)
            return true;
    return false;
}

Test(copy, has_what_the_site_knows_and_no_more)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_COPY struct copy copy = {0};
    fill(f.store);
    copy_of(f.store, &copy);
    static const char *const in[] = {"model.hlc", "app.guard", "pnight",   "entry",
                                     "empty",     "account",   "once told"};
    static const char *const out[] = {"model.lock", "rnight", "dnight", "held", "own", "heard"};
    for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
        cr_assert(has_bytes(&copy, in[i]), "%s", in[i]);
    for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
        cr_assert_not(has_bytes(&copy, out[i]), "%s", out[i]);
}

/* Paths as the vault wants them, and pieces that stay whole there. */
Test(copy, pieces_ascend_and_are_small)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_COPY struct copy copy = {0};
    fill(f.store);
    copy_of(f.store, &copy);
    cr_assert_gt(copy.pieces.count, 30);
    for (size_t i = 0; i < copy.pieces.count; i++) {
        cr_assert_leq(copy.pieces.items[i].rows.size, QN_STORE_PIECE_SIZE);
        struct qn_span path = qn_buf_view(&copy.pieces.items[i].path);
        cr_assert(i == 0 || qn_span_cmp(qn_buf_view(&copy.pieces.items[i - 1].path), path) < 0);
    }
}

/* docs/formats/store.md, "A copy". */
Test(copy, bytes)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_COPY struct copy copy = {0};
    struct qn_kv *kv = writing(f.store);
    put(kv, QN_TABLE_REC, qn_span_str("k"), qn_span_str("value"));
    put(kv, QN_TABLE_REC, qn_span_str("m"), qn_span(NULL, 0));
    cr_assert_eq(qn_store_write_end(f.store, true), QN_OK);
    copy_of(f.store, &copy);
    cr_assert_eq(copy.pieces.count, 2);
    cr_assert(qn_span_eq_str(qn_buf_view(&copy.pieces.items[0].path), "rec/6b"));
    assert_buf_eq(&copy.pieces.items[0].rows, "\0\1\0\0\0\5kvalue\0\1\0\0\0\0m");
    cr_assert(qn_span_eq_str(qn_buf_view(&copy.pieces.items[1].path), "version/schema"));
    assert_buf_eq(&copy.pieces.items[1].rows, "\0\0\0\2");
}

/* Where pieces end, as another implementation of docs/formats/store.md cuts. */
Test(copy, cuts)
{
    static const uint64_t firsts[] = {0, 9, 19, 31, 54, 58, 71, 77};
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_COPY struct copy copy = {0};
    size_t count = 0;
    fill(f.store);
    copy_of(f.store, &copy);
    qn_vec_each (&copy.pieces, piece) {
        if (!qn_span_has_prefix(qn_buf_view(&piece->path), qn_span_str("rec/")))
            continue;
        if (count < sizeof(firsts) / sizeof(firsts[0]))
            cr_assert_eq(qn_read_u64(piece->rows.data + 6 + 8), firsts[count] * 7);
        count++;
    }
    cr_assert_eq(count, 197);
}

static size_t count_new(const struct copy *before, const struct copy *after)
{
    size_t count = 0;
    qn_vec_each (&after->pieces, piece) {
        bool is_there = false;
        for (size_t i = 0; i < before->pieces.count && !is_there; i++)
            is_there =
                qn_span_eq(qn_buf_view(&before->pieces.items[i].path), qn_buf_view(&piece->path)) &&
                qn_span_eq(qn_buf_view(&before->pieces.items[i].rows), qn_buf_view(&piece->rows));
        count += !is_there;
    }
    return count;
}

static void change(struct qn_store *store, void (*act)(struct qn_kv *kv))
{
    struct qn_kv *kv = writing(store);
    act(kv);
    cr_assert_eq(qn_store_write_end(store, true), QN_OK);
}

static void change_one(struct qn_kv *kv)
{
    put_numbered(kv, 1500, 2);
}

static void add_and_remove(struct qn_kv *kv)
{
    static const uint8_t key[16] = "record\0\0\0\0\0\0\0\0\1";
    uint8_t gone[16] = "record";
    qn_write_u64(gone + 8, 2500 * 7);
    put(kv, QN_TABLE_REC, QN_SPAN_OF(key), qn_span_str("inserted near the beginning"));
    cr_assert_eq(qn_kv_del(kv, QN_TABLE_REC, QN_SPAN_OF(gone)), QN_OK);
}

static void run_a_backup(struct qn_kv *kv)
{
    put(kv, QN_TABLE_PLAN, qn_span_str("rnight"), qn_span_str("later"));
    put(kv, QN_TABLE_OWN_SNAP, qn_span_str("s1"), qn_span_str("snapshot"));
    put(kv, QN_TABLE_META, qn_span_str("model.lock"), qn_span_str("ticked"));
    put(kv, QN_TABLE_SITE, qn_span_str("other"), qn_span_str("heard of just now"));
}

Test(copy, a_change_changes_little)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_COPY struct copy first = {0}, second = {0}, third = {0}, fourth = {0};
    fill(f.store);
    copy_of(f.store, &first);
    change(f.store, run_a_backup);
    copy_of(f.store, &second);
    cr_assert_eq(count_new(&first, &second), 0);
    cr_assert_eq(first.pieces.count, second.pieces.count);
    change(f.store, change_one);
    copy_of(f.store, &third);
    cr_assert_eq(count_new(&second, &third), 1);
    change(f.store, add_and_remove);
    copy_of(f.store, &fourth);
    cr_assert_leq(count_new(&third, &fourth), 6);
}

/* Keys that begin alike for longer than a name is, with values that fill pieces. */
Test(copy, keys_that_begin_alike_have_names_of_their_own)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_COPY struct copy copy = {0};
    struct qn_kv *kv = writing(f.store);
    uint8_t key[250], value[5000] = {0};
    memset(key, 'k', sizeof(key));
    for (size_t i = 0; i < 60; i++) {
        key[sizeof(key) - 1] = (uint8_t)i;
        put(kv, QN_TABLE_HIST, QN_SPAN_OF(key), QN_SPAN_OF(value));
    }
    cr_assert_eq(qn_store_write_end(f.store, true), QN_OK);
    copy_of(f.store, &copy);
    cr_assert_gt(copy.pieces.count, 5);
    for (size_t i = 1; i < copy.pieces.count; i++)
        cr_assert(qn_span_cmp(qn_buf_view(&copy.pieces.items[i - 1].path),
                              qn_buf_view(&copy.pieces.items[i].path)) < 0);
}

/* ---- back ---- */

static struct qn_store_load *begin_load(const char *path)
{
    struct qn_store_load *load;
    cr_assert_eq(qn_store_load_begin(&(struct qn_store_options){.path = path,
                                                                .map_size = STORE_MAP_SIZE,
                                                                .wall_ms = store_fixture_number,
                                                                .entropy = store_fixture_number},
                                     &load),
                 QN_OK);
    return load;
}

static enum qn_err load_all(const struct copy *copy, const char *path)
{
    struct qn_store_load *load = begin_load(path);
    enum qn_err err = QN_OK;
    for (size_t i = 0; i < copy->pieces.count && err == QN_OK; i++)
        err = qn_store_load_piece(load, qn_buf_view(&copy->pieces.items[i].path),
                                  qn_buf_view(&copy->pieces.items[i].rows));
    enum qn_err end = qn_store_load_end(load);
    return err != QN_OK ? err : end;
}

Test(copy, comes_back_the_same)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_COPY struct copy copy = {0}, again = {0};
    struct tmp_dir dir;
    tmp_dir_init(&dir);
    fill(f.store);
    copy_of(f.store, &copy);
    cr_assert_eq(load_all(&copy, dir.path), QN_OK);
    struct qn_store_options options = {.path = dir.path,
                                       .map_size = STORE_MAP_SIZE,
                                       .wall_ms = store_fixture_number,
                                       .entropy = store_fixture_number};
    struct qn_store *store;
    struct qn_store_load *load;
    cr_assert_eq(qn_store_load_begin(&options, &load), QN_ERR_EXISTS);
    cr_assert_eq(qn_store_open(&options, &store), QN_OK);
    copy_of(store, &again);
    cr_assert_eq(count_new(&copy, &again), 0);
    cr_assert_eq(copy.pieces.count, again.pieces.count);
    qn_store_close(store);
    tmp_dir_deinit(&dir);
}

static enum qn_err load_one(const char *path, struct qn_span rows)
{
    struct tmp_dir dir;
    tmp_dir_init(&dir);
    struct qn_store_load *load = begin_load(dir.path);
    enum qn_err err = qn_store_load_piece(load, qn_span_str(path), rows);
    cr_assert_eq(qn_store_load_end(load),
                 strcmp(path, "version/schema") == 0 && err == QN_OK ? QN_OK : QN_ERR_CORRUPT);
    tmp_dir_deinit(&dir);
    return err;
}

/* A vault may be read with keys that others had too: nothing in it is believed. */
Test(copy, pieces_that_are_none_are_refused)
{
    const struct {
        const char *path;
        struct qn_span rows;
        enum qn_err err;
    } cases[] = {
        {"rec/00", SPAN("\0\1\0\0\0\1kv"), QN_OK},
        {"rec/00", SPAN("\0\1\0\0\0\2kv"), QN_ERR_CORRUPT},
        {"rec/00", SPAN("\0\1\xff\xff\xff\xffkv"), QN_ERR_CORRUPT},
        {"rec/00", SPAN("\0\0\0\0\0\1v"), QN_ERR_CORRUPT},
        {"rec/00", SPAN("\xff\xff\0\0\0\1kv"), QN_ERR_CORRUPT},
        {"rec/00", SPAN("\0\1\0\0\0\1kv\0"), QN_ERR_CORRUPT},
        {"rec", SPAN("\0\1\0\0\0\1kv"), QN_ERR_CORRUPT},
        {"", SPAN("\0\1\0\0\0\1kv"), QN_ERR_CORRUPT},
        {"held/00", SPAN("\0\1\0\0\0\1kv"), QN_ERR_UNSUPPORTED},
        {"later/00", SPAN("\0\1\0\0\0\1kv"), QN_ERR_UNSUPPORTED},
        {"plan/00", SPAN("\0\1\0\0\0\1rv"), QN_ERR_CORRUPT},
        {"meta/00", SPAN("\0\6\0\0\0\1schemav"), QN_ERR_CORRUPT},
        {"version/schema", SPAN("\0\0\0\1"), QN_OK},
        {"version/schema", SPAN("\0\0\0\2"), QN_OK},
        {"version/schema", SPAN("\0\0\0\3"), QN_ERR_UNSUPPORTED},
        {"version/schema", SPAN("\0\0\0"), QN_ERR_CORRUPT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_eq(load_one(cases[i].path, cases[i].rows), cases[i].err, "case %zu", i);
}

static enum qn_err give_up(void *context, struct qn_span path, struct qn_span rows)
{
    return ++*(unsigned *)context == 3 ? QN_ERR_NOSPACE : QN_OK;
}

Test(copy, ends_with_the_error_of_who_takes_it)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    unsigned count = 0;
    fill(f.store);
    cr_assert_eq(qn_store_copy(f.store, give_up, &count), QN_ERR_NOSPACE);
    cr_assert_eq(count, 3);
}
