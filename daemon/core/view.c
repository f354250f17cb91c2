#include <stdio.h>
#include <stdlib.h>

#include "core/late.h"
#include "core/presence.h"

static void pack_time(struct qn_buf *out, uint64_t ms)
{
    if (ms == 0)
        qn_pack_nil(out);
    else
        qn_pack_u64(out, ms);
}

/* ---- sites ---- */

static const char *state_of(const struct qn_core *core, const struct qn_site *site,
                            const struct peer *peer)
{
    if (qn_site_id_eq(&site->id, &core->site))
        return "here";
    if (peer != NULL && peer_is_online(peer))
        return "online";
    return peer == NULL || peer->contact_ms == 0 ? "never-seen" : "offline";
}

static void pack_address(const struct qn_core *core, const struct qn_site *site,
                         const struct peer *peer, struct qn_buf *out)
{
    if (qn_site_id_eq(&site->id, &core->site))
        qn_pack_cstr(out, core->options.address_count > 0 ? core->addresses[0] : "");
    else if (peer != NULL && peer->said.address_count > 0)
        qn_pack_str(out, peer->said.addresses[0]);
    else
        qn_pack_cstr(out, peer != NULL ? peer->hint : "");
}

static uint64_t contact_of(const struct qn_core *core, const struct qn_site *site,
                           const struct peer *peer, uint64_t wall_ms)
{
    bool is_now = qn_site_id_eq(&site->id, &core->site) || (peer != NULL && peer_is_online(peer));
    return is_now ? wall_ms : peer == NULL ? 0 : peer->contact_ms;
}

static void pack_version(const struct qn_core *core, const struct qn_site *site,
                         const struct peer *peer, struct qn_buf *out)
{
    if (qn_site_id_eq(&site->id, &core->site))
        qn_pack_cstr(out, core->version);
    else
        qn_pack_str(out, peer == NULL ? qn_span_str("") : peer->said.version);
}

static void pack_identity(const struct qn_site *site, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 128);
    qn_site_id_print(&site->id, &text);
    qn_pack_str(out, qn_buf_view(&text));
}

void view_site(const struct qn_core *core, const struct qn_site *site, uint64_t wall_ms,
               bool in_full, struct qn_buf *out)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct peer *peer = core_peer(core, &site->id);
    qn_pack_map(out, in_full ? 9 : 6);
    qn_pack_cstr(out, "address");
    pack_address(core, site, peer, out);
    if (in_full) {
        qn_pack_cstr(out, "entity");
        qn_pack_cstr(out, site->legal_entity);
        qn_pack_cstr(out, "id");
        pack_identity(site, out);
    }
    qn_pack_cstr(out, "last_contact");
    pack_time(out, contact_of(core, site, peer, wall_ms));
    qn_pack_cstr(out, "name");
    qn_pack_cstr(out, site->name);
    qn_pack_cstr(out, "role");
    qn_pack_cstr(out, qn_site_id_eq(&group->admin, &site->id) ? "administrator" : "member");
    qn_pack_cstr(out, "state");
    qn_pack_cstr(out, state_of(core, site, peer));
    qn_pack_cstr(out, "version");
    pack_version(core, site, peer, out);
    if (in_full) {
        qn_pack_cstr(out, "withdrawn");
        qn_pack_bool(out, site->state == QN_SITE_WITHDRAWN);
    }
}

/* ---- collections ---- */

/* By what came from there itself; or by what others say, where no connection leads. */
static uint64_t nearest(const struct qn_core *core, const struct coll *coll,
                        const struct known *known, uint64_t behind)
{
    const struct peer *peer = known == NULL ? NULL : core_peer(core, &known->site);
    if (behind == 0 || peer == NULL || peer->session != NULL)
        return behind;
    uint64_t heard = presence_behind(coll, known);
    return heard < behind ? heard : behind;
}

/* How many operations a member lacks; for this site, how many somebody else is known to have. */
static uint64_t behind_of(const struct qn_core *core, const struct coll *coll,
                          const struct qn_site_id *site)
{
    if (!qn_site_id_eq(site, &core->site)) {
        const struct known *known = coll_known_of(coll, site);
        static const struct qn_vv nothing;
        QN_AUTO_VV struct qn_vv theirs = {0};
        qn_vv_copy(&theirs, known == NULL ? &nothing : &known->clock);
        qn_vec_each (&coll->cc.entries, entry) /* it has what it wrote, whoever passed it on */
            if (qn_actor_is_of(&entry->actor, site))
                qn_vv_raise(&theirs, &entry->actor, entry->ctr);
        return nearest(core, coll, known, qn_vv_missing(&theirs, &coll->cc));
    }
    QN_AUTO_VV struct qn_vv all = {0};
    qn_vec_each (&coll->known, known)
        if (core_shares(core, coll, &(*known)->site))
            qn_vv_join(&all, &(*known)->clock);
    return qn_vv_missing(&coll->cc, &all);
}

struct member_view {
    const char *name;
    uint64_t behind;
};

static int by_member_name(const void *a, const void *b)
{
    return strcmp(((const struct member_view *)a)->name, ((const struct member_view *)b)->name);
}

static size_t list_members(const struct qn_core *core, const struct coll *coll,
                           struct member_view *members)
{
    size_t count = 0;
    qn_vec_each (&qn_ledger_group(core->ledger)->sites, site)
        if (count < QN_SITES_MAX && core_shares(core, coll, &site->id))
            members[count++] = (struct member_view){site->name, behind_of(core, coll, &site->id)};
    qsort(members, count, sizeof(members[0]), by_member_name);
    return count;
}

static void pack_behind(const struct member_view *members, size_t count, struct qn_buf *out,
                        bool *ret_in_sync)
{
    size_t behind = 0;
    for (size_t i = 0; i < count; i++)
        behind += members[i].behind > 0;
    qn_pack_map(out, behind);
    for (size_t i = 0; i < count; i++)
        if (members[i].behind > 0) {
            qn_pack_cstr(out, members[i].name);
            qn_pack_u64(out, members[i].behind);
        }
    *ret_in_sync = behind == 0;
}

static void pack_creator(const struct qn_core *core, const struct coll *coll, struct qn_buf *out)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_collection *c = qn_group_collection(group, &coll->id);
    const struct qn_site *creator = c == NULL ? NULL : qn_group_site(group, &c->creator);
    QN_AUTO_BUF struct qn_buf hex;
    qn_buf_init(&hex, 64);
    qn_text_append_hex(&hex, QN_SPAN_OF(coll->id.bytes));
    qn_pack_cstr(out, "created_by");
    qn_pack_cstr(out, creator == NULL ? "" : creator->name);
    qn_pack_cstr(out, "id");
    qn_pack_str(out, qn_buf_view(&hex));
}

void view_coll(const struct qn_core *core, const struct coll *coll, bool in_full,
               struct qn_buf *out)
{
    QN_AUTO_FREE struct member_view *members = qn_alloc(QN_SITES_MAX * sizeof(*members));
    size_t count = list_members(core, coll, members);
    bool in_sync, is_late = coll->info.late.is_late;
    qn_pack_map(out, (in_full ? 10u : 8u) + (is_late ? 2 : 0));
    qn_pack_cstr(out, "behind");
    pack_behind(members, count, out, &in_sync);
    qn_pack_cstr(out, "checked_at");
    if (coll->info.damage.scrubbed_ms > 0)
        qn_pack_u64(out, coll->info.damage.scrubbed_ms);
    else
        qn_pack_nil(out);
    qn_pack_cstr(out, "conflicts");
    qn_pack_u64(out, coll->info.conflicts);
    if (in_full)
        pack_creator(core, coll, out);
    qn_pack_cstr(out, "in_sync");
    qn_pack_bool(out, in_sync && !is_late);
    if (is_late) {
        qn_pack_cstr(out, "incomplete");
        qn_pack_bool(out, true);
    }
    qn_pack_cstr(out, "kind");
    qn_pack_cstr(out, coll->info.is_folder ? "folder" : "records");
    if (is_late)
        late_pack(core, coll, out);
    qn_pack_cstr(out, "members");
    qn_pack_array(out, count);
    for (size_t i = 0; i < count; i++)
        qn_pack_cstr(out, members[i].name);
    qn_pack_cstr(out, "name");
    qn_pack_cstr(out, coll->shown);
    qn_pack_cstr(out, "records");
    qn_pack_u64(out, coll->info.live);
}

static int by_coll_name(const void *a, const void *b)
{
    return strcmp((*(struct coll *const *)a)->shown, (*(struct coll *const *)b)->shown);
}

static int by_site_name(const void *a, const void *b)
{
    return strcmp((*(struct qn_site *const *)a)->name, (*(struct qn_site *const *)b)->name);
}

const struct qn_site **view_sorted_sites(const struct qn_core *core, bool wants_withdrawn,
                                         size_t *ret_count)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_site **sorted = qn_alloc((group->sites.count + 1) * sizeof(*sorted));
    size_t count = 0;
    qn_vec_each (&group->sites, site)
        if (wants_withdrawn || site->state == QN_SITE_MEMBER)
            sorted[count++] = site;
    qsort(sorted, count, sizeof(*sorted), by_site_name);
    *ret_count = count;
    return sorted;
}

struct coll **view_sorted_colls(const struct qn_core *core, size_t *ret_count)
{
    struct coll **sorted = qn_alloc((core->colls.count + 1) * sizeof(*sorted));
    size_t count = 0;
    qn_vec_each (&core->colls, slot)
        if (coll_is_readable(*slot) && (*slot)->shown[0] != '\0')
            sorted[count++] = *slot;
    qsort(sorted, count, sizeof(*sorted), by_coll_name);
    *ret_count = count;
    return sorted;
}

/* ---- what the driver asks ---- */

const struct qn_public_key *qn_core_admitted(const struct qn_core *core, size_t *ret_count,
                                             bool *ret_allows_guests)
{
    *ret_count = core->admitted.count;
    *ret_allows_guests = core->allows_guests;
    return core->admitted.items;
}

const struct qn_group *qn_core_group(const struct qn_core *core)
{
    return qn_ledger_group(core->ledger);
}

const struct qn_coll_id *qn_core_collection(const struct qn_core *core, struct qn_span name)
{
    const struct coll *coll = core_coll_named(core, name);
    return coll == NULL ? NULL : &coll->id;
}

bool qn_core_is_incomplete(const struct qn_core *core, struct qn_span name)
{
    const struct coll *coll = core_coll_named(core, name);
    return coll != NULL && coll->info.late.is_late;
}

bool qn_core_is_folder(const struct qn_core *core, struct qn_span name)
{
    const struct coll *coll = core_coll_named(core, name);
    return coll != NULL && coll->info.is_folder;
}

static void view_folder(const struct qn_core *core, const struct coll *coll,
                        struct qn_folder_view *ret_view)
{
    const struct qn_site *home = qn_group_site(qn_ledger_group(core->ledger), &coll->info.home);
    *ret_view = (struct qn_folder_view){
        .id = coll->id,
        .name = coll->shown,
        .home = home == NULL ? "" : home->name,
        .is_here = qn_site_id_eq(&coll->info.home, &core->site),
    };
}

size_t qn_core_folders(const struct qn_core *core, struct qn_folder_view **ret_views)
{
    size_t count = 0, all;
    struct coll **sorted = view_sorted_colls(core, &all);
    struct qn_folder_view *views = qn_alloc((all + 1) * sizeof(*views));
    for (size_t i = 0; i < all; i++)
        if (sorted[i]->info.is_folder)
            view_folder(core, sorted[i], &views[count++]);
    qn_free(sorted);
    *ret_views = views;
    return count;
}

void qn_core_pack_members(const struct qn_core *core, const struct qn_coll_id *id,
                          struct qn_buf *out)
{
    const struct coll *coll = core_coll(core, id);
    QN_AUTO_FREE struct member_view *members = qn_alloc(QN_SITES_MAX * sizeof(*members));
    size_t count = coll == NULL ? 0 : list_members(core, coll, members);
    qn_pack_array(out, count);
    for (size_t i = 0; i < count; i++)
        qn_pack_cstr(out, members[i].name);
}

const char *core_site_name(const struct qn_core *core, const struct qn_site_id *id)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_site *site = group == NULL ? NULL : qn_group_site(group, id);
    return site == NULL ? "?" : site->name;
}

const char *qn_core_actor_name(const struct qn_core *core, const struct qn_actor *actor)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_site *site =
        group == NULL ? NULL : qn_group_site_by_prefix(group, actor->bytes);
    return site == NULL ? "?" : site->name;
}

size_t qn_core_collections(const struct qn_core *core, struct qn_coll_view **ret_views)
{
    size_t count;
    struct coll **sorted = view_sorted_colls(core, &count);
    struct qn_coll_view *views = qn_alloc((count + 1) * sizeof(*views));
    for (size_t i = 0; i < count; i++)
        views[i] = (struct qn_coll_view){.id = sorted[i]->id, .name = sorted[i]->shown};
    qn_free(sorted);
    *ret_views = views;
    return count;
}
