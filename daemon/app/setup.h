/* What `syncctl init` or `syncctl recover` leaves for the daemon: identity.key and site.quoin in
 * the state directory, and recovery.key until a recovery is complete (docs/control.md, section 6).
 * Thread: any.
 */
#pragma once

#include "model/invitation.h"

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
    /* A site that lost everything and was set up again with its kit: */
    bool is_recovered;
    struct qn_site_id identity; /* not that of the key */
    uint8_t group_prefix[QN_GROUP_PREFIX_SIZE];
    char from[QN_ADDRESS_SIZE_MAX + 1]; /* whom to ask */
    bool has_kit_seed;                  /* the recovery is not complete yet */
    uint8_t kit_seed[QN_SEED_SIZE];     /* secret */
};

void qn_setup_deinit(struct qn_setup *setup); /* accepts a zeroed one */
/* Whether the state directory is initialised. */
bool qn_setup_exists(const char *state_dir);
/* QN_ERR_NOTFOUND: not initialised. QN_ERR_INVALID: damaged. */
enum qn_err QN_CHECKED qn_setup_read(const char *state_dir, struct qn_setup *ret_setup);
/* Durable, all files 0600, site.quoin last. QN_ERR_EXISTS: initialised already. */
enum qn_err QN_CHECKED qn_setup_write(const char *state_dir, const struct qn_setup *setup);
/* The identity of the site, whose present key is given. */
void qn_setup_site_id(const struct qn_setup *setup, const struct qn_public_key *key,
                      struct qn_site_id *ret_id);
/* The recovery is complete: the seed of the kit goes. Fine if it is gone. */
enum qn_err QN_CHECKED qn_setup_end_recovery(const char *state_dir);
