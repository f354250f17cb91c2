/* The configuration file: INI, strict, with drop-ins (docs/man/quoin.conf.5).
 *
 * An unknown key, section or unit is an error with file and line; all errors are collected. Read
 * again on SIGHUP; a mistake keeps the running configuration. Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/limits.h"

enum qn_log_level {
    QN_LOG_ERROR,
    QN_LOG_WARNING,
    QN_LOG_INFO,
    QN_LOG_DEBUG,
};

struct qn_config {
    char listen[QN_ADDRESS_SIZE_MAX + 1];    /* "" : not set */
    char advertise[QN_ADDRESS_SIZE_MAX + 1]; /* "" : not set */
    enum qn_log_level log_level;             /* QN_LOG_INFO */
    size_t map_size;                         /* 64 GiB */
    char control_group[64];                  /* "" : none */
    char reader_socket[108];                 /* of the reading unit */
    char reader_allow[4096];                 /* absolute paths, a space between them; "" : none */
};

void qn_config_init(struct qn_config *config); /* the defaults */
/* Reads `path` and then path's folder `<path>.d/` (files *.conf in byte order); a missing file is
 * fine. QN_ERR_INVALID: `errors` has a line "FILE:LINE: text" for each mistake, translated. */
enum qn_err QN_CHECKED qn_config_read(const char *path, struct qn_config *ret_config,
                                      struct qn_buf *errors);
/* The socket of the reading unit if it is there, else NULL: then syncd reads for itself. Borrowed
 * from the configuration. */
const char *qn_config_reader(const struct qn_config *config);
/* "error", "warning", "info" or "debug"; false for anything else. */
bool qn_log_level_parse(const char *word, enum qn_log_level *ret_level);
