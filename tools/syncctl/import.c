/* syncctl record import: the file is read twice. First it is checked to its end; then it is sent in
 * batches, several under way. Every batch is all or nothing, and repeating one changes nothing. */
#include <string.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "client/client.h"
#include "commands.h"
#include "i18n.h"
#include "proto/pack.h"
#include "screen.h"
#include "source.h"
#include "wire.h"

#define BATCH_SIZE_WISHED (256 * 1024)
#define BATCH_COUNT_MAX   1000
#define FLIGHT_MAX        4

struct import {
    struct ctl *ctl;
    const char *path, *key_field;
    enum ctl_format format;
    FILE *file;
    uint64_t total, done, changed, unchanged, skipped;
    size_t in_flight;
    uint64_t counts[FLIGHT_MAX]; /* records of the batches under way, oldest first */
    struct qn_buf batch;
    size_t batch_count;
    struct ctl_progress progress;
};

/* What cannot be read twice, a pipe for example, goes to a file without a name. */
static FILE *spool(FILE *from)
{
    FILE *to = tmpfile();
    char part[64 * 1024];
    size_t size;
    while (to != NULL && (size = fread(part, 1, sizeof(part), from)) > 0) {
        if (fwrite(part, 1, size, to) != size)
            break;
    }
    bool is_whole = to != NULL && !ferror(from) && fflush(to) == 0 && !ferror(to);
    if (to != NULL && !is_whole)
        fclose(to);
    return is_whole ? to : NULL;
}

static FILE *open_input(const char *path)
{
    if (strcmp(path, "-") == 0)
        return spool(stdin);
    FILE *file = fopen(path, "rbe");
    struct stat status;
    if (file == NULL || (fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode)))
        return file;
    FILE *copy = spool(file);
    fclose(file);
    return copy;
}

static int fail_source(struct import *import, const struct ctl_source *source)
{
    ctl_fail_text(import->ctl, _("%s: line %zu: %s"), import->path, source->number,
                  source->problem);
    fprintf(import->ctl->err, "  %s\n", _("Nothing was imported. Correct the line and try again."));
    return CTL_FAILED;
}

static int check_file(struct import *import)
{
    struct ctl_source source;
    enum qn_err err = ctl_source_open(&source, import->file, import->format, import->key_field);
    QN_AUTO_BUF struct qn_buf record;
    qn_buf_init(&record, BATCH_SIZE_WISHED * 2);
    while (err == QN_OK) {
        qn_buf_reset(&record);
        err = ctl_source_next(&source, &record);
        import->total += err == QN_OK;
    }
    int code = err == QN_ERR_CLOSED ? CTL_DONE : fail_source(import, &source);
    if (code == CTL_DONE && ferror(import->file))
        code = ctl_fail_str(import->ctl, "read-failed", import->path);
    import->skipped = source.skipped;
    ctl_source_close(&source);
    return code;
}

static int fail_batch(struct import *import, const struct qn_client_answer *answer)
{
    char code[QN_NAME_SIZE_MAX + 1] = "internal";
    if (answer->code.size < sizeof(code))
        snprintf(code, sizeof(code), "%.*s", (int)answer->code.size,
                 (const char *)answer->code.data);
    ctl_progress_end(&import->progress);
    return ctl_fail(import->ctl, code, answer->object);
}

static int take_answer(struct import *import)
{
    struct ctl *ctl = import->ctl;
    struct qn_client_answer answer;
    int timeout_ms = ctl->has_timeout ? (int)ctl->timeout_s * 1000 : -1;
    enum qn_err err = qn_client_receive(ctl->client, timeout_ms, &answer);
    if (err != QN_OK) {
        ctl_progress_end(&import->progress);
        return ctl_fail_line(ctl, err);
    }
    if (answer.kind == QN_CLIENT_ERROR)
        return fail_batch(import, &answer);
    if (answer.kind == QN_CLIENT_DATA)
        return CTL_DONE;
    import->changed += ctl_map_u64(answer.data, "changed");
    import->unchanged += ctl_map_u64(answer.data, "unchanged");
    import->done += import->counts[0];
    memmove(import->counts, import->counts + 1, sizeof(import->counts) - sizeof(uint64_t));
    import->in_flight--;
    ctl_progress_show(&import->progress, import->done);
    return CTL_DONE;
}

static int take_until(struct import *import, size_t in_flight_max)
{
    int code = CTL_DONE;
    while (code == CTL_DONE && import->in_flight > in_flight_max)
        code = take_answer(import);
    return code;
}

static int send_batch(struct import *import)
{
    if (import->batch_count == 0)
        return CTL_DONE;
    int code = take_until(import, FLIGHT_MAX - 1);
    if (code != CTL_DONE)
        return code;
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 2);
    ctl_arg_str(&args, "collection", import->ctl->arguments.items[0]);
    qn_pack_cstr(&args, "records");
    qn_pack_array(&args, import->batch_count);
    qn_pack_raw(&args, qn_buf_view(&import->batch));
    uint64_t id;
    enum qn_err err =
        qn_client_send(import->ctl->client, "record.put-many", qn_buf_view(&args), &id);
    if (err != QN_OK)
        return ctl_fail_line(import->ctl, err);
    import->counts[import->in_flight++] = import->batch_count;
    import->batch_count = 0;
    qn_buf_reset(&import->batch);
    return CTL_DONE;
}

static int add_record(struct import *import, struct qn_span record)
{
    int code = CTL_DONE;
    if (import->batch.size + record.size > BATCH_SIZE_WISHED ||
        import->batch_count == BATCH_COUNT_MAX)
        code = send_batch(import);
    qn_buf_append_span(&import->batch, record);
    import->batch_count++;
    return code;
}

static int send_file(struct import *import)
{
    struct ctl_source source;
    QN_AUTO_BUF struct qn_buf record;
    qn_buf_init(&record, BATCH_SIZE_WISHED * 2);
    enum qn_err err = ctl_source_open(&source, import->file, import->format, import->key_field);
    int code = CTL_DONE;
    while (code == CTL_DONE && err == QN_OK) {
        qn_buf_reset(&record);
        err = ctl_source_next(&source, &record);
        if (err == QN_OK)
            code = add_record(import, qn_buf_view(&record));
    }
    if (code == CTL_DONE && err != QN_ERR_CLOSED)
        code = fail_source(import, &source); /* somebody changed the file meanwhile */
    ctl_source_close(&source);
    if (code == CTL_DONE)
        code = send_batch(import);
    return code == CTL_DONE ? take_until(import, 0) : code;
}

static void print_summary(const struct import *import)
{
    FILE *out = import->ctl->out;
    unsigned long long changed = import->changed, unchanged = import->unchanged,
                       skipped = import->skipped;
    if (import->ctl->is_json)
        fprintf(out, "{\"changed\":%llu,\"unchanged\":%llu,\"skipped\":%llu}\n", changed, unchanged,
                skipped);
    else if (!import->ctl->is_quiet && skipped > 0)
        fprintf(out, _("imported %llu, unchanged %llu, skipped %llu with nothing but a key\n"),
                changed, unchanged, skipped);
    else if (!import->ctl->is_quiet)
        fprintf(out, _("imported %llu, unchanged %llu\n"), changed, unchanged);
}

static int run_import(struct import *import)
{
    struct ctl *ctl = import->ctl;
    int code = check_file(import);
    if (code == CTL_DONE)
        code = ctl_connect(ctl, true);
    if (code != CTL_DONE)
        return code;
    bool has_progress = ctl->is_err_terminal && !ctl->is_quiet;
    ctl_progress_begin(&import->progress, has_progress ? ctl->err : NULL, import->total);
    code = send_file(import);
    ctl_progress_end(&import->progress);
    if (code == CTL_DONE)
        print_summary(import);
    else
        ctl_say(ctl, _("  %llu of %llu records are stored; repeating the import is harmless."),
                (unsigned long long)import->done, (unsigned long long)import->total);
    return code;
}

int ctl_run_record_import(struct ctl *ctl)
{
    struct import import = {
        .ctl = ctl, .path = ctl->arguments.items[1], .key_field = ctl_value(ctl, "key")};
    if (import.key_field == NULL)
        return ctl_usage_error(ctl, _("which field is the key? Give --key FIELD"));
    if (!ctl_format_parse(ctl_value(ctl, "format"), import.path, &import.format))
        return ctl_usage_error(ctl, _("--format is jsonl or csv, not %s"),
                               ctl_value(ctl, "format"));
    import.file = open_input(import.path);
    if (import.file == NULL)
        return ctl_fail_str(ctl, "read-failed", import.path);
    qn_buf_init(&import.batch, BATCH_SIZE_WISHED * 2);
    int code = run_import(&import);
    qn_buf_deinit(&import.batch);
    fclose(import.file);
    return code;
}
