/* What the tables of a store take; its daemon may be running:
 *
 *     look_store STATE/store [LAST]
 *
 * One line of JSON: by table its entries and the bytes of its pages; and the bytes of the LAST
 * operations (100) of the collection with the highest number, as they stand in the log and travel.
 */
#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define TABLES_MAX 128
#define ORDER_KEY  12 /* coll, sequence */
#define DOT_KEY    16 /* coll, actor, counter */

static void must(int code, const char *what)
{
    if (code == MDB_SUCCESS)
        return;
    fprintf(stderr, "look_store: %s: %s\n", what, mdb_strerror(code));
    exit(1);
}

static MDB_txn *open_store(const char *path)
{
    MDB_env *env;
    MDB_txn *txn;
    must(mdb_env_create(&env), "create");
    must(mdb_env_set_maxdbs(env, TABLES_MAX), "tables");
    must(mdb_env_open(env, path, MDB_RDONLY | MDB_NOTLS, 0), path);
    must(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "begin");
    return txn;
}

static void say_table(MDB_txn *txn, const MDB_val *name, bool is_first)
{
    char text[64];
    MDB_dbi table;
    MDB_stat stat;
    snprintf(text, sizeof(text), "%.*s", (int)name->mv_size, (const char *)name->mv_data);
    must(mdb_dbi_open(txn, text, 0, &table), text);
    must(mdb_stat(txn, table, &stat), text);
    size_t pages = stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    printf("%s\"%s\": {\"entries\": %zu, \"bytes\": %zu}", is_first ? "" : ", ", text,
           stat.ms_entries, pages * stat.ms_psize);
}

static void say_tables(MDB_txn *txn)
{
    MDB_dbi names;
    MDB_cursor *cursor;
    MDB_val key, value;
    must(mdb_dbi_open(txn, NULL, 0, &names), "names");
    must(mdb_cursor_open(txn, names, &cursor), "names");
    for (int i = 0; mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == MDB_SUCCESS; i++)
        say_table(txn, &key, i == 0);
    mdb_cursor_close(cursor);
}

/* The key of the log from an entry of `order`: its collection, and its value is actor and counter.
 */
static size_t size_of_op(MDB_txn *txn, MDB_dbi log, const MDB_val *key, const MDB_val *dot)
{
    uint8_t bytes[DOT_KEY];
    MDB_val at = {sizeof(bytes), bytes}, op;
    if (key->mv_size != ORDER_KEY || dot->mv_size != DOT_KEY - 4)
        return 0;
    memcpy(bytes, key->mv_data, 4);
    memcpy(bytes + 4, dot->mv_data, DOT_KEY - 4);
    return mdb_get(txn, log, &at, &op) == MDB_SUCCESS ? op.mv_size - sizeof(uint64_t) : 0;
}

static size_t size_of_last(MDB_txn *txn, unsigned long count)
{
    MDB_dbi order, log;
    MDB_cursor *cursor;
    MDB_val key, dot;
    size_t sum = 0;
    must(mdb_dbi_open(txn, "order", 0, &order), "order");
    must(mdb_dbi_open(txn, "log", 0, &log), "log");
    must(mdb_cursor_open(txn, order, &cursor), "order");
    int code = mdb_cursor_get(cursor, &key, &dot, MDB_LAST);
    for (unsigned long i = 0; i < count && code == MDB_SUCCESS; i++) {
        sum += size_of_op(txn, log, &key, &dot);
        code = mdb_cursor_get(cursor, &key, &dot, MDB_PREV);
    }
    mdb_cursor_close(cursor);
    return sum;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 64;
    MDB_txn *txn = open_store(argv[1]);
    printf("{\"tables\": {");
    say_tables(txn);
    printf("}, \"last_bytes\": %zu}\n",
           size_of_last(txn, argc > 2 ? strtoul(argv[2], NULL, 10) : 100));
    mdb_txn_abort(txn);
    return 0;
}
