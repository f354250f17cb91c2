/* Grants, and app passwords for one folder, of a version that knew names only are bound to what has
 * the name: once, a moment after the first start. */
#include "app/people_private.h"

static bool is_loose(const struct qn_account *account)
{
    qn_vec_each (&account->grants, grant)
        if (!grant->is_bound)
            return true;
    qn_vec_each (&account->apps, app)
        if (app->folder[0] != '\0' && !app->is_bound)
            return true;
    return false;
}

/* What is not there was deleted: it stays bound to nothing, so nothing that comes later is meant.
 */
static void bind_apps(const struct qn_staff_options *options, struct qn_account *account)
{
    qn_vec_each (&account->apps, app) {
        if (app->folder[0] == '\0' || app->is_bound)
            continue;
        memset(app->folder_id, 0, sizeof(app->folder_id));
        (void)options->find_thing(options->context, QN_THING_FOLDER, qn_span_str(app->folder),
                                  app->folder_id);
        app->is_bound = true;
    }
}

static enum qn_err bind_account(void *context, struct qn_account *account)
{
    const struct qn_staff_options *options = qn_staff_options(context);
    qn_vec_each (&account->grants, grant) {
        if (grant->is_bound)
            continue;
        memset(grant->id, 0, sizeof(grant->id));
        (void)options->find_thing(options->context, grant->thing, qn_span_str(grant->name),
                                  grant->id);
        grant->is_bound = true;
    }
    bind_apps(options, account);
    return QN_OK;
}

static void on_bound(void *context, enum qn_err err)
{
    if (err == QN_OK)
        staff_bind_grants(context); /* else in the next minute */
}

void staff_bind_grants(struct qn_staff *staff)
{
    struct qn_people *people = qn_staff_people(staff);
    size_t at = 0, count = qn_people_count(people);
    while (at < count && !is_loose(qn_people_at(people, at)))
        at++;
    if (at == count)
        return;
    qn_people_edit(people, &(struct qn_people_edit){.change = QN_PEOPLE_CHANGE,
                                                    .name = qn_people_at(people, at)->name,
                                                    .edit = bind_account,
                                                    .done = on_bound,
                                                    .context = staff});
}
