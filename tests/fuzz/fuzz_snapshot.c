/* Any bytes are no snapshot, or one whose body is packed to the same bytes again. Behind a seal
 * stands whatever its maker wrote: the body is tried by itself too. */
#include "chunk/pack_private.h"
#include "chunk/snapshot_body.h"
#include "support/fuzz.h"

static const uint8_t master[QN_MASTER_KEY_SIZE] = {1, 2, 3};

static void check_body(struct qn_span body)
{
    QN_AUTO_BUF struct qn_buf again;
    struct qn_snapshot snapshot;
    qn_buf_init(&again, body.size);
    if (qn_snapshot_body_read(body, &snapshot) != QN_OK)
        return;
    FUZZ_CHECK(snapshot.sequence > 0 && snapshot.root.levels <= QN_TREE_LEVELS_MAX);
    FUZZ_CHECK(qn_snapshot_body_pack(&snapshot, &again) == QN_OK);
    FUZZ_CHECK(qn_span_eq(qn_buf_view(&again), body));
}

static enum qn_err open_file(struct qn_span file, const struct qn_vault_keys *keys)
{
    QN_AUTO_BUF struct qn_buf plain;
    struct qn_snapshot snapshot;
    qn_buf_init(&plain, QN_SNAPSHOT_SIZE_MAX);
    return qn_snapshot_open(file, keys, &plain, &snapshot);
}

/* The input, sealed as what stands behind a head. */
static void check_sealed(struct qn_span input, const struct qn_vault_keys *keys)
{
    static const uint8_t salt[QN_HEAD_SALT_SIZE];
    uint8_t file[1024], plain[1024 - QN_HEAD_SIZE - QN_AEAD_TAG_SIZE] = {0};
    struct qn_aead *aead = qn_aead_new();
    struct qn_pack_aad aad;
    if (input.size > 0)
        memcpy(plain, input.data, input.size < sizeof(plain) ? input.size : sizeof(plain));
    qn_head_seal(keys, "QNSNAP01", QN_HEAD_META, salt, aead, file);
    memcpy(aad.head, file, QN_HEAD_SIZE);
    qn_aead_seal(aead, QN_HEAD_SIZE, qn_pack_aad(&aad, QN_REGION_SNAPSHOT), QN_SPAN_OF(plain),
                 file + QN_HEAD_SIZE);
    qn_aead_free(aead);
    enum qn_err err = open_file(QN_SPAN_OF(file), keys);
    FUZZ_CHECK(err == QN_OK || err == QN_ERR_CORRUPT || err == QN_ERR_UNSUPPORTED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_span input = qn_span(data, size);
    struct qn_vault_keys keys;
    qn_vault_keys_init(&keys, master, 1);
    check_body(input);
    if (size > 4)
        check_body(qn_span(data + 4, size - 4)); /* of the corpus: behind its size */
    check_sealed(input, &keys);
    FUZZ_CHECK(open_file(input, &keys) != QN_OK);
    qn_vault_keys_deinit(&keys);
    return 0;
}
