/* Folders of other sites, in both directions: core, driver, net and serve are played here. */
#include "app/across.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/limits.h"
#include "serve/serve.h"
#include "support/span.h"
#include "support/turns.h"

static struct qn_loop *loop;
static struct qn_across *across;
static struct qn_driver_web web;
static struct qn_reach reach; /* of "one", the only site that is known */
static bool is_known;
static char events[2048]; /* what was asked of the others, in order */
static uint64_t last_net_token;

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
    size_t size = strlen(events);
    va_list args;
    va_start(args, format);
    vsnprintf(events + size, sizeof(events) - size, format, args);
    va_end(args);
}

static void expect_events(const char *wanted)
{
    cr_assert_str_eq(events, wanted);
    events[0] = '\0';
}

/* ---- who is played ---- */

struct qn_core *qn_driver_core(const struct qn_driver *driver)
{
    return NULL;
}

bool qn_core_folder_home(const struct qn_core *core, struct qn_span name,
                         struct qn_folder_home *ret_home)
{
    *ret_home = (struct qn_folder_home){.site = "one", .is_here = qn_span_eq_str(name, "here")};
    return !qn_span_eq_str(name, "none");
}

const char *qn_core_member_of_key(const struct qn_core *core, const struct qn_public_key *key)
{
    return qn_public_key_eq(key, &reach.key) ? "one" : NULL;
}

bool qn_core_key_shares(const struct qn_core *core, const struct qn_public_key *key,
                        struct qn_span name)
{
    return qn_public_key_eq(key, &reach.key) && qn_span_eq_str(name, "here");
}

bool qn_core_reach(const struct qn_core *core, struct qn_span site, struct qn_reach *ret_reach)
{
    *ret_reach = reach;
    return is_known && qn_span_eq_str(site, "one");
}

void qn_net_dial(struct qn_net *net, const char *address, enum qn_net_kind kind,
                 const struct qn_public_key *expected, uint64_t token)
{
    cr_assert(qn_public_key_eq(expected, &reach.key));
    cr_assert((token & QN_DRIVER_WEB) != 0);
    last_net_token = token;
    note("dial %s%s ", address, kind == QN_NET_WEB_BACK ? " back" : "");
}

void qn_driver_call(struct qn_driver *driver, const struct qn_public_key *key)
{
    cr_assert(qn_public_key_eq(key, &reach.key));
    note("call ");
}

void qn_driver_set_web(struct qn_driver *driver, const struct qn_driver_web *what)
{
    web = *what;
}

static struct qn_stream *stream_of(uintptr_t number)
{
    return (struct qn_stream *)number; /* nobody looks into it */
}

static unsigned number_of(const struct qn_stream *stream)
{
    return (unsigned)(uintptr_t)stream;
}

void qn_serve_dialled(struct qn_serve *serve, uint64_t token, struct qn_stream *take_stream)
{
    note("dialled %u stream %u ", (unsigned)token, number_of(take_stream));
}

void qn_serve_take_peer(struct qn_serve *serve, struct qn_stream *take_stream,
                        const struct qn_public_key *key)
{
    note("peer %u ", number_of(take_stream));
}

void qn_stream_abort(struct qn_stream *stream)
{
    note("abort %u ", number_of(stream));
}

void qn_log(struct qn_log *log, enum qn_log_level level, const char *format, ...) {}

/* ---- the start ---- */

static void set_up(void)
{
    loop = new_loop();
    is_known = true;
    reach = (struct qn_reach){.key.bytes = {1}, .count = 2, .can_be_called = true};
    strcpy(reach.addresses[0], "a:1");
    strcpy(reach.addresses[1], "b:1");
    across = qn_across_new(loop, NULL, NULL, NULL);
    qn_across_set_serve(across, NULL);
}

static void tear_down(void)
{
    qn_across_free(across);
    cr_assert_null(web.on_up, "nobody is told any more");
    free_loop(loop);
}

TestSuite(across, .init = set_up, .fini = tear_down);

static void come_up(unsigned stream, uint64_t net_token, enum qn_net_kind kind, uint8_t key)
{
    const struct qn_net_peer peer = {.kind = kind, .key.bytes = {key}};
    web.on_up(web.context, stream_of(stream), net_token, &peer);
}

static void fail_dial(void)
{
    web.on_dial_failed(web.context, last_net_token, "refused");
}

/* ---- asking others ---- */

Test(across, where_folders_are_and_who_shares_them)
{
    const char *site;
    bool is_online;
    const struct qn_public_key other = {.bytes = {9}};
    cr_assert(qn_across_elsewhere(across, SPAN("there"), &site, &is_online));
    cr_assert_str_eq(site, "one");
    cr_assert_not(qn_across_elsewhere(across, SPAN("here"), &site, &is_online));
    cr_assert_not(qn_across_elsewhere(across, SPAN("none"), &site, &is_online));
    cr_assert_str_eq(qn_across_member(across, &reach.key), "one");
    cr_assert_null(qn_across_member(across, &other));
    cr_assert(qn_across_shares(across, &reach.key, SPAN("here")));
    cr_assert_not(qn_across_shares(across, &other, SPAN("here")));
}

Test(across, addresses_are_dialled_one_after_the_other)
{
    cr_assert(qn_across_dial(across, "one", 7));
    expect_events("dial a:1 ");
    fail_dial();
    expect_events("dial b:1 ");
    come_up(5, last_net_token, QN_NET_WEB, 1);
    expect_events("dialled 7 stream 5 ");
}

Test(across, no_way_is_told_at_once)
{
    is_known = false;
    cr_assert_not(qn_across_dial(across, "one", 7));
    is_known = true;
    reach.count = 0;
    reach.can_be_called = false;
    cr_assert_not(qn_across_dial(across, "one", 7));
    cr_assert_not(qn_across_dial(across, "two", 7));
    expect_events("");
}

Test(across, the_last_address_that_fails_ends_it)
{
    reach.can_be_called = false;
    cr_assert(qn_across_dial(across, "one", 7));
    fail_dial();
    fail_dial();
    expect_events("dial a:1 dial b:1 dialled 7 stream 0 ");
    fail_dial(); /* of what is over */
    come_up(5, last_net_token, QN_NET_WEB, 1);
    expect_events("dialled 0 stream 5 "); /* 0: nobody's; serve aborts it */
}

Test(across, one_that_cannot_be_dialled_is_called)
{
    cr_assert(qn_across_dial(across, "one", 7));
    fail_dial();
    fail_dial();
    expect_events("dial a:1 dial b:1 call ");
    come_up(5, 0, QN_NET_WEB_BACK, 1);
    expect_events("dialled 7 stream 5 ");
}

/* Who made the first connection may have no address that leads there: it is called at first. */
Test(across, one_that_dialled_itself_is_called_first)
{
    reach.has_dialled = true;
    cr_assert(qn_across_dial(across, "one", 7));
    expect_events("call ");
    while (events[0] == '\0')
        qn_loop_wait(loop); /* for its timer: QN_WEB_CALL_TIME_MAX_MS */
    expect_events("dial a:1 ");
    come_up(6, 0, QN_NET_WEB_BACK, 1); /* late, but as good */
    expect_events("dialled 7 stream 6 ");
}

Test(across, who_dials_back_uncalled_is_turned_away)
{
    come_up(5, 0, QN_NET_WEB_BACK, 1);
    expect_events("abort 5 ");
    cr_assert(qn_across_dial(across, "one", 7));
    expect_events("dial a:1 "); /* dialled, not called */
    come_up(6, 0, QN_NET_WEB_BACK, 1);
    expect_events("abort 6 ");
    reach.has_dialled = true;
    cr_assert(qn_across_dial(across, "one", 8));
    come_up(7, 0, QN_NET_WEB_BACK, 2); /* with the key of another one */
    expect_events("call abort 7 ");
}

/* ---- being asked ---- */

Test(across, who_comes_in_is_served)
{
    come_up(5, 0, QN_NET_WEB, 1);
    expect_events("peer 5 ");
}

Test(across, who_calls_is_dialled_and_served)
{
    web.on_called(web.context, &reach.key);
    expect_events("dial a:1 back ");
    fail_dial();
    expect_events("dial b:1 back ");
    come_up(5, last_net_token, QN_NET_WEB_BACK, 1);
    expect_events("peer 5 ");
}

/* Calling back is the end of it: nobody is called for having called. */
Test(across, who_calls_and_cannot_be_dialled_is_left_alone)
{
    web.on_called(web.context, &reach.key);
    fail_dial();
    fail_dial();
    expect_events("dial a:1 back dial b:1 back ");
}

Test(across, strangers_and_many_calls_are_not_followed)
{
    const struct qn_public_key other = {.bytes = {9}};
    web.on_called(web.context, &other);
    expect_events("");
    for (int i = 0; i < QN_WEB_LINES_MAX; i++)
        web.on_called(web.context, &reach.key);
    cr_assert_eq(strlen(events), QN_WEB_LINES_MAX * strlen("dial a:1 back "));
    events[0] = '\0';
    web.on_called(web.context, &reach.key);
    expect_events("");
    is_known = false;
    fail_dial(); /* one place is free again, with its second address under way */
    expect_events("dial b:1 back ");
}
