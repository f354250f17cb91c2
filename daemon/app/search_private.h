/* Inside the command `search`: search_command.c reads a question, search_ask.c answers it. */
#pragma once

#include "app/https.h"
#include "app/search_command.h"

/* Whether something may be missing in this site's index. */
bool search_is_behind(const struct qn_search_command *command);
struct qn_driver *search_driver(const struct qn_search_command *command);

struct search_ask;
/* Held by who asks, and by the index. `limit`: of hits of other sites, all together; `tells_sites`:
 * also which sites are asked, and which have answered. */
struct search_ask *search_ask_new(struct qn_search_command *command, uint64_t request,
                                  uint64_t limit, bool tells_sites);
void search_ask_free(struct search_ask *ask); /* nothing was asked */
void search_ask_release(struct search_ask *ask);
void search_ask_on_found(void *ask, enum qn_err err, const struct qn_search_answer *answer);
/* One folder of another site. */
void search_ask_elsewhere(struct search_ask *ask, struct qn_https *https,
                          const struct qn_serve_search *what);
/* That site does not answer. */
void search_ask_silent(struct search_ask *ask, const char *site);
