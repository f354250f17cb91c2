/* The daemon: everything put together, started in the order in which it can fail, ended in the
 * reverse. One per state directory.
 */
#pragma once

#include "app/config.h"
#include "base/err.h"

#define QN_EXIT_FAILED 2

struct qn_daemon_options {
    const char *state_dir;
    const char *config_path;
    const char *version;
};

/* Runs until SIGTERM or a fatal error. Exit status: 0 stopped; 2 failed, as syncctl's; 78 not
 * initialised or configured wrongly, which trying again does not mend (sysexits.h). */
int qn_daemon_run(const struct qn_daemon_options *options);
