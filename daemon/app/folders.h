/* The folders whose directory is at this site: where it is (a row "folder/ID" -> path, of this site
 * only), the open folder for those who serve it, the commands `folder.*` (docs/control.md), and
 * whether it is still there.
 *
 * A folder is a collection of the core; its directory carries the collection's id as its mark. So
 * making one is: look at the directory, have the core make the collection, mark the directory,
 * store the row. A crash in between leaves a folder without a directory, which `folder attach`
 * gives it. Loop thread; what touches a disk runs on libuv's pool.
 */
#pragma once

#include "app/driver.h"
#include "files/local.h"

#define QN_FOLDERS_TOKEN      ((uint64_t)1 << 62) /* in the tokens of requests that are ours */
#define QN_FOLDERS_ORDERS_MAX 16                  /* commands under way; the next is told "busy" */

struct qn_folders;

struct qn_folders_options {
    struct qn_loop *loop;
    struct qn_log *log;
    const char *state_dir; /* never offered, nor what is in or above it */
    const struct qn_local *local;
};

struct qn_folders *qn_folders_new(const struct qn_folders_options *options);
/* Opens what is stored, and answers folder.* from now on (service.h); once, when the core is
 * loaded, before START. */
void qn_folders_start(struct qn_folders *folders, struct qn_driver *driver);
/* Nobody uses a folder any more. What is under way is not answered. Accepts NULL. */
void qn_folders_free(struct qn_folders *folders);

/* The core's answer to a request with QN_FOLDERS_TOKEN in its token. */
void qn_folders_reply(struct qn_folders *folders, uint64_t request, const struct qn_effect *reply);

/* An open folder of this site; NULL: none of that name, or not here. Who uses it beyond this turn
 * of the loop holds it (files/folder.h): it may be detached. */
struct qn_folder *qn_folders_open(struct qn_folders *folders, struct qn_span name);
/* Those, and those whose home is another site. */
void qn_folders_each(struct qn_folders *folders, void (*each)(void *context, struct qn_span name),
                     void *context);
/* Who wants to know of directories. */
struct qn_folders_watch {
    /* One is offered, at first, elsewhere, or again after it was gone. */
    void (*here)(void *context, const struct qn_coll_id *id, struct qn_folder *folder);
    void (*detached)(void *context, const struct qn_coll_id *id);
    /* Something may have changed at that path or below it, through this folder. */
    void (*changed)(void *context, struct qn_folder *folder, struct qn_span path);
    void *context;
};
/* Copied. At once for those that are here; none of its functions may ask anything of `folders`.
 * NULL: nobody wants to know any more. */
void qn_folders_watch(struct qn_folders *folders, const struct qn_folders_watch *watch);
/* Fills folders_gone; borrowed until the next call. */
void qn_folders_health(struct qn_folders *folders, struct qn_health *health);
