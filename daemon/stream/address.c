#include "stream/address.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

/* Decimal, 0 to 65535, no sign, no leading zero. */
static bool parse_port(const char *text, uint16_t *ret_port)
{
    size_t length = strlen(text);
    uint32_t port = 0;
    if (length == 0 || length > 5 || (length > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    *ret_port = (uint16_t)port;
    return port <= UINT16_MAX;
}

static bool is_host_char(char c, bool is_bracketed)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return true;
    return c == '.' || c == '-' || c == '_' || (is_bracketed && (c == ':' || c == '%'));
}

enum qn_err qn_endpoint_parse(const char *text, struct qn_endpoint *ret_endpoint)
{
    struct qn_endpoint endpoint = {0};
    const char *colon = strrchr(text, ':');
    if (strlen(text) > QN_ADDRESS_SIZE_MAX)
        return QN_ERR_LIMIT;
    if (colon == NULL || !parse_port(colon + 1, &endpoint.port))
        return QN_ERR_INVALID;
    bool is_bracketed = text[0] == '[';
    const char *begin = text + is_bracketed, *end = colon - is_bracketed;
    if (end <= begin || (is_bracketed && *end != ']'))
        return QN_ERR_INVALID;
    for (const char *at = begin; at < end; at++)
        if (!is_host_char(*at, is_bracketed))
            return QN_ERR_INVALID;
    memcpy(endpoint.host, begin, (size_t)(end - begin));
    if (is_bracketed && strchr(endpoint.host, ':') == NULL)
        return QN_ERR_INVALID;
    *ret_endpoint = endpoint;
    return QN_OK;
}

enum qn_err qn_endpoint_number(const struct qn_endpoint *endpoint, union qn_address *ret_address)
{
    union qn_address address = {0};
    if (uv_ip4_addr(endpoint->host, endpoint->port, &address.v4) != 0 &&
        uv_ip6_addr(endpoint->host, endpoint->port, &address.v6) != 0)
        return QN_ERR_NOTFOUND;
    *ret_address = address;
    return QN_OK;
}

static union qn_address unmapped(const union qn_address *address)
{
    if (address->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
        return *address;
    union qn_address plain = {.v4 = {.sin_family = AF_INET, .sin_port = address->v6.sin6_port}};
    memcpy(&plain.v4.sin_addr, address->v6.sin6_addr.s6_addr + 12, sizeof(plain.v4.sin_addr));
    return plain;
}

void qn_address_print(const union qn_address *address, char out[QN_ADDRESS_TEXT_SIZE])
{
    union qn_address plain = unmapped(address);
    char host[INET6_ADDRSTRLEN] = "?";
    if (plain.any.sa_family == AF_INET6) {
        uv_ip6_name(&plain.v6, host, sizeof(host));
        snprintf(out, QN_ADDRESS_TEXT_SIZE, "[%s]:%u", host, ntohs(plain.v6.sin6_port));
    } else {
        uv_ip4_name(&plain.v4, host, sizeof(host));
        snprintf(out, QN_ADDRESS_TEXT_SIZE, "%s:%u", host, ntohs(plain.v4.sin_port));
    }
}

static bool is_private_v4(uint32_t ip)
{
    return ip >> 24 == 10 || ip >> 20 == (172 << 4 | 1) || ip >> 16 == (192 << 8 | 168) ||
           ip >> 16 == (169 << 8 | 254) || ip >> 24 == 127;
}

bool qn_address_is_private(const union qn_address *address)
{
    union qn_address plain = unmapped(address);
    if (plain.any.sa_family == AF_INET)
        return is_private_v4(ntohl(plain.v4.sin_addr.s_addr));
    const struct in6_addr *ip = &plain.v6.sin6_addr;
    return plain.any.sa_family == AF_INET6 &&
           ((ip->s6_addr[0] & 0xfe) == 0xfc || IN6_IS_ADDR_LINKLOCAL(ip) ||
            IN6_IS_ADDR_LOOPBACK(ip));
}

bool qn_address_is_wildcard(const union qn_address *address)
{
    if (address->any.sa_family == AF_INET)
        return address->v4.sin_addr.s_addr == htonl(INADDR_ANY);
    return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}
