/* The command `search` (docs/control.md): a service over the search index. */
#pragma once

#include "app/search_feed.h"
#include "app/search_files.h"
#include "app/service.h"

/* Adds itself to the driver; all four live until the loop ends. `feed` and `files` NULL: the index
 * could not be opened, and the command says so. */
struct qn_search_command;
struct qn_search_command *qn_search_command_new(struct qn_driver *driver,
                                                struct qn_search_feed *feed,
                                                const struct qn_search_files *files);
/* Folders of other sites are searched by way of it, while it is there. */
struct qn_https;
void qn_search_command_reach(struct qn_search_command *command, struct qn_https *https);
void qn_search_command_free(struct qn_search_command *command); /* accepts NULL */
