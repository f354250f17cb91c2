/* What systemd does for a socket with Accept=yes: a process for each connection, whose standard
 * input, output and errors are the connection.
 *
 *     accept SOCKET PROGRAM
 *
 * Until it is ended by a signal. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (strlen(path) >= sizeof(address.sun_path))
        return -1;
    memcpy(address.sun_path, path, strlen(path));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 4) != 0)
        return -1;
    return fd;
}

static void run(int connection, const char *program)
{
    for (int fd = 0; fd <= 2; fd++)
        if (dup2(connection, fd) < 0)
            _exit(126);
    close(connection);
    signal(SIGCHLD, SIG_DFL);
    execl(program, program, (char *)NULL);
    _exit(127);
}

int main(int argc, char **argv)
{
    int fd = argc == 3 ? listen_at(argv[1]) : -1;
    if (fd < 0) {
        perror("accept SOCKET PROGRAM");
        return 2;
    }
    signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
    for (;;) {
        int connection = accept(fd, NULL, NULL);
        if (connection < 0)
            continue;
        if (fork() == 0)
            run(connection, argv[2]);
        close(connection);
    }
}
