/* The web page: the files of daemon/serve/page/, built into the binary (packaging/embed.cmake).
 * In index.html `@SITE@` is replaced by the site's name. Loop thread. */
#pragma once

#include "serve/request.h"

struct qn_page_file { /* embedded */
    const char *name; /* "index.html" */
    const uint8_t *bytes;
    size_t size;
};
extern const struct qn_page_file qn_page_files[];
extern const size_t qn_page_file_count;

struct qn_page;
/* The files as they are served by the site of that name. */
struct qn_page *qn_page_new(const char *site);
void qn_page_free(struct qn_page *page); /* accepts NULL */

extern const struct qn_web_handler qn_page_handler;
