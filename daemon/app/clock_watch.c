#include "app/clock_watch.h"

#include <inttypes.h>
#include <stdio.h>

#define SET_MS 2000 /* NTP slews by less between two looks */

static const char *word_of(enum qn_os_sync sync)
{
    switch (sync) {
    case QN_OS_SYNC_YES:
        return "synchronised";
    case QN_OS_SYNC_NO:
        return "unsynchronised";
    case QN_OS_SYNC_UNKNOWN:
        break;
    }
    return "unknown";
}

static bool was_set(struct qn_clock_watch *watch, int64_t wall_to_boot_ms, int64_t *ret_by_ms)
{
    *ret_by_ms = wall_to_boot_ms - watch->wall_to_boot_ms;
    watch->wall_to_boot_ms = wall_to_boot_ms;
    return watch->has_looked && (*ret_by_ms > SET_MS || *ret_by_ms < -SET_MS);
}

bool qn_clock_look(struct qn_clock_watch *watch, enum qn_os_sync sync, uint64_t wall_ms,
                   uint64_t boot_ms, char ret_object[QN_CLOCK_TEXT_SIZE])
{
    int64_t by_ms;
    if (was_set(watch, (int64_t)wall_ms - (int64_t)boot_ms, &by_ms)) {
        snprintf(ret_object, QN_CLOCK_TEXT_SIZE, "clock:set %+" PRId64 " s", by_ms / 1000);
        return true;
    }
    bool is_news = !watch->has_looked || sync != watch->sync;
    watch->has_looked = true;
    watch->sync = sync;
    if (is_news)
        snprintf(ret_object, QN_CLOCK_TEXT_SIZE, "clock:%s", word_of(sync));
    return is_news;
}
