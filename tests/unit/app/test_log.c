#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/log.h"

static uint64_t now_ms;

static uint64_t clock_ms(void)
{
    return now_ms;
}

/* Standard error goes into a file until `said` reads it back. */
struct capture {
    FILE *file;
    int before;
    char text[65536];
};

static void capture_start(struct capture *capture)
{
    fflush(stderr);
    capture->file = tmpfile();
    capture->before = dup(STDERR_FILENO);
    dup2(fileno(capture->file), STDERR_FILENO);
}

static const char *capture_end(struct capture *capture)
{
    fflush(stderr);
    dup2(capture->before, STDERR_FILENO);
    close(capture->before);
    rewind(capture->file);
    capture->text[fread(capture->text, 1, sizeof(capture->text) - 1, capture->file)] = '\0';
    fclose(capture->file);
    return capture->text;
}

static struct qn_log new_log(enum qn_log_level level)
{
    struct qn_log log;
    unsetenv("JOURNAL_STREAM");
    now_ms = 1000;
    qn_log_init(&log, level, clock_ms);
    return log;
}

static size_t lines(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

Test(log, a_line_says_who_and_how_bad)
{
    static struct capture capture;
    struct qn_log log = new_log(QN_LOG_INFO);
    capture_start(&capture);
    qn_log(&log, QN_LOG_WARNING, "the %s is wrong", "clock");
    cr_assert_str_eq(capture_end(&capture), "syncd: warning: the clock is wrong\n");
}

Test(log, the_journal_gets_a_priority)
{
    static struct capture capture;
    struct qn_log log;
    setenv("JOURNAL_STREAM", "8:1", 1);
    qn_log_init(&log, QN_LOG_DEBUG, clock_ms);
    capture_start(&capture);
    qn_log(&log, QN_LOG_ERROR, "a");
    qn_log(&log, QN_LOG_WARNING, "b");
    qn_log(&log, QN_LOG_INFO, "c");
    qn_log(&log, QN_LOG_DEBUG, "d");
    cr_assert_str_eq(capture_end(&capture), "<3>a\n<4>b\n<6>c\n<7>d\n");
}

Test(log, what_is_less_important_is_left_out)
{
    static struct capture capture;
    struct qn_log log = new_log(QN_LOG_WARNING);
    capture_start(&capture);
    qn_log(&log, QN_LOG_INFO, "no");
    qn_log_note(&log, "joined", QN_OK, "lot");
    qn_log(&log, QN_LOG_ERROR, "yes");
    cr_assert_str_eq(capture_end(&capture), "syncd: error: yes\n");
}

Test(log, a_storm_is_one_line_and_a_count)
{
    static struct capture capture;
    struct qn_log log = new_log(QN_LOG_INFO);
    capture_start(&capture);
    for (int i = 0; i < 1000; i++, now_ms++)
        qn_log_note(&log, "bad-frame", QN_ERR_INVALID, "luzech");
    qn_log_note(&log, "bad-ledger", QN_ERR_SIGNATURE, "luzech"); /* another code is heard */
    now_ms += 10000;
    qn_log_note(&log, "bad-frame", QN_ERR_INVALID, "luzech");
    const char *text = capture_end(&capture);
    cr_assert_eq(lines(text), 3, "%s", text);
    cr_assert_not_null(strstr(text, "luzech"));
    cr_assert_not_null(strstr(text, "999 times more"));
}

Test(log, nobody_begins_a_line_of_his_own)
{
    static struct capture capture;
    struct qn_log log = new_log(QN_LOG_INFO);
    capture_start(&capture);
    qn_log_note(&log, "join-refused", QN_ERR_DENIED, "x\nsyncd: error: all is lost\x1b[31m");
    const char *text = capture_end(&capture);
    cr_assert_eq(lines(text), 1, "%s", text);
    cr_assert_null(strchr(text, '\x1b'));
}

Test(log, names_in_utf8_stay)
{
    static struct capture capture;
    struct qn_log log = new_log(QN_LOG_INFO);
    capture_start(&capture);
    qn_log_note(&log, "joined", QN_OK, "Établissements du Lot");
    cr_assert_not_null(strstr(capture_end(&capture), "Établissements du Lot"));
}

Test(log, every_note_of_the_core_has_words)
{
    static const char *const codes[] = {
        "joined",          "restored",
        "join-refused",    "join-failed",
        "fingerprint",     "bad-frame",
        "bad-operation",   "bad-ledger",
        "bad-heads",       "flood",
        "equivocation",    "bad-guest",
        "commit-failed",   "read-failed",
        "frame-too-large", "invitation-unknown",
        "bad-name",        "invitation-revoked",
        "invitation-used", "invitation-expired",
        "book-failed",     "copies-refused",
        "copies-full",     "pack-refused",
        "pack-not-read",   "copy-differs",
        "proof-failed",    "list-refused",
        "list-not-made",   "snapshot-not-read",
    };
    static struct capture capture;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        char bare[64];
        struct qn_log log = new_log(QN_LOG_DEBUG);
        capture_start(&capture);
        qn_log_note(&log, codes[i], QN_OK, "");
        snprintf(bare, sizeof(bare), ": %s [%s]\n", codes[i], codes[i]);
        cr_assert_null(strstr(capture_end(&capture), bare), "%s has no text", codes[i]);
    }
}
