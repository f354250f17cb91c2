/* The master key of this site's vault, as files of the state directory (docs/control.md 6):
 *
 *   vault.key         0600: epoch u32 | 32 random bytes. Secret; made at the first start
 *   vault.key.sealed  the same bytes sealed to the recovery kit: what holders keep for a recovery
 *
 * A damaged one is an error, never replaced: it may be all that opens the backups. While a site is
 * recovered it has none: its own comes from a holder, and another one would open nothing.
 */
#pragma once

#include "chunk/keys.h"
#include "crypto/key.h"
#include "crypto/seal.h"
#include "model/invitation.h"

#define QN_SEALED_KEY_SIZE (4 + QN_MASTER_KEY_SIZE + QN_SEAL_OVERHEAD)

struct qn_vault_key {
    uint32_t epoch;
    uint8_t master[QN_MASTER_KEY_SIZE];
    uint8_t sealed[QN_SEALED_KEY_SIZE];
};

void qn_vault_key_deinit(struct qn_vault_key *key); /* wipes */
/* Reads it, or makes it if neither file exists; makes the sealed form when it is missing. */
enum qn_err QN_CHECKED qn_vault_key_load(const char *state_dir,
                                         const struct qn_public_key *recovery_seal,
                                         struct qn_vault_key *ret_key);
bool qn_vault_key_exists(const char *state_dir);
/* The sealed form as a holder kept it, opened with the seed of the kit; both files are durable
 * then. QN_ERR_SIGNATURE: it was sealed to another kit, or damaged. QN_ERR_EXISTS: this site has a
 * key. */
enum qn_err QN_CHECKED qn_vault_key_recover(const char *state_dir,
                                            const uint8_t kit_seed[QN_SEED_SIZE],
                                            struct qn_span sealed, struct qn_vault_key *ret_key);
