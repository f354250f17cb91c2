/* What a client sends, request after request, and what it has to be answered: a file of tests for
 * each client that cannot be had here. In fields and bodies @TOKEN@ stands for the token of the
 * last lock that was given.
 *
 *   static const struct dav_step steps[] = {
 *       {"OPTIONS /dav/F", .status = 200, .fields_back = {"DAV: 1, 2, 3"}},
 *   };
 *   dav_trace_play(world, steps, sizeof(steps) / sizeof(steps[0]));
 */
#pragma once

#include "support/dav_world.h"

#define DAV_STEP_WANTS_MAX 6

struct dav_step {
    const char *line;
    const char *fields; /* CR LF behind each; may be NULL */
    const char *body;   /* may be NULL */
    unsigned status;
    const char *fields_back[DAV_STEP_WANTS_MAX]; /* "Name: value", as they have to be */
    const char *has[DAV_STEP_WANTS_MAX];         /* in the content */
    const char *has_not[DAV_STEP_WANTS_MAX];
    const char *content; /* all of it; NULL: whatever it is */
};

void dav_trace_play(struct dav_world *world, const struct dav_step *steps, size_t count);
