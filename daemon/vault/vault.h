/* A site's own vault on its disk, and everything that needs its keys: backup, listing, restore,
 * verification, forgetting, giving space back (docs/formats/vault.md, docs/backup.md).
 *
 *   DIR/packs/      the pool of packs (pool.h)
 *   DIR/snapshots/  NAME (sealed) and NAME.live (sorted pack names, in the clear)
 *   DIR/index/      LMDB: chunk id -> pack, offset, sizes. Off the heap, made again from the packs
 *                   when it is lost; never the authority. index.bad: the last one that was of no
 *                   use; index.rebuild: is there when the present one is not to be trusted
 *   DIR/lock        held while the vault is open
 *
 * Order of writes: pack, fdatasync, rename, fsync of the folder, index transaction, snapshot. The
 * snapshot's rename is the only commit point. A crash leaves orphans, never a dangling reference.
 * Removal in reverse. Nothing is locked in a way that a person has to undo.
 *
 * Calls block: they run on threads of their own (app/jobs), never on the loop thread. One writing
 * job (backup, prune, rebuild) at a time, by an internal lock; any number of readers beside it.
 * Memory is bounded by what is in flight, not by the number of files or chunks.
 */
#pragma once

#include <stdatomic.h>

#include "chunk/snapshot.h"
#include "vault/pool.h"
#include "vault/walk.h"

struct qn_vault;

struct qn_pack_read {
    const struct qn_pack_name *name;
    size_t offset, size;
    uint8_t *out;
    enum qn_err err; /* set by who reads */
};

/* Bytes of packs that are not in the local pool: from a holder. Blocking; called from the threads
 * of reading jobs, several at a time. QN_ERR_NOTFOUND, QN_ERR_CLOSED, QN_ERR_TIMEOUT. */
struct qn_pack_source {
    /* `size` bytes at `offset`. */
    enum qn_err (*read)(void *context, const struct qn_pack_name *name, size_t offset, size_t size,
                        uint8_t *out);
    /* Several, side by side: as long as one. NULL: one after the other. */
    void (*read_all)(void *context, struct qn_pack_read *reads, size_t count);
    /* Of a whole pack. NULL: packs that are not in the pool cannot be taken up by qn_vault_adopt,
     * only read if the index knows them. */
    enum qn_err (*size)(void *context, const struct qn_pack_name *name, size_t *ret_size);
    /* What came of a pack was not it: from now on it is asked of another holder. False: there is
     * no other one. NULL: there never is. */
    bool (*another)(void *context, const struct qn_pack_name *name);
    /* A pack of the pool was lost or damaged: it is whole again (QN_OK), or no copy of it could be
     * had. On a thread of a job or a reader. NULL: nobody wants to know. */
    void (*mended)(void *context, const struct qn_pack_name *name, enum qn_err err);
    void *context;
};

struct qn_vault_options {
    const char *dir;       /* made if missing, 0700 */
    const uint8_t *master; /* QN_MASTER_KEY_SIZE bytes, copied */
    uint32_t epoch;
    size_t pack_size;                    /* goal; 4 to 16 MiB by line speed */
    int level;                           /* of zstd */
    unsigned workers;                    /* threads that squeeze and seal; 0: by the cores */
    unsigned readers;                    /* threads that read ahead; 0: as many as workers */
    uint64_t map_size;                   /* of the index: address space */
    const struct qn_pack_source *source; /* NULL: the local pool only */
};

/* QN_ERR_BUSY: open elsewhere. QN_ERR_SIGNATURE: of another key. An unusable index is moved away
 * and made again; packs that the index does not know are taken up (their directories only): at most
 * 1 s after a crash. */
enum qn_err QN_CHECKED qn_vault_open(const struct qn_vault_options *options,
                                     struct qn_vault **ret_vault);
void qn_vault_close(struct qn_vault *vault);

/* Shared by a job and who watches it: written by one, read by the other at any time. */
struct qn_vault_progress {
    atomic_bool is_cancelled; /* set by the watcher: the job ends soon, with QN_ERR_CLOSED */
    _Atomic uint64_t files_done, files_total; /* total 0: not known yet */
    _Atomic uint64_t bytes_done, bytes_total;
    _Atomic uint64_t bytes_stored;
    _Atomic uint64_t errors;
};

/* Something that a person should know of: which file, and why. `what` is a stable code:
 * "unreadable", "changed", "vanished", "xattr", "stream" and the words of vault/backup.c for what a
 * walk cannot read, of a backup, with the file's absolute path; "store";
 * "bad-chunk", "missing-chunk" with the path of the file or empty, "bad-pack", "missing-pack",
 * "bad-snapshot" with the name in hexadecimal. Maybe on a thread of the job; one call at a time. */
typedef void (*qn_vault_report)(void *context, const char *what, struct qn_span path,
                                int errno_value);

struct qn_backup;

struct qn_backup_options {
    const char *plan, *site;
    struct qn_walk_options walk;
    /* Files that are not on the disk, such as the output of a command: absolute paths, ascending by
     * qn_path_cmp, none below another. What the disk has there makes way. May be alone (no
     * walk.paths). */
    const char *const *streams;
    size_t stream_count;
    /* The next bytes of one of them, at most `size`; none: it is whole. Blocks, but not for long
     * after the job was cancelled. QN_ERR_NOTFOUND: it cannot be had; it is left out and reported
     * as "stream". Another error ends the run. */
    enum qn_err (*read_stream)(void *context, size_t index, uint8_t *out, size_t size,
                               size_t *ret_size);
    uint64_t now_ms;
    uint64_t
        partial_every_ms; /* a partial snapshot at most so often while a run goes on; 0: none */
    uint64_t (*clock_ms)(void *context);
    struct qn_vault_progress *progress;
    qn_vault_report on_report;
    /* A file was read and is about to be looked at again: did it change meanwhile? */
    void (*on_file_read)(void *context, struct qn_span path);
    /* A pack, or a snapshot (also a partial one), became durable: it can travel. On a thread of the
     * job. */
    void (*on_pack)(void *context, const struct qn_pack_name *name, size_t size,
                    enum qn_pack_kind kind);
    void (*on_snapshot)(void *context, const struct qn_snapshot_name *name);
    /* What the site knows, which every snapshot of the run carries in a list of its own: calls
     * qn_backup_put for each file, before the walk. When it fails, that is reported ("store") and
     * the files are saved without it. NULL: nothing. */
    enum qn_err (*put_store)(void *context, struct qn_backup *backup);
    void *context;
};
/* A file of the list that put_store makes: its path is relative and above those before; its folders
 * are made. Copied. Errors are of the vault: they end the run, whatever put_store returns. */
enum qn_err QN_CHECKED qn_backup_put(struct qn_backup *backup, struct qn_span path,
                                     struct qn_span bytes);
/* With the next snapshot of a plan, its partial ones are forgotten. `ret_counts` is set in any
 * case. QN_ERR_CLOSED: cancelled, or the reading unit is gone. */
enum qn_err QN_CHECKED qn_vault_backup(struct qn_vault *vault,
                                       const struct qn_backup_options *options,
                                       struct qn_snapshot_name *ret_name,
                                       struct qn_backup_counts *ret_counts);

/* ---- snapshots ---- */
struct qn_snapshot_info {
    struct qn_snapshot_name name;
    struct qn_snapshot snapshot; /* paths borrow from `plain` */
    struct qn_buf plain;
};
typedef QN_VEC(struct qn_snapshot_info) qn_snapshot_vec;
/* All, or those of one plan (NULL: all), oldest first. A damaged one is reported and left out. */
enum qn_err QN_CHECKED qn_vault_snapshots(struct qn_vault *vault, const char *plan,
                                          qn_vault_report on_report, void *context,
                                          qn_snapshot_vec *out);
void qn_snapshots_sort(qn_snapshot_vec *snapshots); /* oldest first */
void qn_snapshots_deinit(qn_snapshot_vec *snapshots);
/* The sealed file and its list of packs (sorted names, 32 bytes each), for the way to a holder. */
enum qn_err QN_CHECKED qn_vault_snapshot_files(struct qn_vault *vault,
                                               const struct qn_snapshot_name *name,
                                               struct qn_buf *ret_sealed, struct qn_buf *ret_live);
/* Takes over a snapshot that came from a holder (recovery). Packs of its list that the index does
 * not know are taken up, from the pool or the source: their directories only. */
enum qn_err QN_CHECKED qn_vault_adopt(struct qn_vault *vault, struct qn_span sealed,
                                      struct qn_span live);
/* Instead of adopting it at once: a snapshot that says where its chunks are is read by that, and
 * `complete`, which adopts it, is called only when that is not enough: by a thread that reads,
 * once. Before anything of it is read. QN_ERR_NOTFOUND: it does not say. */
typedef enum qn_err (*qn_vault_complete_fn)(void *context);
enum qn_err QN_CHECKED qn_vault_hint(struct qn_vault *vault, const struct qn_snapshot *snapshot,
                                     qn_vault_complete_fn complete, void *context);
/* Opens a sealed snapshot; `plain` keeps what the spans of *ret_snapshot borrow from. */
enum qn_err QN_CHECKED qn_vault_snapshot_read(struct qn_vault *vault, struct qn_span sealed,
                                              struct qn_buf *plain,
                                              struct qn_snapshot *ret_snapshot);
enum qn_err QN_CHECKED qn_vault_forget(struct qn_vault *vault, const struct qn_snapshot_name *name);
struct qn_pool *qn_vault_pool(struct qn_vault *vault);

/* ---- reading ---- */

/* The same snapshot with the list of what the site knows in the place of its files, to be listed
 * and restored like them. QN_ERR_NOTFOUND: it carries none. */
enum qn_err QN_CHECKED qn_snapshot_of_store(const struct qn_snapshot *snapshot,
                                            struct qn_snapshot *ret_snapshot);
/* The list of a snapshot; chunks from the local pool, else from the source. Freed before the vault
 * is closed; one thread. */
enum qn_err QN_CHECKED qn_vault_list(struct qn_vault *vault, const struct qn_snapshot *snapshot,
                                     struct qn_tree_iter **ret_iter);
/* Writes the bytes of a file's content in order to `sink`, holes as (NULL, size). Every chunk is
 * checked against its id before it is handed out; reads ahead on the workers. */
typedef enum qn_err (*qn_content_sink)(void *context, const uint8_t *bytes, size_t size);
enum qn_err QN_CHECKED qn_vault_content(struct qn_vault *vault, const struct qn_entry *entry,
                                        uint64_t offset, qn_content_sink sink, void *context);

/* A restore is a stream of entries and their bytes, made for many small files: chunks are fetched
 * ahead, pack by pack, in parallel. Callbacks on the calling thread, in order of the list. */
struct qn_restore_options {
    const struct qn_snapshot *snapshot;
    const struct qn_span *paths; /* only what is at or below these; none: all */
    size_t path_count;
    struct qn_vault_progress *progress;
    qn_vault_report
        on_report; /* a chunk that no copy has: the file is left out, the rest goes on */
    enum qn_err (*on_entry)(void *context, const struct qn_entry *entry);
    qn_content_sink on_bytes; /* of the entry before; NULL: a hole */
    enum qn_err (*on_entry_end)(void *context, enum qn_err err); /* after a FILE's bytes */
    void *context;
};
/* A name of a file whose first name is not chosen comes as that file. QN_ERR_CORRUPT at the end: a
 * chunk of the list was lost, so entries may be missing. Errors of the callbacks end it. */
enum qn_err QN_CHECKED qn_vault_restore(struct qn_vault *vault,
                                        const struct qn_restore_options *options);

/* ---- proof and space ---- */

struct qn_verify_counts {
    uint64_t packs, bad_packs, chunks, bad_chunks, missing_chunks, snapshots, bytes;
    uint64_t repaired;  /* packs that were bad or lost, and were put right from a copy */
    uint64_t elsewhere; /* packs with bytes of files that are not here and were not looked at */
};
/* With a source, packs that are bad, and lost ones that a snapshot needs, are fetched from a copy
 * and count as whole then. Where more than QN_VERIFY_FETCH_MAX of bytes of files is lost, it is a
 * vault whose files are at holders only: those are left there, and counted; it is for
 * qn_vault_complete to bring them. Every snapshot's list and every chunk it names is in the index
 * and in a pack of the right size; with `reads_data` every pack against its name and every chunk
 * against its id. */
enum qn_err QN_CHECKED qn_vault_verify(struct qn_vault *vault, bool reads_data,
                                       struct qn_vault_progress *progress,
                                       qn_vault_report on_report, void *context,
                                       struct qn_verify_counts *ret_counts);

struct qn_prune_options {
    unsigned dead_percent; /* tolerated in all packs together: 10 */
    uint64_t dead_bytes;   /* tolerated in any case: less is not worth what is sent to holders */
    /* A pack that must stay as it is (locked at a holder, or being sent): never packed again. */
    bool (*is_pinned)(void *context, const struct qn_pack_name *name);
    struct qn_vault_progress *progress;
    void (*on_pack)(void *context, const struct qn_pack_name *name, size_t size,
                    enum qn_pack_kind kind);
    /* Live lists of kept snapshots changed because packs were written anew. */
    void (*on_relist)(void *context, const struct qn_snapshot_name *name);
    void *context;
};
struct qn_prune_counts {
    uint64_t packs_removed, packs_rewritten, bytes_freed, bytes_rewritten, bytes_dead_left;
};
/* Two phases: what nothing refers to is marked dead; what was dead already before the last
 * completed run is removed. Safe beside a crash at any point. */
enum qn_err QN_CHECKED qn_vault_prune(struct qn_vault *vault,
                                      const struct qn_prune_options *options,
                                      struct qn_prune_counts *ret_counts);
/* Tells every pack of the index that is here, or at a holder only. */
enum qn_err QN_CHECKED qn_vault_packs(struct qn_vault *vault,
                                      void (*on_pack)(void *context,
                                                      const struct qn_pack_name *name, size_t size,
                                                      enum qn_pack_kind kind),
                                      void *context);
struct qn_vault_sizes {
    uint64_t packs, pack_bytes, chunks, snapshots;
};
void qn_vault_sizes(struct qn_vault *vault, struct qn_vault_sizes *ret_sizes);
/* Fetches the packs that the index knows and the pool lacks, those of kind META only or `all`, from
 * the source. What no copy has is reported ("missing-pack") and counted in *ret_lost. Safe to stop
 * and to begin again. */
enum qn_err QN_CHECKED qn_vault_complete(struct qn_vault *vault, bool all,
                                         struct qn_vault_progress *progress,
                                         qn_vault_report on_report, void *context,
                                         uint64_t *ret_fetched, uint64_t *ret_lost);
/* Puts those of these packs (names joined) right from copies that are damaged or missing; one that
 * the index does not know was pruned, and is not brought back. QN_ERR_CLOSED: cancelled;
 * QN_ERR_UNSUPPORTED: there is no source of whole packs. */
struct qn_mend_counts {
    uint64_t repaired, whole, lost;
};
enum qn_err QN_CHECKED qn_vault_mend_packs(struct qn_vault *vault, struct qn_span names,
                                           struct qn_vault_progress *progress,
                                           struct qn_mend_counts *ret_counts);
/* Puts a good copy of a bad or lost pack back. QN_ERR_SIGNATURE: not that pack. */
enum qn_err QN_CHECKED qn_vault_repair(struct qn_vault *vault, const struct qn_pack_name *name,
                                       struct qn_span bytes);
