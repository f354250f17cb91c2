#include "os/os.h"

#include <time.h>

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
