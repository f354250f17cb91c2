/* Reading operations one after the other into the same memory; for the rooms of model only. */
#pragma once

#include "model/op.h"

/* Like qn_op_unpack, but `op` is zeroed or was read into before: its arrays are used again. After
 * an error it holds nothing that may be looked at. */
enum qn_err QN_CHECKED qn_op_read(struct qn_span bytes, const struct qn_actor *actor,
                                  struct qn_op *op);
