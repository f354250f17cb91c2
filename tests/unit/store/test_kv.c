#include "support/kv_conformance.h"
#include "support/store_fixture.h"

static struct qn_kv *begin_write(void *context)
{
    struct store_fixture *f = context;
    struct qn_kv *kv;
    cr_assert_eq(qn_store_write_begin(f->store, &kv), QN_OK);
    return kv;
}

static void end_write(void *context, bool commit)
{
    struct store_fixture *f = context;
    cr_assert_eq(qn_store_write_end(f->store, commit), QN_OK);
}

Test(kv, does_what_the_model_expects)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    kv_conformance(&(struct kv_subject){begin_write, end_write, &f});
}

static void put_number(struct qn_kv *kv, uint32_t number)
{
    uint8_t key[4];
    qn_write_u32(key, number);
    cr_assert_eq(qn_kv_put(kv, QN_TABLE_REC, QN_SPAN_OF(key), QN_SPAN_OF(key)), QN_OK);
}

static void fill(struct store_fixture *f, uint32_t from, uint32_t to)
{
    struct qn_kv *kv = begin_write(f);
    for (uint32_t i = from; i < to; i++)
        put_number(kv, i);
    end_write(f, true);
}

/* Key after key, as qn_read_next does it. */
static uint32_t count_by_scan(struct qn_kv *kv)
{
    struct qn_span key, value;
    uint8_t at[5] = {0};
    size_t at_size = 4;
    uint32_t count = 0;
    while (qn_kv_seek(kv, QN_TABLE_REC, qn_span(at, at_size), &key, &value) == QN_OK) {
        cr_assert_eq(qn_read_u32(key.data), count++);
        cr_assert(qn_span_eq(value, key));
        memcpy(at, key.data, 4);
        at_size = 5;
    }
    return count;
}

Test(kv, a_read_transaction_is_one_state_and_the_next_one_the_next)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    struct qn_kv *kv;
    fill(&f, 0, 1000);
    cr_assert_eq(qn_store_read_begin(f.store, &kv), QN_OK);
    cr_assert_eq(count_by_scan(kv), 1000);
    fill(&f, 1000, 5000);
    cr_assert_eq(count_by_scan(kv), 1000, "not what was committed since");
    qn_store_read_end(f.store);
    cr_assert_eq(qn_store_read_begin(f.store, &kv), QN_OK);
    cr_assert_eq(count_by_scan(kv), 5000, "cursors belong to the renewed transaction");
    qn_store_read_end(f.store);
}

Test(kv, what_was_committed_is_there_after_reopening)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    struct qn_kv *kv;
    fill(&f, 0, 100);
    kv = begin_write(&f);
    put_number(kv, 100);
    end_write(&f, false);
    store_fixture_close(&f);
    store_fixture_open(&f, STORE_MAP_SIZE);
    cr_assert_eq(qn_store_read_begin(f.store, &kv), QN_OK);
    cr_assert_eq(count_by_scan(kv), 100);
    qn_store_read_end(f.store);
}

Test(kv, closing_ends_what_is_open)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    struct qn_kv *kv;
    fill(&f, 0, 10);
    cr_assert_eq(qn_store_read_begin(f.store, &kv), QN_OK);
    cr_assert_eq(count_by_scan(kv), 10);
    put_number(begin_write(&f), 10);
    store_fixture_close(&f);
    store_fixture_open(&f, STORE_MAP_SIZE);
    cr_assert_eq(qn_store_read_begin(f.store, &kv), QN_OK);
    cr_assert_eq(count_by_scan(kv), 10);
    qn_store_read_end(f.store);
}

Test(kv, a_full_map_fails_the_transaction_and_no_other)
{
    STORE_FIXTURE((size_t)1 << 20);
    static uint8_t large[2 << 20];
    struct qn_span value;
    fill(&f, 0, 100);
    struct qn_kv *kv = begin_write(&f);
    put_number(kv, 100);
    cr_assert_eq(qn_kv_put(kv, QN_TABLE_REC, SPAN("large"), QN_SPAN_OF(large)), QN_ERR_NOSPACE);
    cr_assert_eq(qn_kv_put(kv, QN_TABLE_REC, SPAN("small"), SPAN("")), QN_ERR_NOSPACE,
                 "the first failure stays");
    cr_assert_eq(qn_kv_get(kv, QN_TABLE_REC, SPAN("small"), &value), QN_ERR_NOSPACE);
    cr_assert_eq(qn_store_write_end(f.store, true), QN_ERR_NOSPACE, "so nothing is committed");
    fill(&f, 100, 200);
    cr_assert_eq(qn_store_read_begin(f.store, &kv), QN_OK);
    cr_assert_eq(count_by_scan(kv), 200);
    qn_store_read_end(f.store);
}

/* Room that deletions gave back is used again. */
Test(kv, a_small_map_serves_many_values_one_after_the_other)
{
    STORE_FIXTURE((size_t)2 << 20);
    static uint8_t value[100000];
    for (uint8_t round = 1; round < 200; round++) {
        struct qn_kv *kv = begin_write(&f);
        uint8_t before = round - 1;
        cr_assert_eq(qn_kv_del(kv, QN_TABLE_REC, QN_SPAN_OF(before)),
                     before == 0 ? QN_ERR_NOTFOUND : QN_OK);
        cr_assert_eq(qn_kv_put(kv, QN_TABLE_REC, QN_SPAN_OF(round), QN_SPAN_OF(value)), QN_OK);
        end_write(&f, true);
    }
}
