/* The master key of the vault, and how a recovered site gets it back from its sealed form. */
#include <criterion/criterion.h>

#include "app/vault_key.h"
#include "model/invitation.h"
#include "os/os.h"
#include "support/tmp_dir.h"

static const uint8_t kit_seed[QN_SEED_SIZE] = {7, 7, 7};

static void seal_key(struct qn_public_key *ret_key)
{
    struct qn_public_key sign;
    cr_assert_eq(qn_kit_keys(kit_seed, &sign, ret_key), QN_OK);
}

/* As a site made it before it was lost. */
static void make(struct qn_vault_key *ret_key)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct qn_public_key seal;
    tmp_dir_init(&dir);
    seal_key(&seal);
    cr_assert_eq(qn_vault_key_load(dir.path, &seal, ret_key), QN_OK);
}

static void is_same(const struct qn_vault_key *a, const struct qn_vault_key *b)
{
    cr_assert_eq(a->epoch, b->epoch);
    cr_assert_arr_eq(a->master, b->master, sizeof(a->master));
    cr_assert_arr_eq(a->sealed, b->sealed, sizeof(a->sealed));
}

Test(vault_key, it_is_made_once)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct qn_public_key seal;
    struct qn_vault_key first, second;
    tmp_dir_init(&dir);
    seal_key(&seal);
    cr_assert_not(qn_vault_key_exists(dir.path));
    cr_assert_eq(qn_vault_key_load(dir.path, &seal, &first), QN_OK);
    cr_assert(qn_vault_key_exists(dir.path));
    cr_assert_eq(qn_vault_key_load(dir.path, &seal, &second), QN_OK);
    is_same(&first, &second);
}

Test(vault_key, the_kit_opens_what_a_holder_kept)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct qn_public_key seal;
    struct qn_vault_key lost, back, loaded;
    make(&lost);
    tmp_dir_init(&dir);
    cr_assert_eq(qn_vault_key_recover(dir.path, kit_seed, QN_SPAN_OF(lost.sealed), &back), QN_OK);
    is_same(&lost, &back);
    seal_key(&seal);
    cr_assert_eq(qn_vault_key_load(dir.path, &seal, &loaded), QN_OK);
    is_same(&lost, &loaded);
}

Test(vault_key, another_kit_opens_nothing_and_leaves_nothing)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct qn_vault_key lost, back;
    static const uint8_t other[QN_SEED_SIZE] = {8};
    make(&lost);
    tmp_dir_init(&dir);
    struct qn_span sealed = QN_SPAN_OF(lost.sealed);
    cr_assert_eq(qn_vault_key_recover(dir.path, other, sealed, &back), QN_ERR_SIGNATURE);
    sealed.size--;
    cr_assert_eq(qn_vault_key_recover(dir.path, kit_seed, sealed, &back), QN_ERR_SIGNATURE);
    cr_assert_not(qn_vault_key_exists(dir.path));
}

Test(vault_key, every_changed_byte_is_noticed)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct qn_vault_key lost, back;
    make(&lost);
    tmp_dir_init(&dir);
    for (size_t i = 0; i < sizeof(lost.sealed); i++) {
        lost.sealed[i] ^= 1;
        cr_assert_neq(qn_vault_key_recover(dir.path, kit_seed, QN_SPAN_OF(lost.sealed), &back),
                      QN_OK);
        lost.sealed[i] ^= 1;
    }
    cr_assert_not(qn_vault_key_exists(dir.path));
}

Test(vault_key, a_key_that_is_there_is_not_replaced)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct qn_public_key seal;
    struct qn_vault_key own, lost, back;
    make(&lost);
    tmp_dir_init(&dir);
    seal_key(&seal);
    cr_assert_eq(qn_vault_key_load(dir.path, &seal, &own), QN_OK);
    cr_assert_eq(qn_vault_key_recover(dir.path, kit_seed, QN_SPAN_OF(lost.sealed), &back),
                 QN_ERR_EXISTS);
    cr_assert_eq(qn_vault_key_load(dir.path, &seal, &back), QN_OK);
    is_same(&own, &back);
}
