#include <criterion/criterion.h>

#include "base/prng.h"
#include "support/memkv.h"
#include "support/span.h"

static enum qn_err put(struct qn_kv *kv, const char *key, const char *value)
{
    return qn_kv_put(kv, QN_TABLE_META, qn_span_str(key), qn_span_str(value));
}

static void assert_value(struct memkv *store, const char *key, const char *value)
{
    struct qn_span found;
    enum qn_err err = qn_kv_get(memkv_reader(store), QN_TABLE_META, qn_span_str(key), &found);
    cr_assert_eq(err, value == NULL ? QN_ERR_NOTFOUND : QN_OK);
    if (value != NULL)
        assert_span_eq(found, qn_span_str(value));
}

static void commit_one(struct memkv *store, const char *key, const char *value)
{
    cr_assert_eq(put(memkv_begin(store), key, value), QN_OK);
    cr_assert_eq(memkv_commit(store), QN_OK);
}

Test(memkv, abort_undoes_everything)
{
    struct memkv *store = memkv_new();
    commit_one(store, "a", "1");
    struct qn_kv *kv = memkv_begin(store);
    cr_assert_eq(put(kv, "a", "2"), QN_OK);
    cr_assert_eq(put(kv, "b", ""), QN_OK);
    cr_assert_eq(qn_kv_del(kv, QN_TABLE_META, SPAN("a")), QN_OK);
    cr_assert_eq(qn_kv_del(kv, QN_TABLE_META, SPAN("a")), QN_ERR_NOTFOUND);
    memkv_abort(store);
    assert_value(store, "a", "1");
    assert_value(store, "b", NULL);
    memkv_free(store);
}

Test(memkv, a_crash_loses_what_was_not_synced)
{
    struct memkv *store = memkv_new();
    commit_one(store, "a", "1");
    commit_one(store, "c", "1");
    memkv_sync(store);
    commit_one(store, "a", "2");
    commit_one(store, "b", "1");
    cr_assert_eq(qn_kv_del(memkv_begin(store), QN_TABLE_META, SPAN("c")), QN_OK);
    cr_assert_eq(memkv_commit(store), QN_OK);
    struct memkv *image = memkv_clone(store), *durable = memkv_clone_durable(store);
    memkv_crash(store);
    assert_value(store, "a", "1");
    assert_value(store, "b", NULL);
    assert_value(store, "c", "1");
    cr_assert(memkv_is_equal(store, durable));
    memkv_free(durable);
    assert_value(image, "a", "2");
    memkv_crash(image);
    assert_value(image, "b", "1");
    cr_assert(!memkv_is_equal(store, image));
    memkv_free(store);
    memkv_free(image);
}

Test(memkv, fails_when_told)
{
    struct memkv *store = memkv_new();
    memkv_fail_put(store, 2, QN_ERR_NOSPACE);
    struct qn_kv *kv = memkv_begin(store);
    cr_assert_eq(put(kv, "a", "1"), QN_OK);
    cr_assert_eq(put(kv, "b", "1"), QN_ERR_NOSPACE);
    cr_assert_eq(put(kv, "c", "1"), QN_OK);
    memkv_fail_commit(store, QN_ERR_IO);
    cr_assert_eq(memkv_commit(store), QN_ERR_IO);
    assert_value(store, "a", NULL);
    commit_one(store, "a", "1");
    memkv_free(store);
}

/* Against a plain array: 200 keys, every operation, in any order. */
Test(memkv, is_an_ordered_map)
{
    struct memkv *store = memkv_new();
    bool is_there[200] = {false};
    struct qn_prng prng = {1};
    struct qn_kv *kv = memkv_begin(store);
    for (int i = 0; i < 20000; i++) {
        uint8_t at = (uint8_t)qn_prng_below(&prng, 200);
        struct qn_span key, value;
        if (qn_prng_below(&prng, 2) == 0) {
            cr_assert_eq(qn_kv_put(kv, QN_TABLE_REC, QN_SPAN_OF(at), QN_SPAN_OF(at)), QN_OK);
            is_there[at] = true;
        } else {
            cr_assert_eq(qn_kv_del(kv, QN_TABLE_REC, QN_SPAN_OF(at)),
                         is_there[at] ? QN_OK : QN_ERR_NOTFOUND);
            is_there[at] = false;
        }
        size_t next = (size_t)qn_prng_below(&prng, 200);
        uint8_t from = (uint8_t)next;
        while (next < 200 && !is_there[next])
            next++;
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_REC, QN_SPAN_OF(from), &key, &value);
        cr_assert_eq(err, next < 200 ? QN_OK : QN_ERR_NOTFOUND);
        if (err == QN_OK)
            cr_assert(key.data[0] == next && value.data[0] == next);
    }
    memkv_free(store);
}
