/* What may stand in a configuration: sections, keys and their values. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/config_private.h"
#include "app/i18n.h"
#include "base/text.h"
#include "people/audit.h"

#define ALLOWED_MAX     64
#define HOST_SIZE_MAX   255
#define MAP_SIZE_MIN    ((size_t)64 << 20)
#define MAP_SIZE_MAX    ((size_t)1 << 40)
#define TIME_MAX_MS     ((uint64_t)7 * 24 * 3600 * 1000)
#define REMIND_DAYS_MAX 365
#define KEEP_MONTHS_MAX 120

#define DIGITS          "0123456789"
#define HOST_SIGN       DIGITS ".-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

bool qn_log_level_parse(const char *word, enum qn_log_level *ret_level)
{
    static const char *const words[] = {"error", "warning", "info", "debug"};
    for (int i = 0; i < 4; i++)
        if (strcmp(word, words[i]) == 0) {
            *ret_level = (enum qn_log_level)i;
            return true;
        }
    return false;
}

/* ---- values: each setter takes a whole value or leaves the configuration as it is ---- */

static bool is_port(const char *text)
{
    size_t digits = strspn(text, DIGITS);
    if (digits < 1 || digits > 5 || text[digits] != '\0' || text[0] == '0')
        return false;
    return strtoul(text, NULL, 10) <= 65535;
}

static bool is_host(const char *text, size_t size)
{
    return size >= 1 && size <= HOST_SIZE_MAX && strspn(text, HOST_SIGN) == size;
}

static bool is_v6(const char *text, size_t size)
{
    char bare[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (size < 4 || size - 2 >= sizeof(bare) || text[0] != '[' || text[size - 1] != ']')
        return false;
    memcpy(bare, text + 1, size - 2);
    bare[size - 2] = '\0';
    return inet_pton(AF_INET6, bare, &address) == 1;
}

static bool set_address(char out[QN_ADDRESS_SIZE_MAX + 1], const char *value)
{
    const char *colon = strrchr(value, ':');
    if (colon == NULL || strlen(value) > QN_ADDRESS_SIZE_MAX || !is_port(colon + 1))
        return false;
    size_t size = (size_t)(colon - value);
    if (!is_host(value, size) && !is_v6(value, size))
        return false;
    strcpy(out, value);
    return true;
}

static bool set_listen(struct qn_config *config, const char *value)
{
    return set_address(config->listen, value);
}

static bool set_advertise(struct qn_config *config, const char *value)
{
    return set_address(config->advertise, value);
}

static bool set_level(struct qn_config *config, const char *value)
{
    return qn_log_level_parse(value, &config->log_level);
}

/* The binary places of a unit, -1 if it is none. */
static int unit_shift(const char *unit)
{
    static const char units[] = "KMGT";
    if (unit[0] == '\0')
        return 0;
    const char *found = strchr(units, unit[0]);
    return found == NULL || unit[1] != '\0' ? -1 : 10 * ((int)(found - units) + 1);
}

bool qn_config_read_size(const char *value, size_t min, size_t max, size_t *ret_size)
{
    size_t digits = strspn(value, DIGITS);
    int shift = unit_shift(value + digits);
    errno = 0;
    unsigned long long number = strtoull(value, NULL, 10);
    if (digits == 0 || shift < 0 || errno != 0 || number > max >> shift)
        return false;
    size_t size = (size_t)number << shift;
    if (size < min)
        return false;
    *ret_size = size;
    return true;
}

static bool set_map_size(struct qn_config *config, const char *value)
{
    return qn_config_read_size(value, MAP_SIZE_MIN, MAP_SIZE_MAX, &config->map_size);
}

/* "/" or "/a/b": no empty part, no "." and "..". */
static bool is_absolute(const char *path, size_t size)
{
    if (size == 1 && path[0] == '/')
        return true;
    for (size_t at = 0; at < size;) {
        size_t length = path[at] == '/' ? strcspn(path + at + 1, "/ \t") : 0;
        if (length == 0 || (length == 1 && path[at + 1] == '.') ||
            (length == 2 && memcmp(path + at + 1, "..", 2) == 0))
            return false;
        at += 1 + length;
    }
    return size > 0;
}

/* A program or socket, without white space. */
bool qn_config_set_path(char *out, size_t room, const char *value)
{
    size_t size = strlen(value);
    if (size >= room || strpbrk(value, " \t") != NULL || !is_absolute(value, size))
        return false;
    strcpy(out, value);
    return true;
}

static bool set_reader_socket(struct qn_config *config, const char *value)
{
    return qn_config_set_path(config->reader_socket, sizeof(config->reader_socket), value);
}

static bool set_reader_allow(struct qn_config *config, const char *value)
{
    size_t count = 0;
    if (strlen(value) >= sizeof(config->reader_allow))
        return false;
    for (const char *at = value + strspn(value, " \t"); *at != '\0'; count++) {
        size_t size = strcspn(at, " \t");
        if (count == ALLOWED_MAX || !is_absolute(at, size) || at[size - 1] == ',')
            return false; /* a comma is meant to divide, and does not */
        at += size;
        at += strspn(at, " \t");
    }
    strcpy(config->reader_allow, value);
    return true;
}

/* ---- [backup NAME] ---- */

static bool set_line(char *out, size_t room, const char *value)
{
    size_t size = strlen(value);
    if (size == 0 || size >= room || !qn_text_is_utf8(qn_span(value, size)))
        return false;
    strcpy(out, value);
    return true;
}

static bool set_before(struct qn_config_backup *backup, const char *value)
{
    return set_line(backup->before, sizeof(backup->before), value);
}

static bool set_after(struct qn_config_backup *backup, const char *value)
{
    return set_line(backup->after, sizeof(backup->after), value);
}

/* The one of that path, or a new one; NULL: too many. */
static struct qn_config_stream *stream_at(struct qn_config_backup *backup, const char *path)
{
    for (size_t i = 0; i < backup->stream_count; i++)
        if (strcmp(backup->streams[i].path, path) == 0)
            return &backup->streams[i];
    if (backup->stream_count == QN_CONFIG_STREAMS_MAX)
        return NULL;
    return &backup->streams[backup->stream_count++];
}

/* "NAME COMMAND"; NAME is a path in the snapshot, with or without the '/' at its beginning. */
static bool set_stream(struct qn_config_backup *backup, const char *value)
{
    struct qn_config_stream stream = {.path = "/"};
    size_t size = strcspn(value, " \t"), at = value[0] != '/';
    if (size == 0 || size + at >= sizeof(stream.path))
        return false;
    memcpy(stream.path + at, value, size);
    if (!is_absolute(stream.path, size + at) || stream.path[1] == '\0' ||
        !qn_text_is_printable(qn_span_str(stream.path)))
        return false;
    value += size;
    if (!set_line(stream.command, sizeof(stream.command), value + strspn(value, " \t")))
        return false;
    struct qn_config_stream *place = stream_at(backup, stream.path);
    if (place == NULL)
        return false;
    *place = stream;
    return true;
}

/* "90s", "30m", "6h" or "2d" */
static bool set_time_limit(struct qn_config_backup *backup, const char *value)
{
    static const char units[] = "smhd";
    static const uint64_t unit_ms[] = {1000, 60 * 1000, 3600 * 1000, 24 * 3600 * 1000};
    size_t digits = strspn(value, DIGITS);
    const char *unit = value[digits] == '\0' ? NULL : strchr(units, value[digits]);
    if (digits == 0 || digits > 6 || unit == NULL || value[digits + 1] != '\0')
        return false;
    uint64_t ms = strtoul(value, NULL, 10) * unit_ms[unit - units];
    if (ms == 0 || ms > TIME_MAX_MS)
        return false;
    backup->time_max_ms = ms;
    return true;
}

/* ---- [offsite], [mail] ---- */

static bool set_rate(struct qn_config *config, const char *value)
{
    return qn_timetable_parse(qn_span_str(value), &config->rate) == QN_OK;
}

/* One address, or several for `to`, with commas between them: nothing that could end a line of the
 * head of a mail, no names beside them. */
static bool set_mail(char *out, size_t room, const char *value, bool may_be_several)
{
    size_t size = strlen(value);
    if (size == 0 || size >= room)
        return false;
    for (const char *at = value; at != NULL;) {
        at += strspn(at, " \t");
        size_t length = strcspn(at, ", \t"), name = strcspn(at, "@");
        const char *next = at + length + strspn(at + length, " \t");
        if (name == 0 || name + 1 >= length || strspn(at, HOST_SIGN "+=@") != length ||
            memchr(at + name + 1, '@', length - name - 1) != NULL || at[0] == '-')
            return false;
        if (*next != '\0' && (*next != ',' || !may_be_several))
            return false;
        at = *next == ',' ? next + 1 : NULL;
    }
    strcpy(out, value);
    return true;
}

static bool set_mail_to(struct qn_config *config, const char *value)
{
    return set_mail(config->mail.to, sizeof(config->mail.to), value, true);
}

static bool set_mail_from(struct qn_config *config, const char *value)
{
    return set_mail(config->mail.from, sizeof(config->mail.from), value, false);
}

static bool set_mail_socket(struct qn_config *config, const char *value)
{
    return qn_config_set_path(config->mail.socket, sizeof(config->mail.socket), value);
}

static bool set_mail_program(struct qn_config *config, const char *value)
{
    return qn_config_set_path(config->mail.program, sizeof(config->mail.program), value);
}

static bool set_mail_remind(struct qn_config *config, const char *value)
{
    size_t digits = strspn(value, DIGITS);
    if (digits == 0 || digits > 3 || strcmp(value + digits, "d") != 0)
        return false;
    unsigned long days = strtoul(value, NULL, 10);
    if (days == 0 || days > REMIND_DAYS_MAX)
        return false;
    config->mail.remind_days = (unsigned)days;
    return true;
}

static bool set_mail_language(struct qn_config *config, const char *value)
{
    if (strcmp(value, "fr") != 0 && strcmp(value, "en") != 0)
        return false;
    strcpy(config->mail.language, value);
    return true;
}

/* ---- [audit] ---- */

static bool set_audit_keep(struct qn_config *config, const char *value)
{
    size_t digits = strspn(value, DIGITS);
    if (digits == 0 || digits > 3 || strcmp(value + digits, "m") != 0)
        return false;
    unsigned long months = strtoul(value, NULL, 10);
    if (months < QN_AUDIT_KEEP_MONTHS_MIN || months > KEEP_MONTHS_MAX)
        return false;
    config->audit_keep_months = (unsigned)months;
    return true;
}

/* ---- all of them ---- */

#define ADDRESS_WANTED N_("not HOST:PORT or [IPV6]:PORT with a port from 1 to 65535")

#define MEMBERS_WANTED N_("not up to 16 groups, or users as `user:NAME`, with commas between them")

#define COMMAND_WANTED N_("not a command of 1 to 511 bytes")

static const struct qn_config_key keys[] = {
    {"site", "listen", ADDRESS_WANTED, .set = set_listen},
    {"site", "advertise", ADDRESS_WANTED, .set = set_advertise},
    {"log", "level", N_("not error, warning, info or debug"), .set = set_level},
    {"store", "map-size", N_("not a size from 64M to 1T (units K, M, G, T)"), .set = set_map_size},
    {"records", "log-operations", N_("not a number of operations from 1000 to 100000000"),
     .set = qn_config_set_log_operations},
    {"records", "log-size", N_("not a size from 1M to 1T (units K, M, G, T)"),
     .set = qn_config_set_log_size},
    {"records", "log-age", N_("not a number of days from 1d to 36500d"),
     .set = qn_config_set_log_age},
    {"records", "history-age", N_("not a number of days from 1d to 36500d"),
     .set = qn_config_set_history_age},
    {"control", "group", N_("not the name of a group"), .set = qn_config_set_control_group},
    {"control", "viewers", MEMBERS_WANTED, .set = qn_config_set_control_viewers},
    {"control", "operators", MEMBERS_WANTED, .set = qn_config_set_control_operators},
    {"control", "admins", MEMBERS_WANTED, .set = qn_config_set_control_admins},
    {"reader", "socket", N_("not an absolute path of at most 107 bytes"), .set = set_reader_socket},
    {"reader", "allow",
     N_("not absolute paths with spaces between them, without `.`, `..`, `//` and a `/` at the "
        "end"),
     .set = set_reader_allow},
    {"offsite", "rate", N_("not a timetable such as `2Mbit mon-fri 08:00-18:00, else full`"),
     .set = set_rate},
    {"mail", "to", N_("not addresses NAME@HOST with commas between them"), .set = set_mail_to},
    {"mail", "from", N_("not one address NAME@HOST"), .set = set_mail_from},
    {"mail", "sendmail", N_("not an absolute path of at most 255 bytes"), .set = set_mail_program},
    {"mail", "socket", N_("not an absolute path of at most 107 bytes"), .set = set_mail_socket},
    {"mail", "remind", N_("not a number of days from 1d to 365d"), .set = set_mail_remind},
    {"mail", "language", N_("not fr or en"), .set = set_mail_language},
    {"audit", "keep", N_("not a number of months from 6m to 120m"), .set = set_audit_keep},
    {"serve", "listen",
     N_("not up to 8 addresses and ports such as `192.168.1.5:8443`, with spaces between them"),
     .set = qn_config_set_serve_listen},
    {"serve", "names", N_("not up to 16 host names with spaces between them"),
     .set = qn_config_set_serve_names},
    {"serve", "certificate", N_("not an absolute path of at most 255 bytes"),
     .set = qn_config_set_serve_certificate},
    {"serve", "key", N_("not an absolute path of at most 255 bytes"),
     .set = qn_config_set_serve_key},
    {"serve", "public", N_("not yes, no or everybody"), .set = qn_config_set_serve_public},
    {"serve", "client-authority", N_("not an absolute path of at most 255 bytes"),
     .set = qn_config_set_serve_client_authority},
    {"serve", "client-revoked", N_("not an absolute path of at most 255 bytes"),
     .set = qn_config_set_serve_client_revoked},
    {"backup", "before", COMMAND_WANTED, .set_backup = set_before},
    {"backup", "after", COMMAND_WANTED, .set_backup = set_after},
    {"backup", "stream", N_("not a file name and a command, or more than four of them"),
     .set_backup = set_stream},
    {"backup", "time-limit", N_("not a time from 1s to 7d (units s, m, h, d)"),
     .set_backup = set_time_limit},
};
#define KEYS_COUNT (sizeof(keys) / sizeof(keys[0]))

bool qn_config_is_section(const char *name)
{
    for (size_t i = 0; i < KEYS_COUNT; i++)
        if (strcmp(keys[i].section, name) == 0)
            return true;
    return false;
}

const struct qn_config_key *qn_config_find_key(const char *section, const char *name)
{
    for (size_t i = 0; i < KEYS_COUNT; i++)
        if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}
