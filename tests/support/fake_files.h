/* Pools of packs in memory, for tests of the core: carries out file work as app/files.c does. No
 * Criterion. */
#pragma once

#include "base/vec.h"
#include "core/job.h"

struct fake_file {
    struct qn_site_id owner;
    struct qn_pack_name name;
    struct qn_buf bytes;
    bool is_whole;
};

struct fake_files {
    QN_VEC(struct fake_file) items;
    uint64_t free_bytes;
    enum qn_err append_err;           /* if it is set: of each append */
    enum qn_err remove_err, read_err; /* likewise; of each read and each proof */
    bool are_parts_old; /* nothing here knows when one grew: a sweep removes all or none */
    size_t appended;    /* bytes, in all */
    size_t count;       /* pieces of work that were carried out */
};

void fake_files_deinit(struct fake_files *files);
/* *ret_result is released by qn_file_result_deinit. */
void fake_files_run(struct fake_files *files, const struct qn_file_work *work,
                    struct qn_file_result *ret_result);
/* NULL: neither whole nor in part. */
struct fake_file *fake_files_find(struct fake_files *files, const struct qn_site_id *owner,
                                  const void *name);
size_t fake_files_parts(const struct fake_files *files);
/* The power goes: a part loses its second half, a whole file nothing. */
void fake_files_crash(struct fake_files *files);
