/* Mail about alerts: who is told what when, how it is written, and a program that sends it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/mail_text.h"
#include "app/mailer.h"
#include "os/os.h"
#include "support/tmp_dir.h"
#include "support/turns.h"

#define MINUTE_MS ((uint64_t)60 * 1000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
#define START_MS  ((uint64_t)1700000000000)
#define REMIND_MS (3 * DAY_MS)

static struct qn_alert alert(const char *severity, const char *code, const char *object)
{
    struct qn_alert made = {.severity = severity, .code = code};
    snprintf(made.object, sizeof(made.object), "%s", object);
    return made;
}

/* ---- the book ---- */

static struct qn_mail_book book;
static struct qn_alert alerts[300];
static size_t count;
static uint64_t now_ms;

static void start(void)
{
    now_ms = START_MS;
    count = 0;
    book = (struct qn_mail_book){0};
}

static void stop(void)
{
    qn_mail_book_deinit(&book);
}

TestSuite(mail, .init = start, .fini = stop);

static void begins(const char *code, const char *object)
{
    alerts[count++] = alert("attention", code, object);
}

/* Looks; sends if that is due. What is said: 'f' fresh, 'a' again, 'k' known, each with its number,
 * "calm", or nothing. */
static const char *looks(bool sends)
{
    static char said[64];
    struct qn_mail_plan plan;
    qn_mail_book_look(&book, alerts, count, now_ms, REMIND_MS, &plan);
    snprintf(said, sizeof(said), "f%zu a%zu k%zu", plan.fresh.count, plan.again.count,
             plan.known.count);
    if (plan.is_calm)
        strcpy(said, "calm");
    if (plan.is_due && sends)
        qn_mail_book_sent(&book, alerts, &plan, now_ms);
    if (!plan.is_due)
        strcpy(said, "");
    qn_mail_plan_deinit(&plan);
    return said;
}
#define SAYS(wanted) cr_assert_str_eq(looks(true), wanted)

Test(mail, is_one_when_an_alert_begins)
{
    SAYS("");
    begins("backup-failed", "house");
    SAYS("f1 a0 k0");
    SAYS("");
    now_ms += DAY_MS;
    SAYS("");
    begins("backup-failed", "other");
    SAYS("f1 a0 k1");
}

Test(mail, reminds_while_it_lasts)
{
    begins("backup-failed", "house");
    SAYS("f1 a0 k0");
    for (int i = 0; i < 3; i++) {
        now_ms += REMIND_MS - 1;
        SAYS("");
        now_ms++;
        SAYS("f0 a1 k0");
    }
}

Test(mail, has_a_word_when_all_is_well)
{
    begins("backup-failed", "house");
    begins("backup-late", "house");
    SAYS("f2 a0 k0");
    count = 1;
    now_ms += DAY_MS;
    SAYS("");
    count = 0;
    SAYS("");
    now_ms += QN_MAIL_CALM_MS;
    SAYS("calm");
    now_ms += DAY_MS;
    SAYS("");
}

Test(mail, is_not_sent_for_what_flutters)
{
    begins("backup-failed", "house");
    SAYS("f1 a0 k0");
    for (int i = 0; i < 20; i++) {
        count = (size_t)i % 2;
        now_ms += QN_MAIL_CALM_MS / 2;
        SAYS("");
    }
}

Test(mail, waits_before_it_tells_of_a_line)
{
    begins("site-offline", "luzech");
    SAYS("");
    now_ms += HOUR_MS - 1;
    SAYS("");
    count = 0;
    SAYS("");
    now_ms += 1;
    count = 1;
    SAYS(""); /* it begins anew */
    now_ms += HOUR_MS;
    SAYS("f1 a0 k0");
}

Test(mail, is_of_no_hint)
{
    alerts[count++] = alert("hint", "kit-unconfirmed", "recovery-kit.txt");
    begins("mail-failed", "it@example.org"); /* nor of itself */
    SAYS("");
}

Test(mail, is_a_burst_at_most)
{
    size_t sent = 0;
    char name[16];
    for (int i = 0; i < 60; i++) { /* an hour with a new alert each minute */
        snprintf(name, sizeof(name), "b%d", i);
        begins("backup-failed", name);
        sent += looks(true)[0] != '\0';
        now_ms += MINUTE_MS;
    }
    cr_assert_eq(sent, QN_MAIL_BURST + 3);
    now_ms += DAY_MS;
    looks(true);
    qn_vec_each (&book.entries, entry)
        cr_assert_neq(entry->told_ms, 0, "%s", entry->object); /* none was left out */
}

Test(mail, that_was_not_sent_is_still_due)
{
    begins("backup-failed", "house");
    cr_assert_str_eq(looks(false), "f1 a0 k0");
    now_ms += MINUTE_MS;
    SAYS("f1 a0 k0");
    SAYS("");
}

Test(mail, a_clock_that_is_set_back_makes_nothing_wait)
{
    now_ms = START_MS + 3650 * DAY_MS;
    begins("backup-failed", "house");
    SAYS("f1 a0 k0");
    now_ms = START_MS;
    SAYS("");
    now_ms += REMIND_MS;
    SAYS("f0 a1 k0");
    count = 0;
    SAYS("");
    now_ms += QN_MAIL_CALM_MS;
    SAYS("calm");
}

Test(mail, remembers_a_bounded_number)
{
    char name[16];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "b%d", i);
        begins("backup-failed", name);
    }
    SAYS("f256 a0 k0");
    cr_assert_eq(book.entries.count, QN_MAIL_ALERTS_MAX);
}

Test(mail, the_book_survives)
{
    QN_AUTO_BUF struct qn_buf packed;
    qn_buf_init(&packed, QN_MAIL_SIZE_MAX);
    begins("backup-failed", "house");
    begins("conflict", "residents \xc3\xa9");
    SAYS("f2 a0 k0");
    qn_mail_book_pack(&book, &packed);
    stop();
    cr_assert_eq(qn_mail_book_unpack(qn_buf_view(&packed), &book), QN_OK);
    SAYS("");
    count = 0;
    SAYS("");
    now_ms += QN_MAIL_CALM_MS;
    SAYS("calm");
    for (size_t size = 0; size < packed.size; size++) { /* cut anywhere, it is refused */
        struct qn_mail_book cut;
        cr_assert_neq(qn_mail_book_unpack(qn_span(packed.data, size), &cut), QN_OK);
        cr_assert_eq(cut.entries.count, 0);
    }
}

/* ---- how it is written ---- */

static char *encode(void (*append)(struct qn_buf *, struct qn_span), const char *text)
{
    static char out[4096];
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, sizeof(out));
    append(&buf, qn_span_str(text));
    snprintf(out, sizeof(out), "%.*s", (int)buf.size, (const char *)buf.data);
    return out;
}

Test(mail, words_of_a_head)
{
    cr_assert_str_eq(encode(qn_mail_append_words, "[Quoin] luzech: late"), "[Quoin] luzech: late");
    cr_assert_str_eq(encode(qn_mail_append_words, "r\xc3\xa9sidents a"),
                     "=?UTF-8?Q?r=C3=A9sidents_a?=");
    cr_assert_str_eq(encode(qn_mail_append_words, "a\nBcc: x@y"), "=?UTF-8?Q?a=0ABcc=3A_x=40y?=");
    cr_assert_str_eq(encode(qn_mail_append_words, "=?x"), "=?UTF-8?Q?=3D=3Fx?=");
    const char *folded = encode(qn_mail_append_words,
                                "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                                "\xc3\xa9\xc3\xa9\xc3\xa9 and more of it");
    cr_assert_str_eq(folded, "=?UTF-8?Q?=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3="
                             "A9?=\n =?UTF-8?Q?=C3=A9_and_more_of_it?=");
}

Test(mail, quoted_bodies)
{
    cr_assert_str_eq(encode(qn_mail_append_quoted, "a = b \nc\t\xc3\xa9\n"),
                     "a =3D b=20\nc=09=C3=A9\n");
    const char *wide =
        encode(qn_mail_append_quoted,
               "0123456789012345678901234567890123456789012345678901234567890123456789"
               "0123\xc3\xa9 end");
    cr_assert_str_eq(wide, "01234567890123456789012345678901234567890123456789012345678901234567890"
                           "123=\n=C3=A9 end");
}

static char *compose(const struct qn_mail_plan *plan)
{
    static char out[16384];
    struct qn_mail_letter letter = {.to = "a@b, c@d",
                                    .from = "quoin@b",
                                    .site = "luzech",
                                    .now_ms = START_MS,
                                    .offset_s = 3600};
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, sizeof(out));
    qn_mail_compose(&letter, alerts, plan, &buf);
    snprintf(out, sizeof(out), "%.*s", (int)buf.size, (const char *)buf.data);
    return out;
}

Test(mail, a_whole_one)
{
    struct qn_mail_plan plan = {.is_due = true};
    alerts[count++] = alert("critical", "vault-bad", "ab12");
    begins("backup-failed", "house");
    strcpy(alerts[1].detail, "before: no");
    qn_vec_push(&plan.fresh, 0);
    qn_vec_push(&plan.again, 1);
    cr_assert_str_eq(
        compose(&plan),
        "From: quoin@b\nTo: a@b,\n  c@d\n"
        "Subject: =?UTF-8?Q?=5BQuoin=5D_luzech=3A_the_vault_of_this_site_is_damaged=3A?=\n"
        " =?UTF-8?Q?_ab12_=28and_1_more=29?=\n"
        "Date: Tue, 14 Nov 2023 22:13:20 +0000\n"
        "Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=UTF-8\n"
        "Content-Transfer-Encoding: quoted-printable\n\n"
        "Site luzech, 2023-11-14 23:13\n\n"
        "New:\n!! the vault of this site is damaged: ab12\n"
        "   Run `syncctl backup verify --read-data`, and check the disk. [vault-bad]\n\n"
        "Reminder, it lasts:\n- the last run of backup house failed (before: no)\n"
        "  Run `syncctl backup run house` and read what it says; see `journalctl -u =\n"
        "quoin`. [backup-failed]\n\n"
        "`syncctl status` at this site shows how it is now.\n");
    qn_mail_plan_deinit(&plan);
}

Test(mail, that_all_is_well)
{
    const char *text = compose(&(struct qn_mail_plan){.is_due = true, .is_calm = true});
    cr_assert_not_null(strstr(text, "\nSubject: [Quoin] luzech: all is well again\n"), "%s", text);
    cr_assert_not_null(strstr(text, "\nAll is well again: nothing needs attention any more.\n"));
}

/* ---- the mailer, with a program that keeps what it is given ---- */

static struct tmp_dir dir;

static uint64_t wall_ms(void)
{
    return now_ms;
}

static size_t give_alerts(void *context, struct qn_alert **ret_alerts)
{
    *ret_alerts = qn_alloc(sizeof(alerts));
    memcpy(*ret_alerts, alerts, sizeof(alerts));
    return count;
}

static void write_program(const char *line)
{
    char path[TMP_PATH_SIZE];
    FILE *file = fopen(tmp_dir_at(&dir, "sendmail", path), "w");
    cr_assert_not_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", line);
    fclose(file);
    cr_assert_eq(chmod(path, 0700), 0);
}

struct desk {
    struct qn_loop *loop;
    struct qn_log log;
    struct qn_mailer *mailer;
};

static void desk_open(struct desk *desk)
{
    struct qn_config config;
    char path[TMP_PATH_SIZE];
    desk->loop = new_loop();
    qn_log_init(&desk->log, QN_LOG_ERROR, qn_os_boot_ms);
    desk->mailer = qn_mailer_new(&(struct qn_mailer_options){.loop = desk->loop,
                                                             .log = &desk->log,
                                                             .state_dir = dir.path,
                                                             .site = "luzech",
                                                             .wall_ms = wall_ms,
                                                             .look_ms = 1,
                                                             .alerts = give_alerts});
    qn_config_init(&config);
    strcpy(config.mail.to, "it@example.org");
    snprintf(config.mail.socket, sizeof(config.mail.socket), "/nowhere/mail.sock");
    snprintf(config.mail.program, sizeof(config.mail.program), "%.255s",
             tmp_dir_at(&dir, "sendmail", path));
    qn_mailer_configure(desk->mailer, &config);
}

static void desk_close(struct desk *desk)
{
    qn_mailer_free(desk->mailer);
    free_loop(desk->loop);
}

static size_t lines_of(const char *name)
{
    char path[TMP_PATH_SIZE], line[4096];
    size_t lines = 0;
    FILE *file = fopen(tmp_dir_at(&dir, name, path), "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        lines++;
    if (file != NULL)
        fclose(file);
    return lines;
}

static uint64_t failed_since(const struct desk *desk)
{
    struct qn_health health = {0};
    qn_mailer_health(desk->mailer, &health);
    return health.mail_failed_ms;
}

Test(mail, is_sent_once_also_after_a_restart)
{
    struct desk desk;
    char script[2 * TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    snprintf(script, sizeof(script), "test \"$*\" = '-t -i' && grep ^Subject: >>%s/sent", dir.path);
    write_program(script);
    begins("backup-failed", "house");
    desk_open(&desk);
    turn_until(desk.loop, lines_of("sent") == 1);
    turn_until(desk.loop, lines_of("mail.state") > 0);
    desk_close(&desk);
    desk_open(&desk);
    begins("conflict", "residents");
    turn_until(desk.loop, lines_of("sent") == 2); /* not three: the first was told already */
    count = 0;
    now_ms += MINUTE_MS;
    for (int i = 0; i < 100; i++)
        qn_loop_wait(desk.loop);
    cr_assert_eq(lines_of("sent"), 2);
    now_ms += QN_MAIL_CALM_MS;
    turn_until(desk.loop, lines_of("sent") == 3);
    desk_close(&desk);
    tmp_dir_deinit(&dir);
}

Test(mail, that_cannot_be_sent_is_tried_again)
{
    struct desk desk;
    char script[3 * TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    snprintf(script, sizeof(script), "echo x >>%s/tried; echo wrong; echo 'no route' >&2; exit 75",
             dir.path);
    write_program(script);
    begins("backup-failed", "house");
    desk_open(&desk);
    turn_until(desk.loop, failed_since(&desk) == START_MS);
    struct qn_health health = {0};
    qn_mailer_health(desk.mailer, &health);
    cr_assert_str_eq(health.mail_words, "no route");
    cr_assert_str_eq(health.mail_to, "it@example.org");
    for (int i = 0; i < 100; i++)
        qn_loop_wait(desk.loop);
    cr_assert_eq(lines_of("tried"), 1);
    now_ms += MINUTE_MS;
    turn_until(desk.loop, lines_of("tried") == 2);
    turn_until(desk.loop, (now_ms += MINUTE_MS, lines_of("tried") == 3));
    cr_assert_eq(failed_since(&desk), START_MS);
    write_program("cat >/dev/null");
    turn_until(desk.loop, (now_ms += MINUTE_MS, failed_since(&desk) == 0));
    desk_close(&desk);
    tmp_dir_deinit(&dir);
}

Test(mail, without_a_program_is_told_by_status)
{
    struct desk desk;
    tmp_dir_init(&dir);
    begins("backup-failed", "house");
    desk_open(&desk);
    turn_until(desk.loop, failed_since(&desk) != 0);
    struct qn_health health = {0};
    qn_mailer_health(desk.mailer, &health);
    cr_assert_str_eq(health.mail_words, "not-found");
    desk_close(&desk);
    tmp_dir_deinit(&dir);
}

Test(mail, a_damaged_state_is_no_state)
{
    struct desk desk;
    char path[TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    write_program("cat >/dev/null");
    begins("backup-failed", "house");
    cr_assert_eq(
        qn_os_replace_file(tmp_dir_at(&dir, "mail.state", path), qn_span_str("\x95\x01"), 0600),
        QN_OK);
    desk_open(&desk);
    struct stat before, after;
    cr_assert_eq(stat(path, &before), 0);
    turn_until(desk.loop, stat(path, &after) == 0 && after.st_ino != before.st_ino);
    desk_close(&desk);
    tmp_dir_deinit(&dir);
}

Test(mail, is_not_sent_for_a_configuration_of_others)
{
    struct desk desk;
    struct qn_config config;
    tmp_dir_init(&dir);
    begins("backup-failed", "house");
    desk_open(&desk);
    qn_config_init(&config);
    strcpy(config.mail.to, "it@example.org");
    strcpy(config.distrusted, "/etc/quoin/quoin.conf");
    qn_mailer_configure(desk.mailer, &config);
    for (int i = 0; i < 100; i++)
        qn_loop_wait(desk.loop);
    cr_assert_eq(failed_since(&desk), 0);
    desk_close(&desk);
    tmp_dir_deinit(&dir);
}
