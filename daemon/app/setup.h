/* What `syncctl init` leaves for the daemon: identity.key and site.quoin in the state directory
 * (docs/control.md, section 6). Thread: any.
 */
#pragma once

#include "base/limits.h"
#include "crypto/key.h"

#define QN_SETUP_JOIN_SIZE_MAX 8192

struct qn_setup {
    uint8_t seed[QN_SEED_SIZE]; /* secret: qn_setup_deinit wipes it */
    char name[QN_NAME_SIZE_MAX + 1];
    char legal_entity[QN_ENTITY_SIZE_MAX + 1];
    char listen[QN_ADDRESS_SIZE_MAX + 1];    /* "" : by the configuration or the default */
    char advertise[QN_ADDRESS_SIZE_MAX + 1]; /* "" : not set */
    struct qn_public_key recovery_sign, recovery_seal;
    uint8_t *genesis; /* the first entry of a new group; NULL when joining */
    size_t genesis_size;
    char *join; /* the code's text; NULL when founding */
};

void qn_setup_deinit(struct qn_setup *setup); /* accepts a zeroed one */
/* Whether the state directory is initialised. */
bool qn_setup_exists(const char *state_dir);
/* QN_ERR_NOTFOUND: not initialised. QN_ERR_INVALID: damaged. */
enum qn_err QN_CHECKED qn_setup_read(const char *state_dir, struct qn_setup *ret_setup);
/* Durable, both files 0600, site.quoin last. QN_ERR_EXISTS: initialised already. */
enum qn_err QN_CHECKED qn_setup_write(const char *state_dir, const struct qn_setup *setup);
