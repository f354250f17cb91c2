/* syncctl kit print, kit confirm: the paper that brings a lost site back. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "crypto/digest.h"
#include "i18n.h"
#include "kit_file.h"
#include "kit_page.h"
#include "os/os.h"
#include "screen.h"

#define PAGE_SIZE_MAX (1024 * 1024)
#define PATH_SIZE_MAX 4096

static bool find_kit(const struct ctl *ctl, char path[PATH_SIZE_MAX])
{
    int size = snprintf(path, PATH_SIZE_MAX, "%s/recovery-kit.txt", ctl->state_dir);
    return size > 0 && size < PATH_SIZE_MAX && access(path, F_OK) == 0;
}

static void done(const struct ctl *ctl, const char *text)
{
    if (ctl->is_json)
        fputs("{\"done\":true}\n", ctl->out);
    else
        ctl_say(ctl, "%s", text);
}

static int print_page(const struct ctl *ctl, const struct qn_kit *kit, const char *path)
{
    struct qn_buf page;
    qn_buf_init(&page, PAGE_SIZE_MAX);
    qn_buf_reserve(&page, PAGE_SIZE_MAX); /* so that it does not move, and all of it is wiped */
    enum qn_err err = kit_page_print(kit, &page);
    int code = CTL_DONE;
    if (err != QN_OK)
        code = ctl_fail_str(ctl, "code-failed", path);
    else if (qn_os_replace_file(path, qn_buf_view(&page), 0600) != QN_OK)
        code = ctl_fail_str(ctl, "write-failed", path);
    qn_wipe(page.data, page.capacity);
    qn_buf_deinit(&page);
    if (code == CTL_DONE)
        done(ctl, _("Print the page, delete its file, and lock the print away."));
    return code;
}

static int print_text(const struct ctl *ctl, const struct qn_kit *kit)
{
    struct qn_buf text;
    qn_buf_init(&text, PAGE_SIZE_MAX);
    qn_buf_reserve(&text, PAGE_SIZE_MAX);
    qn_kit_print(kit, &text);
    ctl_put_raw(ctl->out, qn_buf_view(&text));
    qn_wipe(text.data, text.capacity);
    qn_buf_deinit(&text);
    return CTL_DONE;
}

int ctl_run_kit_print(struct ctl *ctl)
{
    char path[PATH_SIZE_MAX];
    struct qn_kit kit = {0};
    const char *html = ctl_value(ctl, "html");
    if (!find_kit(ctl, path))
        return ctl_fail_str(ctl, "no-kit", ctl->state_dir);
    int code = kit_file_read(ctl, path, &kit);
    if (code == CTL_DONE)
        code = html != NULL ? print_page(ctl, &kit, html) : print_text(ctl, &kit);
    qn_wipe(&kit, sizeof(kit));
    return code;
}

int ctl_run_kit_confirm(struct ctl *ctl)
{
    char path[PATH_SIZE_MAX];
    if (!find_kit(ctl, path))
        return ctl_fail_str(ctl, "no-kit", ctl->state_dir);
    if (unlink(path) != 0)
        return ctl_fail_str(ctl, errno == ENOENT ? "no-kit" : "write-failed", ctl->state_dir);
    done(ctl, _("The file of the recovery kit is deleted; keep the print."));
    return CTL_DONE;
}
