/* Ends: of links, of nets, in and out of callbacks. */
#include "sites.h"

Test(life, a_closed_link_sends_its_queue_first)
{
    struct pair pair;
    pair_up(&pair);
    pair.a.net->times.close_ms = 600000; /* the machine may be busy */
    uint8_t *bytes = qn_alloc_zero(QN_FRAME_SIZE_MAX);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(qn_net_send(pair.a.net, link_of(&pair.a), qn_span(bytes, QN_FRAME_SIZE_MAX)),
                     QN_OK);
    qn_net_close_link(pair.a.net, link_of(&pair.a));
    qn_net_close_link(pair.a.net, link_of(&pair.a));
    cr_assert_eq(pair.a.down_count, 0);
    cr_assert_eq(send_text(&pair.a, "late"), QN_ERR_CLOSED);
    turn_until(pair.loop, pair.a.down_count == 1 && pair.b.down_count == 1);
    cr_assert_eq(pair.b.frame_count, 5);
    cr_assert_eq(pair.a.links[0].reason, QN_ERR_CLOSED);
    cr_assert_eq(pair.b.links[0].reason, QN_ERR_CLOSED);
    qn_free(bytes);
    pair_deinit(&pair);
}

Test(life, a_peer_that_does_not_read_cannot_hold_a_close)
{
    struct pair pair;
    pair_up(&pair);
    uint8_t *bytes = qn_alloc_zero(QN_FRAME_SIZE_MAX);
    qn_net_pause(pair.b.net, link_of(&pair.b), true);
    for (int i = 0; i < 7; i++)
        cr_assert_eq(qn_net_send(pair.a.net, link_of(&pair.a), qn_span(bytes, QN_FRAME_SIZE_MAX)),
                     QN_OK);
    pair.a.net->times.close_ms = 1;
    qn_net_close_link(pair.a.net, link_of(&pair.a));
    turn_until(pair.loop, pair.a.down_count == 1);
    cr_assert_eq(pair.a.links[0].reason, QN_ERR_CLOSED);
    qn_free(bytes);
    pair_deinit(&pair);
}

static void close_link(struct site *site, qn_link_id link, struct qn_span frame)
{
    qn_net_close_link(site->net, link);
    cr_assert_eq(*(const char *)frame.data, 'o', "the frame lives on during the call");
}

Test(life, closing_from_inside_on_frame)
{
    struct pair pair;
    pair_up(&pair);
    pair.b.on_frame = close_link;
    cr_assert_eq(send_text(&pair.a, "one"), QN_OK);
    cr_assert_eq(send_text(&pair.a, "two"), QN_OK);
    turn_until(pair.loop, pair.a.down_count == 1 && pair.b.down_count == 1);
    assert_buf_eq(&pair.b.received, "one");
    pair_deinit(&pair);
}

static void close_net(struct site *site, qn_link_id link, struct qn_span frame)
{
    qn_net_close(site->net, site_on_closed, site);
    cr_assert_eq(*(const char *)frame.data, 'o', "the frame lives on during the call");
}

Test(life, closing_the_net_from_inside_on_frame)
{
    struct pair pair;
    pair_up(&pair);
    pair.b.on_frame = close_net;
    cr_assert_eq(send_text(&pair.a, "one"), QN_OK);
    cr_assert_eq(send_text(&pair.a, "two"), QN_OK);
    turn_until(pair.loop, pair.b.is_closed && pair.a.down_count == 1);
    cr_assert_eq(pair.b.frame_count, 1);
    cr_assert_eq(pair.b.down_count, 0);
    qn_buf_deinit(&pair.b.received);
    site_close(&pair.a);
    free_loop(pair.loop);
}

static void close_net_up(struct site *site, qn_link_id link)
{
    qn_net_close(site->net, site_on_closed, site);
}

Test(life, closing_the_net_from_inside_on_up)
{
    struct pair pair;
    pair_init(&pair);
    pair.a.on_up = close_net_up;
    dial_b(&pair, QN_NET_MEMBER, NULL, 1);
    turn_until(pair.loop, pair.a.is_closed && pair.b.down_count == 1);
    qn_buf_deinit(&pair.a.received);
    site_close(&pair.b);
    free_loop(pair.loop);
}

Test(life, closing_the_net_from_inside_on_down)
{
    struct pair pair;
    pair_up(&pair);
    pair.b.on_down = close_net_up;
    qn_net_close_link(pair.a.net, link_of(&pair.a));
    turn_until(pair.loop, pair.b.is_closed && pair.a.down_count == 1);
    qn_buf_deinit(&pair.b.received);
    site_close(&pair.a);
    free_loop(pair.loop);
}

Test(life, a_net_that_closes_with_open_links_calls_nobody)
{
    struct pair pair;
    pair_up(&pair);
    dial_b(&pair, QN_NET_MEMBER, NULL, 2);
    wait_up(&pair, 2);
    dial_b(&pair, QN_NET_MEMBER, NULL, 3);
    cr_assert_eq(send_text(&pair.a, "lost"), QN_OK);
    qn_net_close(pair.a.net, site_on_closed, &pair.a);
    turn_until(pair.loop, pair.a.is_closed && pair.b.down_count == 2);
    cr_assert_eq(pair.a.down_count, 0);
    cr_assert_eq(pair.a.failed_count, 0);
    qn_buf_deinit(&pair.a.received);
    site_close(&pair.b);
    free_loop(pair.loop); /* asserts that no handle is left */
}

Test(life, a_fresh_net_closes)
{
    struct qn_loop *loop = new_loop();
    struct site site;
    site_init(&site, loop, 1);
    cr_assert_null(qn_net_listen_address(site.net));
    site_close(&site);
    free_loop(loop);
}

Test(life, a_link_id_is_not_used_again)
{
    struct pair pair;
    pair_up(&pair);
    qn_link_id first = link_of(&pair.a);
    qn_net_close_link(pair.a.net, first);
    turn_until(pair.loop, pair.a.down_count == 1);
    dial_b(&pair, QN_NET_MEMBER, NULL, 2);
    wait_up(&pair, 2);
    cr_assert_neq(link_of(&pair.a), first);
    cr_assert_eq((uint32_t)link_of(&pair.a), (uint32_t)first, "the slot is");
    qn_net_close_link(pair.a.net, first);
    qn_net_pause(pair.a.net, first, true);
    some_turns(pair.loop);
    cr_assert_eq(pair.a.down_count, 1);
    pair_deinit(&pair);
}
