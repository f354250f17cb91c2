#include "app/config.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/i18n.h"
#include "app/words.h"
#include "base/assert.h"
#include "base/mem.h"
#include "base/text.h"
#include "os/os.h"

#define FILE_SIZE_MAX    (256 * 1024)
#define DROPINS_MAX      256
#define ALLOWED_MAX      64
#define MISTAKE_SIZE_MAX 1024
#define HOST_SIZE_MAX    255
#define MAP_SIZE_MIN     ((size_t)64 << 20)
#define MAP_SIZE_MAX     ((size_t)1 << 40)

#define SPACE            " \t\r\v\f"
#define DIGITS           "0123456789"
#define HOST_SIGN        DIGITS ".-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

void qn_config_init(struct qn_config *config)
{
    *config = (struct qn_config){.log_level = QN_LOG_INFO,
                                 .map_size = (size_t)64 << 30,
                                 .reader_socket = "/run/quoin-reader/reader.sock"};
}

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

static bool set_map_size(struct qn_config *config, const char *value)
{
    size_t digits = strspn(value, DIGITS);
    int shift = unit_shift(value + digits);
    errno = 0;
    unsigned long long number = strtoull(value, NULL, 10);
    if (digits == 0 || shift < 0 || errno != 0 || number > MAP_SIZE_MAX >> shift)
        return false;
    size_t size = (size_t)number << shift;
    if (size < MAP_SIZE_MIN)
        return false;
    config->map_size = size;
    return true;
}

static bool set_group(struct qn_config *config, const char *value)
{
    size_t size = strlen(value);
    if (size == 0 || size >= sizeof(config->control_group) || strchr(value, ':') != NULL ||
        !qn_text_is_printable(qn_span(value, size)))
        return false;
    strcpy(config->control_group, value);
    return true;
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

static bool set_reader_socket(struct qn_config *config, const char *value)
{
    size_t size = strlen(value);
    if (size >= sizeof(config->reader_socket) || strpbrk(value, " \t") != NULL ||
        !is_absolute(value, size))
        return false;
    strcpy(config->reader_socket, value);
    return true;
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

#define ADDRESS_WANTED N_("not HOST:PORT or [IPV6]:PORT with a port from 1 to 65535")

static const struct key {
    const char *section, *name;
    bool (*set)(struct qn_config *config, const char *value);
    const char *complaint;
} keys[] = {
    {"site", "listen", set_listen, ADDRESS_WANTED},
    {"site", "advertise", set_advertise, ADDRESS_WANTED},
    {"log", "level", set_level, N_("not error, warning, info or debug")},
    {"store", "map-size", set_map_size, N_("not a size from 64M to 1T (units K, M, G, T)")},
    {"control", "group", set_group, N_("not the name of a group")},
    {"reader", "socket", set_reader_socket, N_("not an absolute path of at most 107 bytes")},
    {"reader", "allow", set_reader_allow,
     "not absolute paths with spaces between them, without `.`, `..`, `//` and a `/` at the end"},
};
#define KEYS_COUNT (sizeof(keys) / sizeof(keys[0]))

static bool is_section(const char *name)
{
    for (size_t i = 0; i < KEYS_COUNT; i++)
        if (strcmp(keys[i].section, name) == 0)
            return true;
    return false;
}

static const struct key *find_key(const char *section, const char *name)
{
    for (size_t i = 0; i < KEYS_COUNT; i++)
        if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

/* ---- one file ----
 *
 * inih keeps sections and keys apart. By itself it is laxer than our format and tells no line
 * numbers: it cuts values at " ;" and lines at 200 bytes, appends an indented line to the value
 * above, reads "key: value", passes over sections without keys, and names only the first line that
 * it did not understand. All of that can be changed only when the library is built, or (in Debian)
 * by variables of the whole process. So its lines come from next_line(), which counts them, refuses
 * what our format does not have, and keeps the value as it stands in the file. */

struct reading {
    const char *path;
    char *next, *end;  /* what is left of the content, and the zero byte behind it */
    unsigned line;     /* that inih has in hand; 0: none yet */
    const char *value; /* of that line, until on_value takes it */
    struct qn_config *config;
    struct qn_buf *errors;
    size_t mistakes;
};

static void mistake(struct reading *reading, const char *what)
{
    reading->mistakes++;
    qn_buf_append_str(reading->errors, reading->path);
    if (reading->line > 0)
        qn_buf_printf(reading->errors, ":%u", reading->line);
    qn_buf_printf(reading->errors, ": %s\n", what);
}

/* What people wrote is repeated only if a terminal can show it. */
static void mistake_about(struct reading *reading, const char *about, const char *what)
{
    bool is_shown = qn_text_is_printable(qn_span_str(about));
    char text[MISTAKE_SIZE_MAX];
    snprintf(text, sizeof(text), _("%s: %s"), is_shown ? about : "?", what);
    mistake(reading, text);
}

/* Ends the text before the white space at its end, and gives where its first letter stands. */
static char *trim(char *text)
{
    char *end = text + strlen(text);
    while (end > text && strchr(SPACE, end[-1]) != NULL)
        end--;
    *end = '\0';
    return text + strspn(text, SPACE);
}

static char *cut_line(struct reading *reading)
{
    char *line = reading->next;
    char *end = memchr(line, '\n', (size_t)(reading->end - line));
    reading->next = end != NULL ? end + 1 : reading->end;
    if (end == NULL)
        end = reading->end;
    *end = '\0';
    reading->line++;
    if (strlen(line) == (size_t)(end - line))
        return trim(line);
    mistake(reading, _("a zero byte"));
    return end;
}

/* A heading for inih. One that is refused becomes "[?]", so that what follows belongs to nothing
 * rather than to the section above. */
static const char *check_heading(struct reading *reading, char *line)
{
    char *close = strchr(line, ']');
    if (close == NULL || close[1] != '\0') {
        mistake(reading, _("not a heading like [section]"));
        return "[?]";
    }
    *close = '\0';
    bool is_known = is_section(line + 1);
    *close = ']';
    if (is_known)
        return line;
    mistake_about(reading, line, _("unknown section"));
    return "[?]";
}

static void refuse_line(struct reading *reading)
{
    mistake(reading, _("not `key = value`, `[section]` or `# comment`"));
}

static const char *check_line(struct reading *reading, char *line)
{
    if (line[0] == '\0' || line[0] == '#' || line[0] == ';')
        return "";
    if (line[0] == '[')
        return check_heading(reading, line);
    size_t name_size = strcspn(line, "=:");
    if (line[name_size] != '=' || name_size == 0) {
        refuse_line(reading);
        return "";
    }
    reading->value = line + name_size + 1;
    reading->value += strspn(reading->value, SPACE);
    return line;
}

/* inih's fgets. A line longer than its buffer may be cut: the value is not taken from it. One that
 * filled the buffer would make the inih of Debian 13 skip to a newline, and there is none. */
static char *next_line(char *out, int size, void *stream)
{
    struct reading *reading = stream;
    if (reading->value != NULL) /* inih found no key in the line before */
        refuse_line(reading);
    reading->value = NULL;
    if (reading->next == reading->end)
        return NULL;
    snprintf(out, (size_t)size - 1, "%s", check_line(reading, cut_line(reading)));
    return out;
}

static int on_value(void *user, const char *section, const char *name, const char *inih_value)
{
    struct reading *reading = user;
    const char *value = reading->value;
    reading->value = NULL;
    QN_ASSERT(value != NULL);
    const struct key *key = find_key(section, name);
    if (section[0] == '\0')
        mistake_about(reading, name, _("a key before the first [section]"));
    else if (key == NULL && is_section(section))
        mistake_about(reading, name, _("unknown key in this section"));
    else if (key != NULL && !key->set(reading->config, value))
        mistake_about(reading, name, gettext(key->complaint));
    return 1; /* an unknown section was refused at its heading */
}

static void parse(struct reading *reading, struct qn_buf *content)
{
    static const char mark[] = "\xef\xbb\xbf"; /* some editors begin UTF-8 with it */
    bool is_marked = qn_span_has_prefix(qn_buf_view(content), qn_span_str(mark));
    qn_buf_append_u8(content, 0);
    reading->next = (char *)content->data + (is_marked ? strlen(mark) : 0);
    reading->end = (char *)content->data + content->size - 1;
    int first_refused = ini_parse_stream(next_line, reading, on_value, reading);
    QN_ASSERT(first_refused == 0 || reading->mistakes > 0);
}

/* The administrator may put a link in the place of the file; one that leads nowhere is no file. */
static enum qn_err read_linked(const char *path, struct qn_buf *out)
{
    char *target = realpath(path, NULL);
    if (target == NULL)
        return errno == ENOENT ? QN_ERR_NOTFOUND : qn_os_err(errno);
    enum qn_err err = qn_os_read_file(target, FILE_SIZE_MAX, out);
    free(target);
    return err;
}

/* How many mistakes there are in it. */
static size_t read_file(const char *path, struct qn_config *config, struct qn_buf *errors)
{
    struct reading reading = {.path = path, .config = config, .errors = errors};
    QN_AUTO_BUF struct qn_buf content;
    qn_buf_init(&content, FILE_SIZE_MAX + 1);
    enum qn_err err = read_linked(path, &content);
    if (err == QN_OK)
        parse(&reading, &content);
    else if (err != QN_ERR_NOTFOUND)
        mistake_about(&reading, _("cannot be read"), qn_err_words(err));
    return reading.mistakes;
}

/* ---- the file and its drop-ins ---- */

static int is_dropin(const struct dirent *entry)
{
    static const char ending[] = ".conf";
    size_t size = strlen(entry->d_name), ending_size = strlen(ending);
    return entry->d_name[0] != '.' && size > ending_size &&
           strcmp(entry->d_name + size - ending_size, ending) == 0;
}

/* Not alphasort, which goes by the locale. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static char *join(const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *text = qn_alloc(size);
    snprintf(text, size, "%s%s%s", a, b, c);
    return text;
}

static size_t read_dropins(const char *folder, struct qn_config *config, struct qn_buf *errors)
{
    struct reading reading = {.path = folder, .errors = errors};
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_dropin, by_bytes);
    if (count < 0 && errno != ENOENT)
        mistake_about(&reading, _("cannot be read"), qn_err_words(qn_os_err(errno)));
    if (count > DROPINS_MAX)
        mistake(&reading, _("too many files"));
    size_t mistakes = reading.mistakes;
    for (int i = 0; i < count; i++) {
        QN_AUTO_FREE char *path = join(folder, "/", entries[i]->d_name);
        if (count <= DROPINS_MAX)
            mistakes += read_file(path, config, errors);
        free(entries[i]);
    }
    free(entries);
    return mistakes;
}

enum qn_err qn_config_read(const char *path, struct qn_config *ret_config, struct qn_buf *errors)
{
    struct qn_config config;
    QN_AUTO_FREE char *folder = join(path, ".d", "");
    qn_config_init(&config);
    size_t mistakes = read_file(path, &config, errors);
    mistakes += read_dropins(folder, &config, errors);
    if (mistakes > 0)
        return QN_ERR_INVALID;
    *ret_config = config;
    return QN_OK;
}

const char *qn_config_reader(const struct qn_config *config)
{
    return access(config->reader_socket, F_OK) == 0 ? config->reader_socket : NULL;
}
