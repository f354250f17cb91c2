#include <arpa/inet.h>
#include <unistd.h>

#include "sites.h"

/* A port of 127.0.0.1 that nobody listens on: bound, and kept by `*ret_fd`. */
static void closed_port(char address[32], int *ret_fd)
{
    struct sockaddr_in name = {.sin_family = AF_INET};
    socklen_t size = sizeof(name);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *ret_fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(*ret_fd, (struct sockaddr *)&name, size), 0);
    cr_assert_eq(getsockname(*ret_fd, (struct sockaddr *)&name, &size), 0);
    snprintf(address, 32, "127.0.0.1:%u", ntohs(name.sin_port));
}

/* One that takes connections into its backlog and never says a word. */
static void silent_port(char address[32], int *ret_fd)
{
    closed_port(address, ret_fd);
    cr_assert_eq(listen(*ret_fd, 16), 0);
}

Test(dial, a_closed_port)
{
    struct pair pair;
    char address[32];
    int fd;
    pair_init(&pair);
    closed_port(address, &fd);
    qn_net_dial(pair.a.net, address, QN_NET_MEMBER, NULL, 5);
    cr_assert_eq(pair.a.failed_count, 0, "not from inside the call");
    turn_until(pair.loop, pair.a.failed_count == 1);
    cr_assert_eq(pair.a.failed_token, 5);
    cr_assert_eq(pair.a.failed_reason, QN_ERR_CLOSED);
    cr_assert_str_eq(pair.a.failed_detail, "connection refused");
    close(fd);
    pair_deinit(&pair);
}

Test(dial, no_answer_in_time)
{
    struct pair pair;
    char address[32];
    int fd;
    pair_init(&pair);
    silent_port(address, &fd);
    pair.a.net->times.dial_address_ms = 1;
    qn_net_dial(pair.a.net, address, QN_NET_MEMBER, NULL, 5);
    turn_until(pair.loop, pair.a.failed_count == 1);
    cr_assert_eq(pair.a.failed_reason, QN_ERR_TIMEOUT);
    cr_assert_str_eq(pair.a.failed_detail, "no answer in time");
    close(fd);
    pair_deinit(&pair);
}

Test(dial, texts_that_are_no_address)
{
    static const char *const cases[] = {"", "nowhere", "127.0.0.1", "1.2.3.4:99999", "a b:1"};
    struct pair pair;
    pair_init(&pair);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        qn_net_dial(pair.a.net, cases[i], QN_NET_MEMBER, NULL, 100 + i);
        cr_assert_eq(pair.a.failed_count, i, "not from inside the call");
        turn_until(pair.loop, pair.a.failed_count == i + 1);
        cr_assert_eq(pair.a.failed_token, 100 + i);
        cr_assert_eq(pair.a.failed_reason, QN_ERR_INVALID);
    }
    pair_deinit(&pair);
}

/* localhost may have a second address, ::1, where nobody listens: then it is tried and passed. */
Test(dial, a_name)
{
    struct pair pair;
    char address[64];
    pair_init(&pair);
    snprintf(address, sizeof(address), "localhost%s",
             strchr(qn_net_listen_address(pair.b.net), ':'));
    qn_net_dial(pair.a.net, address, QN_NET_MEMBER, &pair.b.key, 5);
    wait_up(&pair, 1);
    cr_assert_str_eq(pair.a.links[0].address, qn_net_listen_address(pair.b.net));
    pair_deinit(&pair);
}

Test(dial, a_name_that_does_not_exist)
{
    struct pair pair;
    pair_init(&pair);
    qn_net_dial(pair.a.net, "no-such-host.invalid:1", QN_NET_MEMBER, NULL, 5);
    turn_until(pair.loop, pair.a.failed_count == 1);
    cr_assert(pair.a.failed_reason == QN_ERR_NOTFOUND || pair.a.failed_reason == QN_ERR_TIMEOUT);
    pair_deinit(&pair);
}

Test(dial, names_have_a_limit)
{
    struct pair pair;
    pair_init(&pair);
    for (size_t i = 0; i <= QN_RESOLVES_MAX; i++)
        qn_net_dial(pair.a.net, "localhost:1", QN_NET_MEMBER, NULL, i);
    qn_loop_turn(pair.loop);
    cr_assert_eq(pair.a.failed_reason, QN_ERR_LIMIT);
    cr_assert_eq(pair.a.failed_token, QN_RESOLVES_MAX);
    turn_until(pair.loop, pair.a.failed_count == QN_RESOLVES_MAX + 1);
    pair_deinit(&pair);
}

Test(dial, the_net_closes_while_a_name_is_looked_up)
{
    struct pair pair;
    pair_init(&pair);
    qn_net_dial(pair.a.net, "localhost:1", QN_NET_MEMBER, NULL, 5);
    pair_deinit(&pair);
    cr_assert_eq(pair.a.failed_count, 0);
}

Test(dial, the_net_closes_while_it_dials)
{
    struct pair pair;
    pair_init(&pair);
    for (int turns = 0; turns < 6; turns++) {
        dial_b(&pair, QN_NET_MEMBER, NULL, 1);
        for (int i = 0; i < turns; i++)
            qn_loop_turn(pair.loop);
    }
    dial_b(&pair, QN_NET_MEMBER, NULL, 1);
    pair_deinit(&pair);
}

Test(dial, there_is_an_end_to_slots)
{
    struct pair pair;
    char address[32];
    int fd;
    pair_init(&pair);
    silent_port(address, &fd);
    for (size_t i = 0; i < QN_LINKS_MAX; i++)
        qn_net_dial(pair.a.net, address, QN_NET_MEMBER, NULL, 1);
    qn_net_dial(pair.a.net, address, QN_NET_MEMBER, NULL, 2);
    cr_assert_eq(pair.a.failed_count, 0, "not from inside the call");
    turn_until(pair.loop, pair.a.failed_count == 1);
    cr_assert_eq(pair.a.failed_token, 2);
    cr_assert_eq(pair.a.failed_reason, QN_ERR_LIMIT);
    close(fd);
    pair_deinit(&pair);
}

Test(dial, ipv6)
{
    struct pair pair;
    pair.loop = new_loop();
    site_init(&pair.a, pair.loop, 1);
    site_init(&pair.b, pair.loop, 2);
    qn_net_admit(pair.a.net, &pair.b.key, 1, false);
    qn_net_admit(pair.b.net, &pair.a.key, 1, false);
    if (qn_net_listen(pair.b.net, "[::1]:0") == QN_OK) { /* a machine may have no IPv6 */
        dial_b(&pair, QN_NET_MEMBER, NULL, 1);
        wait_up(&pair, 1);
        cr_assert_eq(strncmp(pair.b.links[0].address, "[::1]:", 6), 0);
    }
    pair_deinit(&pair);
}

Test(listen, faults_have_a_code_and_words)
{
    struct pair pair;
    pair_init(&pair);
    cr_assert_eq(qn_net_listen(pair.a.net, qn_net_listen_address(pair.b.net)), QN_ERR_BUSY);
    cr_assert_str_eq(qn_net_error_text(pair.a.net), "EADDRINUSE: address already in use");
    cr_assert_null(qn_net_listen_address(pair.a.net));
    cr_assert_eq(qn_net_listen(pair.a.net, "localhost:1"), QN_ERR_INVALID);
    cr_assert_eq(qn_net_listen(pair.a.net, "192.0.2.1:1"), QN_ERR_IO);
    cr_assert_str_eq(qn_net_error_text(pair.a.net), "EADDRNOTAVAIL: address not available");
    cr_assert_eq(qn_net_listen(pair.b.net, "127.0.0.1:0"), QN_ERR_STATE);
    cr_assert_eq(qn_net_listen(pair.a.net, "127.0.0.1:0"), QN_OK);
    pair_deinit(&pair);
}
