#include <stdio.h>

#include "core/integrity.h"
#include "core/late.h"

void hash_vv(const struct qn_vv *vv, uint8_t ret_hash[QN_ROOT_SIZE])
{
    struct qn_digest digest;
    qn_vv_digest(vv, &digest);
    memcpy(ret_hash, digest.bytes, QN_ROOT_SIZE);
}

struct coll *core_coll(const struct qn_core *core, const struct qn_coll_id *id)
{
    qn_vec_each (&core->colls, slot)
        if (qn_coll_id_eq(&(*slot)->id, id))
            return *slot;
    return NULL;
}

struct coll *core_coll_make(struct qn_core *core, const struct qn_coll_id *id)
{
    struct coll *coll = core_coll(core, id);
    if (coll != NULL)
        return coll;
    coll = QN_NEW(struct coll);
    coll->id = *id;
    hash_vv(&coll->cc, coll->cc_hash);
    qn_empty_root(coll->info.root);
    qn_vec_push(&core->colls, coll);
    return coll;
}

struct coll *core_coll_named(const struct qn_core *core, struct qn_span name)
{
    qn_vec_each (&core->colls, slot)
        if (coll_is_readable(*slot) && qn_span_eq_str(name, (*slot)->shown))
            return *slot;
    return NULL;
}

const struct known *coll_known_of(const struct coll *coll, const struct qn_site_id *site)
{
    qn_vec_each (&coll->known, slot)
        if (qn_site_id_eq(&(*slot)->site, site))
            return *slot;
    return NULL;
}

struct known *coll_known(struct coll *coll, const struct qn_site_id *site)
{
    qn_vec_each (&coll->known, slot)
        if (qn_site_id_eq(&(*slot)->site, site))
            return *slot;
    struct known *known = QN_NEW(struct known);
    known->site = *site;
    qn_vec_push(&coll->known, known);
    return known;
}

bool coll_differs(const struct coll *coll)
{
    qn_vec_each (&coll->known, known)
        if ((*known)->differs)
            return true;
    return false;
}

/* Two sites may name two collections alike while they cannot talk: the one with the lower id keeps
 * the name, the other shows some of its id. */
static void name_coll(struct qn_core *core, struct coll *coll)
{
    coll->is_clash = false;
    qn_vec_each (&core->colls, slot)
        if (*slot != coll && coll_is_readable(*slot) && coll->info.name[0] != '\0' &&
            strcmp((char *)(*slot)->info.name, (char *)coll->info.name) == 0)
            coll->is_clash |= memcmp((*slot)->id.bytes, coll->id.bytes, QN_COLL_ID_SIZE) < 0;
    const char *name = (const char *)coll->info.name;
    if (coll->is_clash)
        snprintf(coll->shown, sizeof(coll->shown), "%s~%02x%02x", name, coll->id.bytes[0],
                 coll->id.bytes[1]);
    else
        snprintf(coll->shown, sizeof(coll->shown), "%s", name);
}

void core_name_colls(struct qn_core *core)
{
    qn_vec_each (&core->colls, slot)
        name_coll(core, *slot);
}

void coll_update(struct coll *coll, const struct qn_coll_info *info, const struct qn_vv *cc)
{
    coll->info = *info;
    qn_vv_copy(&coll->cc, cc);
    hash_vv(&coll->cc, coll->cc_hash);
    coll->state.total = 0;
    qn_vec_each (&coll->cc.entries, entry)
        coll->state.total += entry->ctr;
    memcpy(coll->state.hash, coll->cc_hash, sizeof(coll->state.hash));
}

void coll_free(struct coll *coll)
{
    qn_vec_each (&coll->known, slot) {
        qn_vv_deinit(&(*slot)->clock);
        qn_free(*slot);
    }
    qn_vec_free(&coll->known);
    qn_vec_free(&coll->turns);
    repair_free(coll);
    qn_vv_deinit(&coll->cc);
    late_free(coll);
    qn_free(coll);
}

bool core_shares(const struct qn_core *core, const struct coll *coll, const struct qn_site_id *site)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_collection *c = group == NULL ? NULL : qn_group_collection(group, &coll->id);
    return c != NULL && !c->is_closed && qn_group_shares(group, c, site);
}

static bool keeps(const struct qn_core *core, const struct coll *coll)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_collection *c = qn_group_collection(group, &coll->id);
    return c != NULL && qn_group_keeps(group, c, &core->site);
}

void core_refresh_colls(struct qn_core *core)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    if (group == NULL)
        return;
    qn_vec_each (&group->collections, collection)
        if (qn_group_shares(group, collection, &core->site))
            core_coll_make(core, &collection->id);
    qn_vec_each (&core->colls, slot) {
        (*slot)->is_shared = core_shares(core, *slot, &core->site);
        (*slot)->is_kept = keeps(core, *slot);
    }
    core_name_colls(core);
}
