#include "base/assert.h"
#include "base/mem.h"
#include "net/net_private.h"

static uint32_t slot_of(qn_link_id id)
{
    return (uint32_t)id;
}

struct qn_link *qn_net_find(const struct qn_net *net, qn_link_id id)
{
    if (slot_of(id) >= QN_LINKS_MAX)
        return NULL;
    struct qn_link *link = net->links[slot_of(id)];
    return link != NULL && link->id == id ? link : NULL;
}

static bool find_free(const struct qn_net *net, uint32_t *ret_slot)
{
    for (uint32_t slot = 0; slot < QN_LINKS_MAX; slot++) {
        if (net->links[slot] == NULL) {
            *ret_slot = slot;
            return true;
        }
    }
    return false;
}

/* Generations begin with 1, so that no id is 0. */
static qn_link_id next_id(struct qn_net *net, uint32_t slot)
{
    uint32_t generation = ++net->generations[slot];
    if (generation == 0)
        generation = ++net->generations[slot];
    return slot | (uint64_t)generation << 32;
}

struct qn_link *qn_link_new(struct qn_net *net, enum qn_link_state state)
{
    uint32_t slot;
    if (!find_free(net, &slot))
        return NULL;
    struct qn_link *link = QN_NEW(struct qn_link);
    link->net = net;
    link->id = next_id(net, slot);
    link->age = ++net->age;
    link->state = state;
    link->timer = qn_timer_new(net->loop, qn_link_timed_out, link);
    net->links[slot] = link;
    return link;
}

void qn_link_release(struct qn_link *link)
{
    struct qn_net *net = link->net;
    QN_ASSERT(net->links[slot_of(link->id)] == link);
    net->links[slot_of(link->id)] = NULL;
    if (qn_link_is_told(link))
        net->counters.links_up--;
    qn_stream_abort(link->stream);
    qn_timer_free(link->timer);
    qn_frame_reader_deinit(&link->reader);
    qn_free(link->dial);
    qn_free(link);
}

struct qn_link *qn_net_oldest_above(struct qn_net *net, size_t count_max, qn_link_match *match,
                                    const void *argument)
{
    struct qn_link *oldest = NULL;
    size_t count = 0;
    for (size_t slot = 0; slot < QN_LINKS_MAX; slot++) {
        struct qn_link *link = net->links[slot];
        if (link == NULL || !match(link, argument))
            continue;
        count++;
        if (oldest == NULL || link->age < oldest->age)
            oldest = link;
    }
    return count >= count_max ? oldest : NULL;
}
