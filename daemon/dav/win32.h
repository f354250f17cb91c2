/* The properties that Windows leaves at each file which it copies (urn:schemas-microsoft-com:).
 * They are stored as they came and given when they are asked for by name. With all of them in it a
 * listing of 1,500 files would be longer than Windows reads, so that allprop gives what says
 * something: the time of creation as creationdate, attributes if a file is hidden, of the system or
 * not to be written. Pure; thread: any.
 */
#pragma once

#include "dav/dead.h"

/* When the resource was made, by the word of Windows; else `known_ns`. `dead` may be NULL. */
int64_t qn_dav_win32_created_ns(const struct qn_dav_dead *dead, int64_t known_ns);
/* Whether allprop gives this property, be it of Windows or not. */
bool qn_dav_win32_is_in_all(const struct qn_dav_dead_property *property);
