#include "wire.h"

#include "base/limits.h"
#include "client/client.h"
#include "proto/pack.h"

void ctl_args_init(struct qn_buf *args, size_t count)
{
    qn_buf_init(args, QN_CONTROL_FRAME_SIZE_MAX);
    qn_pack_map(args, count);
}

void ctl_arg_str(struct qn_buf *args, const char *key, const char *value)
{
    qn_pack_cstr(args, key);
    if (value != NULL)
        qn_pack_cstr(args, value);
    else
        qn_pack_nil(args);
}

void ctl_arg_u64(struct qn_buf *args, const char *key, uint64_t value)
{
    qn_pack_cstr(args, key);
    qn_pack_u64(args, value);
}

void ctl_arg_nil(struct qn_buf *args, const char *key)
{
    qn_pack_cstr(args, key);
    qn_pack_nil(args);
}

void ctl_arg_raw(struct qn_buf *args, const char *key, struct qn_span packed)
{
    qn_pack_cstr(args, key);
    qn_pack_raw(args, packed);
}

size_t ctl_pack_names(const char *text, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf names;
    qn_buf_init(&names, QN_CONTROL_FRAME_SIZE_MAX);
    size_t count = 0;
    for (const char *at = text;; at++) {
        size_t size = strcspn(at, ",");
        if (size == 0)
            return 0;
        qn_pack_str(&names, qn_span(at, size));
        count++;
        at += size;
        if (*at == '\0')
            break;
    }
    qn_pack_array(out, count);
    qn_pack_raw(out, qn_buf_view(&names));
    return count;
}

int ctl_fail_line(const struct ctl *ctl, enum qn_err err)
{
    const char *code = "no-daemon";
    if (err == QN_ERR_DENIED)
        code = "no-permission";
    else if (err == QN_ERR_TIMEOUT)
        code = "timeout";
    else if (err == QN_ERR_INVALID)
        code = "bad-answer";
    else if (err == QN_ERR_LIMIT)
        code = "record-too-large";
    bool is_about_daemon = err != QN_ERR_TIMEOUT && err != QN_ERR_LIMIT;
    return ctl_fail_str(ctl, code, is_about_daemon ? ctl->state_dir : "");
}

int ctl_connect(struct ctl *ctl, bool waits_for_ever)
{
    if (ctl->client != NULL)
        return CTL_DONE;
    int timeout_ms = waits_for_ever && !ctl->has_timeout ? -1 : (int)ctl->timeout_s * 1000;
    QN_AUTO_BUF struct qn_buf path;
    qn_buf_init(&path, 4096);
    qn_buf_printf(&path, "%s/control.sock", ctl->state_dir);
    qn_buf_append_u8(&path, 0);
    enum qn_err err = qn_buf_status(&path);
    if (err == QN_OK)
        err = qn_client_open((const char *)path.data, timeout_ms, &ctl->client);
    if (err == QN_OK)
        return CTL_DONE;
    bool is_told = err == QN_ERR_DENIED || err == QN_ERR_TIMEOUT;
    return ctl_fail_line(ctl, is_told ? err : QN_ERR_NOTFOUND);
}

static int fail_answer(const struct ctl *ctl, const struct qn_client_answer *answer)
{
    char code[QN_NAME_SIZE_MAX + 1] = "internal";
    if (answer->code.size < sizeof(code)) {
        memcpy(code, answer->code.data, answer->code.size);
        code[answer->code.size] = '\0';
    }
    return ctl_fail(ctl, code, answer->object);
}

static int take_answers(struct ctl *ctl, uint64_t id, const struct ctl_sink *sink)
{
    uint64_t patience_ms = ((uint64_t)ctl->timeout_s + sink->extra_s) * 1000;
    uint64_t deadline_ms = qn_client_clock_ms() + patience_ms;
    for (;;) {
        uint64_t now_ms = qn_client_clock_ms();
        int left = deadline_ms > now_ms ? (int)(deadline_ms - now_ms) : 0;
        struct qn_client_answer answer;
        enum qn_err err = qn_client_receive(ctl->client, sink->waits_for_ever ? -1 : left, &answer);
        if (err != QN_OK)
            return ctl_fail_line(ctl, err);
        if (answer.id != id)
            continue;
        if (answer.kind == QN_CLIENT_ERROR)
            return fail_answer(ctl, &answer);
        if (answer.kind == QN_CLIENT_END && sink->end != NULL)
            qn_buf_append_span(sink->end, answer.data);
        if (answer.kind == QN_CLIENT_END)
            return CTL_DONE;
        int code = sink->on_data ? sink->on_data(sink->context, answer.data) : CTL_DONE;
        if (code != CTL_DONE)
            return code;
    }
}

int ctl_call(struct ctl *ctl, const char *cmd, const struct qn_buf *args,
             const struct ctl_sink *sink)
{
    int code = ctl_connect(ctl, sink->waits_for_ever);
    if (code != CTL_DONE)
        return code;
    enum qn_err err = qn_buf_status(args);
    uint64_t id = 0;
    if (err == QN_OK)
        err = qn_client_send(ctl->client, cmd, qn_buf_view(args), &id);
    return err == QN_OK ? take_answers(ctl, id, sink) : ctl_fail_line(ctl, err);
}
