#include "site_dir.h"

#include <dirent.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/setup.h"
#include "i18n.h"
#include "os/os.h"

#define DEFAULT_STATE_DIR "/var/lib/quoin"
#define SERVICE_USER      "_quoin"
/* With "/control.sock" it fits a socket's address (108 bytes). */
#define STATE_DIR_SIZE_MAX 90

/* HOST:PORT, or [V6]:PORT. */
bool site_dir_is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || strlen(text) > QN_ADDRESS_SIZE_MAX)
        return false;
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || port == 0 || port > 65535)
        return false;
    size_t host = (size_t)(colon - text);
    bool is_bracketed = text[0] == '[' && text[host - 1] == ']' && host > 2;
    bool has_colon = memchr(text, ':', host) != NULL;
    return has_colon == is_bracketed && strpbrk(text, " \t/,@") == NULL;
}

int site_dir_check_addresses(const struct ctl *ctl)
{
    static const char *const names[] = {"listen", "advertise"};
    for (size_t i = 0; i < 2; i++) {
        const char *value = ctl_value(ctl, names[i]);
        if (value != NULL && !site_dir_is_address(value))
            return ctl_fail_str(ctl, "bad-address", value);
    }
    return CTL_DONE;
}

/* In a directory, and at the top of a file system of its own. */
static bool is_always_there(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0;
}

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL)
        return false;
    bool has_any = false;
    for (struct dirent *entry; !has_any && (entry = readdir(dir)) != NULL;)
        has_any = !is_always_there(entry->d_name);
    closedir(dir);
    return !has_any;
}

int site_dir_make(const struct ctl *ctl)
{
    const char *path = ctl->state_dir;
    if (strlen(path) > STATE_DIR_SIZE_MAX)
        return ctl_fail_str(ctl, "dir-too-long", path);
    if (qn_setup_exists(path))
        return ctl_fail_str(ctl, "site-exists", path);
    struct stat status;
    bool is_there = lstat(path, &status) == 0;
    if (is_there && (!S_ISDIR(status.st_mode) || !is_empty(path)))
        return ctl_fail_str(ctl, "dir-not-empty", path);
    if (qn_os_make_dir(path, 0700) != QN_OK || chmod(path, 0700) != 0)
        return ctl_fail_str(ctl, "dir-failed", path);
    return CTL_DONE;
}

bool site_dir_is_default(const struct ctl *ctl)
{
    return strcmp(ctl->state_dir, DEFAULT_STATE_DIR) == 0;
}

/* Root sets up the service's site: its files must be the service's. */
void site_dir_give_to_service(const struct ctl *ctl)
{
    const char *state_dir = ctl->state_dir;
    const struct passwd *user = getpwnam(SERVICE_USER);
    if (geteuid() != 0 || user == NULL || strcmp(state_dir, DEFAULT_STATE_DIR) != 0)
        return;
    static const char *const names[] = {"", "/identity.key", "/site.quoin", "/recovery-kit.txt",
                                        "/recovery.key"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[sizeof(DEFAULT_STATE_DIR) + 32];
        snprintf(path, sizeof(path), "%s%s", state_dir, names[i]);
        if (access(path, F_OK) == 0 && lchown(path, user->pw_uid, user->pw_gid) != 0)
            perror(path);
    }
}

void site_dir_take_back(const struct ctl *ctl)
{
    static const char *const names[] = {"recovery-kit.txt", "identity.key", "recovery.key"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[STATE_DIR_SIZE_MAX + 32];
        snprintf(path, sizeof(path), "%s/%s", ctl->state_dir, names[i]);
        unlink(path);
    }
}

void site_dir_say_next(const struct ctl *ctl)
{
    if (site_dir_is_default(ctl))
        fprintf(ctl->out, "%s\n", _("Next: systemctl start quoin"));
    else
        fprintf(ctl->out, _("Next: syncd --state %s\n"), ctl->state_dir);
}
