#include "core/call.h"

/* The identities of the named members; false after answering with an error. */
static bool read_members(const struct call *call, struct qn_span packed, struct qn_site_id *members,
                         size_t *ret_count)
{
    const struct qn_group *group = qn_ledger_group(call->core->ledger);
    struct qn_cursor cursor = qn_cursor(packed);
    size_t count;
    if (qn_cursor_array(&cursor, QN_SITES_MAX, &count) != QN_OK) {
        call_fail(call, QN_ERR_INVALID, "bad-request", qn_span_str("members"));
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct qn_span name = {0};
        const struct qn_site *site = NULL;
        if (qn_cursor_str(&cursor, QN_NAME_SIZE_MAX, &name) == QN_OK)
            site = qn_group_site_named(group, name);
        if (site == NULL || site->state != QN_SITE_MEMBER) {
            call_fail(call, QN_ERR_NOTFOUND, "site-unknown", name);
            return false;
        }
        members[i] = site->id;
    }
    *ret_count = count;
    return true;
}

static bool read_name(const struct call *call, struct qn_span *ret_name)
{
    if (!args_text(call->args, "name", QN_NAME_SIZE_MAX, ret_name) || !qn_text_is_name(*ret_name)) {
        call_fail(call, QN_ERR_INVALID, "bad-name",
                  ret_name->size > 0 ? *ret_name : qn_span_str("name"));
        return false;
    }
    if (core_coll_named(call->core, *ret_name) != NULL) {
        call_fail(call, QN_ERR_EXISTS, "collection-exists", *ret_name);
        return false;
    }
    return true;
}

/* The end's payload of a new folder: its id, which is the mark of its directory. */
static void pack_new_id(const struct qn_coll_id *id, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf hex;
    qn_buf_init(&hex, 2 * QN_COLL_ID_SIZE);
    qn_text_append_hex(&hex, QN_SPAN_OF(id->bytes));
    qn_buf_init(out, 64);
    qn_pack_map(out, 1);
    qn_pack_cstr(out, "id");
    qn_pack_str(out, qn_buf_view(&hex));
}

static void pack_home(const struct qn_core *core, bool is_folder, struct qn_buf *out)
{
    if (!is_folder) {
        qn_pack_nil(out);
        return;
    }
    QN_AUTO_BUF struct qn_buf hex;
    qn_buf_init(&hex, 2 * sizeof(core->site.bytes));
    qn_text_append_hex(&hex, QN_SPAN_OF(core->site.bytes));
    qn_pack_str(out, qn_buf_view(&hex));
}

void call_collection_create(const struct call *call)
{
    bool is_folder = call_flag(call, "folder"); /* its directory is the application's care */
    struct qn_core *core = call->core;
    struct qn_site_id members[QN_SITES_MAX];
    struct qn_span name = {0}, packed = args_value(call->args, "members");
    struct qn_body_create_collection body_of = {.is_for_all = packed.size == 0, .members = members};
    if (!read_name(call, &name))
        return;
    if (packed.size > 0 && !read_members(call, packed, members, &body_of.member_count))
        return;
    if (core->colls.count >= QN_COLLECTIONS_MAX) {
        call_fail(call, QN_ERR_LIMIT, "too-many", name);
        return;
    }
    memcpy(body_of.coll.bytes, call->entropy, sizeof(body_of.coll.bytes));
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_create_collection_pack(&qn_ledger_group(core->ledger)->id, &body_of, &body);
    struct qn_buf payload;
    qn_buf_init(&payload, QN_LEDGER_ENTRY_SIZE_MAX + 512);
    qn_pack_array(&payload, 5);
    qn_pack_bin(&payload, qn_buf_view(&body));
    qn_pack_bin(&payload, QN_SPAN_OF(body_of.coll.bytes));
    pack_home(core, is_folder, &payload);
    qn_pack_str(&payload, name);
    qn_pack_str(&payload, call->user);
    struct pending *pending = call_commit(call, QN_INTENT_COLL_CREATE, &payload, name);
    if (is_folder)
        pack_new_id(&body_of.coll, &pending->data);
}

/* Why this site may not share, or share no longer, a collection with that one; NULL: it may. */
static const char *why_not(const struct call *call, const struct qn_collection *collection,
                           const struct qn_site *site, bool is_grant)
{
    bool is_creator = qn_site_id_eq(&collection->creator, &call->core->site);
    if (!is_creator)
        return "not-creator";
    if (is_grant)
        return NULL;
    if (qn_site_id_eq(&site->id, &collection->creator))
        return "is-creator";
    return collection->is_for_all ? "is-for-all" : NULL;
}

static void append_body(const struct call *call, const struct qn_buf *body, struct qn_span name)
{
    struct qn_buf payload;
    qn_buf_init(&payload, QN_LEDGER_ENTRY_SIZE_MAX + 16);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, qn_buf_view(body));
    call_commit(call, QN_INTENT_LEDGER_APPEND, &payload, name);
}

static void append_access(const struct call *call, enum qn_body_type type,
                          const struct qn_body_grant *grant, struct qn_span name)
{
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_grant_pack(&qn_ledger_group(call->core->ledger)->id, type, grant, &body);
    append_body(call, &body, name);
}

static void change_access(const struct call *call, bool is_grant)
{
    const struct qn_group *group = qn_ledger_group(call->core->ledger);
    const struct coll *coll = call_collection(call);
    struct qn_span name = {0};
    if (coll == NULL)
        return;
    const struct qn_site *site = args_text(call->args, "site", QN_NAME_SIZE_MAX, &name)
                                     ? qn_group_site_named(group, name)
                                     : NULL;
    if (site == NULL || site->state != QN_SITE_MEMBER) {
        call_fail(call, QN_ERR_NOTFOUND, "site-unknown", name);
        return;
    }
    const struct qn_collection *collection = qn_group_collection(group, &coll->id);
    const char *refusal =
        collection == NULL ? "not-creator" : why_not(call, collection, site, is_grant);
    if (refusal != NULL) {
        bool is_about_site = strcmp(refusal, "is-creator") == 0;
        call_fail(call, QN_ERR_DENIED, refusal, is_about_site ? name : qn_span_str(coll->shown));
    } else if (qn_group_shares(group, collection, &site->id) == is_grant) {
        core_reply_end(call->core, call->id, NULL); /* it is so already: no entry */
    } else {
        const struct qn_body_grant grant = {.coll = coll->id, .site = site->id};
        append_access(call, is_grant ? QN_BODY_GRANT : QN_BODY_UNGRANT, &grant, name);
    }
}

void call_collection_grant(const struct call *call)
{
    change_access(call, true);
}

void call_collection_ungrant(const struct call *call)
{
    change_access(call, false);
}

/* Of folders only: their files are elsewhere. Records are where they are written, and nobody takes
 * them away from others. */
void call_collection_close(const struct call *call)
{
    const struct qn_group *group = qn_ledger_group(call->core->ledger);
    const struct coll *coll = call_collection(call);
    if (coll == NULL)
        return;
    struct qn_span name = qn_span_str(coll->shown);
    const struct qn_collection *collection = qn_group_collection(group, &coll->id);
    if (!coll->info.is_folder) {
        call_fail(call, QN_ERR_STATE, "folder-unknown", name);
    } else if (collection == NULL || !qn_site_id_eq(&collection->creator, &call->core->site)) {
        call_fail(call, QN_ERR_DENIED, "not-home", name);
    } else {
        QN_AUTO_BUF struct qn_buf body;
        qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
        qn_body_close_collection_pack(&group->id, &coll->id, &body);
        append_body(call, &body, name);
    }
}
