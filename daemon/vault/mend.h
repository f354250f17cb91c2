/* Putting lost and damaged packs right from a copy: fetched whole, held to its name, stored, its
 * rows taken up anew. Nobody is asked. Any thread that holds no batch of the index.
 */
#pragma once

#include "vault/vault.h"

#define QN_MEND_TRIED_MAX 64    /* packs whose last outcome is remembered */
#define QN_MEND_AGAIN_MS  60000 /* what no copy had is asked for again after this */

struct qn_mender;
struct qn_mender *qn_mender_new(struct qn_vault *vault);
void qn_mender_free(struct qn_mender *mender); /* accepts NULL */
/* One at a time; whoever waited for the same pack takes part in its outcome. QN_ERR_STATE: the pack
 * in the pool is what its name says; QN_ERR_NOTFOUND: no copy has it; QN_ERR_SIGNATURE: what
 * came is another file; QN_ERR_UNSUPPORTED: there is no source of whole packs. */
enum qn_err QN_CHECKED qn_vault_mend(struct qn_vault *vault, const struct qn_pack_name *name);
