/* The site's own store in its vault: every snapshot carries a copy of it (store/copy.h), and a
 * machine that lost everything gets it back from the vault. Job threads, or a program without a
 * loop; calls block.
 */
#pragma once

#include "store/copy.h"
#include "vault/vault.h"

/* For qn_backup_options.put_store: puts the pieces of the store's copy. */
enum qn_err QN_CHECKED qn_site_store_put(struct qn_store *store, struct qn_backup *backup);

/* Writes the copy of the newest snapshot that carries one, of any plan, as a new store in the
 * folder options->path; `ret_ms` is when that snapshot was begun. Durable and whole, or the folder
 * is not there: it is made as "PATH.new", which a run before may have left, and renamed.
 * QN_ERR_EXISTS: there is a folder or file. QN_ERR_NOTFOUND: no snapshot carries a copy. Others: as
 * reading the vault, and qn_store_load_piece. When the daemon starts with it, it finds that another
 * machine wrote it, and draws a new incarnation (app/machine.h). */
enum qn_err QN_CHECKED qn_site_store_restore(struct qn_vault *vault,
                                             const struct qn_store_options *options,
                                             uint64_t *ret_ms);
/* Removes such a folder, also one that was half made. Fine if there is none. */
enum qn_err QN_CHECKED qn_site_store_remove(const char *path);
