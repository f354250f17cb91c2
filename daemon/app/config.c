#include "app/config.h"

#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LINE_SIZE_MAX 200 /* inih's own bound is the same */
#define DROPINS_MAX   256
#define MAP_SIZE_MIN  ((size_t)64 << 20)
#define MAP_SIZE_MAX  ((size_t)1 << 40)

void qn_config_init(struct qn_config *config)
{
    *config = (struct qn_config){.log_level = QN_LOG_INFO, .map_size = (size_t)64 << 30};
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

/* ---- values ---- */

/* HOST:PORT or [V6]:PORT. */
static bool set_address(const char *value, char *out, size_t size)
{
    const char *colon = strrchr(value, ':');
    char *end;
    if (colon == NULL || colon == value || strlen(value) >= size)
        return false;
    unsigned long port = strtoul(colon + 1, &end, 10);
    bool is_number = colon[1] >= '0' && colon[1] <= '9' && *end == '\0';
    bool is_host =
        value[0] == '[' ? colon[-1] == ']' : memchr(value, ':', (size_t)(colon - value)) == NULL;
    if (!is_number || port < 1 || port > 65535 || !is_host || strpbrk(value, " \t") != NULL)
        return false;
    strcpy(out, value);
    return true;
}

static bool set_size(const char *value, size_t *ret_size)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || errno != 0)
        return false;
    const char *unit = *end == '\0' ? NULL : strchr(units, *end);
    if (*end != '\0' && (unit == NULL || end[1] != '\0'))
        return false;
    unsigned shift = unit == NULL ? 0 : 10 * (unsigned)(unit - units + 1);
    if (number > MAP_SIZE_MAX >> shift)
        return false;
    *ret_size = (size_t)number << shift;
    return *ret_size >= MAP_SIZE_MIN;
}

static bool set_group(const char *value, char *out, size_t size)
{
    if (value[0] == '\0' || strlen(value) >= size)
        return false;
    strcpy(out, value);
    return true;
}

/* NULL if it was taken, else what is wrong. */
static const char *set(struct qn_config *c, const char *section, const char *name,
                       const char *value)
{
    if (strcmp(section, "site") == 0) {
        bool is_listen = strcmp(name, "listen") == 0;
        if (!is_listen && strcmp(name, "advertise") != 0)
            return "unknown key in [site]";
        char *out = is_listen ? c->listen : c->advertise;
        return set_address(value, out, sizeof(c->listen)) ? NULL : "not HOST:PORT";
    }
    if (strcmp(section, "log") == 0) {
        if (strcmp(name, "level") != 0)
            return "unknown key in [log]";
        return qn_log_level_parse(value, &c->log_level) ? NULL
                                                        : "not error, warning, info or debug";
    }
    if (strcmp(section, "store") == 0) {
        if (strcmp(name, "map-size") != 0)
            return "unknown key in [store]";
        return set_size(value, &c->map_size) ? NULL : "not a size from 64M to 1T (K, M, G, T)";
    }
    if (strcmp(section, "control") == 0) {
        if (strcmp(name, "group") != 0)
            return "unknown key in [control]";
        return set_group(value, c->control_group, sizeof(c->control_group)) ? NULL : "not a group";
    }
    return section[0] == '\0' ? "a key before any [section]" : "unknown section";
}

/* ---- one file ---- */

struct reading {
    FILE *file;
    const char *path;
    unsigned line; /* that inih has in hand */
    struct qn_config *config;
    struct qn_buf *errors;
    size_t mistakes;
};

static void mistake(struct reading *reading, const char *what, const char *about)
{
    reading->mistakes++;
    qn_buf_printf(reading->errors, "%s:%u: %s%s%s\n", reading->path, reading->line, what,
                  about[0] != '\0' ? ": " : "", about);
}

/* A section without a key in it never reaches on_value, so its name is checked here. */
static void check_section(struct reading *reading, const char *line)
{
    static const char *const names[] = {"[site]", "[log]", "[store]", "[control]"};
    size_t size = strcspn(line, "]");
    line += strspn(line, " \t");
    if (line[0] != '[' || strchr(line, ']') == NULL)
        return;
    size = strcspn(line, "]") + 1;
    for (size_t i = 0; i < 4; i++)
        if (strlen(names[i]) == size && strncmp(names[i], line, size) == 0)
            return;
    char name[LINE_SIZE_MAX];
    snprintf(name, sizeof(name), "%.*s", (int)size, line);
    mistake(reading, "unknown section", name);
}

/* inih's reader of lines, that counts them. */
static char *next_line(char *out, int size, void *stream)
{
    struct reading *reading = stream;
    if (fgets(out, size, reading->file) == NULL)
        return NULL;
    reading->line++;
    size_t length = strlen(out);
    if (length + 1 == (size_t)size && out[length - 1] != '\n') {
        mistake(reading, "the line is too long", "");
        for (int c = 0; c != '\n' && c != EOF;)
            c = fgetc(reading->file);
        out[0] = '\0';
    }
    check_section(reading, out);
    return out;
}

static int on_value(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    const char *what = set(reading->config, section, name, value);
    if (what != NULL && strcmp(what, "unknown section") != 0) /* said at its heading */
        mistake(reading, what, name);
    return 1;
}

static enum qn_err read_file(const char *path, struct qn_config *config, struct qn_buf *errors,
                             size_t *mistakes)
{
    struct reading reading = {.path = path, .config = config, .errors = errors};
    reading.file = fopen(path, "re");
    if (reading.file == NULL && errno == ENOENT)
        return QN_OK;
    if (reading.file == NULL) {
        mistake(&reading, strerror(errno), "");
    } else {
        int line = ini_parse_stream(next_line, &reading, on_value, &reading);
        fclose(reading.file);
        if (line > 0) {
            reading.line = (unsigned)line;
            mistake(&reading, "not `key = value`, `[section]` or `# comment`", "");
        }
    }
    *mistakes += reading.mistakes;
    return QN_OK;
}

/* ---- the file and its drop-ins ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t list_dropins(const char *folder, char *names[DROPINS_MAX])
{
    DIR *dir = opendir(folder);
    size_t count = 0;
    if (dir == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL && count < DROPINS_MAX;) {
        size_t length = strlen(entry->d_name);
        if (length > 5 && entry->d_name[0] != '.' &&
            strcmp(entry->d_name + length - 5, ".conf") == 0)
            names[count++] = qn_strdup(entry->d_name);
    }
    closedir(dir);
    qsort(names, count, sizeof(names[0]), by_name);
    return count;
}

enum qn_err qn_config_read(const char *path, struct qn_config *ret_config, struct qn_buf *errors)
{
    struct qn_config config;
    size_t mistakes = 0;
    char folder[4096], file[8192];
    char *names[DROPINS_MAX];
    qn_config_init(&config);
    QN_TRY(read_file(path, &config, errors, &mistakes));
    snprintf(folder, sizeof(folder), "%s.d", path);
    size_t count = list_dropins(folder, names);
    for (size_t i = 0; i < count; i++) {
        snprintf(file, sizeof(file), "%s/%s", folder, names[i]);
        QN_TRY(read_file(file, &config, errors, &mistakes));
        qn_free(names[i]);
    }
    if (mistakes > 0)
        return QN_ERR_INVALID;
    *ret_config = config;
    return QN_OK;
}
