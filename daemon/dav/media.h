/* The media type of a file, by its name. Pure. */
#pragma once

#include "base/span.h"

/* "application/octet-stream" for what is not known; never NULL. */
const char *qn_dav_media_type(struct qn_span name);
/* Pictures and plain text: what a browser may show itself. Everything else is an attachment, so
 * that nobody's file runs as a page of this site. */
bool qn_dav_media_is_harmless(const char *type);
