#include "chunk/head.h"

#include "base/assert.h"
#include "base/buf.h"

enum {
    AT_KIND = QN_HEAD_MAGIC_SIZE,
    AT_EPOCH = AT_KIND + 1,
    AT_SALT = AT_EPOCH + 4,
    AT_CHECK = AT_SALT + QN_HEAD_SALT_SIZE,
    CHECK_SIZE = 16,
    AT_ZEROS = AT_CHECK + CHECK_SIZE,
    VERSION_SIZE = 2, /* at the end of a magic */
};
_Static_assert(AT_ZEROS + 3 == QN_HEAD_SIZE, "a head");

/* Of one file: its AES key, and what tells that it is the right one. */
struct file_key {
    uint8_t key[QN_AEAD_KEY_SIZE];
    uint8_t check[CHECK_SIZE];
};
_Static_assert(sizeof(struct file_key) == 48, "two parts of one derivation");

static void derive(const struct qn_vault_keys *keys, enum qn_head_kind kind, const uint8_t *salt,
                   struct file_key *ret_key)
{
    const uint8_t *secret = kind == QN_HEAD_DATA ? keys->data : keys->meta;
    qn_hkdf(qn_span(secret, 32), qn_span(salt, QN_HEAD_SALT_SIZE), "quoin pack 1",
            (uint8_t *)ret_key, sizeof(*ret_key));
}

void qn_head_seal(const struct qn_vault_keys *keys, const char *magic, enum qn_head_kind kind,
                  const uint8_t salt[QN_HEAD_SALT_SIZE], struct qn_aead *aead,
                  uint8_t out[QN_HEAD_SIZE])
{
    struct file_key key;
    QN_ASSERT(strlen(magic) == QN_HEAD_MAGIC_SIZE);
    derive(keys, kind, salt, &key);
    memset(out, 0, QN_HEAD_SIZE);
    memcpy(out, magic, QN_HEAD_MAGIC_SIZE);
    out[AT_KIND] = (uint8_t)kind;
    qn_write_u32(out + AT_EPOCH, keys->epoch);
    memcpy(out + AT_SALT, salt, QN_HEAD_SALT_SIZE);
    memcpy(out + AT_CHECK, key.check, CHECK_SIZE);
    qn_aead_set_key(aead, key.key);
    qn_wipe(&key, sizeof(key));
}

static enum qn_err check_magic(const uint8_t *head, const char *magic)
{
    if (memcmp(head, magic, QN_HEAD_MAGIC_SIZE - VERSION_SIZE) != 0)
        return QN_ERR_INVALID;
    return memcmp(head, magic, QN_HEAD_MAGIC_SIZE) == 0 ? QN_OK : QN_ERR_UNSUPPORTED;
}

static enum qn_err check_fields(const struct qn_vault_keys *keys, const uint8_t *head)
{
    static const uint8_t zeros[QN_HEAD_SIZE - AT_ZEROS];
    uint8_t kind = head[AT_KIND];
    if (kind != QN_HEAD_DATA && kind != QN_HEAD_META)
        return QN_ERR_INVALID;
    if (memcmp(head + AT_ZEROS, zeros, sizeof(zeros)) != 0)
        return QN_ERR_INVALID;
    return qn_read_u32(head + AT_EPOCH) == keys->epoch ? QN_OK : QN_ERR_UNSUPPORTED;
}

enum qn_err qn_head_open(const struct qn_vault_keys *keys, const char *magic, struct qn_span head,
                         struct qn_aead *aead, enum qn_head_kind *ret_kind)
{
    if (head.size != QN_HEAD_SIZE)
        return QN_ERR_INVALID;
    QN_TRY(check_magic(head.data, magic));
    QN_TRY(check_fields(keys, head.data));
    struct file_key key;
    enum qn_head_kind kind = head.data[AT_KIND];
    derive(keys, kind, head.data + AT_SALT, &key);
    bool is_right =
        qn_equal_secret(QN_SPAN_OF(key.check), qn_span(head.data + AT_CHECK, CHECK_SIZE));
    if (is_right)
        qn_aead_set_key(aead, key.key);
    qn_wipe(&key, sizeof(key));
    if (!is_right)
        return QN_ERR_SIGNATURE;
    *ret_kind = kind;
    return QN_OK;
}
