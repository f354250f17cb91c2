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

/* [control], config_control.c */
bool qn_config_set_control_group(struct qn_config *config, const char *value);
bool qn_config_set_control_viewers(struct qn_config *config, const char *value);
bool qn_config_set_control_operators(struct qn_config *config, const char *value);
bool qn_config_set_control_admins(struct qn_config *config, const char *value);

/* [records], config_records.c */
bool qn_config_set_log_operations(struct qn_config *config, const char *value);
bool qn_config_set_log_size(struct qn_config *config, const char *value);
bool qn_config_set_log_age(struct qn_config *config, const char *value);
bool qn_config_set_history_age(struct qn_config *config, const char *value);

/* [serve], config_serve.c */
bool qn_config_set_serve_listen(struct qn_config *config, const char *value);
bool qn_config_set_serve_names(struct qn_config *config, const char *value);
bool qn_config_set_serve_certificate(struct qn_config *config, const char *value);
bool qn_config_set_serve_key(struct qn_config *config, const char *value);
bool qn_config_set_serve_public(struct qn_config *config, const char *value);
bool qn_config_set_serve_client_authority(struct qn_config *config, const char *value);
bool qn_config_set_serve_client_revoked(struct qn_config *config, const char *value);
/* What is wrong with the section as a whole, not translated yet; NULL: nothing. */
const char *qn_config_check_serve(const struct qn_config *config);

/* Absolute, without white space, less than `room` bytes. */
bool qn_config_set_path(char *out, size_t room, const char *value);

/* "256M"; units K, M, G, T. */
bool qn_config_read_size(const char *value, size_t min, size_t max, size_t *ret_size);

bool qn_config_is_section(const char *name);
/* NULL: there is no such key. */
const struct qn_config_key *qn_config_find_key(const char *section, const char *name);
