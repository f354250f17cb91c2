/* Certificates of people: who signs them, which are revoked; files that change. */
#include "serve/clients.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "support/span.h"
#include "support/tmp_dir.h"

#define A "aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899"
#define A_PRINTED                                                                                  \
    "sha256 Fingerprint=AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:"  \
    "22:33:44:55:66:77:88:99"
static const uint8_t a_bytes[QN_FINGERPRINT_SIZE] = {
    0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
    0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99};

/* ---- the list ---- */

/* How many are read; 0 with the line in `ret_line`. */
static size_t count_of(const char *text, unsigned *ret_line)
{
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, QN_WEB_REVOKED_MAX * QN_FINGERPRINT_SIZE);
    *ret_line = 0;
    if (!qn_fingerprints_read(qn_span_str(text), &out, ret_line))
        return 0;
    for (size_t at = 0; at < out.size; at += QN_FINGERPRINT_SIZE)
        cr_assert_arr_eq(out.data + at, a_bytes, QN_FINGERPRINT_SIZE);
    return out.size / QN_FINGERPRINT_SIZE;
}

Test(fingerprints, as_openssl_prints_them_or_the_digits_alone)
{
    unsigned line;
    cr_assert_eq(count_of(A "\n", &line), 1);
    cr_assert_eq(count_of(A, &line), 1, "the last line needs no end");
    cr_assert_eq(count_of(A_PRINTED "\n" A " # the laptop of anne\n# none\n\n  \n" A "\r\n", &line),
                 3);
    cr_assert_eq(count_of("", &line), 0);
    cr_assert_eq(line, 0);
}

Test(fingerprints, what_is_none_is_named_by_its_line)
{
    static const char *const wrong[] = {
        A "\n" A "0\n",
        A "\naabb\n",
        A "\nanne\n",
        A "\nsha1 Fingerprint=",
        A "\nSHA1 Fingerprint=AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD",
        A "\n" A A "\n",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        unsigned line;
        cr_assert_eq(count_of(wrong[i], &line), 0, "%s", wrong[i]);
        cr_assert_eq(line, 2, "%s: %u", wrong[i], line);
    }
}

Test(fingerprints, there_is_a_limit)
{
    QN_AUTO_BUF struct qn_buf text, out;
    unsigned line = 0;
    qn_buf_init(&text, 1024 * 1024);
    qn_buf_init(&out, QN_WEB_REVOKED_MAX * QN_FINGERPRINT_SIZE);
    for (size_t i = 0; i < QN_WEB_REVOKED_MAX; i++)
        qn_buf_append_str(&text, A "\n");
    cr_assert(qn_fingerprints_read(qn_buf_view(&text), &out, &line));
    qn_buf_append_str(&text, A "\n");
    qn_buf_reset(&out);
    cr_assert_not(qn_fingerprints_read(qn_buf_view(&text), &out, &line));
    cr_assert_eq(line, QN_WEB_REVOKED_MAX + 1);
}

/* ---- the files ---- */

static struct tmp_dir dir;
static struct qn_serve_config config;
static struct qn_clients *clients;

static void set_up(void)
{
    tmp_dir_init(&dir);
    config = (struct qn_serve_config){.is_public = true};
    cr_assert_lt(strlen(dir.path), 200);
    snprintf(config.client_authority, sizeof(config.client_authority), "%.200s/people.pem",
             dir.path);
    snprintf(config.client_revoked, sizeof(config.client_revoked), "%.200s/revoked", dir.path);
    clients = qn_clients_new();
    qn_clients_configure(clients, &config);
}

static void tear_down(void)
{
    qn_clients_free(clients);
    tmp_dir_deinit(&dir);
}
TestSuite(clients, .init = set_up, .fini = tear_down);

/* As an editor does: another file takes its place. */
static void write_file(const char *path, const char *text)
{
    char fresh[TMP_PATH_SIZE];
    FILE *file = fopen(tmp_dir_at(&dir, "fresh", fresh), "w");
    cr_assert_not_null(file);
    fputs(text, file);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(rename(fresh, path), 0);
}

static bool has_authority(void)
{
    return qn_clients_authorities(clients).size > 0;
}

Test(clients, both_files_are_read_and_read_again)
{
    write_file(config.client_authority, "PEM");
    write_file(config.client_revoked, "# none\n");
    cr_assert(qn_clients_refresh(clients));
    cr_assert_not(qn_clients_refresh(clients), "nothing has changed");
    cr_assert(has_authority());
    cr_assert_not(qn_clients_is_revoked(clients, a_bytes));
    write_file(config.client_revoked, A_PRINTED "\n");
    cr_assert(qn_clients_refresh(clients));
    cr_assert(has_authority());
    cr_assert(qn_clients_is_revoked(clients, a_bytes));
    write_file(config.client_revoked, "# found again\n");
    cr_assert(qn_clients_refresh(clients));
    cr_assert_not(qn_clients_is_revoked(clients, a_bytes));
    cr_assert_str_empty(qn_clients_error(clients));
}

Test(clients, without_one_of_the_files_nobody_comes_in)
{
    write_file(config.client_authority, "PEM");
    cr_assert(qn_clients_refresh(clients));
    cr_assert_not(has_authority());
    cr_assert_not_null(strstr(qn_clients_error(clients), "/revoked: not-found"), "%s",
                       qn_clients_error(clients));
    write_file(config.client_revoked, "\nwhat is this\n");
    cr_assert(qn_clients_refresh(clients));
    cr_assert_not(has_authority());
    cr_assert_not_null(strstr(qn_clients_error(clients), "/revoked: line 2"));
    write_file(config.client_revoked, A "\n");
    cr_assert(qn_clients_refresh(clients));
    cr_assert(has_authority());
    cr_assert_str_empty(qn_clients_error(clients));
    cr_assert_eq(unlink(config.client_authority), 0);
    cr_assert(qn_clients_refresh(clients));
    cr_assert_not(has_authority());
    cr_assert_not_null(strstr(qn_clients_error(clients), "/people.pem: not-found"));
}

Test(clients, of_none_none_are_read)
{
    const struct qn_serve_config none = {0};
    qn_clients_configure(clients, &none);
    (void)qn_clients_refresh(clients);
    cr_assert_not(has_authority());
    cr_assert_str_empty(qn_clients_error(clients));
}
