#include "os/os.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

#define ADDRESS_SIZE 262

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

static bool print_address(const struct sockaddr *address, uint16_t port, char out[ADDRESS_SIZE])
{
    char text[INET6_ADDRSTRLEN];
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    switch (address->sa_family) {
    case AF_INET:
        memcpy(&v4, address, sizeof(v4));
        if (!is_useful_v4(&v4.sin_addr) || !inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text)))
            return false;
        snprintf(out, ADDRESS_SIZE, "%s:%u", text, port);
        return true;
    case AF_INET6:
        memcpy(&v6, address, sizeof(v6));
        if (!is_useful_v6(&v6.sin6_addr) || !inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text)))
            return false;
        snprintf(out, ADDRESS_SIZE, "[%s]:%u", text, port);
        return true;
    default:
        return false;
    }
}

static bool is_in(char (*addresses)[ADDRESS_SIZE], size_t count, const char *address)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(addresses[i], address) == 0)
            return true;
    return false;
}

size_t qn_os_own_addresses(uint16_t port, char (*ret_addresses)[262], size_t count_max)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0)
        return 0;
    size_t count = 0;
    for (struct ifaddrs *it = all; it != NULL && count < count_max; it = it->ifa_next) {
        char text[ADDRESS_SIZE];
        if (it->ifa_addr == NULL || !(it->ifa_flags & IFF_UP) || it->ifa_flags & IFF_LOOPBACK)
            continue;
        if (!print_address(it->ifa_addr, port, text) || is_in(ret_addresses, count, text))
            continue;
        memcpy(ret_addresses[count++], text, sizeof(text));
    }
    freeifaddrs(all);
    return count;
}
