/* What the files of the index share. Inside search. */
#pragma once

#include <sqlite3.h>

#include "base/mem.h"
#include "search/index.h"

#define BUSY_TIME_MS   2000
#define FTS_PREFIX_MAX 3  /* letters: of shorter beginnings the index has lists */
#define SCOPE_SHIFT    40 /* items of one scope: fewer than 2^40, ever */

enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    SCOPE_GET,
    SCOPE_ADD,
    SCOPE_SET,
    SCOPE_REMOVE,
    SCOPE_ALL,
    ITEM_GET,
    ITEM_LAST,
    ITEM_ADD,
    ITEM_SEEN,
    ITEM_REMOVE,
    ITEM_OLD,
    ITEM_OLD_BELOW,
    ITEM_BY_ID,
    FTS_ADD,
    FTS_REMOVE,
    FTS_FIND,
    NAME_ADD,
    NAME_REMOVE,
    NAME_FIND,
    WORD_FROM,
    STATEMENT_COUNT,
};

struct qn_fts {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT]; /* NULL: not prepared yet */
};

enum qn_err fts_err(int code); /* of SQLite */
/* *ret_id 0 if there is no such scope. `position`, if not NULL, gets where its feed stands. */
enum qn_err QN_CHECKED fts_scope_id(struct qn_fts *fts, struct qn_span word, int64_t *ret_id,
                                    struct qn_buf *position);
enum qn_err QN_CHECKED fts_prepare(struct qn_fts *fts, enum statement which, sqlite3_stmt **ret);

/* One run of a statement: values in their order, then steps. Ends with fts_end, always. */
struct fts_run {
    sqlite3_stmt *statement; /* NULL: could not be prepared */
    int code;                /* of the last step or binding */
    int at;
};
struct fts_run fts_start(struct qn_fts *fts, enum statement which);
void fts_number(struct fts_run *run, int64_t value);
void fts_bytes(struct fts_run *run, struct qn_span bytes); /* borrowed until the end */
void fts_text(struct fts_run *run, struct qn_span text);
/* True: a row. */
bool fts_step(struct fts_run *run);
struct qn_span fts_column(const struct fts_run *run, int column); /* until the next step */
enum qn_err QN_CHECKED fts_end(struct fts_run *run);
/* All of it, for what gives no rows. */
enum qn_err QN_CHECKED fts_do(struct fts_run *run);
