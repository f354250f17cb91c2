#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void qn_assert_fail(const char *condition, const char *file, int line)
{
    fprintf(stderr, "bug: %s:%d: %s\n", file, line, condition);
    abort();
}
