/* The sealed keys of an owner's vault: kept for good, one for each epoch. */
#include <criterion/criterion.h>

#include "support/custody_world.h"

static struct custody holder;

static void setup(void)
{
    custody_init(&holder, 1u << 20, 30);
}

static void teardown(void)
{
    custody_deinit(&holder);
}

TestSuite(custody_keys, .init = setup, .fini = teardown);

static enum qn_err put(uint32_t epoch, const char *sealed)
{
    enum qn_err err =
        qn_custody_key(memkv_begin(holder.memkv), &holder.owner, epoch, qn_span_str(sealed));
    cr_assert_eq(memkv_commit(holder.memkv), QN_OK);
    return err;
}

static uint32_t newest(void)
{
    uint32_t epoch;
    cr_assert_eq(qn_held_key_newest(memkv_reader(holder.memkv), &holder.owner, &epoch), QN_OK);
    return epoch;
}

Test(custody_keys, each_epoch_has_its_own)
{
    uint32_t epoch = 0;
    struct qn_span sealed;
    cr_assert_eq(newest(), 0);
    cr_assert_eq(put(3, "three"), QN_OK);
    cr_assert_eq(put(UINT32_MAX, "last"), QN_OK);
    cr_assert_eq(put(1, "one"), QN_OK);
    cr_assert_eq(newest(), UINT32_MAX);
    struct qn_kv *kv = memkv_reader(holder.memkv);
    static const char *const expected[] = {"one", "three", "last"};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(qn_held_key_next(kv, &holder.owner, epoch, &epoch, &sealed), QN_OK);
        cr_assert(qn_span_eq_str(sealed, expected[i]));
    }
    cr_assert_eq(qn_held_key_next(kv, &holder.owner, epoch, &epoch, &sealed), QN_ERR_NOTFOUND);
}

Test(custody_keys, none_is_written_over)
{
    cr_assert_eq(put(1, "one"), QN_OK);
    cr_assert_eq(put(1, "one"), QN_OK, "the same is fine");
    cr_assert_eq(put(1, "two"), QN_ERR_EXISTS);
    cr_assert_eq(put(0, "zero"), QN_ERR_INVALID);
    cr_assert_eq(put(2, ""), QN_ERR_INVALID);
    char large[QN_HELD_KEY_SIZE_MAX + 2];
    memset(large, 'x', sizeof(large));
    large[QN_HELD_KEY_SIZE_MAX + 1] = '\0';
    cr_assert_eq(put(2, large), QN_ERR_INVALID);
    cr_assert_eq(newest(), 1);
}

Test(custody_keys, too_many_are_refused_and_the_alarm_is_raised)
{
    for (uint32_t epoch = 1; epoch <= QN_HELD_KEYS_MAX; epoch++)
        cr_assert_eq(put(epoch, "sealed"), QN_OK);
    cr_assert_eq(custody_held(&holder).alarms, 0);
    cr_assert_eq(put(QN_HELD_KEYS_MAX + 1, "sealed"), QN_ERR_LIMIT);
    cr_assert_eq(custody_held(&holder).alarms, QN_HELD_ALARM_QUOTA);
    cr_assert_eq(put(1, "sealed"), QN_OK);
    cr_assert_eq(newest(), QN_HELD_KEYS_MAX);
}

Test(custody_keys, an_ended_agreement_takes_none_and_keeps_all)
{
    cr_assert_eq(put(1, "one"), QN_OK);
    cr_assert_eq(custody_agree(&holder, 0, 0, true), QN_OK);
    cr_assert_eq(put(2, "two"), QN_ERR_DENIED);
    custody_pass(&holder, 400ull * CUSTODY_DAY_MS);
    custody_sweep_count(&holder);
    cr_assert_eq(newest(), 1);
}

Test(custody_keys, of_another_owner_are_not_seen)
{
    cr_assert_eq(put(7, "seven"), QN_OK);
    holder.owner = custody_site(2);
    cr_assert_eq(put(1, "one"), QN_ERR_DENIED);
    cr_assert_eq(newest(), 0);
    holder.owner = custody_site(0);
    cr_assert_eq(newest(), 0);
}

Test(custody_keys, a_damaged_row_is_told)
{
    struct qn_span sealed;
    uint32_t epoch;
    uint8_t key[36], row[1] = {1};
    memcpy(key, holder.owner.bytes, 32);
    memset(key + 32, 0, 3);
    key[35] = 5;
    cr_assert_eq(
        qn_kv_put(memkv_begin(holder.memkv), QN_TABLE_HELD_KEY, QN_SPAN_OF(key), QN_SPAN_OF(row)),
        QN_OK);
    cr_assert_eq(memkv_commit(holder.memkv), QN_OK);
    cr_assert_eq(qn_held_key_next(memkv_reader(holder.memkv), &holder.owner, 0, &epoch, &sealed),
                 QN_ERR_CORRUPT);
    cr_assert_eq(put(5, "five"), QN_ERR_CORRUPT);
}
