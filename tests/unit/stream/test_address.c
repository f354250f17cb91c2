#include <arpa/inet.h>
#include <criterion/criterion.h>

#include "stream/address.h"

Test(address, forms_that_are_read)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } cases[] = {
        {"1.2.3.4:0", "1.2.3.4", 0},
        {"site-b.example.org:65535", "site-b.example.org", 65535},
        {"[2001:db8::1]:7411", "2001:db8::1", 7411},
        {"[fe80::1%eth0]:1", "fe80::1%eth0", 1},
        {"localhost:9", "localhost", 9},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct qn_endpoint endpoint;
        cr_assert_eq(qn_endpoint_parse(cases[i].text, &endpoint), QN_OK, "%s", cases[i].text);
        cr_assert_str_eq(endpoint.host, cases[i].host);
        cr_assert_eq(endpoint.port, cases[i].port);
    }
}

Test(address, forms_that_are_refused)
{
    static const char *const cases[] = {
        "",         ":",       ":1",          "a",       "a:",      "a:65536",    "a:99999",
        "a:123456", "a:01",    "a:-1",        "a:+1",    "a: 1",    "a b:1",      "a/b:1",
        "::1:80",   "[::1]",   "[]:1",        "[::1:80", "::1]:80", "[1]:80",     "a:b:1",
        "a\n:1",    "[a.b]:1", "[::1]x:1",    "a@b:1",   "[:1",     "\xc3\xa9:1", "user:a:1",
        "a:0x10",   "a:1 ",    "[2001:db8]1", "[",
    };
    struct qn_endpoint endpoint;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_eq(qn_endpoint_parse(cases[i], &endpoint), QN_ERR_INVALID, "%s", cases[i]);
}

Test(address, length_is_limited)
{
    char text[QN_ADDRESS_SIZE_MAX + 2];
    struct qn_endpoint endpoint;
    memset(text, 'a', sizeof(text));
    strcpy(text + sizeof(text) - 3, ":1");
    cr_assert_eq(qn_endpoint_parse(text, &endpoint), QN_ERR_LIMIT);
    cr_assert_eq(qn_endpoint_parse(text + 1, &endpoint), QN_OK);
}

Test(address, numbers_and_names)
{
    struct qn_endpoint endpoint;
    union qn_address address;
    char text[QN_ADDRESS_TEXT_SIZE];
    static const char *const numbers[] = {"1.2.3.4:5", "[2001:db8::1]:5", "[::]:0"};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(qn_endpoint_parse(numbers[i], &endpoint), QN_OK);
        cr_assert_eq(qn_endpoint_number(&endpoint, &address), QN_OK);
        qn_address_print(&address, text);
        cr_assert_str_eq(text, numbers[i]);
    }
    cr_assert_eq(qn_endpoint_parse("localhost:1", &endpoint), QN_OK);
    cr_assert_eq(qn_endpoint_number(&endpoint, &address), QN_ERR_NOTFOUND);
}

Test(address, mapped_ones_are_shown_as_ipv4)
{
    union qn_address address = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(7)}};
    char text[QN_ADDRESS_TEXT_SIZE];
    cr_assert_eq(inet_pton(AF_INET6, "::ffff:10.0.0.1", &address.v6.sin6_addr), 1);
    qn_address_print(&address, text);
    cr_assert_str_eq(text, "10.0.0.1:7");
}
