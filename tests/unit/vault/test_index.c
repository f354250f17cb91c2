#include "vault/index.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/prng.h"
#include "support/span.h"
#include "support/tmp_dir.h"

#define MAP_SIZE (64 * 1024 * 1024)

struct fixture {
    struct tmp_dir dir;
    char path[TMP_PATH_SIZE];
    struct qn_index *index;
    struct qn_index_view *view;
};

static void open_index(struct fixture *f, bool is_new_wanted)
{
    bool is_new;
    cr_assert_eq(qn_index_open(f->path, MAP_SIZE, &f->index, &is_new), QN_OK);
    cr_assert_eq(is_new, is_new_wanted);
    f->view = qn_index_view_new(f->index);
}

static void close_index(struct fixture *f)
{
    qn_index_view_free(f->view);
    qn_index_close(f->index);
    f->view = NULL;
    f->index = NULL;
}

static void fixture_init(struct fixture *f)
{
    tmp_dir_init(&f->dir);
    tmp_dir_at(&f->dir, "index", f->path);
    open_index(f, true);
}

static void fixture_deinit(struct fixture *f)
{
    close_index(f);
    tmp_dir_deinit(&f->dir);
}
#define FIXTURE                                                                                    \
    __attribute__((cleanup(fixture_deinit))) struct fixture f;                                     \
    fixture_init(&f)

static struct qn_chunk_id id_of(uint64_t seed)
{
    struct qn_prng prng = {.state = seed};
    struct qn_chunk_id id;
    for (size_t i = 0; i < sizeof(id.bytes); i += 8)
        qn_write_u64(id.bytes + i, qn_prng_next(&prng));
    return id;
}

static struct qn_index_pack pack_of(uint64_t seed)
{
    struct qn_chunk_id id = id_of(seed ^ 0xabcd);
    struct qn_index_pack pack = {
        .size = 4096, .kind = QN_PACK_DATA, .state = QN_PACK_PRESENT, .number = 0};
    memcpy(pack.name.bytes, id.bytes, sizeof(pack.name.bytes));
    return pack;
}

static struct qn_blob blob_of(uint64_t seed, uint32_t offset)
{
    return (struct qn_blob){.id = id_of(seed),
                            .kind = QN_BLOB_LEAF,
                            .offset = offset,
                            .stored_size = 77,
                            .raw_size = 2 * 1024 * 1024,
                            .is_squeezed = true};
}

/* A pack whose blobs have the seeds first, first + 1, ... */
static uint32_t put(struct fixture *f, uint64_t pack_seed, uint64_t first, size_t count,
                    bool replaces)
{
    struct qn_index_pack pack = pack_of(pack_seed);
    struct qn_blob *blobs = qn_alloc((count + 1) * sizeof(*blobs));
    for (size_t i = 0; i < count; i++)
        blobs[i] = blob_of(first + i, (uint32_t)(64 + i * 100));
    struct qn_index_addition addition = {.pack = pack, .blobs = blobs, .count = count};
    cr_assert_eq(qn_index_add(f->index, &addition, 1, replaces), QN_OK);
    qn_index_view_rest(f->view);
    qn_free(blobs);
    return addition.pack.number;
}

static void set_state(struct fixture *f, uint32_t number, enum qn_pack_state state, uint64_t run)
{
    struct qn_index_pack pack;
    struct qn_index_batch *batch;
    cr_assert_eq(qn_index_get_pack(f->view, number, &pack), QN_OK);
    pack.state = state;
    pack.dead_run = run;
    cr_assert_eq(qn_index_begin(f->index, &batch), QN_OK);
    cr_assert_eq(qn_index_set_pack(batch, &pack), QN_OK);
    cr_assert_eq(qn_index_commit(batch), QN_OK);
    qn_index_view_rest(f->view);
}

static uint32_t pack_with(struct fixture *f, uint64_t seed)
{
    struct qn_chunk_id id = id_of(seed);
    struct qn_index_row row;
    cr_assert_eq(qn_index_get(f->view, &id, &row), QN_OK);
    return row.pack;
}

Test(index, a_row_comes_back_whole)
{
    FIXTURE;
    uint32_t number = put(&f, 1, 10, 3, true);
    struct qn_index_row row;
    struct qn_chunk_id id = id_of(12);
    cr_assert_eq(qn_index_get(f.view, &id, &row), QN_OK);
    cr_assert_eq(row.pack, number);
    struct qn_blob wanted = blob_of(12, 264);
    cr_assert_eq(row.blob.offset, wanted.offset);
    cr_assert_eq(row.blob.stored_size, wanted.stored_size);
    cr_assert_eq(row.blob.raw_size, wanted.raw_size);
    cr_assert_eq(row.blob.kind, wanted.kind);
    cr_assert(row.blob.is_squeezed);
    cr_assert_eq(qn_chunk_id_cmp(&row.blob.id, &id), 0);
    id = id_of(13);
    cr_assert_eq(qn_index_get(f.view, &id, &row), QN_ERR_NOTFOUND);
}

Test(index, survives_closing)
{
    FIXTURE;
    uint32_t number = put(&f, 1, 10, 3, true);
    close_index(&f);
    open_index(&f, false);
    cr_assert_eq(pack_with(&f, 11), number);
}

Test(index, packs_are_found_by_number_and_name)
{
    FIXTURE;
    uint32_t first = put(&f, 1, 10, 1, true), second = put(&f, 2, 20, 1, true);
    cr_assert_lt(first, second);
    struct qn_index_pack pack, wanted = pack_of(2);
    cr_assert_eq(qn_index_find_pack(f.view, &wanted.name, &pack), QN_OK);
    cr_assert_eq(pack.number, second);
    cr_assert_eq(qn_index_next_pack(f.view, 0, &pack), QN_OK);
    cr_assert_eq(pack.number, first);
    cr_assert_eq(qn_index_next_pack(f.view, first, &pack), QN_OK);
    cr_assert_eq(pack.number, second);
    cr_assert_eq(qn_index_next_pack(f.view, second, &pack), QN_ERR_NOTFOUND);
}

Test(index, names_ascend)
{
    FIXTURE;
    for (uint64_t i = 0; i < 50; i++)
        put(&f, i, 1000 + i, 1, true);
    struct qn_pack_name name, before = {{0}};
    uint32_t number;
    size_t count = 0;
    while (qn_index_next_name(f.view, count == 0 ? NULL : &before, &name, &number) == QN_OK) {
        cr_assert(memcmp(&before, &name, sizeof(name)) < 0);
        before = name;
        count++;
    }
    cr_assert_eq(count, 50);
}

Test(index, the_same_pack_again_keeps_its_number)
{
    FIXTURE;
    uint32_t first = put(&f, 1, 10, 3, true);
    set_state(&f, first, QN_PACK_MISSING, 7);
    cr_assert_eq(put(&f, 1, 10, 3, false), first);
    struct qn_index_pack pack;
    cr_assert_eq(qn_index_get_pack(f.view, first, &pack), QN_OK);
    cr_assert_eq(pack.state, QN_PACK_PRESENT);
    cr_assert_eq(pack.dead_run, 0);
}

Test(index, a_good_row_stays_unless_it_is_to_be_replaced)
{
    FIXTURE;
    uint32_t first = put(&f, 1, 10, 3, true);
    put(&f, 2, 10, 3, false);
    cr_assert_eq(pack_with(&f, 10), first);
    uint32_t third = put(&f, 3, 10, 3, true);
    cr_assert_eq(pack_with(&f, 10), third);
}

Test(index, rows_of_missing_and_dead_packs_are_replaced)
{
    FIXTURE;
    set_state(&f, put(&f, 1, 10, 3, true), QN_PACK_MISSING, 0);
    uint32_t second = put(&f, 2, 10, 3, false);
    cr_assert_eq(pack_with(&f, 10), second);
    set_state(&f, second, QN_PACK_PRESENT, 3);
    uint32_t third = put(&f, 3, 10, 3, false);
    cr_assert_eq(pack_with(&f, 10), third);
}

static bool is_number(void *context, uint32_t pack)
{
    return pack == *(uint32_t *)context;
}

static enum qn_err count_row(void *context, const struct qn_index_row *row)
{
    (void)row;
    ++*(size_t *)context;
    return QN_OK;
}

Test(index, dropping_a_pack_takes_its_rows_only)
{
    FIXTURE;
    uint32_t gone = put(&f, 1, 1, 2000, true), stays = put(&f, 2, 5000, 2000, true);
    struct qn_index_batch *batch;
    cr_assert_eq(qn_index_begin(f.index, &batch), QN_OK);
    cr_assert_eq(qn_index_drop_rows(batch, 0, 127, is_number, &gone), QN_OK);
    cr_assert_eq(qn_index_drop_rows(batch, 128, 255, is_number, &gone), QN_OK);
    cr_assert_eq(qn_index_drop_pack(batch, gone), QN_OK);
    cr_assert_eq(qn_index_commit(batch), QN_OK);
    qn_index_view_rest(f.view);
    size_t left = 0;
    cr_assert_eq(qn_index_scan(f.view, 0, 255, count_row, &left), QN_OK);
    cr_assert_eq(left, 2000);
    cr_assert_eq(pack_with(&f, 5001), stays);
    struct qn_index_pack pack;
    cr_assert_eq(qn_index_get_pack(f.view, gone, &pack), QN_ERR_NOTFOUND);
    struct qn_index_counts counts;
    cr_assert_eq(qn_index_count(f.index, &counts), QN_OK);
    cr_assert_eq(counts.chunks, 2000);
    cr_assert_eq(counts.packs, 1);
    cr_assert_eq(counts.pack_bytes, 4096);
}

Test(index, a_number_is_never_used_again)
{
    FIXTURE;
    uint32_t first = put(&f, 1, 1, 1, true);
    struct qn_index_batch *batch;
    cr_assert_eq(qn_index_begin(f.index, &batch), QN_OK);
    cr_assert_eq(qn_index_drop_pack(batch, first), QN_OK);
    cr_assert_eq(qn_index_commit(batch), QN_OK);
    cr_assert_gt(put(&f, 1, 1, 1, true), first);
}

Test(index, scans_by_first_byte)
{
    FIXTURE;
    put(&f, 1, 1, 3000, true);
    size_t low = 0, high = 0;
    cr_assert_eq(qn_index_scan(f.view, 0, 99, count_row, &low), QN_OK);
    cr_assert_eq(qn_index_scan(f.view, 100, 255, count_row, &high), QN_OK);
    cr_assert_eq(low + high, 3000);
    cr_assert(low > 0 && high > 0);
}

Test(index, a_view_keeps_its_state_until_it_rests)
{
    FIXTURE;
    put(&f, 1, 10, 1, true);
    struct qn_index_row row;
    struct qn_chunk_id id = id_of(20);
    cr_assert_eq(qn_index_get(f.view, &id, &row), QN_ERR_NOTFOUND);
    struct qn_index_view *other = f.view;
    f.view = qn_index_view_new(f.index);
    put(&f, 2, 20, 1, true);
    cr_assert_eq(qn_index_get(other, &id, &row), QN_ERR_NOTFOUND);
    qn_index_view_rest(other);
    cr_assert_eq(qn_index_get(other, &id, &row), QN_OK);
    qn_index_view_free(other);
}

Test(index, what_is_aborted_never_was)
{
    FIXTURE;
    uint32_t number = put(&f, 1, 10, 1, true);
    struct qn_index_batch *batch;
    cr_assert_eq(qn_index_begin(f.index, &batch), QN_OK);
    cr_assert_eq(qn_index_drop_pack(batch, number), QN_OK);
    qn_index_abort(batch);
    struct qn_index_pack pack;
    cr_assert_eq(qn_index_get_pack(f.view, number, &pack), QN_OK);
}

Test(index, many_packs_at_once)
{
    FIXTURE;
    enum { PACKS = 40, BLOBS = 500 };
    struct qn_blob *blobs = qn_alloc(PACKS * BLOBS * sizeof(*blobs));
    struct qn_index_addition additions[PACKS];
    for (size_t i = 0; i < PACKS; i++) {
        additions[i] = (struct qn_index_addition){
            .pack = pack_of(i), .blobs = blobs + i * BLOBS, .count = BLOBS};
        for (size_t k = 0; k < BLOBS; k++)
            blobs[i * BLOBS + k] = blob_of(1 + i * BLOBS + k, (uint32_t)(64 + k));
    }
    cr_assert_eq(qn_index_add(f.index, additions, PACKS, true), QN_OK);
    for (size_t i = 0; i < PACKS; i++) {
        for (size_t k = 0; k < BLOBS; k++) {
            struct qn_index_row row;
            struct qn_chunk_id id = id_of(1 + i * BLOBS + k);
            cr_assert_eq(qn_index_get(f.view, &id, &row), QN_OK);
            cr_assert_eq(row.pack, additions[i].pack.number);
            cr_assert_eq(row.blob.offset, 64 + k);
        }
    }
    qn_free(blobs);
}

Test(index, prune_runs_are_remembered)
{
    FIXTURE;
    uint64_t run;
    uint32_t last;
    cr_assert_eq(qn_index_marks(f.view, &run, &last), QN_OK);
    cr_assert(run == 0 && last == 0);
    struct qn_index_batch *batch;
    cr_assert_eq(qn_index_begin(f.index, &batch), QN_OK);
    cr_assert_eq(qn_index_set_run(batch, 5), QN_OK);
    cr_assert_eq(qn_index_commit(batch), QN_OK);
    qn_index_view_rest(f.view);
    cr_assert_eq(qn_index_marks(f.view, &run, &last), QN_OK);
    cr_assert_eq(run, 5);
}

Test(index, a_full_map_is_no_space_and_loses_nothing)
{
    FIXTURE;
    close_index(&f);
    bool is_new;
    cr_assert_eq(qn_index_open(f.path, 1, &f.index, &is_new), QN_OK);
    f.view = qn_index_view_new(f.index);
    uint32_t number = put(&f, 1, 1, 100, true);
    struct qn_index_pack pack = pack_of(2);
    struct qn_blob *blobs = qn_alloc(40000 * sizeof(*blobs));
    for (size_t i = 0; i < 40000; i++)
        blobs[i] = blob_of(1000 + i, 64);
    struct qn_index_addition addition = {.pack = pack, .blobs = blobs, .count = 40000};
    cr_assert_eq(qn_index_add(f.index, &addition, 1, true), QN_ERR_NOSPACE);
    qn_free(blobs);
    cr_assert_eq(qn_index_find_pack(f.view, &pack.name, &pack), QN_ERR_NOTFOUND);
    cr_assert_eq(pack_with(&f, 50), number);
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_eq(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

Test(index, another_file_is_refused)
{
    FIXTURE;
    close_index(&f);
    char path[TMP_PATH_SIZE];
    uint8_t noise[8192];
    memset(noise, 0x5a, sizeof(noise));
    write_file(tmp_dir_at(&f.dir, "index/data.mdb", path), noise, sizeof(noise));
    bool is_new;
    cr_assert_neq(qn_index_open(f.path, MAP_SIZE, &f.index, &is_new), QN_OK);
    f.index = NULL;
}

/* ---- damage that LMDB itself would not survive ---- */

static enum qn_err ignore_row(void *context, const struct qn_index_row *row)
{
    (void)context, (void)row;
    return QN_OK;
}

/* What comes of it does not matter, if it only comes to an end. */
static void use_anyhow(struct fixture *f, uint32_t number)
{
    struct qn_index_batch *batch;
    struct qn_blob blob = blob_of(99, 64);
    struct qn_index_addition addition = {.pack = pack_of(77), .blobs = &blob, .count = 1};
    f->view = qn_index_view_new(f->index);
    enum qn_err err = qn_index_scan(f->view, 0, 255, ignore_row, NULL);
    qn_index_view_rest(f->view);
    if (err == QN_OK)
        err = qn_index_add(f->index, &addition, 1, false);
    if (err != QN_OK || qn_index_begin(f->index, &batch) != QN_OK)
        return;
    if (qn_index_drop_rows(batch, 0, 255, is_number, &number) == QN_OK)
        (void)!qn_index_commit(batch);
    else
        qn_index_abort(batch);
}

static void read_bytes(const char *path, struct qn_buf *out)
{
    static uint8_t piece[65536];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;
    while ((got = read(fd, piece, sizeof(piece))) > 0)
        qn_buf_append(out, piece, (size_t)got);
    cr_assert_eq(got, 0);
    close(fd);
}

/* *ret_opened: whether it was taken. */
static bool try_bytes(struct fixture *f, const char *path, struct qn_span bytes, uint32_t number)
{
    bool is_new;
    write_file(path, bytes.data, bytes.size);
    enum qn_err err = qn_index_open(f->path, MAP_SIZE, &f->index, &is_new);
    if (err != QN_OK) {
        f->index = NULL;
        return false;
    }
    use_anyhow(f, number);
    close_index(f);
    return true;
}

Test(index, flipped_bits_are_refused_or_harmless)
{
    FIXTURE;
    char path[TMP_PATH_SIZE];
    QN_AUTO_BUF struct qn_buf bytes;
    qn_buf_init(&bytes, 16 << 20);
    for (uint64_t i = 0; i < 10; i++)
        put(&f, i, 1 + i * 500, 500, true);
    uint32_t number = put(&f, 1, 501, 500, true); /* frees pages */
    close_index(&f);
    read_bytes(tmp_dir_at(&f.dir, "index/data.mdb", path), &bytes);
    cr_assert(try_bytes(&f, path, qn_buf_view(&bytes), number), "a good one is taken");
    struct qn_prng prng = {.state = 3};
    size_t refused = 0;
    for (int i = 0; i < 1500; i++) {
        uint8_t *byte = &bytes.data[qn_prng_below(&prng, bytes.size)];
        uint8_t change = (uint8_t)(1u << qn_prng_below(&prng, 8));
        *byte ^= change;
        refused += !try_bytes(&f, path, qn_buf_view(&bytes), number);
        *byte ^= change;
    }
    cr_assert_gt(refused, 50);
    for (size_t size = 0; size < bytes.size; size += 1000) {
        bool is_taken = try_bytes(&f, path, qn_span(bytes.data, size), number);
        cr_assert(!is_taken || size == 0 || size > bytes.size / 2);
    }
}
