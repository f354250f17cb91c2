/* Statements of SQLite, so that an error in any binding or step comes out at the end. */
#include "search/index_private.h"

struct fts_run fts_start(struct qn_fts *fts, enum statement which)
{
    struct fts_run run = {.code = SQLITE_OK};
    if (fts_prepare(fts, which, &run.statement) != QN_OK)
        run.code = sqlite3_errcode(fts->db);
    return run;
}

static void bound(struct fts_run *run, int code)
{
    if (run->code == SQLITE_OK)
        run->code = code;
}

void fts_number(struct fts_run *run, int64_t value)
{
    if (run->statement != NULL)
        bound(run, sqlite3_bind_int64(run->statement, ++run->at, value));
}

void fts_bytes(struct fts_run *run, struct qn_span bytes)
{
    const void *data = bytes.size == 0 ? "" : (const void *)bytes.data;
    if (run->statement != NULL)
        bound(run, sqlite3_bind_blob64(run->statement, ++run->at, data, bytes.size, SQLITE_STATIC));
}

void fts_text(struct fts_run *run, struct qn_span text)
{
    const char *data = text.size == 0 ? "" : (const char *)text.data;
    if (run->statement != NULL)
        bound(run, sqlite3_bind_text64(run->statement, ++run->at, data, text.size, SQLITE_STATIC,
                                       SQLITE_UTF8));
}

bool fts_step(struct fts_run *run)
{
    if (run->statement == NULL || (run->code != SQLITE_OK && run->code != SQLITE_ROW))
        return false;
    run->code = sqlite3_step(run->statement);
    return run->code == SQLITE_ROW;
}

struct qn_span fts_column(const struct fts_run *run, int column)
{
    const void *data = sqlite3_column_blob(run->statement, column);
    return qn_span(data, data == NULL ? 0 : (size_t)sqlite3_column_bytes(run->statement, column));
}

enum qn_err fts_end(struct fts_run *run)
{
    if (run->statement != NULL) {
        sqlite3_reset(run->statement); /* says the error of the step once more */
        sqlite3_clear_bindings(run->statement);
    }
    return fts_err(run->code);
}

enum qn_err fts_do(struct fts_run *run)
{
    while (fts_step(run))
        ;
    return fts_end(run);
}
