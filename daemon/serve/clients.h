/* The certificates that people show who come from the internet: who signs them (PEM), and which of
 * them are good no more (SHA-256 fingerprints, a line each). Both files are the IT person's. While
 * one that is named cannot be read nobody comes in by a certificate: what is left would not be what
 * was meant. Loop thread; a look costs two stat calls.
 */
#pragma once

#include "base/buf.h"
#include "serve/config.h"

#define QN_FINGERPRINT_SIZE 32 /* SHA-256 of a certificate */

struct qn_clients;
struct qn_clients *qn_clients_new(void);
void qn_clients_free(struct qn_clients *clients); /* accepts NULL */
void qn_clients_configure(struct qn_clients *clients, const struct qn_serve_config *config);
/* Reads files that changed; true: something is other than before. */
bool qn_clients_refresh(struct qn_clients *clients);
/* PEM; empty: none was named, or one of the files cannot be read. */
struct qn_span qn_clients_authorities(const struct qn_clients *clients);
/* TLS could not read the authorities: they are none, and it is said. */
void qn_clients_refused(struct qn_clients *clients);
bool qn_clients_is_revoked(const struct qn_clients *clients,
                           const uint8_t fingerprint[QN_FINGERPRINT_SIZE]);
const char *qn_clients_error(const struct qn_clients *clients); /* "": all is well */

/* As `openssl x509 -noout -fingerprint -sha256` prints them, or the digits alone, with colons or
 * without; empty lines, and all behind a '#', are passed over. Appends the bytes of each. False:
 * `ret_line`, counted from 1, is none, or they are more than QN_WEB_REVOKED_MAX. */
bool qn_fingerprints_read(struct qn_span text, struct qn_buf *out, unsigned *ret_line);
