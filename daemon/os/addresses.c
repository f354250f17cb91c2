/* The addresses of the machine, without netlink: the service's sandbox has none (docs/adr/0035).
 * IPv4 by ioctl (netdevice(7)), IPv6 from /proc/net/if_inet6 (proc(5)). */
#include "os/os.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"

#define ADDRESS_SIZE 262
#define V4_MAX       256
#define V6_PATH      "/proc/net/if_inet6"
#define V6_LINE_SIZE 128
#define V6_LINES_MAX 1024

struct addresses {
    char (*texts)[ADDRESS_SIZE];
    size_t count, count_max;
    uint16_t port;
    int fd; /* a socket to ask by */
};

static bool is_useful_v4(const struct in_addr *address)
{
    uint32_t value = ntohl(address->s_addr);
    return value != INADDR_ANY && value >> 24 != 127 && value >> 16 != 0xa9fe /* 169.254/16 */ &&
           !IN_MULTICAST(value) && value != INADDR_BROADCAST;
}

static bool is_useful_v6(const struct in6_addr *address)
{
    return !IN6_IS_ADDR_UNSPECIFIED(address) && !IN6_IS_ADDR_LOOPBACK(address) &&
           !IN6_IS_ADDR_LINKLOCAL(address) && !IN6_IS_ADDR_MULTICAST(address) &&
           !IN6_IS_ADDR_V4MAPPED(address);
}

static bool is_in(const struct addresses *all, const char *text)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->texts[i], text) == 0)
            return true;
    return false;
}

/* OPEN and CLOSE are what stands around the address. */
static void add(struct addresses *all, const char *open, const char *address, const char *close)
{
    char text[ADDRESS_SIZE];
    snprintf(text, sizeof(text), "%s%s%s:%u", open, address, close, all->port);
    if (all->count < all->count_max && !is_in(all, text))
        memcpy(all->texts[all->count++], text, sizeof(text));
}

/* Up, and no loopback. */
static bool is_interface_useful(const struct addresses *all, const char *name)
{
    struct ifreq asked = {0};
    memcpy(asked.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
    return ioctl(all->fd, SIOCGIFFLAGS, &asked) == 0 && asked.ifr_flags & IFF_UP &&
           !(asked.ifr_flags & IFF_LOOPBACK);
}

static void add_v4(struct addresses *all)
{
    struct ifreq rows[V4_MAX];
    struct ifconf list = {.ifc_len = sizeof(rows), .ifc_req = rows};
    if (ioctl(all->fd, SIOCGIFCONF, &list) != 0)
        return;
    for (size_t i = 0; i < (size_t)list.ifc_len / sizeof(rows[0]); i++) {
        struct sockaddr_in address;
        char text[INET_ADDRSTRLEN];
        memcpy(&address, &rows[i].ifr_addr, sizeof(address));
        if (is_useful_v4(&address.sin_addr) && is_interface_useful(all, rows[i].ifr_name) &&
            inet_ntop(AF_INET, &address.sin_addr, text, sizeof(text)) != NULL)
            add(all, "", text, "");
    }
}

/* "fd000000000000000000000000000002 04 40 00 82     eth0" */
static bool read_v6(const char *line, struct in6_addr *ret_address, char ret_name[IFNAMSIZ])
{
    char hex[33];
    QN_AUTO_BUF struct qn_buf bytes;
    qn_buf_init(&bytes, sizeof(*ret_address));
    if (sscanf(line, "%32s %*s %*s %*s %*s %15s", hex, ret_name) != 2 ||
        qn_text_parse_hex(qn_span_str(hex), &bytes) != QN_OK || bytes.size != sizeof(*ret_address))
        return false;
    memcpy(ret_address, bytes.data, sizeof(*ret_address));
    return true;
}

static void add_v6(struct addresses *all)
{
    FILE *file = fopen(V6_PATH, "re"); /* absent where there is no IPv6 */
    if (file == NULL)
        return;
    char line[V6_LINE_SIZE];
    for (int i = 0; i < V6_LINES_MAX && fgets(line, sizeof(line), file) != NULL; i++) {
        struct in6_addr address;
        char text[INET6_ADDRSTRLEN], name[IFNAMSIZ];
        if (read_v6(line, &address, name) && is_useful_v6(&address) &&
            is_interface_useful(all, name) &&
            inet_ntop(AF_INET6, &address, text, sizeof(text)) != NULL)
            add(all, "[", text, "]");
    }
    fclose(file);
}

size_t qn_os_own_addresses(uint16_t port, char (*ret_addresses)[262], size_t count_max)
{
    struct addresses all = {.texts = ret_addresses,
                            .count_max = count_max,
                            .port = port,
                            .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (all.fd < 0)
        return 0;
    add_v4(&all);
    add_v6(&all);
    close(all.fd);
    return all.count;
}
