/* What went wrong, in words: for each code of docs/control.md, section 5. English, marked for the
 * catalogue: syncctl says them with gettext, the API with a tongue of its own. Pure.
 */
#pragma once

#include "base/span.h"

struct qn_error_words {
    const char *code, *text, *remedy; /* what is so, a part of a sentence; what to do, sentences */
};

/* NULL: no such code. */
const struct qn_error_words *qn_error_words(struct qn_span code);
extern const struct qn_error_words qn_error_words_unknown;
