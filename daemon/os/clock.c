#include "os/os.h"

#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

static uint64_t read_ms(clockid_t clock)
{
    struct timespec now;
    QN_ASSERT(clock_gettime(clock, &now) == 0);
    QN_ASSERT(now.tv_sec >= 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t qn_os_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

uint64_t qn_os_boot_ms(void)
{
    return read_ms(CLOCK_BOOTTIME);
}

/* timesyncd leaves a file, which also who is locked in may see; else the kernel knows. */
enum qn_os_sync qn_os_clock_sync(void)
{
    if (access("/run/systemd/timesync/synchronized", F_OK) == 0)
        return QN_OS_SYNC_YES;
    struct timex state = {.modes = 0};
    int code = adjtimex(&state);
    if (code < 0)
        return QN_OS_SYNC_UNKNOWN;
    return code == TIME_ERROR ? QN_OS_SYNC_NO : QN_OS_SYNC_YES;
}

int32_t qn_os_offset_s(uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm local;
    return localtime_r(&seconds, &local) == NULL ? 0 : (int32_t)local.tm_gmtoff;
}

uint64_t qn_os_disk_bytes(const char *path)
{
    struct statvfs status;
    return statvfs(path, &status) != 0 ? 0 : (uint64_t)status.f_blocks * status.f_frsize;
}
