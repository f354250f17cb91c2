/* Invitation codes and recovery kits: what travels on paper and by voice (RECORDS 2.2).
 *
 * Code: "QN1-" and base32, in groups of five letters, of
 *   secret (16) | first 16 bytes of the group id | expiry in seconds u32 | address count u8 |
 *   (length u8, "HOST:PORT") ... | first 4 bytes of SHA-256 of all that
 * The secret seeds the invite's Ed25519 key: HKDF(secret, group id[:16], "quoin invite key 1").
 *
 * Kit: one random seed of 32 bytes. HKDF(seed, "", "quoin recovery sign 1") seeds the Ed25519 key,
 * "... seal 1" the X25519 key. Its text is `key: value` lines for people, in English and French,
 * and carries a checksum over all values. Pure: randomness is passed in.
 */
#pragma once

#include "base/limits.h"
#include "crypto/key.h"

#define QN_INVITE_SECRET_SIZE 16
#define QN_GROUP_PREFIX_SIZE  16
#define QN_CODE_SIZE_MAX      8192

struct qn_code {
    uint8_t secret[QN_INVITE_SECRET_SIZE];
    uint8_t group_prefix[QN_GROUP_PREFIX_SIZE];
    uint32_t expiry_s; /* wall clock, since 1970 */
    size_t address_count;
    char addresses[QN_ADDRESSES_MAX][QN_ADDRESS_SIZE_MAX + 1];
};

void qn_code_print(const struct qn_code *code, struct qn_buf *out);
/* QN_ERR_INVALID: not a code, or mistyped (checksum). White space, case and '-' do not matter. */
enum qn_err QN_CHECKED qn_code_parse(struct qn_span text, struct qn_code *ret_code);
enum qn_err QN_CHECKED qn_code_signer(const struct qn_code *code, struct qn_signer **ret_signer);

struct qn_kit {
    uint8_t seed[QN_SEED_SIZE];
    struct qn_site_id site;
    uint8_t group_prefix[QN_GROUP_PREFIX_SIZE]; /* zero while the group is not known yet */
    char site_name[QN_NAME_SIZE_MAX + 1];
    char group_name[QN_NAME_SIZE_MAX + 1]; /* "" while not known */
    uint64_t made_ms;
};

enum qn_err QN_CHECKED qn_kit_keys(const uint8_t seed[QN_SEED_SIZE], struct qn_public_key *ret_sign,
                                   struct qn_public_key *ret_seal);
/* Their secret halves: what proves the kit; what opens what was sealed to it (crypto/seal.h). */
enum qn_err QN_CHECKED qn_kit_signer(const uint8_t seed[QN_SEED_SIZE],
                                     struct qn_signer **ret_signer);
#define QN_VAULT_KEY_INFO "quoin vault key 1" /* of the key of a vault, sealed to a kit */
void qn_kit_seal_seed(const uint8_t seed[QN_SEED_SIZE], uint8_t ret_seed[QN_SEED_SIZE]);
void qn_kit_print(const struct qn_kit *kit, struct qn_buf *out);
/* QN_ERR_INVALID: mistyped, or a line is missing; QN_ERR_UNSUPPORTED: of a newer version. */
enum qn_err QN_CHECKED qn_kit_parse(struct qn_span text, struct qn_kit *ret_kit);
/* Where a text that does not parse is wrong, as far as it can be told. */
struct qn_kit_fault {
    size_t line;     /* of the text, from 1; 0: a line is missing, or it is not one line alone */
    const char *key; /* of the line that is wrong or missing; NULL: not known; static */
    size_t letter;   /* the one that is mistyped, from 1, blanks not counted; 0: not known */
};
void qn_kit_find_fault(struct qn_span text, struct qn_kit_fault *ret_fault);
