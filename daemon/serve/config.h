/* Section [serve] of quoin.conf(5). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"

#define QN_WEB_NAME_SIZE_MAX 253 /* of a host's name (RFC 1035) */
#define QN_WEB_PATH_SIZE_MAX 255

struct qn_serve_config {
    char listen[QN_WEB_LISTENERS_MAX][QN_ADDRESS_SIZE_MAX + 1]; /* "ADDRESS:PORT"; none: off */
    size_t listen_count;
    char names[QN_WEB_NAMES_MAX][QN_WEB_NAME_SIZE_MAX + 1];
    size_t name_count;
    /* PEM files; "": the site's own authority */
    char certificate[QN_WEB_PATH_SIZE_MAX + 1], key[QN_WEB_PATH_SIZE_MAX + 1];
    bool is_public; /* not only from private addresses */
    /* PEM: who signs the certificates without which nobody comes from a public address; "": none
     * is asked for, which the configuration says in so many words */
    char client_authority[QN_WEB_PATH_SIZE_MAX + 1];
    /* Those of them that are good no more (clients.h); "": none */
    char client_revoked[QN_WEB_PATH_SIZE_MAX + 1];
    bool is_for_everybody;
};
