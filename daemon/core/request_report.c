/* What holders said they did with backups of, or at, a site whose agreements are over. */
#include "core/call.h"

static void pack_count(struct qn_buf *out, const char *key, const uint64_t *value)
{
    qn_pack_cstr(out, key);
    value == NULL ? qn_pack_nil(out) : qn_pack_u64(out, *value);
}

static void pack_name(const struct qn_core *core, struct qn_buf *out, const char *key,
                      const struct qn_site_id *site)
{
    qn_pack_cstr(out, key);
    qn_pack_cstr(out, core_site_name(core, site));
}

static const char *state_of(const struct qn_place *place, const struct qn_report *report)
{
    if (place->state != QN_PLACE_ENDED)
        return "agreed";
    if (report == NULL)
        return "unreported";
    return report->said.packs > 0 || report->said.snapshots > 0 ? "held" : "destroyed";
}

/* While the agreement stands there is nothing to report. What was said about an earlier one is not
 * said about this one. */
static const struct qn_report *report_on(const struct qn_group *group, const struct qn_place *place)
{
    const struct qn_report *report = qn_group_report(group, &place->holder, &place->owner);
    bool is_of_it = report != NULL && qn_digest_eq(&report->said.place, &place->proposal);
    return place->state == QN_PLACE_ENDED && is_of_it ? report : NULL;
}

static void pack_row(const struct qn_core *core, const struct qn_place *place, struct qn_buf *out)
{
    const struct qn_report *report = report_on(qn_ledger_group(core->ledger), place);
    const struct qn_body_report *said = report == NULL ? NULL : &report->said;
    bool is_locked = said != NULL && said->locked_until_ms > 0;
    qn_pack_map(out, 13);
    qn_pack_cstr(out, "agreement");
    qn_pack_cstr(out, place->agreement);
    pack_count(out, "agreement_until",
               place->agreement_until_ms > 0 ? &place->agreement_until_ms : NULL);
    pack_count(out, "bad_packs", said == NULL ? NULL : &said->bad_packs);
    pack_count(out, "bytes", said == NULL ? NULL : &said->bytes);
    pack_count(out, "destroyed_bytes", said == NULL ? NULL : &said->destroyed_bytes);
    pack_count(out, "destroyed_packs", said == NULL ? NULL : &said->destroyed_packs);
    pack_name(core, out, "holder", &place->holder);
    pack_count(out, "locked_until", is_locked ? &said->locked_until_ms : NULL);
    pack_name(core, out, "owner", &place->owner);
    pack_count(out, "packs", said == NULL ? NULL : &said->packs);
    pack_count(out, "reported_at", report == NULL ? NULL : &report->at_ms);
    pack_count(out, "snapshots", said == NULL ? NULL : &said->snapshots);
    qn_pack_cstr(out, "state");
    qn_pack_cstr(out, state_of(place, report));
}

void call_site_report(const struct call *call)
{
    const struct qn_core *core = call->core;
    const struct qn_group *group = qn_ledger_group(core->ledger);
    struct qn_span name = {0};
    const struct qn_site *site = NULL;
    if (args_text(call->args, "name", QN_NAME_SIZE_MAX, &name))
        site = qn_group_site_named(group, name);
    if (site == NULL) {
        call_fail(call, QN_ERR_NOTFOUND, "site-unknown", name);
        return;
    }
    qn_vec_each (&group->places, place) {
        bool is_party =
            qn_site_id_eq(&place->owner, &site->id) || qn_site_id_eq(&place->holder, &site->id);
        if (!is_party || place->state == QN_PLACE_PROPOSED)
            continue;
        QN_AUTO_BUF struct qn_buf data;
        qn_buf_init(&data, 1024);
        pack_row(core, place, &data);
        core_reply_data(call->core, call->id, &data);
    }
    core_reply_end(call->core, call->id, NULL);
}
