#include "app/mailer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/mail_text.h"
#include "base/mem.h"
#include "base/text.h"
#include "loop/exchange.h"
#include "loop/process.h"
#include "os/os.h"

#define SEND_TIME_MS   60000
#define RETRY_FIRST_MS ((uint64_t)60 * 1000)
#define RETRY_MAX_MS   ((uint64_t)3600 * 1000)
#define DAY_MS         ((uint64_t)24 * 3600 * 1000)

struct qn_mailer {
    struct qn_mailer_options options;
    struct qn_config_mail config;
    bool is_quiet;
    struct qn_timer *timer;
    struct qn_mail_book book;
    char path[4096]; /* of the state */
    /* The mail under way: */
    struct qn_process *process; /* either of them, or NULL: none */
    struct qn_exchange *exchange;
    struct qn_alert *alerts;
    struct qn_mail_plan plan;
    /* Failure: */
    uint64_t failed_ms, retry_ms, retry_delay_ms;
    char words[128];
};

/* ---- what is kept ---- */

static void load(struct qn_mailer *mailer)
{
    QN_AUTO_BUF struct qn_buf content;
    qn_buf_init(&content, QN_MAIL_SIZE_MAX);
    enum qn_err err = qn_os_read_file(mailer->path, QN_MAIL_SIZE_MAX, &content);
    if (err == QN_OK)
        err = qn_mail_book_unpack(qn_buf_view(&content), &mailer->book);
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        qn_log(mailer->options.log, QN_LOG_WARNING,
               "what was told by mail cannot be read from %s (%s); it may be told once more",
               mailer->path, qn_err_name(err));
}

struct save {
    char path[4096];
    struct qn_buf content;
    struct qn_log *log;
    enum qn_err err;
};

static void save_work(void *context)
{
    struct save *save = context;
    save->err = qn_buf_status(&save->content);
    if (save->err == QN_OK)
        save->err = qn_os_replace_file(save->path, qn_buf_view(&save->content), 0600);
}

static void save_done(void *context)
{
    struct save *save = context;
    if (save->err != QN_OK)
        qn_log(save->log, QN_LOG_WARNING,
               "what was told by mail cannot be written to %s (%s); after a restart it is told "
               "once more",
               save->path, qn_err_name(save->err));
    qn_buf_deinit(&save->content);
    qn_free(save);
}

static void store(struct qn_mailer *mailer)
{
    struct save *save = QN_NEW(struct save);
    memcpy(save->path, mailer->path, sizeof(save->path));
    save->log = mailer->options.log;
    qn_buf_init(&save->content, QN_MAIL_SIZE_MAX);
    qn_mail_book_pack(&mailer->book, &save->content);
    save->err = qn_loop_job(mailer->options.loop, save_work, save_done, save);
    if (save->err != QN_OK)
        save_done(save);
}

/* ---- one mail ---- */

static void forget_mail(struct qn_mailer *mailer)
{
    qn_process_free(mailer->process);
    qn_exchange_free(mailer->exchange);
    mailer->process = NULL;
    mailer->exchange = NULL;
    qn_free(mailer->alerts);
    mailer->alerts = NULL;
    qn_mail_plan_deinit(&mailer->plan);
    mailer->plan = (struct qn_mail_plan){0};
}

/* The last line of what the program said, if it is text; else the error. */
static void take_words(struct qn_mailer *mailer, enum qn_err err, struct qn_span said)
{
    while (said.size > 0 && said.data[said.size - 1] <= ' ')
        said.size--;
    for (size_t i = said.size; i-- > 0;)
        if (said.data[i] == '\n') {
            said = qn_span_from(said, i + 1);
            break;
        }
    if (said.size == 0 || said.size >= sizeof(mailer->words) || !qn_text_is_printable(said))
        said = qn_span_str(qn_err_name(err));
    snprintf(mailer->words, sizeof(mailer->words), "%.*s", (int)said.size, (const char *)said.data);
}

static void failed(struct qn_mailer *mailer, enum qn_err err, struct qn_span said)
{
    uint64_t now_ms = mailer->options.wall_ms();
    uint64_t delay_ms = mailer->retry_delay_ms * 2;
    delay_ms = delay_ms < RETRY_FIRST_MS ? RETRY_FIRST_MS : delay_ms;
    mailer->retry_delay_ms = delay_ms > RETRY_MAX_MS ? RETRY_MAX_MS : delay_ms;
    mailer->retry_ms = now_ms + mailer->retry_delay_ms;
    if (mailer->failed_ms == 0)
        mailer->failed_ms = now_ms;
    take_words(mailer, err, said);
    qn_log(mailer->options.log, QN_LOG_ERROR,
           "a mail to %s cannot be sent (%s: %s); it is tried again in %llu s", mailer->config.to,
           qn_err_name(err), mailer->words, (unsigned long long)(mailer->retry_delay_ms / 1000));
}

static void ended(struct qn_mailer *mailer, enum qn_err err, struct qn_span said)
{
    if (err == QN_OK) {
        mailer->failed_ms = mailer->retry_ms = mailer->retry_delay_ms = 0;
        qn_mail_book_sent(&mailer->book, mailer->alerts, &mailer->plan, mailer->options.wall_ms());
        store(mailer);
    } else {
        failed(mailer, err, said);
    }
    forget_mail(mailer);
}

static void on_end(void *context, const struct qn_process_end *end)
{
    ended(context, end->err, end->tail);
}

/* The unit says "sent" when the mail program took it, and before that what the program said. */
static void on_answer(void *context, enum qn_err err, struct qn_span answer)
{
    static const char word[] = "sent\n";
    size_t size = strlen(word);
    bool is_sent = answer.size >= size && memcmp(answer.data + answer.size - size, word, size) == 0;
    ended(context, err == QN_OK && !is_sent ? QN_ERR_COMMAND : err, answer);
}

static enum qn_err run_program(struct qn_mailer *mailer, struct qn_span text)
{
    const char *argv[] = {mailer->config.program, "-t", "-i", NULL};
    const char *env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                         "LANG=C.UTF-8", NULL};
    struct qn_process_options options = {.argv = argv,
                                         .env = env,
                                         .input = text,
                                         .output_fd = -1,
                                         .time_max_ms = SEND_TIME_MS,
                                         .on_end = on_end,
                                         .context = mailer};
    return qn_process_new(mailer->options.loop, &options, &mailer->process);
}

static enum qn_err ask_unit(struct qn_mailer *mailer, struct qn_span text)
{
    struct qn_exchange_options options = {.path = mailer->config.socket,
                                          .said = text,
                                          .time_max_ms = SEND_TIME_MS,
                                          .on_end = on_answer,
                                          .context = mailer};
    mailer->exchange = qn_exchange_new(mailer->options.loop, &options);
    return QN_OK;
}

static void send(struct qn_mailer *mailer)
{
    struct qn_mail_letter letter = {.to = mailer->config.to,
                                    .from = mailer->config.from,
                                    .site = mailer->options.site,
                                    .now_ms = mailer->options.wall_ms()};
    letter.offset_s = qn_os_offset_s(letter.now_ms);
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, QN_MAIL_TEXT_SIZE_MAX);
    qn_mail_compose(&letter, mailer->alerts, &mailer->plan, &text);
    bool has_unit = access(mailer->config.socket, F_OK) == 0;
    enum qn_err err = qn_buf_status(&text);
    if (err == QN_OK)
        err = has_unit ? ask_unit(mailer, qn_buf_view(&text))
                       : run_program(mailer, qn_buf_view(&text));
    if (err != QN_OK)
        ended(mailer, err, qn_span(NULL, 0));
}

/* ---- looking ---- */

static void look(struct qn_mailer *mailer)
{
    uint64_t now_ms = mailer->options.wall_ms();
    uint64_t remind_ms = mailer->config.remind_days * DAY_MS;
    if (mailer->retry_ms > now_ms + RETRY_MAX_MS)
        mailer->retry_ms = now_ms; /* the clock was set back */
    size_t count = mailer->options.alerts(mailer->options.context, &mailer->alerts);
    qn_mail_book_look(&mailer->book, mailer->alerts, count, now_ms, remind_ms, &mailer->plan);
    if (mailer->plan.is_due && now_ms >= mailer->retry_ms)
        send(mailer);
    else
        forget_mail(mailer);
}

static void on_timer(void *context)
{
    struct qn_mailer *mailer = context;
    if (!mailer->is_quiet && mailer->process == NULL && mailer->exchange == NULL)
        look(mailer);
    qn_timer_set(mailer->timer, mailer->options.look_ms);
}

/* ---- the door ---- */

struct qn_mailer *qn_mailer_new(const struct qn_mailer_options *options)
{
    struct qn_mailer *mailer = QN_NEW(struct qn_mailer);
    mailer->options = *options;
    mailer->is_quiet = true;
    snprintf(mailer->path, sizeof(mailer->path), "%s/mail.state", options->state_dir);
    load(mailer);
    mailer->timer = qn_timer_new(options->loop, on_timer, mailer);
    qn_timer_set(mailer->timer, options->look_ms);
    return mailer;
}

void qn_mailer_configure(struct qn_mailer *mailer, const struct qn_config *config)
{
    mailer->config = config->mail;
    mailer->is_quiet = config->mail.to[0] == '\0' || config->distrusted[0] != '\0';
    mailer->failed_ms = mailer->retry_ms = mailer->retry_delay_ms = 0;
}

void qn_mailer_health(const struct qn_mailer *mailer, struct qn_health *ret_health)
{
    ret_health->mail_failed_ms = mailer->failed_ms;
    ret_health->mail_to = mailer->config.to;
    ret_health->mail_words = mailer->words;
}

void qn_mailer_free(struct qn_mailer *mailer)
{
    if (mailer == NULL)
        return;
    forget_mail(mailer);
    qn_timer_free(mailer->timer);
    qn_mail_book_deinit(&mailer->book);
    qn_free(mailer);
}
