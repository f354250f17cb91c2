#include <criterion/criterion.h>

#include "support/packs.h"
#include "support/span.h"

static void assert_key(const uint8_t key[32], const char *hex)
{
    QN_AUTO_BUF struct qn_buf wanted;
    assert_span_eq(qn_span(key, 32), from_hex(&wanted, hex));
}

/* Master key 00 01 … 1f, epoch 7; computed with another implementation, in Python. */
Test(keys, fixed_vector)
{
    struct qn_vault_keys keys;
    packs_keys(&keys, 0, 7);
    cr_assert_eq(keys.epoch, 7);
    assert_key(keys.id, "54cc1af26224dd6c470f58eef794ff0c65c96c1e4edc0e4d33731cc2a914b26a");
    assert_key(keys.chunker, "f2b6158438f78199579afa1ec8549b356dc3b958ef845b6f7b3d34f26ce15345");
    assert_key(keys.data, "b48b7e1b416f7aae4152f568a37ca530784bf201bd0c3d92b92510650fa87d55");
    assert_key(keys.meta, "12ab71c3fe0263c4ee3424e75aacf2ec444c180e8876ef6de54d012c0fa069ce");
    assert_key(packs_id(&keys, SPAN("hello")).bytes,
               "f1240c9471d6644ad44820a3007c1f5e0d85f23ea91cacbb2fdf3e79cc32c592");
}

Test(keys, an_epoch_has_its_own)
{
    struct qn_vault_keys one, other;
    packs_keys(&one, 0, 7);
    packs_keys(&other, 0, 8);
    cr_assert_not(qn_span_eq(QN_SPAN_OF(one.id), QN_SPAN_OF(other.id)));
    cr_assert_not(qn_span_eq(QN_SPAN_OF(one.chunker), QN_SPAN_OF(other.chunker)));
    cr_assert_not(qn_span_eq(QN_SPAN_OF(one.data), QN_SPAN_OF(other.data)));
    cr_assert_not(qn_span_eq(QN_SPAN_OF(one.meta), QN_SPAN_OF(other.meta)));
}

Test(keys, are_wiped)
{
    struct qn_vault_keys keys, zeros;
    memset(&zeros, 0, sizeof(zeros));
    packs_keys(&keys, 0, 7);
    qn_vault_keys_deinit(&keys);
    assert_span_eq(QN_SPAN_OF(keys), QN_SPAN_OF(zeros));
}
