/* Inside the parser of the configuration: config.c reads files, config_keys.c knows what may stand
 * in them.
 */
#pragma once

#include "app/config.h"

/* Setters take a whole value or leave the configuration as it is (then: false). */
struct qn_config_key {
    const char *section, *name, *complaint; /* not translated yet */
    bool (*set)(struct qn_config *config, const char *value);
    bool (*set_backup)(struct qn_config_backup *backup, const char *value); /* of [backup NAME] */
};

bool qn_config_is_section(const char *name);
/* NULL: there is no such key. */
const struct qn_config_key *qn_config_find_key(const char *section, const char *name);
