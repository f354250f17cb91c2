/* A source that asks the reading unit. */
#pragma once

#include "reader/source.h"

/* An answer that takes longer means that the unit hangs, on a file server that is down for example:
 * the source is broken then. */
#define QN_REMOTE_TIME_MAX_S 300

/* Connects and agrees on the version. 0 or errno: ENOENT, ECONNREFUSED (it does not run), EACCES
 * (it does not serve this user), EOPNOTSUPP (another version). */
int qn_remote_new(const char *path, struct qn_source **ret_source);
