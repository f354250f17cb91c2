#include "app/config_private.h"

#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/i18n.h"
#include "app/words.h"
#include "people/audit.h"
#include "base/assert.h"
#include "base/mem.h"
#include "base/text.h"
#include "os/os.h"

#define FILE_SIZE_MAX    (256 * 1024)
#define TIME_LIMIT_MS    ((uint64_t)6 * 3600 * 1000)
#define REMIND_DAYS      3
#define DROPINS_MAX      256
#define MISTAKE_SIZE_MAX 1024

#define SPACE            " \t\r\v\f"

void qn_config_init(struct qn_config *config)
{
    *config = (struct qn_config){.log_level = QN_LOG_INFO,
                                 .map_size = (size_t)64 << 30,
                                 .reader_socket = "/run/quoin-reader/reader.sock",
                                 .rate = {.otherwise = UINT64_MAX},
                                 .records = {.log_ops = QN_LOG_OPS,
                                             .log_bytes = QN_LOG_SIZE,
                                             .log_days = QN_LOG_DAYS,
                                             .history_days = QN_HISTORY_DAYS},
                                 .mail = {.socket = "/run/quoin-mail/mail.sock",
                                          .program = "/usr/sbin/sendmail",
                                          .language = "",
                                          .remind_days = REMIND_DAYS},
                                 .audit_keep_months = QN_AUDIT_KEEP_MONTHS};
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
    char *next, *end;                /* what is left of the content, and the zero byte behind it */
    unsigned line;                   /* that inih has in hand; 0: none yet */
    const char *value;               /* of that line, until on_value takes it */
    struct qn_config_backup *backup; /* whose section it is; NULL: another one */
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

/* The section of a backup: the same again if it was there before. NULL: it was refused. */
static struct qn_config_backup *backup_of(struct reading *reading, const char *plan)
{
    struct qn_config *config = reading->config;
    for (size_t i = 0; i < config->backup_count; i++)
        if (strcmp(config->backups[i].plan, plan) == 0)
            return &config->backups[i];
    if (!qn_text_is_name(qn_span_str(plan))) {
        mistake(reading, _("not a heading like [backup NAME], with the name of a backup"));
        return NULL;
    }
    if (config->backup_count == QN_CONFIG_BACKUPS_MAX) {
        mistake(reading, _("too many sections of backups; 16 are possible"));
        return NULL;
    }
    struct qn_config_backup *backup = &config->backups[config->backup_count++];
    *backup = (struct qn_config_backup){.time_max_ms = TIME_LIMIT_MS};
    strcpy(backup->plan, plan);
    return backup;
}

/* inih would cut a long heading, so that it never sees the name of a backup. */
static const char *check_named(struct reading *reading, char *heading)
{
    static const char prefix[] = "[backup ";
    if (strncmp(heading, prefix, strlen(prefix)) != 0)
        return NULL;
    char *name = heading + strlen(prefix), *close = strchr(name, ']');
    *close = '\0';
    reading->backup = backup_of(reading, trim(name));
    return reading->backup != NULL ? "[backup]" : "[?]";
}

/* A heading for inih. One that is refused becomes "[?]", so that what follows belongs to nothing
 * rather than to the section above. */
static const char *check_heading(struct reading *reading, char *line)
{
    char *close = strchr(line, ']');
    reading->backup = NULL;
    if (close == NULL || close[1] != '\0') {
        mistake(reading, _("not a heading like [section]"));
        return "[?]";
    }
    const char *named = check_named(reading, line);
    if (named != NULL)
        return named;
    *close = '\0';
    bool is_known = qn_config_is_section(line + 1) && strcmp(line + 1, "backup") != 0;
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

static bool set(struct reading *reading, const struct qn_config_key *key, const char *value)
{
    if (key->set_backup == NULL)
        return key->set(reading->config, value);
    QN_ASSERT(reading->backup != NULL);
    return key->set_backup(reading->backup, value);
}

static int on_value(void *user, const char *section, const char *name, const char *inih_value)
{
    struct reading *reading = user;
    const char *value = reading->value;
    reading->value = NULL;
    QN_ASSERT(value != NULL);
    const struct qn_config_key *key = qn_config_find_key(section, name);
    if (section[0] == '\0')
        mistake_about(reading, name, _("a key before the first [section]"));
    else if (key == NULL && qn_config_is_section(section))
        mistake_about(reading, name, _("unknown key in this section"));
    else if (key != NULL && !set(reading, key, value))
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

/* What no single key is to blame for. */
static size_t check_whole(const char *path, struct qn_config *config, struct qn_buf *errors)
{
    struct reading reading = {.path = path, .config = config, .errors = errors};
    const char *complaint = qn_config_check_serve(config);
    if (complaint != NULL)
        mistake_about(&reading, "[serve]", gettext(complaint));
    return reading.mistakes;
}

enum qn_err qn_config_read(const char *path, struct qn_config *ret_config, struct qn_buf *errors)
{
    struct qn_config config;
    QN_AUTO_FREE char *folder = join(path, ".d", "");
    qn_config_init(&config);
    size_t mistakes = read_file(path, &config, errors);
    mistakes += read_dropins(folder, &config, errors);
    if (mistakes == 0)
        mistakes += check_whole(path, &config, errors);
    if (mistakes > 0)
        return QN_ERR_INVALID;
    qn_config_distrust(path, config.distrusted, sizeof(config.distrusted));
    *ret_config = config;
    return QN_OK;
}

const struct qn_config_backup *qn_config_find_backup(const struct qn_config *config,
                                                     const char *plan)
{
    for (size_t i = 0; i < config->backup_count; i++)
        if (strcmp(config->backups[i].plan, plan) == 0)
            return &config->backups[i];
    return NULL;
}

const char *qn_config_reader(const struct qn_config *config)
{
    return access(config->reader_socket, F_OK) == 0 ? config->reader_socket : NULL;
}
