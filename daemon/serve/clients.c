#include "serve/clients.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "serve/watched.h"

struct qn_clients {
    char authority[QN_WEB_PATH_SIZE_MAX + 1], revoked[QN_WEB_PATH_SIZE_MAX + 1];
    bool must_look; /* whatever the files look like */
    struct watched watched[2];
    struct qn_buf authorities;  /* PEM */
    struct qn_buf fingerprints; /* of those that are revoked */
    char error[160];
};

struct qn_clients *qn_clients_new(void)
{
    struct qn_clients *clients = QN_NEW(struct qn_clients);
    qn_buf_init(&clients->authorities, QN_WEB_CERTIFICATE_SIZE_MAX);
    qn_buf_init(&clients->fingerprints, QN_WEB_REVOKED_MAX * QN_FINGERPRINT_SIZE);
    return clients;
}

void qn_clients_free(struct qn_clients *clients)
{
    if (clients == NULL)
        return;
    qn_buf_deinit(&clients->authorities);
    qn_buf_deinit(&clients->fingerprints);
    qn_free(clients);
}

void qn_clients_configure(struct qn_clients *clients, const struct qn_serve_config *config)
{
    memcpy(clients->authority, config->client_authority, sizeof(clients->authority));
    memcpy(clients->revoked, config->client_revoked, sizeof(clients->revoked));
    clients->must_look = true;
}

/* ---- fingerprints ---- */

/* Takes the next line off `text`, without what is behind a '#'. */
static struct qn_span next_line(struct qn_span *text)
{
    const uint8_t *end = memchr(text->data, '\n', text->size);
    struct qn_span line =
        qn_span(text->data, end == NULL ? text->size : (size_t)(end - text->data));
    *text = qn_span_from(*text, line.size + (end != NULL));
    const uint8_t *comment = line.size == 0 ? NULL : memchr(line.data, '#', line.size);
    return comment == NULL ? line : qn_span(line.data, (size_t)(comment - line.data));
}

/* "sha256 Fingerprint=" of openssl. */
static struct qn_span behind_label(struct qn_span line)
{
    const uint8_t *sign = line.size == 0 ? NULL : memchr(line.data, '=', line.size);
    return sign == NULL ? line : qn_span_from(line, (size_t)(sign - line.data) + 1);
}

static bool is_filling(uint8_t letter)
{
    return letter == ':' || letter == ' ' || letter == '\t' || letter == '\r';
}

/* False: it is no fingerprint. An empty one is passed over. */
static bool read_line(struct qn_span line, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf digits;
    struct qn_span rest = behind_label(line);
    size_t before = out->size;
    qn_buf_init(&digits, (size_t)2 * QN_FINGERPRINT_SIZE);
    for (size_t i = 0; i < rest.size; i++)
        if (!is_filling(rest.data[i]))
            qn_buf_append_u8(&digits, rest.data[i]);
    if (digits.size == 0 && rest.size == line.size)
        return true;
    return qn_buf_status(&digits) == QN_OK &&
           qn_text_parse_hex(qn_buf_view(&digits), out) == QN_OK &&
           out->size - before == QN_FINGERPRINT_SIZE;
}

bool qn_fingerprints_read(struct qn_span text, struct qn_buf *out, unsigned *ret_line)
{
    unsigned number = 0;
    while (text.size > 0) {
        number++;
        if (!read_line(next_line(&text), out) || qn_buf_status(out) != QN_OK) {
            *ret_line = number;
            return false;
        }
    }
    return true;
}

/* ---- the files ---- */

static void tell(struct qn_clients *clients, const char *path, enum qn_err err)
{
    snprintf(clients->error, sizeof(clients->error), "%.100s: %s", path, qn_err_name(err));
}

static bool read_authorities(struct qn_clients *clients)
{
    if (clients->authority[0] == '\0')
        return true;
    enum qn_err err = watched_read(clients->authority, &clients->authorities);
    if (err != QN_OK)
        tell(clients, clients->authority, err);
    return err == QN_OK;
}

static bool read_revoked(struct qn_clients *clients)
{
    QN_AUTO_BUF struct qn_buf text;
    unsigned line;
    qn_buf_init(&text, QN_WEB_CERTIFICATE_SIZE_MAX);
    if (clients->revoked[0] == '\0')
        return true;
    enum qn_err err = watched_read(clients->revoked, &text);
    if (err != QN_OK) {
        tell(clients, clients->revoked, err);
        return false;
    }
    bool is_read = qn_fingerprints_read(qn_buf_view(&text), &clients->fingerprints, &line);
    if (!is_read)
        snprintf(clients->error, sizeof(clients->error),
                 "%.100s: line %u is no SHA-256 fingerprint, or one too many", clients->revoked,
                 line);
    return is_read;
}

bool qn_clients_refresh(struct qn_clients *clients)
{
    const struct watched now[2] = {watched_look(clients->authority),
                                   watched_look(clients->revoked)};
    if (!clients->must_look && watched_is_same(&now[0], &clients->watched[0]) &&
        watched_is_same(&now[1], &clients->watched[1]))
        return false;
    clients->must_look = false;
    memcpy(clients->watched, now, sizeof(now));
    qn_buf_reset(&clients->authorities);
    qn_buf_reset(&clients->fingerprints);
    clients->error[0] = '\0';
    if (!read_authorities(clients) || !read_revoked(clients))
        qn_buf_reset(&clients->authorities);
    return true;
}

/* ---- what is asked ---- */

struct qn_span qn_clients_authorities(const struct qn_clients *clients)
{
    return qn_buf_view(&clients->authorities);
}

void qn_clients_refused(struct qn_clients *clients)
{
    qn_buf_reset(&clients->authorities);
    tell(clients, clients->authority, QN_ERR_INVALID);
}

bool qn_clients_is_revoked(const struct qn_clients *clients,
                           const uint8_t fingerprint[QN_FINGERPRINT_SIZE])
{
    const struct qn_buf *all = &clients->fingerprints;
    for (size_t at = 0; at + QN_FINGERPRINT_SIZE <= all->size; at += QN_FINGERPRINT_SIZE)
        if (memcmp(all->data + at, fingerprint, QN_FINGERPRINT_SIZE) == 0)
            return true;
    return false;
}

const char *qn_clients_error(const struct qn_clients *clients)
{
    return clients->error;
}
