/* The commands `folder.list`, `folder.status` and `folder.names`: what is there is counted (job).
 */
#include "app/folders_impl.h"
#include "app/service.h"
#include "base/mem.h"
#include "proto/pack.h"

#define LIST_NAMES_MAX   20000 /* looked at in each folder */
#define STATUS_NAMES_MAX 1000000
#define ODD_NAMES_MAX    1000 /* told of one folder */

static void list_work(void *context)
{
    struct order *order = context;
    const struct qn_folder_look_options options = {
        .names_max = order->is_status ? STATUS_NAMES_MAX : LIST_NAMES_MAX,
        .stops = &order->folders->stops,
    };
    qn_vec_each (&order->lines, line)
        if (line->path != NULL)
            line->err = qn_folder_look(line->path, line->id.bytes, &options, &line->look);
}

static void pack_number(struct qn_buf *out, const char *key, bool is_known, uint64_t number)
{
    qn_pack_cstr(out, key);
    if (is_known)
        qn_pack_u64(out, number);
    else
        qn_pack_nil(out);
}

static void pack_text(struct qn_buf *out, const char *key, bool is_known, const char *text)
{
    qn_pack_cstr(out, key);
    if (is_known)
        qn_pack_cstr(out, text);
    else
        qn_pack_nil(out);
}

static void pack_odd(struct qn_buf *out, const char *key, const char *path_key, bool is_known,
                     const struct qn_folder_odd *odd)
{
    pack_number(out, key, is_known, odd->count);
    pack_text(out, path_key, is_known && odd->path[0] != '\0', odd->path);
}

static const char *state_of(const struct line *line)
{
    if (!line->is_here)
        return "elsewhere";
    return line->path != NULL && line->err == QN_OK ? "here" : "gone";
}

static void pack_line(const struct qn_core *core, const struct line *line, struct qn_buf *out)
{
    bool is_known = line->path != NULL && line->err == QN_OK;
    qn_pack_map(out, 13);
    pack_odd(out, "alike", "alike_path", is_known, &line->look.alike);
    pack_number(out, "bytes", is_known, line->look.bytes);
    qn_pack_cstr(out, "complete");
    qn_pack_bool(out, is_known && line->look.is_complete);
    pack_number(out, "files", is_known, line->look.files);
    pack_number(out, "free_bytes", is_known, line->look.free_bytes);
    qn_pack_cstr(out, "home");
    qn_pack_cstr(out, line->home);
    qn_pack_cstr(out, "members");
    qn_core_pack_members(core, &line->id, out);
    qn_pack_cstr(out, "name");
    qn_pack_cstr(out, line->name);
    pack_text(out, "path", line->path != NULL, line->path);
    qn_pack_cstr(out, "state");
    qn_pack_cstr(out, state_of(line));
    pack_odd(out, "unfit", "unfit_path", is_known, &line->look.unfit);
}

static void on_listed(void *context)
{
    struct order *order = context;
    if (order_is_over(order))
        return;
    const struct qn_core *core = qn_driver_core(order->folders->driver);
    qn_vec_each (&order->lines, line) {
        QN_AUTO_BUF struct qn_buf item;
        qn_buf_init(&item, QN_CONTROL_FRAME_SIZE_MAX - 512);
        pack_line(core, line, &item);
        if (line->path != NULL)
            folders_set_gone(order->folders, &line->id, line->err != QN_OK);
        if (order->is_status) {
            order_end_with(order, qn_buf_view(&item));
            return;
        }
        qn_service_data(order->folders->driver, order->request, qn_buf_view(&item));
    }
    order_end(order);
}

static void gather_lines(struct order *order)
{
    struct qn_folder_view *views;
    size_t count = qn_core_folders(qn_driver_core(order->folders->driver), &views);
    for (size_t i = 0; i < count; i++) {
        if (order->is_status && strcmp(views[i].name, order->name) != 0)
            continue;
        const struct home *home = folders_home(order->folders, &views[i].id);
        struct line *line = qn_vec_push_slot(&order->lines);
        *line = (struct line){.id = views[i].id, .is_here = views[i].is_here};
        order_copy_text(qn_span_str(views[i].name), line->name, sizeof(line->name));
        order_copy_text(qn_span_str(views[i].home), line->home, sizeof(line->home));
        line->path = home == NULL ? NULL : qn_strdup(home->path);
    }
    qn_free(views);
}

void order_list(struct order *order, struct qn_span args)
{
    (void)args;
    gather_lines(order);
    order_run(order, list_work, on_listed);
}

/* The order's one folder; false after an answer. */
static bool gather_line(struct order *order, struct qn_span args)
{
    if (!order_take_name(order, args))
        return false;
    order->is_status = true;
    gather_lines(order);
    if (order->lines.count > 0)
        return true;
    order_fail(order, QN_ERR_NOTFOUND, "folder-unknown", order->name);
    return false;
}

void order_status(struct order *order, struct qn_span args)
{
    if (gather_line(order, args))
        order_run(order, list_work, on_listed);
}

/* ---- odd names ---- */

static const char *word_of(enum qn_name_fault fault)
{
    switch (fault) {
    case QN_NAME_FINE:
        return "alike";
    case QN_NAME_CHARACTER:
        return "character";
    case QN_NAME_ENDING:
        return "ending";
    case QN_NAME_DEVICE:
        return "device";
    }
    return "";
}

static void note_odd(void *context, struct qn_span path, enum qn_name_fault fault)
{
    struct order *order = context;
    struct qn_buf item;
    if (order->odd.count == ODD_NAMES_MAX)
        return;
    qn_buf_init(&item, path.size + 64);
    qn_pack_map(&item, 2);
    qn_pack_cstr(&item, "fault");
    qn_pack_cstr(&item, word_of(fault));
    qn_pack_cstr(&item, "path");
    qn_pack_str(&item, path);
    qn_vec_push(&order->odd, item);
}

static void names_work(void *context)
{
    struct order *order = context;
    struct line *line = &order->lines.items[0];
    const struct qn_folder_look_options options = {
        .names_max = STATUS_NAMES_MAX,
        .stops = &order->folders->stops,
        .odd = note_odd,
        .context = order,
    };
    line->err = qn_folder_look(line->path, line->id.bytes, &options, &line->look);
}

static void on_names(void *context)
{
    struct order *order = context;
    if (order_is_over(order))
        return;
    const struct line *line = &order->lines.items[0];
    if (line->err != QN_OK) {
        order_fail(order, line->err, "folder-path", line->path);
        return;
    }
    qn_vec_each (&order->odd, item)
        qn_service_data(order->folders->driver, order->request, qn_buf_view(item));
    bool is_complete = line->look.is_complete &&
                       line->look.alike.count + line->look.unfit.count == order->odd.count;
    QN_AUTO_BUF struct qn_buf end;
    qn_buf_init(&end, 64);
    qn_pack_map(&end, 1);
    qn_pack_cstr(&end, "complete");
    qn_pack_bool(&end, is_complete);
    order_end_with(order, qn_buf_view(&end));
}

void order_names(struct order *order, struct qn_span args)
{
    if (!gather_line(order, args))
        return;
    const struct line *line = &order->lines.items[0];
    if (!line->is_here)
        order_fail(order, QN_ERR_DENIED, "not-home", order->name);
    else if (line->path == NULL)
        order_fail(order, QN_ERR_NOTFOUND, "folder-path", order->name);
    else
        order_run(order, names_work, on_names);
}
