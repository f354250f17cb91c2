#include "core/fetch.h"

/* Placeholder, to be replaced. */
struct fetch {
    int nothing;
};

struct fetch *fetch_new(void)
{
    return QN_NEW(struct fetch);
}

void fetch_free(struct fetch *fetch)
{
    qn_free(fetch);
}

void fetch_up(struct qn_core *core, struct bulk *bulk) {}
void fetch_down(struct qn_core *core, struct bulk *bulk) {}

enum qn_err fetch_frame(struct qn_core *core, struct bulk *bulk, enum qn_message number,
                        struct qn_cursor *fields)
{
    return QN_ERR_UNSUPPORTED;
}

void fetch_outcome(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                   const struct qn_outcome *outcome)
{
}

void fetch_read_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                     struct qn_read_result *result)
{
}

void fetch_file_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                     struct qn_file_result *result)
{
}

void fetch_tick(struct qn_core *core, struct bulk *bulk) {}

bool fetch_is_busy(const struct qn_core *core, const struct bulk *bulk)
{
    return false;
}
