/* A service manager that listens: prints what it is told, a line each (sd_notify(3)).
 *
 *   notify SOCKET SECONDS      ends by itself after so long
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 3)
        return 64;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        perror(argv[1]);
        return 1;
    }
    alarm((unsigned)atoi(argv[2]));
    char text[1024];
    for (ssize_t size; (size = recv(fd, text, sizeof(text), 0)) >= 0;) {
        printf("%.*s\n", (int)size, text);
        fflush(stdout);
    }
    return 1;
}
