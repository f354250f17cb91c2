/* What the files of the loop share. Loop thread. */
#pragma once

#include <uv.h>

#include "loop/loop.h"

struct qn_loop {
    uv_loop_t uv;
    size_t job_count; /* on the thread pool or on their way back; at most QN_LOOP_JOBS_MAX */
};

/* Closes `handle`, then frees `owner`, the object that embeds it. */
void qn_loop_close_handle(uv_handle_t *handle, void *owner);
