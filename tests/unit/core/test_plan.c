/* Backup plans: what holds when, who is answered by which job, and the book that follows the vault.
 */
#include <criterion/criterion.h>

#include "model/book.h"
#include "support/core_rig.h"

static struct rig rig;

static void start(void)
{
    rig_init(&rig, 1);
    rig_start(&rig);
    rig_link(&rig);
    rig_commit(&rig);
}

static void stop(void)
{
    rig_deinit(&rig);
}

TestSuite(plan, .init = start, .fini = stop);

static void end_catalog(enum qn_err err)
{
    cr_assert_eq(rig.job->kind, QN_JOB_CATALOG);
    rig_job(&rig, QN_JOB_DONE, err, NULL);
    rig_read_all(&rig, QN_OK);
    rig_commit(&rig);
}

static void ask_create(void)
{
    struct qn_buf args;
    qn_buf_init(&args, 1024);
    qn_pack_map(&args, 2);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, "house");
    qn_pack_cstr(&args, "paths");
    qn_pack_array(&args, 1);
    qn_pack_bin(&args, qn_span_str("/srv"));
    rig_request(&rig, "backup.create", &args);
    qn_buf_deinit(&args);
}

static void ask(const char *command, const char *flag)
{
    struct qn_buf args;
    qn_buf_init(&args, 1024);
    qn_pack_map(&args, flag == NULL ? 1 : 2);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, "house");
    if (flag != NULL) {
        qn_pack_cstr(&args, flag);
        qn_pack_bool(&args, true);
    }
    rig_request(&rig, command, &args);
    qn_buf_deinit(&args);
}

static void create(void)
{
    ask_create();
    rig_commit(&rig);
    cr_assert_null(rig.code);
}

Test(plan, holds_when_it_is_stored)
{
    end_catalog(QN_OK);
    ask_create();
    ask("backup.run", NULL);
    cr_assert_str_eq(rig.code, "plan-unknown");
    rig_commit(&rig);
    ask("backup.run", NULL);
    cr_assert_eq(rig.job->kind, QN_JOB_BACKUP);
}

Test(plan, that_could_not_be_stored_does_not_hold)
{
    end_catalog(QN_OK);
    ask_create();
    rig_fail_commit(&rig, QN_ERR_NOSPACE);
    cr_assert_str_eq(rig.code, "disk-full");
    ask("backup.run", NULL);
    cr_assert_str_eq(rig.code, "plan-unknown");
}

Test(plan, of_one_name_is_made_once)
{
    end_catalog(QN_OK);
    ask_create();
    ask_create();
    cr_assert_str_eq(rig.code, "plan-exists");
}

Test(plan, whose_removal_failed_stays)
{
    end_catalog(QN_OK);
    create();
    ask("backup.delete", NULL);
    rig_fail_commit(&rig, QN_ERR_NOSPACE);
    ask("backup.run", NULL);
    cr_assert_eq(rig.job->kind, QN_JOB_BACKUP);
}

/* Who asked for all data to be read is not answered by a look at the lists. */
Test(plan, a_verify_is_answered_by_its_own_job)
{
    end_catalog(QN_OK);
    create();
    ask("backup.verify", NULL);
    ask("backup.verify", "read_data");
    size_t before = rig.replies;
    rig_job(&rig, QN_JOB_DONE, QN_OK, NULL);
    cr_assert_eq(rig.replies, before + 1);
    cr_assert_eq(rig.job->kind, QN_JOB_VERIFY);
    rig_job(&rig, QN_JOB_DONE, QN_OK, NULL);
    cr_assert_eq(rig.replies, before + 2);
}

/* It waits behind another job, and its plan is deleted meanwhile. */
Test(plan, a_run_of_a_plan_that_went_is_refused)
{
    create();
    ask("backup.run", NULL);
    size_t before = rig.replies;
    ask("backup.delete", NULL);
    rig_commit(&rig);
    end_catalog(QN_OK);
    cr_assert_eq(rig.replies, before + 2);
    cr_assert_str_eq(rig.code, "plan-unknown");
}

static void tell_pack(uint8_t number)
{
    struct qn_buf payload, row;
    qn_buf_init(&payload, 256);
    qn_buf_init(&row, 64);
    for (int i = 0; i < 32; i++)
        qn_buf_append_u8(&row, number);
    qn_buf_append_u32(&row, 1000);
    qn_buf_append_u8(&row, QN_PACK_DATA);
    qn_pack_map(&payload, 1);
    qn_pack_cstr(&payload, "packs");
    qn_pack_bin(&payload, qn_buf_view(&row));
    rig_job(&rig, QN_JOB_PACKS, QN_OK, &payload);
    qn_buf_deinit(&payload);
    qn_buf_deinit(&row);
}

static void tell_snap(uint8_t number)
{
    static const char *const counts[] = {"bytes", "bytes_stored", "files"};
    uint8_t name[32];
    struct qn_buf payload;
    memset(name, number, sizeof(name));
    qn_buf_init(&payload, 1024);
    qn_pack_map(&payload, 8);
    for (size_t i = 0; i < 3; i++) {
        qn_pack_cstr(&payload, counts[i]);
        qn_pack_u64(&payload, 1);
    }
    qn_pack_cstr(&payload, "live");
    qn_pack_bin(&payload, QN_SPAN_OF(name));
    qn_pack_cstr(&payload, "name");
    qn_pack_bin(&payload, QN_SPAN_OF(name));
    qn_pack_cstr(&payload, "partial");
    qn_pack_bool(&payload, false);
    qn_pack_cstr(&payload, "plan");
    qn_pack_cstr(&payload, "house");
    qn_pack_cstr(&payload, "time");
    qn_pack_u64(&payload, WORLD_START_MS);
    rig_job(&rig, QN_JOB_SNAPSHOT, QN_OK, &payload);
    qn_buf_deinit(&payload);
}

static struct qn_own_totals totals(void)
{
    struct qn_own_totals found;
    cr_assert_eq(qn_book_totals(memkv_reader(rig.disk), &found), QN_OK);
    return found;
}

/* Seed 442 of the simulator, once: the catalog failed, and the book stayed empty. */
Test(plan, a_catalog_that_failed_is_made_again)
{
    end_catalog(QN_ERR_NOSPACE);
    uint64_t first = rig.job->token;
    rig_wait(&rig, 30001);
    cr_assert_neq(rig.job->token, first);
    tell_pack(1);
    end_catalog(QN_OK);
    cr_assert_eq(totals().packs, 1);
}

Test(plan, the_book_forgets_what_the_vault_has_no_more)
{
    tell_pack(1);
    tell_snap(1);
    end_catalog(QN_OK);
    cr_assert_eq(totals().packs, 1);
    cr_assert_eq(totals().snapshots, 1);
    rig_start(&rig);
    end_catalog(QN_OK);
    cr_assert_eq(totals().packs, 0);
    cr_assert_eq(totals().snapshots, 0);
}

/* What a catalog that broke off did not tell is not gone. */
Test(plan, half_a_catalog_takes_nothing_away)
{
    tell_pack(1);
    tell_snap(1);
    end_catalog(QN_OK);
    rig_start(&rig);
    end_catalog(QN_ERR_IO);
    cr_assert_eq(totals().packs, 1);
    cr_assert_eq(totals().snapshots, 1);
}
