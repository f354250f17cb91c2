/* syncctl serve: the HTTPS access of this site. */
#include <stdarg.h>

#include "answer.h"
#include "app/words.h"
#include "commands.h"
#include "i18n.h"

#define ANSWER_SIZE_MAX (1024 * 1024)

/* A line of the answer, and so for standard output, also with --quiet. */
__attribute__((format(printf, 2, 3))) static void say(const struct ctl *ctl, const char *text, ...)
{
    va_list list;
    va_start(list, text);
    vfprintf(ctl->out, text, list);
    va_end(list);
    fputc('\n', ctl->out);
}

static void print_listeners(struct ctl *ctl, struct qn_span map)
{
    struct qn_span listeners;
    if (!ctl_map_find(map, "listeners", &listeners))
        return;
    for (struct ctl_walk walk = ctl_walk(listeners); ctl_walk_next(&walk);) {
        struct qn_span address = ctl_map_text(walk.value, "address");
        struct qn_span error = ctl_map_text(walk.value, "error");
        char line[1024];
        snprintf(line, sizeof(line), "%.*s%s%.*s", (int)address.size, (const char *)address.data,
                 error.size > 0 ? ": " : "", (int)error.size, (const char *)error.data);
        say(ctl, error.size > 0 ? _("Does not listen on %s") : _("Listens on %s"), line);
    }
    if (ctl_count(listeners) == 0)
        say(ctl, "%s",
            _("The HTTPS access is off: section [serve] of quoin.conf has no `listen`."));
}

static void print_certificate(struct ctl *ctl, struct qn_span map)
{
    struct qn_span certificate, error = ctl_map_text(map, "error");
    uint64_t end_ms;
    if (error.size > 0)
        say(ctl, _("Certificate: %.*s"), (int)error.size, (const char *)error.data);
    if (!ctl_map_find(map, "certificate", &certificate) ||
        !ctl_map_time(certificate, "end", &end_ms))
        return;
    struct qn_span names = ctl_map_text(certificate, "names");
    bool is_own = qn_span_eq_str(ctl_map_text(certificate, "from"), "authority");
    QN_AUTO_BUF struct qn_buf end;
    qn_buf_init(&end, 64);
    qn_words_append_time(&end, end_ms);
    say(ctl,
        is_own ? _("Certificate of this site's own authority, until %.*s, for %.*s")
               : _("Certificate from files, until %.*s, for %.*s"),
        (int)end.size, (const char *)end.data, (int)names.size, (const char *)names.data);
}

int ctl_run_serve_status(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args, map = {0};
    ctl_args_init(&args, 0);
    if (ctl->is_json)
        return ctl_show(ctl, "serve.status", &args, ctl_serve_shape);
    qn_buf_init(&map, ANSWER_SIZE_MAX);
    int code = ctl_call(ctl, "serve.status", &args, &(struct ctl_sink){.end = &map});
    if (code != CTL_DONE)
        return code;
    struct qn_span answer = qn_buf_view(&map);
    print_listeners(ctl, answer);
    print_certificate(ctl, answer);
    say(ctl, _("Connections: %llu; requests since the start: %llu; refused: %llu"),
        (unsigned long long)ctl_map_u64(answer, "connections"),
        (unsigned long long)ctl_map_u64(answer, "requests"),
        (unsigned long long)ctl_map_u64(answer, "refused"));
    return CTL_DONE;
}

int ctl_run_serve_authority(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args, map = {0};
    ctl_args_init(&args, 0);
    if (ctl->is_json)
        return ctl_show(ctl, "serve.authority", &args, ctl_authority_shape);
    qn_buf_init(&map, ANSWER_SIZE_MAX);
    int code = ctl_call(ctl, "serve.authority", &args, &(struct ctl_sink){.end = &map});
    if (code == CTL_DONE)
        ctl_put_raw(ctl->out, ctl_map_text(qn_buf_view(&map), "pem"));
    return code;
}
