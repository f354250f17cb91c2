#include "core/offsite.h"

/* Placeholder, to be replaced. */
struct offsite {
    int nothing;
};

struct offsite *offsite_new(void)
{
    return QN_NEW(struct offsite);
}

void offsite_free(struct offsite *offsite)
{
    qn_free(offsite);
}

void offsite_up(struct qn_core *core, struct bulk *bulk) {}
void offsite_down(struct qn_core *core, struct bulk *bulk) {}

enum qn_err offsite_frame(struct qn_core *core, struct bulk *bulk, enum qn_message number,
                          struct qn_cursor *fields)
{
    return QN_ERR_UNSUPPORTED;
}

void offsite_outcome(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                     const struct qn_outcome *outcome)
{
}

void offsite_read_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                       struct qn_read_result *result)
{
}

void offsite_file_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                       struct qn_file_result *result)
{
}

void offsite_tick(struct qn_core *core, struct bulk *bulk) {}

bool offsite_is_busy(const struct qn_core *core, const struct bulk *bulk)
{
    return false;
}

enum qn_err offsite_read(struct qn_kv *kv, struct qn_span args, struct qn_buf *out)
{
    return QN_ERR_UNSUPPORTED;
}

void offsite_touch(struct qn_core *core) {}

void offsite_progress(const struct bulk *bulk, struct offsite_progress *ret_progress)
{
    *ret_progress = (struct offsite_progress){0};
}
