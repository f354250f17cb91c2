/* Which snapshot a person means: "" the latest of a plan, the beginning of its id in hex, or a time
 * ("@" and ms since 1970: the last one made before it). On a view's thread. */
#pragma once

#include "app/views_impl.h"

struct qn_snapshot_place {
    struct qn_view *view;
    struct qn_vault *vault;
    struct qn_copy_vault *copy; /* whose vault it is, to fetch from there what is chosen; or NULL */
};
/* Takes `name` (the plan) and the snapshot's text under `key` from the arguments; with `store`:
 * true the list of the site's own store stands in the place of its files. On an error the view was
 * answered. ret_info->plain is the caller's to release. */
enum qn_err QN_CHECKED qn_snapshot_pick(const struct qn_snapshot_place *place, struct qn_span args,
                                        const char *key, struct qn_snapshot_info *ret_info);
/* All of the plan that `name` names, or of all plans without it, oldest first. On an error the view
 * was answered. qn_snapshots_deinit releases them. */
enum qn_err QN_CHECKED qn_snapshot_all(const struct qn_snapshot_place *place, struct qn_span args,
                                       qn_snapshot_vec *out);
/* What a holder keeps comes here before it is looked into; nothing to do in the own vault. On an
 * error the view was answered. */
enum qn_err QN_CHECKED qn_snapshot_bring(const struct qn_snapshot_place *place, struct qn_span from,
                                         const struct qn_snapshot_name *name);
/* The code (docs/control.md 5) of an error that reading a vault gave. */
const char *qn_snapshot_code(enum qn_err err);
/* A path as people give it ("/srv/data/", "srv/data") as the list has it. */
struct qn_span qn_snapshot_path(struct qn_span path);
