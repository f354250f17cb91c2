#include "os/os.h"

#include <errno.h>
#include <sys/random.h>

#include "base/assert.h"

void qn_os_random(void *out, size_t size)
{
    uint8_t *at = out;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        QN_ASSERT(got > 0);
        at += got;
        size -= (size_t)got;
    }
}
