#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "os/os.h"
#include "support/store_fixture.h"

static void assert_open_fails(struct store_fixture *f, enum qn_err wanted)
{
    struct qn_store *store = NULL;
    cr_assert_eq(store_fixture_try_open(f, STORE_MAP_SIZE, &store), wanted);
    cr_assert_null(store);
}

Test(env, makes_its_folder_for_itself_alone)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    char path[TMP_PATH_SIZE], data[2 * TMP_PATH_SIZE];
    struct qn_store *store;
    struct stat status;
    tmp_dir_at(&f.dir, "inner", path);
    struct qn_store_options options = {.path = path, .map_size = STORE_MAP_SIZE};
    cr_assert_eq(qn_store_open(&options, &store), QN_OK);
    qn_store_close(store);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0700);
    snprintf(data, sizeof(data), "%s/data.mdb", path);
    cr_assert_eq(stat(data, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0600);
}

Test(env, needs_the_folder_above)
{
    struct qn_store *store;
    struct qn_store_options options = {.path = "/no/such/folder", .map_size = STORE_MAP_SIZE};
    cr_assert_eq(qn_store_open(&options, &store), QN_ERR_NOTFOUND);
}

Test(env, is_open_once)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    assert_open_fails(&f, QN_ERR_BUSY);
    pid_t child = fork();
    if (child == 0) {
        struct qn_store *store;
        _exit(store_fixture_try_open(&f, STORE_MAP_SIZE, &store) == QN_ERR_BUSY ? 0 : 1);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    store_fixture_close(&f);
    store_fixture_open(&f, STORE_MAP_SIZE);
}

Test(env, opens_after_its_holder_was_killed_while_reading)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    store_fixture_close(&f);
    int ready[2];
    cr_assert_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct qn_store *store;
        struct qn_kv *kv;
        if (store_fixture_try_open(&f, STORE_MAP_SIZE, &store) == QN_OK &&
            qn_store_read_begin(store, &kv) == QN_OK && write(ready[1], "y", 1) == 1)
            pause();
        _exit(1);
    }
    char done;
    close(ready[1]);
    cr_assert_eq(read(ready[0], &done, 1), 1);
    assert_open_fails(&f, QN_ERR_BUSY);
    kill(child, SIGKILL);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    close(ready[0]);
    store_fixture_open(&f, STORE_MAP_SIZE);
}

/* ---- schema ---- */

static void put_schema(struct store_fixture *f, struct qn_span value)
{
    struct qn_kv *kv;
    cr_assert_eq(qn_store_write_begin(f->store, &kv), QN_OK);
    if (value.size > 0)
        cr_assert_eq(qn_kv_put(kv, QN_TABLE_META, SPAN("schema"), value), QN_OK);
    else
        cr_assert_eq(qn_kv_del(kv, QN_TABLE_META, SPAN("schema")), QN_OK);
    cr_assert_eq(qn_store_write_end(f->store, true), QN_OK);
    store_fixture_close(f);
}

static void assert_schema(struct store_fixture *f)
{
    struct qn_kv *kv;
    struct qn_span value;
    cr_assert_eq(qn_store_read_begin(f->store, &kv), QN_OK);
    cr_assert_eq(qn_kv_get(kv, QN_TABLE_META, SPAN("schema"), &value), QN_OK);
    assert_span_eq(value, SPAN("\0\0\0\2"));
    qn_store_read_end(f->store);
}

Test(env, writes_its_schema_version)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    assert_schema(&f);
}

Test(env, an_earlier_schema_is_raised)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    put_schema(&f, SPAN("\0\0\0\1"));
    store_fixture_open(&f, STORE_MAP_SIZE);
    assert_schema(&f);
}

Test(env, a_newer_schema_is_refused)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    put_schema(&f, SPAN("\0\0\0\3"));
    assert_open_fails(&f, QN_ERR_UNSUPPORTED);
    assert_open_fails(&f, QN_ERR_UNSUPPORTED);
}

Test(env, a_strange_schema_is_none)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    put_schema(&f, SPAN("\1"));
    assert_open_fails(&f, QN_ERR_CORRUPT);
}

Test(env, tables_without_a_schema_are_not_a_store)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    put_schema(&f, SPAN(""));
    assert_open_fails(&f, QN_ERR_CORRUPT);
}

Test(env, a_file_of_something_else_is_refused)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    char path[TMP_PATH_SIZE];
    static uint8_t noise[8192];
    store_fixture_close(&f);
    memset(noise, 0x5a, sizeof(noise));
    tmp_dir_at(&f.dir, "data.mdb", path);
    cr_assert_eq(qn_os_replace_file(path, QN_SPAN_OF(noise), 0600), QN_OK);
    assert_open_fails(&f, QN_ERR_CORRUPT);
}

/* ---- health ---- */

static void commit_one(struct store_fixture *f, const char *key)
{
    struct qn_kv *kv;
    cr_assert_eq(qn_store_write_begin(f->store, &kv), QN_OK);
    if (key != NULL)
        cr_assert_eq(qn_kv_put(kv, QN_TABLE_REC, qn_span_str(key), SPAN("x")), QN_OK);
    cr_assert_eq(qn_store_write_end(f->store, true), QN_OK);
}

Test(env, counts_transactions_that_changed_something)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    uint64_t before = qn_store_txn_id(f.store);
    cr_assert_gt(before, 0);
    commit_one(&f, "a");
    cr_assert_eq(qn_store_txn_id(f.store), before + 1);
    commit_one(&f, NULL);
    cr_assert_eq(qn_store_txn_id(f.store), before + 1);
    store_fixture_close(&f);
    store_fixture_open(&f, STORE_MAP_SIZE);
    cr_assert_eq(qn_store_txn_id(f.store), before + 1, "opening changes nothing");
}

Test(env, tells_its_size)
{
    STORE_FIXTURE(STORE_MAP_SIZE - 1);
    struct qn_store_health before, after;
    qn_store_health(f.store, &before);
    cr_assert_eq(before.map_size, STORE_MAP_SIZE, "in whole pages");
    cr_assert_eq(before.fatal, QN_OK);
    cr_assert_eq(before.queued, 0);
    for (int i = 0; i < 100; i++)
        commit_one(&f, (char[]){(char)('a' + i % 26), (char)('a' + i / 26), 0});
    qn_store_health(f.store, &after);
    cr_assert_geq(after.map_used, before.map_used);
    cr_assert_leq(after.map_used, after.map_size);
    cr_assert_eq(after.txn_id, before.txn_id + 100);
}
