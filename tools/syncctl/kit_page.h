/* The recovery kit as a page to print: HTML with nothing outside it, A4, in the user's language. */
#pragma once

#include "base/buf.h"
#include "model/invitation.h"

/* The kit's lines without the explanation: what the code carries and people type. */
void kit_page_lines(const struct qn_kit *kit, struct qn_buf *out);
/* QN_ERR_CRYPTO: the code could not be made. The caller wipes `out`. */
enum qn_err QN_CHECKED kit_page_print(const struct qn_kit *kit, struct qn_buf *out);
