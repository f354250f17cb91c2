/* The commands `folder.*`.
 *
 *   create   look at the directory (job), the core makes the collection, mark (job), row, open
 *   attach   look at the directory and mark it (job), row, open, take the old one's mark away (job)
 *   detach   row goes, close, take the mark away (job)
 *   delete   row goes, close, the core ends the collection, take the mark away (job)
 *   list, names, status   folder_views.c
 *
 * A mark goes only when the row that no longer names its directory is durable: where the store
 * takes no row, the folder stays where it was.
 */
#include <stdio.h>

#include "app/folders_impl.h"
#include "app/service.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/args.h"
#include "proto/pack.h"

#define ROW_KEY_SIZE (8 + 2 * QN_COLL_ID_SIZE)

/* ---- answers ---- */

void order_end_with(struct order *order, struct qn_span packed)
{
    qn_service_end(order->folders->driver, order->request, packed);
    folder_order_free(order);
}

void order_end(struct order *order)
{
    order_end_with(order, qn_span(NULL, 0));
}

void order_fail(struct order *order, enum qn_err err, const char *code, const char *object)
{
    qn_service_error(order->folders->driver, order->request, err, code, qn_span_str(object));
    folder_order_free(order);
}

/* ---- life of an order ---- */

static struct order *order_new(struct qn_folders *folders, uint64_t request)
{
    struct order *order = QN_NEW(struct order);
    order->folders = folders;
    order->request = request;
    order->token = QN_FOLDERS_TOKEN | ++folders->last_token;
    qn_buf_init(&order->members, QN_CONTROL_FRAME_SIZE_MAX);
    qn_vec_push(&folders->orders, order);
    return order;
}

static void release(struct order *order)
{
    qn_vec_each (&order->homes, home)
        qn_free(*home);
    qn_vec_each (&order->lines, line)
        qn_free(line->path);
    qn_vec_free(&order->homes);
    qn_vec_each (&order->odd, item)
        qn_buf_deinit(item);
    qn_vec_free(&order->lines);
    qn_vec_free(&order->odd);
    qn_buf_deinit(&order->members);
    qn_free(order);
}

void folder_order_free(struct order *order)
{
    struct qn_folders *folders = order->folders;
    for (size_t i = 0; i < folders->orders.count; i++)
        if (folders->orders.items[i] == order)
            qn_vec_remove(&folders->orders, i);
    order->folders = NULL;
    if (!order->is_storing) /* else when its row is told of */
        release(order);
}

/* The daemon ends: nobody is there any more to answer or to ask. */
bool order_is_over(struct order *order)
{
    if (!atomic_load(&order->folders->stops))
        return false;
    folder_order_free(order);
    return true;
}

void order_run(struct order *order, void (*work)(void *context), void (*done)(void *context))
{
    if (!folders_job(order->folders, work, done, order))
        order_fail(order, QN_ERR_BUSY, "busy", order->name);
}

/* ---- the row ---- */

static void store(struct order *order, bool is_gone, void (*done)(void *context, enum qn_err err))
{
    const struct qn_local *local = order->folders->options.local;
    QN_AUTO_BUF struct qn_buf key;
    qn_buf_init(&key, ROW_KEY_SIZE);
    qn_buf_append_str(&key, "folder/");
    qn_text_append_hex(&key, QN_SPAN_OF(order->id.bytes));
    const struct qn_local_row row = {
        .key = qn_buf_view(&key),
        .value = qn_span_str(is_gone ? "" : order->path),
        .is_gone = is_gone,
    };
    order->is_storing = true;
    local->put(local->context, &row, 1, done, order);
}

/* False: nobody waits for it any more. */
static bool is_stored(struct order *order, enum qn_err err)
{
    order->is_storing = false;
    if (order->folders == NULL) {
        release(order);
        return false;
    }
    if (err == QN_OK)
        return true;
    order_fail(order, err, err == QN_ERR_NOSPACE ? "disk-full" : "store-failed", order->name);
    return false;
}

/* ---- create, attach, detach ---- */

static void on_unmarked(void *context)
{
    if (!order_is_over(context))
        order_end(context);
}

/* The last step: what it does not do is no harm. */
static void leave_old_path(struct order *order)
{
    if (order->old_path[0] == '\0' ||
        !folders_job(order->folders, order_unmark_work, on_unmarked, order))
        order_end(order);
}

static void on_attached(void *context, enum qn_err err)
{
    struct order *order = context;
    if (!is_stored(order, err))
        return;
    folders_put_home(order->folders, &order->id, order->path);
    leave_old_path(order);
}

static void on_detached(void *context, enum qn_err err)
{
    struct order *order = context;
    if (!is_stored(order, err))
        return;
    folders_drop_home(order->folders, &order->id);
    leave_old_path(order);
}

static void end_collection(struct order *order)
{
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, QN_NAME_SIZE_MAX + 32);
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, order->name);
    qn_driver_request(order->folders->driver, order->token, qn_span_str("collection.close"),
                      qn_buf_view(&args), qn_span_str(order->user));
}

/* If the daemon ends here, the folder has no directory, and may be deleted again. */
static void on_withdrawn(void *context, enum qn_err err)
{
    struct order *order = context;
    if (!is_stored(order, err))
        return;
    folders_drop_home(order->folders, &order->id);
    end_collection(order);
}

static void on_marked(void *context)
{
    struct order *order = context;
    if (order_is_over(order))
        return;
    if (order->err != QN_OK)
        order_fail(order, order->err, order_path_code(order->err), order->path);
    else
        store(order, false, on_attached);
}

static void ask_core(struct order *order)
{
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, QN_CONTROL_FRAME_SIZE_MAX);
    qn_pack_map(&args, 3);
    qn_pack_cstr(&args, "folder");
    qn_pack_bool(&args, true);
    qn_pack_cstr(&args, "members");
    if (order->members.size > 0)
        qn_pack_raw(&args, qn_buf_view(&order->members));
    else
        qn_pack_nil(&args);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, order->name);
    qn_driver_request(order->folders->driver, order->token, qn_span_str("collection.create"),
                      qn_buf_view(&args), qn_span_str(order->user));
}

static void on_probed(void *context)
{
    struct order *order = context;
    if (order_is_over(order))
        return;
    if (order->err != QN_OK)
        order_fail(order, order->err, order_path_code(order->err), order->path);
    else
        ask_core(order);
}

static bool read_id(const struct qn_effect *effect, struct qn_coll_id *ret_id)
{
    struct qn_span hex;
    QN_AUTO_BUF struct qn_buf bytes;
    qn_buf_init(&bytes, sizeof(ret_id->bytes));
    if (!args_text(qn_span(effect->bytes, effect->size), "id", 2 * QN_COLL_ID_SIZE, &hex) ||
        qn_text_parse_hex(hex, &bytes) != QN_OK || bytes.size != sizeof(ret_id->bytes))
        return false;
    memcpy(ret_id->bytes, bytes.data, sizeof(ret_id->bytes));
    return true;
}

/* Inside a step of the core: nothing may be asked of it here. */
void qn_folders_reply(struct qn_folders *folders, uint64_t request, const struct qn_effect *effect)
{
    struct order *order = NULL;
    qn_vec_each (&folders->orders, slot)
        if ((*slot)->token == request)
            order = *slot;
    if (order == NULL || effect->reply == QN_REPLY_DATA)
        return;
    if (effect->reply == QN_REPLY_ERROR)
        order_fail(order, effect->err, effect->code, effect->object);
    else if (order->is_delete)
        leave_old_path(order);
    else if (!read_id(effect, &order->id))
        order_fail(order, QN_ERR_INVALID, "internal", order->name);
    else
        order_run(order, order_mark_work, on_marked);
}

/* Every directory of this site but that of the order's own folder. */
static void gather_homes(struct order *order)
{
    qn_vec_each (&order->folders->homes, home)
        if (!qn_coll_id_eq(&home->id, &order->id))
            qn_vec_push(&order->homes, qn_strdup(home->path));
}

void order_copy_text(struct qn_span text, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)text.size, (const char *)text.data);
}

/* False after an answer. */
static bool take_path(struct order *order, struct qn_span args)
{
    struct qn_span path = {0};
    if (!args_text(args, "path", FOLDER_PATH_SIZE_MAX, &path) || path.size == 0 ||
        path.data[0] != '/' || memchr(path.data, '\0', path.size) != NULL) {
        order_fail(order, QN_ERR_INVALID, "folder-path", "path");
        return false;
    }
    order_copy_text(path, order->path, sizeof(order->path));
    return true;
}

bool order_take_name(struct order *order, struct qn_span args)
{
    struct qn_span name = {0};
    if (args_text(args, "name", QN_NAME_SIZE_MAX, &name)) {
        order_copy_text(name, order->name, sizeof(order->name));
        return true;
    }
    order_fail(order, QN_ERR_INVALID, "bad-name", "name");
    return false;
}

/* The folder of the order's name, whose home is here; false after an answer. */
static bool find_here(struct order *order)
{
    struct qn_folder_view *views;
    const struct qn_folder_view *found = NULL;
    size_t count = qn_core_folders(qn_driver_core(order->folders->driver), &views);
    for (size_t i = 0; i < count; i++)
        if (strcmp(views[i].name, order->name) == 0)
            found = &views[i];
    if (found != NULL)
        order->id = found->id;
    bool is_here = found != NULL && found->is_here;
    qn_free(views);
    if (is_here)
        return true;
    order_fail(order, found == NULL ? QN_ERR_NOTFOUND : QN_ERR_DENIED,
               found == NULL ? "folder-unknown" : "not-home", order->name);
    return false;
}

static void start_create(struct order *order, struct qn_span args)
{
    if (!order_take_name(order, args) || !take_path(order, args))
        return;
    if (qn_core_collection(qn_driver_core(order->folders->driver), qn_span_str(order->name))) {
        order_fail(order, QN_ERR_EXISTS, "collection-exists", order->name);
        return;
    }
    qn_buf_append_span(&order->members, args_value(args, "members"));
    gather_homes(order);
    order_run(order, order_probe_work, on_probed);
}

static void start_attach(struct order *order, struct qn_span args)
{
    if (!order_take_name(order, args) || !take_path(order, args) || !find_here(order))
        return;
    const struct home *home = folders_home(order->folders, &order->id);
    if (home != NULL)
        order_copy_text(qn_span_str(home->path), order->old_path, sizeof(order->old_path));
    gather_homes(order);
    order_run(order, order_attach_work, on_marked);
}

/* Of detach and delete; `already`: what is left to do of one without a directory. */
static void withdraw(struct order *order, struct qn_span args, void (*already)(struct order *order),
                     void (*done)(void *context, enum qn_err err))
{
    if (!order_take_name(order, args) || !find_here(order))
        return;
    const struct home *home = folders_home(order->folders, &order->id);
    if (home == NULL) {
        already(order);
        return;
    }
    order_copy_text(qn_span_str(home->path), order->old_path, sizeof(order->old_path));
    store(order, true, done);
}

static void start_detach(struct order *order, struct qn_span args)
{
    withdraw(order, args, order_end, on_detached);
}

static void start_delete(struct order *order, struct qn_span args)
{
    order->is_delete = true;
    withdraw(order, args, end_collection, on_withdrawn);
}

/* ---- the table ---- */

static const struct {
    const char *command, *args;
    void (*start)(struct order *order, struct qn_span args);
} commands[] = {
    {"folder.attach", "name path", start_attach},
    {"folder.create", "members name path", start_create},
    {"folder.delete", "name", start_delete},
    {"folder.detach", "name", start_detach},
    {"folder.list", "", order_list},
    {"folder.names", "name", order_names},
    {"folder.status", "name", order_status},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

bool folder_orders_take(void *context, struct qn_span command)
{
    (void)context;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (qn_span_eq_str(command, commands[i].command))
            return true;
    return false;
}

void folder_orders_start(void *context, uint64_t request, struct qn_span command,
                         struct qn_span args, struct qn_span user)
{
    struct qn_folders *folders = context;
    struct order *order = order_new(folders, request);
    order_copy_text(user, order->user, sizeof(order->user));
    if (folders->orders.count > QN_FOLDERS_ORDERS_MAX) {
        order_fail(order, QN_ERR_BUSY, "busy", "");
        return;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (!qn_span_eq_str(command, commands[i].command))
            continue;
        if (!args_are_only(args, commands[i].args))
            order_fail(order, QN_ERR_INVALID, "bad-request", commands[i].command);
        else
            commands[i].start(order, args);
        return;
    }
    order_fail(order, QN_ERR_NOTFOUND, "unknown-command", "");
}
