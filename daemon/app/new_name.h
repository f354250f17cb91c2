/* Names that are made by commands: one that people could take for another one's is refused, while
 * the exact form stays what is compared everywhere else. Thread: the loop's.
 */
#pragma once

#include "app/stream_view.h"
#include "core/core.h"
#include "people/people.h"

/* QN_OK: the command makes no name, or a fine one, or one that is refused by whoever runs it. Else
 * the refusal: `name-form` (not in normal form C), `name-alike` (object: the other name). `people`
 * may be NULL. */
enum qn_err QN_CHECKED qn_new_name_check(const struct qn_core *core, const struct qn_people *people,
                                         struct qn_span command, struct qn_span args,
                                         struct qn_refusal *ret_refusal);
/* The same of a person, asked again in the moment of the change: of two that are added at once the
 * second one is refused. */
enum qn_err QN_CHECKED qn_new_person_check(const struct qn_people *people, struct qn_span name,
                                           struct qn_refusal *ret_refusal);
