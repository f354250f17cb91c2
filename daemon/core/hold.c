#include "core/hold.h"

/* Placeholder, to be replaced. */
struct hold {
    int nothing;
};

struct hold *hold_new(void)
{
    return QN_NEW(struct hold);
}

void hold_free(struct hold *hold)
{
    qn_free(hold);
}

void hold_up(struct qn_core *core, struct bulk *bulk) {}
void hold_down(struct qn_core *core, struct bulk *bulk) {}

enum qn_err hold_frame(struct qn_core *core, struct bulk *bulk, enum qn_message number,
                       struct qn_cursor *fields)
{
    return QN_ERR_UNSUPPORTED;
}

void hold_outcome(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                  const struct qn_outcome *outcome)
{
}

void hold_read_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                    struct qn_read_result *result)
{
}

void hold_file_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                    struct qn_file_result *result)
{
}

void hold_tick(struct qn_core *core, struct bulk *bulk) {}

bool hold_is_busy(const struct qn_core *core, const struct bulk *bulk)
{
    return false;
}

enum qn_err hold_read(struct qn_kv *kv, struct qn_span args, struct qn_buf *out)
{
    return QN_ERR_UNSUPPORTED;
}

void hold_tick_all(struct qn_core *core) {}
