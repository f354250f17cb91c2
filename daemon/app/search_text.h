/* A record as the search index has it: a line for each value, "field: value". Pure. */
#pragma once

#include "model/record.h"

/* Appends at most what fits; what does not is left out. */
void qn_search_text(const struct qn_record *record, struct qn_buf *out);
