/* Records as people read them. */
#pragma once

#include <stdio.h>

#include "base/span.h"

void ctl_print_record(FILE *out, struct qn_span record);
/* A field each, and below it a line for each of its values. */
void ctl_print_conflicts(FILE *out, struct qn_span conflicts);
