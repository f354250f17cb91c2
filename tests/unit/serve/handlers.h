/* Handlers of the tests. */
#pragma once

#include "support/web_rig.h"

/* GET hello: "hello". PUT echo: the body back, in chunks. PUT count: takes the body, answers its
 * size; paused while is_paused. GET big: as many bytes as the query says. GET late: waits in
 * `late`. GET cut: part of an answer. PUT early: answers without wanting the body. GET short: less
 * than it promised. GET private: needs a person; its name. */
extern const struct qn_route test_routes[];
extern const size_t test_route_count;

extern struct handlers {
    struct qn_web_request *late;
    bool is_paused;
    size_t count_taken; /* of the body at `count` */
    size_t started, ended, complete;
    size_t room_min; /* the least that `room` was called with */
} handlers;
void handlers_reset(void);
