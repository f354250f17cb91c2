/* Rows of this site only, that a room at the edge keeps in the store without seeing the store: the
 * application gives it this door. They never travel to another site; the copy of the store in the
 * backups has them. Keys begin with the word of their room and a slash ("user/", "audit/", "lock/",
 * "prop/", "file/"; "late/" is the core's own), and sort bytewise. Loop thread.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

#define QN_LOCAL_KEY_SIZE_MAX 480
#define QN_LOCAL_ROW_SIZE_MAX (64 * 1024)
#define QN_LOCAL_PUT_SIZE_MAX (512 * 1024) /* keys and values of one put */

struct qn_local_row {
    struct qn_span key, value;
    bool is_gone; /* the row goes; fine if there is none */
};

struct qn_local {
    /* All rows or none, in the order of the calls. They are copied. `done` comes later, never from
     * inside the call, once: QN_OK when they are durable, else nothing has changed. */
    void (*put)(void *context, const struct qn_local_row *rows, size_t count,
                void (*done)(void *done_context, enum qn_err err), void *done_context);
    /* The rows from `from` on whose key begins with `prefix`, in order, until `each` gives false.
     * Of what is durable. Spans are borrowed for the call. `each` reads nothing itself: one reading
     * is open at a time. */
    enum qn_err (*read)(void *context, struct qn_span prefix, struct qn_span from,
                        bool (*each)(void *each_context, struct qn_span key, struct qn_span value),
                        void *each_context);
    void *context;
};
