/* What a recovered site gets back, and from whom: the key of its vault, the vault, plans and
 * operations; holders that have nothing, lie or are away. Site 1 keeps copies for site 0. */
#include <criterion/criterion.h>

#include "core/recover.h"
#include "crypto/seal.h"
#include "support/core_rig.h"

static struct rig rig;
static struct qn_signer *kit;
static const uint8_t kit_seed[QN_SEED_SIZE] = {7, 7, 7}, other_seed[QN_SEED_SIZE] = {8};

static void setup(void)
{
    rig_init(&rig, 1);
    cr_assert_eq(qn_kit_signer(kit_seed, &kit), QN_OK);
    rig.recovery = kit;
    rig.kit_seed = kit_seed;
}

static void teardown(void)
{
    rig_deinit(&rig);
    qn_signer_free(kit);
}

TestSuite(recover_back, .init = setup, .fini = teardown);

static void start_linked(void)
{
    rig_agree(&rig);
    rig_start(&rig);
    strcpy(rig.core->peers.items[0]->hint, "192.0.2.1:8404");
    rig_link(&rig);
    rig_commit(&rig);
    rig.core->peers.items[0]->session->is_dialled = true;
    rig_bulk(&rig);
    rig_wait(&rig, RECOVER_AGAIN_MS);
}

static enum recovery_stage stage(void)
{
    return rig.core->recovery.stage;
}

/* The number under which the last LIST_GET asks. */
static uint64_t asked(void)
{
    for (size_t i = rig.bulk_frames.count; i-- > 0;) {
        struct qn_cursor cursor = qn_cursor(qn_buf_view(&rig.bulk_frames.items[i]));
        size_t count;
        uint64_t kind, number;
        cr_assert_eq(qn_cursor_array(&cursor, 16, &count), QN_OK);
        cr_assert_eq(qn_cursor_u64(&cursor, &kind), QN_OK);
        if (kind != QN_MSG_LIST_GET)
            continue;
        cr_assert_eq(qn_cursor_u64(&cursor, &number), QN_OK);
        return number;
    }
    cr_assert_fail("no LIST_GET");
    return 0;
}

static void seal(const uint8_t seed[QN_SEED_SIZE], struct qn_buf *ret_sealed)
{
    struct qn_public_key sign, recipient;
    static const uint8_t plain[36], ephemeral[QN_SEED_SIZE] = {3};
    cr_assert_eq(qn_kit_keys(seed, &sign, &recipient), QN_OK);
    qn_buf_init(ret_sealed, 256);
    cr_assert_eq(qn_seal(&recipient, ephemeral, QN_VAULT_KEY_INFO, QN_SPAN_OF(plain), ret_sealed),
                 QN_OK);
}

/* Keys sealed to these kits, with epochs from 1. */
static void give_keys(const uint8_t *const *seeds, size_t count)
{
    struct qn_buf out;
    uint64_t number = asked();
    rig_message(&out, QN_MSG_LIST_DATA, 4);
    qn_pack_u64(&out, number);
    qn_pack_nil(&out);
    qn_pack_bool(&out, true);
    qn_pack_array(&out, count);
    for (size_t i = 0; i < count; i++) {
        struct qn_buf sealed;
        seal(seeds[i], &sealed);
        qn_pack_array(&out, 2);
        qn_pack_u64(&out, i + 1);
        qn_pack_bin(&out, qn_buf_view(&sealed));
        qn_buf_deinit(&sealed);
    }
    rig_bulk_frame(&rig, &out);
}

static bool is_alerted(const char *code)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_health health = {.wall_ms = WORLD_START_MS};
    qn_buf_init(&out, 1 << 20);
    qn_core_status(rig.core, &health, &out);
    return memmem(out.data, out.size, code, strlen(code)) != NULL;
}

Test(recover_back, a_site_that_nobody_held_begins_anew)
{
    rig_start(&rig);
    cr_assert_eq(rig.keys, 1);
    cr_assert_eq(rig.key_size, 0);
}

Test(recover_back, while_the_holder_is_away_it_is_waited_for)
{
    rig_agree(&rig);
    rig_start(&rig);
    rig_wait(&rig, 1000 * RECOVER_RETRY_MS);
    cr_assert_eq(rig.keys, 0);
    cr_assert(is_alerted("recover-key"));
}

Test(recover_back, the_newest_key_that_the_kit_opens)
{
    start_linked();
    const uint8_t *const seeds[] = {kit_seed, kit_seed, other_seed};
    give_keys(seeds, 3);
    cr_assert_eq(rig.keys, 1);
    cr_assert_gt(rig.key_size, 0);
    cr_assert_eq(stage(), RECOVERY_VAULT);
}

Test(recover_back, a_key_of_another_kit_is_noted_and_asked_for_again)
{
    start_linked();
    const uint8_t *const wrong[] = {other_seed}, *const right[] = {kit_seed};
    rig.note = NULL;
    give_keys(wrong, 1);
    cr_assert_str_eq(rig.note, "recover-key-bad");
    cr_assert_eq(rig.keys, 0, "no new key is made: the right one may come");
    rig_wait(&rig, RECOVER_RETRY_MS);
    give_keys(right, 1);
    cr_assert_eq(rig.keys, 1);
}

Test(recover_back, a_holder_that_has_none_says_so)
{
    start_linked();
    give_keys(NULL, 0);
    cr_assert_eq(rig.keys, 1);
    cr_assert_eq(rig.key_size, 0);
}

/* ---- the vault and the store ---- */

static void end_job(enum qn_job_kind kind, enum qn_err err, const struct qn_buf *payload)
{
    cr_assert_not_null(rig.job);
    cr_assert_eq(rig.job->kind, kind, "%d", (int)rig.job->kind);
    rig_job(&rig, QN_JOB_DONE, err, payload);
    rig_read_all(&rig, QN_OK);
    rig_commit(&rig);
    rig_read_all(&rig, QN_OK);
}

static void start_with_key(void)
{
    start_linked();
    const uint8_t *const seeds[] = {kit_seed};
    give_keys(seeds, 1);
    end_job(QN_JOB_CATALOG, QN_OK, NULL); /* of the start */
}

static void end_recall(bool has_more)
{
    struct qn_buf done;
    qn_buf_init(&done, 64);
    qn_pack_map(&done, 1);
    qn_pack_cstr(&done, "more");
    qn_pack_bool(&done, has_more);
    end_job(QN_JOB_RECALL, QN_OK, &done);
    qn_buf_deinit(&done);
}

static void tell_plan(const char *name, uint64_t started_ms)
{
    struct qn_plan plan = {
        .name = qn_span_str(name), .schedule = qn_span_str("hourly"), .created_ms = WORLD_START_MS};
    QN_AUTO_BUF struct qn_buf packed, payload;
    qn_vec_push(&plan.paths, qn_span_str("/data"));
    qn_buf_init(&packed, QN_PLAN_SIZE_MAX);
    qn_plan_pack(&plan, &packed);
    qn_plan_deinit(&plan);
    qn_buf_init(&payload, QN_PLAN_SIZE_MAX);
    qn_pack_map(&payload, 3);
    qn_pack_cstr(&payload, "packed");
    qn_pack_bin(&payload, qn_buf_view(&packed));
    qn_pack_cstr(&payload, "plan");
    qn_pack_cstr(&payload, name);
    qn_pack_cstr(&payload, "started");
    qn_pack_u64(&payload, started_ms);
    rig_job(&rig, QN_JOB_PLAN, QN_OK, &payload);
}

static void settle(void)
{
    for (int i = 0; i < 8; i++) {
        rig_commit(&rig);
        rig_read_all(&rig, QN_OK);
        rig_wait(&rig, 1000);
    }
}

Test(recover_back, plans_come_back_and_do_not_run_at_once)
{
    start_with_key();
    end_job(QN_JOB_REBUILD, QN_OK, NULL);
    end_job(QN_JOB_CATALOG, QN_OK, NULL);
    cr_assert(is_alerted("recover-store"));
    tell_plan("house", 1000);
    end_recall(true);
    cr_assert_eq(rig.recovered, 0, "there is more");
    tell_plan("house", 1000); /* told once more */
    end_recall(false);
    settle();
    cr_assert_eq(rig.recovered, 1);
    const struct plan *plan = backup_plan(rig.core, qn_span_str("house"));
    cr_assert_not_null(plan);
    cr_assert_eq(plan->runs.success_ms, 1000);
    cr_assert_gt(plan->runs.start_ms, 0);
    cr_assert_neq(rig.job->kind, QN_JOB_BACKUP);
    cr_assert_not(is_alerted("recover-"));
}

Test(recover_back, without_a_copy_of_the_store_it_ends_when_all_holders_were_asked)
{
    start_with_key();
    end_job(QN_JOB_REBUILD, QN_OK, NULL);
    end_job(QN_JOB_CATALOG, QN_OK, NULL);
    end_job(QN_JOB_RECALL, QN_ERR_NOTFOUND, NULL);
    settle();
    cr_assert_eq(rig.recovered, 1);
}

Test(recover_back, a_holder_that_fails_is_asked_again)
{
    start_with_key();
    end_job(QN_JOB_REBUILD, QN_ERR_TIMEOUT, NULL);
    settle();
    cr_assert(is_alerted("recover-vault"));
    cr_assert_eq(rig.recovered, 0);
    rig_wait(&rig, RECOVER_RETRY_MS);
    end_job(QN_JOB_CATALOG, QN_OK, NULL);
    cr_assert_eq(rig.job->kind, QN_JOB_REBUILD);
}

static void tell_part(enum qn_job_news news, const char *what)
{
    QN_AUTO_BUF struct qn_buf payload;
    qn_buf_init(&payload, 256);
    qn_pack_map(&payload, 2);
    qn_pack_cstr(&payload, "coll");
    qn_pack_bin(&payload, QN_SPAN_OF(rig.core->colls.items[0]->id.bytes));
    qn_pack_cstr(&payload, what);
    qn_pack_bin(&payload, qn_span_str("\x01"));
    rig_job(&rig, news, QN_OK, &payload);
}

/* While they come, no other source is asked; afterwards it may be. */
Test(recover_back, pages_that_make_no_sense_stop_nothing_and_are_tried_again)
{
    start_with_key();
    end_job(QN_JOB_REBUILD, QN_OK, NULL);
    end_job(QN_JOB_CATALOG, QN_OK, NULL);
    const struct coll *coll = rig.core->colls.items[0];
    tell_part(QN_JOB_PAGE, "page");
    cr_assert(recover_brings_pages(rig.core, coll));
    tell_part(QN_JOB_PAGE, "page");
    end_recall(false);
    settle();
    cr_assert_not(recover_brings_pages(rig.core, coll));
    cr_assert_eq(rig.recovered, 0);
    end_recall(false); /* the rest of the round, without that collection */
    settle();
    cr_assert_eq(rig.recovered, 0);
    rig_wait(&rig, RECOVER_RETRY_MS);
    end_recall(false);
    settle();
    cr_assert_eq(rig.recovered, 1);
}

Test(recover_back, operations_that_make_no_sense_stop_nothing_and_are_tried_again)
{
    start_with_key();
    end_job(QN_JOB_REBUILD, QN_OK, NULL);
    end_job(QN_JOB_CATALOG, QN_OK, NULL);
    tell_part(QN_JOB_OPS, "ops");
    end_recall(false);
    settle();
    cr_assert_eq(rig.recovered, 0);
    end_recall(false); /* the rest of the round, without that collection */
    settle();
    cr_assert_eq(rig.recovered, 0);
    rig_wait(&rig, RECOVER_RETRY_MS);
    end_recall(false); /* and with it: now nothing is refused */
    settle();
    cr_assert_eq(rig.recovered, 1);
}
