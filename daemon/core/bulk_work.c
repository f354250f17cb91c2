/* Commits, reads and file work of the parts of a second connection: on their way, and back to the
 * part that they are for. */
#include "core/bulk.h"
#include "core/fetch.h"
#include "core/hold.h"
#include "core/offsite.h"

static struct pending *mark(struct pending *pending, const struct bulk *bulk, uint64_t tag)
{
    pending->site = bulk->peer->site;
    pending->link = bulk->link;
    pending->seq = tag;
    return pending;
}

struct pending *bulk_commit(struct qn_core *core, struct bulk *bulk, enum qn_intent_kind kind,
                            struct qn_buf *take_payload, enum pending_kind pending, uint64_t tag)
{
    return mark(core_commit(core, kind, take_payload, pending), bulk, tag);
}

struct pending *bulk_read(struct qn_core *core, struct bulk *bulk, enum qn_read_kind kind,
                          struct qn_buf *take_args, enum pending_kind pending, uint64_t tag)
{
    struct qn_read *read = QN_NEW(struct qn_read);
    read->kind = kind;
    read->names = *take_args;
    *take_args = (struct qn_buf){0};
    return mark(core_read_later(core, read, pending), bulk, tag);
}

struct pending *bulk_file(struct qn_core *core, struct bulk *bulk, struct qn_file_work *take_work,
                          enum pending_kind pending, uint64_t tag)
{
    return mark(core_file(core, take_work, pending), bulk, tag);
}

void bulk_outcome(struct qn_core *core, const struct pending *pending,
                  const struct qn_outcome *outcome)
{
    struct bulk *bulk = bulk_of(core, &pending->site);
    if (pending->kind == PENDING_CUSTODY)
        custodian_outcome(core, pending, outcome);
    if (bulk == NULL || pending->kind == PENDING_CUSTODY)
        return;
    if (pending->kind == PENDING_OFFSITE)
        offsite_outcome(core, bulk, pending, outcome);
    else if (pending->kind == PENDING_HOLD)
        hold_outcome(core, bulk, pending, outcome);
    else
        fetch_outcome(core, bulk, pending, outcome);
}

void bulk_read_done(struct qn_core *core, const struct pending *pending,
                    struct qn_read_result *result)
{
    struct bulk *bulk = bulk_of(core, &pending->site);
    if (pending->kind == PENDING_CUSTODY)
        custodian_read_done(core, pending, result);
    if (bulk == NULL || pending->kind == PENDING_CUSTODY)
        return;
    if (pending->kind == PENDING_OFFSITE)
        offsite_read_done(core, bulk, pending, result);
    else if (pending->kind == PENDING_HOLD)
        hold_read_done(core, bulk, pending, result);
    else
        fetch_read_done(core, bulk, pending, result);
}

static void file_done(struct qn_core *core, const struct pending *pending,
                      struct qn_file_result *result)
{
    struct bulk *bulk = bulk_of(core, &pending->site);
    if (pending->kind == PENDING_CUSTODY)
        custodian_file_done(core, pending, result);
    if (bulk == NULL || pending->kind == PENDING_CUSTODY)
        return;
    if (pending->kind == PENDING_OFFSITE)
        offsite_file_done(core, bulk, pending, result);
    else if (pending->kind == PENDING_HOLD)
        hold_file_done(core, bulk, pending, result);
    else
        fetch_file_done(core, bulk, pending, result);
}

void bulk_file_done(struct qn_core *core, struct qn_file_result *result)
{
    struct pending pending;
    if (!core_pending_take(core, result->token, &pending))
        return;
    file_done(core, &pending, result);
    qn_buf_deinit(&pending.data);
}
