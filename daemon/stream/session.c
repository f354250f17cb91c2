#include "stream/session.h"

#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "stream/certificate.h"
#include "stream/tls_private.h"

#define EXPORTER_LABEL "EXPORTER-quoin-join"

/* As they stand in the extension: a length before each name. */
static const struct qn_span alpn_names[] = {
    [QN_ALPN_NONE] = {NULL, 0},
    [QN_ALPN_MEMBER] = {(const uint8_t *)"\x07quoin/1", 8},
    [QN_ALPN_GUEST] = {(const uint8_t *)"\x0dquoin-guest/1", 14},
    [QN_ALPN_BULK] = {(const uint8_t *)"\x0cquoin-bulk/1", 13},
    [QN_ALPN_WEB] = {(const uint8_t *)"\x0bquoin-web/1", 12},
    [QN_ALPN_WEB_BACK] = {(const uint8_t *)"\x10quoin-web-back/1", 17},
};

/* Of a record (RFC 8446, 5.1 and 5.2). */
#define RECORD_HEAD_SIZE  5
#define RECORD_SIZE_MAX   (RECORD_HEAD_SIZE + 16384 + 256)
#define RECORD_KIND_FIRST 20
#define RECORD_KIND_LAST  23

#define REST_SIZE         1024 /* of a buffer that is not worth giving back */

struct qn_session {
    SSL_CTX *context;
    SSL *ssl;           /* NULL until the first record is there */
    BIO *in, *out;      /* owned by ssl */
    struct qn_buf half; /* while shaking: what came of a record that is not whole */
    bool is_open;
    struct qn_session_options options;
    struct qn_public_key peer;
    bool is_refused; /* by our own admit */
    char detail[96];
};

static bool set_up(struct qn_session *session)
{
    SSL *ssl = session->ssl;
    if (session->in == NULL || session->out == NULL)
        return false;
    BIO_set_mem_eof_return(session->in, -1); /* empty means "not yet" */
    if (session->options.wants_certificate)
        SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    if (!session->options.is_dialled) {
        SSL_set_accept_state(ssl);
        return true;
    }
    SSL_set_connect_state(ssl);
    struct qn_span name = alpn_names[session->options.alpn];
    return SSL_set_alpn_protos(ssl, name.data, (unsigned)name.size) == 0;
}

static enum qn_err make_ssl(struct qn_session *session)
{
    session->ssl = SSL_new(session->context);
    if (session->ssl == NULL)
        return QN_ERR_CRYPTO;
    session->in = BIO_new(BIO_s_mem());
    session->out = BIO_new(BIO_s_mem());
    SSL_set_bio(session->ssl, session->in, session->out);
    SSL_set_app_data(session->ssl, session);
    return set_up(session) ? QN_OK : QN_ERR_CRYPTO;
}

struct qn_session *qn_session_new(struct qn_tls *tls, const struct qn_session_options *options)
{
    struct qn_session *session = QN_NEW(struct qn_session);
    session->options = *options;
    session->context = tls->context;
    SSL_CTX_up_ref(session->context); /* cannot fail: it counts */
    qn_buf_init(&session->half, RECORD_SIZE_MAX + QN_STREAM_READ_SIZE);
    return session;
}

void qn_session_free(struct qn_session *session)
{
    if (session == NULL)
        return;
    SSL_free(session->ssl);
    SSL_CTX_free(session->context);
    qn_buf_deinit(&session->half);
    qn_free(session);
}

void qn_session_want_certificate(struct qn_session *session)
{
    QN_ASSERT(session->ssl == NULL);
    session->options.wants_certificate = true;
}

/* --- what OpenSSL asks --- */

static bool is_listed(struct qn_span wanted, struct qn_span offered)
{
    for (size_t at = 0; at < offered.size; at += (size_t)offered.data[at] + 1)
        if (qn_span_has_prefix(qn_span_from(offered, at), wanted))
            return true;
    return false;
}

static bool is_offered(enum qn_alpn alpn, struct qn_span offered)
{
    return is_listed(alpn_names[alpn], offered);
}

int qn_session_on_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_size,
                       const unsigned char *offered, unsigned offered_size, void *argument)
{
    const struct qn_session *session = SSL_get_app_data(ssl);
    struct qn_span names = qn_span(offered, offered_size);
    enum qn_alpn chosen = QN_ALPN_NONE;
    if (is_offered(QN_ALPN_MEMBER, names))
        chosen = QN_ALPN_MEMBER;
    else if (is_offered(QN_ALPN_BULK, names))
        chosen = QN_ALPN_BULK;
    else if (is_offered(QN_ALPN_WEB, names))
        chosen = QN_ALPN_WEB;
    else if (is_offered(QN_ALPN_WEB_BACK, names))
        chosen = QN_ALPN_WEB_BACK;
    else if (session->options.allows_guests && is_offered(QN_ALPN_GUEST, names))
        chosen = QN_ALPN_GUEST;
    if (chosen == QN_ALPN_NONE)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_name = alpn_names[chosen].data + 1;
    *ret_size = (unsigned char)(alpn_names[chosen].size - 1);
    return SSL_TLSEXT_ERR_OK;
}

/* Who offers nothing gets HTTP/1.1 too; who offers only other protocols would not understand it. */
int qn_session_on_people_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_size,
                              const unsigned char *offered, unsigned offered_size, void *argument)
{
    static const struct qn_span http = {(const uint8_t *)"\x08http/1.1", 9};
    if (!is_listed(http, qn_span(offered, offered_size)))
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_name = http.data + 1;
    *ret_size = (unsigned char)(http.size - 1);
    return SSL_TLSEXT_ERR_OK;
}

enum qn_alpn qn_session_alpn(const struct qn_session *session)
{
    const unsigned char *name = NULL;
    unsigned size = 0;
    SSL_get0_alpn_selected(session->ssl, &name, &size);
    for (enum qn_alpn alpn = QN_ALPN_MEMBER; alpn <= QN_ALPN_WEB_BACK; alpn++)
        if (qn_span_eq(qn_span(name, size), qn_span_from(alpn_names[alpn], 1)))
            return alpn;
    return QN_ALPN_NONE;
}

/* The whole of our verification: there is no chain. TLS itself then has the key proven. Both sides
 * know the protocol by now, since it is agreed before any certificate travels. */
static bool is_admitted(struct qn_session *session, X509 *certificate)
{
    enum qn_alpn alpn = qn_session_alpn(session);
    if (session->options.is_dialled && alpn != session->options.alpn)
        return false;
    return alpn != QN_ALPN_NONE && certificate != NULL &&
           qn_certificate_key(certificate, &session->peer) == QN_OK &&
           session->options.admit(session->options.context, alpn, &session->peer);
}

int qn_session_on_certificate(X509_STORE_CTX *store, void *argument)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct qn_session *session = SSL_get_app_data(ssl);
    if (is_admitted(session, X509_STORE_CTX_get0_cert(store)))
        return 1;
    session->is_refused = true;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED); /* sent as bad_certificate */
    return 0;
}

/* --- errors --- */

static bool is_refusal(int alert)
{
    switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
    case SSL_AD_NO_APPLICATION_PROTOCOL:
        return true;
    default:
        return false;
    }
}

static enum qn_err alert_received(struct qn_session *session, int alert)
{
    snprintf(session->detail, sizeof(session->detail), "refused by the other side: %s",
             SSL_alert_desc_string_long(alert));
    if (alert == SSL_AD_PROTOCOL_VERSION)
        return QN_ERR_UNSUPPORTED;
    return is_refusal(alert) ? QN_ERR_DENIED : QN_ERR_INVALID;
}

static enum qn_err failed(struct qn_session *session)
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(error);
    ERR_clear_error();
    if (session->is_refused) {
        snprintf(session->detail, sizeof(session->detail), "the other side's key is not admitted");
        return QN_ERR_DENIED;
    }
    int code = ERR_GET_REASON(error);
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && code > SSL_AD_REASON_OFFSET)
        return alert_received(session, code - SSL_AD_REASON_OFFSET);
    snprintf(session->detail, sizeof(session->detail), "TLS: %s", reason ? reason : "unknown");
    if (code == SSL_R_NO_APPLICATION_PROTOCOL)
        return QN_ERR_DENIED;
    return code == SSL_R_UNSUPPORTED_PROTOCOL ? QN_ERR_UNSUPPORTED : QN_ERR_INVALID;
}

static enum qn_err outcome(struct qn_session *session, int result)
{
    if (result == 1)
        return QN_OK;
    int error = SSL_get_error(session->ssl, result);
    if (error == SSL_ERROR_WANT_READ)
        return QN_ERR_HELD;
    if (error != SSL_ERROR_ZERO_RETURN)
        return failed(session);
    snprintf(session->detail, sizeof(session->detail), "closed by the other side");
    return QN_ERR_CLOSED;
}

/* --- data --- */

/* The queue is empty but after a fault, and clearing it goes through all of its places. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

static void pass_on(struct qn_session *session, struct qn_span ciphertext)
{
    if (ciphertext.size == 0)
        return;
    QN_ASSERT(ciphertext.size <= INT_MAX);
    int written = BIO_write(session->in, ciphertext.data, (int)ciphertext.size);
    QN_ASSERT(written == (int)ciphertext.size); /* memory: all or out of it */
}

void qn_session_feed(struct qn_session *session, struct qn_span ciphertext)
{
    QN_ASSERT(ciphertext.size > 0);
    if (session->is_open) {
        pass_on(session, ciphertext);
        return;
    }
    qn_buf_append_span(&session->half, ciphertext);
    QN_ASSERT(!session->half.is_over); /* less than a record is left by the last handshake */
}

/* How much of it is whole records. What is none is whole, too: TLS says what is wrong with it. */
static size_t whole_size(struct qn_span bytes)
{
    size_t whole = 0;
    while (bytes.size - whole >= RECORD_HEAD_SIZE) {
        const uint8_t *head = bytes.data + whole;
        size_t size = RECORD_HEAD_SIZE + (size_t)qn_read_u16(head + 3);
        if (head[0] < RECORD_KIND_FIRST || head[0] > RECORD_KIND_LAST || size > RECORD_SIZE_MAX)
            return bytes.size;
        if (size > bytes.size - whole)
            break;
        whole += size;
    }
    return whole;
}

/* TLS keeps some 40 KiB from the first byte on that it is given, and 17 more for half a record. Who
 * only begins, and there may be hundreds, costs what they sent. */
enum qn_err qn_session_handshake(struct qn_session *session)
{
    size_t whole = whole_size(qn_buf_view(&session->half));
    if (session->ssl == NULL) {
        if (whole == 0 && !session->options.is_dialled)
            return QN_ERR_HELD;
        QN_TRY(make_ssl(session));
    }
    pass_on(session, qn_span(session->half.data, whole));
    qn_buf_consume(&session->half, whole);
    forget_errors();
    QN_TRY(outcome(session, SSL_do_handshake(session->ssl)));
    session->is_open = true;
    pass_on(session, qn_buf_view(&session->half));
    qn_buf_deinit(&session->half);
    return QN_OK;
}

enum qn_err qn_session_read(struct qn_session *session, uint8_t *out, size_t size, size_t *ret_size)
{
    if (BIO_ctrl_pending(session->in) == 0 && SSL_has_pending(session->ssl) == 0)
        return QN_ERR_HELD; /* as SSL_read would say, at length */
    forget_errors();
    return outcome(session, SSL_read_ex(session->ssl, out, size, ret_size));
}

enum qn_err qn_session_write(struct qn_session *session, struct qn_span plaintext)
{
    size_t written = 0;
    forget_errors();
    QN_TRY(outcome(session, SSL_write_ex(session->ssl, plaintext.data, plaintext.size, &written)));
    QN_ASSERT(written == plaintext.size); /* no partial writes: the memory behind never blocks */
    return QN_OK;
}

void qn_session_close(struct qn_session *session)
{
    forget_errors();
    if (session->is_open)
        SSL_shutdown(session->ssl);
    forget_errors();
}

static bool is_worth_it(BIO *bio)
{
    BUF_MEM *memory = NULL;
    BIO_get_mem_ptr(bio, &memory);
    return BIO_ctrl_pending(bio) == 0 && memory != NULL && memory->max > REST_SIZE;
}

void qn_session_rest(struct qn_session *session)
{
    BIO *fresh;
    if (!session->is_open)
        return;
    if (is_worth_it(session->in) && (fresh = BIO_new(BIO_s_mem())) != NULL) {
        BIO_set_mem_eof_return(fresh, -1);
        SSL_set0_rbio(session->ssl, fresh);
        session->in = fresh;
    }
    if (is_worth_it(session->out) && (fresh = BIO_new(BIO_s_mem())) != NULL) {
        SSL_set0_wbio(session->ssl, fresh);
        session->out = fresh;
    }
}

size_t qn_session_pending(const struct qn_session *session)
{
    return session->out == NULL ? 0 : BIO_ctrl_pending(session->out);
}

size_t qn_session_take(struct qn_session *session, uint8_t *out, size_t size)
{
    size_t taken = 0;
    if (session->out == NULL || BIO_read_ex(session->out, out, size, &taken) != 1)
        return 0;
    return taken;
}

const struct qn_public_key *qn_session_peer(const struct qn_session *session)
{
    return &session->peer;
}

bool qn_session_certificate(const struct qn_session *session, uint8_t ret_fingerprint[32])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    const X509 *certificate = SSL_get0_peer_certificate(session->ssl);
    if (certificate == NULL)
        return false;
    QN_ASSERT(X509_digest(certificate, EVP_sha256(), digest, &size) == 1 && size == 32);
    memcpy(ret_fingerprint, digest, 32);
    return true;
}

void qn_session_exporter(const struct qn_session *session, uint8_t out[QN_EXPORTER_SIZE])
{
    int result = SSL_export_keying_material(session->ssl, out, QN_EXPORTER_SIZE, EXPORTER_LABEL,
                                            sizeof(EXPORTER_LABEL) - 1, NULL, 0, 0);
    QN_ASSERT(result == 1); /* nothing outside has a say in it once the handshake is done */
}

const char *qn_session_detail(const struct qn_session *session)
{
    return session->detail;
}
