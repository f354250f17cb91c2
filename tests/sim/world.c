#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- the queue: a binary heap ---- */

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap(struct sim_event *a, struct sim_event *b)
{
    struct sim_event c = *a;
    *a = *b;
    *b = c;
}

void world_push(struct sim_world *world, struct sim_event event)
{
    event.order = ++world->order;
    qn_vec_push(&world->heap, event);
    struct sim_event *heap = world->heap.items;
    for (size_t i = world->heap.count - 1; i > 0 && is_before(&heap[i], &heap[(i - 1) / 2]);
         i = (i - 1) / 2)
        swap(&heap[i], &heap[(i - 1) / 2]);
}

static struct sim_event pop(struct sim_world *world)
{
    struct sim_event *heap = world->heap.items, first = heap[0];
    size_t count = --world->heap.count;
    heap[0] = heap[count];
    for (size_t i = 0;;) {
        size_t least = i, left = 2 * i + 1;
        if (left < count && is_before(&heap[left], &heap[least]))
            least = left;
        if (left + 1 < count && is_before(&heap[left + 1], &heap[least]))
            least = left + 1;
        if (least == i)
            return first;
        swap(&heap[i], &heap[least]);
        i = least;
    }
}

/* ---- chance, trace, failure ---- */

uint64_t world_below(struct sim_world *world, uint64_t bound)
{
    return qn_prng_below(&world->prng, bound);
}

bool world_chance(struct sim_world *world, unsigned per_mille)
{
    return world_below(world, 1000) < per_mille;
}

void world_trace(struct sim_world *world, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    for (const char *p = line; *p != '\0'; p++) /* FNV-1a */
        world->trace = (world->trace ^ (uint8_t)*p) * 0x100000001b3u;
    world->trace = (world->trace ^ world->now_ms) * 0x100000001b3u;
    if (world->prints)
        printf("%8llu %s\n", (unsigned long long)world->now_ms, line);
}

void world_fail(struct sim_world *world, const char *format, ...)
{
    if (world->failure[0] != '\0')
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(world->failure, sizeof(world->failure), format, args);
    va_end(args);
    world_trace(world, "FAILED: %s", world->failure);
}

/* ---- running ---- */

#define STEPS_MAX 400000 /* of one history: a storm of events is a failure too */

void world_init(struct sim_world *world, uint64_t seed, size_t site_count, bool prints)
{
    memset(world, 0, sizeof(*world));
    world->seed = seed;
    world->prng.state = seed * 0x9e3779b97f4a7c15u + 1;
    world->trace = 0xcbf29ce484222325u;
    world->prints = prints;
    world->now_ms = 1000;
    world->site_count = site_count;
    world->steps_max = STEPS_MAX;
    for (size_t i = 0; i < site_count; i++)
        site_init(world, i);
}

void world_deinit(struct sim_world *world)
{
    for (size_t i = 0; i < world->site_count; i++)
        site_deinit(&world->sites[i]);
    qn_vec_each (&world->links, link)
        network_free(*link);
    qn_vec_each (&world->heap, event)
        if (event->read != NULL) {
            qn_read_result_deinit(event->read);
            qn_free(event->read);
        }
    oracle_deinit(world);
    rot_deinit(world);
    qn_vec_free(&world->links);
    qn_vec_free(&world->heap);
    qn_vec_free(&world->acks);
    qn_vec_free(&world->colls);
    qn_vec_free(&world->withdrawn);
    qn_vec_free(&world->promises);
}

/* A connection that broke before this end was up: its dial failed. */
static void never_up(struct sim_world *world, struct sim_site *site, struct sim_link *link,
                     size_t end)
{
    link->has_end[end] = false;
    network_break(world, link);
    struct qn_event failed = {
        .kind = QN_EVENT_DIAL_FAILED, .token = link->dial_token, .err = QN_ERR_CLOSED};
    if (end == 0)
        site_step(world, site, &failed);
}

static void link_event(struct sim_world *world, const struct sim_event *event)
{
    struct sim_site *site = &world->sites[event->site];
    struct sim_link *link = world_link(world, event->link);
    if (link == NULL || !link->has_end[event->way])
        return;
    const struct sim_site *other = &world->sites[link->end[1 - event->way]];
    struct qn_event e = {.kind = event->kind == SIM_UP ? QN_EVENT_LINK_UP : QN_EVENT_LINK_DOWN,
                         .link = link->id,
                         .token = event->token,
                         .err = QN_ERR_CLOSED,
                         .link_kind = link->kind,
                         .is_dialled = event->way == 0,
                         .key = other->keys.site};
    memcpy(e.exporter, link->exporter, sizeof(e.exporter));
    if (!link->is_told[event->way] && event->kind == SIM_DOWN) {
        never_up(world, site, link, event->way);
        return;
    }
    link->is_told[event->way] = true;
    world_trace(world, "%s link %llu to %s %s", site->name, (unsigned long long)link->id,
                other->name, event->kind == SIM_UP ? "up" : "down");
    if (event->kind == SIM_DOWN) {
        link->has_end[event->way] = false;
        if (link->closed_by != event->way + 1) /* what the closer said last is still under way */
            network_break(world, link);
    }
    site_step(world, site, &e);
}

static void read_event(struct sim_world *world, const struct sim_event *event)
{
    struct qn_event e = {.kind = QN_EVENT_READ, .read = event->read};
    site_step(world, &world->sites[event->site], &e);
}

static void dispatch(struct sim_world *world, struct sim_event *event)
{
    struct sim_site *site = &world->sites[event->site];
    bool is_stale = event->life != site->life || !site->is_up;
    if (is_stale) {
        if (event->kind == SIM_PUMP && world_link(world, event->link) != NULL)
            world_link(world, event->link)->way[event->way].is_pumping = false;
        return;
    }
    switch (event->kind) {
    case SIM_PUMP:
        network_pump(world, event);
        break;
    case SIM_UP:
    case SIM_DOWN:
        link_event(world, event);
        break;
    case SIM_DIAL:
        network_dial(world, event);
        break;
    case SIM_WRITE:
        site_write(world, site);
        break;
    case SIM_COMMIT:
        site_commit(world, site);
        break;
    case SIM_READ:
        read_event(world, event);
        break;
    case SIM_JOB:
        vault_step(world, site);
        break;
    case SIM_FILE:
        files_event(world, site, event->token);
        break;
    case SIM_TICK: {
        if (site->tick_at != event->at_ms)
            break;
        site->tick_at = 0;
        struct qn_event e = {.kind = QN_EVENT_TICK};
        site_step(world, site, &e);
        break;
    }
    }
}

void world_run(struct sim_world *world, uint64_t until_ms)
{
    while (world->heap.count > 0 && world->heap.items[0].at_ms <= until_ms &&
           world->failure[0] == '\0') {
        struct sim_event event = pop(world);
        if (world->now_ms < event.at_ms)
            world->now_ms = event.at_ms;
        dispatch(world, &event);
        if (event.read != NULL) {
            qn_read_result_deinit(event.read);
            qn_free(event.read);
        }
        if (++world->steps > world->steps_max)
            world_fail(world, "more than %zu steps: a storm", world->steps_max);
    }
    if (world->now_ms < until_ms)
        world->now_ms = until_ms;
}

void world_leap(struct sim_world *world, uint64_t ms)
{
    world_trace(world, "all sleep for %llu s", (unsigned long long)(ms / 1000));
    world->now_ms += ms;
}
