/* The least role for each command of docs/control.md. What a role may do, in a sentence each:
 *
 *   viewer     how the site is, without contents: no record, no name of a file but in an alert
 *   operator   the work of each day: records, running and restoring backups, passwords of devices
 *   admin      what destroys, what changes who sees what, and what names a path that the daemon
 *              then opens: whoever chooses the path could read with the daemon's eyes
 */
#include "app/ranks.h"
#include "core/args.h"

#define VIEWER   QN_RANK_VIEWER
#define OPERATOR QN_RANK_OPERATOR
#define ADMIN    QN_RANK_ADMIN

static const struct {
    const char *command;
    enum qn_rank rank;
    const char *action; /* in the trail (control_trail.c); NULL: not noted, or not there */
} rows[] = {
    {"status", VIEWER, NULL},
    {"serve.status", VIEWER, NULL},
    {"serve.authority", VIEWER, NULL},
    {"log.level", ADMIN, "log.level"},

    {"site.list", VIEWER, NULL},
    {"site.show", VIEWER, NULL},
    {"site.report", VIEWER, NULL},
    {"site.invites", OPERATOR, NULL},
    {"site.invite", ADMIN, "site.invite"},
    {"site.revoke", ADMIN, "site.revoke"},
    {"site.withdraw", ADMIN, "site.withdraw"},
    {"site.trust", ADMIN, "site.trust"},
    {"site.set", ADMIN, "site.set"},

    {"collection.list", VIEWER, NULL},
    {"collection.show", VIEWER, NULL},
    {"collection.create", ADMIN, "collection.create"},
    {"collection.grant", ADMIN, "collection.grant"},
    {"collection.ungrant", ADMIN, "collection.ungrant"},
    {"collection.close", ADMIN, "collection.close"},
    {"collection.resume", ADMIN, "collection.resume"},
    {"collection.rescue", ADMIN, "collection.rescue"},
    {"collection.give-up", ADMIN, "collection.give-up"},

    {"folder.list", VIEWER, NULL},
    {"folder.status", VIEWER, NULL},
    {"folder.names", OPERATOR, NULL},
    {"folder.detach", OPERATOR, "folder.detach"},
    {"folder.create", ADMIN, "folder.create"},
    {"folder.attach", ADMIN, "folder.attach"},
    {"folder.delete", ADMIN, "folder.delete"},

    {"record.get", OPERATOR, "read"},
    {"record.list", OPERATOR, "read"},
    {"record.trash", OPERATOR, "read"},
    {"record.history", OPERATOR, "read"},
    {"record.put", OPERATOR, NULL},
    {"record.put-many", OPERATOR, NULL},
    {"record.delete", OPERATOR, NULL},
    {"record.restore", OPERATOR, NULL},
    {"record.erase", ADMIN, "erase"},
    {"record.empty-trash", ADMIN, "erase"},
    {"conflict.list", OPERATOR, "list"},
    {"conflict.resolve", OPERATOR, NULL},
    {"verify", OPERATOR, NULL},
    {"search", OPERATOR, "search"},

    {"backup.plans", VIEWER, NULL},
    {"backup.list", VIEWER, NULL},
    {"backup.run", OPERATOR, NULL},
    {"backup.stop", OPERATOR, NULL},
    {"backup.held", OPERATOR, NULL},
    {"backup.ls", OPERATOR, "list"},
    {"backup.diff", OPERATOR, "list"},
    {"backup.find", OPERATOR, "list"},
    {"backup.restore", OPERATOR, "restore"},
    {"backup.verify", OPERATOR, NULL},
    {"backup.create", ADMIN, "backup.create"},
    {"backup.change", ADMIN, "backup.change"},
    {"backup.delete", ADMIN, "backup.delete"},
    {"backup.forget", ADMIN, "backup.forget"},
    {"backup.prune", ADMIN, "backup.prune"},
    {"holder.list", VIEWER, NULL},
    {"backup.agreement", ADMIN, "backup.agreement"},
    {"holder.accept", ADMIN, "holder.accept"},
    {"holder.quota", ADMIN, "holder.quota"},
    {"vault.fetch", ADMIN, NULL},
    {"vault.lists", ADMIN, NULL},
    {"vault.names", ADMIN, NULL},
    {"vault.keys", ADMIN, NULL},
    {"vault.rebuild", ADMIN, NULL},

    {"user.list", OPERATOR, NULL},
    {"user.show", OPERATOR, NULL},
    {"user.app-add", OPERATOR, NULL},
    {"user.app-revoke", OPERATOR, NULL},
    {"user.add", ADMIN, NULL},
    {"user.role", ADMIN, NULL},
    {"user.password", ADMIN, NULL},
    {"user.disable", ADMIN, NULL},
    {"user.enable", ADMIN, NULL},
    {"user.remove", ADMIN, NULL},
    {"user.grant", ADMIN, NULL},
    {"user.revoke", ADMIN, NULL},
    {"user.totp-new", ADMIN, NULL},
    {"user.totp-set", ADMIN, NULL},
    {"user.totp-remove", ADMIN, NULL},

    {"audit.read", ADMIN, NULL},
    {"audit.rows", ADMIN, NULL},
    {"audit.proof", ADMIN, NULL},
    {"audit.witnesses", ADMIN, NULL},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

bool qn_rank_row(size_t index, const char **ret_command, enum qn_rank *ret_rank)
{
    if (index >= ROW_COUNT)
        return false;
    *ret_command = rows[index].command;
    *ret_rank = rows[index].rank;
    return true;
}

/* The copy of the site's own store has what proves who people are: hashes of passwords, secrets of
 * second factors. */
static bool wants_store(struct qn_span args)
{
    struct qn_cursor cursor = qn_cursor(args_value(args, "store"));
    bool wants = false;
    return qn_cursor_bool(&cursor, &wants) == QN_OK && wants;
}

enum qn_rank qn_rank_of_command(struct qn_span command, struct qn_span args)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (qn_span_eq_str(command, rows[i].command))
            return wants_store(args) ? ADMIN : rows[i].rank;
    }
    return QN_RANK_NONE;
}

const char *qn_rank_action(struct qn_span command)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (qn_span_eq_str(command, rows[i].command))
            return rows[i].action;
    return NULL;
}

const char *qn_rank_name(enum qn_rank rank)
{
    static const char *const names[] = {"none", "viewer", "operator", "admin"};
    return names[rank];
}
