#include "app/vault_key.h"

#include <stdio.h>
#include <unistd.h>

#include "model/invitation.h"
#include "os/os.h"

#define PLAIN_SIZE (4 + QN_MASTER_KEY_SIZE)

void qn_vault_key_deinit(struct qn_vault_key *key)
{
    qn_wipe(key, sizeof(*key));
}

static enum qn_err read_exactly(const char *state_dir, const char *name, size_t size, uint8_t *out)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", state_dir, name);
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, size + 1);
    QN_TRY(qn_os_read_file(path, size + 1, &buf));
    if (buf.size != size)
        return QN_ERR_CORRUPT;
    memcpy(out, buf.data, size);
    qn_wipe(buf.data, buf.size);
    return QN_OK;
}

static enum qn_err replace(const char *state_dir, const char *name, struct qn_span bytes)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", state_dir, name);
    return qn_os_replace_file(path, bytes, 0600);
}

static enum qn_err store_plain(const char *state_dir, const struct qn_vault_key *key)
{
    uint8_t plain[PLAIN_SIZE];
    qn_write_u32(plain, key->epoch);
    memcpy(plain + 4, key->master, sizeof(key->master));
    enum qn_err err = replace(state_dir, "vault.key", QN_SPAN_OF(plain));
    qn_wipe(plain, sizeof(plain));
    return err;
}

static enum qn_err make_sealed(const char *state_dir, const struct qn_public_key *recipient,
                               struct qn_vault_key *key)
{
    uint8_t plain[PLAIN_SIZE], ephemeral[QN_SEED_SIZE];
    QN_AUTO_BUF struct qn_buf sealed;
    qn_buf_init(&sealed, QN_SEALED_KEY_SIZE);
    qn_write_u32(plain, key->epoch);
    memcpy(plain + 4, key->master, sizeof(key->master));
    qn_os_random(ephemeral, sizeof(ephemeral));
    enum qn_err err = qn_seal(recipient, ephemeral, QN_VAULT_KEY_INFO, QN_SPAN_OF(plain), &sealed);
    qn_wipe(plain, sizeof(plain));
    qn_wipe(ephemeral, sizeof(ephemeral));
    QN_TRY(err);
    if (sealed.size != QN_SEALED_KEY_SIZE)
        return QN_ERR_CRYPTO;
    memcpy(key->sealed, sealed.data, sealed.size);
    return replace(state_dir, "vault.key.sealed", qn_buf_view(&sealed));
}

static enum qn_err make(const char *state_dir, struct qn_vault_key *key)
{
    key->epoch = 1;
    qn_os_random(key->master, sizeof(key->master));
    return store_plain(state_dir, key);
}

static void take_plain(struct qn_vault_key *key, const uint8_t plain[PLAIN_SIZE])
{
    key->epoch = qn_read_u32(plain);
    memcpy(key->master, plain + 4, sizeof(key->master));
}

enum qn_err qn_vault_key_load(const char *state_dir, const struct qn_public_key *recovery_seal,
                              struct qn_vault_key *ret_key)
{
    uint8_t plain[PLAIN_SIZE];
    enum qn_err err = read_exactly(state_dir, "vault.key", sizeof(plain), plain);
    enum qn_err sealed_err =
        read_exactly(state_dir, "vault.key.sealed", sizeof(ret_key->sealed), ret_key->sealed);
    if (err == QN_ERR_NOTFOUND && sealed_err == QN_ERR_NOTFOUND)
        err = make(state_dir, ret_key);
    else if (err == QN_OK)
        take_plain(ret_key, plain);
    qn_wipe(plain, sizeof(plain));
    QN_TRY(err);
    if (sealed_err == QN_ERR_NOTFOUND)
        return make_sealed(state_dir, recovery_seal, ret_key);
    return sealed_err;
}

/* ---- a recovery ---- */

static enum qn_err open_sealed(const uint8_t kit_seed[QN_SEED_SIZE], struct qn_span sealed,
                               uint8_t ret_plain[PLAIN_SIZE])
{
    uint8_t memory[PLAIN_SIZE], seed[QN_SEED_SIZE];
    struct qn_buf plain = {.data = memory, .capacity = sizeof(memory), .size_max = sizeof(memory)};
    if (sealed.size != QN_SEALED_KEY_SIZE)
        return QN_ERR_SIGNATURE;
    qn_kit_seal_seed(kit_seed, seed);
    enum qn_err err = qn_unseal(seed, QN_VAULT_KEY_INFO, sealed, &plain);
    if (err == QN_OK)
        memcpy(ret_plain, memory, PLAIN_SIZE);
    qn_wipe(seed, sizeof(seed));
    qn_wipe(memory, sizeof(memory));
    return err;
}

/* vault.key last: it says that the recovery of the key is complete. */
static enum qn_err store_both(const char *state_dir, const struct qn_vault_key *key)
{
    QN_TRY(replace(state_dir, "vault.key.sealed", QN_SPAN_OF(key->sealed)));
    return store_plain(state_dir, key);
}

bool qn_vault_key_exists(const char *state_dir)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/vault.key", state_dir);
    return access(path, F_OK) == 0;
}

enum qn_err qn_vault_key_recover(const char *state_dir, const uint8_t kit_seed[QN_SEED_SIZE],
                                 struct qn_span sealed, struct qn_vault_key *ret_key)
{
    uint8_t plain[PLAIN_SIZE];
    struct qn_vault_key key = {0};
    if (qn_vault_key_exists(state_dir))
        return QN_ERR_EXISTS;
    QN_TRY(open_sealed(kit_seed, sealed, plain));
    take_plain(&key, plain);
    qn_wipe(plain, sizeof(plain));
    memcpy(key.sealed, sealed.data, sealed.size);
    enum qn_err err = store_both(state_dir, &key);
    if (err == QN_OK)
        *ret_key = key;
    qn_vault_key_deinit(&key);
    return err;
}
