/* Section [serve]: who may reach the HTTPS access, and as whom it shows itself. */
#include <string.h>

#include "app/config_private.h"
#include "app/i18n.h"
#include "stream/address.h"

#define LETTERS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define NAME_SIGN "0123456789.-" LETTERS

static bool read_address(const char *text, union qn_address *ret_address)
{
    struct qn_endpoint endpoint;
    return qn_endpoint_parse(text, &endpoint) == QN_OK && endpoint.port != 0 &&
           qn_endpoint_number(&endpoint, ret_address) == QN_OK;
}

/* The words of a value; false: too many, one too long, or none. */
static bool split(const char *value, char *out, size_t word_size, size_t count_max,
                  size_t *ret_count)
{
    size_t count = 0;
    for (const char *at = value + strspn(value, " \t"); *at != '\0'; count++) {
        size_t size = strcspn(at, " \t");
        if (count == count_max || size >= word_size)
            return false;
        memcpy(out + count * word_size, at, size);
        out[count * word_size + size] = '\0';
        at += size;
        at += strspn(at, " \t");
    }
    *ret_count = count;
    return count > 0;
}

bool qn_config_set_serve_listen(struct qn_config *config, const char *value)
{
    struct qn_serve_config serve = config->serve;
    union qn_address address;
    if (!split(value, serve.listen[0], sizeof(serve.listen[0]), QN_WEB_LISTENERS_MAX,
               &serve.listen_count))
        return false;
    for (size_t i = 0; i < serve.listen_count; i++)
        if (!read_address(serve.listen[i], &address))
            return false;
    config->serve = serve;
    return true;
}

/* Letters, digits and '-' between dots; no number, which would be an address. */
static bool is_host_name(const char *name)
{
    size_t size = strlen(name);
    bool has_letter = strpbrk(name, LETTERS) != NULL;
    return has_letter && strspn(name, NAME_SIGN) == size && strstr(name, "..") == NULL &&
           strchr(".-", name[0]) == NULL && strchr(".-", name[size - 1]) == NULL;
}

bool qn_config_set_serve_names(struct qn_config *config, const char *value)
{
    struct qn_serve_config serve = config->serve;
    if (!split(value, serve.names[0], sizeof(serve.names[0]), QN_WEB_NAMES_MAX, &serve.name_count))
        return false;
    for (size_t i = 0; i < serve.name_count; i++)
        if (!is_host_name(serve.names[i]))
            return false;
    config->serve = serve;
    return true;
}

bool qn_config_set_serve_certificate(struct qn_config *config, const char *value)
{
    return qn_config_set_path(config->serve.certificate, sizeof(config->serve.certificate), value);
}

bool qn_config_set_serve_key(struct qn_config *config, const char *value)
{
    return qn_config_set_path(config->serve.key, sizeof(config->serve.key), value);
}

bool qn_config_set_serve_public(struct qn_config *config, const char *value)
{
    bool is_everybody = strcmp(value, "everybody") == 0;
    bool is_yes = is_everybody || strcmp(value, "yes") == 0;
    if (!is_yes && strcmp(value, "no") != 0)
        return false;
    config->serve.is_public = is_yes;
    config->serve.is_for_everybody = is_everybody;
    return true;
}

bool qn_config_set_serve_client_authority(struct qn_config *config, const char *value)
{
    return qn_config_set_path(config->serve.client_authority,
                              sizeof(config->serve.client_authority), value);
}

bool qn_config_set_serve_client_revoked(struct qn_config *config, const char *value)
{
    return qn_config_set_path(config->serve.client_revoked, sizeof(config->serve.client_revoked),
                              value);
}

const char *qn_config_check_serve(const struct qn_config *config)
{
    const struct qn_serve_config *serve = &config->serve;
    if ((serve->certificate[0] == '\0') != (serve->key[0] == '\0'))
        return N_("`certificate` and `key` go together");
    if (serve->is_public && !serve->is_for_everybody && serve->client_authority[0] == '\0')
        return N_("`public = yes` needs `client-authority`; without certificates of the people it "
                  "is `public = everybody`");
    if (serve->client_revoked[0] != '\0' && serve->client_authority[0] == '\0')
        return N_("`client-revoked` needs `client-authority`");
    for (size_t i = 0; i < serve->listen_count && !serve->is_public; i++) {
        union qn_address address;
        if (!read_address(serve->listen[i], &address) ||
            (!qn_address_is_private(&address) && !qn_address_is_wildcard(&address)))
            return N_("an address of the internet in `listen` needs `public = yes`");
    }
    return NULL;
}
