/* Names of one directory that others take for one: equal without regard to case or to how accents
 * are written. Windows and macOS reach only one of them. A set of hashes of folded names: bounded,
 * and a chance of 2^-64 of a wrong word. Inside files. Thread: any.
 */
#pragma once

#include "base/span.h"

#define ALIKE_NAMES_MAX ((size_t)256 * 1024) /* of one directory; more are not compared */

struct alike { /* zeroed: empty */
    uint64_t *slots;
    size_t size, count;
};

/* True: another name that looks like it is there already. */
bool alike_add(struct alike *alike, struct qn_span name);
void alike_deinit(struct alike *alike);
#define AUTO_ALIKE __attribute__((cleanup(alike_deinit)))
