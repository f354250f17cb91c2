/* Many requests over one connection to the control socket, each when the one before is answered.
 *
 *   one_line SOCKET PLAN ROUNDS    each round: the plans (a small answer), then a restore of PLAN;
 *                                  prints its bytes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "client/client.h"
#include "proto/cursor.h"
#include "proto/pack.h"

static void die(const char *what, struct qn_span why)
{
    fprintf(stderr, "one_line: %s %.*s\n", what, (int)why.size, (const char *)why.data);
    exit(1);
}

/* Bytes of file content in a piece of a restore; 0 of anything else. */
static size_t content_of(struct qn_span data)
{
    struct qn_cursor cursor = qn_cursor(data);
    struct qn_span key, bytes;
    size_t count;
    if (qn_cursor_map(&cursor, 8, &count) != QN_OK || count != 1 ||
        qn_cursor_str(&cursor, 8, &key) != QN_OK || !qn_span_eq_str(key, "b") ||
        qn_cursor_bin(&cursor, QN_CONTROL_FRAME_SIZE_MAX, &bytes) != QN_OK)
        return 0;
    return bytes.size;
}

static size_t ask(struct qn_client *client, const char *command, const struct qn_buf *args)
{
    struct qn_client_answer answer = {.kind = QN_CLIENT_DATA};
    uint64_t id;
    size_t size = 0;
    if (qn_client_send(client, command, qn_buf_view(args), &id) != QN_OK)
        die("cannot send", qn_span_str(command));
    while (answer.kind == QN_CLIENT_DATA) {
        if (qn_client_receive(client, 60000, &answer) != QN_OK)
            die("no answer to", qn_span_str(command));
        if (answer.kind == QN_CLIENT_ERROR)
            die(command, answer.code);
        size += content_of(answer.data);
    }
    return size;
}

int main(int argc, char **argv)
{
    struct qn_client *client;
    struct qn_buf none, args;
    if (argc != 4 || qn_client_open(argv[1], 60000, &client) != QN_OK)
        die("usage, or no daemon", qn_span_str(""));
    qn_buf_init(&none, 64);
    qn_pack_map(&none, 0);
    qn_buf_init(&args, 4096);
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, argv[2]);
    for (int i = 0; i < atoi(argv[3]); i++) {
        ask(client, "backup.plans", &none);
        printf("%zu\n", ask(client, "backup.restore", &args));
    }
    qn_buf_deinit(&none);
    qn_buf_deinit(&args);
    qn_client_free(client);
    return 0;
}
