#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "crypto/digest.h"

#define HASH_SIZE 8 /* bytes of SHA-256 of the state folder's real path in the folder's name */

/* ---- the folder ---- */

/* Ours alone to write: nobody else may have put a watermark there. */
static bool is_own_folder(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static bool try_folder(const struct qn_buf *path)
{
    if (qn_buf_status(path) != QN_OK || path->data[0] != '/')
        return false;
    const char *text = (const char *)path->data;
    return qn_os_make_dir(text, 0700) == QN_OK && is_own_folder(text);
}

/* $RUNTIME_DIRECTORY may name several folders, separated by ':'; the first is ours. */
static bool try_service_folder(struct qn_buf *path)
{
    const char *folders = getenv("RUNTIME_DIRECTORY");
    if (folders == NULL || folders[0] == '\0')
        return false;
    qn_buf_append(path, folders, strcspn(folders, ":"));
    qn_buf_append_u8(path, 0);
    return try_folder(path);
}

static bool try_named_folder(struct qn_buf *path, const char *base, const struct qn_digest *hash)
{
    qn_buf_reset(path);
    if (base == NULL || base[0] == '\0')
        return false;
    qn_buf_append_str(path, base);
    qn_buf_append_str(path, "/quoin-");
    qn_text_append_hex(path, qn_span(hash->bytes, HASH_SIZE));
    qn_buf_append_u8(path, 0);
    return try_folder(path);
}

enum qn_err qn_os_runtime_dir(const char *state_dir, struct qn_buf *ret_path)
{
    QN_AUTO_BUF struct qn_buf path;
    qn_buf_init(&path, PATH_MAX);
    QN_AUTO_FREE char *state = realpath(state_dir, NULL);
    if (state == NULL)
        return qn_os_err(errno);
    struct qn_digest hash;
    QN_DIGEST(&hash, qn_span_str(state));
    if (!try_service_folder(&path) && !try_named_folder(&path, "/run", &hash) &&
        !try_named_folder(&path, getenv("XDG_RUNTIME_DIR"), &hash))
        return QN_ERR_NOTFOUND;
    qn_buf_append_str(ret_path, (const char *)path.data);
    return qn_buf_status(ret_path);
}

/* ---- the watermark ---- */

struct qn_os_watermark {
    _Atomic uint64_t *value; /* in the mapping */
};

/* Memory is set aside here: a full runtime file system is an error now, not a fault of the bus at
 * some later store. */
static enum qn_err prepare(int fd)
{
    int code = posix_fallocate(fd, 0, sizeof(uint64_t));
    if (code != 0)
        return qn_os_err(code);
    return fchmod(fd, 0600) == 0 ? QN_OK : qn_os_err(errno);
}

static enum qn_err map_value(int fd, _Atomic uint64_t **ret_value)
{
    void *memory = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return qn_os_err(errno);
    *ret_value = memory;
    return QN_OK;
}

enum qn_err qn_os_watermark_open(const char *path, struct qn_os_watermark **ret_mark)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return qn_os_err(errno);
    _Atomic uint64_t *value = NULL;
    enum qn_err err = prepare(fd);
    if (err == QN_OK)
        err = map_value(fd, &value);
    close(fd); /* the mapping stays */
    if (err != QN_OK)
        return err;
    struct qn_os_watermark *mark = QN_NEW(struct qn_os_watermark);
    mark->value = value;
    *ret_mark = mark;
    return QN_OK;
}

uint64_t qn_os_watermark_get(const struct qn_os_watermark *mark)
{
    return atomic_load(mark->value);
}

void qn_os_watermark_set(struct qn_os_watermark *mark, uint64_t value)
{
    if (value > atomic_load(mark->value))
        atomic_store(mark->value, value);
}

void qn_os_watermark_free(struct qn_os_watermark *mark)
{
    if (mark == NULL)
        return;
    munmap(mark->value, sizeof(uint64_t));
    qn_free(mark);
}
