#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "os/os.h"
#include "support/tmp_dir.h"

/* The service manager's end. */
static int listen_at(const char *name, bool is_abstract)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    strcpy(address.sun_path, name);
    if (is_abstract)
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, is_abstract ? size : size + 1), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void assert_received(int fd, const char *wanted)
{
    char text[64] = "";
    cr_assert_eq(recv(fd, text, sizeof(text) - 1, 0), (ssize_t)strlen(wanted));
    cr_assert_str_eq(text, wanted);
}

Test(notify, reaches_a_path)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    char path[TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    int fd = listen_at(tmp_dir_at(&dir, "notify", path), false);
    qn_os_notify("READY=1");
    qn_os_notify("STATUS=all is well");
    assert_received(fd, "READY=1");
    assert_received(fd, "STATUS=all is well");
    close(fd);
}

Test(notify, reaches_an_abstract_name)
{
    char name[64];
    snprintf(name, sizeof(name), "@quoin-test-%d", getpid());
    int fd = listen_at(name, true);
    qn_os_notify("WATCHDOG=1");
    assert_received(fd, "WATCHDOG=1");
    close(fd);
}

Test(notify, does_not_mind_that_nobody_listens)
{
    char name[300] = "/";
    unsetenv("NOTIFY_SOCKET");
    qn_os_notify("READY=1");
    setenv("NOTIFY_SOCKET", "/no/such/socket", 1);
    qn_os_notify("READY=1");
    setenv("NOTIFY_SOCKET", "", 1);
    qn_os_notify("READY=1");
    setenv("NOTIFY_SOCKET", "relative", 1);
    qn_os_notify("READY=1");
    memset(name + 1, 'x', sizeof(name) - 2);
    setenv("NOTIFY_SOCKET", name, 1);
    qn_os_notify("READY=1");
}

static uint64_t watchdog_with(const char *interval_us, const char *pid)
{
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    if (interval_us != NULL)
        setenv("WATCHDOG_USEC", interval_us, 1);
    if (pid != NULL)
        setenv("WATCHDOG_PID", pid, 1);
    return qn_os_watchdog_ms();
}

Test(watchdog, is_for_this_process_or_off)
{
    char own[16], other[16];
    snprintf(own, sizeof(own), "%d", getpid());
    snprintf(other, sizeof(other), "%d", getppid());
    cr_assert_eq(watchdog_with("30000000", own), 30000);
    cr_assert_eq(watchdog_with("30000000", NULL), 30000);
    cr_assert_eq(watchdog_with("30000000", other), 0);
    cr_assert_eq(watchdog_with(NULL, own), 0);
    cr_assert_eq(watchdog_with("soon", own), 0);
    cr_assert_eq(watchdog_with("-5", own), 0);
    cr_assert_eq(watchdog_with("30000000x", own), 0);
    cr_assert_eq(watchdog_with("99999999999999999999999", own), 0);
}
