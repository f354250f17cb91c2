#include "core/backup.h"

void qn_core_set_rate(struct qn_core *core, const struct qn_timetable *rate)
{
    core->rate = rate != NULL ? *rate : (struct qn_timetable){.otherwise = UINT64_MAX};
}

uint64_t core_bulk_rate(const struct qn_core *core)
{
    uint64_t until_ms;
    return qn_timetable_rate(&core->rate, core->wall_ms, core->backup->offset_s, &until_ms);
}

/* By the wall clock: one that is set meanwhile is seen by the next who asks. */
uint64_t core_bulk_rate_until(const struct qn_core *core)
{
    uint64_t until_ms;
    (void)qn_timetable_rate(&core->rate, core->wall_ms, core->backup->offset_s, &until_ms);
    return until_ms == UINT64_MAX ? UINT64_MAX : core->now_ms + (until_ms - core->wall_ms);
}
