#include <stdio.h>
#include <stdlib.h>

#include "core/late.h"
#include "core/presence.h"
#include "core/recover.h"
#include "core/twin.h"

struct alerts {
    QN_VEC(struct qn_alert) list;
};

static struct qn_alert *add(struct alerts *alerts, const char *severity, const char *code,
                            const char *object)
{
    struct qn_alert *alert = qn_vec_push_slot(&alerts->list);
    *alert = (struct qn_alert){.code = code, .severity = severity};
    strncpy(alert->object, object, sizeof(alert->object) - 1);
    return alert;
}

static void alerts_of_store(const struct qn_health *health, struct alerts *alerts)
{
    if (health->store_fatal != QN_OK)
        add(alerts, "critical", "store-failed", qn_err_name(health->store_fatal));
    else if (health->store_last == QN_ERR_NOSPACE)
        add(alerts, "critical", "disk-full", "");
    else if (health->store_last != QN_OK)
        add(alerts, "critical", "store-failed", qn_err_name(health->store_last));
}

static void alerts_of_joining(const struct qn_core *core, struct alerts *alerts)
{
    const struct joining *joining = &core->joining;
    if (!joining->is_active)
        return;
    const char *address =
        joining->code.address_count > 0 ? joining->code.addresses[joining->address_used] : "";
    bool is_recovery = core->options.recovery != NULL;
    if (joining->refused[0] != '\0')
        add(alerts, "attention", is_recovery ? "recover-refused" : "join-refused",
            joining->refused);
    else
        add(alerts, "attention", is_recovery ? "recovering" : "joining", address);
}

static bool is_recent(const struct qn_core *core, uint64_t ms)
{
    return ms > 0 && core->wall_ms < ms + QN_TRAIL_CONTRADICTED_SHOW_MS;
}

static void alerts_of_trail(const struct qn_core *core, const struct peer *peer, const char *name,
                            struct alerts *alerts)
{
    if (is_recent(core, peer->trail.contradicted_ms))
        add(alerts, "attention", "trail-contradicted", name)->time_ms = peer->trail.contradicted_ms;
    uint64_t accused_ms = peer->trail.accused_ms > peer->trail.found_ms ? peer->trail.accused_ms
                                                                        : peer->trail.found_ms;
    if (is_recent(core, accused_ms))
        add(alerts, "attention", "trail-differs", name)->time_ms = accused_ms;
}

static void alerts_of_peer(const struct qn_core *core, const struct peer *peer, const char *name,
                           struct alerts *alerts)
{
    if (twin_is_told(core, peer->twin_ms))
        add(alerts, "attention", "cloned", name)->time_ms = peer->twin_ms;
    if (!peer_is_online(peer)) {
        const char *code = peer->contact_ms == 0 ? "site-never-seen" : "site-offline";
        add(alerts, "attention", code, name)->time_ms = peer->contact_ms;
    }
    uint64_t skew_s = (uint64_t)llabs(peer->skew_s);
    if (peer->session != NULL && skew_s > QN_CLOCK_SKEW_MAX_MS / 1000)
        add(alerts, "attention", "clock-skew", name)->count = skew_s;
    if (peer->is_bad)
        add(alerts, "attention", "bad-peer", name);
}

static void alert_of_recovery(void *context, const char *code, const char *object)
{
    add(context, "attention", code, object);
}

#define DOUBT_ALERT_MS 600000

/* Nobody came with whom ledgers could be compared (docs/protocol.md 7.7). */
static bool is_doubt_lasting(const struct qn_core *core)
{
    return !core_may_append(core) && group_online_peer(core) == NULL &&
           core->now_ms >= core->started_ms + DOUBT_ALERT_MS;
}

static void alerts_of_group(const struct qn_core *core, struct alerts *alerts)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    if (group == NULL)
        return;
    if (group->needs_upgrade)
        add(alerts, "attention", "upgrade-needed", group->name);
    if (!core_is_member(core)) {
        if (!core->joining.is_active)
            add(alerts, "attention", "withdrawn", core->name);
        return; /* whom it does not reach any more is no fault */
    }
    if (!core_has_key(core)) {
        add(alerts, "critical", "key-replaced", core->name);
        return;
    }
    recover_alerts(core, alert_of_recovery, alerts);
    uint64_t forgotten = twin_forgotten(core);
    if (forgotten > 0)
        add(alerts, "attention", "restored", core->name)->count = forgotten;
    if (twin_is_told(core, core->twin_ms))
        add(alerts, "critical", "cloned", core->name)->time_ms = core->twin_ms;
    if (is_doubt_lasting(core))
        add(alerts, "attention", "in-doubt", core->name);
    qn_vec_each (&core->peers, peer) {
        const char *name = core_site_name(core, &(*peer)->site);
        alerts_of_peer(core, *peer, name, alerts);
        alerts_of_trail(core, *peer, name, alerts);
    }
}

#define REPAIRED_MS (7ull * 24 * 3600 * 1000) /* for so long it is told that there was damage */

static void alerts_of_damage(const struct qn_core *core, const struct coll *coll,
                             struct alerts *alerts)
{
    const struct qn_damage *damage = &coll->info.damage;
    if (damage->damaged > 0) {
        const char *code = coll->care.waits_for_away ? "damaged-waits" : "damaged";
        struct qn_alert *alert = add(alerts, "critical", code, coll->shown);
        alert->count = damage->damaged;
        alert->time_ms = damage->found_ms;
    } else if (damage->found > 0 && core->wall_ms < damage->found_ms + REPAIRED_MS) {
        add(alerts, "attention", "repaired", coll->shown)->time_ms = damage->found_ms;
    }
}

static void alerts_of_coll(const struct coll *coll, struct alerts *alerts)
{
    if (coll_differs(coll))
        add(alerts, "critical", "fingerprint", coll->shown);
    if (coll->pass != NULL && coll->pass->is_stopped)
        add(alerts, "critical", "late-stopped", coll->shown);
    if (coll->info.conflicts > 0)
        add(alerts, "attention", "conflict", coll->shown)->count = coll->info.conflicts;
    if (coll->is_clash)
        add(alerts, "attention", "name-clash", coll->shown);
}

static void alert_of_backup(void *context, const char *severity, const char *code,
                            const char *object, uint64_t count, uint64_t time_ms,
                            const char *detail)
{
    struct qn_alert *alert = add(context, severity, code, object);
    snprintf(alert->detail, sizeof(alert->detail), "%s", detail);
    alert->count = count;
    alert->time_ms = time_ms;
}

static unsigned rank(const struct qn_alert *alert)
{
    return alert->severity[0] == 'c' ? 0 : alert->severity[0] == 'a' ? 1 : 2;
}

static int by_rank(const void *a, const void *b)
{
    const struct qn_alert *x = a, *y = b;
    int order = (int)rank(x) - (int)rank(y);
    if (order == 0)
        order = strcmp(x->code, y->code);
    return order != 0 ? order : strcmp(x->object, y->object);
}

static void pack_alerts(const struct alerts *alerts, struct qn_buf *out)
{
    qn_pack_cstr(out, "alerts");
    qn_pack_array(out, alerts->list.count);
    qn_vec_each (&alerts->list, alert) {
        qn_pack_map(out, 6);
        qn_pack_cstr(out, "code");
        qn_pack_cstr(out, alert->code);
        qn_pack_cstr(out, "count");
        qn_pack_u64(out, alert->count);
        qn_pack_cstr(out, "detail");
        qn_pack_cstr(out, alert->detail);
        qn_pack_cstr(out, "object");
        qn_pack_cstr(out, alert->object);
        qn_pack_cstr(out, "severity");
        qn_pack_cstr(out, alert->severity);
        qn_pack_cstr(out, "time");
        if (alert->time_ms == 0)
            qn_pack_nil(out);
        else
            qn_pack_u64(out, alert->time_ms);
    }
}

static void pack_joining_self(const struct qn_core *core, uint64_t wall_ms, struct qn_buf *out)
{
    qn_pack_array(out, 1);
    qn_pack_map(out, 6);
    qn_pack_cstr(out, "address");
    qn_pack_cstr(out, core->options.address_count > 0 ? core->addresses[0] : "");
    qn_pack_cstr(out, "last_contact");
    qn_pack_u64(out, wall_ms);
    qn_pack_cstr(out, "name");
    qn_pack_cstr(out, core->name);
    qn_pack_cstr(out, "role");
    qn_pack_cstr(out, core->options.recovery != NULL ? "recovering" : "joining");
    qn_pack_cstr(out, "state");
    qn_pack_cstr(out, "here");
    qn_pack_cstr(out, "version");
    qn_pack_cstr(out, core->version);
}

static void pack_sites(const struct qn_core *core, uint64_t wall_ms, struct qn_buf *out)
{
    if (qn_ledger_group(core->ledger) == NULL) {
        pack_joining_self(core, wall_ms, out);
        return;
    }
    size_t count;
    QN_AUTO_FREE const struct qn_site **sorted = view_sorted_sites(core, false, &count);
    qn_pack_array(out, count);
    for (size_t i = 0; i < count; i++)
        view_site(core, sorted[i], wall_ms, false, out);
}

static void pack_colls(const struct qn_core *core, struct qn_buf *out)
{
    size_t count;
    QN_AUTO_FREE struct coll **sorted = view_sorted_colls(core, &count);
    size_t records = 0;
    for (size_t i = 0; i < count; i++)
        if (!sorted[i]->info.is_folder)
            sorted[records++] = sorted[i];
    qn_pack_array(out, records);
    for (size_t i = 0; i < records; i++)
        view_coll(core, sorted[i], false, out);
}

static const char *worst(const struct alerts *alerts)
{
    if (alerts->list.count == 0 || rank(&alerts->list.items[0]) == 2)
        return "ok";
    return rank(&alerts->list.items[0]) == 0 ? "critical" : "attention";
}

static void alerts_of_folders(const struct qn_core *core, const struct qn_health *health,
                              struct alerts *alerts)
{
    for (size_t i = 0; i < health->folders_gone_count; i++) {
        const struct qn_folder_gone *gone = &health->folders_gone[i];
        const struct coll *coll = core_coll(core, &gone->id);
        if (coll == NULL || !coll->is_shared)
            continue;
        struct qn_alert *alert = add(alerts, "attention", "folder-gone", coll->shown);
        snprintf(alert->detail, sizeof(alert->detail), "%s", gone->path);
    }
}

static void alerts_of_own_trail(const struct qn_health *health, struct alerts *alerts)
{
    if (health->trail_fault != 0)
        add(alerts, "critical", "trail-bad", "")->count = health->trail_fault;
}

static void alerts_of_serve(const struct qn_health *health, struct alerts *alerts)
{
    if (health->serve_failed != NULL) {
        struct qn_alert *alert = add(alerts, "attention", "serve-failed", health->serve_failed);
        snprintf(alert->detail, sizeof(alert->detail), "%s", health->serve_words);
    }
    if (health->certificate_end_ms > 0) {
        bool is_over = health->wall_ms >= health->certificate_end_ms;
        struct qn_alert *alert = add(alerts, is_over ? "critical" : "attention", "certificate-late",
                                     health->certificate_names);
        uint64_t left_ms = is_over ? 0 : health->certificate_end_ms - health->wall_ms;
        alert->count = left_ms / ((uint64_t)24 * 3600 * 1000);
    }
}

static void collect(const struct qn_core *core, const struct qn_health *health,
                    struct alerts *alerts)
{
    alerts_of_store(health, alerts);
    alerts_of_joining(core, alerts);
    alerts_of_group(core, alerts);
    qn_vec_each (&core->colls, coll)
        if ((*coll)->is_shared) {
            alerts_of_damage(core, *coll, alerts);
            alerts_of_coll(*coll, alerts);
        }
    alerts_of_folders(core, health, alerts);
    backup_alerts(core, alert_of_backup, alerts);
    if (health->mail_failed_ms > 0) {
        struct qn_alert *alert = add(alerts, "attention", "mail-failed", health->mail_to);
        alert->time_ms = health->mail_failed_ms;
        snprintf(alert->detail, sizeof(alert->detail), "%s", health->mail_words);
    }
    alerts_of_serve(health, alerts);
    alerts_of_own_trail(health, alerts);
    if (health->has_kit)
        add(alerts, "hint", "kit-unconfirmed", "recovery-kit.txt");
    if (alerts->list.count > 0)
        qsort(alerts->list.items, alerts->list.count, sizeof(struct qn_alert), by_rank);
}

size_t qn_core_alerts(const struct qn_core *core, const struct qn_health *health,
                      struct qn_alert **ret_alerts)
{
    struct alerts alerts = {0};
    collect(core, health, &alerts);
    *ret_alerts = alerts.list.items;
    return alerts.list.count;
}

void qn_core_status(const struct qn_core *core, const struct qn_health *health, struct qn_buf *out)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    struct alerts alerts = {0};
    collect(core, health, &alerts);
    qn_pack_map(out, 10);
    pack_alerts(&alerts, out);
    qn_pack_cstr(out, "backups");
    backup_pack_status(core, out);
    qn_pack_cstr(out, "collections");
    pack_colls(core, out);
    qn_pack_cstr(out, "group");
    qn_pack_cstr(out, group == NULL ? "" : group->name);
    qn_pack_cstr(out, "held");
    held_pack_status(core, out);
    qn_pack_cstr(out, "kit");
    qn_pack_bool(out, health->has_kit);
    qn_pack_cstr(out, "site");
    qn_pack_cstr(out, core->name);
    qn_pack_cstr(out, "sites");
    pack_sites(core, health->wall_ms, out);
    qn_pack_cstr(out, "state");
    qn_pack_cstr(out, worst(&alerts));
    qn_pack_cstr(out, "version");
    qn_pack_cstr(out, core->version);
    qn_vec_free(&alerts.list);
}
