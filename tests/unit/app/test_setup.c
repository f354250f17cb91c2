#include <criterion/criterion.h>
#include <sys/stat.h>

#include "app/setup.h"
#include "os/os.h"
#include "proto/pack.h"
#include "support/span.h"
#include "support/tmp_dir.h"

struct fixture {
    struct tmp_dir dir;
    char key_path[TMP_PATH_SIZE], site_path[TMP_PATH_SIZE];
    struct qn_setup setup; /* of a founder */
    struct qn_setup got;
    struct qn_buf file;
};

static void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    tmp_dir_init(&f->dir);
    tmp_dir_at(&f->dir, "identity.key", f->key_path);
    tmp_dir_at(&f->dir, "site.quoin", f->site_path);
    qn_buf_init(&f->file, 128 * 1024);
    memset(f->setup.seed, 0x11, sizeof(f->setup.seed));
    memset(f->setup.recovery_sign.bytes, 0x22, QN_KEY_SIZE);
    memset(f->setup.recovery_seal.bytes, 0x33, QN_KEY_SIZE);
    strcpy(f->setup.name, "luzech");
    strcpy(f->setup.legal_entity, "Caf\xc3\xa9 & Fils");
    strcpy(f->setup.listen, "0.0.0.0:7117");
    strcpy(f->setup.advertise, "luzech.example:7117");
    f->setup.genesis = qn_memdup("\x00genesis", 8);
    f->setup.genesis_size = 8;
}

static void fixture_deinit(struct fixture *f)
{
    qn_setup_deinit(&f->setup);
    qn_setup_deinit(&f->got);
    qn_buf_deinit(&f->file);
    tmp_dir_deinit(&f->dir);
}
#define FIXTURE                                                                                    \
    __attribute__((cleanup(fixture_deinit))) struct fixture f;                                     \
    fixture_init(&f)

static void make_join(struct fixture *f, const char *code)
{
    qn_free(f->setup.genesis);
    f->setup.genesis = NULL;
    f->setup.genesis_size = 0;
    qn_free(f->setup.join);
    f->setup.join = qn_strdup(code);
}

/* Not qn_os_replace_file: thousands of files need not survive a power cut. */
static void put(const char *path, struct qn_span content)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file, "%s", path);
    cr_assert_eq(fwrite(content.data, 1, content.size, file), content.size);
    cr_assert_eq(fclose(file), 0);
}

static void write_setup(struct fixture *f)
{
    cr_assert_eq(qn_setup_write(f->dir.path, &f->setup), QN_OK);
    qn_buf_reset(&f->file);
    cr_assert_eq(qn_os_read_file(f->site_path, f->file.size_max, &f->file), QN_OK);
}

static enum qn_err read_setup(struct fixture *f)
{
    qn_setup_deinit(&f->got);
    return qn_setup_read(f->dir.path, &f->got);
}

static bool is_zero(const struct qn_setup *setup)
{
    static const struct qn_setup zero;
    return memcmp(setup, &zero, sizeof(zero)) == 0;
}

static void check_same(const struct qn_setup *a, const struct qn_setup *b)
{
    cr_assert_arr_eq(a->seed, b->seed, QN_SEED_SIZE);
    cr_assert_str_eq(a->name, b->name);
    cr_assert_str_eq(a->legal_entity, b->legal_entity);
    cr_assert_str_eq(a->listen, b->listen);
    cr_assert_str_eq(a->advertise, b->advertise);
    cr_assert(qn_public_key_eq(&a->recovery_sign, &b->recovery_sign));
    cr_assert(qn_public_key_eq(&a->recovery_seal, &b->recovery_seal));
    cr_assert_eq(a->genesis == NULL, b->genesis == NULL);
    assert_span_eq(qn_span(a->genesis, a->genesis_size), qn_span(b->genesis, b->genesis_size));
    cr_assert_eq(a->join == NULL, b->join == NULL);
    if (a->join != NULL)
        cr_assert_str_eq(a->join, b->join);
}

static unsigned mode_of(const char *path)
{
    struct stat status;
    cr_assert_eq(lstat(path, &status), 0, "%s", path);
    return status.st_mode & 07777;
}

static bool is_there(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static void check_not_written(struct fixture *f, const char *what)
{
    cr_assert_neq(qn_setup_write(f->dir.path, &f->setup), QN_OK, "%s", what);
    cr_assert_not(is_there(f->site_path), "%s", what);
    cr_assert_not(is_there(f->key_path), "%s", what);
}

/* ---- what was written is read ---- */

Test(setup, a_founder_goes_round)
{
    FIXTURE;
    write_setup(&f);
    cr_assert_eq(read_setup(&f), QN_OK);
    check_same(&f.got, &f.setup);
}

Test(setup, one_that_joins_goes_round)
{
    FIXTURE;
    make_join(&f, "QUOIN-ABCDEFG-HIJKLMN");
    f.setup.listen[0] = f.setup.advertise[0] = f.setup.legal_entity[0] = '\0';
    write_setup(&f);
    cr_assert_eq(read_setup(&f), QN_OK);
    check_same(&f.got, &f.setup);
}

Test(setup, the_longest_goes_round)
{
    FIXTURE;
    memset(f.setup.name, 'n', QN_NAME_SIZE_MAX);
    memset(f.setup.legal_entity, 'e', QN_ENTITY_SIZE_MAX);
    memset(f.setup.listen, 'l', QN_ADDRESS_SIZE_MAX);
    memset(f.setup.advertise, 'a', QN_ADDRESS_SIZE_MAX);
    qn_free(f.setup.genesis);
    f.setup.genesis = qn_alloc_zero(QN_LEDGER_ENTRY_SIZE_MAX);
    f.setup.genesis_size = QN_LEDGER_ENTRY_SIZE_MAX;
    write_setup(&f);
    cr_assert_eq(read_setup(&f), QN_OK);
    check_same(&f.got, &f.setup);
}

Test(setup, the_longest_code_goes_round)
{
    FIXTURE;
    char code[QN_SETUP_JOIN_SIZE_MAX + 2];
    memset(code, 'c', sizeof(code));
    code[QN_SETUP_JOIN_SIZE_MAX + 1] = '\0';
    make_join(&f, code);
    check_not_written(&f, "a code too long");
    code[QN_SETUP_JOIN_SIZE_MAX] = '\0';
    make_join(&f, code);
    write_setup(&f);
    cr_assert_eq(read_setup(&f), QN_OK);
    check_same(&f.got, &f.setup);
}

Test(setup, the_bytes_are_those_of_the_documentation)
{
    FIXTURE;
    QN_AUTO_BUF struct qn_buf wanted;
    qn_buf_init(&wanted, 1024);
    write_setup(&f);
    qn_buf_append_str(&wanted, "\x89\xa9"
                               "advertise\xb3luzech.example:7117\xa6"
                               "entity\xac"
                               "Caf\xc3\xa9 & Fils\xa7genesis");
    qn_buf_append(&wanted, "\xc4\x08\x00genesis", 10);
    qn_buf_append_str(&wanted, "\xa4join\xc0\xa6listen\xac"
                               "0.0.0.0:7117\xa4name\xa6luzech");
    qn_buf_append_str(&wanted, "\xadrecovery_seal\xc4\x20");
    qn_buf_append(&wanted, f.setup.recovery_seal.bytes, QN_KEY_SIZE);
    qn_buf_append_str(&wanted, "\xadrecovery_sign\xc4\x20");
    qn_buf_append(&wanted, f.setup.recovery_sign.bytes, QN_KEY_SIZE);
    qn_buf_append_str(&wanted, "\xa1v\x01");
    assert_span_eq(qn_buf_view(&f.file), qn_buf_view(&wanted));
    qn_buf_reset(&f.file);
    cr_assert_eq(qn_os_read_file(f.key_path, QN_SEED_SIZE, &f.file), QN_OK);
    assert_span_eq(qn_buf_view(&f.file), QN_SPAN_OF(f.setup.seed));
}

/* ---- when it is initialised ---- */

Test(setup, both_files_are_private_whatever_the_umask)
{
    FIXTURE;
    umask(0);
    write_setup(&f);
    cr_assert_eq(mode_of(f.key_path), 0600);
    cr_assert_eq(mode_of(f.site_path), 0600);
}

Test(setup, an_empty_folder_is_not_initialised)
{
    FIXTURE;
    cr_assert_not(qn_setup_exists(f.dir.path));
    cr_assert_eq(read_setup(&f), QN_ERR_NOTFOUND);
    cr_assert(is_zero(&f.got));
    write_setup(&f);
    cr_assert(qn_setup_exists(f.dir.path));
}

Test(setup, a_missing_folder_is_not_initialised)
{
    FIXTURE;
    char path[TMP_PATH_SIZE];
    tmp_dir_at(&f.dir, "none", path);
    cr_assert_not(qn_setup_exists(path));
    cr_assert_eq(qn_setup_read(path, &f.got), QN_ERR_NOTFOUND);
    cr_assert_neq(qn_setup_write(path, &f.setup), QN_OK);
    cr_assert_not(is_there(path));
}

Test(setup, it_is_written_once)
{
    FIXTURE;
    write_setup(&f);
    memset(f.setup.seed, 0x44, sizeof(f.setup.seed));
    cr_assert_eq(qn_setup_write(f.dir.path, &f.setup), QN_ERR_EXISTS);
    cr_assert_eq(read_setup(&f), QN_OK);
    cr_assert_eq(f.got.seed[0], 0x11);
}

Test(setup, whatever_bears_the_name_counts_as_initialised)
{
    FIXTURE;
    cr_assert_eq(symlink("nowhere", f.site_path), 0);
    cr_assert(qn_setup_exists(f.dir.path));
    cr_assert_eq(qn_setup_write(f.dir.path, &f.setup), QN_ERR_EXISTS);
    cr_assert_not(is_there(f.key_path));
}

Test(setup, a_key_left_by_a_crash_is_replaced)
{
    FIXTURE;
    put(f.key_path, SPAN("old"));
    cr_assert_not(qn_setup_exists(f.dir.path));
    cr_assert_eq(read_setup(&f), QN_ERR_NOTFOUND);
    write_setup(&f);
    cr_assert_eq(read_setup(&f), QN_OK);
    check_same(&f.got, &f.setup);
}

/* ---- what is refused ---- */

static void check_refused(struct fixture *f, struct qn_span site, const char *what)
{
    put(f->site_path, site);
    cr_assert_eq(read_setup(f), QN_ERR_INVALID, "%s", what);
    cr_assert(is_zero(&f->got), "%s", what);
}

Test(setup, a_file_cut_anywhere_is_refused)
{
    FIXTURE;
    write_setup(&f);
    for (size_t size = 0; size < f.file.size; size++)
        check_refused(&f, qn_span(f.file.data, size), "cut");
}

Test(setup, a_file_with_more_behind_it_is_refused)
{
    FIXTURE;
    write_setup(&f);
    qn_buf_append_u8(&f.file, 0xc0);
    check_refused(&f, qn_buf_view(&f.file), "one more byte");
    while (f.file.size <= 64 * 1024)
        qn_buf_append_u8(&f.file, 0xc0);
    check_refused(&f, qn_buf_view(&f.file), "too long");
}

/* Every bit turned over: refused, or a set-up that is written as just these bytes. */
Test(setup, a_damaged_file_is_refused_or_another_set_up)
{
    FIXTURE;
    char other[TMP_PATH_SIZE], other_site[TMP_PATH_SIZE];
    QN_AUTO_BUF struct qn_buf again;
    qn_buf_init(&again, f.file.size_max);
    tmp_dir_at(&f.dir, "other", other);
    tmp_dir_at(&f.dir, "other/site.quoin", other_site);
    cr_assert_eq(qn_os_make_dir(other, 0700), QN_OK);
    write_setup(&f);
    for (size_t i = 0; i < f.file.size; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            f.file.data[i] ^= (uint8_t)(1u << bit);
            put(f.site_path, qn_buf_view(&f.file));
            enum qn_err err = read_setup(&f);
            if (err == QN_OK && bit == 0) { /* of one bit each: writing is durable, so slow */
                qn_buf_reset(&again);
                cr_assert_eq(qn_setup_write(other, &f.got), QN_OK);
                cr_assert_eq(qn_os_read_file(other_site, again.size_max, &again), QN_OK);
                assert_span_eq(qn_buf_view(&again), qn_buf_view(&f.file));
                cr_assert_eq(unlink(other_site), 0);
            } else if (err != QN_OK) {
                cr_assert_eq(err, QN_ERR_INVALID);
                cr_assert(is_zero(&f.got));
            }
            f.file.data[i] ^= (uint8_t)(1u << bit);
        }
}

Test(setup, foreign_files_are_refused)
{
    FIXTURE;
    write_setup(&f);
    check_refused(&f, SPAN(""), "empty");
    check_refused(&f, SPAN("{\"v\": 1}\n"), "JSON");
    check_refused(&f, SPAN("\x80"), "an empty map");
    check_refused(&f, SPAN("\x81\xa1v\x01"), "only a version");
    check_refused(&f, SPAN("\xdf\xff\xff\xff\xff"), "a huge map");
    check_refused(&f,
                  SPAN("\x7f"
                       "ELF\x02\x01\x01\0\0\0\0\0"),
                  "a program");
}

/* A whole file, each field given by the test. */
struct fields {
    const char *advertise, *entity, *listen, *name;
    const char *genesis, *join; /* NULL: nil */
    size_t name_size;           /* 0: by its zero byte */
    size_t key_size;
    uint64_t version;
    unsigned extra;
};

static void pack_key(struct qn_buf *out, const char *name, size_t size)
{
    static const uint8_t bytes[64];
    qn_pack_cstr(out, name);
    qn_pack_bin(out, qn_span(bytes, size));
}

static void pack_fields(struct qn_buf *out, const struct fields *fields)
{
    size_t name_size = fields->name_size ? fields->name_size : strlen(fields->name);
    qn_buf_reset(out);
    qn_pack_map(out, 9 + fields->extra);
    qn_pack_cstr(out, "advertise"), qn_pack_cstr(out, fields->advertise);
    qn_pack_cstr(out, "entity"), qn_pack_cstr(out, fields->entity);
    qn_pack_cstr(out, "genesis");
    if (fields->genesis != NULL)
        qn_pack_bin(out, qn_span_str(fields->genesis));
    else
        qn_pack_nil(out);
    qn_pack_cstr(out, "join");
    if (fields->join != NULL)
        qn_pack_cstr(out, fields->join);
    else
        qn_pack_nil(out);
    qn_pack_cstr(out, "listen"), qn_pack_cstr(out, fields->listen);
    qn_pack_cstr(out, "name"), qn_pack_str(out, qn_span(fields->name, name_size));
    pack_key(out, "recovery_seal", fields->key_size);
    pack_key(out, "recovery_sign", fields->key_size);
    qn_pack_cstr(out, "v"), qn_pack_u64(out, fields->version);
    if (fields->extra > 0)
        qn_pack_cstr(out, "w"), qn_pack_nil(out);
}

#define GOOD                                                                                       \
    .advertise = "", .entity = "", .listen = "", .name = "n", .genesis = "g", .key_size = 32,      \
    .version = 1

static char long_text[300];

/* The last initialiser of a field counts. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#endif
static const struct {
    const char *what;
    struct fields fields;
} bad[] = {
    {"founds and joins", {GOOD, .join = "code"}},
    {"neither founds nor joins", {GOOD, .genesis = NULL}},
    {"an empty entry", {GOOD, .genesis = ""}},
    {"an empty code", {GOOD, .genesis = NULL, .join = ""}},
    {"a code of two lines", {GOOD, .genesis = NULL, .join = "a\nb"}},
    {"no name", {GOOD, .name = ""}},
    {"not a name", {GOOD, .name = "a/b"}},
    {"a zero byte", {GOOD, .name = "a\0b", .name_size = 3}},
    {"not UTF-8", {GOOD, .name = "\xff"}},
    {"a long name", {GOOD, .name = long_text, .name_size = QN_NAME_SIZE_MAX + 1}},
    {"a long entity", {GOOD, .entity = long_text}},
    {"a long address", {GOOD, .listen = long_text}},
    {"another long address", {GOOD, .advertise = long_text}},
    {"control characters", {GOOD, .entity = "\x1b[31m"}},
    {"short keys", {GOOD, .key_size = 31}},
    {"long keys", {GOOD, .key_size = 33}},
    {"version 0", {GOOD, .version = 0}},
    {"version 2", {GOOD, .version = 2}},
    {"one more key", {GOOD, .extra = 1}},
};
static const struct fields good = {GOOD};
#pragma GCC diagnostic pop

Test(setup, fields_that_do_not_fit_are_refused)
{
    FIXTURE;
    memset(long_text, 'x', sizeof(long_text) - 1);
    write_setup(&f);
    pack_fields(&f.file, &good);
    put(f.site_path, qn_buf_view(&f.file));
    cr_assert_eq(read_setup(&f), QN_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        pack_fields(&f.file, &bad[i].fields);
        check_refused(&f, qn_buf_view(&f.file), bad[i].what);
    }
}

Test(setup, a_key_of_another_size_is_refused)
{
    FIXTURE;
    static const uint8_t bytes[QN_SEED_SIZE + 1];
    write_setup(&f);
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        put(f.key_path, qn_span(bytes, size));
        enum qn_err wanted = size == QN_SEED_SIZE ? QN_OK : QN_ERR_INVALID;
        cr_assert_eq(read_setup(&f), wanted, "%zu", size);
    }
    cr_assert_eq(unlink(f.key_path), 0);
    cr_assert_eq(read_setup(&f), QN_ERR_INVALID);
    cr_assert(is_zero(&f.got));
}

Test(setup, links_are_not_followed)
{
    FIXTURE;
    char other[TMP_PATH_SIZE];
    write_setup(&f);
    tmp_dir_at(&f.dir, "other", other);
    cr_assert_eq(rename(f.key_path, other), 0);
    cr_assert_eq(symlink("other", f.key_path), 0);
    cr_assert_neq(read_setup(&f), QN_OK);
    cr_assert(is_zero(&f.got));
}

Test(setup, what_could_not_be_read_is_not_written)
{
    FIXTURE;
    strcpy(f.setup.name, "");
    check_not_written(&f, "no name");
    strcpy(f.setup.name, "n");
    strcpy(f.setup.legal_entity, "\xff");
    check_not_written(&f, "not UTF-8");
    strcpy(f.setup.legal_entity, "");
    f.setup.join = qn_strdup("code");
    check_not_written(&f, "founds and joins");
    make_join(&f, "");
    check_not_written(&f, "an empty code");
    qn_free(f.setup.join);
    f.setup.join = NULL;
    check_not_written(&f, "neither founds nor joins");
    f.setup.genesis_size = QN_LEDGER_ENTRY_SIZE_MAX + 1;
    f.setup.genesis = qn_alloc_zero(f.setup.genesis_size);
    check_not_written(&f, "an entry too long");
}

Test(setup, one_that_was_never_filled_can_be_released)
{
    struct qn_setup setup = {0};
    qn_setup_deinit(&setup);
    qn_setup_deinit(&setup);
}

/* ---- a site that was lost ---- */

static void make_recovered(struct fixture *f)
{
    make_join(f, "");
    qn_free(f->setup.join);
    f->setup.join = NULL;
    f->setup.is_recovered = true;
    memset(f->setup.identity.bytes, 0x44, sizeof(f->setup.identity.bytes));
    memset(f->setup.group_prefix, 0x55, sizeof(f->setup.group_prefix));
    memset(f->setup.kit_seed, 0x66, sizeof(f->setup.kit_seed));
    strcpy(f->setup.from, "pradines.example:7117");
}

Test(setup, a_recovered_site_keeps_its_identity)
{
    FIXTURE;
    struct qn_public_key key = {{1}};
    struct qn_site_id id;
    make_recovered(&f);
    write_setup(&f);
    cr_assert_eq(read_setup(&f), QN_OK);
    check_same(&f.setup, &f.got);
    cr_assert(f.got.is_recovered);
    cr_assert(f.got.has_kit_seed);
    cr_assert_arr_eq(f.got.kit_seed, f.setup.kit_seed, QN_SEED_SIZE);
    cr_assert_arr_eq(f.got.group_prefix, f.setup.group_prefix, QN_GROUP_PREFIX_SIZE);
    cr_assert_str_eq(f.got.from, f.setup.from);
    qn_setup_site_id(&f.got, &key, &id);
    cr_assert(qn_site_id_eq(&id, &f.setup.identity));
}

Test(setup, the_seed_of_the_kit_goes_and_the_identity_stays)
{
    FIXTURE;
    struct stat status;
    char path[TMP_PATH_SIZE];
    make_recovered(&f);
    write_setup(&f);
    cr_assert_eq(stat(tmp_dir_at(&f.dir, "recovery.key", path), &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0600);
    cr_assert_eq(qn_setup_end_recovery(f.dir.path), QN_OK);
    cr_assert_eq(qn_setup_end_recovery(f.dir.path), QN_OK, "again");
    cr_assert_neq(stat(path, &status), 0);
    cr_assert_eq(read_setup(&f), QN_OK);
    cr_assert(f.got.is_recovered);
    cr_assert_not(f.got.has_kit_seed);
}

Test(setup, the_identity_of_another_site_is_that_of_its_key)
{
    FIXTURE;
    struct qn_public_key key = {{1}};
    struct qn_site_id id, expected;
    write_setup(&f);
    cr_assert_eq(read_setup(&f), QN_OK);
    qn_setup_site_id(&f.got, &key, &id);
    qn_site_id_of(&key, &expected);
    cr_assert(qn_site_id_eq(&id, &expected));
}

Test(setup, a_recovery_that_is_not_whole_is_refused)
{
    FIXTURE;
    char path[TMP_PATH_SIZE];
    make_recovered(&f);
    f.setup.from[0] = '\0';
    cr_assert_eq(qn_setup_write(f.dir.path, &f.setup), QN_ERR_INVALID);
    strcpy(f.setup.from, "pradines.example:7117");
    f.setup.join = qn_strdup("QN1-AAAAA");
    cr_assert_eq(qn_setup_write(f.dir.path, &f.setup), QN_ERR_INVALID, "one way only");
    qn_free(f.setup.join);
    f.setup.join = NULL;
    write_setup(&f);
    put(tmp_dir_at(&f.dir, "recovery.key", path), qn_span("short", 5));
    cr_assert_eq(read_setup(&f), QN_ERR_INVALID);
}
