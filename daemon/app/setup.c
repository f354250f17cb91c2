#include "app/setup.h"

#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"
#include "proto/cursor.h"
#include "proto/pack.h"

#define SITE_FILE_SIZE_MAX (64 * 1024)
#define VERSION            1

void qn_setup_deinit(struct qn_setup *setup)
{
    qn_free(setup->genesis);
    qn_free(setup->join);
    qn_wipe(setup, sizeof(*setup));
}

static void path_of(char path[4096], const char *state_dir, const char *name)
{
    snprintf(path, 4096, "%s/%s", state_dir, name);
}

bool qn_setup_exists(const char *state_dir)
{
    char path[4096];
    path_of(path, state_dir, "site.quoin");
    return access(path, F_OK) == 0;
}

/* ---- reading: a map with exactly these keys, in this order ---- */

static enum qn_err expect_key(struct qn_cursor *cursor, const char *name)
{
    struct qn_span key;
    QN_TRY(qn_cursor_str(cursor, 32, &key));
    return qn_span_eq_str(key, name) ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_text(struct qn_cursor *cursor, const char *name, char *out, size_t size)
{
    struct qn_span text;
    QN_TRY(expect_key(cursor, name));
    QN_TRY(qn_cursor_str(cursor, size - 1, &text));
    if (memchr(text.data, 0, text.size) != NULL)
        return QN_ERR_INVALID;
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return QN_OK;
}

static enum qn_err read_genesis(struct qn_cursor *cursor, struct qn_setup *setup)
{
    struct qn_span genesis;
    QN_TRY(expect_key(cursor, "genesis"));
    if (qn_cursor_nil(cursor) == QN_OK)
        return QN_OK;
    QN_TRY(qn_cursor_bin(cursor, QN_LEDGER_ENTRY_SIZE_MAX, &genesis));
    setup->genesis = qn_memdup(genesis.data, genesis.size);
    setup->genesis_size = genesis.size;
    return QN_OK;
}

static enum qn_err read_join(struct qn_cursor *cursor, struct qn_setup *setup)
{
    struct qn_span text;
    QN_TRY(expect_key(cursor, "join"));
    if (qn_cursor_nil(cursor) == QN_OK)
        return QN_OK;
    QN_TRY(qn_cursor_str(cursor, QN_SETUP_JOIN_SIZE_MAX - 1, &text));
    setup->join = qn_alloc_zero(text.size + 1);
    memcpy(setup->join, text.data, text.size);
    return QN_OK;
}

static enum qn_err read_key(struct qn_cursor *cursor, const char *name, struct qn_public_key *key)
{
    QN_TRY(expect_key(cursor, name));
    return qn_cursor_bytes(cursor, key->bytes, sizeof(key->bytes));
}

static enum qn_err unpack(struct qn_span bytes, struct qn_setup *setup)
{
    struct qn_cursor cursor = qn_cursor(bytes);
    size_t count;
    uint64_t version;
    QN_TRY(qn_cursor_map(&cursor, 9, &count));
    QN_TRY(read_text(&cursor, "advertise", setup->advertise, sizeof(setup->advertise)));
    QN_TRY(read_text(&cursor, "entity", setup->legal_entity, sizeof(setup->legal_entity)));
    QN_TRY(read_genesis(&cursor, setup));
    QN_TRY(read_join(&cursor, setup));
    QN_TRY(read_text(&cursor, "listen", setup->listen, sizeof(setup->listen)));
    QN_TRY(read_text(&cursor, "name", setup->name, sizeof(setup->name)));
    QN_TRY(read_key(&cursor, "recovery_seal", &setup->recovery_seal));
    QN_TRY(read_key(&cursor, "recovery_sign", &setup->recovery_sign));
    QN_TRY(expect_key(&cursor, "v"));
    QN_TRY(qn_cursor_u64(&cursor, &version));
    QN_TRY(qn_cursor_finish(&cursor));
    return count == 9 && version == VERSION ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_seed(const char *state_dir, uint8_t seed[QN_SEED_SIZE])
{
    char path[4096];
    QN_AUTO_BUF struct qn_buf bytes;
    qn_buf_init(&bytes, QN_SEED_SIZE);
    path_of(path, state_dir, "identity.key");
    QN_TRY(qn_os_read_file(path, QN_SEED_SIZE, &bytes));
    if (bytes.size != QN_SEED_SIZE)
        return QN_ERR_INVALID;
    memcpy(seed, bytes.data, QN_SEED_SIZE);
    qn_wipe(bytes.data, bytes.size);
    return QN_OK;
}

enum qn_err qn_setup_read(const char *state_dir, struct qn_setup *ret_setup)
{
    char path[4096];
    struct qn_setup setup = {0};
    QN_AUTO_BUF struct qn_buf bytes;
    qn_buf_init(&bytes, SITE_FILE_SIZE_MAX);
    path_of(path, state_dir, "site.quoin");
    QN_TRY(qn_os_read_file(path, SITE_FILE_SIZE_MAX, &bytes));
    enum qn_err err = unpack(qn_buf_view(&bytes), &setup);
    if (err == QN_OK)
        err = read_seed(state_dir, setup.seed);
    if (err == QN_ERR_NOTFOUND || err == QN_ERR_LIMIT)
        err = QN_ERR_INVALID; /* site.quoin without its key */
    if (err == QN_OK)
        *ret_setup = setup;
    else
        qn_setup_deinit(&setup);
    return err;
}

/* ---- writing ---- */

static void pack_text(struct qn_buf *out, const char *name, const char *text)
{
    qn_pack_cstr(out, name);
    qn_pack_cstr(out, text);
}

static void pack(const struct qn_setup *setup, struct qn_buf *out)
{
    qn_pack_map(out, 9);
    pack_text(out, "advertise", setup->advertise);
    pack_text(out, "entity", setup->legal_entity);
    qn_pack_cstr(out, "genesis");
    if (setup->genesis != NULL)
        qn_pack_bin(out, qn_span(setup->genesis, setup->genesis_size));
    else
        qn_pack_nil(out);
    qn_pack_cstr(out, "join");
    if (setup->join != NULL)
        qn_pack_cstr(out, setup->join);
    else
        qn_pack_nil(out);
    pack_text(out, "listen", setup->listen);
    pack_text(out, "name", setup->name);
    qn_pack_cstr(out, "recovery_seal");
    qn_pack_bin(out, QN_SPAN_OF(setup->recovery_seal.bytes));
    qn_pack_cstr(out, "recovery_sign");
    qn_pack_bin(out, QN_SPAN_OF(setup->recovery_sign.bytes));
    qn_pack_cstr(out, "v");
    qn_pack_u64(out, VERSION);
}

enum qn_err qn_setup_write(const char *state_dir, const struct qn_setup *setup)
{
    char path[4096];
    QN_AUTO_BUF struct qn_buf bytes;
    qn_buf_init(&bytes, SITE_FILE_SIZE_MAX);
    if (qn_setup_exists(state_dir))
        return QN_ERR_EXISTS;
    pack(setup, &bytes);
    QN_TRY(qn_buf_status(&bytes));
    path_of(path, state_dir, "identity.key");
    QN_TRY(qn_os_replace_file(path, QN_SPAN_OF(setup->seed), 0600));
    path_of(path, state_dir, "site.quoin");
    return qn_os_replace_file(path, qn_buf_view(&bytes), 0600);
}
