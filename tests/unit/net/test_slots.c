/* Who makes room for whom. */
#include <arpa/inet.h>
#include <unistd.h>

#include "sites.h"

static int plain_connection(const struct site *site)
{
    struct sockaddr_in name = {.sin_family = AF_INET};
    struct qn_endpoint endpoint;
    cr_assert_eq(qn_endpoint_parse(qn_net_listen_address(site->net), &endpoint), QN_OK);
    name.sin_port = htons(endpoint.port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    return fd;
}

static size_t shaking_count(const struct site *site)
{
    size_t count = 0;
    for (size_t i = 0; i < QN_LINKS_MAX; i++)
        if (site->net->links[i] != NULL && site->net->links[i]->state == QN_LINK_SHAKING)
            count++;
    return count;
}

Test(slots, silent_connections_are_evicted_and_a_peer_gets_in)
{
    struct pair pair;
    enum { COUNT = QN_UNKNOWN_SLOTS_MAX + 10 };
    int fds[COUNT];
    pair_init(&pair);
    for (size_t i = 0; i < COUNT; i++) {
        fds[i] = plain_connection(&pair.b);
        some_turns(pair.loop);
        cr_assert_leq(shaking_count(&pair.b), QN_UNKNOWN_SLOTS_MAX);
    }
    turn_until(pair.loop, counters_of(&pair.b).evicted == 10);
    char byte;
    for (size_t i = 0; i < 10; i++)
        cr_assert_leq(recv(fds[i], &byte, 1, 0), 0, "the oldest are gone");
    cr_assert_eq(recv(fds[10], &byte, 1, MSG_DONTWAIT), -1, "the others stay");
    dial_b(&pair, QN_NET_MEMBER, NULL, 1);
    wait_up(&pair, 1);
    cr_assert_eq(counters_of(&pair.b).evicted, 11);
    for (size_t i = 0; i < COUNT; i++)
        close(fds[i]);
    pair_deinit(&pair);
}

Test(slots, a_handshake_has_a_deadline)
{
    struct pair pair;
    pair_init(&pair);
    pair.b.net->times.handshake_ms = 1;
    int fd = plain_connection(&pair.b);
    turn_until(pair.loop, counters_of(&pair.b).handshakes_failed == 1);
    cr_assert_eq(shaking_count(&pair.b), 0);
    close(fd);
    pair_deinit(&pair);
}

Test(slots, a_guest_has_a_deadline)
{
    struct pair pair;
    pair_init(&pair);
    qn_net_admit(pair.b.net, NULL, 0, true);
    pair.b.net->times.guest_ms = 1;
    dial_b(&pair, QN_NET_GUEST, NULL, 1);
    turn_until(pair.loop, pair.b.down_count == 1 && pair.a.up_count == 1 && pair.a.down_count == 1);
    cr_assert_eq(pair.b.links[0].reason, QN_ERR_TIMEOUT);
    cr_assert_eq(pair.a.links[0].reason, QN_ERR_CLOSED);
    pair_deinit(&pair);
}

Test(slots, the_oldest_guest_makes_room)
{
    struct pair pair;
    pair_up_guest(&pair);
    for (size_t i = 2; i <= QN_GUEST_SLOTS_MAX; i++) {
        dial_b(&pair, QN_NET_GUEST, NULL, i);
        wait_up(&pair, i);
    }
    cr_assert_eq(pair.b.down_count, 0);
    dial_b(&pair, QN_NET_GUEST, NULL, 99);
    wait_up(&pair, QN_GUEST_SLOTS_MAX + 1);
    cr_assert_eq(pair.b.down_count, 1);
    cr_assert(pair.b.links[0].is_down);
    cr_assert_eq(pair.b.links[0].reason, QN_ERR_LIMIT);
    cr_assert_eq(counters_of(&pair.b).evicted, 1);
    cr_assert_eq(counters_of(&pair.b).links_up, QN_GUEST_SLOTS_MAX);
    pair_deinit(&pair);
}

Test(slots, one_key_has_few_links)
{
    struct pair pair;
    pair_up(&pair);
    for (size_t i = 2; i <= QN_LINKS_PER_KEY_MAX; i++) {
        dial_b(&pair, QN_NET_MEMBER, NULL, i);
        wait_up(&pair, i);
    }
    cr_assert_eq(pair.b.down_count, 0);
    dial_b(&pair, QN_NET_MEMBER, NULL, 99);
    wait_up(&pair, QN_LINKS_PER_KEY_MAX + 1);
    turn_until(pair.loop, pair.a.down_count == 1);
    cr_assert(pair.b.links[0].is_down && pair.a.links[0].is_down);
    cr_assert_eq(pair.b.links[0].reason, QN_ERR_LIMIT);
    pair_deinit(&pair);
}

Test(slots, bulk_never_takes_the_place_of_the_first_link)
{
    struct pair pair;
    pair_up(&pair);
    for (size_t i = 2; i <= QN_LINKS_PER_KEY_MAX + 3; i++) {
        dial_b(&pair, QN_NET_BULK, &pair.b.key, i);
        wait_up(&pair, i);
    }
    turn_until(pair.loop, pair.a.down_count == 2);
    cr_assert(!pair.b.links[0].is_down && pair.b.links[1].is_down && pair.b.links[2].is_down);
    cr_assert_eq(pair.b.links[0].kind, QN_NET_MEMBER);
    cr_assert_eq(pair.b.links[1].kind, QN_NET_BULK);
    cr_assert_eq(pair.a.links[1].kind, QN_NET_BULK);
    cr_assert_eq(pair.b.links[1].reason, QN_ERR_LIMIT);
    pair_deinit(&pair);
}

Test(slots, with_all_taken_a_newcomer_is_turned_away)
{
    struct pair pair;
    char byte;
    pair_init(&pair);
    while (qn_link_new(pair.b.net, QN_LINK_CLOSING) != NULL)
        pair.b.net->counters.links_up++;
    int fd = plain_connection(&pair.b);
    some_turns(pair.loop);
    cr_assert_leq(recv(fd, &byte, 1, 0), 0);
    close(fd);
    pair_deinit(&pair);
}
