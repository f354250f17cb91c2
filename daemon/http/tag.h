/* Entity tags (RFC 9110, 8.8.3). Pure; internal to the room. */
#pragma once

#include "http/head.h"

/* Takes a tag from the front of the text; `ret_tag` has its quotes, not the W/. */
bool qn_http_tag_take(struct qn_span *text, struct qn_span *ret_tag, bool *ret_is_weak);
