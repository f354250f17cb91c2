/* Folders of other sites, as the HTTPS access needs them: where a folder is, who a key is, and
 * connections through net: by quoin-web/1, or by quoin-web-back/1 where a site has to be called
 * because it cannot be dialled (docs/protocol.md, section 11). Loop thread.
 */
#pragma once

#include "app/driver.h"

struct qn_serve;
struct qn_across;

/* Connections that come in, and those that were dialled, go to `serve`, until it is freed. All are
 * borrowed; `serve` is set before the loop turns. */
struct qn_across *qn_across_new(struct qn_loop *loop, struct qn_driver *driver, struct qn_net *net,
                                struct qn_log *log);
void qn_across_set_serve(struct qn_across *across, struct qn_serve *serve);
void qn_across_free(struct qn_across *across); /* accepts NULL */

/* As in struct qn_serve_host. */
bool qn_across_elsewhere(const struct qn_across *across, struct qn_span folder,
                         const char **ret_site, bool *ret_is_online);
bool qn_across_dial(struct qn_across *across, const char *site, uint64_t token);
const char *qn_across_member(const struct qn_across *across, const struct qn_public_key *key);
bool qn_across_shares(const struct qn_across *across, const struct qn_public_key *key,
                      struct qn_span folder);
