#include "chunk/keys.h"

#include "base/buf.h"

void qn_vault_keys_init(struct qn_vault_keys *keys, const uint8_t master[QN_MASTER_KEY_SIZE],
                        uint32_t epoch)
{
    const struct {
        const char *info;
        uint8_t *out;
    } parts[] = {
        {"quoin vault id 1", keys->id},
        {"quoin vault chunker 1", keys->chunker},
        {"quoin vault data 1", keys->data},
        {"quoin vault meta 1", keys->meta},
    };
    uint8_t salt[4];
    qn_write_u32(salt, epoch);
    keys->epoch = epoch;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        qn_hkdf(qn_span(master, QN_MASTER_KEY_SIZE), QN_SPAN_OF(salt), parts[i].info, parts[i].out,
                32);
}

void qn_vault_keys_deinit(struct qn_vault_keys *keys)
{
    qn_wipe(keys, sizeof(*keys));
}
