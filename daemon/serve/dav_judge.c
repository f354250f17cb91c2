/* May it be done? What is there, HTTP's conditions, the If header, locks. */
#include "files/names.h"
#include "http/condition.h"
#include "serve/dav_private.h"

#define NS_PER_S INT64_C(1000000000)

/* ---- HTTP's conditions ---- */

bool dav_check_http(struct dav_request *dav)
{
    struct qn_http_state state = {.exists = dav->exists};
    if (dav->exists) {
        state.etag = qn_span_str(dav->info.etag);
        state.modified_s =
            dav->info.modified_ns / NS_PER_S - (dav->info.modified_ns % NS_PER_S < 0);
    }
    switch (qn_http_condition(qn_web_asked(dav->web), &state)) {
    case QN_HTTP_GO_ON:
        return true;
    case QN_HTTP_NOT_MODIFIED: {
        struct qn_buf *head = dav_head(dav, 304, 0);
        if (dav->info.etag[0] != 0)
            dav_text_field(head, "ETag", dav->info.etag);
        qn_web_head_end(dav->web);
        qn_web_finish(dav->web);
        return false;
    }
    case QN_HTTP_PRECONDITION_FAILED:
        dav_refuse(dav, 412);
        return false;
    case QN_HTTP_BAD_CONDITION:
        dav_refuse(dav, 400);
        return false;
    }
    return false;
}

struct qn_folder_expect dav_expect(const struct dav_request *dav)
{
    struct qn_folder_expect expect = {.must_exist = false};
    bool names_etag = dav->web && qn_http_header(qn_web_asked(dav->web), "If-Match");
    for (size_t i = 0; dav->has_if && i < dav->given.condition_count; i++)
        names_etag |= dav->given.conditions[i].is_etag && !dav->given.conditions[i].is_not;
    if (names_etag && dav->exists) {
        expect.must_exist = true;
        memcpy(expect.etag, dav->info.etag, sizeof(expect.etag));
    }
    if (dav->web && !dav->exists && qn_http_header(qn_web_asked(dav->web), "If-None-Match"))
        expect.must_not_exist = true;
    return expect;
}

/* ---- the If header ---- */

/* The resource of a tagged list as "FOLDER/a/b"; false: it is none of ours. */
static bool read_resource(const struct dav_request *dav, struct qn_span resource,
                          struct qn_buf *out)
{
    bool has_slash;
    QN_AUTO_BUF struct qn_buf path;
    struct qn_span prefix = qn_span_str("dav/");
    qn_buf_init(&path, DAV_PATH_SIZE_MAX);
    if (resource.size == 0) {
        qn_buf_append_span(out, qn_buf_view(&dav->path));
        return true;
    }
    return qn_dav_destination_read(resource, qn_web_asked(dav->web)->host, &path, &has_slash) ==
               QN_OK &&
           qn_span_has_prefix(qn_buf_view(&path), prefix) &&
           qn_name_compose(qn_span_from(qn_buf_view(&path), prefix.size), out) == QN_OK;
}

static const struct dav_tagged *find_tagged(const struct dav_request *dav, struct qn_span path)
{
    for (size_t i = 0; i < dav->tagged_count; i++)
        if (qn_span_eq(qn_buf_view(&dav->tagged[i].path), path))
            return &dav->tagged[i];
    return NULL;
}

static bool etag_matches(const struct dav_request *dav, struct qn_span path, struct qn_span etag)
{
    if (qn_span_eq(path, qn_buf_view(&dav->path)))
        return dav->exists && qn_span_eq_str(etag, dav->info.etag);
    const struct dav_tagged *tagged = find_tagged(dav, path);
    return tagged && tagged->exists && qn_span_eq_str(etag, tagged->etag);
}

static bool matches(void *context, struct qn_span resource,
                    const struct qn_dav_condition *condition)
{
    const struct dav_request *dav = context;
    QN_AUTO_BUF struct qn_buf path;
    qn_buf_init(&path, DAV_PATH_SIZE_MAX);
    if (!read_resource(dav, resource, &path))
        return false;
    if (condition->is_etag)
        return etag_matches(dav, qn_buf_view(&path), condition->text);
    const struct qn_dav_lock *lock =
        qn_dav_locks_find(dav->dav->locks, condition->text, dav_wall_ms(dav->dav));
    return lock && qn_dav_lock_covers(lock, qn_buf_view(&path));
}

/* ---- locks ---- */

bool dav_check_locks(struct dav_request *dav, struct qn_span path, bool is_tree)
{
    struct qn_dav_access access = {.path = path,
                                   .is_tree = is_tree,
                                   .given = dav->has_if ? &dav->given : NULL,
                                   .person = dav->person.name};
    const struct qn_dav_lock *lock =
        qn_dav_locks_blocking(dav->dav->locks, &access, dav_wall_ms(dav->dav));
    if (!lock)
        return true;
    dav_refuse_condition(dav, 423, "lock-token-submitted", lock->path);
    return false;
}

static bool check_own_locks(struct dav_request *dav)
{
    const struct dav_method *method = dav->method;
    struct qn_span path = qn_buf_view(&dav->path);
    if (!method->is_write || method->is_unlocked)
        return true;
    bool changes_parent = method->makes_or_removes && (method->is_tree || !dav->exists);
    return dav_check_locks(dav, path, method->is_tree) &&
           (!changes_parent || dav_check_locks(dav, dav_parent(path), false));
}

bool dav_may_still_change(struct dav_request *dav)
{
    const struct qn_dav_options *options = &dav->dav->options;
    if (options->right(options->context, &dav->person, dav->folder_name) == QN_RIGHT_WRITE)
        return check_own_locks(dav);
    dav_refuse(dav, 403);
    return false;
}

/* ---- the order ---- */

static void judge(struct dav_request *dav)
{
    if (!dav_check_http(dav))
        return;
    if (dav->has_if && !qn_dav_if_holds(&dav->given, matches, dav)) {
        dav_refuse(dav, 412);
        return;
    }
    if (check_own_locks(dav))
        dav->method->go(dav);
}

static void look_at_next(struct dav_request *dav);

static void on_tagged(void *context, enum qn_err err, const struct qn_entry_info *entry)
{
    struct dav_request *dav = context;
    if (!dav_resume(dav))
        return;
    struct dav_tagged *tagged = &dav->tagged[dav->tagged_next++];
    tagged->exists = err == QN_OK;
    if (err == QN_OK)
        memcpy(tagged->etag, entry->etag, sizeof(tagged->etag));
    look_at_next(dav);
}

static void look_at_next(struct dav_request *dav)
{
    if (dav->tagged_next == dav->tagged_count) {
        judge(dav);
        return;
    }
    struct qn_span path = qn_buf_view(&dav->tagged[dav->tagged_next].path);
    struct qn_span inner = qn_span_from(path, dav->folder_name.size + 1);
    dav_wait(dav, dav->folder->ops->stat(dav->folder, inner, on_tagged, dav));
}

/* Of the same folder only: for another one the person may have no right. */
static void add_tagged(struct dav_request *dav, struct qn_span resource)
{
    struct dav_tagged *tagged = &dav->tagged[dav->tagged_count];
    if (dav->tagged_count == DAV_TAGGED_MAX)
        return;
    *tagged = (struct dav_tagged){.exists = false};
    qn_buf_init(&tagged->path, DAV_PATH_SIZE_MAX);
    bool is_ours = read_resource(dav, resource, &tagged->path);
    struct qn_span path = qn_buf_view(&tagged->path);
    size_t name_size = dav->folder_name.size;
    bool is_in_folder = is_ours && qn_span_has_prefix(path, dav->folder_name) &&
                        (path.size == name_size || path.data[name_size] == '/');
    if (is_in_folder && !qn_span_eq(path, qn_buf_view(&dav->path)) && !find_tagged(dav, path))
        dav->tagged_count++;
    else
        qn_buf_deinit(&tagged->path);
}

static bool has_etag(const struct qn_dav_if *given, const struct qn_dav_list *list)
{
    for (size_t i = list->first; i < list->first + list->count; i++)
        if (given->conditions[i].is_etag)
            return true;
    return false;
}

static bool read_if(struct dav_request *dav)
{
    const struct qn_http_header *header = qn_http_header(qn_web_asked(dav->web), "If");
    if (!header)
        return true;
    if (qn_http_header_count(qn_web_asked(dav->web), "If") > 1 ||
        qn_dav_if_read(header->value, &dav->given) != QN_OK) {
        dav_refuse(dav, 400);
        return false;
    }
    dav->has_if = true;
    for (size_t i = 0; i < dav->given.list_count; i++)
        if (dav->given.lists[i].resource.size > 0 && has_etag(&dav->given, &dav->given.lists[i]))
            add_tagged(dav, dav->given.lists[i].resource);
    return true;
}

static void on_stat(void *context, enum qn_err err, const struct qn_entry_info *entry)
{
    struct dav_request *dav = context;
    if (!dav_resume(dav))
        return;
    if (err == QN_OK)
        dav_set_info(dav, entry);
    if (err == QN_OK || err == QN_ERR_NOTFOUND)
        look_at_next(dav);
    else
        dav_refuse_err(dav, err);
}

void dav_judge(struct dav_request *dav)
{
    if (read_if(dav))
        dav_wait(dav, dav->folder->ops->stat(dav->folder, dav->inner, on_stat, dav));
}
