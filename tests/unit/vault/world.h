/* A folder with a source tree, a vault and a place to restore to; and a restorer that writes what a
 * vault hands out. For the tests of the vault.
 */
#pragma once

#include "base/prng.h"
#include "support/tmp_dir.h"
#include "vault/vault.h"

#define WORLD_REPORTS_MAX 64

struct world {
    struct tmp_dir dir;
    char source[TMP_PATH_SIZE], vault_dir[TMP_PATH_SIZE], out[TMP_PATH_SIZE];
    struct qn_vault *vault;
    struct qn_prng prng;
    uint64_t now_ms;
    struct qn_pack_source pack_source;
    bool has_pack_source;
    size_t pack_size;
    /* What was reported, by any job. */
    char what[WORLD_REPORTS_MAX][24];
    char paths[WORLD_REPORTS_MAX][256];
    size_t report_count;
    /* Called after each file was read, if set. */
    void (*on_file_read)(struct world *world, const char *path);
    size_t packs_told, snapshots_told;
    char restored[4 * TMP_PATH_SIZE];
};

void world_init(struct world *world);
void world_deinit(struct world *world);
#define WORLD                                                                                      \
    __attribute__((cleanup(world_deinit))) struct world w;                                         \
    world_init(&w)

enum qn_err world_try_open(struct world *world);
void world_open(struct world *world);
void world_close(struct world *world);
void world_reopen(struct world *world);

/* ---- source trees ---- */
/* A path below the source; `out` of TMP_PATH_SIZE. */
const char *world_at(const struct world *world, const char *name, char *out);
void world_mkdir(struct world *world, const char *name);
void world_write(struct world *world, const char *name, const void *bytes, size_t size);
/* `size` random bytes, from the world's generator. */
void world_random_file(struct world *world, const char *name, size_t size);
/* Folders, files of many sizes, repetitions, empty ones. */
void world_fill(struct world *world, size_t files);

/* ---- jobs: they succeed or the test fails ---- */
struct qn_backup_options world_backup_options(struct world *world);
struct qn_backup_counts world_backup(struct world *world, struct qn_snapshot_name *ret_name);
struct qn_verify_counts world_verify(struct world *world, bool reads_data);
struct qn_prune_counts world_prune(struct world *world, unsigned dead_percent);
/* Restores the newest snapshot below world->out, which is emptied before, as the root would be. */
void world_restore(struct world *world);
/* Where a name of the source was restored to; valid until the next call. */
const char *world_restored(struct world *world, const char *name);
enum qn_err world_try_restore(struct world *world, const struct qn_snapshot *snapshot,
                              const struct qn_span *paths, size_t count);
/* Whether the newest snapshot has an entry for a name of the source. */
bool world_is_listed(struct world *world, const char *name);
void world_report(void *world, const char *what, struct qn_span path, int errno_value);
bool world_was_reported(const struct world *world, const char *what, const char *path_end);

/* ---- comparing ---- */
/* Digest of everything that a restore gives back: names, types, modes, owners, times, contents,
 * holes, links, attributes. */
struct qn_digest world_digest(const char *path);
void world_remove(const char *path);
/* The source and what was restored of it are the same. */
void world_check_restored(struct world *world);
size_t world_count_packs(struct world *world);
/* Path of a pack's file. */
const char *world_pack_path(const struct world *world, const struct qn_pack_name *name, char *out);
void world_flip(const char *path, long offset); /* negative: from the end */
