#include "store/store.h"

#include "base/assert.h"
#include "base/mem.h"
#include "store/env.h"
#include "store/kv_lmdb.h"
#include "store/writer.h"

struct qn_store {
    struct qn_store_options options; /* without the path */
    struct qn_env env;
    struct qn_kv_lmdb reader; /* the loop thread's */
    struct qn_kv_lmdb setup;  /* write transactions before the writer starts */
    struct qn_writer *writer; /* NULL before qn_store_start */
};

uint64_t qn_store_wall_ms(void *context)
{
    return qn_os_wall_ms();
}

uint64_t qn_store_entropy(void *context)
{
    uint64_t entropy;
    qn_os_random(&entropy, sizeof(entropy));
    return entropy;
}

enum qn_err qn_store_open(const struct qn_store_options *options, struct qn_store **ret_store)
{
    struct qn_store *store = QN_NEW(struct qn_store);
    enum qn_err err = qn_env_open(&store->env, options->path, options->map_size);
    if (err != QN_OK) {
        qn_free(store);
        return err;
    }
    store->options = *options;
    store->options.path = NULL;
    qn_kv_lmdb_init(&store->reader, store->env.mdb, store->env.tables);
    qn_kv_lmdb_init(&store->setup, store->env.mdb, store->env.tables);
    *ret_store = store;
    return QN_OK;
}

struct qn_env *qn_store_env(struct qn_store *store)
{
    return &store->env;
}

void qn_store_close(struct qn_store *store)
{
    if (store == NULL)
        return;
    qn_writer_free(store->writer);
    qn_kv_lmdb_deinit(&store->setup);
    qn_kv_lmdb_deinit(&store->reader);
    qn_env_close(&store->env);
    qn_free(store);
}

enum qn_err qn_store_read_begin(struct qn_store *store, struct qn_kv **ret_kv)
{
    QN_TRY(qn_kv_lmdb_begin_read(&store->reader));
    *ret_kv = &store->reader.kv;
    return QN_OK;
}

void qn_store_read_end(struct qn_store *store)
{
    qn_kv_lmdb_end_read(&store->reader);
}

struct qn_store_pin {
    struct qn_kv_lmdb kv;
};

enum qn_err qn_store_pin(struct qn_store *store, struct qn_store_pin **ret_pin)
{
    struct qn_store_pin *pin = QN_NEW(struct qn_store_pin);
    qn_kv_lmdb_init(&pin->kv, store->env.mdb, store->env.tables);
    enum qn_err err = qn_kv_lmdb_begin_read(&pin->kv);
    if (err != QN_OK) {
        qn_store_unpin(pin);
        return err;
    }
    *ret_pin = pin;
    return QN_OK;
}

struct qn_kv *qn_store_pin_kv(struct qn_store_pin *pin)
{
    return &pin->kv.kv;
}

void qn_store_unpin(struct qn_store_pin *pin)
{
    qn_kv_lmdb_deinit(&pin->kv);
    qn_free(pin);
}

enum qn_err qn_store_write_begin(struct qn_store *store, struct qn_kv **ret_kv)
{
    if (store->writer != NULL)
        return QN_ERR_STATE;
    QN_TRY(qn_kv_lmdb_begin_write(&store->setup));
    *ret_kv = &store->setup.kv;
    return QN_OK;
}

enum qn_err qn_store_write_end(struct qn_store *store, bool commit)
{
    if (!commit) {
        qn_kv_lmdb_abort(&store->setup);
        return QN_OK;
    }
    QN_TRY(qn_kv_lmdb_commit(&store->setup));
    qn_env_refresh(&store->env);
    return QN_OK;
}

enum qn_err qn_store_start(struct qn_store *store, struct qn_applier *applier,
                           void (*notify)(void *context), void *context)
{
    QN_ASSERT(!store->setup.is_open);
    if (store->writer != NULL)
        return QN_ERR_STATE;
    const struct qn_writer_options options = {
        .env = &store->env,
        .store = &store->options,
        .applier = applier,
        .notify = notify,
        .context = context,
    };
    return qn_writer_start(&options, &store->writer);
}

enum qn_err qn_store_submit(struct qn_store *store, struct qn_intent *take_intent)
{
    if (store->writer == NULL) {
        qn_intent_free(take_intent);
        return QN_ERR_STATE;
    }
    return qn_writer_submit(store->writer, take_intent);
}

struct qn_commit *qn_store_collect(struct qn_store *store)
{
    return store->writer != NULL ? qn_writer_collect(store->writer) : NULL;
}

void qn_store_health(struct qn_store *store, struct qn_store_health *ret_health)
{
    *ret_health = (struct qn_store_health){
        .txn_id = qn_store_txn_id(store),
        .map_used = atomic_load(&store->env.map_used),
        .map_size = store->env.map_size,
    };
    if (store->writer != NULL)
        qn_writer_health(store->writer, ret_health);
}

uint64_t qn_store_txn_id(const struct qn_store *store)
{
    return atomic_load(&store->env.txn_id);
}
