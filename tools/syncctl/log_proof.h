/* The proof of the audit trail. */
#pragma once

#include "ctl.h"

/* Prints what it found; CTL_FAILED if the trail is not what it was. */
int ctl_verify_trail(struct ctl *ctl);
/* The same of an exported one (log_file.h), without a daemon. */
int ctl_verify_trail_file(struct ctl *ctl, const char *path);
