/* Inside the driver: what its files share. Loop thread.
 *
 * driver.c: its life, steps, commits, requests. driver_effects.c: what an update says to do.
 * driver_net.c: what net reports.
 */
#pragma once

#include "app/dials.h"
#include "app/driver.h"
#include "app/long_reads.h"
#include "app/pins.h"
#include "app/service.h"
#include "base/vec.h"

#define SERVICES_MAX 8

/* An event that waits because a step runs, or that the step itself asked for. */
struct later {
    struct qn_event event;
    uint8_t *frame;
    struct qn_commit *commit;
    struct qn_read_result *read;
};

struct qn_driver {
    struct qn_driver_options options;
    struct qn_update update;
    struct qn_timer *deadline;
    struct qn_mailbox *mailbox;
    struct qn_dials dials;
    struct qn_pins *pins;
    struct qn_service services[SERVICES_MAX];
    size_t service_count;
    struct qn_driver_web web;
    QN_VEC(struct later) queue;
    struct qn_long_reads *long_reads;
    int32_t offset_s;       /* local time minus UTC, */
    uint64_t offset_minute; /* in this minute since 1970, plus 1 */
    bool is_stepping, is_started, is_stopping, has_failed;
};

/* Behind the step that runs; what it has is taken. */
void driver_later(struct qn_driver *driver, struct later what);
/* From a callback: now, or after the step in which it came. Of what an event borrows only a frame
 * is copied: a REQUEST does not come this way. */
void driver_happen(struct qn_driver *driver, struct qn_event *event);
void driver_carry_out(struct qn_driver *driver, struct qn_effect *effect);
/* For qn_pins and qn_long_reads: a read that came to nothing, one that begins, one that ends. */
void driver_fail_read(void *driver, uint64_t token, enum qn_err err);
enum qn_err QN_CHECKED driver_begin_long_read(void *driver, struct qn_read *take_read);
void driver_end_long_read(void *driver, uint64_t pin);
