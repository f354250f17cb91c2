/* What the commands `folder.*` do to directories: jobs on the pool. */
#include <stdlib.h>

#include "app/folders_impl.h"
#include "base/text.h"

static bool is_within(const char *path, const char *above)
{
    size_t size = strlen(above);
    return strncmp(path, above, size) == 0 &&
           (path[size] == '/' || path[size] == '\0' || strcmp(above, "/") == 0);
}

/* The one directory in, above or at the other. `other` as it is written, then without links. */
static bool overlaps(const char *real, const char *other)
{
    char *found = realpath(other, NULL);
    const char *there = found == NULL ? other : found;
    bool does = is_within(real, there) || is_within(there, real);
    free(found);
    return does;
}

static enum qn_err check_others(const struct order *order, const char *real)
{
    if (overlaps(real, order->folders->options.state_dir))
        return QN_ERR_EXISTS;
    qn_vec_each (&order->homes, home)
        if (overlaps(real, *home))
            return QN_ERR_EXISTS;
    return QN_OK;
}

const char *order_path_code(enum qn_err err)
{
    switch ((int)err) {
    case QN_ERR_DENIED:
        return "folder-denied";
    case QN_ERR_EXISTS:
        return "folder-taken";
    case QN_ERR_NOSPACE:
        return "disk-full";
    default:
        return "folder-path";
    }
}

void order_probe_work(void *context)
{
    struct order *order = context;
    QN_AUTO_BUF struct qn_buf real;
    qn_buf_init(&real, PATH_MAX + 1);
    order->err = qn_folder_probe(order->path, &real);
    if (order->err == QN_OK)
        order->err = check_others(order, (const char *)real.data);
}

void order_mark_work(void *context)
{
    struct order *order = context;
    order->err = qn_folder_mark(order->path, order->id.bytes);
}

void order_attach_work(void *context)
{
    struct order *order = context;
    order_probe_work(order);
    if (order->err == QN_OK)
        order_mark_work(order);
}

/* Where it was it is no longer, unless that is the same directory under another name. If it is not
 * there, or may not be changed, it is only forgotten. */
void order_unmark_work(void *context)
{
    const struct order *order = context;
    if (order->path[0] == '\0' || !overlaps(order->path, order->old_path))
        (void)!qn_folder_unmark(order->old_path, order->id.bytes);
}
