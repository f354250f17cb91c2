/* Names of users and groups, kept for a while: the system's databases may be slow. */
#pragma once

#include "base/span.h"

struct qn_walk_owners;
struct qn_walk_owners *qn_walk_owners_new(void);
void qn_walk_owners_free(struct qn_walk_owners *owners); /* accepts NULL */
/* Empty if there is none, or it is longer than 255 bytes. Valid until the next call for a user, or
 * for a group. */
struct qn_span qn_walk_owners_user(struct qn_walk_owners *owners, uint32_t uid);
struct qn_span qn_walk_owners_group(struct qn_walk_owners *owners, uint32_t gid);
