#include "app/new_name.h"

#include <stdio.h>

#include "base/mem.h"
#include "core/args.h"
#include "files/names.h"
#include "people/account.h"

#define FOLDED_SIZE_MAX (8 * QN_NAME_SIZE_MAX)

struct check {
    struct qn_span name;
    struct qn_buf folded, other;
    struct qn_refusal *refusal;
    bool is_alike;
};

static void refuse(struct check *check, const char *code, struct qn_span object)
{
    *check->refusal = (struct qn_refusal){.err = QN_ERR_EXISTS, .code = code};
    snprintf(check->refusal->object, sizeof(check->refusal->object), "%.*s", (int)object.size,
             (const char *)object.data);
}

/* The very same is told of by whoever runs the command. */
static void compare(struct check *check, const char *other)
{
    struct qn_span name = qn_span_str(other);
    if (check->is_alike || qn_span_eq(name, check->name))
        return;
    qn_buf_reset(&check->other);
    check->is_alike = qn_name_fold(name, &check->other) == QN_OK &&
                      qn_span_eq(qn_buf_view(&check->other), qn_buf_view(&check->folded));
    if (check->is_alike)
        refuse(check, "name-alike", name);
}

static void with_collections(struct check *check, const struct qn_core *core)
{
    QN_AUTO_FREE struct qn_coll_view *collections = NULL;
    QN_AUTO_FREE struct qn_folder_view *folders = NULL;
    size_t count = qn_core_collections(core, &collections);
    for (size_t i = 0; i < count; i++)
        compare(check, collections[i].name);
    count = qn_core_folders(core, &folders);
    for (size_t i = 0; i < count; i++)
        compare(check, folders[i].name);
}

static void with_sites(struct check *check, const struct qn_core *core)
{
    const struct qn_group *group = qn_core_group(core);
    if (group == NULL)
        return;
    qn_vec_each (&group->sites, site)
        if (site->state == QN_SITE_MEMBER)
            compare(check, site->name);
}

static void with_people(struct check *check, const struct qn_people *people)
{
    for (size_t i = 0; people != NULL && i < qn_people_count(people); i++)
        compare(check, qn_people_at(people, i)->name);
}

static bool is_composed(struct check *check)
{
    qn_buf_reset(&check->other);
    return qn_name_compose(check->name, &check->other) == QN_OK &&
           qn_span_eq(qn_buf_view(&check->other), check->name);
}

static void run(struct check *check, const struct qn_core *core, const struct qn_people *people,
                struct qn_span command)
{
    if (qn_name_fold(check->name, &check->folded) != QN_OK)
        return; /* no text: refused as a name */
    check->is_alike = !is_composed(check);
    if (check->is_alike)
        refuse(check, "name-form", check->name);
    else if (qn_span_eq_str(command, "user.add"))
        with_people(check, people);
    else if (qn_span_eq_str(command, "site.invite"))
        with_sites(check, core);
    else
        with_collections(check, core);
}

static enum qn_err judge(struct check *check, const struct qn_core *core,
                         const struct qn_people *people, struct qn_span command)
{
    qn_buf_init(&check->folded, FOLDED_SIZE_MAX);
    qn_buf_init(&check->other, FOLDED_SIZE_MAX);
    run(check, core, people, command);
    qn_buf_deinit(&check->folded);
    qn_buf_deinit(&check->other);
    return check->is_alike ? check->refusal->err : QN_OK;
}

enum qn_err qn_new_name_check(const struct qn_core *core, const struct qn_people *people,
                              struct qn_span command, struct qn_span args,
                              struct qn_refusal *ret_refusal)
{
    struct check check = {.refusal = ret_refusal};
    bool makes_name =
        qn_span_eq_str(command, "user.add") || qn_span_eq_str(command, "site.invite") ||
        qn_span_eq_str(command, "collection.create") || qn_span_eq_str(command, "folder.create");
    if (!makes_name || !args_text(args, "name", QN_NAME_SIZE_MAX, &check.name))
        return QN_OK;
    return judge(&check, core, people, command);
}

enum qn_err qn_new_person_check(const struct qn_people *people, struct qn_span name,
                                struct qn_refusal *ret_refusal)
{
    struct check check = {.refusal = ret_refusal, .name = name};
    return judge(&check, NULL, people, qn_span_str("user.add"));
}
