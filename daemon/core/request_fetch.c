/* vault.fetch, vault.lists, vault.names and vault.keys (docs/control.md): for the daemon itself,
 * which restores and repairs from holders; nothing that they answer is secret. */
#include <stdio.h>

#include "core/call.h"
#include "core/fetch.h"

static void bad_request(const struct call *call, const char *key)
{
    call_fail(call, QN_ERR_INVALID, "bad-request", qn_span_str(key));
}

/* The named holder; else answers, and false. */
static bool take_site(const struct call *call, struct qn_site_id *ret_site)
{
    struct qn_span name;
    if (!args_text(call->args, "site", QN_NAME_SIZE_MAX, &name)) {
        bad_request(call, "site");
        return false;
    }
    const struct qn_site *site = qn_group_site_named(qn_ledger_group(call->core->ledger), name);
    if (site == NULL || site->state != QN_SITE_MEMBER) {
        call_fail(call, QN_ERR_NOTFOUND, "site-unknown", name);
        return false;
    }
    if (qn_site_id_eq(&site->id, &call->core->site)) {
        call_fail(call, QN_ERR_INVALID, "holder-is-self", name);
        return false;
    }
    *ret_site = site->id;
    return true;
}

static bool take_digest(const struct call *call, const char *key, struct qn_digest *ret_digest)
{
    struct qn_cursor cursor = qn_cursor(args_value(call->args, key));
    if (qn_cursor_bytes(&cursor, ret_digest->bytes, sizeof(ret_digest->bytes)) == QN_OK)
        return true;
    bad_request(call, key);
    return false;
}

/* `after` may be absent. */
static bool take_after(const struct call *call, struct fetch_ask *ask)
{
    ask->has_after = args_value(call->args, "after").size > 0;
    return !ask->has_after || take_digest(call, "after", &ask->after);
}

static bool take_range(const struct call *call, struct fetch_ask *ask)
{
    if (!args_u64(call->args, "offset", &ask->offset) || ask->offset > QN_PACK_SIZE_MAX)
        bad_request(call, "offset");
    else if (!args_u64(call->args, "size", &ask->size) || ask->size == 0 ||
             ask->size > BULK_READ_MAX)
        bad_request(call, "size");
    else
        return true;
    return false;
}

/* `not`: holders that are not to be asked. */
static bool take_not(const struct call *call, struct fetch_ask *ask)
{
    struct qn_cursor cursor = qn_cursor(args_value(call->args, "not"));
    struct qn_span name;
    size_t count = 0;
    bool is_good = args_value(call->args, "not").size == 0 ||
                   qn_cursor_array(&cursor, FETCH_HOLDERS_MAX, &count) == QN_OK;
    for (size_t i = 0; i < count && is_good; i++) {
        is_good = qn_cursor_str(&cursor, QN_NAME_SIZE_MAX, &name) == QN_OK;
        const struct qn_site *site =
            is_good ? qn_group_site_named(qn_ledger_group(call->core->ledger), name) : NULL;
        if (site != NULL)
            ask->tried[ask->tried_count++] = site->id;
    }
    if (!is_good)
        bad_request(call, "not");
    return is_good;
}

void call_vault_fetch(const struct call *call)
{
    struct fetch_ask ask = {.request = call->id, .what = FETCH_PACK};
    struct qn_site_id site;
    ask.is_anywhere = args_value(call->args, "site").size == 0;
    if (!take_digest(call, "name", &ask.name) || !take_range(call, &ask) || !take_not(call, &ask))
        return;
    if (ask.is_anywhere)
        fetch_start_anywhere(call->core, &ask);
    else if (take_site(call, &site))
        fetch_start(call->core, &site, &ask);
}

void call_vault_lists(const struct call *call)
{
    struct fetch_ask ask = {.request = call->id, .what = FETCH_LISTS};
    struct qn_site_id site;
    if (take_after(call, &ask) && take_site(call, &site))
        fetch_start(call->core, &site, &ask);
}

void call_vault_names(const struct call *call)
{
    struct fetch_ask ask = {.request = call->id, .what = FETCH_NAMES};
    struct qn_site_id site;
    if (take_digest(call, "list", &ask.name) && take_after(call, &ask) && take_site(call, &site))
        fetch_start(call->core, &site, &ask);
}

void call_vault_keys(const struct call *call)
{
    struct fetch_ask ask = {.request = call->id, .what = FETCH_KEYS};
    struct qn_site_id site;
    if (take_site(call, &site))
        fetch_start(call->core, &site, &ask);
}

/* The job asks that holder itself. */
void call_vault_rebuild(const struct call *call)
{
    struct qn_span name;
    struct qn_site_id site;
    char text[QN_NAME_SIZE_MAX + 1];
    if (!take_site(call, &site) || !args_text(call->args, "site", QN_NAME_SIZE_MAX, &name))
        return;
    snprintf(text, sizeof(text), "%.*s", (int)name.size, (const char *)name.data);
    call_run_job(call, QN_JOB_REBUILD, text);
}
