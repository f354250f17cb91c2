#include "files/etag.h"

#include <stdio.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "os/os.h"

#define SECOND_NS        INT64_C(1000000000)
#define STEP_MAX_NS      (SECOND_NS / 10) /* of any kernel's clock, generously */
#define COARSE_NS        (2 * SECOND_NS)  /* of file systems that keep no fractions */
#define TAG_BYTES        16
#define ROW_VERSION      1
#define ROW_VERSION_WEAK 2 /* ends with weak digests */

int64_t time_ns(const struct statx_timestamp *time)
{
    if (time->tv_sec >= INT64_MAX / SECOND_NS)
        return INT64_MAX;
    if (time->tv_sec <= INT64_MIN / SECOND_NS)
        return INT64_MIN + 1;
    return time->tv_sec * SECOND_NS + time->tv_nsec;
}

const struct qn_weak_digests *row_weak(const struct row *row)
{
    return row->has_weak ? &row->weak : NULL;
}

bool row_make(const struct statx *status, const uint8_t digest[32],
              const struct qn_weak_digests *weak, struct row *ret_row)
{
    struct row row = {
        .inode = status->stx_ino,
        .size = status->stx_size,
        .modified_ns = time_ns(&status->stx_mtime),
        .changed_ns = time_ns(&status->stx_ctime),
        .has_weak = weak != NULL,
    };
    memcpy(row.digest, digest, sizeof(row.digest));
    if (weak != NULL)
        row.weak = *weak;
    *ret_row = row;
    return row.modified_ns != row.changed_ns;
}

bool row_holds_but_changed(const struct row *row, const struct statx *status)
{
    return row != NULL && S_ISREG(status->stx_mode) && row->inode == status->stx_ino &&
           row->size == status->stx_size && row->modified_ns == time_ns(&status->stx_mtime);
}

bool row_holds(const struct row *row, const struct statx *status)
{
    return row_holds_but_changed(row, status) && row->changed_ns == time_ns(&status->stx_ctime);
}

size_t row_pack(const struct row *row, uint8_t out[ROW_SIZE_MAX])
{
    out[0] = row->has_weak ? ROW_VERSION_WEAK : ROW_VERSION;
    qn_write_u64(out + 1, row->inode);
    qn_write_u64(out + 9, row->size);
    qn_write_u64(out + 17, (uint64_t)row->modified_ns);
    qn_write_u64(out + 25, (uint64_t)row->changed_ns);
    memcpy(out + 33, row->digest, sizeof(row->digest));
    if (!row->has_weak)
        return ROW_SIZE;
    memcpy(out + ROW_SIZE, &row->weak, sizeof(row->weak));
    return ROW_SIZE_MAX;
}

bool row_unpack(struct qn_span bytes, struct row *ret_row)
{
    bool has_weak = bytes.size == ROW_SIZE_MAX && bytes.data[0] == ROW_VERSION_WEAK;
    if (!has_weak && (bytes.size != ROW_SIZE || bytes.data[0] != ROW_VERSION))
        return false;
    ret_row->inode = qn_read_u64(bytes.data + 1);
    ret_row->size = qn_read_u64(bytes.data + 9);
    ret_row->modified_ns = (int64_t)qn_read_u64(bytes.data + 17);
    ret_row->changed_ns = (int64_t)qn_read_u64(bytes.data + 25);
    memcpy(ret_row->digest, bytes.data + 33, sizeof(ret_row->digest));
    ret_row->has_weak = has_weak;
    if (has_weak)
        memcpy(&ret_row->weak, bytes.data + ROW_SIZE, sizeof(ret_row->weak));
    return true;
}

static void print_tag(char kind, const uint8_t bytes[TAG_BYTES], char out[QN_ETAG_SIZE_MAX])
{
    static const char digits[] = "0123456789abcdef";
    char *at = out;
    *at++ = '"';
    *at++ = kind;
    for (size_t i = 0; i < TAG_BYTES; i++) {
        *at++ = digits[bytes[i] >> 4];
        *at++ = digits[bytes[i] & 15];
    }
    *at++ = '"';
    *at = '\0';
}

/* May it change again without its times moving? Both ways: the clock may have been set back. */
static bool is_fresh(const struct statx *status, int64_t now_ns)
{
    bool is_coarse = status->stx_ctime.tv_nsec == 0 && status->stx_mtime.tv_nsec == 0;
    int64_t step = is_coarse ? COARSE_NS : STEP_MAX_NS, changed = time_ns(&status->stx_ctime);
    return changed > now_ns - step && changed < now_ns + step;
}

static void print_tag_of_status(const struct statx *status, char out[QN_ETAG_SIZE_MAX])
{
    uint8_t bytes[32];
    struct qn_digest digest;
    qn_write_u64(bytes, status->stx_ino);
    qn_write_u64(bytes + 8, status->stx_size);
    qn_write_u64(bytes + 16, (uint64_t)time_ns(&status->stx_mtime));
    qn_write_u64(bytes + 24, (uint64_t)time_ns(&status->stx_ctime));
    QN_DIGEST(&digest, QN_SPAN_OF(bytes));
    print_tag('s', digest.bytes, out);
}

static void print_etag(const struct statx *status, const struct row *row, int64_t now_ns,
                       char out[QN_ETAG_SIZE_MAX])
{
    uint8_t once[TAG_BYTES];
    if (row_holds(row, status)) {
        print_tag('c', row->digest, out);
    } else if (is_fresh(status, now_ns)) {
        qn_os_random(once, sizeof(once));
        print_tag('u', once, out);
    } else {
        print_tag_of_status(status, out);
    }
}

void entry_describe(const struct statx *status, const struct row *row, int64_t now_ns,
                    struct qn_span name, struct qn_entry_info *ret_entry)
{
    bool has_birth = (status->stx_mask & STATX_BTIME) != 0;
    struct qn_entry_info entry = {
        .name = name,
        .is_directory = is_directory(status),
        .modified_ns = time_ns(&status->stx_mtime),
        .created_ns = time_ns(has_birth ? &status->stx_btime : &status->stx_mtime),
    };
    if (!entry.is_directory) {
        entry.size = status->stx_size;
        entry.has_digest = row_holds(row, status);
        if (entry.has_digest)
            memcpy(entry.digest, row->digest, sizeof(entry.digest));
        entry.has_weak = entry.has_digest && row->has_weak;
        if (entry.has_weak)
            entry.weak = row->weak;
        print_etag(status, row, now_ns, entry.etag);
    }
    *ret_entry = entry;
}

enum qn_err entry_judge(const struct qn_folder_expect *expect, const struct statx *status,
                        const struct row *row, int64_t now_ns)
{
    char etag[QN_ETAG_SIZE_MAX];
    bool exists = status != NULL;
    if ((expect->must_exist && !exists) || (expect->must_not_exist && exists))
        return QN_ERR_CONFLICT;
    if (expect->etag[0] == '\0')
        return QN_OK;
    if (!exists || is_directory(status))
        return QN_ERR_CONFLICT;
    print_etag(status, row, now_ns, etag);
    return strcmp(etag, expect->etag) == 0 ? QN_OK : QN_ERR_CONFLICT;
}
