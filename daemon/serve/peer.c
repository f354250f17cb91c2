/* Connections of other sites (docs/protocol.md, section 11): a site asks for one of its people, and
 * says who it is and what he may. It is believed for its own people, and about the right; whether
 * the site itself has a part in the folder is judged here, for every request. */
#include <stdio.h>

#include "base/text.h"
#include "people/account.h"
#include "serve/remote.h"
#include "serve/serve_private.h"

/* ---- coming and going ---- */

static size_t count_of(const struct qn_serve *serve, const struct qn_public_key *key)
{
    size_t count = 0;
    for (size_t i = 0; i < QN_WEB_CONNECTIONS_MAX; i++)
        count += serve->connections[i] != NULL && serve->connections[i]->is_peer &&
                 qn_public_key_eq(&serve->connections[i]->peer, key);
    return count;
}

void qn_serve_take_peer(struct qn_serve *serve, struct qn_stream *take_stream,
                        const struct qn_public_key *key)
{
    if (serve->is_stopping || count_of(serve, key) >= QN_WEB_LINES_FROM_MAX ||
        !serve_make_room(serve)) {
        serve->refused_count++;
        qn_stream_abort(take_stream);
        return;
    }
    struct connection *connection = connection_new(serve, serve_free_tag(serve));
    connection->is_peer = true;
    connection->peer = *key;
    connection->stream = take_stream;
    qn_stream_address(take_stream, &connection->address);
    serve_print_host(&connection->address, connection->from);
    serve_add(connection);
    qn_stream_move(take_stream, serve->peer_host, connection->tag);
    connection_on_up(connection);
}

static const char *site_of(const struct connection *connection)
{
    const struct qn_serve_host *host = connection->serve->options.host;
    return host->member == NULL ? NULL : host->member(host->context, &connection->peer);
}

void peer_check(struct connection *connection)
{
    if (connection->is_peer && connection->stream != NULL && site_of(connection) == NULL)
        connection_abort(connection);
}

/* ---- where to ---- */

bool peer_folder_path(struct qn_span path, struct folder_path *ret_path)
{
    static const char *const prefixes[] = {"dav/", "api/v1/folders/"};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        struct qn_span prefix = qn_span_str(prefixes[i]);
        if (!qn_span_has_prefix(path, prefix))
            continue;
        struct qn_span rest = qn_span_from(path, prefix.size);
        const uint8_t *slash = rest.size > 0 ? memchr(rest.data, '/', rest.size) : NULL;
        size_t size = slash == NULL ? rest.size : (size_t)(slash - rest.data);
        *ret_path = (struct folder_path){.folder = qn_span(rest.data, size),
                                         .rest = qn_span_from(rest, size + 1),
                                         .is_api = i == 1};
        return size > 0;
    }
    return false;
}

/* ---- who ---- */

bool peer_is_forged(const struct qn_http_head *head)
{
    return qn_http_header(head, REMOTE_PERSON) != NULL ||
           qn_http_header(head, REMOTE_RIGHT) != NULL ||
           qn_http_header(head, REMOTE_DEVICE) != NULL;
}

/* A field that comes once; QN_ERR_NOTFOUND: it does not come. */
static enum qn_err read_once(const struct qn_http_head *head, const char *name,
                             struct qn_span *ret_value)
{
    const struct qn_http_header *field = qn_http_header(head, name);
    if (field == NULL)
        return QN_ERR_NOTFOUND;
    *ret_value = field->value;
    return qn_http_header_count(head, name) == 1 ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_person(const struct qn_http_head *head, const char *site,
                               struct qn_person *ret_person)
{
    struct qn_span name, right, device = qn_span(NULL, 0);
    struct qn_person person = {.is_from_site = true};
    QN_TRY(read_once(head, REMOTE_PERSON, &name));
    QN_TRY(read_once(head, REMOTE_RIGHT, &right));
    enum qn_err err = read_once(head, REMOTE_DEVICE, &device);
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        return err;
    if (!qn_account_is_name(name) || device.size > QN_USER_SIZE_MAX ||
        !qn_text_is_printable(device))
        return QN_ERR_INVALID;
    QN_TRY(qn_right_parse(right, &person.device_max));
    if (person.device_max == QN_RIGHT_NONE)
        return QN_ERR_INVALID;
    person.role = person.device_max == QN_RIGHT_WRITE ? QN_ROLE_EDITOR : QN_ROLE_READER;
    (void)snprintf(person.name, sizeof(person.name), "%.*s@%s", (int)name.size,
                   (const char *)name.data, site);
    if (device.size > 0)
        memcpy(person.device, device.data, device.size);
    *ret_person = person;
    return QN_OK;
}

static bool has_folder(const struct connection *connection, struct qn_span folder)
{
    const struct qn_serve_host *host = connection->serve->options.host;
    return host->shares(host->context, &connection->peer, folder) &&
           host->folder(host->context, folder) != NULL;
}

bool peer_judge(struct connection *connection)
{
    struct qn_web_request *request = &connection->request;
    const char *site = site_of(connection);
    struct folder_path path;
    if (site == NULL)
        qn_web_refuse(request, 403, "not-allowed", "");
    else if (read_person(&request->head, site, &request->person) != QN_OK)
        qn_web_refuse(request, 400, "bad-request", "");
    else if (!peer_folder_path(qn_buf_view(&request->path), &path))
        qn_web_refuse(request, 403, "not-allowed", "");
    else if (!has_folder(connection, path.folder))
        qn_web_refuse(request, 404, "folder-unknown", "");
    else
        request->has_person = true;
    return request->has_person;
}
