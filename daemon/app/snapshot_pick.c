#include "app/snapshot_pick.h"

#include <stdio.h>

#include "base/text.h"
#include "core/args.h"

const char *qn_snapshot_code(enum qn_err err)
{
    switch (err) {
    case QN_ERR_NOTFOUND:
        return "path-unknown";
    case QN_ERR_TIMEOUT:
    case QN_ERR_CLOSED:
        return "no-copy-reachable";
    case QN_ERR_DENIED:
        return "holder-refused";
    case QN_ERR_BUSY:
        return "vault-busy";
    case QN_ERR_SIGNATURE:
    case QN_ERR_CORRUPT:
        return "vault-bad";
    case QN_ERR_NOSPACE:
        return "disk-full";
    default:
        return "vault-failed";
    }
}

struct qn_span qn_snapshot_path(struct qn_span path)
{
    while (path.size > 0 && path.data[0] == '/')
        path = qn_span_from(path, 1);
    while (path.size > 0 && path.data[path.size - 1] == '/')
        path.size--;
    return path;
}

static bool has_hex_prefix(const struct qn_snapshot_name *name, struct qn_span prefix)
{
    char hex[2 * sizeof(name->bytes) + 1];
    qn_text_hex(QN_SPAN_OF(name->bytes), hex);
    return prefix.size >= 4 && prefix.size < sizeof(hex) &&
           memcmp(hex, prefix.data, prefix.size) == 0;
}

/* "@" and milliseconds since 1970: the client knows the person's time zone. */
static bool is_time_text(struct qn_span text, uint64_t *ret_ms)
{
    *ret_ms = 0;
    if (text.size < 2 || text.size > 20 || text.data[0] != '@')
        return false;
    for (size_t i = 1; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *ret_ms = *ret_ms * 10 + (text.data[i] - '0');
    }
    return true;
}

/* The index of what `text` means; the count of snapshots if there is none, SIZE_MAX if it is
 * ambiguous. The vector is oldest first. */
static size_t find(const qn_snapshot_vec *snapshots, struct qn_span text)
{
    size_t found = snapshots->count;
    uint64_t before_ms;
    if (text.size == 0)
        return snapshots->count > 0 ? snapshots->count - 1 : found;
    bool is_time = is_time_text(text, &before_ms);
    for (size_t i = 0; i < snapshots->count; i++) {
        const struct qn_snapshot_info *info = &snapshots->items[i];
        if (is_time ? info->snapshot.started_ms <= before_ms : has_hex_prefix(&info->name, text)) {
            if (!is_time && found < snapshots->count)
                return SIZE_MAX;
            found = i;
        }
    }
    return found;
}

static enum qn_err take(qn_snapshot_vec *snapshots, size_t at, struct qn_snapshot_info *ret_info)
{
    *ret_info = snapshots->items[at];
    snapshots->items[at].plain = (struct qn_buf){0};
    return QN_OK;
}

/* The code of an error that a holder's lists gave, or the packs that they name. */
static const char *copy_code(const struct qn_copy_vault *copy, enum qn_err err)
{
    bool is_of_disk = err == QN_ERR_NOSPACE || err == QN_ERR_IO;
    if (qn_copy_vault_code(copy) != NULL)
        return qn_copy_vault_code(copy);
    if (err == QN_ERR_TIMEOUT || err == QN_ERR_CLOSED)
        return "holder-offline";
    if (err == QN_ERR_BUSY)
        return "holder-busy";
    return err == QN_ERR_DENIED || is_of_disk ? qn_snapshot_code(err) : "holder-bad";
}

static enum qn_err list_all(const struct qn_snapshot_place *place, const char *plan,
                            qn_snapshot_vec *out)
{
    if (place->copy != NULL)
        return qn_copy_vault_snapshots(place->copy, plan, out);
    return qn_vault_snapshots(place->vault, plan, NULL, NULL, out);
}

enum qn_err qn_snapshot_bring(const struct qn_snapshot_place *place, struct qn_span from,
                              const struct qn_snapshot_name *name)
{
    if (place->copy == NULL)
        return QN_OK;
    enum qn_err err = qn_copy_vault_adopt(place->copy, name);
    if (err != QN_OK)
        qn_view_refuse(place->view, err, copy_code(place->copy, err), from);
    return err;
}

static void refuse_list(const struct qn_snapshot_place *place, enum qn_err err, struct qn_span name,
                        struct qn_span from)
{
    if (place->copy == NULL)
        qn_view_refuse(place->view, err, qn_snapshot_code(err), name);
    else
        qn_view_refuse(place->view, err, copy_code(place->copy, err), from);
}

enum qn_err qn_snapshot_all(const struct qn_snapshot_place *place, struct qn_span args,
                            qn_snapshot_vec *out)
{
    struct qn_span name = qn_span(NULL, 0), from = qn_span(NULL, 0);
    char plan[QN_NAME_SIZE_MAX + 1];
    bool has_plan = args_text(args, "name", QN_NAME_SIZE_MAX, &name);
    (void)args_text(args, "from", QN_NAME_SIZE_MAX, &from);
    snprintf(plan, sizeof(plan), "%.*s", (int)name.size, (const char *)name.data);
    enum qn_err err = list_all(place, has_plan ? plan : NULL, out);
    if (err != QN_OK)
        refuse_list(place, err, name, from);
    return err;
}

/* `store`: the list of what the site knows in the place of its files. */
static enum qn_err pick_list(struct qn_view *view, struct qn_span args,
                             struct qn_snapshot_info *info)
{
    struct qn_cursor cursor = qn_cursor(args_value(args, "store"));
    bool is_store = false;
    if (args_value(args, "store").size == 0)
        return QN_OK;
    enum qn_err err = qn_cursor_bool(&cursor, &is_store);
    if (err == QN_OK && is_store)
        err = qn_snapshot_of_store(&info->snapshot, &info->snapshot);
    if (err == QN_OK)
        return QN_OK;
    qn_buf_deinit(&info->plain);
    bool is_missing = err == QN_ERR_NOTFOUND;
    qn_view_refuse(view, err, is_missing ? "no-store" : "bad-request", qn_span_str("store"));
    return err;
}

enum qn_err qn_snapshot_pick(const struct qn_snapshot_place *place, struct qn_span args,
                             const char *key, struct qn_snapshot_info *ret_info)
{
    struct qn_view *view = place->view;
    struct qn_snapshot_info info;
    struct qn_span name, text = qn_span(NULL, 0), from = qn_span(NULL, 0);
    char plan[QN_NAME_SIZE_MAX + 1];
    qn_snapshot_vec snapshots = {0};
    if (!args_text(args, "name", QN_NAME_SIZE_MAX, &name)) {
        qn_view_refuse(view, QN_ERR_INVALID, "bad-request", qn_span_str("name"));
        return QN_ERR_INVALID;
    }
    if (args_value(args, key).size > 0 && !args_text(args, key, 64, &text)) {
        qn_view_refuse(view, QN_ERR_INVALID, "bad-request", qn_span_str(key));
        return QN_ERR_INVALID;
    }
    (void)args_text(args, "from", QN_NAME_SIZE_MAX, &from);
    snprintf(plan, sizeof(plan), "%.*s", (int)name.size, (const char *)name.data);
    enum qn_err err = list_all(place, plan, &snapshots);
    size_t at = err == QN_OK ? find(&snapshots, text) : 0;
    if (err != QN_OK)
        refuse_list(place, err, name, from);
    else if (at == SIZE_MAX)
        qn_view_refuse(view, err = QN_ERR_INVALID, "snapshot-ambiguous", text);
    else if (at == snapshots.count)
        qn_view_refuse(view, err = QN_ERR_NOTFOUND, "snapshot-unknown",
                       text.size > 0 ? text : name);
    else
        err = take(&snapshots, at, &info);
    qn_snapshots_deinit(&snapshots);
    QN_TRY(err);
    err = qn_snapshot_bring(place, from, &info.name);
    if (err != QN_OK)
        qn_buf_deinit(&info.plain);
    QN_TRY(err);
    QN_TRY(pick_list(view, args, &info));
    *ret_info = info;
    return QN_OK;
}
