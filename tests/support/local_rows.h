/* Rows of base/local.h in memory, for programs that run on a loop: a put is told in the next turn.
 */
#pragma once

#include "base/local.h"
#include "loop/loop.h"

struct local_rows;
struct local_rows *local_rows_new(struct qn_loop *loop);
void local_rows_free(struct local_rows *rows); /* all puts have been told */
const struct qn_local *local_rows_local(const struct local_rows *rows);
