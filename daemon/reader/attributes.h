/* Extended attributes of one object, links included: ACLs are among them. */
#pragma once

#include "base/buf.h"

/* As `xattrs` of source.h, for the object `name` in the folder `dir`. */
int qn_attributes_read(int dir, const char *name, struct qn_buf *out);
