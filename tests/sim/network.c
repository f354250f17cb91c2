#include <stdio.h>

#include "sim/world.h"

#define BREAKS_AFTER_MS 8000 /* of being blocked; each end notices at its own time */

struct sim_link *world_link(struct sim_world *world, uint64_t id)
{
    return id == 0 || id > world->links.count ? NULL : world->links.items[id - 1];
}

static void clear_way(struct sim_way *way)
{
    qn_vec_each (&way->queue, frame)
        qn_free(frame->bytes);
    way->queue.count = 0;
}

void network_free(struct sim_link *link)
{
    for (size_t i = 0; i < 2; i++) {
        clear_way(&link->way[i]);
        qn_vec_free(&link->way[i].queue);
    }
    qn_free(link);
}

static uint64_t delay(struct sim_world *world)
{
    return 1 + world_below(world, world_chance(world, 100) ? 400 : 20);
}

static void tell_end(struct sim_world *world, struct sim_link *link, size_t end, enum sim_kind kind,
                     uint64_t after_ms, uint64_t token)
{
    struct sim_site *site = &world->sites[link->end[end]];
    world_push(world, (struct sim_event){.at_ms = world->now_ms + after_ms,
                                         .kind = kind,
                                         .site = site->index,
                                         .life = site->life,
                                         .link = link->id,
                                         .way = end,
                                         .token = token});
}

/* What TLS decides: the target must be up and reachable and admit the key, and be who was meant. */
static enum qn_err let_in(struct sim_world *world, const struct sim_event *event)
{
    const struct sim_site *from = &world->sites[event->site], *to = &world->sites[event->target];
    if (!to->is_up || to->is_hidden || to->is_walled ||
        world->is_blocked[event->site][event->target] ||
        world->is_blocked[event->target][event->site])
        return QN_ERR_TIMEOUT;
    if (event->has_expected && !qn_public_key_eq(&event->expected, &to->keys.site))
        return QN_ERR_DENIED;
    size_t count;
    bool allows_guests;
    const struct qn_public_key *keys = qn_core_admitted(to->core, &count, &allows_guests);
    if (event->link_kind == QN_LINK_GUEST)
        return allows_guests ? QN_OK : QN_ERR_DENIED;
    for (size_t i = 0; i < count; i++)
        if (qn_public_key_eq(&keys[i], &from->keys.site))
            return QN_OK;
    return QN_ERR_DENIED;
}

void network_dial(struct sim_world *world, const struct sim_event *event)
{
    struct sim_site *from = &world->sites[event->site];
    enum qn_err err = event->target >= world->site_count ? QN_ERR_TIMEOUT : let_in(world, event);
    if (err != QN_OK) {
        struct qn_event failed = {.kind = QN_EVENT_DIAL_FAILED, .token = event->token, .err = err};
        site_step(world, from, &failed);
        return;
    }
    struct sim_link *link = QN_NEW(struct sim_link);
    link->id = ++world->next_link;
    link->end[0] = event->site;
    link->end[1] = event->target;
    link->kind = event->link_kind;
    link->dial_token = event->token;
    link->is_up = link->has_end[0] = link->has_end[1] = true;
    for (size_t i = 0; i < sizeof(link->exporter); i++)
        link->exporter[i] = (uint8_t)qn_prng_next(&world->prng);
    qn_vec_push(&world->links, link);
    tell_end(world, link, 0, SIM_UP, delay(world), event->token);
    tell_end(world, link, 1, SIM_UP, delay(world), 0);
}

static void pump_later(struct sim_world *world, struct sim_link *link, size_t way, uint64_t ms)
{
    link->way[way].is_pumping = true;
    tell_end(world, link, way, SIM_PUMP, ms, 0);
}

void network_send(struct sim_world *world, struct sim_site *from, uint64_t id, const uint8_t *bytes,
                  size_t size)
{
    struct sim_link *link = world_link(world, id);
    if (link == NULL || !link->is_up)
        return;
    size_t way = link->end[0] == from->index ? 1 : 0;
    if (link->kind == QN_LINK_MEMBER) {
        crowd_said(world, &world->sites[link->end[way]], qn_span(bytes, size));
        thrift_said(world, link->id, from->index, link->end[way], qn_span(bytes, size));
    }
    if (link->kind == QN_LINK_BULK)
        custody_said(world, from, &world->sites[link->end[way]], qn_span(bytes, size));
    qn_vec_push(&link->way[way].queue,
                ((struct sim_frame){.bytes = qn_memdup(bytes, size), .size = size}));
    if (!link->way[way].is_pumping)
        pump_later(world, link, way, delay(world));
}

static bool waits(struct sim_world *world, struct sim_link *link, size_t way)
{
    struct sim_way *w = &link->way[way];
    if (!link->is_told[way]) {
        pump_later(world, link, way, 5);
        return true;
    }
    if (!world->is_blocked[link->end[1 - way]][link->end[way]]) {
        w->blocked_since = 0;
        return false;
    }
    if (w->blocked_since == 0)
        w->blocked_since = world->now_ms;
    if (world->now_ms - w->blocked_since > BREAKS_AFTER_MS)
        network_break(world, link);
    else
        pump_later(world, link, way, 50);
    return true;
}

/* What passes, for whoever reads a trace. */
static void print_frame(const struct sim_world *world, const struct sim_link *link, size_t way,
                        const struct sim_frame *frame)
{
    struct qn_cursor cursor = qn_cursor(qn_span(frame->bytes, frame->size));
    struct qn_span first = {0};
    uint64_t number = 0, flags = 0;
    size_t count;
    if (qn_cursor_array(&cursor, 64, &count) != QN_OK || qn_cursor_u64(&cursor, &number) != QN_OK ||
        (qn_cursor_peek(&cursor) == QN_ITEM_BIN &&
         qn_cursor_bin(&cursor, SIZE_MAX, &first) != QN_OK))
        return;
    while (!qn_cursor_is_end(&cursor))
        if (qn_cursor_u64(&cursor, &flags) != QN_OK &&
            qn_cursor_skip(&cursor, 40, &(struct qn_span){0}) != QN_OK)
            break;
    printf("%8llu   link %llu site%zu -> site%zu message %llu of %02x%02x, %llu, %zu bytes\n",
           (unsigned long long)world->now_ms, (unsigned long long)link->id, link->end[1 - way],
           link->end[way], (unsigned long long)number, first.size > 1 ? first.data[0] : 0u,
           first.size > 1 ? first.data[1] : 0u, (unsigned long long)flags, frame->size);
}

void network_pump(struct sim_world *world, const struct sim_event *event)
{
    struct sim_link *link = world_link(world, event->link);
    if (link == NULL || !link->is_up)
        return;
    struct sim_way *way = &link->way[event->way];
    way->is_pumping = false;
    if (way->queue.count == 0 || waits(world, link, event->way))
        return;
    struct sim_frame frame = way->queue.items[0];
    qn_vec_remove(&way->queue, 0);
    if (way->queue.count > 0)
        pump_later(world, link, event->way, world_below(world, 4));
    if (world->prints)
        print_frame(world, link, event->way, &frame);
    struct qn_event arrived = {
        .kind = QN_EVENT_FRAME, .link = link->id, .frame = qn_span(frame.bytes, frame.size)};
    site_step(world, &world->sites[link->end[event->way]], &arrived);
    qn_free(frame.bytes);
}

/* Both ends learn of it, each in its own time; what was under way is lost. */
void network_break(struct sim_world *world, struct sim_link *link)
{
    if (!link->is_up)
        return;
    link->is_up = false;
    for (size_t end = 0; end < 2; end++) {
        clear_way(&link->way[end]);
        if (link->has_end[end])
            tell_end(world, link, end, SIM_DOWN, delay(world), 0);
    }
}

/* An orderly end: the other side still gets what was sent before. */
void network_close(struct sim_world *world, struct sim_site *from, uint64_t id)
{
    struct sim_link *link = world_link(world, id);
    if (link == NULL || !link->is_up)
        return;
    size_t to = link->end[0] == from->index ? 1 : 0;
    uint64_t last = 1;
    if (link->way[to].queue.count > 0)
        last = 500; /* refusals and withdrawals are read before the end */
    link->closed_by = 1 - to + 1;
    tell_end(world, link, 1 - to, SIM_DOWN, 1, 0);
    tell_end(world, link, to, SIM_DOWN, last + delay(world), 0);
    if (last == 1)
        link->is_up = false;
}

void network_site_down(struct sim_world *world, size_t site)
{
    qn_vec_each (&world->links, slot) {
        struct sim_link *link = *slot;
        for (size_t end = 0; end < 2; end++)
            if (link->end[end] == site)
                link->has_end[end] = false;
        if (link->end[0] == site || link->end[1] == site)
            network_break(world, link);
    }
}
