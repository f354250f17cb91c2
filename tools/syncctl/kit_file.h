/* A recovery kit in a file: read, with words for what is wrong in it. */
#pragma once

#include "ctl.h"
#include "model/invitation.h"

/* `path` "-": standard input. An exit code; what is wrong was said, with the line. The kit is
 * secret: the caller wipes it. */
int kit_file_read(const struct ctl *ctl, const char *path, struct qn_kit *ret_kit);
