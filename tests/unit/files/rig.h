/* A folder on a directory of its own, with rows in memory; each verb runs the loop to its end. */
#pragma once

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "files/local.h"
#include "support/fake_local.h"
#include "support/span.h"
#include "support/tmp_dir.h"
#include "support/turns.h"

struct rig {
    struct tmp_dir dir;
    struct qn_loop *loop;
    struct fake_local *rows;
    struct qn_folder *folder;
    /* of the last verb */
    bool is_done;
    enum qn_err err;
    struct qn_entry_info entry;
    char name[256], kept[256];
    struct qn_buf text; /* what was read; the names of a listing, sorted, each with '\n' */
    size_t part_count, part_max;
    char failed[4096]; /* "path:error\n" of a recursive change */
    struct qn_folder_file *file;
    struct qn_folder_upload *upload;
};

void rig_init(struct rig *rig);
void rig_init_at(struct rig *rig, const char *path, const uint8_t *mark, bool has_rows);
void rig_open(struct rig *rig, const char *path, const uint8_t *mark, bool has_rows);
void rig_deinit(struct rig *rig);
#define RIG(name)                                                                                  \
    __attribute__((cleanup(rig_deinit))) struct rig name;                                          \
    rig_init(&name)

void rig_turn(struct rig *rig); /* one turn of the loop and of the rows */
void rig_wait(struct rig *rig); /* until is_done */
/* Callbacks that fill the rig. */
void rig_on_entry(void *context, enum qn_err err, const struct qn_entry_info *entry);
void rig_on_done(void *context, enum qn_err err);
void rig_on_upload(void *context, enum qn_err err, struct qn_folder_upload *upload);

enum qn_err rig_stat(struct rig *rig, const char *path);
enum qn_err rig_get(struct rig *rig, const char *path);
enum qn_err rig_list(struct rig *rig, const char *path);
enum qn_err rig_begin(struct rig *rig, const char *path, uint64_t size);
enum qn_err rig_write(struct rig *rig, struct qn_span bytes);
enum qn_err rig_commit(struct rig *rig, const struct qn_folder_expect *expect, int64_t modified_ns);
enum qn_err rig_commit_said(struct rig *rig, const struct qn_folder_expect *expect,
                            const struct qn_folder_said *said);
enum qn_err rig_put(struct rig *rig, const char *path, const char *text);
enum qn_err rig_mkdir(struct rig *rig, const char *path);
enum qn_err rig_remove(struct rig *rig, const char *path, const struct qn_folder_expect *expect);
enum qn_err rig_copy(struct rig *rig, const char *from, const char *to, bool overwrites);
enum qn_err rig_move(struct rig *rig, const char *from, const char *to, bool overwrites);
enum qn_err rig_copy_to(struct rig *rig, const char *from, const struct qn_folder_target *to);
enum qn_err rig_move_to(struct rig *rig, const char *from, const struct qn_folder_target *to);
enum qn_err rig_touch(struct rig *rig, const char *path, int64_t modified_ns);

/* Behind the folder's back. */
const char *rig_at(const struct rig *rig, const char *name, char out[TMP_PATH_SIZE]);
void rig_make(const struct rig *rig, const char *name, const char *text);
void rig_make_dir(const struct rig *rig, const char *name);
bool rig_is(const struct rig *rig, const char *name, const char *text); /* has that content */
bool rig_exists(const struct rig *rig, const char *name);
size_t rig_left_over(const struct rig *rig, const char *dir); /* hidden names in it */
