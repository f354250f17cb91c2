/* What a crash left: hidden names that nobody holds. At the start and once a day the whole tree is
 * walked for them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/mem.h"
#include "files/stage.h"
#include "files/tree.h"

#define SWEEP_EVERY_MS ((uint64_t)24 * 3600 * 1000)

struct sweep {
    struct local *folder;
    struct tree_report report;
};

/* Removes one if nobody is at it. */
static void sweep_name(int dir, const char *name)
{
    struct tree_report report;
    AUTO_FD int fd = beneath_open(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0)
        return;
    tree_report_init(&report, NULL, qn_span(NULL, 0));
    tree_remove(dir, name, &report);
    tree_report_deinit(&report);
}

static bool sweep_one(void *context, int dir, const char *name, unsigned char type)
{
    struct tree_report *report = context;
    if (stage_is_name(name)) {
        sweep_name(dir, name);
        return true;
    }
    if ((type != DT_DIR && type != DT_UNKNOWN) || report->depth >= TREE_DEPTH_MAX)
        return true;
    AUTO_FD int below = beneath_open(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (below < 0)
        return true; /* not ours to see, or gone */
    report->depth++;
    tree_each(below, report, sweep_one, report);
    report->depth--;
    return true;
}

static void sweep_work(void *context)
{
    struct sweep *sweep = context;
    AUTO_FD int root = -1;
    if (root_open(&sweep->folder->root, &root) == QN_OK)
        tree_each(root, &sweep->report, sweep_one, &sweep->report);
}

static void sweep_done(void *context)
{
    struct sweep *sweep = context;
    struct local *folder = sweep->folder;
    folder->is_sweeping = false;
    tree_report_deinit(&sweep->report);
    qn_free(sweep);
    if (folder->is_ending)
        qn_timer_set(folder->wake, 0);
    else
        qn_timer_set(folder->sweep_timer, SWEEP_EVERY_MS);
}

void sweep_start(struct local *folder)
{
    struct sweep *sweep = QN_NEW(struct sweep);
    sweep->folder = folder;
    tree_report_init(&sweep->report, &folder->stops, qn_span(NULL, 0));
    if (qn_loop_job(folder->loop, sweep_work, sweep_done, sweep) == QN_OK) {
        folder->is_sweeping = true;
        return;
    }
    tree_report_deinit(&sweep->report);
    qn_free(sweep);
    qn_timer_set(folder->sweep_timer, SWEEP_EVERY_MS);
}
