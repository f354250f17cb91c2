/* Opening, making and closing the index. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "search/index_private.h"

#define VERSION 3 /* PRAGMA user_version; another one: made again */

static const char schema[] =
    "CREATE TABLE scope(id INTEGER PRIMARY KEY, word BLOB UNIQUE NOT NULL, position BLOB);"
    /* The number of the scope stands in the high bits of the id (SCOPE_SHIFT), so that those who
     * ask read nothing of a scope that they may not see. */
    "CREATE TABLE item(id INTEGER PRIMARY KEY, scope INTEGER NOT NULL,"
    " name BLOB NOT NULL, text BLOB NOT NULL, round INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX item_name ON item(scope, name);"
    /* Which items have a word, and no more (detail=none): the lists are the shortest so. Those of
     * beginnings: FTS_PREFIX_MAX. */
    "CREATE VIRTUAL TABLE fts USING fts5(name, text, content='', prefix='1 2 3', detail=none,"
    " tokenize='unicode61 remove_diacritics 0', columnsize=0);"
    "CREATE VIRTUAL TABLE fts_word USING fts5vocab(fts, instance);"
    /* Names by themselves: a word that is in many texts and no name would be looked for in all of
     * them. */
    "CREATE VIRTUAL TABLE fts_name USING fts5(name, content='', prefix='1 2 3', detail=none,"
    " tokenize='unicode61 remove_diacritics 0', columnsize=0);"
    "PRAGMA user_version = 3;";

/* In the order of enum statement. */
static const char *const statements[STATEMENT_COUNT] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [SCOPE_GET] = "SELECT id, position FROM scope WHERE word = ?1",
    [SCOPE_ADD] = "INSERT INTO scope(word) VALUES(?1)",
    [SCOPE_SET] = "UPDATE scope SET position = ?2 WHERE id = ?1",
    [SCOPE_REMOVE] = "DELETE FROM scope WHERE id = ?1",
    [SCOPE_ALL] = "SELECT word FROM scope",
    [ITEM_GET] = "SELECT id, text, round FROM item WHERE scope = ?1 AND name = ?2",
    [ITEM_LAST] = "SELECT max(id) FROM item WHERE id BETWEEN ?1 AND ?2",
    [ITEM_ADD] = "INSERT INTO item(id, scope, name, text, round) VALUES(?1, ?2, ?3, ?4, ?5)",
    [ITEM_SEEN] = "UPDATE item SET round = ?2 WHERE id = ?1",
    [ITEM_REMOVE] = "DELETE FROM item WHERE id = ?1",
    [ITEM_OLD] = "SELECT id, name, text FROM item WHERE scope = ?1 AND round < ?2 AND name > ?3"
                 " ORDER BY name LIMIT 1",
    [ITEM_OLD_BELOW] = "SELECT id, name, text FROM item WHERE scope = ?1 AND round < ?2 AND"
                       " name > ?3 AND name < ?4 ORDER BY name LIMIT 1",
    [ITEM_BY_ID] = "SELECT name, text FROM item WHERE id = ?1",
    [FTS_ADD] = "INSERT INTO fts(rowid, name, text) VALUES(?1, ?2, ?3)",
    [FTS_REMOVE] = "INSERT INTO fts(fts, rowid, name, text) VALUES('delete', ?1, ?2, ?3)",
    [NAME_ADD] = "INSERT INTO fts_name(rowid, name) VALUES(?1, ?2)",
    [NAME_REMOVE] = "INSERT INTO fts_name(fts_name, rowid, name) VALUES('delete', ?1, ?2)",
    [NAME_FIND] = "SELECT rowid FROM fts_name WHERE fts_name MATCH ?1 AND rowid BETWEEN ?2 AND ?3"
                  " ORDER BY rowid DESC",
    [WORD_FROM] = "SELECT term FROM fts_word WHERE term >= ?1 LIMIT 1",
    [FTS_FIND] = "SELECT rowid FROM fts WHERE fts MATCH ?1 AND rowid BETWEEN ?2 AND ?3"
                 " ORDER BY rowid DESC",
};

enum qn_err fts_err(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return QN_OK;
    case SQLITE_FULL:
        return QN_ERR_NOSPACE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return QN_ERR_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return QN_ERR_BUSY;
    default:
        return QN_ERR_IO;
    }
}

enum qn_err fts_prepare(struct qn_fts *fts, enum statement which, sqlite3_stmt **ret)
{
    sqlite3_stmt **slot = &fts->statements[which];
    if (*slot == NULL)
        QN_TRY(fts_err(sqlite3_prepare_v3(fts->db, statements[which], -1, SQLITE_PREPARE_PERSISTENT,
                                          slot, NULL)));
    *ret = *slot;
    return QN_OK;
}

static enum qn_err run(struct qn_fts *fts, const char *sql)
{
    return fts_err(sqlite3_exec(fts->db, sql, NULL, NULL, NULL));
}

static enum qn_err get_version(struct qn_fts *fts, int *ret_version)
{
    sqlite3_stmt *statement;
    QN_TRY(fts_err(sqlite3_prepare_v2(fts->db, "PRAGMA user_version", -1, &statement, NULL)));
    int code = sqlite3_step(statement);
    *ret_version = code == SQLITE_ROW ? sqlite3_column_int(statement, 0) : 0;
    sqlite3_finalize(statement);
    return fts_err(code);
}

/* WAL with NORMAL: a power cut may take the last batches, with the positions that belong to them.
 */
static enum qn_err configure(struct qn_fts *fts, bool is_writer)
{
    QN_TRY(run(fts, "PRAGMA cache_size = -4096; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
                    "PRAGMA trusted_schema = OFF;"));
    if (!is_writer)
        return run(fts, "PRAGMA query_only = ON;");
    return run(fts, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                    "PRAGMA journal_size_limit = 16777216;");
}

static enum qn_err open_file(const char *path, bool is_writer, struct qn_fts **ret_fts,
                             int *ret_version)
{
    struct qn_fts *fts = QN_NEW(struct qn_fts);
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                (is_writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE);
    enum qn_err err = fts_err(sqlite3_open_v2(path, &fts->db, flags, NULL));
    if (err == QN_OK)
        err = fts_err(sqlite3_busy_timeout(fts->db, BUSY_TIME_MS));
    if (err == QN_OK)
        err = configure(fts, is_writer);
    if (err == QN_OK)
        err = get_version(fts, ret_version);
    if (err != QN_OK)
        qn_fts_close(fts);
    else
        *ret_fts = fts;
    return err;
}

static void delete_files(const char *path)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    char name[4096];
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        if ((size_t)snprintf(name, sizeof(name), "%s%s", path, endings[i]) < sizeof(name))
            (void)unlink(name); /* what is not there need not go; else opening it anew fails */
}

static enum qn_err make(const char *path, struct qn_fts **ret_fts)
{
    int version;
    delete_files(path);
    QN_TRY(open_file(path, true, ret_fts, &version));
    enum qn_err err = run(*ret_fts, schema);
    if (err != QN_OK)
        qn_fts_close(*ret_fts);
    return err;
}

enum qn_err qn_fts_open(const char *path, bool is_writer, struct qn_fts **ret_fts, bool *ret_is_new)
{
    int version = 0;
    enum qn_err err = open_file(path, is_writer, ret_fts, &version);
    *ret_is_new = false;
    if (err == QN_OK && version == VERSION)
        return QN_OK;
    if (err == QN_OK)
        qn_fts_close(*ret_fts);
    else if (err != QN_ERR_CORRUPT)
        return err;
    if (!is_writer)
        return QN_ERR_CORRUPT;
    *ret_is_new = true;
    return make(path, ret_fts);
}

void qn_fts_close(struct qn_fts *fts)
{
    if (fts == NULL)
        return;
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(fts->statements[i]);
    sqlite3_close(fts->db);
    qn_free(fts);
}
