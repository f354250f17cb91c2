/* Commands that neither the core nor a reading view answers: those of rooms at the edge (search,
 * people, folders, the audit trail). A service takes a command by its name; its answers go the same
 * way as the core's. Loop thread.
 */
#pragma once

#include "app/driver.h"

struct qn_service {
    /* Whether it is this service's, by name only. */
    bool (*takes)(void *context, struct qn_span command);
    /* Command, args and user are borrowed for the call. Answers with the functions below, now or
     * later: data*, then end or error, exactly once; an answer that nobody waits for is dropped. */
    void (*start)(void *context, uint64_t request, struct qn_span command, struct qn_span args,
                  struct qn_span user);
    void *context;
};

/* Before START; the service outlives the driver's last event. */
void qn_driver_add_service(struct qn_driver *driver, const struct qn_service *service);

/* One packed item each; copied. */
void qn_service_data(struct qn_driver *driver, uint64_t request, struct qn_span packed);
void qn_service_end(struct qn_driver *driver, uint64_t request,
                    struct qn_span packed); /* may be empty */
/* `code` as in docs/control.md 5, static; `object` is cut to fit. */
void qn_service_error(struct qn_driver *driver, uint64_t request, enum qn_err err, const char *code,
                      struct qn_span object);
