/* The health of the clock behind the times of the trail (docs/audit.md 2): looked at each minute,
 * noted after a start and when it changes. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/os.h"

#define QN_CLOCK_TEXT_SIZE 64

struct qn_clock_watch {
    bool has_looked;
    enum qn_os_sync sync;
    int64_t wall_to_boot_ms; /* wall clock minus the clock that nobody sets */
};

/* False: nothing is to be noted; else the object of the entry. Of two changes at once the setting
 * is told first, the other one at the next look. */
bool qn_clock_look(struct qn_clock_watch *watch, enum qn_os_sync sync, uint64_t wall_ms,
                   uint64_t boot_ms, char ret_object[QN_CLOCK_TEXT_SIZE]);
