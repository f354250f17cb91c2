/* Commands that change or show the people of this site (`user.*`, docs/control.md), and the site's
 * side of its accounts and audit trail: both are made here, loaded from the store, and ticked.
 *
 * A change is answered when its row and its note in the trail are durable. Passwords are hashed on
 * the thread pool, one after the other. Loop thread.
 */
#pragma once

#include "app/local.h"
#include "app/log.h"
#include "core/core.h"
#include "loop/loop.h"
#include "people/audit.h"
#include "people/people.h"

struct qn_staff_options {
    struct qn_loop *loop;
    const struct qn_local *local; /* borrowed, as all below */
    struct qn_log *log;
    const char *site; /* its name */
    const struct qn_site_id *id;
    const struct qn_signer *signer;
    unsigned keep_months; /* of the trail */
    /* The collection, or the folder, of that name that this site has; false: none. */
    bool (*find_thing)(void *context, enum qn_thing thing, struct qn_span name,
                       uint8_t ret_id[QN_THING_ID_SIZE]);
    /* What a proof of the trail needs of the group: the map of `audit.proof`. */
    void (*pack_proof)(void *context, struct qn_buf *out);
    /* The answer to an order: QN_REPLY_DATA, _END or _ERROR. */
    void (*reply)(void *context, uint64_t token, const struct qn_effect *reply);
    /* An account got another password, durably. May be NULL. */
    void (*on_password)(void *context, struct qn_span name);
    void (*on_checkpoint)(void *context, const struct qn_audit_checkpoint *checkpoint);
    void *context;
};

struct qn_staff;

/* QN_ERR_CORRUPT and the like: rows that cannot be read. */
enum qn_err QN_CHECKED qn_staff_new(const struct qn_staff_options *options,
                                    struct qn_staff **ret_staff);
/* No more minutes pass, and no password that waits is hashed. Accepts NULL. */
void qn_staff_stop(struct qn_staff *staff);
/* No job runs any more: from then on the store's door may be closed, then the staff freed. */
bool qn_staff_is_idle(const struct qn_staff *staff);
/* After the store's door has answered everything. Accepts NULL. */
void qn_staff_free(struct qn_staff *staff);
struct qn_people *qn_staff_people(const struct qn_staff *staff);
struct qn_audit *qn_staff_audit(const struct qn_staff *staff);

bool qn_staff_knows(struct qn_span command);
/* Answers come through `reply`, maybe from inside. */
void qn_staff_order(struct qn_staff *staff, uint64_t token, struct qn_span command,
                    struct qn_span args, struct qn_span user);
