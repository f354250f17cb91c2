#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "os/os.h"

/* What there is depends on the machine; what there must not be does not. */
Test(addresses, are_such_that_another_machine_could_use_them)
{
    static char addresses[64][262];
    size_t count = qn_os_own_addresses(4711, addresses, 64);
    for (size_t i = 0; i < count; i++) {
        const char *text = addresses[i];
        cr_assert_not_null(strstr(text, ":4711"), "%s", text);
        cr_assert(strncmp(text, "127.", 4) != 0 && strncmp(text, "169.254.", 8) != 0, "%s", text);
        cr_assert(strncmp(text, "[::1]", 5) != 0 && strncmp(text, "[fe80:", 6) != 0, "%s", text);
        for (size_t j = 0; j < i; j++)
            cr_assert_str_neq(addresses[j], text);
    }
}

Test(addresses, stop_at_the_maximum)
{
    static char addresses[2][262];
    cr_assert_eq(qn_os_own_addresses(1, addresses, 0), 0);
    cr_assert_leq(qn_os_own_addresses(1, addresses, 1), 1);
    cr_assert_str_empty(addresses[1]);
}

static bool is_told(const char *text)
{
    static char addresses[64][262];
    size_t count = qn_os_own_addresses(9, addresses, 64);
    for (size_t i = 0; i < count; i++)
        if (strcmp(addresses[i], text) == 0)
            return true;
    return false;
}

/* The library asks over netlink, which the service may not. */
Test(addresses, are_those_that_the_library_knows)
{
    struct ifaddrs *all;
    cr_assert_eq(getifaddrs(&all), 0);
    for (const struct ifaddrs *it = all; it != NULL; it = it->ifa_next) {
        char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 16];
        if (it->ifa_addr == NULL || !(it->ifa_flags & IFF_UP))
            continue;
        int family = it->ifa_addr->sa_family;
        bool is_v4 = family == AF_INET;
        if (!is_v4 && family != AF_INET6)
            continue;
        const void *bytes =
            is_v4 ? (const void *)&((const struct sockaddr_in *)it->ifa_addr)->sin_addr
                  : &((const struct sockaddr_in6 *)it->ifa_addr)->sin6_addr;
        cr_assert_not_null(inet_ntop(family, bytes, host, sizeof(host)));
        bool is_local = it->ifa_flags & IFF_LOOPBACK || strncmp(host, "fe80:", 5) == 0 ||
                        strncmp(host, "169.254.", 8) == 0;
        snprintf(text, sizeof(text), is_v4 ? "%s:9" : "[%s]:9", host);
        cr_assert_eq(is_told(text), !is_local, "%s", text);
    }
    freeifaddrs(all);
}
