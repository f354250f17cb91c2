/* Inside the folders: folders.c has those that are open, folder_orders.c,
 * folder_disk.c and folder_views.c the commands. */
#pragma once

#include <limits.h>

#include "app/folders.h"
#include "base/vec.h"

#define FOLDER_PATH_SIZE_MAX (PATH_MAX - 1)

/* A directory of this site. */
struct home {
    struct qn_coll_id id;
    char *path;
    struct qn_folder *folder;
    bool is_gone;
};

struct line {
    struct qn_coll_id id;
    char name[QN_NAME_SIZE_MAX + 8], home[QN_NAME_SIZE_MAX + 1];
    char *path; /* NULL: not at this site, or not known */
    bool is_here;
    enum qn_err err;
    struct qn_folder_look look;
};

/* A command under way. One step at a time, of which some are a job. */
struct order {
    struct qn_folders *folders;
    uint64_t request, token; /* the client's; ours at the core */
    char name[QN_NAME_SIZE_MAX + 1], user[QN_USER_SIZE_MAX + 1];
    char path[FOLDER_PATH_SIZE_MAX + 1], old_path[FOLDER_PATH_SIZE_MAX + 1];
    struct qn_buf members; /* as the client said it, packed; empty: all */
    struct qn_coll_id id;
    bool is_status, is_delete;
    bool is_storing; /* its row is on its way: it is freed when that is told of */
    /* what a job found */
    enum qn_err err;
    QN_VEC(char *) homes;      /* the other directories, not to be offered twice */
    QN_VEC(struct line) lines; /* of a list */
    QN_VEC(struct qn_buf) odd; /* names, each packed */
};

struct qn_folders {
    struct qn_folders_options options;
    struct qn_driver *driver;
    struct qn_folders_watch watch; /* zeroed: nobody */
    QN_VEC(struct home) homes;
    QN_VEC(struct order *) orders;
    QN_VEC(struct qn_folder_gone) gone; /* as health shows them */
    struct qn_timer *timer;
    uint64_t last_token;
    size_t job_count;
    atomic_bool stops;
};

struct home *folders_home(struct qn_folders *folders, const struct qn_coll_id *id);
/* Opens, or opens at another place. */
void folders_put_home(struct qn_folders *folders, const struct qn_coll_id *id, const char *path);
void folders_drop_home(struct qn_folders *folders, const struct qn_coll_id *id);
void folders_set_gone(struct qn_folders *folders, const struct qn_coll_id *id, bool is_gone);
/* Runs on the pool, then on the loop, unless the folders have gone; false: it cannot. */
bool folders_job(struct qn_folders *folders, void (*work)(void *context),
                 void (*done)(void *context), void *context);
void folder_order_free(struct order *order);
/* Answers, and frees the order. */
void order_end_with(struct order *order, struct qn_span packed);
void order_end(struct order *order);
void order_fail(struct order *order, enum qn_err err, const char *code, const char *object);
/* At the start of what a job tells: the daemon ends, and the order is gone. */
bool order_is_over(struct order *order);
void order_run(struct order *order, void (*work)(void *context), void (*done)(void *context));
bool order_take_name(struct order *order, struct qn_span args); /* false: answered */
void order_copy_text(struct qn_span text, char *out, size_t size);
/* folder_disk.c: jobs; probe and attach also see to it that no two folders overlap */
void order_probe_work(void *order);
void order_mark_work(void *order);
void order_attach_work(void *order);
void order_unmark_work(void *order); /* the old path, unless it is the new one */
const char *order_path_code(enum qn_err err);
/* folder_views.c */
void order_list(struct order *order, struct qn_span args);
void order_status(struct order *order, struct qn_span args);
void order_names(struct order *order, struct qn_span args);
/* A service of the driver (service.h); `context`: the folders. */
bool folder_orders_take(void *context, struct qn_span command);
void folder_orders_start(void *context, uint64_t request, struct qn_span command,
                         struct qn_span args, struct qn_span user);
