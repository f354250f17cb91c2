/* Sites (sites.h) that exchange pages, for tests. */
#pragma once

#include "model/late.h"
#include "support/sites.h"

/* The next page that `to` wants, as `from` reads it; the error of whoever refuses. */
enum qn_err site_read_page(struct site *from, struct site *to, size_t size_wish,
                           struct qn_buf *ret_body);
enum qn_err site_take_page(struct site *to, struct qn_span body, struct qn_page_result *ret_result);
/* Both. */
enum qn_err site_pull_page(struct site *to, struct site *from, size_t size_wish,
                           struct qn_page_result *ret_result);
enum qn_err site_begin_pass(struct site *site);
/* All pages of a pass; how many there were. */
size_t site_pull_pass(struct site *to, struct site *from, size_t size_wish);
/* Whether the log of `from` reaches back to what `to` has. */
bool site_log_reaches(struct site *from, struct site *to);
/* A new disk. */
void site_wipe(struct site *site);
/* With what all sites of the group know, or if none of them is clean, the first one with what it
 * knows itself. Nothing if the site is clean. */
enum qn_err site_rescue(struct site *site, size_t *ret_rescued);
/* Logs, pages and rescues until all is said. */
void group_settle_late(struct group *group);
