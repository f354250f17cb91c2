/* What a name of a file says about it: litter of file managers, and names that other systems
 * cannot have. A name is never changed for that: it is reported. Pure; thread: any.
 */
#pragma once

#include "base/span.h"

/* "._x", ".DS_Store", "Thumbs.db", "desktop.ini", "~$x": kept where they are written, but not worth
 * a copy at another site. */
bool qn_dav_name_is_litter(struct qn_span name);
/* ".metadata_never_index", ".ql_disablethumbnails": always there at the top of a folder, empty, so
 * that Finder neither indexes nor reads every file for a preview. */
bool qn_dav_name_is_virtual(struct qn_span name);

enum qn_dav_name_fault {
    QN_DAV_NAME_FINE,
    QN_DAV_NAME_CHARACTER, /* one of < > : " \ | ? * */
    QN_DAV_NAME_ENDING,    /* ends with a dot or a space */
    QN_DAV_NAME_DEVICE,    /* CON, NUL, COM1 and the like, with any ending */
};
/* Why Windows could not show or make a file of that name. */
enum qn_dav_name_fault qn_dav_name_fault(struct qn_span name);
