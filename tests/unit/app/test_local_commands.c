/* Commands from inside the daemon: the same answers as over the socket, none from inside a call. */
#include "fixture.h"

struct asked {
    size_t data, ends, errors, records;
    char code[64], object[160];
    bool is_inside; /* a call of ours is under way */
    struct qn_control *pauses;
    uint64_t token;
};

static void take(void *context, const struct qn_serve_answer *answer)
{
    struct asked *asked = context;
    cr_assert_not(asked->is_inside, "from inside");
    cr_assert_eq(asked->ends + asked->errors, 0, "after the last");
    asked->data += answer->kind == QN_SERVE_DATA;
    asked->ends += answer->kind == QN_SERVE_END;
    asked->errors += answer->kind == QN_SERVE_ERROR;
    if (answer->kind == QN_SERVE_ERROR) {
        snprintf(asked->code, sizeof(asked->code), "%s", answer->code);
        snprintf(asked->object, sizeof(asked->object), "%s", answer->object);
    }
    if (answer->kind == QN_SERVE_DATA) {
        struct qn_cursor cursor = qn_cursor(answer->data);
        size_t count = 0;
        if (qn_cursor_array(&cursor, SIZE_MAX, &count) == QN_OK)
            asked->records += count;
        if (asked->pauses != NULL)
            qn_control_pause(asked->pauses, asked->token, true);
    }
}

static void ask(struct site *site, struct asked *asked, const char *command,
                const struct qn_buf *args)
{
    QN_AUTO_BUF struct qn_buf empty;
    qn_buf_init(&empty, 16);
    qn_pack_map(&empty, 0);
    asked->is_inside = true;
    asked->token = qn_control_ask(site->control, command, qn_buf_view(args ? args : &empty),
                                  qn_span_str("lea"), take, asked);
    asked->is_inside = false;
}

static bool is_done(const struct asked *asked)
{
    return asked->ends + asked->errors > 0;
}

static void pack_name(struct qn_buf *args, const char *key, const char *name)
{
    qn_buf_init(args, 256);
    qn_pack_map(args, 1);
    qn_pack_cstr(args, key);
    qn_pack_cstr(args, name);
}

static void make_records(struct site *site, size_t count)
{
    AUTO_CLIENT struct client client;
    QN_AUTO_BUF struct qn_buf args;
    client_init(&client, site);
    qn_buf_init(&args, 512 * 1024);
    qn_pack_map(&args, 2);
    qn_pack_cstr(&args, "members");
    qn_pack_nil(&args);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, "c");
    client_do(&client, "collection.create", &args, "");
    qn_buf_reset(&args);
    qn_pack_map(&args, 2);
    qn_pack_cstr(&args, "collection");
    qn_pack_cstr(&args, "c");
    qn_pack_cstr(&args, "records");
    qn_pack_array(&args, count);
    for (size_t i = 0; i < count; i++) {
        char key[32];
        snprintf(key, sizeof(key), "k%05zu", i);
        qn_pack_array(&args, 2);
        qn_pack_cstr(&args, key);
        qn_pack_map(&args, 1);
        qn_pack_cstr(&args, "f");
        qn_pack_cstr(&args, "value");
    }
    client_do(&client, "record.put-many", &args, "");
}

static void pack_list(struct qn_buf *args)
{
    qn_buf_init(args, 256);
    qn_pack_map(args, 3);
    qn_pack_cstr(args, "collection");
    qn_pack_cstr(args, "c");
    qn_pack_cstr(args, "limit");
    qn_pack_nil(args);
    qn_pack_cstr(args, "prefix");
    qn_pack_nil(args);
}

Test(local_commands, status_the_core_and_errors)
{
    AUTO_SITE struct site site;
    struct asked status = {0}, sites = {0}, none = {0}, unknown = {0};
    QN_AUTO_BUF struct qn_buf name;
    site_init(&site);
    pack_name(&name, "name", "none");
    ask(&site, &status, "status", NULL);
    ask(&site, &sites, "site.list", NULL);
    ask(&site, &none, "site.show", &name);
    ask(&site, &unknown, "no.such", NULL);
    turn_until(site.loop,
               is_done(&status) && is_done(&sites) && is_done(&none) && is_done(&unknown));
    cr_assert_eq(status.ends, 1);
    cr_assert_eq(sites.ends, 1);
    cr_assert_eq(sites.data, 1);
    cr_assert_str_eq(none.code, "site-unknown");
    cr_assert_str_eq(none.object, "none");
    cr_assert_eq(unknown.errors, 1);
}

Test(local_commands, a_list_waits_while_it_is_paused)
{
    AUTO_SITE struct site site;
    struct asked list = {0};
    QN_AUTO_BUF struct qn_buf args;
    site_init(&site);
    make_records(&site, 2000);
    pack_list(&args);
    list.pauses = site.control;
    ask(&site, &list, "record.list", &args);
    for (size_t i = 1; !is_done(&list); i++) {
        turn_until(site.loop, list.data == i || is_done(&list));
        for (int turn = 0; turn < 20; turn++)
            qn_loop_turn(site.loop);
        cr_assert(list.data == i || is_done(&list), "it went on");
        qn_control_pause(site.control, list.token, false);
    }
    cr_assert_eq(list.ends, 1);
    cr_assert_eq(list.records, 2000);
    cr_assert_gt(list.data, 3);
}

Test(local_commands, what_is_cancelled_is_not_answered)
{
    AUTO_SITE struct site site;
    struct asked one = {0}, two = {0}, last = {0};
    QN_AUTO_BUF struct qn_buf args;
    site_init(&site);
    make_records(&site, 2000);
    pack_list(&args);
    ask(&site, &one, "site.list", NULL);
    qn_control_cancel(site.control, one.token);
    two.pauses = site.control;
    ask(&site, &two, "record.list", &args);
    turn_until(site.loop, two.data > 0);
    qn_control_cancel(site.control, two.token);
    qn_control_cancel(site.control, two.token); /* nothing more to do */
    size_t before = two.data;
    ask(&site, &last, "status", NULL);
    turn_until(site.loop, is_done(&last));
    for (int turn = 0; turn < 50; turn++)
        qn_loop_turn(site.loop);
    cr_assert_eq(one.data + one.ends + one.errors, 0);
    cr_assert_eq(two.data, before);
    cr_assert_eq(two.ends, 0);
}

Test(local_commands, too_many_at_once_are_told_to_come_again)
{
    AUTO_SITE struct site site;
    static struct asked asked[QN_WEB_COMMANDS_MAX + 1];
    site_init(&site);
    for (size_t i = 0; i <= QN_WEB_COMMANDS_MAX; i++)
        ask(&site, &asked[i], "site.list", NULL);
    for (size_t i = 0; i <= QN_WEB_COMMANDS_MAX; i++)
        turn_until(site.loop, is_done(&asked[i]));
    for (size_t i = 0; i < QN_WEB_COMMANDS_MAX; i++)
        cr_assert_eq(asked[i].ends, 1);
    cr_assert_str_eq(asked[QN_WEB_COMMANDS_MAX].code, "busy");
    struct asked again = {0};
    ask(&site, &again, "site.list", NULL);
    turn_until(site.loop, is_done(&again));
    cr_assert_eq(again.ends, 1);
}
