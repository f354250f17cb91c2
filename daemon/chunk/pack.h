/* Packs: files of sealed blobs, written once, named by SHA-256 of their bytes (docs/formats/
 * vault.md has the byte table). Whoever holds one sees a size (padded) and a name, and can scrub
 * and copy it; only the owner's keys open it. No length of a blob is visible.
 *
 *   head:      64 bytes in the clear: magic "QNPACK01", kind, epoch, salt, key check (head.h)
 *   blobs:     each a sealed header of fixed size (kind, id, raw size, stored size, is squeezed),
 *              then the sealed body. The nonce counter of a sealed region is its offset.
 *   padding:   a sealed header that says so, and sealed zeros, so that the pack has a Padme size
 *   directory: sealed list of the headers of all blobs; the copy that is read first
 *   trailer:   64 bytes at the very end, sealed: where the directory is
 * A lost or damaged directory is made again by a forward scan of the blobs. Pure.
 */
#pragma once

#include "base/buf.h"
#include "base/vec.h"
#include "chunk/keys.h"
#include "chunk/squeeze.h"
#include "crypto/aead.h"

#define QN_PACK_HEAD_SIZE    64
#define QN_PACK_TRAILER_SIZE 64
#define QN_PACK_GOAL_MAX     (16 * 1024 * 1024)
#define QN_PACK_SIZE_MAX     (16 * 1024 * 1024 + 4 * 1024 * 1024) /* read from anywhere */
#define QN_BLOB_SIZE_MAX     (2 * 1024 * 1024)                    /* raw; QN_CHUNK_SIZE_MAX */
#define QN_PACK_BLOBS_MAX    65536

enum qn_pack_kind { /* stored: never renumber */
                    QN_PACK_DATA = 1,
                    QN_PACK_META = 2,
};

enum qn_blob_kind {                       /* stored: never renumber */
                    QN_BLOB_DATA = 1,     /* bytes of a file */
                    QN_BLOB_MANIFEST = 2, /* ids of a large file's chunks (tree.h) */
                    QN_BLOB_LEAF = 3,     /* entries of a snapshot's file list (tree.h) */
                    QN_BLOB_NODE = 4,     /* fan-out index over leaves or nodes (tree.h) */
                    QN_BLOB_PLACES = 5,   /* where what a chunk of a list names is (places.h) */
};

struct qn_pack_name {
    uint8_t bytes[32]; /* SHA-256 of the pack */
};

struct qn_blob {
    struct qn_chunk_id id;
    enum qn_blob_kind kind;
    uint32_t offset;      /* of the sealed header in the pack */
    uint32_t stored_size; /* sealed body without its tag */
    uint32_t raw_size;
    bool is_squeezed;
};
typedef QN_VEC(struct qn_blob) qn_blob_vec;

/* Bytes of a blob in a pack, from its offset: sealed header and sealed body. */
size_t qn_blob_span_size(const struct qn_blob *blob);

/* ---- writing ---- */

struct qn_packer;
/* `size_goal`: a pack is full when the next blob would exceed it (4 to 16 MiB; padding may add 3
 * %). One buffer of that size. Keys borrowed. */
struct qn_packer *qn_packer_new(const struct qn_vault_keys *keys, size_t size_goal);
void qn_packer_free(struct qn_packer *packer); /* accepts NULL */
/* Begins a pack, also instead of one that was not finished. `salt` is fresh randomness, never used
 * before: nonces repeat with it. */
void qn_packer_start(struct qn_packer *packer, enum qn_pack_kind kind, const uint8_t salt[32]);
/* False: there is no room; finish this one first. An empty pack has room for any blob. */
bool qn_packer_has_room(const struct qn_packer *packer, size_t stored_size);
/* Bytes of the largest blob that there is room for, but for the empty pack's. */
size_t qn_packer_room(const struct qn_packer *packer);
/* Seals one blob into the pack: encrypts from `stored`, the raw or the squeezed form, and nothing
 * else. *ret_blob is where it is. QN_ERR_LIMIT: no room, or larger than QN_BLOB_SIZE_MAX;
 * QN_ERR_INVALID: the sizes contradict each other. Then nothing was added. */
enum qn_err QN_CHECKED qn_packer_add(struct qn_packer *packer, enum qn_blob_kind kind,
                                     const struct qn_chunk_id *id, struct qn_span stored,
                                     size_t raw_size, bool is_squeezed, struct qn_blob *ret_blob);
size_t qn_packer_count(const struct qn_packer *packer);
/* Pads, writes directory and trailer, names it (hashes all of it). The views are valid until the
 * next start. QN_ERR_STATE: there is no blob. */
enum qn_err QN_CHECKED qn_packer_finish(struct qn_packer *packer, struct qn_span *ret_bytes,
                                        struct qn_pack_name *ret_name,
                                        const struct qn_blob **ret_blobs, size_t *ret_count);

/* ---- reading: any bytes are safe ---- */

/* Contexts for opening; reused from pack to pack; one thread at a time. Keys borrowed. */
struct qn_unpacker;
struct qn_unpacker *qn_unpacker_new(const struct qn_vault_keys *keys);
void qn_unpacker_free(struct qn_unpacker *unpacker); /* accepts NULL */
/* Takes the first QN_PACK_HEAD_SIZE bytes; the calls below are about that pack then, and a bug
 * before a start that succeeded. QN_ERR_INVALID: not a pack; QN_ERR_SIGNATURE: of other keys;
 * QN_ERR_UNSUPPORTED: a newer form or another epoch. */
enum qn_err QN_CHECKED qn_unpacker_start(struct qn_unpacker *unpacker, struct qn_span head,
                                         enum qn_pack_kind *ret_kind);
/* From the last QN_PACK_TRAILER_SIZE bytes of a pack of pack_size: where its directory is.
 * QN_ERR_LIMIT: no pack is so large; QN_ERR_SIGNATURE, QN_ERR_CORRUPT. */
enum qn_err QN_CHECKED qn_unpacker_trailer(struct qn_unpacker *unpacker, struct qn_span trailer,
                                           size_t pack_size, size_t *ret_offset, size_t *ret_size);
/* Replaces what is in `out` by the blobs in order; empty after an error. `sealed`: ret_size bytes
 * at ret_offset. QN_ERR_SIGNATURE, QN_ERR_CORRUPT. */
enum qn_err QN_CHECKED qn_unpacker_directory(struct qn_unpacker *unpacker, size_t offset,
                                             struct qn_span sealed, qn_blob_vec *out);
/* The blob whose sealed header begins at *offset of the whole pack (the first: QN_PACK_HEAD_SIZE);
 * advances to the next. QN_ERR_NOTFOUND: no more blobs (padding begins). For rebuilding what lost
 * its directory. The body is not opened. QN_ERR_SIGNATURE: no header is there (*offset stays;
 * behind damage the next one can be looked for byte by byte); QN_ERR_CORRUPT: it is cut. */
enum qn_err QN_CHECKED qn_unpacker_scan(struct qn_unpacker *unpacker, struct qn_span pack,
                                        size_t *offset, struct qn_blob *ret_blob);
/* Opens a blob from its qn_blob_span_size bytes and writes its raw_size bytes: header against
 * `blob`, tag, decompression. With `mac` (of the id key; NULL: without) its id too. `blob` may come
 * from an index that is wrong. QN_ERR_SIGNATURE or QN_ERR_CORRUPT: `out` holds nothing of use. */
enum qn_err QN_CHECKED qn_unpacker_blob(struct qn_unpacker *unpacker, const struct qn_blob *blob,
                                        struct qn_span bytes, struct qn_mac *mac, uint8_t *out);
