/* What went wrong, for who uses the page or the API: the codes of docs/api.md, and where they have
 * no word for one, those of error_words.h, whose remedies are for the IT person and are left out.
 * Pure.
 */
#pragma once

#include "words/tongue.h"

/* A sentence, with what to do where there is something. An unknown code: a sentence too. */
void qn_web_sentence(struct qn_span code, const struct qn_tongue *tongue, struct qn_buf *out);
