/* How fast backups may leave, and what a run complained of first. */
#include <criterion/criterion.h>

#include "core/backup.h"
#include "support/core_rig.h"

#define HOUR_MS ((uint64_t)3600 * 1000)

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

TestSuite(rate, .init = start, .fini = stop);

static void set(const char *text)
{
    struct qn_timetable table;
    cr_assert_eq(qn_timetable_parse(qn_span_str(text), &table), QN_OK);
    qn_core_set_rate(rig.core, &table);
}

/* The wall clock of the rig at an hour of its day, or of the next. */
static void at_hour(uint64_t hour)
{
    uint64_t passed = rig.core->wall_ms % (24 * HOUR_MS);
    rig_wait(&rig, (hour * HOUR_MS + 24 * HOUR_MS - passed) % (24 * HOUR_MS));
    cr_assert_eq(rig.core->wall_ms / HOUR_MS % 24, hour);
}

/* Monotonic, of a full hour of the wall clock. */
static uint64_t in_hours(uint64_t hours)
{
    return rig.core->now_ms + hours * HOUR_MS - rig.core->wall_ms % HOUR_MS;
}

Test(rate, has_no_limit_unless_there_is_one)
{
    cr_assert_eq(core_bulk_rate(rig.core), UINT64_MAX);
    cr_assert_eq(core_bulk_rate_until(rig.core), UINT64_MAX);
    set("off");
    cr_assert_eq(core_bulk_rate(rig.core), 0);
    qn_core_set_rate(rig.core, NULL);
    cr_assert_eq(core_bulk_rate(rig.core), UINT64_MAX);
}

Test(rate, goes_by_the_hour)
{
    set("2Mbit 08:00-18:00, off 18:00-19:00, else full");
    at_hour(7);
    cr_assert_eq(core_bulk_rate(rig.core), UINT64_MAX);
    cr_assert_eq(core_bulk_rate_until(rig.core), in_hours(1));
    at_hour(8);
    cr_assert_eq(core_bulk_rate(rig.core), 250000);
    cr_assert_eq(core_bulk_rate_until(rig.core), in_hours(10));
    at_hour(18);
    cr_assert_eq(core_bulk_rate(rig.core), 0);
    at_hour(19);
    cr_assert_eq(core_bulk_rate(rig.core), UINT64_MAX);
}

Test(rate, goes_by_local_time)
{
    set("2Mbit 08:00-18:00, else full");
    at_hour(7);
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_TICK,
                                     .mono_ms = rig.core->now_ms,
                                     .wall_ms = rig.core->wall_ms,
                                     .offset_s = 3600});
    cr_assert_eq(rig.core->backup->offset_s, 3600);
    cr_assert_eq(core_bulk_rate(rig.core), 250000);
}

/* ---- what a run complained of first ---- */

static void end_catalog(void)
{
    rig_job(&rig, QN_JOB_DONE, QN_OK, NULL);
    rig_read_all(&rig, QN_OK);
    rig_commit(&rig);
}

static void pack_house(struct qn_buf *args, bool has_paths)
{
    qn_buf_init(args, 1024);
    qn_pack_map(args, has_paths ? 2 : 1);
    qn_pack_cstr(args, "name");
    qn_pack_cstr(args, "house");
    if (!has_paths)
        return;
    qn_pack_cstr(args, "paths");
    qn_pack_array(args, 1);
    qn_pack_bin(args, qn_span_str("/srv"));
}

static void start_run(void)
{
    QN_AUTO_BUF struct qn_buf create, run;
    pack_house(&create, true);
    pack_house(&run, false);
    end_catalog();
    rig_request(&rig, "backup.create", &create);
    rig_commit(&rig);
    rig_request(&rig, "backup.run", &run);
    cr_assert_eq(rig.job->kind, QN_JOB_BACKUP);
    rig_commit(&rig);
}

static void tell_problem(const char *path, const char *text)
{
    QN_AUTO_BUF struct qn_buf payload;
    qn_buf_init(&payload, 8192);
    qn_pack_map(&payload, text == NULL ? 2 : 3);
    qn_pack_cstr(&payload, "path");
    qn_pack_bin(&payload, qn_span_str(path));
    if (text != NULL) {
        qn_pack_cstr(&payload, "text");
        qn_pack_bin(&payload, qn_span_str(text));
    }
    qn_pack_cstr(&payload, "what");
    qn_pack_cstr(&payload, "unreadable");
    rig_job(&rig, QN_JOB_PROBLEM, QN_OK, &payload);
}

static void end_run(enum qn_err err, uint64_t errors)
{
    QN_AUTO_BUF struct qn_buf payload;
    qn_buf_init(&payload, 256);
    qn_pack_map(&payload, 1);
    qn_pack_cstr(&payload, "errors");
    qn_pack_u64(&payload, errors);
    rig_job(&rig, QN_JOB_DONE, err, &payload);
    rig_commit(&rig);
}

static void check_alert(const char *code, const char *detail)
{
    struct qn_health health = {.wall_ms = rig.core->wall_ms};
    struct qn_alert *alerts;
    size_t count = qn_core_alerts(rig.core, &health, &alerts), found = 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(alerts[i].code, code) == 0) {
            found++;
            cr_assert_str_eq(alerts[i].detail, detail);
            cr_assert_str_eq(alerts[i].object, "house");
        }
    cr_assert_eq(found, 1, "%s", code);
    qn_free(alerts);
}

Test(rate, the_first_problems_are_in_the_alert)
{
    start_run();
    tell_problem("/srv/a", NULL);
    tell_problem("/srv/b\xff\n", NULL);
    end_run(QN_OK, 2);
    check_alert("backup-problems", "/srv/a, /srv/b??");
    rig_start(&rig); /* also after a restart */
    check_alert("backup-problems", "/srv/a, /srv/b??");
}

Test(rate, of_many_problems_three_are_named)
{
    start_run();
    for (int i = 0; i < 10; i++)
        tell_problem("/srv/x", NULL);
    end_run(QN_OK, 10);
    check_alert("backup-problems", "/srv/x, /srv/x, /srv/x, ...");
}

Test(rate, a_command_s_last_line_is_in_the_alert)
{
    start_run();
    tell_problem("[backup house] before", "starting\nno such database\n\n");
    end_run(QN_ERR_COMMAND, 0);
    cr_assert_str_eq(rig.code, "command-failed");
    check_alert("backup-failed", "[backup house] before: no such database");
}

Test(rate, long_names_are_cut_at_letters)
{
    char path[1024] = "/srv/";
    for (int i = 0; i < 300; i++)
        strcat(path, "\xc3\xa9");
    start_run();
    for (int i = 0; i < 3; i++)
        tell_problem(path, NULL);
    end_run(QN_OK, 3);
    struct plan *plan = backup_plan(rig.core, qn_span_str("house"));
    struct qn_span first = qn_span_str(plan->runs.attempt_first);
    cr_assert_leq(first.size, QN_PLAN_FIRST_SIZE_MAX);
    cr_assert(qn_text_is_printable(first), "%s", plan->runs.attempt_first);
    cr_assert_eq(memcmp(first.data, "...\xc3\xa9", 5), 0);
}

/* A run that went well takes back what the one before complained of. */
Test(rate, problems_do_not_outlive_their_run)
{
    QN_AUTO_BUF struct qn_buf run;
    pack_house(&run, false);
    start_run();
    tell_problem("/srv/a", NULL);
    end_run(QN_OK, 1);
    rig_request(&rig, "backup.run", &run);
    rig_commit(&rig);
    end_run(QN_OK, 0);
    cr_assert_str_eq(backup_plan(rig.core, qn_span_str("house"))->runs.attempt_first, "");
}
