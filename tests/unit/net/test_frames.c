/* What goes through a link that is up. */
#include "sites.h"

static uint8_t *pattern(size_t size, uint8_t step)
{
    uint8_t *bytes = qn_alloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * step + (i >> 8));
    return bytes;
}

Test(frames, the_largest_both_ways)
{
    struct pair pair;
    pair_up(&pair);
    uint8_t *there = pattern(QN_FRAME_SIZE_MAX, 3), *back = pattern(QN_FRAME_SIZE_MAX, 5);
    struct qn_span a = qn_span(there, QN_FRAME_SIZE_MAX), b = qn_span(back, QN_FRAME_SIZE_MAX);
    cr_assert_eq(qn_net_send(pair.a.net, link_of(&pair.a), a), QN_OK);
    cr_assert_eq(qn_net_send(pair.b.net, link_of(&pair.b), b), QN_OK);
    turn_until(pair.loop, pair.a.frame_count == 1 && pair.b.frame_count == 1);
    cr_assert(qn_span_eq(qn_buf_view(&pair.b.received), a));
    cr_assert(qn_span_eq(qn_buf_view(&pair.a.received), b));
    qn_free(there);
    qn_free(back);
    pair_deinit(&pair);
}

static void check_number(struct site *site, qn_link_id link, struct qn_span frame)
{
    cr_assert_eq(frame.size, 4);
    cr_assert_eq(qn_read_u32(frame.data), site->frame_count - 1);
}

Test(frames, ten_thousand_small_ones_in_order_and_few_records)
{
    struct pair pair;
    pair_up(&pair);
    uint64_t before = counters_of(&pair.a).bytes_out;
    pair.b.on_frame = check_number;
    for (uint32_t i = 0; i < 10000; i++) {
        uint8_t number[4];
        qn_write_u32(number, i);
        cr_assert_eq(qn_net_send(pair.a.net, link_of(&pair.a), QN_SPAN_OF(number)), QN_OK);
    }
    turn_until(pair.loop, pair.b.frame_count == 10000);
    turn_until(pair.loop, qn_net_queued(pair.a.net, link_of(&pair.a)) == 0);
    cr_assert_leq(counters_of(&pair.a).bytes_out - before, 80000 + 6 * 22);
    pair_deinit(&pair);
}

Test(frames, sizes_that_cannot_be_sent)
{
    struct pair pair;
    pair_up(&pair);
    uint8_t *large = pattern(QN_FRAME_SIZE_MAX + 1, 1);
    qn_link_id link = link_of(&pair.a);
    cr_assert_eq(qn_net_send(pair.a.net, link, qn_span(large, QN_FRAME_SIZE_MAX + 1)),
                 QN_ERR_LIMIT);
    cr_assert_eq(qn_net_send(pair.a.net, link, qn_span(large, 0)), QN_ERR_INVALID);
    cr_assert_eq(qn_net_send(pair.a.net, 0, qn_span(large, 1)), QN_ERR_CLOSED);
    cr_assert_eq(qn_net_send(pair.a.net, link ^ (1ull << 40), qn_span(large, 1)), QN_ERR_CLOSED);
    cr_assert_eq(qn_net_send(pair.a.net, 0xffffffff, qn_span(large, 1)), QN_ERR_CLOSED);
    cr_assert_eq(qn_net_queued(pair.a.net, link), 0);
    cr_assert_eq(qn_net_queued(pair.a.net, 0), 0);
    qn_free(large);
    pair_deinit(&pair);
}

Test(frames, a_full_queue_refuses_and_tells_when_there_is_room)
{
    struct pair pair;
    pair_up(&pair);
    uint8_t *bytes = pattern(QN_FRAME_SIZE_MAX, 1);
    qn_link_id link = link_of(&pair.a);
    size_t sent = 0;
    while (qn_net_send(pair.a.net, link, qn_span(bytes, QN_FRAME_SIZE_MAX)) == QN_OK)
        sent++;
    cr_assert_eq(sent, QN_NET_QUEUE_MAX / QN_FRAME_SIZE_MAX - 1); /* the heads count */
    cr_assert_leq(qn_net_queued(pair.a.net, link), QN_NET_QUEUE_MAX);
    turn_until(pair.loop, pair.a.links[0].drains == 1);
    cr_assert_lt(qn_net_queued(pair.a.net, link), QN_NET_QUEUE_LOW);
    turn_until(pair.loop, pair.b.frame_count == sent);
    cr_assert_eq(pair.a.links[0].drains, 1);
    cr_assert_eq(pair.a.down_count, 0);
    qn_free(bytes);
    pair_deinit(&pair);
}

Test(frames, a_small_queue_never_drains)
{
    struct pair pair;
    pair_up(&pair);
    cr_assert_eq(send_text(&pair.a, "small"), QN_OK);
    turn_until(pair.loop, pair.b.frame_count == 1);
    some_turns(pair.loop);
    cr_assert_eq(pair.a.links[0].drains, 0);
    pair_deinit(&pair);
}

static void pause_after_each(struct site *site, qn_link_id link, struct qn_span frame)
{
    qn_net_pause(site->net, link, true);
}

Test(frames, a_pause_takes_effect_between_two_frames)
{
    struct pair pair;
    pair_up(&pair);
    pair.b.on_frame = pause_after_each;
    for (const char *text = "abc"; *text != 0; text++)
        cr_assert_eq(qn_net_send(pair.a.net, link_of(&pair.a), qn_span(text, 1)), QN_OK);
    for (size_t i = 1; i <= 3; i++) {
        turn_until(pair.loop, pair.b.frame_count == i);
        some_turns(pair.loop);
        cr_assert_eq(pair.b.frame_count, i);
        qn_net_pause(pair.b.net, link_of(&pair.b), false);
        cr_assert_eq(pair.b.frame_count, i, "not from inside the call");
    }
    assert_buf_eq(&pair.b.received, "abc");
    pair_deinit(&pair);
}

Test(frames, a_paused_reader_holds_its_peer_back)
{
    struct pair pair;
    pair_up(&pair);
    uint8_t *bytes = pattern(QN_FRAME_SIZE_MAX, 1);
    qn_link_id link = link_of(&pair.a);
    uint64_t before = counters_of(&pair.b).bytes_in;
    qn_net_pause(pair.b.net, link_of(&pair.b), true);
    for (int i = 0; i < 7; i++)
        cr_assert_eq(qn_net_send(pair.a.net, link, qn_span(bytes, QN_FRAME_SIZE_MAX)), QN_OK);
    some_turns(pair.loop);
    cr_assert_eq(counters_of(&pair.b).bytes_in, before);
    cr_assert_gt(qn_net_queued(pair.a.net, link), 0);
    qn_net_pause(pair.b.net, link_of(&pair.b), false);
    turn_until(pair.loop, pair.b.frame_count == 7);
    qn_free(bytes);
    pair_deinit(&pair);
}

Test(frames, a_guest_has_small_frames_and_a_small_queue)
{
    struct pair pair;
    pair_up_guest(&pair);
    uint8_t *bytes = pattern(QN_GUEST_SLOT_SIZE_MAX, 1);
    qn_link_id a = link_of(&pair.a), b = link_of(&pair.b);
    size_t most = QN_GUEST_FRAME_SIZE_MAX;
    cr_assert_eq(qn_net_send(pair.a.net, a, qn_span(bytes, most + 1)), QN_ERR_LIMIT);
    cr_assert_eq(qn_net_send(pair.a.net, a, qn_span(bytes, most)), QN_OK);
    turn_until(pair.loop, pair.b.frame_count == 1);
    cr_assert_eq(qn_net_send(pair.b.net, b, qn_span(bytes, QN_GUEST_SLOT_SIZE_MAX)), QN_ERR_LIMIT);
    cr_assert_eq(qn_net_send(pair.b.net, b, qn_span(bytes, QN_GUEST_SLOT_SIZE_MAX - 4)), QN_OK);
    cr_assert_eq(qn_net_send(pair.b.net, b, qn_span(bytes, 1)), QN_ERR_LIMIT);
    turn_until(pair.loop, pair.a.frame_count == 1 && pair.b.links[0].drains == 1);
    cr_assert_eq(pair.a.received.size, QN_GUEST_SLOT_SIZE_MAX - 4);
    qn_free(bytes);
    pair_deinit(&pair);
}
