/* Addresses as text: "1.2.3.4:7", "[2001:db8::1]:7", "name.example:7". Pure but for the system's
 * table of interface names behind a scope ("fe80::1%eth0"). Thread: any.
 */
#pragma once

#include <netinet/in.h>

#include "base/buf.h"
#include "base/limits.h"

#define QN_ADDRESS_TEXT_SIZE 80 /* any numeric address, with port and terminator */

struct qn_endpoint {
    char host[QN_ADDRESS_SIZE_MAX + 1]; /* without brackets */
    uint16_t port;
};

union qn_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* "HOST:PORT"; an IPv6 number needs its brackets. QN_ERR_INVALID for anything else, QN_ERR_LIMIT if
 * it is too long. Whether a name exists is not looked at. */
enum qn_err QN_CHECKED qn_endpoint_parse(const char *text, struct qn_endpoint *ret_endpoint);
/* QN_ERR_NOTFOUND if the host is a name and no number. */
enum qn_err QN_CHECKED qn_endpoint_number(const struct qn_endpoint *endpoint,
                                          union qn_address *ret_address);
/* Of a network that does not belong to the internet: RFC 1918, unique local, link-local, loopback.
 */
bool qn_address_is_private(const union qn_address *address);
bool qn_address_is_wildcard(const union qn_address *address); /* 0.0.0.0 or [::] */
/* An IPv4 address that came in over an IPv6 socket is shown as what it is. */
void qn_address_print(const union qn_address *address, char out[QN_ADDRESS_TEXT_SIZE]);
