/* The proof of the audit trail. */
#pragma once

#include "ctl.h"

/* Prints what it found; CTL_FAILED if the trail is not what it was. */
int ctl_verify_trail(struct ctl *ctl);
