#include "app/ranks.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

/* ---- names of the configuration ---- */

/* False: this machine knows nobody of that name. */
static bool find(const char *name, bool is_user, struct qn_os_acl_member *ret_who)
{
    const struct passwd *user = is_user ? getpwnam(name) : NULL;
    const struct group *group = is_user ? NULL : getgrnam(name);
    if (user == NULL && group == NULL)
        return false;
    ret_who->is_group = group != NULL;
    ret_who->id = group != NULL ? group->gr_gid : user->pw_uid;
    return true;
}

static void add_members(struct qn_ranks *ranks, enum qn_rank rank, const char *list,
                        struct qn_log *log)
{
    char name[QN_CONFIG_MEMBER_SIZE];
    bool is_user;
    ranks->is_used |= list[0] != '\0';
    while (qn_config_next_member(&list, name, &is_user) && ranks->count < QN_OS_ACL_MAX) {
        struct qn_os_acl_member who;
        if (!find(name, is_user, &who)) {
            qn_log(log, QN_LOG_ERROR,
                   "this machine has no %s %s: nobody gets the role %s by it; see [control]",
                   is_user ? "user" : "group", name, qn_rank_name(rank));
            continue;
        }
        ranks->members[ranks->count].rank = rank;
        ranks->members[ranks->count++].who = who;
    }
}

void qn_ranks_resolve(const struct qn_config *config, struct qn_log *log,
                      struct qn_ranks *ret_ranks)
{
    const struct group *group =
        config->control_group[0] != '\0' ? getgrnam(config->control_group) : NULL;
    *ret_ranks = (struct qn_ranks){.own_uid = geteuid(),
                                   .own_group = group != NULL ? group->gr_gid : getegid()};
    add_members(ret_ranks, QN_RANK_VIEWER, config->control_viewers, log);
    add_members(ret_ranks, QN_RANK_OPERATOR, config->control_operators, log);
    add_members(ret_ranks, QN_RANK_ADMIN, config->control_admins, log);
}

/* ---- who has which ---- */

static bool is_meant(const struct qn_os_acl_member *who, const struct qn_caller *caller)
{
    return who->is_group ? qn_caller_is_in(caller, who->id) : caller->uid == who->id;
}

enum qn_rank qn_ranks_of(const struct qn_ranks *ranks, const struct qn_caller *caller)
{
    if (!ranks->is_used)
        return QN_RANK_ADMIN;
    if (!caller->is_known)
        return QN_RANK_NONE;
    if (caller->uid == 0 || caller->uid == ranks->own_uid ||
        qn_caller_is_in(caller, ranks->own_group))
        return QN_RANK_ADMIN;
    enum qn_rank best = QN_RANK_NONE;
    for (size_t i = 0; i < ranks->count; i++)
        if (ranks->members[i].rank > best && is_meant(&ranks->members[i].who, caller))
            best = ranks->members[i].rank;
    return best;
}

/* ---- the way to the socket ---- */

static void let_in(const struct qn_os_acl *acl, const char *path, struct qn_log *log)
{
    enum qn_err err = qn_os_set_acl(path, acl);
    if (err == QN_ERR_INVALID)
        qn_log(log, QN_LOG_ERROR,
               "%s: the service cannot tell the users of this machine apart, so nobody gets in by "
               "a role of [control]; set PrivateUsers=no with: systemctl edit quoin",
               path);
    else if (err != QN_OK)
        qn_log(log, QN_LOG_ERROR,
               "%s: the access control list cannot be set (%s), so nobody gets in by a role of "
               "[control]",
               path, qn_err_name(err));
}

static void folder_of(const char *socket, char *out, size_t room)
{
    const char *slash = strrchr(socket, '/');
    snprintf(out, room, "%.*s", slash == NULL ? 1 : (int)(slash - socket),
             slash == NULL ? "." : socket);
}

void qn_ranks_open(const struct qn_ranks *ranks, const char *socket, struct qn_log *log)
{
    struct qn_os_acl_member members[QN_OS_ACL_MAX];
    char folder[QN_PATH_SIZE_MAX];
    size_t count = 0;
    for (size_t i = 0; i < ranks->count; i++)
        members[count++] = ranks->members[i].who;
    if (count > 0 && count < QN_OS_ACL_MAX) /* the folder may be of another group */
        members[count++] = (struct qn_os_acl_member){.is_group = true, .id = ranks->own_group};
    folder_of(socket, folder, sizeof(folder));
    struct qn_os_acl acl = {.owner_bits = 7, .bits = 1, .members = members, .count = count};
    if (count > 0) /* else what stands there may be somebody's own work, and opens nothing */
        let_in(&acl, folder, log);
    acl.owner_bits = acl.bits = 6;
    let_in(&acl, socket, log);
}
