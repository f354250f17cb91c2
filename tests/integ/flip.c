/* Flips a bit of what a site stored, as a disk may do, beside the running daemon or while it is
 * down:
 *
 *   flip STORE TABLE NEEDLE [BEFORE]   the bit is BEFORE bytes before NEEDLE (0: its first byte),
 * in the first value that has it in it flip STORE TABLE                   the last byte of the
 * first value
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAP_SIZE   ((size_t)1 << 30)
#define TABLES_MAX 64

static int find(MDB_cursor *cursor, const char *needle, MDB_val *key, MDB_val *value,
                size_t *ret_at)
{
    int code;
    while ((code = mdb_cursor_get(cursor, key, value, MDB_NEXT)) == 0) {
        const char *found =
            needle == NULL ? NULL : memmem(value->mv_data, value->mv_size, needle, strlen(needle));
        if (needle != NULL && found == NULL)
            continue;
        *ret_at =
            needle == NULL ? value->mv_size - 1 : (size_t)(found - (const char *)value->mv_data);
        return 0;
    }
    return code;
}

static int flip(MDB_txn *txn, const char *table, const char *needle, size_t before)
{
    MDB_dbi dbi;
    MDB_cursor *cursor;
    MDB_val key, value;
    size_t at;
    int code = mdb_dbi_open(txn, table, 0, &dbi);
    if (code == 0)
        code = mdb_cursor_open(txn, dbi, &cursor);
    if (code != 0)
        return code;
    code = find(cursor, needle, &key, &value, &at);
    if (code == 0 && at >= before) {
        MDB_val flipped = {.mv_size = value.mv_size, .mv_data = malloc(value.mv_size)};
        memcpy(flipped.mv_data, value.mv_data, value.mv_size);
        ((unsigned char *)flipped.mv_data)[at - before] ^= 1;
        code = mdb_cursor_put(cursor, &key, &flipped, MDB_CURRENT);
        free(flipped.mv_data);
    }
    mdb_cursor_close(cursor);
    return code;
}

int main(int argc, char **argv)
{
    MDB_env *env;
    MDB_txn *txn;
    if (argc < 3)
        return 64;
    int code = mdb_env_create(&env);
    if (code == 0)
        code = mdb_env_set_maxdbs(env, TABLES_MAX);
    if (code == 0)
        code = mdb_env_set_mapsize(env, MAP_SIZE);
    if (code == 0)
        code = mdb_env_open(env, argv[1], 0, 0600);
    if (code == 0)
        code = mdb_txn_begin(env, NULL, 0, &txn);
    if (code == 0) {
        code = flip(txn, argv[2], argc > 3 ? argv[3] : NULL,
                    argc > 4 ? strtoul(argv[4], NULL, 10) : 0);
        if (code == 0)
            code = mdb_txn_commit(txn);
        else
            mdb_txn_abort(txn);
    }
    if (code != 0)
        fprintf(stderr, "flip: %s\n", mdb_strerror(code));
    mdb_env_close(env);
    return code == 0 ? 0 : 1;
}
