#include "app/setup.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "os/os.h"
#include "proto/cursor.h"
#include "proto/pack.h"

#define SITE_FILE          "site.quoin"
#define KEY_FILE           "identity.key"
#define KIT_SEED_FILE      "recovery.key"
#define SITE_FILE_SIZE_MAX (64 * 1024)
#define KEYS_COUNT         9
#define VERSION            1
#define KEYS_COUNT_RECOVER 12 /* of a site that was set up with its kit */
#define VERSION_RECOVER    2

void qn_setup_deinit(struct qn_setup *setup)
{
    qn_free(setup->genesis);
    qn_free(setup->join);
    qn_wipe(setup, sizeof(*setup));
}

static char *path_of(const char *state_dir, const char *name)
{
    size_t size = strlen(state_dir) + 1 + strlen(name) + 1;
    char *path = qn_alloc(size);
    snprintf(path, size, "%s/%s", state_dir, name);
    return path;
}

bool qn_setup_exists(const char *state_dir)
{
    QN_AUTO_FREE char *path = path_of(state_dir, SITE_FILE);
    struct stat status;
    return lstat(path, &status) == 0; /* a link that leads nowhere stands there too */
}

/* ---- reading: a map with exactly these keys, in this order; three more after a recovery ---- */

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
    if (!qn_text_is_printable(text))
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
    if (genesis.size == 0)
        return QN_ERR_INVALID;
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
    QN_TRY(qn_cursor_str(cursor, QN_SETUP_JOIN_SIZE_MAX, &text));
    if (text.size == 0 || !qn_text_is_printable(text))
        return QN_ERR_INVALID;
    setup->join = qn_alloc_zero(text.size + 1);
    memcpy(setup->join, text.data, text.size);
    return QN_OK;
}

static enum qn_err read_key(struct qn_cursor *cursor, const char *name, struct qn_public_key *key)
{
    QN_TRY(expect_key(cursor, name));
    return qn_cursor_bytes(cursor, key->bytes, sizeof(key->bytes));
}

static enum qn_err read_from(struct qn_cursor *cursor, struct qn_setup *setup)
{
    QN_TRY(read_text(cursor, "from", setup->from, sizeof(setup->from)));
    return setup->from[0] != '\0' ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_identity(struct qn_cursor *cursor, struct qn_setup *setup)
{
    QN_TRY(expect_key(cursor, "group"));
    QN_TRY(qn_cursor_bytes(cursor, setup->group_prefix, sizeof(setup->group_prefix)));
    QN_TRY(expect_key(cursor, "identity"));
    return qn_cursor_bytes(cursor, setup->identity.bytes, sizeof(setup->identity.bytes));
}

static enum qn_err read_version(struct qn_cursor *cursor, uint64_t wanted)
{
    uint64_t version;
    QN_TRY(expect_key(cursor, "v"));
    QN_TRY(qn_cursor_u64(cursor, &version));
    return version == wanted ? qn_cursor_finish(cursor) : QN_ERR_INVALID;
}

static enum qn_err unpack_fields(struct qn_span bytes, struct qn_setup *setup)
{
    struct qn_cursor cursor = qn_cursor(bytes);
    size_t count;
    QN_TRY(qn_cursor_map(&cursor, KEYS_COUNT_RECOVER, &count));
    if (count != KEYS_COUNT && count != KEYS_COUNT_RECOVER)
        return QN_ERR_INVALID;
    setup->is_recovered = count == KEYS_COUNT_RECOVER;
    QN_TRY(read_text(&cursor, "advertise", setup->advertise, sizeof(setup->advertise)));
    QN_TRY(read_text(&cursor, "entity", setup->legal_entity, sizeof(setup->legal_entity)));
    if (setup->is_recovered)
        QN_TRY(read_from(&cursor, setup));
    QN_TRY(read_genesis(&cursor, setup));
    if (setup->is_recovered)
        QN_TRY(read_identity(&cursor, setup));
    QN_TRY(read_join(&cursor, setup));
    QN_TRY(read_text(&cursor, "listen", setup->listen, sizeof(setup->listen)));
    QN_TRY(read_text(&cursor, "name", setup->name, sizeof(setup->name)));
    QN_TRY(read_key(&cursor, "recovery_seal", &setup->recovery_seal));
    QN_TRY(read_key(&cursor, "recovery_sign", &setup->recovery_sign));
    return read_version(&cursor, setup->is_recovered ? VERSION_RECOVER : VERSION);
}

/* The one place where site.quoin is judged, before it is used and before it is written. */
static enum qn_err unpack(struct qn_span bytes, struct qn_setup *ret_setup)
{
    struct qn_setup setup = {0};
    enum qn_err err = unpack_fields(bytes, &setup);
    int ways = (setup.genesis != NULL) + (setup.join != NULL) + setup.is_recovered;
    if (err == QN_OK && ways == 1 && qn_text_is_name(qn_span_str(setup.name))) {
        *ret_setup = setup;
        return QN_OK;
    }
    qn_setup_deinit(&setup);
    return QN_ERR_INVALID;
}

/* The bytes go to memory that is wiped and does not move, so that no copy of the seed is left. */
static enum qn_err read_seed(const char *state_dir, const char *name, uint8_t seed[QN_SEED_SIZE])
{
    uint8_t memory[QN_SEED_SIZE];
    struct qn_buf bytes = {.data = memory, .capacity = sizeof(memory), .size_max = sizeof(memory)};
    QN_AUTO_FREE char *path = path_of(state_dir, name);
    enum qn_err err = qn_os_read_file(path, sizeof(memory), &bytes);
    if (err == QN_OK && bytes.size == QN_SEED_SIZE)
        memcpy(seed, memory, QN_SEED_SIZE);
    else if (err == QN_OK)
        err = QN_ERR_INVALID;
    qn_wipe(memory, sizeof(memory));
    return err;
}

static enum qn_err read_seeds(const char *state_dir, struct qn_setup *setup)
{
    QN_TRY(read_seed(state_dir, KEY_FILE, setup->seed));
    enum qn_err err = setup->is_recovered ? read_seed(state_dir, KIT_SEED_FILE, setup->kit_seed)
                                          : QN_ERR_NOTFOUND;
    setup->has_kit_seed = err == QN_OK;
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

enum qn_err qn_setup_read(const char *state_dir, struct qn_setup *ret_setup)
{
    struct qn_setup setup;
    QN_AUTO_BUF struct qn_buf bytes;
    QN_AUTO_FREE char *path = path_of(state_dir, SITE_FILE);
    qn_buf_init(&bytes, SITE_FILE_SIZE_MAX);
    enum qn_err err = qn_os_read_file(path, SITE_FILE_SIZE_MAX, &bytes);
    if (err != QN_OK)
        return err == QN_ERR_LIMIT ? QN_ERR_INVALID : err;
    QN_TRY(unpack(qn_buf_view(&bytes), &setup));
    err = read_seeds(state_dir, &setup);
    if (err == QN_OK) {
        *ret_setup = setup;
        return QN_OK;
    }
    qn_setup_deinit(&setup);
    /* site.quoin is written last: without a whole key beside it, something was lost. */
    return err == QN_ERR_NOTFOUND || err == QN_ERR_LIMIT ? QN_ERR_INVALID : err;
}

/* ---- writing ---- */

static void pack_text(struct qn_buf *out, const char *name, const char *text)
{
    qn_pack_cstr(out, name);
    qn_pack_cstr(out, text);
}

static void pack_identity(const struct qn_setup *setup, struct qn_buf *out)
{
    qn_pack_cstr(out, "group");
    qn_pack_bin(out, QN_SPAN_OF(setup->group_prefix));
    qn_pack_cstr(out, "identity");
    qn_pack_bin(out, QN_SPAN_OF(setup->identity.bytes));
}

static void pack(const struct qn_setup *setup, struct qn_buf *out)
{
    qn_pack_map(out, setup->is_recovered ? KEYS_COUNT_RECOVER : KEYS_COUNT);
    pack_text(out, "advertise", setup->advertise);
    pack_text(out, "entity", setup->legal_entity);
    if (setup->is_recovered)
        pack_text(out, "from", setup->from);
    qn_pack_cstr(out, "genesis");
    if (setup->genesis != NULL)
        qn_pack_bin(out, qn_span(setup->genesis, setup->genesis_size));
    else
        qn_pack_nil(out);
    if (setup->is_recovered)
        pack_identity(setup, out);
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
    qn_pack_u64(out, setup->is_recovered ? VERSION_RECOVER : VERSION);
}

/* What could not be read back is not written. */
static enum qn_err check(struct qn_span bytes)
{
    struct qn_setup setup;
    QN_TRY(unpack(bytes, &setup));
    qn_setup_deinit(&setup);
    return QN_OK;
}

enum qn_err qn_setup_write(const char *state_dir, const struct qn_setup *setup)
{
    QN_AUTO_BUF struct qn_buf bytes;
    QN_AUTO_FREE char *key_path = path_of(state_dir, KEY_FILE);
    QN_AUTO_FREE char *site_path = path_of(state_dir, SITE_FILE);
    QN_AUTO_FREE char *kit_path = path_of(state_dir, KIT_SEED_FILE);
    qn_buf_init(&bytes, SITE_FILE_SIZE_MAX);
    if (qn_setup_exists(state_dir))
        return QN_ERR_EXISTS;
    pack(setup, &bytes);
    QN_TRY(qn_buf_status(&bytes));
    QN_TRY(check(qn_buf_view(&bytes)));
    if (setup->is_recovered)
        QN_TRY(qn_os_replace_file(kit_path, QN_SPAN_OF(setup->kit_seed), 0600));
    QN_TRY(qn_os_replace_file(key_path, QN_SPAN_OF(setup->seed), 0600));
    return qn_os_replace_file(site_path, qn_buf_view(&bytes), 0600);
}

void qn_setup_site_id(const struct qn_setup *setup, const struct qn_public_key *key,
                      struct qn_site_id *ret_id)
{
    if (setup->is_recovered)
        *ret_id = setup->identity;
    else
        qn_site_id_of(key, ret_id);
}

enum qn_err qn_setup_end_recovery(const char *state_dir)
{
    QN_AUTO_FREE char *path = path_of(state_dir, KIT_SEED_FILE);
    if (unlink(path) != 0)
        return errno == ENOENT ? QN_OK : qn_os_err(errno);
    return qn_os_sync_dir(state_dir);
}
