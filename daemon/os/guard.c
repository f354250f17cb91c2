#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "crypto/digest.h"

#define GUARD_DOMAIN    "quoin guard 1"
#define PART_SIZE_MAX   4096
#define GUARD_SIZE_MAX  (4 * PART_SIZE_MAX)
#define BOOT_ID_PATH    "/proc/sys/kernel/random/boot_id"
#define MACHINE_ID_PATH "/etc/machine-id"
/* QEMU's blob, readable where the administrator allows it; the kernel gives no other way. */
#define GENERATION_PATH "/sys/firmware/qemu_fw_cfg/by_name/etc/vmgenid_guid/raw"

static void append_part(struct qn_buf *out, struct qn_span part)
{
    qn_buf_append_u32(out, (uint32_t)part.size);
    qn_buf_append_span(out, part);
}

static enum qn_err append_file(struct qn_buf *out, const char *path)
{
    QN_AUTO_BUF struct qn_buf content;
    qn_buf_init(&content, PART_SIZE_MAX);
    QN_TRY(qn_os_read_file(path, PART_SIZE_MAX, &content));
    append_part(out, qn_buf_view(&content));
    return QN_OK;
}

/* A part that some machines do not have, or hide: absent is a value like another, and a change from
 * one to the other only costs a new incarnation. */
static void append_optional(struct qn_buf *out, const char *path)
{
    if (append_file(out, path) != QN_OK)
        append_part(out, qn_span(NULL, 0));
}

static enum qn_err append_identity(struct qn_buf *out, const char *path)
{
    struct statx status;
    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &status) != 0)
        return qn_os_err(errno);
    bool has_birth = status.stx_mask & STATX_BTIME;
    qn_buf_append_u32(out, status.stx_dev_major);
    qn_buf_append_u32(out, status.stx_dev_minor);
    qn_buf_append_u64(out, status.stx_ino);
    qn_buf_append_u64(out, has_birth ? (uint64_t)status.stx_btime.tv_sec : 0);
    qn_buf_append_u32(out, has_birth ? status.stx_btime.tv_nsec : 0);
    return QN_OK;
}

enum qn_err qn_os_guard(const char *data_path, uint8_t ret_guard[32])
{
    QN_AUTO_BUF struct qn_buf parts;
    qn_buf_init(&parts, GUARD_SIZE_MAX);
    append_part(&parts, qn_span_str(GUARD_DOMAIN));
    QN_TRY(append_file(&parts, BOOT_ID_PATH));
    append_optional(&parts, MACHINE_ID_PATH);
    QN_TRY(append_identity(&parts, data_path));
    append_optional(&parts, GENERATION_PATH);
    QN_TRY(qn_buf_status(&parts));
    struct qn_digest digest;
    QN_DIGEST(&digest, qn_buf_view(&parts));
    memcpy(ret_guard, digest.bytes, sizeof(digest.bytes));
    return QN_OK;
}

void qn_os_boot(uint8_t ret_boot[32])
{
    QN_AUTO_BUF struct qn_buf id;
    struct qn_digest digest = {0};
    qn_buf_init(&id, PART_SIZE_MAX);
    if (qn_os_read_file(BOOT_ID_PATH, PART_SIZE_MAX, &id) == QN_OK)
        QN_DIGEST(&digest, qn_buf_view(&id));
    memcpy(ret_boot, digest.bytes, sizeof(digest.bytes));
}
