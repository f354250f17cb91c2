/* The table of french.sh: texts of this room and what they are in French, in no order. */
#pragma once

#include <stddef.h>

struct french_row {
    const char *text, *french;
};

extern const struct french_row french_rows[];
extern const size_t french_row_count;
