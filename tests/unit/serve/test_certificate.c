/* Certificates in their files: made, kept, renewed, replaced. */
#include "serve/certificate.h"

#include <sys/stat.h>

#include "os/os.h"
#include "serve/authority.h"
#include "stream/tls.h"
#include "support/span.h"
#include "support/tmp_dir.h"

#define NOW_MS ((uint64_t)1800000000000)
#define DAY_MS ((uint64_t)24 * 3600 * 1000)

static struct tmp_dir dir;
static struct qn_serve_config config;
static struct qn_certificates *certificates;

static void set_up(void)
{
    tmp_dir_init(&dir);
    config = (struct qn_serve_config){
        .listen = {"127.0.0.1:8443"}, .listen_count = 1, .names = {"quoin.lan"}, .name_count = 1};
    certificates = qn_certificates_new(dir.path, "pradines");
    qn_certificates_configure(certificates, &config);
}

static void tear_down(void)
{
    qn_certificates_free(certificates);
    tmp_dir_deinit(&dir);
}

TestSuite(certificate, .init = set_up, .fini = tear_down);

static const struct qn_certificate_status *status(void)
{
    return qn_certificates_status(certificates);
}

static struct qn_buf chain(void)
{
    struct qn_buf copy;
    qn_buf_init(&copy, QN_WEB_CERTIFICATE_SIZE_MAX);
    qn_buf_append_span(&copy, qn_certificates_chain(certificates));
    return copy;
}

static void restart(void)
{
    qn_certificates_free(certificates);
    certificates = qn_certificates_new(dir.path, "pradines");
    qn_certificates_configure(certificates, &config);
}

static void check_mode(const char *name, mode_t mode)
{
    char path[TMP_PATH_SIZE];
    struct stat found;
    cr_assert_eq(stat(tmp_dir_at(&dir, name, path), &found), 0, "%s", name);
    cr_assert_eq(found.st_mode & 0777, mode, "%s", name);
}

Test(certificate, an_authority_is_made_once_and_kept)
{
    QN_AUTO_BUF struct qn_buf first, authority, again;
    qn_buf_init(&authority, 65536);
    qn_buf_init(&again, 65536);
    cr_assert_eq(qn_certificates_authority(dir.path, &authority), QN_ERR_NOTFOUND);
    cr_assert(qn_certificates_refresh(certificates, NOW_MS));
    cr_assert_str_eq(status()->error, "");
    cr_assert_str_eq(status()->names, "localhost, quoin.lan, 127.0.0.1");
    cr_assert(status()->is_own);
    check_mode("authority", 0700);
    check_mode("authority/ca.key", 0600);
    check_mode("authority/server.key", 0600);
    first = chain();
    cr_assert_not(qn_certificates_refresh(certificates, NOW_MS + DAY_MS));
    cr_assert_eq(qn_certificates_authority(dir.path, &authority), QN_OK);
    restart();
    cr_assert(qn_certificates_refresh(certificates, NOW_MS + DAY_MS));
    cr_assert(qn_span_eq(qn_certificates_chain(certificates), qn_buf_view(&first)));
    cr_assert_eq(qn_certificates_authority(dir.path, &again), QN_OK);
    cr_assert(qn_span_eq(qn_buf_view(&again), qn_buf_view(&authority)));
    struct qn_tls *tls;
    cr_assert_eq(qn_tls_new_people(qn_certificates_chain(certificates),
                                   qn_certificates_key(certificates), qn_span(NULL, 0), &tls),
                 QN_OK);
    qn_tls_free(tls);
    cr_assert_eq(qn_tls_new_people(qn_certificates_chain(certificates),
                                   qn_certificates_key(certificates), qn_span_str("no PEM"), &tls),
                 QN_ERR_DENIED);
}

Test(certificate, it_is_renewed_in_time_by_itself)
{
    QN_AUTO_BUF struct qn_buf authority, again;
    qn_buf_init(&authority, 65536);
    qn_buf_init(&again, 65536);
    cr_assert(qn_certificates_refresh(certificates, NOW_MS));
    uint64_t end_ms = status()->end_ms;
    cr_assert_eq(qn_certificates_authority(dir.path, &authority), QN_OK);
    cr_assert_not(qn_certificates_refresh(certificates, NOW_MS + 260 * DAY_MS));
    cr_assert(qn_certificates_refresh(certificates, NOW_MS + 265 * DAY_MS));
    cr_assert_eq(status()->end_ms, end_ms + 265 * DAY_MS);
    cr_assert_eq(qn_certificates_authority(dir.path, &again), QN_OK);
    cr_assert(qn_span_eq(qn_buf_view(&again), qn_buf_view(&authority)), "the authority stays");
}

Test(certificate, other_names_need_another_one)
{
    cr_assert(qn_certificates_refresh(certificates, NOW_MS));
    config = (struct qn_serve_config){.listen = {"192.168.7.7:8443", "[::1]:8443"},
                                      .listen_count = 2,
                                      .names = {"a.quoin.lan"},
                                      .name_count = 1};
    qn_certificates_configure(certificates, &config);
    cr_assert(qn_certificates_refresh(certificates, NOW_MS));
    cr_assert_str_eq(status()->names, "localhost, a.quoin.lan, 192.168.7.7, ::1");
    cr_assert_str_eq(status()->error, "");
}

Test(certificate, a_name_that_the_authority_may_not_sign_for_is_told_and_the_rest_works)
{
    cr_assert(qn_certificates_refresh(certificates, NOW_MS));
    config.name_count = 2;
    strcpy(config.names[0], "other.example");
    strcpy(config.names[1], "quoin.lan");
    qn_certificates_configure(certificates, &config);
    cr_assert(qn_certificates_refresh(certificates, NOW_MS));
    cr_assert_str_eq(status()->names, "localhost, quoin.lan, 127.0.0.1");
    cr_assert_str_eq(status()->error, "the authority may not sign for other.example");
    cr_assert_not(qn_certificates_refresh(certificates, NOW_MS + 60000), "not each minute again");
    cr_assert_str_eq(status()->error, "the authority may not sign for other.example");
}

Test(certificate, a_machine_without_the_time_waits)
{
    cr_assert_not(qn_certificates_refresh(certificates, 1000));
    cr_assert_str_eq(status()->error, "the clock of this machine is not set");
    cr_assert(qn_certificates_refresh(certificates, NOW_MS));
    cr_assert_str_eq(status()->error, "");
}

static void write_files(const char *name, uint64_t now_ms)
{
    char path[TMP_PATH_SIZE];
    struct qn_pem_pair authority, pair;
    struct qn_authority_names names = {.names = &name, .name_count = 1};
    qn_pem_pair_init(&authority);
    qn_pem_pair_init(&pair);
    cr_assert_eq(qn_authority_make("x", &names, now_ms, &authority), QN_OK);
    cr_assert_eq(qn_authority_sign(&authority, &names, now_ms, &pair), QN_OK);
    qn_pem_pair_deinit(&authority);
    cr_assert_eq(
        qn_os_replace_file(tmp_dir_at(&dir, "c.pem", path), qn_buf_view(&pair.certificate), 0644),
        QN_OK);
    cr_assert_eq(qn_os_replace_file(tmp_dir_at(&dir, "c.key", path), qn_buf_view(&pair.key), 0600),
                 QN_OK);
    qn_pem_pair_deinit(&pair);
}

static void name_files(void)
{
    char path[TMP_PATH_SIZE];
    cr_assert_lt(strlen(tmp_dir_at(&dir, "c.pem", path)), sizeof(config.certificate));
    memcpy(config.certificate, path, strlen(path) + 1);
    tmp_dir_at(&dir, "c.key", path);
    memcpy(config.key, path, strlen(path) + 1);
}

Test(certificate, files_are_read_again_when_they_change)
{
    name_files();
    config.name_count = 0;
    write_files("one.example", NOW_MS);
    qn_certificates_configure(certificates, &config);
    cr_assert(qn_certificates_refresh(certificates, NOW_MS));
    cr_assert_not(status()->is_own);
    QN_AUTO_BUF struct qn_buf first = chain();
    cr_assert_not(qn_certificates_refresh(certificates, NOW_MS));
    write_files("two.example", NOW_MS);
    cr_assert(qn_certificates_refresh(certificates, NOW_MS));
    cr_assert_not(qn_span_eq(qn_certificates_chain(certificates), qn_buf_view(&first)));
}

Test(certificate, files_that_cannot_be_read_are_told_and_the_old_ones_stay)
{
    char path[TMP_PATH_SIZE];
    name_files();
    config.name_count = 0;
    qn_certificates_configure(certificates, &config);
    cr_assert_not(qn_certificates_refresh(certificates, NOW_MS));
    cr_assert_neq(status()->error[0], '\0');
    write_files("one.example", NOW_MS);
    cr_assert(qn_certificates_refresh(certificates, NOW_MS));
    cr_assert_str_eq(status()->error, "");
    cr_assert_eq(qn_os_replace_file(tmp_dir_at(&dir, "c.pem", path), qn_span_str("no PEM"), 0644),
                 QN_OK);
    cr_assert_not(qn_certificates_refresh(certificates, NOW_MS));
    cr_assert_neq(status()->error[0], '\0');
    cr_assert(status()->is_loaded);
}

/* Windows and macOS do not connect then, and say little of why. */
Test(certificate, files_that_are_not_for_a_name_of_the_site_are_told_and_used)
{
    name_files();
    write_files("quoin.example", NOW_MS);
    qn_certificates_configure(certificates, &config);
    cr_assert(qn_certificates_refresh(certificates, NOW_MS));
    cr_assert_not_null(strstr(status()->error, "is not for quoin.lan"), "%s", status()->error);
    cr_assert(status()->is_loaded);
    write_files("quoin.lan", NOW_MS);
    cr_assert(qn_certificates_refresh(certificates, NOW_MS));
    cr_assert_str_eq(status()->error, "");
    snprintf(config.names[config.name_count++], sizeof(config.names[0]), "files.pradines.example");
    qn_certificates_configure(certificates, &config);
    cr_assert(qn_certificates_refresh(certificates, NOW_MS));
    cr_assert_not_null(strstr(status()->error, "is not for files.pradines.example"));
}
