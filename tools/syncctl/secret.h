/* What a person types and nobody should see, and codes for cameras. */
#pragma once

#include "ctl.h"
#include "base/buf.h"

#define CTL_SECRET_SIZE_MAX 4096

/* A line: from the terminal, unseen and twice if it is standard input, else the first line of
 * standard input. `prompt` is translated. Not CTL_DONE: there was none, or two different ones, and
 * that was said. The caller wipes it. */
int ctl_read_secret(const struct ctl *ctl, const char *prompt, struct qn_buf *out);
/* A line that may be seen; likewise. */
int ctl_read_line(const struct ctl *ctl, const char *prompt, struct qn_buf *out);
/* A QR code in half blocks, dark on light whatever the terminal's colours are; false: the text is
 * too long for one. */
bool ctl_put_code(FILE *out, struct qn_span text);
