/* Languages in which the words of this room are said. Pure, so that each request may have its own:
 * gettext has one language for the whole process. English stands in the code; French is a table
 * made from packaging/po/fr.po when the daemon is built (french.sh). Thread: any.
 */
#pragma once

#include "base/buf.h"

/* Marks a text for the catalogue; N2_: one and many of it. */
#define N_(text)       text
#define N2_(one, many) one, many

struct qn_tongue {
    const char *(*say)(const char *text); /* itself, if there is no translation */
    const char *(*say_many)(const char *one, const char *many, unsigned long count);
};

extern const struct qn_tongue qn_tongue_english, qn_tongue_french;

/* "3 days ago". */
void qn_tongue_append_ago(struct qn_buf *out, const struct qn_tongue *tongue, uint64_t now_ms,
                          uint64_t time_ms);
