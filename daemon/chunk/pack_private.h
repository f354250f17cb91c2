/* The layout of a pack, for its writer and its reader (docs/formats/vault.md). */
#pragma once

#include "chunk/head.h"
#include "chunk/pack.h"

#define QN_PACK_MAGIC "QNPACK01"

/* kind u8 | is squeezed u8 | raw size u32 | stored size u32 | id (32) */
#define QN_BLOB_RECORD_SIZE 42
#define QN_BLOB_HEADER_SIZE (QN_BLOB_RECORD_SIZE + QN_AEAD_TAG_SIZE)
/* Offset, sealed size and count of the directory, u32 each; zeros. */
#define QN_PACK_TRAILER_PLAIN_SIZE (QN_PACK_TRAILER_SIZE - QN_AEAD_TAG_SIZE)
/* A header's kind where the blobs end: its sizes are those of the zeros behind it. */
#define QN_BLOB_END 0

/* What a sealed region is; part of its associated data. Stored: never renumber. */
enum qn_pack_region {
    QN_REGION_HEADER = 1,
    QN_REGION_BODY = 2,
    QN_REGION_PADDING = 3,
    QN_REGION_DIRECTORY = 4,
    QN_REGION_TRAILER = 5,
    QN_REGION_SNAPSHOT = 6, /* of a snapshot's file: all that is behind its head */
};

/* Associated data of a region: the head of the file, and which kind of region it is. */
struct qn_pack_aad {
    uint8_t head[QN_PACK_HEAD_SIZE];
    uint8_t region;
};

static inline struct qn_span qn_pack_aad(struct qn_pack_aad *aad, enum qn_pack_region region)
{
    aad->region = (uint8_t)region;
    return qn_span(aad, sizeof(*aad));
}
_Static_assert(sizeof(struct qn_pack_aad) == QN_PACK_HEAD_SIZE + 1, "no holes");

void qn_blob_record_write(const struct qn_blob *blob, uint8_t out[QN_BLOB_RECORD_SIZE]);
/* Leaves `offset` zero. QN_ERR_NOTFOUND: it is the end of the blobs. QN_ERR_CORRUPT: unknown kind,
 * sizes beyond the limits or that contradict each other. */
enum qn_err QN_CHECKED qn_blob_record_read(const uint8_t record[QN_BLOB_RECORD_SIZE],
                                           struct qn_blob *ret_blob);
/* Whether such a blob may be in a pack. */
bool qn_blob_is_possible(const struct qn_blob *blob);

/* Bytes of a pack whose blobs end at `blobs_end`, without padding. */
size_t qn_pack_size_bare(size_t blobs_end, size_t blob_count);
/* The next size that is not below `size` and has few significant bits, at most 12 % more and 3 %
 * from 64 KiB on: Padme (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", PETS
 * 2019, section 4). */
size_t qn_padme(size_t size);
