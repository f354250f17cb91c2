/* The own authority, as clients check it. */
#include "serve/authority.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "support/span.h"

#define NOW_MS ((uint64_t)1800000000000)
#define DAY_MS ((uint64_t)24 * 3600 * 1000)

static const char *const host_names[] = {"quoin.pradines.lan", "files.example"};

static union qn_address address(const char *text)
{
    struct qn_endpoint endpoint;
    union qn_address number;
    cr_assert_eq(qn_endpoint_parse(text, &endpoint), QN_OK);
    cr_assert_eq(qn_endpoint_number(&endpoint, &number), QN_OK);
    return number;
}

static X509 *read_pem(const struct qn_buf *pem)
{
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    cr_assert_not_null(certificate);
    return certificate;
}

/* 0 or X509_V_ERR_... at a moment, for a host name (or NULL). */
static int verify(const struct qn_pem_pair *authority, const struct qn_pem_pair *server,
                  const char *host, const char *ip, uint64_t now_ms)
{
    X509 *ca = read_pem(&authority->certificate), *leaf = read_pem(&server->certificate);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX_init(context, store, leaf, NULL);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_time(param, (time_t)(now_ms / 1000));
    if (host != NULL)
        X509_VERIFY_PARAM_set1_host(param, host, 0);
    if (ip != NULL)
        X509_VERIFY_PARAM_set1_ip_asc(param, ip);
    int error = X509_verify_cert(context) == 1 ? 0 : X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    X509_free(ca);
    X509_free(leaf);
    return error;
}

static struct qn_pem_pair ca, server;
static union qn_address addresses[2];
static struct qn_authority_names names;

static void set_up(void)
{
    addresses[0] = address("192.168.1.7:443");
    addresses[1] = address("[fd00::7]:443");
    names = (struct qn_authority_names){host_names, 2, addresses, 2};
    qn_pem_pair_init(&ca);
    qn_pem_pair_init(&server);
    cr_assert_eq(qn_authority_make("pradines", &names, NOW_MS, &ca), QN_OK);
}

static void tear_down(void)
{
    qn_pem_pair_deinit(&ca);
    qn_pem_pair_deinit(&server);
}

TestSuite(authority, .init = set_up, .fini = tear_down);

Test(authority, what_it_signs_is_good_for_its_names_and_addresses)
{
    cr_assert_eq(qn_authority_sign(&ca, &names, NOW_MS, &server), QN_OK);
    cr_assert_eq(verify(&ca, &server, "quoin.pradines.lan", NULL, NOW_MS), 0);
    cr_assert_eq(verify(&ca, &server, "files.example", NULL, NOW_MS), 0);
    cr_assert_eq(verify(&ca, &server, NULL, "192.168.1.7", NOW_MS), 0);
    cr_assert_eq(verify(&ca, &server, NULL, "fd00::7", NOW_MS), 0);
    cr_assert_neq(verify(&ca, &server, "other.example", NULL, NOW_MS), 0);
    struct qn_certificate_facts facts;
    cr_assert_eq(qn_certificate_look(qn_buf_view(&server.certificate), &facts), QN_OK);
    cr_assert_str_eq(facts.names,
                     "localhost, quoin.pradines.lan, files.example, 192.168.1.7, fd00::7");
    cr_assert_eq(facts.end_ms - facts.begin_ms, QN_CERTIFICATE_DAYS * DAY_MS);
    cr_assert_eq(facts.begin_ms, NOW_MS - DAY_MS);
}

Test(authority, it_lasts_a_year_and_the_authority_ten)
{
    cr_assert_eq(qn_authority_sign(&ca, &names, NOW_MS, &server), QN_OK);
    cr_assert_eq(verify(&ca, &server, NULL, NULL, NOW_MS + 395 * DAY_MS), 0);
    cr_assert_eq(verify(&ca, &server, NULL, NULL, NOW_MS + 397 * DAY_MS),
                 X509_V_ERR_CERT_HAS_EXPIRED);
    uint64_t later = NOW_MS + 3600 * DAY_MS;
    struct qn_pem_pair renewed;
    qn_pem_pair_init(&renewed);
    cr_assert_eq(qn_authority_sign(&ca, &names, later, &renewed), QN_OK);
    cr_assert_eq(verify(&ca, &renewed, "files.example", NULL, later), 0);
    qn_pem_pair_deinit(&renewed);
    qn_pem_pair_init(&renewed);
    cr_assert_eq(qn_authority_sign(&ca, &names, NOW_MS + 3700 * DAY_MS, &renewed), QN_ERR_DENIED);
    qn_pem_pair_deinit(&renewed);
}

Test(authority, it_cannot_sign_for_others)
{
    static const char *const foreign[] = {"bank.example.com"}, *const below[] = {"a.files.example"};
    union qn_address public = address("8.8.8.8:443");
    struct qn_authority_names wish = {.names = foreign, .name_count = 1};
    cr_assert_eq(qn_authority_sign(&ca, &wish, NOW_MS, &server), QN_ERR_DENIED);
    cr_assert_eq(verify(&ca, &server, NULL, NULL, NOW_MS), X509_V_ERR_PERMITTED_VIOLATION);
    tear_down();
    set_up();
    wish = (struct qn_authority_names){.addresses = &public, .address_count = 1};
    cr_assert_eq(qn_authority_sign(&ca, &wish, NOW_MS, &server), QN_ERR_DENIED);
    tear_down();
    set_up();
    wish = (struct qn_authority_names){.names = below, .name_count = 1};
    cr_assert_eq(qn_authority_sign(&ca, &wish, NOW_MS, &server), QN_OK);
}

Test(authority, a_key_that_is_not_its_own_is_refused)
{
    struct qn_pem_pair other;
    qn_pem_pair_init(&other);
    cr_assert_eq(qn_authority_make("other", &names, NOW_MS, &other), QN_OK);
    qn_buf_reset(&ca.key);
    qn_buf_append_span(&ca.key, qn_buf_view(&other.key));
    cr_assert_eq(qn_authority_sign(&ca, &names, NOW_MS, &server), QN_ERR_INVALID);
    struct qn_certificate_facts facts;
    cr_assert_eq(qn_certificate_look(qn_span_str("no PEM"), &facts), QN_ERR_INVALID);
    qn_pem_pair_deinit(&other);
}
