#include <criterion/criterion.h>
#include <stdlib.h>

#include "app/machine.h"
#include "model/doubt.h"
#include "model/replica_read.h"
#include "support/tmp_dir.h"

static const uint8_t seed[QN_SEED_SIZE] = {9};

static uint64_t number(void *context)
{
    return 4711;
}

struct machine {
    struct tmp_dir state, runtime;
    struct qn_store *store;
    struct qn_signer *signer;
    struct qn_site_id site;
};

static void open_store(struct machine *m)
{
    char path[TMP_PATH_SIZE];
    cr_assert_eq(
        qn_store_open(&(struct qn_store_options){.path = tmp_dir_at(&m->state, "store", path),
                                                 .map_size = 16 << 20,
                                                 .wall_ms = number,
                                                 .entropy = number},
                      &m->store),
        QN_OK);
}

static void machine_init(struct machine *m)
{
    *m = (struct machine){0};
    tmp_dir_init(&m->state);
    tmp_dir_init(&m->runtime);
    setenv("RUNTIME_DIRECTORY", m->runtime.path, 1);
    cr_assert_eq(qn_signer_new(seed, &m->signer), QN_OK);
    qn_site_id_of(qn_signer_public(m->signer), &m->site);
    open_store(m);
}

static void machine_deinit(struct machine *m)
{
    qn_store_close(m->store);
    qn_signer_free(m->signer);
    tmp_dir_deinit(&m->state);
    tmp_dir_deinit(&m->runtime);
}
#define AUTO_MACHINE __attribute__((cleanup(machine_deinit)))

/* A start of the daemon: whether it was taken for a restore. */
static bool start(struct machine *m)
{
    struct qn_machine machine;
    qn_store_close(m->store);
    open_store(m);
    cr_assert_eq(qn_machine_check(m->state.path, m->store, &machine), QN_OK);
    cr_assert_eq(qn_machine_take(&machine, m->store, &m->site, m->signer), QN_OK);
    qn_os_watermark_free(machine.watermark);
    return machine.is_restored;
}

/* One write; gives the actor that made it. */
static struct qn_actor write_one(struct machine *m, const char *key)
{
    static const struct qn_coll_id coll = {{1}};
    struct qn_kv *kv;
    struct qn_actor actor;
    struct qn_replica *replica =
        qn_replica_new(&(struct qn_replica_options){.site = m->site, .signer = m->signer});
    struct qn_op_set field = {qn_span_str("f"), qn_span_str("\xa1v")};
    struct qn_write write = {.coll = coll,
                             .kind = QN_OP_PUT,
                             .key = qn_span_str(key),
                             .fields = &field,
                             .field_count = 1};
    struct qn_write_result result;
    uint64_t entropy;
    qn_os_random(&entropy, sizeof(entropy));
    cr_assert_eq(qn_store_write_begin(m->store, &kv), QN_OK);
    cr_assert_eq(qn_replica_begin(replica, kv, 1000000, entropy), QN_OK);
    cr_assert_eq(qn_replica_write(replica, &write, &result), QN_OK);
    cr_assert_eq(qn_replica_seal(replica), QN_OK);
    cr_assert_eq(qn_store_write_end(m->store, true), QN_OK);
    qn_replica_done(replica, true);
    cr_assert_eq(qn_store_read_begin(m->store, &kv), QN_OK);
    cr_assert_eq(qn_read_own_actor(kv, &m->site, &actor), QN_OK);
    qn_store_read_end(m->store);
    qn_replica_free(replica);
    return actor;
}

static void change_guard(struct machine *m)
{
    static const uint8_t other[32] = {1};
    struct qn_kv *kv;
    cr_assert_eq(qn_store_write_begin(m->store, &kv), QN_OK);
    cr_assert_eq(qn_kv_put(kv, QN_TABLE_META, qn_span_str("app.guard"), QN_SPAN_OF(other)), QN_OK);
    cr_assert_eq(qn_store_write_end(m->store, true), QN_OK);
}

Test(machine, a_new_store_is_no_restore_and_a_restart_neither)
{
    AUTO_MACHINE struct machine m;
    machine_init(&m);
    cr_assert_not(start(&m));
    struct qn_actor first = write_one(&m, "a");
    cr_assert_not(start(&m));
    struct qn_actor second = write_one(&m, "b");
    cr_assert_eq(qn_actor_cmp(&first, &second), 0);
}

Test(machine, another_guard_means_another_actor_for_the_next_write)
{
    AUTO_MACHINE struct machine m;
    machine_init(&m);
    cr_assert_not(start(&m));
    struct qn_actor first = write_one(&m, "a");
    change_guard(&m);
    cr_assert(start(&m));
    cr_assert_not(start(&m), "it is this machine's from now on");
    struct qn_actor second = write_one(&m, "b");
    cr_assert_neq(qn_actor_cmp(&first, &second), 0);
}

static bool is_in_doubt(struct machine *m)
{
    struct qn_kv *kv;
    bool is_in_doubt;
    cr_assert_eq(qn_store_read_begin(m->store, &kv), QN_OK);
    cr_assert_eq(qn_doubt_get(kv, &is_in_doubt), QN_OK);
    qn_store_read_end(m->store);
    return is_in_doubt;
}

Test(machine, the_doubt_of_a_restore_outlives_a_restart)
{
    AUTO_MACHINE struct machine m;
    machine_init(&m);
    cr_assert_not(start(&m));
    cr_assert_not(is_in_doubt(&m));
    change_guard(&m);
    cr_assert(start(&m));
    cr_assert(is_in_doubt(&m));
    cr_assert_not(start(&m));
    cr_assert(is_in_doubt(&m), "nobody was asked in between");
}

/* The mark must not depend on what happens after the start: it is stored with the guard. */
Test(machine, a_crash_right_after_the_check_forgets_nothing)
{
    AUTO_MACHINE struct machine m;
    machine_init(&m);
    cr_assert_not(start(&m));
    struct qn_actor first = write_one(&m, "a");
    change_guard(&m);
    struct qn_machine machine;
    cr_assert_eq(qn_machine_check(m.state.path, m.store, &machine), QN_OK);
    qn_os_watermark_free(machine.watermark);
    cr_assert(start(&m), "nothing was stored by the check alone");
    struct qn_actor second = write_one(&m, "b");
    cr_assert_neq(qn_actor_cmp(&first, &second), 0);
}

Test(machine, a_store_behind_the_watermark_is_an_old_image)
{
    AUTO_MACHINE struct machine m;
    struct qn_machine machine;
    machine_init(&m);
    cr_assert_not(start(&m));
    write_one(&m, "a");
    cr_assert_eq(qn_machine_check(m.state.path, m.store, &machine), QN_OK);
    cr_assert_not_null(machine.watermark);
    qn_os_watermark_set(machine.watermark, qn_store_txn_id(m.store) + 5);
    qn_os_watermark_free(machine.watermark);
    cr_assert(start(&m));
}

Test(machine, without_a_runtime_folder_every_start_is_a_restore)
{
    AUTO_MACHINE struct machine m;
    machine_init(&m);
    setenv("RUNTIME_DIRECTORY", "/proc/none", 1);
    setenv("XDG_RUNTIME_DIR", "/proc/none", 1);
    if (geteuid() == 0)
        cr_skip_test("root can always have one below /run");
    cr_assert_not(start(&m));
    write_one(&m, "a");
    cr_assert(start(&m));
}
