/* Backup plans: what holds when, who is answered by which job, and the book that follows the vault.
 */
#include <criterion/criterion.h>

#include "core/args.h"
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

/* A younger snapshot for each number. */
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
    qn_pack_u64(&payload, WORLD_START_MS + number);
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

/* ---- what ends a request ---- */

static uint64_t end_number(const char *key)
{
    uint64_t value = UINT64_MAX;
    return args_u64(qn_buf_view(&rig.end), key, &value) ? value : UINT64_MAX;
}

static void keep_last(const char *rule)
{
    struct qn_buf args;
    qn_buf_init(&args, 1024);
    qn_pack_map(&args, 2);
    qn_pack_cstr(&args, "keep");
    qn_pack_cstr(&args, rule);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, "house");
    rig_request(&rig, "backup.change", &args);
    qn_buf_deinit(&args);
    rig_commit(&rig);
}

static void have_snapshots(uint8_t count)
{
    tell_pack(1);
    for (uint8_t i = 1; i <= count; i++)
        tell_snap(i);
    end_catalog(QN_OK);
    create();
    rig_wait(&rig, 2000);
    rig_read_all(&rig, QN_OK);
}

/* How many went, and only when a list no longer shows them. */
Test(plan, a_forget_says_how_many_went)
{
    have_snapshots(3);
    keep_last("last 1");
    size_t before = rig.replies;
    ask("backup.forget", NULL);
    cr_assert_eq(rig.job->kind, QN_JOB_PRUNE);
    rig_job(&rig, QN_JOB_DONE, QN_OK, NULL);
    cr_assert_eq(rig.replies, before);
    rig_commit(&rig);
    cr_assert_eq(rig.replies, before);
    rig_wait(&rig, 2000);
    rig_read_all(&rig, QN_OK);
    cr_assert_eq(rig.replies, before + 1);
    cr_assert_eq(end_number("forgotten"), 2);
    cr_assert_eq(totals().snapshots, 1);
}

Test(plan, a_forget_that_would_only_look_changes_nothing)
{
    have_snapshots(3);
    keep_last("last 1");
    uint64_t job = rig.job->token;
    ask("backup.forget", "dry_run");
    cr_assert_eq(end_number("forgotten"), 0);
    cr_assert_eq(rig.job->token, job);
}

/* Nobody is told of success when the store did not take it. */
Test(plan, a_forget_whose_commit_failed_is_refused)
{
    have_snapshots(2);
    keep_last("last 1");
    ask("backup.forget", NULL);
    rig_job(&rig, QN_JOB_DONE, QN_OK, NULL);
    rig_fail_commit(&rig, QN_ERR_NOSPACE);
    cr_assert_str_eq(rig.code, "disk-full");
}

static void end_run(uint8_t snapshot)
{
    uint8_t name[32];
    struct qn_buf payload;
    memset(name, snapshot, sizeof(name));
    qn_buf_init(&payload, 1024);
    qn_pack_map(&payload, 2);
    qn_pack_cstr(&payload, "files_new");
    qn_pack_u64(&payload, 5);
    qn_pack_cstr(&payload, "name");
    qn_pack_bin(&payload, QN_SPAN_OF(name));
    rig_job(&rig, QN_JOB_DONE, QN_OK, &payload);
    qn_buf_deinit(&payload);
}

Test(plan, a_run_says_which_snapshot_it_left)
{
    struct qn_span id;
    end_catalog(QN_OK);
    create();
    ask("backup.run", NULL);
    tell_pack(0xab);
    tell_snap(0xab);
    end_run(0xab);
    rig_commit(&rig);
    rig_wait(&rig, 2000);
    rig_read_all(&rig, QN_OK);
    cr_assert(args_text(qn_buf_view(&rig.end), "id", 8, &id));
    cr_assert(qn_span_eq_str(id, "abababab"));
    cr_assert_eq(end_number("files_new"), 5);
    cr_assert_eq(end_number("sent"), 0);
}

/* ---- copies ---- */

static bool status_has(const char *text)
{
    QN_AUTO_BUF struct qn_buf status;
    struct qn_health health = {0};
    qn_buf_init(&status, 1024 * 1024);
    qn_core_status(rig.core, &health, &status);
    return memmem(status.data, status.size, text, strlen(text)) != NULL;
}

static void pack_plan_with_copy(struct qn_buf *out)
{
    qn_pack_map(out, 3);
    qn_pack_cstr(out, "copies");
    qn_pack_array(out, 1);
    qn_pack_cstr(out, rig.world.sites[1].name);
    qn_pack_cstr(out, "name");
    qn_pack_cstr(out, "house");
    qn_pack_cstr(out, "paths");
    qn_pack_array(out, 1);
    qn_pack_bin(out, qn_span_str("/srv"));
}

static void ask_create_with_copy(void)
{
    struct qn_buf args;
    qn_buf_init(&args, 1024);
    pack_plan_with_copy(&args);
    rig_request(&rig, "backup.create", &args);
    qn_buf_deinit(&args);
    rig_commit(&rig);
    cr_assert_null(rig.code);
}

static bool has_intent(enum qn_intent_kind kind)
{
    qn_vec_each (&rig.intents, intent)
        if ((*intent)->kind == kind)
            return true;
    return false;
}

/* The store took the plan and not the question to the holder, which went first. */
Test(plan, a_place_that_could_not_be_asked_for_is_asked_for_again)
{
    struct qn_buf args;
    end_catalog(QN_OK);
    qn_buf_init(&args, 1024);
    pack_plan_with_copy(&args);
    rig_request(&rig, "backup.create", &args);
    qn_buf_deinit(&args);
    cr_assert_eq(rig.intents.items[0]->kind, QN_INTENT_LEDGER_APPEND);
    struct qn_intent *place = rig.intents.items[0];
    qn_vec_remove(&rig.intents, 0);
    rig_commit(&rig);
    cr_assert_null(rig.code);
    qn_vec_push(&rig.intents, place);
    rig_fail_commit(&rig, QN_ERR_NOSPACE);
    cr_assert_not(has_intent(QN_INTENT_LEDGER_APPEND), "not at once");
    rig_wait(&rig, 10000);
    cr_assert(has_intent(QN_INTENT_LEDGER_APPEND));
    rig_commit(&rig);
    rig_wait(&rig, 10000);
    cr_assert_not(has_intent(QN_INTENT_LEDGER_APPEND), "once");
}

static void holder_says(enum qn_intent_kind kind, struct qn_buf *take_payload)
{
    rig_write(&rig, qn_intent_new(kind, 99, take_payload));
}

/* The holder has the pack and the list of snapshot `number`. */
static void holder_has(uint8_t number)
{
    struct qn_digest name, names;
    struct qn_buf payload;
    const struct qn_site_id *holder = &rig.world.sites[1].id;
    memset(name.bytes, number, sizeof(name.bytes));
    QN_DIGEST(&names, qn_digest_view(&name));
    qn_buf_init(&payload, 1024);
    qn_pack_array(&payload, 3);
    qn_pack_bin(&payload, QN_SPAN_OF(holder->bytes));
    qn_pack_u64(&payload, WORLD_START_MS);
    qn_pack_array(&payload, 2);
    qn_pack_bin(&payload, qn_digest_view(&name));
    qn_pack_u64(&payload, 1000);
    holder_says(QN_INTENT_COPY_ACKED, &payload);
    qn_buf_init(&payload, 1024);
    qn_pack_array(&payload, 5);
    qn_pack_bin(&payload, QN_SPAN_OF(holder->bytes));
    qn_pack_u64(&payload, WORLD_START_MS);
    qn_pack_bin(&payload, qn_digest_view(&name));
    qn_pack_bin(&payload, qn_digest_view(&names));
    qn_pack_u64(&payload, 1);
    holder_says(QN_INTENT_COPY_LIST, &payload);
}

static void look_at_the_book(void)
{
    keep_last("last 9"); /* any commit makes it worth a look */
    rig_wait(&rig, 2000);
    rig_read_all(&rig, QN_OK);
}

/* Not answered while a copy lacks something; then with what was sent. */
Test(plan, a_run_that_waits_is_answered_when_the_copies_are_complete)
{
    end_catalog(QN_OK);
    ask_create_with_copy();
    ask("backup.run", "wait");
    tell_pack(0xab);
    tell_snap(0xab);
    end_run(0xab);
    size_t before = rig.replies;
    rig_commit(&rig);
    look_at_the_book();
    cr_assert_eq(rig.replies, before + 1); /* of the change */
    holder_has(0xab);
    look_at_the_book();
    cr_assert_eq(rig.replies, before + 3);
    cr_assert_eq(end_number("sent"), 0); /* it had it: nothing went over a line */
    cr_assert(status_has("missing_bytes"));
}

/* ---- drills ---- */

static enum qn_err drill_on_disk(void)
{
    const struct world_site *self = &rig.world.sites[0];
    return qn_book_drill_check(memkv_reader(rig.disk), &self->id, qn_signer_public(self->signer), 1,
                               qn_span_str("house"));
}

/* The weekly drill is due, is done, and its result survives a restart because it is signed. */
Test(plan, a_drill_is_stored_signed_and_shown)
{
    end_catalog(QN_OK);
    create();
    ask("backup.run", NULL);
    tell_snap(1);
    end_run(1);
    rig_commit(&rig);
    rig_wait(&rig, 8ull * 24 * 3600 * 1000);
    cr_assert_eq(rig.job->kind, QN_JOB_DRILL);
    rig_job(&rig, QN_JOB_DONE, QN_ERR_CORRUPT, NULL);
    rig_commit(&rig);
    cr_assert_eq(drill_on_disk(), QN_OK);
    cr_assert(status_has("drill-failed"));
    rig_start(&rig);
    cr_assert(status_has("drill-failed"));
    struct qn_kv *kv = memkv_begin(rig.disk); /* somebody makes it look well */
    cr_assert_eq(qn_book_drilled(kv, qn_span_str("house"), rig.now_ms, QN_OK, 9, 9), QN_OK);
    cr_assert_eq(memkv_commit(rig.disk), QN_OK);
    cr_assert_eq(drill_on_disk(), QN_ERR_SIGNATURE);
    rig_start(&rig);
    cr_assert_not(status_has("drill-failed"));
    cr_assert_not(status_has("files"));
}
