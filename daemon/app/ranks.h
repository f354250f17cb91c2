/* Roles over the control socket: what each command needs at least (the one table, command_ranks.c),
 * and what the configuration gives to whom. What has no row in the table is no command. People who
 * come by HTTPS have rights of their own (people/people.h) and are judged there.
 *
 * Loop thread.
 */
#pragma once

#include "app/caller.h"
#include "app/log.h"
#include "os/os.h"

enum qn_rank { /* each may do what those before it may */
               QN_RANK_NONE,
               QN_RANK_VIEWER,
               QN_RANK_OPERATOR,
               QN_RANK_ADMIN
};

const char *qn_rank_name(enum qn_rank rank); /* none, viewer, operator, admin */
/* The least that a command needs with these arguments; NONE: there is no such command. */
enum qn_rank qn_rank_of_command(struct qn_span command, struct qn_span args);
/* What the trail calls it; NULL: the control socket does not note it. */
const char *qn_rank_action(struct qn_span command);
/* The rows of the table, for its tests; false: there are no more. */
bool qn_rank_row(size_t index, const char **ret_command, enum qn_rank *ret_rank);

/* [control] of the configuration, with the numbers of this machine. */
struct qn_ranks {
    bool
        is_used; /* false: no role is given to anybody, and whoever may connect may do everything */
    uint32_t own_uid, own_group; /* of the daemon; of the socket */
    struct {
        enum qn_rank rank;
        struct qn_os_acl_member who;
    } members[QN_OS_ACL_MAX];
    size_t count;
};

/* Names that this machine does not know give nobody anything, and are logged. */
void qn_ranks_resolve(const struct qn_config *config, struct qn_log *log,
                      struct qn_ranks *ret_ranks);
enum qn_rank qn_ranks_of(const struct qn_ranks *ranks, const struct qn_caller *caller);
/* Lets all members connect: to the socket, and through the folder that it is in. What fails is
 * logged: they stay outside. */
void qn_ranks_open(const struct qn_ranks *ranks, const char *socket, struct qn_log *log);
