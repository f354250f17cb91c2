/* Who may speak to whom, and what each side is told of the other. */
#include "sites.h"

Test(identity, both_are_told_who_is_there)
{
    struct pair pair;
    pair_up(&pair);
    const struct site_link *a = &pair.a.links[0], *b = &pair.b.links[0];
    cr_assert(a->is_dialled && !b->is_dialled);
    cr_assert_eq(a->token, 7);
    cr_assert_eq(b->token, 0);
    cr_assert_eq(a->kind, QN_NET_MEMBER);
    cr_assert_eq(b->kind, QN_NET_MEMBER);
    cr_assert(qn_public_key_eq(&a->key, &pair.b.key));
    cr_assert(qn_public_key_eq(&b->key, &pair.a.key));
    cr_assert_str_eq(a->address, qn_net_listen_address(pair.b.net));
    cr_assert_eq(strncmp(b->address, "127.0.0.1:", 10), 0);
    assert_span_eq(QN_SPAN_OF(a->exporter), QN_SPAN_OF(b->exporter));
    cr_assert_eq(counters_of(&pair.a).links_up, 1);
    cr_assert_eq(counters_of(&pair.b).links_up, 1);
    pair_deinit(&pair);
}

Test(identity, each_connection_has_its_own_exporter)
{
    struct pair pair;
    pair_up(&pair);
    dial_b(&pair, QN_NET_MEMBER, NULL, 9);
    wait_up(&pair, 2);
    cr_assert_neq(memcmp(pair.a.links[0].exporter, pair.a.links[1].exporter, 32), 0);
    cr_assert_neq(pair.a.links[0].id, pair.a.links[1].id);
    pair_deinit(&pair);
}

Test(identity, another_key_than_expected_is_refused)
{
    struct pair pair;
    struct qn_public_key other = {{1, 2, 3}};
    pair_init(&pair);
    dial_b(&pair, QN_NET_MEMBER, &other, 7);
    turn_until(pair.loop, pair.a.failed_count == 1);
    cr_assert_eq(pair.a.failed_token, 7);
    cr_assert_eq(pair.a.failed_reason, QN_ERR_DENIED);
    cr_assert_str_eq(pair.a.failed_detail, "the other side's key is not admitted");
    turn_until(pair.loop, counters_of(&pair.b).handshakes_failed == 1);
    cr_assert_eq(counters_of(&pair.a).unknown_keys_refused, 1);
    cr_assert_eq(pair.b.up_count, 0);
    pair_deinit(&pair);
}

Test(identity, an_unknown_listener_is_refused_unless_expected)
{
    struct pair pair;
    pair_init(&pair);
    qn_net_admit(pair.a.net, NULL, 0, false);
    dial_b(&pair, QN_NET_MEMBER, NULL, 7);
    turn_until(pair.loop, pair.a.failed_count == 1);
    cr_assert_eq(pair.a.failed_reason, QN_ERR_DENIED);
    dial_b(&pair, QN_NET_MEMBER, &pair.b.key, 8);
    wait_up(&pair, 1);
    pair_deinit(&pair);
}

Test(identity, an_unknown_dialler_is_refused_and_learns_it_from_its_dial)
{
    struct pair pair;
    pair_init(&pair);
    qn_net_admit(pair.b.net, &pair.b.key, 1, false);
    dial_b(&pair, QN_NET_MEMBER, &pair.b.key, 7);
    turn_until(pair.loop, pair.a.failed_count == 1);
    cr_assert_eq(pair.a.failed_reason, QN_ERR_DENIED);
    cr_assert_eq(strncmp(pair.a.failed_detail, "refused by the other side", 25), 0);
    cr_assert_eq(pair.a.up_count, 0);
    cr_assert_eq(pair.b.up_count, 0);
    cr_assert_eq(pair.b.frame_count, 0);
    cr_assert_eq(counters_of(&pair.b).unknown_keys_refused, 1);
    cr_assert_eq(counters_of(&pair.b).handshakes_failed, 1);
    pair_deinit(&pair);
}

Test(identity, a_removed_key_loses_its_link)
{
    struct pair pair;
    pair_up(&pair);
    cr_assert_eq(send_text(&pair.b, "never leaves"), QN_OK);
    qn_net_admit(pair.b.net, &pair.b.key, 1, false);
    cr_assert_eq(pair.b.down_count, 0, "not from inside the call");
    cr_assert_eq(send_text(&pair.b, "too late"), QN_ERR_CLOSED);
    turn_until(pair.loop, pair.a.down_count == 1 && pair.b.down_count == 1);
    cr_assert_eq(pair.b.links[0].reason, QN_ERR_DENIED);
    cr_assert_eq(pair.a.links[0].reason, QN_ERR_CLOSED);
    cr_assert_eq(pair.a.frame_count, 0);
    cr_assert_eq(counters_of(&pair.b).links_up, 0);
    pair_deinit(&pair);
}

Test(identity, keys_that_stay_keep_their_links)
{
    struct pair pair;
    pair_up(&pair);
    struct qn_public_key keys[3] = {{{9}}, pair.a.key, {{1}}};
    qn_net_admit(pair.b.net, keys, 3, true);
    some_turns(pair.loop);
    cr_assert_eq(pair.b.down_count, 0);
    cr_assert_eq(send_text(&pair.a, "still here"), QN_OK);
    turn_until(pair.loop, pair.b.frame_count == 1);
    pair_deinit(&pair);
}

Test(identity, a_key_removed_before_the_welcome)
{
    struct pair pair;
    pair_init(&pair);
    dial_b(&pair, QN_NET_MEMBER, NULL, 7);
    turn_until(pair.loop, pair.a.net->links[0]->state == QN_LINK_WAITING);
    qn_net_admit(pair.a.net, NULL, 0, false);
    turn_until(pair.loop, pair.a.failed_count == 1);
    cr_assert_eq(pair.a.failed_reason, QN_ERR_DENIED);
    cr_assert_eq(pair.a.up_count, 0);
    pair_deinit(&pair);
}

static void cut_the_sender(struct site *site, qn_link_id link, struct qn_span frame)
{
    qn_net_admit(site->net, NULL, 0, false);
}

Test(identity, a_key_removed_while_its_frame_is_read)
{
    struct pair pair;
    pair_up(&pair);
    pair.b.on_frame = cut_the_sender;
    cr_assert_eq(send_text(&pair.a, "one"), QN_OK);
    cr_assert_eq(send_text(&pair.a, "two"), QN_OK);
    turn_until(pair.loop, pair.b.down_count == 1 && pair.a.down_count == 1);
    assert_buf_eq(&pair.b.received, "one");
    pair_deinit(&pair);
}

/* What withdraws a key is the last thing that its owner has to say. */
Test(identity, a_key_removed_after_the_close_still_hears_the_queue)
{
    struct pair pair;
    pair_up(&pair);
    cr_assert_eq(send_text(&pair.a, "farewell"), QN_OK);
    qn_net_close_link(pair.a.net, link_of(&pair.a));
    qn_net_admit(pair.a.net, NULL, 0, false);
    turn_until(pair.loop, pair.a.down_count == 1 && pair.b.down_count == 1);
    assert_buf_eq(&pair.b.received, "farewell");
    cr_assert_eq(pair.a.links[0].reason, QN_ERR_CLOSED);
    pair_deinit(&pair);
}

Test(identity, guests_come_in_while_they_are_allowed)
{
    struct pair pair;
    pair_up_guest(&pair);
    cr_assert_eq(pair.a.links[0].kind, QN_NET_GUEST);
    cr_assert_eq(pair.b.links[0].kind, QN_NET_GUEST);
    cr_assert_eq(pair.a.links[0].token, 8);
    cr_assert(qn_public_key_eq(&pair.b.links[0].key, &pair.a.key));
    assert_span_eq(QN_SPAN_OF(pair.a.links[0].exporter), QN_SPAN_OF(pair.b.links[0].exporter));
    qn_net_admit(pair.b.net, NULL, 0, false);
    cr_assert_eq(send_text(&pair.a, "may finish"), QN_OK);
    turn_until(pair.loop, pair.b.frame_count == 1);
    dial_b(&pair, QN_NET_GUEST, NULL, 9);
    turn_until(pair.loop, pair.a.failed_count == 1);
    cr_assert_eq(pair.a.failed_reason, QN_ERR_DENIED);
    cr_assert_eq(pair.a.failed_token, 9);
    pair_deinit(&pair);
}

Test(identity, a_member_key_is_no_guest_pass)
{
    struct pair pair;
    pair_init(&pair);
    dial_b(&pair, QN_NET_GUEST, NULL, 9); /* admitted as a member, but guests are not allowed */
    turn_until(pair.loop, pair.a.failed_count == 1);
    cr_assert_eq(pair.a.failed_reason, QN_ERR_DENIED);
    pair_deinit(&pair);
}

Test(identity, bulk_is_for_members)
{
    struct pair pair;
    pair_init(&pair);
    qn_net_admit(pair.b.net, NULL, 0, true); /* guests are welcome */
    dial_b(&pair, QN_NET_BULK, &pair.b.key, 3);
    turn_until(pair.loop, pair.a.failed_count == 1);
    cr_assert_eq(pair.a.failed_reason, QN_ERR_DENIED);
    cr_assert_eq(pair.b.up_count, 0);
    qn_net_admit(pair.b.net, &pair.a.key, 1, false);
    dial_b(&pair, QN_NET_BULK, &pair.b.key, 4);
    wait_up(&pair, 1);
    qn_net_admit(pair.b.net, NULL, 0, true);
    turn_until(pair.loop, pair.a.down_count == 1 && pair.b.down_count == 1);
    cr_assert_eq(pair.b.links[0].reason, QN_ERR_DENIED);
    pair_deinit(&pair);
}

static struct qn_stream *taken[2]; /* of the dialling site, of the other */

static void take_by_a(struct site *site, qn_link_id id)
{
    taken[0] = qn_net_take(site->net, id);
}

static void take_by_b(struct site *site, qn_link_id id)
{
    taken[1] = qn_net_take(site->net, id);
}

static void drop(void *context, uint64_t tag) {}

static void gone(void *context, uint64_t tag, enum qn_err reason, const char *detail)
{
    *(bool *)context = true;
}

static void closed(void *context)
{
    *(bool *)context = true;
}

static void is_taken_or_closed(enum qn_net_kind kind)
{
    struct pair pair;
    bool is_gone = false;
    struct qn_stream_host *host;
    struct qn_stream_host_options options = {
        .callbacks = {.on_readable = drop, .on_written = drop, .on_down = gone},
        .context = &is_gone};
    pair_init(&pair);
    qn_net_admit(pair.b.net, NULL, 0, true);
    dial_b(&pair, kind, &pair.b.key, 3);
    turn_until(pair.loop, pair.a.failed_count == 1);
    cr_assert_eq(pair.a.failed_reason, QN_ERR_DENIED);
    cr_assert_eq(pair.b.up_count, 0);
    qn_net_admit(pair.b.net, &pair.a.key, 1, false);
    dial_b(&pair, kind, &pair.b.key, 4); /* nobody takes it, so no welcome goes out */
    turn_until(pair.loop, pair.a.failed_count == 2 && pair.b.down_count == 1);
    cr_assert_eq(pair.b.links[0].kind, kind);
    pair.a.on_up = take_by_a;
    pair.b.on_up = take_by_b;
    taken[0] = taken[1] = NULL;
    dial_b(&pair, kind, &pair.b.key, 5);
    wait_up(&pair, 1);
    turn_until(pair.loop, taken[0] != NULL && taken[1] != NULL);
    struct qn_net_counters counters;
    qn_net_count(pair.a.net, &counters);
    cr_assert_eq(counters.links_up, 0, "it is no link any more");
    cr_assert_eq(qn_stream_host_new(pair.loop, &options, &host), QN_OK);
    qn_stream_move(taken[0], host, 9);
    qn_stream_abort(taken[1]);
    turn_until(pair.loop, is_gone);
    is_gone = false;
    qn_stream_host_close(host, closed, &is_gone);
    turn_until(pair.loop, is_gone);
    cr_assert_eq(pair.a.down_count, 0);
    pair_deinit(&pair);
}

Test(identity, web_is_for_members_and_is_taken_or_closed)
{
    is_taken_or_closed(QN_NET_WEB);
}

Test(identity, so_is_web_that_was_called_for)
{
    is_taken_or_closed(QN_NET_WEB_BACK);
}
