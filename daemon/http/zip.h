/* Writes a ZIP archive as a stream: contents as they are (stored), names in UTF-8, sizes and
 * numbers beyond those of the old format in that of ZIP64 (APPNOTE.TXT 6.3.10). What a content's
 * checksum is follows behind it. Pure.
 *
 *   qn_zip_new ── (qn_zip_entry ── qn_zip_content* ── qn_zip_entry_end)* ── qn_zip_end
 *
 * Each call appends to `out` what has to be sent; contents themselves are sent by the caller. Kept
 * in memory is the archive's directory, up to QN_ZIP_DIRECTORY_SIZE_MAX.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define QN_ZIP_DIRECTORY_SIZE_MAX ((size_t)32 * 1024 * 1024)

struct qn_zip;

struct qn_zip *qn_zip_new(void);
void qn_zip_free(struct qn_zip *zip); /* accepts NULL */

struct qn_zip_entry {
    struct qn_span path; /* names joined by '/' */
    bool is_directory;
    uint64_t size; /* of the content that will follow */
    int64_t modified_s;
};
/* QN_ERR_LIMIT: the path, or the directory, is too long; nothing was written, the archive can be
 * ended without it. */
enum qn_err QN_CHECKED qn_zip_entry(struct qn_zip *zip, const struct qn_zip_entry *entry,
                                    struct qn_buf *out);
void qn_zip_content(struct qn_zip *zip, struct qn_span bytes);
/* QN_ERR_STATE: the content was not as long as was said; the archive is broken. */
enum qn_err QN_CHECKED qn_zip_entry_end(struct qn_zip *zip, struct qn_buf *out);
/* Gives the archive's directory piece by piece, so that `out` stays small; false: that was all. */
bool qn_zip_end(struct qn_zip *zip, struct qn_buf *out);

/* CRC-32 (ISO 3309) of bytes behind those that gave `crc`; 0 at first. */
uint32_t qn_crc32(uint32_t crc, struct qn_span bytes);
