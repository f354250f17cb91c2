#include <criterion/criterion.h>

#include "chunk/head.h"
#include "support/packs.h"
#include "support/span.h"

#define MAGIC "QNTEST01"

struct fixture {
    struct qn_vault_keys keys;
    struct qn_aead *sealer, *opener;
    uint8_t head[QN_HEAD_SIZE];
    enum qn_head_kind kind;
};

static void init(struct fixture *f)
{
    static const uint8_t salt[QN_HEAD_SALT_SIZE] = {1, 2, 3};
    packs_keys(&f->keys, 0, 7);
    f->sealer = qn_aead_new();
    f->opener = qn_aead_new();
    qn_head_seal(&f->keys, MAGIC, QN_HEAD_META, salt, f->sealer, f->head);
}

static void deinit(struct fixture *f)
{
    qn_aead_free(f->sealer);
    qn_aead_free(f->opener);
}

static enum qn_err open_with(struct fixture *f, const struct qn_vault_keys *keys, const char *magic)
{
    return qn_head_open(keys, magic, QN_SPAN_OF(f->head), f->opener, &f->kind);
}

Test(head, leads_to_the_key_of_its_file)
{
    struct fixture f;
    uint8_t sealed[4 + QN_AEAD_TAG_SIZE], plain[4];
    init(&f);
    cr_assert_eq(open_with(&f, &f.keys, MAGIC), QN_OK);
    cr_assert_eq(f.kind, QN_HEAD_META);
    qn_aead_seal(f.sealer, 64, SPAN(""), SPAN("text"), sealed);
    cr_assert_eq(qn_aead_open(f.opener, 64, SPAN(""), QN_SPAN_OF(sealed), plain), QN_OK);
    assert_span_eq(QN_SPAN_OF(plain), SPAN("text"));
    deinit(&f);
}

Test(head, every_flipped_bit_is_noticed)
{
    struct fixture f;
    init(&f);
    for (size_t bit = 0; bit < 8 * QN_HEAD_SIZE; bit++) {
        f.head[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert_neq(open_with(&f, &f.keys, MAGIC), QN_OK, "bit %zu", bit);
        f.head[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    cr_assert_eq(open_with(&f, &f.keys, MAGIC), QN_OK);
    deinit(&f);
}

Test(head, says_why_it_is_refused)
{
    struct fixture f;
    struct qn_vault_keys foreign, later;
    init(&f);
    packs_keys(&foreign, 1, 7);
    packs_keys(&later, 0, 8);
    cr_assert_eq(open_with(&f, &foreign, MAGIC), QN_ERR_SIGNATURE);
    cr_assert_eq(open_with(&f, &later, MAGIC), QN_ERR_UNSUPPORTED);
    cr_assert_eq(open_with(&f, &f.keys, "QNTEST02"), QN_ERR_UNSUPPORTED);
    cr_assert_eq(open_with(&f, &f.keys, "QNPACK01"), QN_ERR_INVALID);
    f.head[8] = 3;
    cr_assert_eq(open_with(&f, &f.keys, MAGIC), QN_ERR_INVALID);
    f.head[8] = QN_HEAD_DATA; /* the other key */
    cr_assert_eq(open_with(&f, &f.keys, MAGIC), QN_ERR_SIGNATURE);
    deinit(&f);
}

Test(head, any_other_size_is_no_head)
{
    struct fixture f;
    init(&f);
    for (size_t size = 0; size < QN_HEAD_SIZE; size++)
        cr_assert_eq(qn_head_open(&f.keys, MAGIC, qn_span(f.head, size), f.opener, &f.kind),
                     QN_ERR_INVALID);
    deinit(&f);
}
