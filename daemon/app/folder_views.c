/* The commands `folder.list` and `folder.status`: what is there is counted (job). */
#include "app/folders_impl.h"
#include "app/service.h"
#include "base/mem.h"
#include "proto/pack.h"

#define LIST_NAMES_MAX   20000 /* looked at in each folder */
#define STATUS_NAMES_MAX 1000000

static void list_work(void *context)
{
    struct order *order = context;
    uint64_t names_max = order->is_status ? STATUS_NAMES_MAX : LIST_NAMES_MAX;
    qn_vec_each (&order->lines, line)
        if (line->path != NULL)
            line->err = qn_folder_look(line->path, line->id.bytes, names_max,
                                       &order->folders->stops, &line->look);
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

static const char *state_of(const struct line *line)
{
    if (!line->is_here)
        return "elsewhere";
    return line->path != NULL && line->err == QN_OK ? "here" : "gone";
}

static void pack_line(const struct qn_core *core, const struct line *line, struct qn_buf *out)
{
    bool is_known = line->path != NULL && line->err == QN_OK;
    qn_pack_map(out, 11);
    pack_number(out, "alike", is_known, line->look.alike);
    pack_text(out, "alike_path", is_known && line->look.alike_path[0] != '\0',
              line->look.alike_path);
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

void order_status(struct order *order, struct qn_span args)
{
    if (!order_take_name(order, args))
        return;
    order->is_status = true;
    gather_lines(order);
    if (order->lines.count == 0)
        order_fail(order, QN_ERR_NOTFOUND, "folder-unknown", order->name);
    else
        order_run(order, list_work, on_listed);
}
