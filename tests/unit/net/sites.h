/* Sites in one loop: each a net and a log of what it was told. */
#pragma once

#include <stdio.h>

#include "net/net_private.h"
#include "support/span.h"
#include "support/turns.h"

#define SITE_LINKS_MAX 64

struct site_link {
    qn_link_id id;
    uint64_t token;
    enum qn_net_kind kind;
    bool is_dialled;
    struct qn_public_key key;
    uint8_t exporter[32];
    char address[QN_ADDRESS_TEXT_SIZE];
    bool is_down;
    enum qn_err reason;
    size_t drains;
};

struct site {
    struct qn_loop *loop;
    struct qn_net *net;
    struct qn_public_key key;
    struct site_link links[SITE_LINKS_MAX]; /* in the order of on_up */
    size_t up_count, down_count;
    size_t frame_count;
    struct qn_buf received; /* the payloads, joined */
    size_t failed_count;
    uint64_t failed_token;
    enum qn_err failed_reason;
    char failed_detail[128];
    bool is_closed;
    void (*on_frame)(struct site *site, qn_link_id link, struct qn_span frame); /* may be NULL */
    void (*on_up)(struct site *site, qn_link_id link);                          /* may be NULL */
    void (*on_down)(struct site *site, qn_link_id link);                        /* may be NULL */
};

static inline struct site_link *site_link(struct site *site, qn_link_id id)
{
    for (size_t i = 0; i < site->up_count; i++)
        if (site->links[i].id == id)
            return &site->links[i];
    cr_assert_fail("a link that never was up");
    return NULL;
}

static inline void site_on_up(void *context, qn_link_id id, uint64_t token,
                              const struct qn_net_peer *peer)
{
    struct site *site = context;
    cr_assert_lt(site->up_count, SITE_LINKS_MAX);
    cr_assert_neq(id, 0);
    struct site_link *link = &site->links[site->up_count++];
    *link = (struct site_link){
        .id = id,
        .token = token,
        .kind = peer->kind,
        .is_dialled = peer->is_dialled,
        .key = peer->key,
    };
    memcpy(link->exporter, peer->exporter, sizeof(link->exporter));
    strcpy(link->address, peer->address);
    if (site->on_up != NULL)
        site->on_up(site, id);
}

static inline void site_on_frame(void *context, qn_link_id id, struct qn_span frame)
{
    struct site *site = context;
    cr_assert(!site_link(site, id)->is_down);
    site->frame_count++;
    qn_buf_append_span(&site->received, frame);
    if (site->on_frame != NULL)
        site->on_frame(site, id, frame);
}

static inline void site_on_down(void *context, qn_link_id id, enum qn_err reason)
{
    struct site *site = context;
    struct site_link *link = site_link(site, id);
    cr_assert(!link->is_down, "told twice");
    link->is_down = true;
    link->reason = reason;
    site->down_count++;
    if (site->on_down != NULL)
        site->on_down(site, id);
}

static inline void site_on_dial_failed(void *context, uint64_t token, enum qn_err reason,
                                       const char *detail)
{
    struct site *site = context;
    site->failed_count++;
    site->failed_token = token;
    site->failed_reason = reason;
    snprintf(site->failed_detail, sizeof(site->failed_detail), "%s", detail);
}

static inline void site_on_drain(void *context, qn_link_id id)
{
    struct site *site = context;
    site_link(site, id)->drains++;
}

static inline void site_init(struct site *site, struct qn_loop *loop, uint8_t fill)
{
    uint8_t seed[QN_SEED_SIZE];
    struct qn_signer *signer = NULL;
    memset(seed, fill, sizeof(seed));
    *site = (struct site){.loop = loop};
    qn_buf_init(&site->received, 64 * 1024 * 1024);
    cr_assert_eq(qn_signer_new(seed, &signer), QN_OK);
    site->key = *qn_signer_public(signer);
    qn_signer_free(signer);
    struct qn_net_options options = {
        .seed = seed,
        .callbacks = {site_on_up, site_on_frame, site_on_down, site_on_dial_failed, site_on_drain},
        .context = site,
    };
    cr_assert_eq(qn_net_new(loop, &options, &site->net), QN_OK);
}

static inline void site_on_closed(void *context)
{
    struct site *site = context;
    site->is_closed = true;
}

static inline void site_close(struct site *site)
{
    qn_net_close(site->net, site_on_closed, site);
    turn_until(site->loop, site->is_closed);
    qn_buf_deinit(&site->received);
}

/* --- two of them that admit each other: `a` dials, `b` listens --- */

struct pair {
    struct qn_loop *loop;
    struct site a, b;
};

static inline void pair_init(struct pair *pair)
{
    pair->loop = new_loop();
    site_init(&pair->a, pair->loop, 1);
    site_init(&pair->b, pair->loop, 2);
    qn_net_admit(pair->a.net, &pair->b.key, 1, false);
    qn_net_admit(pair->b.net, &pair->a.key, 1, false);
    cr_assert_eq(qn_net_listen(pair->b.net, "127.0.0.1:0"), QN_OK);
}

static inline void pair_deinit(struct pair *pair)
{
    site_close(&pair->a);
    site_close(&pair->b);
    free_loop(pair->loop);
}

static inline void dial_b(struct pair *pair, enum qn_net_kind kind,
                          const struct qn_public_key *expected, uint64_t token)
{
    qn_net_dial(pair->a.net, qn_net_listen_address(pair->b.net), kind, expected, token);
}

/* Until both sides have `count` links more, or have seen them. */
static inline void wait_up(struct pair *pair, size_t count)
{
    turn_until(pair->loop, pair->a.up_count >= count && pair->b.up_count >= count);
}

static inline void pair_up(struct pair *pair)
{
    pair_init(pair);
    dial_b(pair, QN_NET_MEMBER, &pair->b.key, 7);
    wait_up(pair, 1);
}

static inline void pair_up_guest(struct pair *pair)
{
    pair_init(pair);
    qn_net_admit(pair->b.net, NULL, 0, true);
    dial_b(pair, QN_NET_GUEST, NULL, 8);
    wait_up(pair, 1);
}

static inline qn_link_id link_of(const struct site *site)
{
    return site->links[site->up_count - 1].id;
}

static inline enum qn_err send_text(struct site *site, const char *text)
{
    return qn_net_send(site->net, link_of(site), qn_span_str(text));
}

static inline struct qn_net_counters counters_of(const struct site *site)
{
    struct qn_net_counters counters;
    qn_net_count(site->net, &counters);
    return counters;
}

static inline void some_turns(struct qn_loop *loop)
{
    for (int i = 0; i < 200; i++)
        qn_loop_turn(loop);
}
