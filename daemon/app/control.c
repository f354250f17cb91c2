#include "app/control.h"

#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/control_impl.h"
#include "base/assert.h"

void control_handle_gone(struct qn_control *control)
{
    if (--control->open_handles > 0 || control->on_closed == NULL)
        return;
    void (*on_closed)(void *context) = control->on_closed;
    void *context = control->context;
    qn_vec_free(&control->clients);
    qn_free(control);
    on_closed(context);
}

static void on_again(void *context)
{
    struct qn_control *control = context;
    for (size_t i = control->clients.count; i-- > 0;) /* one may end in its own turn */
        if (i < control->clients.count)               /* or end others */
            client_take_turn(control->clients.items[i]);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct qn_control *control = listener->data;
    if (status == 0 && !control->is_stopping)
        control_accept(control);
}

static enum qn_err set_access(const struct qn_control_options *options)
{
    if (chmod(options->path, 0660) != 0)
        return QN_ERR_IO;
    if (options->group[0] == '\0')
        return QN_OK;
    struct stat status;
    struct group *group = getgrnam(options->group);
    if (group != NULL && stat(options->path, &status) == 0 && status.st_gid == group->gr_gid)
        return QN_OK; /* the service may not even try to change it */
    if (group == NULL || chown(options->path, (uid_t)-1, group->gr_gid) != 0) {
        qn_log(options->log, QN_LOG_ERROR,
               "the control socket cannot be given to the group %s; see [control] group",
               options->group);
        return QN_ERR_DENIED;
    }
    return QN_OK;
}

enum qn_err qn_control_new(const struct qn_control_options *options,
                           struct qn_control **ret_control)
{
    if (strlen(options->path) >= sizeof(((struct qn_control *)0)->path)) {
        qn_log(options->log, QN_LOG_ERROR,
               "%s is too long for a socket: choose a shorter state directory", options->path);
        return QN_ERR_LIMIT;
    }
    struct qn_control *control = QN_NEW(struct qn_control);
    control->options = *options;
    strcpy(control->path, options->path);
    control->options.path = control->path;
    unlink(control->path); /* the directory's lock is held: whoever left it is gone */
    QN_ASSERT(uv_pipe_init(qn_loop_uv(options->loop), &control->listener, 0) == 0);
    control->listener.data = control;
    control->again = qn_timer_new(options->loop, on_again, control);
    control->open_handles = 1;
    *ret_control = control;
    int code = uv_pipe_bind(&control->listener, control->path);
    if (code != 0) {
        qn_log(options->log, QN_LOG_ERROR, "%s: %s", control->path, uv_strerror(code));
        return QN_ERR_IO;
    }
    QN_TRY(set_access(&control->options));
    if (options->config != NULL)
        qn_control_configure(control, options->config);
    return QN_OK;
}

void qn_control_configure(struct qn_control *control, const struct qn_config *config)
{
    qn_ranks_resolve(config, control->options.log, &control->ranks);
    qn_ranks_open(&control->ranks, control->path, control->options.log);
}

enum qn_err qn_control_start(struct qn_control *control, struct qn_driver *driver)
{
    control->driver = driver;
    int code = uv_listen((uv_stream_t *)&control->listener, 32, on_connection);
    if (code == 0)
        return QN_OK;
    qn_log(control->options.log, QN_LOG_ERROR, "%s: %s", control->path, uv_strerror(code));
    return QN_ERR_IO;
}

static void listener_gone(uv_handle_t *handle)
{
    control_handle_gone(handle->data);
}

void qn_control_wake(struct qn_control *control)
{
    qn_timer_set(control->again, 0);
}

void qn_control_stop(struct qn_control *control)
{
    control->is_stopping = true;
    unlink(control->path);
    for (size_t i = control->clients.count; i-- > 0;)
        client_set_reading(control->clients.items[i]);
}

void qn_control_close(struct qn_control *control, void (*on_closed)(void *context), void *context)
{
    control->on_closed = on_closed;
    control->context = context;
    control->driver = NULL;
    qn_timer_free(control->again);
    unlink(control->path);
    while (control->clients.count > 0)
        client_close(control->clients.items[control->clients.count - 1]);
    uv_close((uv_handle_t *)&control->listener, listener_gone);
}
