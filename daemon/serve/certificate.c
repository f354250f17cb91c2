#include "serve/certificate.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "os/os.h"
#include "serve/authority.h"
#include "serve/watched.h"

#define ADDRESSES_MAX  32
#define NAMES_SIZE_MAX 8192
/* A machine that has lost its clock would make certificates that are over when it finds it. */
#define CLOCK_SET_MS ((uint64_t)1735689600 * 1000) /* 2025-01-01 */

struct qn_certificates {
    char folder[4096], site[QN_NAME_SIZE_MAX + 1];
    struct qn_serve_config config;
    bool must_look; /* whatever the files look like */
    struct watched watched[2];
    struct qn_pem_pair pair;
    uint64_t begin_ms, renew_ms;
    char wished[1024]; /* names and addresses for which the present one was signed */
    struct qn_certificate_status status;
};

struct qn_certificates *qn_certificates_new(const char *state_dir, const char *site)
{
    struct qn_certificates *certificates = QN_NEW(struct qn_certificates);
    snprintf(certificates->folder, sizeof(certificates->folder), "%s/authority", state_dir);
    snprintf(certificates->site, sizeof(certificates->site), "%s", site);
    qn_pem_pair_init(&certificates->pair);
    return certificates;
}

void qn_certificates_free(struct qn_certificates *certificates)
{
    if (certificates == NULL)
        return;
    qn_pem_pair_deinit(&certificates->pair);
    qn_free(certificates);
}

void qn_certificates_configure(struct qn_certificates *certificates,
                               const struct qn_serve_config *config)
{
    certificates->config = *config;
    certificates->must_look = true;
}

/* ---- what is loaded ---- */

__attribute__((format(printf, 2, 3))) static void fault(struct qn_certificates *certificates,
                                                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(certificates->status.error, sizeof(certificates->status.error), format, args);
    va_end(args);
}

static enum qn_err take(struct qn_certificates *certificates, struct qn_pem_pair *take_pair,
                        bool is_own)
{
    struct qn_certificate_facts facts;
    QN_TRY(qn_certificate_look(qn_buf_view(&take_pair->certificate), &facts));
    qn_pem_pair_deinit(&certificates->pair);
    certificates->pair = *take_pair;
    qn_pem_pair_init(take_pair);
    certificates->begin_ms = facts.begin_ms;
    certificates->renew_ms = facts.begin_ms + (facts.end_ms - facts.begin_ms) / 3 * 2;
    struct qn_certificate_status *status = &certificates->status;
    *status =
        (struct qn_certificate_status){.is_loaded = true, .is_own = is_own, .end_ms = facts.end_ms};
    snprintf(status->names, sizeof(status->names), "%s", facts.names);
    snprintf(certificates->wished, sizeof(certificates->wished), "%s", facts.names);
    return QN_OK;
}

static enum qn_err read_pair(const char *certificate, const char *key, struct qn_pem_pair *out)
{
    QN_TRY(qn_os_read_file(certificate, QN_WEB_CERTIFICATE_SIZE_MAX, &out->certificate));
    return qn_os_read_file(key, QN_WEB_CERTIFICATE_SIZE_MAX, &out->key);
}

/* ---- files of the IT person's ---- */

/* It is used all the same; who comes by that name is warned, and file managers do not connect. */
static void note_missing_name(struct qn_certificates *certificates)
{
    const struct qn_serve_config *config = &certificates->config;
    for (size_t i = 0; i < config->name_count; i++)
        if (!qn_certificate_is_for(qn_buf_view(&certificates->pair.certificate),
                                   config->names[i])) {
            fault(certificates, "%.60s is not for %.80s", config->certificate, config->names[i]);
            return;
        }
}

static bool refresh_files(struct qn_certificates *certificates)
{
    const struct qn_serve_config *config = &certificates->config;
    const struct watched now[2] = {watched_look(config->certificate), watched_look(config->key)};
    if (!certificates->must_look && watched_is_same(&now[0], &certificates->watched[0]) &&
        watched_is_same(&now[1], &certificates->watched[1]))
        return false;
    certificates->must_look = false;
    memcpy(certificates->watched, now, sizeof(now));
    struct qn_pem_pair pair;
    qn_pem_pair_init(&pair);
    enum qn_err err = watched_read(config->certificate, &pair.certificate);
    if (err != QN_OK)
        fault(certificates, "%.100s: %s", config->certificate, qn_err_name(err));
    if (err == QN_OK && (err = watched_read(config->key, &pair.key)) != QN_OK)
        fault(certificates, "%.100s: %s", config->key, qn_err_name(err));
    if (err == QN_OK && (err = take(certificates, &pair, false)) != QN_OK)
        fault(certificates, "%.100s: %s", config->certificate, qn_err_name(err));
    if (err == QN_OK)
        note_missing_name(certificates);
    qn_pem_pair_deinit(&pair);
    return err == QN_OK;
}

/* ---- the own authority ---- */

struct own_names {
    struct qn_authority_names names;
    const char *texts[QN_WEB_NAMES_MAX];
    union qn_address addresses[ADDRESSES_MAX];
};

static void add_address(struct own_names *own, const char *text, bool is_public)
{
    struct qn_endpoint endpoint;
    union qn_address address;
    if (own->names.address_count == ADDRESSES_MAX || qn_endpoint_parse(text, &endpoint) != QN_OK ||
        qn_endpoint_number(&endpoint, &address) != QN_OK ||
        (!is_public && !qn_address_is_private(&address)))
        return;
    own->addresses[own->names.address_count++] = address;
}

static void add_machine(struct own_names *own, bool is_public)
{
    char texts[QN_ADDRESSES_MAX][262];
    size_t count = qn_os_own_addresses(1, texts, QN_ADDRESSES_MAX);
    for (size_t i = 0; i < count; i++)
        add_address(own, texts[i], is_public);
    add_address(own, "127.0.0.1:1", is_public);
    add_address(own, "[::1]:1", is_public);
}

/* What clients call this site: the names of the configuration, and the addresses that are listened
 * on, or those of the machine. */
static void own_names_init(struct own_names *own, const struct qn_serve_config *config)
{
    *own = (struct own_names){.names = {.names = own->texts, .addresses = own->addresses}};
    own->names.name_count = config->name_count;
    for (size_t i = 0; i < config->name_count; i++)
        own->texts[i] = config->names[i];
    bool has_wildcard = false;
    for (size_t i = 0; i < config->listen_count; i++) {
        struct qn_endpoint endpoint;
        union qn_address address;
        bool is_read = qn_endpoint_parse(config->listen[i], &endpoint) == QN_OK &&
                       qn_endpoint_number(&endpoint, &address) == QN_OK;
        if (is_read && qn_address_is_wildcard(&address))
            has_wildcard = true;
        else
            add_address(own, config->listen[i], config->is_public);
    }
    if (has_wildcard)
        add_machine(own, config->is_public);
}

static const char *path_in(const struct qn_certificates *certificates, const char *name, char *out,
                           size_t room)
{
    snprintf(out, room, "%s/%s", certificates->folder, name);
    return out;
}

static enum qn_err write_pair(const struct qn_certificates *certificates, const char *certificate,
                              const char *key, const struct qn_pem_pair *pair)
{
    char path[4200];
    QN_TRY(qn_os_make_dir(certificates->folder, 0700));
    QN_TRY(qn_os_replace_file(path_in(certificates, key, path, sizeof(path)),
                              qn_buf_view(&pair->key), 0600));
    return qn_os_replace_file(path_in(certificates, certificate, path, sizeof(path)),
                              qn_buf_view(&pair->certificate), 0600);
}

static enum qn_err read_own(const struct qn_certificates *certificates, const char *certificate,
                            const char *key, struct qn_pem_pair *out)
{
    char paths[2][4200];
    return read_pair(path_in(certificates, certificate, paths[0], sizeof(paths[0])),
                     path_in(certificates, key, paths[1], sizeof(paths[1])), out);
}

/* The authority, made if there is none. */
static enum qn_err open_authority(struct qn_certificates *certificates, const struct own_names *own,
                                  uint64_t wall_ms, struct qn_pem_pair *out)
{
    enum qn_err err = read_own(certificates, "ca.pem", "ca.key", out);
    if (err != QN_ERR_NOTFOUND)
        return err;
    qn_buf_reset(&out->certificate);
    qn_buf_reset(&out->key);
    QN_TRY(qn_authority_make(certificates->site, &own->names, wall_ms, out));
    return write_pair(certificates, "ca.pem", "ca.key", out);
}

/* The names that the authority may sign for, one by one; the others are told of. */
static enum qn_err sign_what_it_may(struct qn_certificates *certificates,
                                    const struct qn_pem_pair *authority, struct own_names *own,
                                    uint64_t wall_ms, struct qn_pem_pair *out)
{
    struct qn_authority_names all = own->names;
    own->names.name_count = 0;
    for (size_t i = 0; i < all.name_count; i++) {
        struct qn_pem_pair trial;
        struct qn_authority_names one = {.names = &all.names[i], .name_count = 1};
        qn_pem_pair_init(&trial);
        if (qn_authority_sign(authority, &one, wall_ms, &trial) == QN_OK)
            own->texts[own->names.name_count++] = all.names[i];
        else
            fault(certificates, "the authority may not sign for %.80s", all.names[i]);
        qn_pem_pair_deinit(&trial);
    }
    return qn_authority_sign(authority, &own->names, wall_ms, out);
}

static enum qn_err sign_new(struct qn_certificates *certificates, struct own_names *own,
                            uint64_t wall_ms, struct qn_pem_pair *out)
{
    struct qn_pem_pair authority;
    qn_pem_pair_init(&authority);
    enum qn_err err = open_authority(certificates, own, wall_ms, &authority);
    if (err == QN_OK)
        err = qn_authority_sign(&authority, &own->names, wall_ms, out);
    if (err == QN_ERR_DENIED) {
        qn_buf_reset(&out->certificate);
        qn_buf_reset(&out->key);
        err = sign_what_it_may(certificates, &authority, own, wall_ms, out);
    }
    qn_pem_pair_deinit(&authority);
    if (err == QN_OK)
        err = write_pair(certificates, "server.pem", "server.key", out);
    return err;
}

/* As qn_certificate_look gives the names of a certificate of ours. */
static void print_names(const struct own_names *own, char *out, size_t room)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, NAMES_SIZE_MAX);
    qn_buf_append_str(&text, "localhost");
    for (size_t i = 0; i < own->names.name_count; i++)
        if (strcasecmp(own->names.names[i], "localhost") != 0)
            qn_buf_printf(&text, ", %s", own->names.names[i]);
    for (size_t i = 0; i < own->names.address_count; i++) {
        char address[QN_ADDRESS_TEXT_SIZE];
        qn_address_print(&own->addresses[i], address);
        *strrchr(address, ':') = '\0'; /* the port */
        size_t size = strlen(address);
        bool has_brackets = address[0] == '[';
        qn_buf_printf(&text, ", %.*s", (int)(size - 2 * has_brackets), address + has_brackets);
    }
    size_t size = text.size < room - 1 ? text.size : room - 1;
    memcpy(out, text.data, size);
    out[size] = '\0';
}

static bool is_good(const struct qn_certificates *certificates, const struct own_names *own,
                    uint64_t wall_ms)
{
    char names[sizeof(certificates->wished)];
    print_names(own, names, sizeof(names));
    return certificates->status.is_loaded && certificates->status.is_own &&
           wall_ms >= certificates->begin_ms && wall_ms < certificates->renew_ms &&
           strcmp(names, certificates->wished) == 0;
}

/* The end that the IT person has to know of: the authority's, if it comes first. */
static void note_authority(struct qn_certificates *certificates)
{
    struct qn_pem_pair authority;
    struct qn_certificate_facts facts;
    qn_pem_pair_init(&authority);
    if (read_own(certificates, "ca.pem", "ca.key", &authority) == QN_OK &&
        qn_certificate_look(qn_buf_view(&authority.certificate), &facts) == QN_OK &&
        facts.end_ms < certificates->status.end_ms)
        certificates->status.end_ms = facts.end_ms;
    qn_pem_pair_deinit(&authority);
}

/* A pair that is kept is used if it is good; else a new one is signed. */
static enum qn_err load_own(struct qn_certificates *certificates, bool is_first, uint64_t wall_ms)
{
    struct own_names own;
    struct qn_pem_pair pair;
    char wished[sizeof(certificates->wished)];
    own_names_init(&own, &certificates->config);
    print_names(&own, wished, sizeof(wished));
    qn_pem_pair_init(&pair);
    if (is_first && read_own(certificates, "server.pem", "server.key", &pair) == QN_OK &&
        take(certificates, &pair, true) == QN_OK && is_good(certificates, &own, wall_ms)) {
        qn_pem_pair_deinit(&pair);
        return QN_OK;
    }
    qn_buf_reset(&pair.certificate);
    qn_buf_reset(&pair.key);
    certificates->status.error[0] = '\0';
    enum qn_err err = sign_new(certificates, &own, wall_ms, &pair);
    char left_out[sizeof(certificates->status.error)];
    snprintf(left_out, sizeof(left_out), "%s", certificates->status.error);
    if (err == QN_OK)
        err = take(certificates, &pair, true);
    qn_pem_pair_deinit(&pair);
    if (err == QN_OK) {
        fault(certificates, "%s", left_out);
        snprintf(certificates->wished, sizeof(certificates->wished), "%s", wished);
    }
    return err;
}

static bool refresh_own(struct qn_certificates *certificates, uint64_t wall_ms)
{
    struct own_names own;
    bool is_first = certificates->must_look;
    own_names_init(&own, &certificates->config);
    if (wall_ms < CLOCK_SET_MS) {
        fault(certificates, "the clock of this machine is not set");
        return false;
    }
    if (!is_first && is_good(certificates, &own, wall_ms))
        return false;
    certificates->must_look = false;
    enum qn_err err = load_own(certificates, is_first, wall_ms);
    if (err == QN_OK)
        note_authority(certificates);
    else
        fault(certificates, "%.120s: %s", certificates->folder, qn_err_name(err));
    return err == QN_OK;
}

bool qn_certificates_refresh(struct qn_certificates *certificates, uint64_t wall_ms)
{
    return certificates->config.certificate[0] != '\0' ? refresh_files(certificates)
                                                       : refresh_own(certificates, wall_ms);
}

/* ---- what it tells ---- */

struct qn_span qn_certificates_chain(const struct qn_certificates *certificates)
{
    return qn_buf_view(&certificates->pair.certificate);
}

struct qn_span qn_certificates_key(const struct qn_certificates *certificates)
{
    return qn_buf_view(&certificates->pair.key);
}

void qn_certificates_refused(struct qn_certificates *certificates, enum qn_err err)
{
    const struct qn_serve_config *config = &certificates->config;
    fault(certificates, "%.100s: %s",
          config->certificate[0] != '\0' ? config->key : certificates->folder, qn_err_name(err));
}

const struct qn_certificate_status *qn_certificates_status(
    const struct qn_certificates *certificates)
{
    return &certificates->status;
}

enum qn_err qn_certificates_authority(const char *state_dir, struct qn_buf *out)
{
    char path[4200];
    snprintf(path, sizeof(path), "%s/authority/ca.pem", state_dir);
    return qn_os_read_file(path, QN_WEB_CERTIFICATE_SIZE_MAX, out);
}
