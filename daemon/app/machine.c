#include "app/machine.h"

#include <stdio.h>

#include "base/text.h"
#include "model/doubt.h"
#include "model/replica.h"

#define GUARD_KEY "app.guard"

static enum qn_err read_guard(struct qn_store *store, uint8_t ret_guard[32], bool *ret_has_guard)
{
    struct qn_kv *kv;
    struct qn_span value;
    QN_TRY(qn_store_read_begin(store, &kv));
    enum qn_err err = qn_kv_get(kv, QN_TABLE_META, qn_span_str(GUARD_KEY), &value);
    *ret_has_guard = err == QN_OK && value.size == 32;
    if (*ret_has_guard)
        memcpy(ret_guard, value.data, 32);
    qn_store_read_end(store);
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

/* Named by the guard: a store that was made anew at the same path starts at zero. */
static struct qn_os_watermark *open_watermark(const char *state_dir, const uint8_t guard[32])
{
    QN_AUTO_BUF struct qn_buf path;
    struct qn_os_watermark *watermark = NULL;
    qn_buf_init(&path, 4096);
    if (qn_os_runtime_dir(state_dir, &path) != QN_OK)
        return NULL;
    if (path.size > 0 && path.data[path.size - 1] == '\0')
        path.size--;
    qn_buf_append_str(&path, "/transaction-");
    qn_text_append_hex(&path, qn_span(guard, 8));
    qn_buf_append_u8(&path, 0);
    if (qn_buf_status(&path) != QN_OK ||
        qn_os_watermark_open((const char *)path.data, &watermark) != QN_OK)
        return NULL;
    return watermark;
}

enum qn_err qn_machine_check(const char *state_dir, struct qn_store *store,
                             struct qn_machine *ret_machine)
{
    struct qn_machine machine = {0};
    uint8_t stored[sizeof(machine.guard)];
    bool has_guard;
    char data_path[4096];
    snprintf(data_path, sizeof(data_path), "%s/store/data.mdb", state_dir);
    QN_TRY(read_guard(store, stored, &has_guard));
    QN_TRY(qn_os_guard(data_path, machine.guard));
    machine.watermark = open_watermark(state_dir, machine.guard);
    bool is_older = machine.watermark == NULL ||
                    qn_store_txn_id(store) < qn_os_watermark_get(machine.watermark);
    machine.is_known = has_guard && memcmp(stored, machine.guard, sizeof(stored)) == 0;
    machine.is_restored = has_guard && (!machine.is_known || is_older);
    *ret_machine = machine;
    return QN_OK;
}

static size_t no_keys(void *context, const uint8_t prefix[QN_ACTOR_PREFIX_SIZE],
                      const struct qn_public_key **ret_keys)
{
    return 0;
}

static enum qn_err mark_renewal(struct qn_replica *replica, struct qn_kv *kv)
{
    QN_TRY(qn_replica_begin(replica, kv, qn_os_wall_ms(), 0)); /* nothing is drawn here */
    QN_TRY(qn_replica_renew(replica));
    QN_TRY(qn_doubt_put(kv, true));
    return qn_replica_seal(replica);
}

/* One transaction: a guard that is stored without the mark would hide the restore at the next
 * start, and dots would be used twice. */
static enum qn_err write_all(const struct qn_machine *machine, struct qn_replica *replica,
                             struct qn_store *store)
{
    struct qn_kv *kv;
    QN_TRY(qn_store_write_begin(store, &kv));
    enum qn_err err = machine->is_restored ? mark_renewal(replica, kv) : QN_OK;
    if (err == QN_OK)
        err = qn_kv_put(kv, QN_TABLE_META, qn_span_str(GUARD_KEY), QN_SPAN_OF(machine->guard));
    enum qn_err end = qn_store_write_end(store, err == QN_OK);
    err = err != QN_OK ? err : end;
    if (machine->is_restored)
        qn_replica_done(replica, err == QN_OK);
    return err;
}

enum qn_err qn_machine_take(struct qn_machine *machine, struct qn_store *store,
                            const struct qn_site_id *site, const struct qn_signer *signer)
{
    enum qn_err err = QN_OK;
    if (machine->is_restored || !machine->is_known) {
        struct qn_replica *replica = qn_replica_new(
            &(struct qn_replica_options){.site = *site, .signer = signer, .site_keys = no_keys});
        err = write_all(machine, replica, store);
        qn_replica_free(replica);
    }
    if (err == QN_OK && machine->watermark != NULL)
        qn_os_watermark_set(machine->watermark, qn_store_txn_id(store));
    return err;
}
