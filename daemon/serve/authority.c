#include "serve/authority.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <strings.h>
#include <uv.h>

#include "base/text.h"
#include "crypto/digest.h"

#define X509_VERSION_3     2
#define SERIAL_SIZE        16
#define DAY_S              (24 * 3600)
#define EXTENSION_SIZE_MAX 8192

void qn_pem_pair_init(struct qn_pem_pair *pair)
{
    qn_buf_init(&pair->certificate, QN_WEB_CERTIFICATE_SIZE_MAX);
    qn_buf_init(&pair->key, QN_WEB_CERTIFICATE_SIZE_MAX);
}

void qn_pem_pair_deinit(struct qn_pem_pair *pair)
{
    if (pair->key.data != NULL)
        qn_wipe(pair->key.data, pair->key.capacity);
    qn_buf_deinit(&pair->certificate);
    qn_buf_deinit(&pair->key);
}

/* ---- names as OpenSSL's configuration has them ---- */

static void append_host(const union qn_address *address, struct qn_buf *out)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (address->any.sa_family == AF_INET)
        uv_ip4_name(&address->v4, host, sizeof(host));
    else
        uv_ip6_name(&address->v6, host, sizeof(host));
    qn_buf_append_str(out, host);
}

static void append_names(const struct qn_authority_names *names, struct qn_buf *out)
{
    qn_buf_append_str(out, "DNS:localhost");
    for (size_t i = 0; i < names->name_count; i++)
        if (strcasecmp(names->names[i], "localhost") != 0)
            qn_buf_printf(out, ",DNS:%s", names->names[i]);
    for (size_t i = 0; i < names->address_count; i++) {
        qn_buf_append_str(out, ",IP:");
        append_host(&names->addresses[i], out);
    }
    qn_buf_append_u8(out, 0);
}

/* A kind of name of which nothing is said would be free: hence a DNS name in any case. */
static void append_constraints(const struct qn_authority_names *names, struct qn_buf *out)
{
    qn_buf_append_str(out, "critical,permitted;DNS:localhost");
    for (size_t i = 0; i < names->name_count; i++)
        qn_buf_printf(out, ",permitted;DNS:%s", names->names[i]);
    qn_buf_append_str(out, ",permitted;IP:10.0.0.0/255.0.0.0,permitted;IP:172.16.0.0/255.240.0.0,"
                           "permitted;IP:192.168.0.0/255.255.0.0,"
                           "permitted;IP:169.254.0.0/255.255.0.0,permitted;IP:127.0.0.0/255.0.0.0,"
                           "permitted;IP:fc00:0:0:0:0:0:0:0/fe00:0:0:0:0:0:0:0,"
                           "permitted;IP:fe80:0:0:0:0:0:0:0/ffc0:0:0:0:0:0:0:0,"
                           "permitted;IP:0:0:0:0:0:0:0:1/"
                           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    for (size_t i = 0; i < names->address_count; i++) {
        const union qn_address *address = &names->addresses[i];
        if (qn_address_is_private(address))
            continue;
        qn_buf_append_str(out, ",permitted;IP:");
        append_host(address, out);
        qn_buf_append_str(out, address->any.sa_family == AF_INET
                                   ? "/255.255.255.255"
                                   : "/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    }
    qn_buf_append_str(out, ",permitted;email:.invalid,permitted;URI:.invalid");
    qn_buf_append_u8(out, 0);
}

/* ---- a certificate ---- */

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool is_added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added;
}

static bool set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_SIZE];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, and of full length */
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool is_set =
        number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return is_set;
}

/* From a day ago: clocks differ. */
static bool set_times(X509 *certificate, uint64_t now_ms, int days)
{
    time_t now = (time_t)(now_ms / 1000);
    return X509_time_adj_ex(X509_getm_notBefore(certificate), -1, 0, &now) != NULL &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), days - 1, 0, &now) != NULL;
}

static bool set_subject(X509 *certificate, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const uint8_t *)"Quoin", -1, -1,
                                      0) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)common_name, -1,
                                      -1, 0);
}

static X509 *begin(EVP_PKEY *key, const char *common_name, uint64_t now_ms, int days)
{
    X509 *certificate = X509_new();
    if (certificate != NULL && X509_set_version(certificate, X509_VERSION_3) &&
        set_serial(certificate) && set_times(certificate, now_ms, days) &&
        X509_set_pubkey(certificate, key) && set_subject(certificate, common_name))
        return certificate;
    X509_free(certificate);
    return NULL;
}

static enum qn_err take_bio(BIO *bio, struct qn_buf *out)
{
    char *bytes = NULL;
    long size = BIO_get_mem_data(bio, &bytes);
    if (size > 0)
        qn_buf_append(out, bytes, (size_t)size);
    return size > 0 ? qn_buf_status(out) : QN_ERR_CRYPTO;
}

static enum qn_err print_pair(X509 *certificate, EVP_PKEY *key, struct qn_pem_pair *out)
{
    BIO *certificates = BIO_new(BIO_s_mem());
    BIO *keys = BIO_new(BIO_s_secmem());
    enum qn_err err = QN_ERR_CRYPTO;
    if (certificates != NULL && keys != NULL && PEM_write_bio_X509(certificates, certificate) &&
        PEM_write_bio_PKCS8PrivateKey(keys, key, NULL, NULL, 0, NULL, NULL))
        err = take_bio(certificates, &out->certificate);
    if (err == QN_OK)
        err = take_bio(keys, &out->key);
    BIO_free(certificates);
    BIO_free(keys);
    return err;
}

static enum qn_err finish(X509 *certificate, EVP_PKEY *key, EVP_PKEY *signer,
                          struct qn_pem_pair *out)
{
    if (X509_sign(certificate, signer, EVP_sha256()) <= 0)
        return QN_ERR_CRYPTO;
    return print_pair(certificate, key, out);
}

/* ---- the authority ---- */

static bool add_authority_extensions(X509 *certificate, const struct qn_authority_names *names)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, EXTENSION_SIZE_MAX);
    append_constraints(names, &text);
    return qn_buf_status(&text) == QN_OK &&
           add_extension(certificate, certificate, NID_basic_constraints,
                         "critical,CA:TRUE,pathlen:0") &&
           add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           add_extension(certificate, certificate, NID_ext_key_usage, "serverAuth") &&
           add_extension(certificate, certificate, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, certificate, NID_name_constraints, (const char *)text.data);
}

enum qn_err qn_authority_make(const char *site, const struct qn_authority_names *names,
                              uint64_t now_ms, struct qn_pem_pair *out)
{
    char common_name[65]; /* the most that X.520 allows */
    snprintf(common_name, sizeof(common_name), "Quoin %.58s", site);
    while (!qn_text_is_utf8(qn_span_str(common_name)))
        common_name[strlen(common_name) - 1] = '\0';
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = key != NULL ? begin(key, common_name, now_ms, QN_AUTHORITY_DAYS) : NULL;
    enum qn_err err = QN_ERR_CRYPTO;
    if (certificate != NULL &&
        X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) &&
        add_authority_extensions(certificate, names))
        err = finish(certificate, key, key, out);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return err;
}

/* ---- what it signs ---- */

struct issuer {
    X509 *certificate;
    EVP_PKEY *key;
};

static void issuer_deinit(struct issuer *issuer)
{
    X509_free(issuer->certificate);
    EVP_PKEY_free(issuer->key);
}

static int no_passphrase(char *out, int size, int is_writing, void *context)
{
    return 0;
}

static X509 *read_certificate(struct qn_span pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    return certificate;
}

static enum qn_err issuer_read(const struct qn_pem_pair *pair, struct issuer *issuer)
{
    BIO *bio = BIO_new_mem_buf(pair->key.data, (int)pair->key.size);
    issuer->certificate = read_certificate(qn_buf_view(&pair->certificate));
    issuer->key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    if (issuer->certificate == NULL || issuer->key == NULL ||
        X509_check_private_key(issuer->certificate, issuer->key) != 1)
        return QN_ERR_INVALID;
    return QN_OK;
}

static bool add_server_extensions(X509 *certificate, X509 *issuer,
                                  const struct qn_authority_names *names)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, EXTENSION_SIZE_MAX);
    append_names(names, &text);
    return qn_buf_status(&text) == QN_OK &&
           add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth") &&
           add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always") &&
           add_extension(certificate, issuer, NID_subject_alt_name, (const char *)text.data);
}

/* As a client would: dates, purpose, and the names that the authority may sign for. */
static enum qn_err check_chain(X509 *certificate, X509 *authority, uint64_t now_ms)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    enum qn_err err = QN_ERR_CRYPTO;
    if (store != NULL && context != NULL && X509_STORE_add_cert(store, authority) == 1 &&
        X509_STORE_CTX_init(context, store, certificate, NULL) == 1) {
        X509_STORE_CTX_set_time(context, 0, (time_t)(now_ms / 1000));
        X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
        err = X509_verify_cert(context) == 1 ? QN_OK : QN_ERR_DENIED;
    }
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return err;
}

static enum qn_err sign(const struct issuer *issuer, EVP_PKEY *key,
                        const struct qn_authority_names *names, uint64_t now_ms,
                        struct qn_pem_pair *out)
{
    X509 *certificate = begin(key, "Quoin HTTPS", now_ms, QN_CERTIFICATE_DAYS);
    enum qn_err err = QN_ERR_CRYPTO;
    if (certificate != NULL &&
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate)) &&
        add_server_extensions(certificate, issuer->certificate, names))
        err = finish(certificate, key, issuer->key, out);
    if (err == QN_OK)
        err = check_chain(certificate, issuer->certificate, now_ms);
    X509_free(certificate);
    return err;
}

enum qn_err qn_authority_sign(const struct qn_pem_pair *authority,
                              const struct qn_authority_names *names, uint64_t now_ms,
                              struct qn_pem_pair *out)
{
    struct issuer issuer = {0};
    EVP_PKEY *key = NULL;
    enum qn_err err = issuer_read(authority, &issuer);
    if (err == QN_OK) {
        key = EVP_EC_gen("P-256");
        err = key != NULL ? sign(&issuer, key, names, now_ms, out) : QN_ERR_CRYPTO;
    }
    EVP_PKEY_free(key);
    issuer_deinit(&issuer);
    ERR_clear_error();
    return err;
}

/* ---- looking at one ---- */

static bool read_time(const ASN1_TIME *time, uint64_t *ret_ms)
{
    static const time_t epoch = 0;
    ASN1_TIME *zero = ASN1_TIME_set(NULL, epoch);
    int days = 0, seconds = 0;
    bool is_read = zero != NULL && ASN1_TIME_diff(&days, &seconds, zero, time) == 1;
    int64_t all = (int64_t)days * DAY_S + seconds;
    ASN1_TIME_free(zero);
    *ret_ms = all > 0 ? (uint64_t)all * 1000 : 0;
    return is_read;
}

static void append_name(const GENERAL_NAME *name, struct qn_buf *out)
{
    const ASN1_STRING *value = name->d.ia5;
    union qn_address address = {0};
    const uint8_t *bytes = ASN1_STRING_get0_data(value);
    size_t size = (size_t)ASN1_STRING_length(value);
    if (name->type != GEN_DNS && (name->type != GEN_IPADD || (size != 4 && size != 16)))
        return;
    if (name->type == GEN_DNS && !qn_text_is_printable(qn_span(bytes, size)))
        return;
    if (out->size > 0)
        qn_buf_append_str(out, ", ");
    if (name->type == GEN_DNS) {
        qn_buf_append(out, bytes, size);
        return;
    }
    address.any.sa_family = size == 4 ? AF_INET : AF_INET6;
    memcpy(size == 4 ? (void *)&address.v4.sin_addr : (void *)&address.v6.sin6_addr, bytes, size);
    append_host(&address, out);
}

static void list_names(X509 *certificate, char *out, size_t room)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, room - 1);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        append_name(sk_GENERAL_NAME_value(names, i), &text);
    if (text.size > 0)
        memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    GENERAL_NAMES_free(names);
}

enum qn_err qn_certificate_look(struct qn_span pem, struct qn_certificate_facts *ret)
{
    struct qn_certificate_facts facts;
    X509 *certificate = read_certificate(pem);
    bool is_read = certificate != NULL &&
                   read_time(X509_get0_notBefore(certificate), &facts.begin_ms) &&
                   read_time(X509_get0_notAfter(certificate), &facts.end_ms);
    if (is_read)
        list_names(certificate, facts.names, sizeof(facts.names));
    X509_free(certificate);
    ERR_clear_error();
    if (!is_read)
        return QN_ERR_INVALID;
    *ret = facts;
    return QN_OK;
}

bool qn_certificate_is_for(struct qn_span pem, const char *name)
{
    X509 *certificate = read_certificate(pem);
    bool is_for =
        certificate != NULL && X509_check_host(certificate, name, strlen(name),
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
    X509_free(certificate);
    ERR_clear_error();
    return is_for;
}
