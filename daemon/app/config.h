/* The configuration file: INI, strict, with drop-ins (docs/man/quoin.conf.5).
 *
 * An unknown key, section or unit is an error with file and line; all errors are collected. Read
 * again on SIGHUP; a mistake keeps the running configuration. Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/limits.h"
#include "chunk/plan.h"
#include "serve/config.h"

#define QN_CONFIG_BACKUPS_MAX  16
#define QN_CONFIG_STREAMS_MAX  4
#define QN_CONFIG_COMMAND_SIZE 512
#define QN_CONFIG_MEMBERS_MAX  16 /* names in one list */
#define QN_CONFIG_MEMBERS_SIZE 1024
#define QN_CONFIG_MEMBER_SIZE  64

enum qn_log_level {
    QN_LOG_ERROR,
    QN_LOG_WARNING,
    QN_LOG_INFO,
    QN_LOG_DEBUG,
};

/* Commands are for /bin/sh -c; "": none. */
struct qn_config_stream {
    char path[256]; /* absolute: in the snapshot */
    char command[QN_CONFIG_COMMAND_SIZE];
};

struct qn_config_backup {
    char plan[QN_NAME_SIZE_MAX + 1];
    char before[QN_CONFIG_COMMAND_SIZE], after[QN_CONFIG_COMMAND_SIZE];
    struct qn_config_stream streams[QN_CONFIG_STREAMS_MAX];
    size_t stream_count;
    uint64_t time_max_ms; /* of each command */
};

struct qn_config_mail {
    char to[512];      /* "": no mail is sent */
    char from[256];    /* "": as sendmail chooses */
    char socket[108];  /* of the unit that sends; used if it is there */
    char program[256]; /* understands -t -i */
    char language[4];  /* "fr", "en", or "": as the system says */
    unsigned remind_days;
};

struct qn_config_records {
    uint64_t log_ops, log_bytes, log_days; /* of one collection, for sites that are behind */
    uint64_t history_days;                 /* of replaced values */
};

struct qn_config {
    char listen[QN_ADDRESS_SIZE_MAX + 1];         /* "" : not set */
    char advertise[QN_ADDRESS_SIZE_MAX + 1];      /* "" : not set */
    enum qn_log_level log_level;                  /* QN_LOG_INFO */
    size_t map_size;                              /* 64 GiB */
    char control_group[64];                       /* "" : none */
    char control_viewers[QN_CONFIG_MEMBERS_SIZE]; /* who has a role; "": nobody by this */
    char control_operators[QN_CONFIG_MEMBERS_SIZE];
    char control_admins[QN_CONFIG_MEMBERS_SIZE];
    char reader_socket[108];  /* of the reading unit */
    char reader_allow[4096];  /* absolute paths, a space between them; "" : none */
    struct qn_timetable rate; /* of what is sent to holders */
    struct qn_config_records records;
    struct qn_config_mail mail;
    unsigned audit_keep_months; /* of the trail: 12 */
    struct qn_serve_config serve;
    struct qn_config_backup backups[QN_CONFIG_BACKUPS_MAX];
    size_t backup_count;
    /* A file or folder of the configuration that others than root or this user may change: what it
     * says is then read, but no program that it names is run. "": there is none. */
    char distrusted[1024];
};

void qn_config_init(struct qn_config *config); /* the defaults */
/* Reads `path` and then path's folder `<path>.d/` (files *.conf in byte order); a missing file is
 * fine. QN_ERR_INVALID: `errors` has a line "FILE:LINE: text" for each mistake, translated. */
enum qn_err QN_CHECKED qn_config_read(const char *path, struct qn_config *ret_config,
                                      struct qn_buf *errors);
/* Says in `out` which part of the configuration at `path` (the file, its drop-ins, the folders that
 * they are in) others than root and this user may change; "" if none. */
void qn_config_distrust(const char *path, char *out, size_t room);
/* What the configuration has for a backup; NULL: nothing. */
const struct qn_config_backup *qn_config_find_backup(const struct qn_config *config,
                                                     const char *plan);
/* The socket of the reading unit if it is there, else NULL: then syncd reads for itself. Borrowed
 * from the configuration. */
const char *qn_config_reader(const struct qn_config *config);
/* Takes the next name from a list of members, a group's or (`user:NAME`) a user's; false at the
 * end.
 */
bool qn_config_next_member(const char **list, char ret_name[QN_CONFIG_MEMBER_SIZE],
                           bool *ret_is_user);
/* "error", "warning", "info" or "debug"; false for anything else. */
bool qn_log_level_parse(const char *word, enum qn_log_level *ret_level);
