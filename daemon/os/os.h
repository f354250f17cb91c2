/* The operating system's edge that everything shares: clocks, randomness, files that survive a
 * power cut, one instance per state directory, and the question whether this machine is still the
 * one that wrote the store. Thread: any, unless said otherwise.
 */
#pragma once

#include <pthread.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* What an errno value means to Quoin: the one place where they are translated. Never QN_OK. */
enum qn_err qn_os_err(int code);

uint64_t qn_os_wall_ms(void); /* since 1970 */
uint64_t qn_os_boot_ms(void); /* CLOCK_BOOTTIME: counts sleep, never jumps */
/* Whether something keeps the wall clock right (NTP): true, false, or the system does not say. */
enum qn_os_sync { QN_OS_SYNC_UNKNOWN, QN_OS_SYNC_NO, QN_OS_SYNC_YES };
enum qn_os_sync qn_os_clock_sync(void);
/* Local time minus UTC at that moment, in seconds. */
int32_t qn_os_offset_s(uint64_t wall_ms);
/* Size of the file system that `path` is on; 0 if it cannot be asked. */
uint64_t qn_os_disk_bytes(const char *path);
void qn_os_random(void *out, size_t size); /* getrandom; never fails once the system has booted */

/* A thread to which no signal comes: they are the affair of who starts it. 0 or an errno value. */
int qn_os_start_thread(pthread_t *ret_thread, void *(*run)(void *context), void *context);

/* Appends a whole regular file of at most size_max bytes to `out`. QN_ERR_DENIED: a link or a
 * special file, which is never waited for. QN_ERR_LIMIT: longer, or more than `out` may hold. */
enum qn_err QN_CHECKED qn_os_read_file(const char *path, size_t size_max, struct qn_buf *out);
/* Replaces a file durably: temporary file in the same folder, fsync, rename, fsync of the folder.
 * A crash leaves the old or the new content. Not twice at once for one path. */
enum qn_err QN_CHECKED qn_os_replace_file(const char *path, struct qn_span content, unsigned mode);
enum qn_err QN_CHECKED qn_os_make_dir(const char *path,
                                      unsigned mode); /* exists: fine; fsyncs parent */
/* Makes the names in a folder durable: after files were made or renamed in it by other means. */
enum qn_err QN_CHECKED qn_os_sync_dir(const char *path);

#define QN_OS_ACL_MAX 64
struct qn_os_acl_member {
    bool is_group;
    uint32_t id;
};
struct qn_os_acl {
    unsigned owner_bits, bits; /* 4 read, 2 write, 1 enter; `bits`: of group and members */
    const struct qn_os_acl_member *members;
    size_t count; /* at most QN_OS_ACL_MAX; 0: the list goes, and the mode stays */
};
/* Lets members in beside the owner and the group of a path, and nobody else. QN_ERR_UNSUPPORTED:
 * the file system has no such lists. QN_ERR_INVALID: this process cannot name one of them (a user
 * namespace, such as PrivateUsers= of a unit, hides them). */
enum qn_err QN_CHECKED qn_os_set_acl(const char *path, const struct qn_os_acl *acl);

/* Programs that are started do not get it. For descriptors of libraries that leave that out. */
enum qn_err QN_CHECKED qn_os_close_on_exec(int fd);

/* The file system of that file has less than a mebibyte left for this process. */
bool qn_os_is_full(int fd);

/* One holder per path, for the life of the process, released by the kernel after a crash.
 * QN_ERR_BUSY if another process, or this one, has it. The file stays behind, empty. */
struct qn_os_lock;
enum qn_err QN_CHECKED qn_os_lock_take(const char *path, struct qn_os_lock **ret_lock);
void qn_os_lock_free(struct qn_os_lock *lock);

/* SHA-256 over {boot id, machine id, device, inode and birth time of `data_path`, VM generation id
 * if there is one}: differs after a restore, a copy or a reboot (RECORDS 1.5, "restored machine").
 */
enum qn_err QN_CHECKED qn_os_guard(const char *data_path, uint8_t ret_guard[32]);
/* SHA-256 of the boot's id: the same until the machine boots again. All zero if the system does not
 * tell: then every boot is taken for the same one. */
void qn_os_boot(uint8_t ret_boot[32]);
/* The runtime folder for a state directory: $RUNTIME_DIRECTORY, else /run/quoin-<hash of the path>,
 * else $XDG_RUNTIME_DIR/..., made 0700. QN_ERR_NOTFOUND if none can be had: then every start is
 * taken for a restored machine. */
enum qn_err QN_CHECKED qn_os_runtime_dir(const char *state_dir, struct qn_buf *ret_path);

/* A number in the runtime folder that only grows while the machine is up: the last transaction.
 * Any thread may read it, one sets it. A lower value than the present one is ignored: otherwise a
 * store restored from an older image would hide a second restore. */
struct qn_os_watermark;
enum qn_err QN_CHECKED qn_os_watermark_open(const char *path, struct qn_os_watermark **ret_mark);
uint64_t qn_os_watermark_get(const struct qn_os_watermark *mark);
void qn_os_watermark_set(struct qn_os_watermark *mark, uint64_t value); /* one store to a mapping */
void qn_os_watermark_free(struct qn_os_watermark *mark);

/* The service manager (sd_notify protocol over $NOTIFY_SOCKET, no library). Nothing without one. */
void qn_os_notify(const char *state); /* "READY=1", "STATUS=...", "WATCHDOG=1" */
uint64_t qn_os_watchdog_ms(void);     /* $WATCHDOG_USEC if it is for this process, else 0 */

/* Addresses of this machine that another one could reach, as "ADDR:PORT" or "[V6]:PORT", without
 * loopback and link-local; at most count_max. */
size_t qn_os_own_addresses(uint16_t port, char (*ret_addresses)[262], size_t count_max);
