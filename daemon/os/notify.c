#include "os/os.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_MAX_US 200000 /* what a stuck service manager may cost the loop */

/* A path, or with '@' first a name in the abstract space (sd_notify(3)). */
static bool make_address(const char *name, struct sockaddr_un *address, socklen_t *ret_size)
{
    size_t size = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || size < 2 || size >= sizeof(address->sun_path))
        return false;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, name, size);
    bool is_abstract = name[0] == '@';
    if (is_abstract)
        address->sun_path[0] = '\0';
    *ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (is_abstract ? 0 : 1));
    return true;
}

/* Nothing can be done about a failure, and nothing here depends on the answer. */
void qn_os_notify(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t address_size;
    if (name == NULL || !make_address(name, &address, &address_size))
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    struct timeval wait = {.tv_usec = WAIT_MAX_US};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    ssize_t sent;
    do {
        sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                      address_size);
    } while (sent < 0 && errno == EINTR);
    close(fd);
}

static bool parse_number(const char *text, uint64_t *ret_value)
{
    if (text == NULL || text[0] < '0' || text[0] > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0')
        return false;
    *ret_value = value;
    return true;
}

uint64_t qn_os_watchdog_ms(void)
{
    uint64_t interval_us, pid;
    if (!parse_number(getenv("WATCHDOG_USEC"), &interval_us))
        return 0;
    const char *owner = getenv("WATCHDOG_PID");
    if (owner != NULL && (!parse_number(owner, &pid) || pid != (uint64_t)getpid()))
        return 0;
    return interval_us / 1000;
}
