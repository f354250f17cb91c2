/* A configuration of any bytes: it is refused, with a line that says where, and nothing of it
 * holds; or it is taken, and what it says is within its limits. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/config.h"
#include "support/fuzz.h"

static void check_refused(const struct qn_buf *errors, const struct qn_config *config,
                          const struct qn_config *before)
{
    FUZZ_CHECK(errors->size > 0);
    FUZZ_CHECK(errors->data[errors->size - 1] == '\n');
    FUZZ_CHECK(memcmp(config, before, sizeof(*config)) == 0);
}

static void check_taken(const struct qn_config *config)
{
    FUZZ_CHECK(config->backup_count <= QN_CONFIG_BACKUPS_MAX);
    FUZZ_CHECK(config->serve.listen_count <= QN_WEB_LISTENERS_MAX);
    FUZZ_CHECK(config->audit_keep_months >= 6);
    for (size_t i = 0; i < config->backup_count; i++) {
        const struct qn_config_backup *backup = &config->backups[i];
        FUZZ_CHECK(backup->plan[0] != '\0' && backup->stream_count <= QN_CONFIG_STREAMS_MAX);
        FUZZ_CHECK(qn_config_find_backup(config, backup->plan) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct qn_config config, before;
    char path[64];
    struct qn_buf errors;
    int fd = memfd_create("quoin.conf", 0);
    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    qn_buf_init(&errors, 256 * 1024);
    memset(&before, 0x5a, sizeof(before));
    config = before;
    if (qn_config_read(path, &config, &errors) == QN_OK)
        check_taken(&config);
    else
        check_refused(&errors, &config, &before);
    qn_buf_deinit(&errors);
    close(fd);
    return 0;
}
