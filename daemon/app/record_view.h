/* One record as the control socket shows it (docs/control.md, section 3). */
#pragma once

#include "core/core.h"

/* `with_version`: and the hash of its state, which `if` of a write takes. */
void qn_view_record(const struct qn_core *core, const char *collection, struct qn_span key,
                    const struct qn_record *record, bool with_version, struct qn_buf *out);
/* {"key","site","time"} of a trashed record. */
void qn_view_trashed(const struct qn_core *core, struct qn_span key, const struct qn_record *record,
                     struct qn_buf *out);
/* The names of the fields with a conflict, an array. */
void qn_view_conflict_fields(const struct qn_record *record, struct qn_buf *out);
