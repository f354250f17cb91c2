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
} rows[] = {
    {"status", VIEWER},
    {"serve.status", VIEWER},
    {"serve.authority", VIEWER},
    {"log.level", ADMIN},

    {"site.list", VIEWER},
    {"site.show", VIEWER},
    {"site.report", VIEWER},
    {"site.invites", OPERATOR},
    {"site.invite", ADMIN},
    {"site.revoke", ADMIN},
    {"site.withdraw", ADMIN},
    {"site.trust", ADMIN},
    {"site.set", ADMIN},

    {"collection.list", VIEWER},
    {"collection.show", VIEWER},
    {"collection.create", ADMIN},
    {"collection.grant", ADMIN},
    {"collection.ungrant", ADMIN},
    {"collection.close", ADMIN},
    {"collection.resume", ADMIN},
    {"collection.rescue", ADMIN},
    {"collection.give-up", ADMIN},

    {"folder.list", VIEWER},
    {"folder.status", VIEWER},
    {"folder.names", OPERATOR},
    {"folder.detach", OPERATOR},
    {"folder.create", ADMIN},
    {"folder.attach", ADMIN},
    {"folder.delete", ADMIN},

    {"record.get", OPERATOR},
    {"record.list", OPERATOR},
    {"record.trash", OPERATOR},
    {"record.history", OPERATOR},
    {"record.put", OPERATOR},
    {"record.put-many", OPERATOR},
    {"record.delete", OPERATOR},
    {"record.restore", OPERATOR},
    {"record.erase", ADMIN},
    {"record.empty-trash", ADMIN},
    {"conflict.list", OPERATOR},
    {"conflict.resolve", OPERATOR},
    {"verify", OPERATOR},
    {"search", OPERATOR},

    {"backup.plans", VIEWER},
    {"backup.list", VIEWER},
    {"backup.run", OPERATOR},
    {"backup.stop", OPERATOR},
    {"backup.held", OPERATOR},
    {"backup.ls", OPERATOR},
    {"backup.diff", OPERATOR},
    {"backup.find", OPERATOR},
    {"backup.restore", OPERATOR},
    {"backup.verify", OPERATOR},
    {"backup.create", ADMIN},
    {"backup.change", ADMIN},
    {"backup.delete", ADMIN},
    {"backup.forget", ADMIN},
    {"backup.prune", ADMIN},
    {"holder.list", VIEWER},
    {"backup.agreement", ADMIN},
    {"holder.accept", ADMIN},
    {"holder.quota", ADMIN},
    {"vault.fetch", ADMIN},
    {"vault.lists", ADMIN},
    {"vault.names", ADMIN},
    {"vault.keys", ADMIN},
    {"vault.rebuild", ADMIN},

    {"user.list", OPERATOR},
    {"user.show", OPERATOR},
    {"user.app-add", OPERATOR},
    {"user.app-revoke", OPERATOR},
    {"user.add", ADMIN},
    {"user.role", ADMIN},
    {"user.password", ADMIN},
    {"user.disable", ADMIN},
    {"user.enable", ADMIN},
    {"user.remove", ADMIN},
    {"user.grant", ADMIN},
    {"user.revoke", ADMIN},
    {"user.totp-new", ADMIN},
    {"user.totp-set", ADMIN},
    {"user.totp-remove", ADMIN},

    {"audit.read", ADMIN},
    {"audit.rows", ADMIN},
    {"audit.proof", ADMIN},
    {"audit.witnesses", ADMIN},
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

const char *qn_rank_name(enum qn_rank rank)
{
    static const char *const names[] = {"none", "viewer", "operator", "admin"};
    return names[rank];
}
