/* What a fuzz target includes: the entry that it defines, and a check that aborts. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* For what must hold for every input. */
#define FUZZ_CHECK(condition) QN_ASSERT(condition)
