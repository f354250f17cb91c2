/* The JSON API under /api/v1 (docs/api.md): state, records, files. Who asks was judged by the door;
 * what they may see and change is judged here, at every request. Loop thread.
 */
#pragma once

#include "serve/request.h"

extern const struct qn_web_handler qn_api_handler;
extern const struct qn_web_handler qn_api_session_handler; /* /api/v1/session: signing in and out */
