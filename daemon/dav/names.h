/* What a name of a file says about it: litter of file managers. Pure; thread: any. */
#pragma once

#include "base/span.h"

/* "._x", ".DS_Store", "Thumbs.db", "desktop.ini", "~$x": kept where they are written, but not worth
 * a copy at another site. */
bool qn_dav_name_is_litter(struct qn_span name);
/* ".metadata_never_index", ".ql_disablethumbnails": always there at the top of a folder, empty, so
 * that Finder neither indexes nor reads every file for a preview. */
bool qn_dav_name_is_virtual(struct qn_span name);
