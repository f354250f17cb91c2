/* The owner on the first connection (docs/protocol.md 10.11): what is too much for it, and what is
 * said again because it may not have been heard. A second connection that one end has already and
 * the other never sees takes with it what was said on the first one meanwhile. */
#include "core/offsite_impl.h"

#define REPEATS_MAX 5 /* doublings of BULK_ASK_MS */

void offsite_needs_more(struct qn_core *core, struct bulk *bulk)
{
    offsite_drop(bulk->offsite);
    bulk->offsite->needs_more = true;
    bulk_want(core, bulk);
}

/* For an answer that takes a holder no longer than a commit. */
static bool waits_for_word(const struct offsite *offsite)
{
    const struct lists *lists = &offsite->lists;
    if (offsite->stage != STAGE_OPEN)
        return offsite->stage != STAGE_OFF;
    return lists->state == LIST_SENDING || lists->state == LIST_SENT || lists->is_forgetting ||
           lists->has_asked_forget;
}

static void say_again(struct qn_core *core, struct bulk *bulk)
{
    struct offsite *offsite = bulk->offsite;
    if (offsite->stage == STAGE_ASKED) {
        offsite_compare_anew(core, bulk);
        return;
    }
    lists_say_again(offsite);
    forgets_say_again(offsite);
}

void offsite_in_doubt(struct qn_core *core, struct bulk *bulk)
{
    say_again(core, bulk);
    proofs_say_again(bulk->offsite);
}

void offsite_tick_narrow(struct qn_core *core, struct bulk *bulk)
{
    struct offsite *offsite = bulk->offsite;
    if (!waits_for_word(offsite)) {
        offsite->waits_ms = 0;
        offsite->repeats = 0;
        return;
    }
    if (offsite->waits_ms == 0)
        offsite->waits_ms = core->now_ms;
    uint64_t again_ms = offsite->waits_ms + ((uint64_t)BULK_ASK_MS << offsite->repeats);
    if (core->now_ms < again_ms) {
        core_wake(core, again_ms);
        return;
    }
    offsite->repeats += offsite->repeats < REPEATS_MAX;
    offsite->waits_ms = core->now_ms;
    say_again(core, bulk);
}
