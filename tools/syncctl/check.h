/* What the daemon would refuse, found before anything is sent: an import must know it for the whole
 * file, and a message here can name the field.
 *
 * The rules are those of model/value.h and docs/control.md; the daemon checks again.
 */
#pragma once

#include "base/span.h"

/* NULL: a good key. Else a code of error_words.c. */
const char *ctl_check_key(struct qn_span key);
/* The same for one packed value. */
const char *ctl_check_value(struct qn_span value);
/* The same for a packed map of fields; *ret_field is the field it is about, empty if it is about
 * all of them. It borrows from `fields`. */
const char *ctl_check_fields(struct qn_span fields, struct qn_span *ret_field);
