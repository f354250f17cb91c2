/* Reading back from holders: what is asked, in which order and how much of it at a time; what an
 * answer may be; what a holder that is away, refuses or lies means to who asked. */
#include <criterion/criterion.h>

#include "core/fetch.h"
#include "support/core_rig.h"

#define BULK_LINK 90

static struct rig rig;

static struct bulk *bulk(void)
{
    return rig.core->peers.items[0]->bulk;
}

static void link_first(void)
{
    rig_link(&rig);
    rig_commit(&rig);
    rig.core->peers.items[0]->session->is_dialled = true;
}

/* Site 1 keeps copies for site 0. */
static void start(void)
{
    rig_init(&rig, 1);
    rig_agree(&rig);
    rig_start(&rig);
    strcpy(rig.core->peers.items[0]->hint, "192.0.2.1:8404");
    link_first();
}

static void stop(void)
{
    rig_deinit(&rig);
}

TestSuite(fetch, .init = start, .fini = stop);

/* ---- the connection ---- */

static void frame(struct qn_buf *take_bytes)
{
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_FRAME,
                                     .link = BULK_LINK,
                                     .frame = qn_buf_view(take_bytes)});
    qn_buf_deinit(take_bytes);
}

static void up(void)
{
    struct qn_buf out;
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_LINK_UP,
                                     .link_kind = QN_LINK_BULK,
                                     .link = BULK_LINK,
                                     .key = rig.world.sites[1].keys.site});
    rig_message(&out, QN_MSG_BULK_HELLO, 3);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION_MIN);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION);
    qn_pack_bin(&out, QN_SPAN_OF(rig.world.group.bytes));
    frame(&out);
    cr_assert(bulk_is_up(bulk()));
}

static void down(void)
{
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = BULK_LINK});
}

static bool is_closed(void)
{
    qn_vec_each (&rig.update.effects, effect)
        if (effect->kind == QN_EFFECT_CLOSE && effect->link == BULK_LINK)
            return true;
    return false;
}

/* ---- asking ---- */

static void ask(uint64_t request, const char *command, const struct qn_buf *args)
{
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_REQUEST,
                                     .token = request,
                                     .command = qn_span_str(command),
                                     .args = qn_buf_view(args),
                                     .user = qn_span_str("tester")});
}

static const char *site_name(void)
{
    return rig.world.sites[1].name;
}

/* Of a pack with that byte in all its name; `site` NULL: any holder. */
static void ask_pack(uint64_t request, const char *site, uint8_t byte, uint64_t offset,
                     uint64_t size)
{
    struct qn_buf args;
    uint8_t name[32];
    memset(name, byte, sizeof(name));
    qn_buf_init(&args, 1024);
    qn_pack_map(&args, 4);
    qn_pack_cstr(&args, "name");
    qn_pack_bin(&args, QN_SPAN_OF(name));
    qn_pack_cstr(&args, "offset");
    qn_pack_u64(&args, offset);
    qn_pack_cstr(&args, "site");
    if (site == NULL)
        qn_pack_nil(&args);
    else
        qn_pack_cstr(&args, site);
    qn_pack_cstr(&args, "size");
    qn_pack_u64(&args, size);
    ask(request, "vault.fetch", &args);
    qn_buf_deinit(&args);
}

static void ask_lists(uint64_t request, const uint8_t *after)
{
    struct qn_buf args;
    qn_buf_init(&args, 1024);
    qn_pack_map(&args, 2);
    qn_pack_cstr(&args, "after");
    if (after == NULL)
        qn_pack_nil(&args);
    else
        qn_pack_bin(&args, qn_span(after, 32));
    qn_pack_cstr(&args, "site");
    qn_pack_cstr(&args, site_name());
    ask(request, "vault.lists", &args);
    qn_buf_deinit(&args);
}

/* The number on the wire of the n-th PACK_GET or LIST_GET since rig_forget. */
static uint64_t number_of(enum qn_message message, size_t n)
{
    qn_vec_each (&rig.frames, bytes) {
        struct qn_cursor cursor = qn_cursor(qn_buf_view(bytes));
        size_t count;
        uint64_t kind, number;
        cr_assert_eq(qn_cursor_array(&cursor, 16, &count), QN_OK);
        cr_assert_eq(qn_cursor_u64(&cursor, &kind), QN_OK);
        if (kind != message || n-- > 0)
            continue;
        cr_assert_eq(qn_cursor_u64(&cursor, &number), QN_OK);
        return number;
    }
    cr_assert_fail("no such frame");
    return 0;
}

/* ---- answering ---- */

static void give(uint64_t number, const char *code, uint64_t total, size_t size)
{
    struct qn_buf out;
    uint8_t *bytes = qn_alloc_zero(size + 1);
    memset(bytes, 0x5a, size);
    rig_message(&out, QN_MSG_PACK_DATA, 4);
    qn_pack_u64(&out, number);
    if (code == NULL)
        qn_pack_nil(&out);
    else
        qn_pack_cstr(&out, code);
    qn_pack_u64(&out, total);
    qn_pack_bin(&out, qn_span(bytes, size));
    qn_free(bytes);
    frame(&out);
}

static void give_rows(uint64_t number, bool is_last)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_LIST_DATA, 4);
    qn_pack_u64(&out, number);
    qn_pack_nil(&out);
    qn_pack_bool(&out, is_last);
    qn_pack_array(&out, 1);
    qn_pack_u64(&out, 7);
    frame(&out);
}

/* How the last step answered a request: "" with an END, its code, or NULL. */
static const char *answer_to(uint64_t request)
{
    qn_vec_each (&rig.update.effects, effect)
        if (effect->kind == QN_EFFECT_REPLY && effect->token == request)
            return effect->reply == QN_REPLY_ERROR ? effect->code : "";
    return NULL;
}

static size_t answered(void)
{
    size_t count = 0;
    qn_vec_each (&rig.update.effects, effect)
        count += effect->kind == QN_EFFECT_REPLY;
    return count;
}

#define cr_answer(request, code)                                                                   \
    do {                                                                                           \
        const char *got_ = answer_to(request);                                                     \
        cr_assert_not_null(got_);                                                                  \
        cr_assert_str_eq(got_, code);                                                              \
    } while (0)

/* ---- what comes back ---- */

Test(fetch, gives_the_bytes_that_were_asked_for)
{
    up();
    ask_pack(5, site_name(), 1, 100, 64);
    cr_assert_null(answer_to(5));
    give(number_of(QN_MSG_PACK_GET, 0), NULL, 1000, 64);
    cr_answer(5, "");
    cr_assert_not(fetch_is_busy(rig.core, bulk()));
}

Test(fetch, gives_what_there_is_at_the_end)
{
    up();
    ask_pack(5, site_name(), 1, 900, 1000);
    give(number_of(QN_MSG_PACK_GET, 0), NULL, 1000, 100);
    cr_answer(5, "");
}

Test(fetch, connects_when_something_is_asked)
{
    ask_pack(5, site_name(), 1, 0, 64);
    cr_assert_eq(rig_count(&rig, QN_MSG_PACK_GET), 0);
    cr_assert(bulk()->is_wanted);
    up();
    give(number_of(QN_MSG_PACK_GET, 0), NULL, 1000, 64);
    cr_answer(5, "");
}

Test(fetch, pages_of_lists_go_on_behind_the_last)
{
    uint8_t after[32] = {9};
    up();
    ask_lists(5, NULL);
    give_rows(number_of(QN_MSG_LIST_GET, 0), false);
    cr_answer(5, "");
    ask_lists(6, after);
    give_rows(number_of(QN_MSG_LIST_GET, 1), true);
    cr_answer(6, "");
}

/* ---- how much at a time ---- */

Test(fetch, at_most_sixteen_are_open)
{
    up();
    for (uint64_t i = 0; i < 40; i++)
        ask_pack(100 + i, site_name(), 1, i, 1);
    cr_assert_eq(rig_count(&rig, QN_MSG_PACK_GET), BULK_REQUESTS_MAX);
    for (size_t i = 0; i < 40; i++) {
        give(number_of(QN_MSG_PACK_GET, i), NULL, 1000, 1);
        cr_answer(100 + i, "");
    }
    cr_assert_eq(rig_count(&rig, QN_MSG_PACK_GET), 40);
}

Test(fetch, more_than_may_wait_are_refused)
{
    for (uint64_t i = 0; i < FETCH_WAITING_MAX; i++)
        ask_pack(100 + i, site_name(), 1, i, 1);
    cr_assert_eq(answered(), 0);
    ask_pack(99, site_name(), 1, 0, 1);
    cr_answer(99, "vault-busy");
}

Test(fetch, a_cancelled_one_keeps_its_place_until_the_holder_answered)
{
    up();
    for (uint64_t i = 0; i < BULK_REQUESTS_MAX + 1; i++)
        ask_pack(100 + i, site_name(), 1, i, 1);
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_REQUEST_GONE, .token = 100});
    cr_assert_eq(rig_count(&rig, QN_MSG_PACK_GET), BULK_REQUESTS_MAX);
    give(number_of(QN_MSG_PACK_GET, 0), NULL, 1000, 1);
    cr_assert_eq(answered(), 0);
    cr_assert_not(is_closed());
    cr_assert_eq(rig_count(&rig, QN_MSG_PACK_GET), BULK_REQUESTS_MAX + 1);
}

/* ---- connections that end ---- */

Test(fetch, is_asked_again_after_a_cut)
{
    up();
    ask_pack(5, site_name(), 1, 0, 64);
    uint64_t first = number_of(QN_MSG_PACK_GET, 0);
    down();
    cr_assert_eq(answered(), 0);
    up();
    cr_assert_eq(rig_count(&rig, QN_MSG_PACK_GET), 2);
    uint64_t second = number_of(QN_MSG_PACK_GET, 1);
    cr_assert_neq(first, second);
    give(second, NULL, 1000, 64);
    cr_answer(5, "");
}

Test(fetch, a_holder_that_is_away_is_said_to_be)
{
    ask_pack(5, site_name(), 1, 0, 64);
    rig_wait(&rig, FETCH_OFFLINE_MS + 1);
    cr_answer(5, "holder-offline");
    cr_assert_not(fetch_is_busy(rig.core, bulk()));
}

Test(fetch, a_holder_that_does_not_answer_is_given_up)
{
    up();
    ask_pack(5, site_name(), 1, 0, 64);
    rig_wait(&rig, FETCH_TIMEOUT_MS - 100);
    cr_assert_null(answer_to(5));
    rig_wait(&rig, 200);
    cr_answer(5, "holder-offline");
    give(number_of(QN_MSG_PACK_GET, 0), NULL, 1000, 64); /* late, but asked for */
    cr_assert_not(is_closed());
}

/* ---- what a holder may say ---- */

Test(fetch, codes_of_the_holder)
{
    static const char *const codes[][2] = {{"unknown", "not-held"},
                                           {"damaged", "holder-bad"},
                                           {"range", "holder-bad"},
                                           {"anything", "holder-refused"}};
    up();
    for (size_t i = 0; i < 4; i++) {
        ask_pack(5 + i, site_name(), 1, 0, 64);
        give(number_of(QN_MSG_PACK_GET, i), codes[i][0], 0, 0);
        cr_answer(5 + i, codes[i][1]);
    }
}

Test(fetch, a_busy_holder_is_asked_again)
{
    up();
    ask_pack(5, site_name(), 1, 0, 64);
    give(number_of(QN_MSG_PACK_GET, 0), "busy", 0, 0);
    cr_assert_null(answer_to(5));
    rig_wait(&rig, FETCH_BUSY_MS + 1);
    give(number_of(QN_MSG_PACK_GET, 1), NULL, 1000, 64);
    cr_answer(5, "");
}

Test(fetch, one_that_stays_busy_is_said_to_be)
{
    up();
    uint64_t start_ms = rig.now_ms;
    ask_pack(5, site_name(), 1, 0, 64);
    for (size_t i = 0; i < FETCH_BUSY_MAX; i++) {
        give(number_of(QN_MSG_PACK_GET, i), "busy", 0, 0);
        cr_assert_null(answer_to(5));
        rig_wait(&rig, (FETCH_BUSY_MS << i) + 1);
    }
    give(number_of(QN_MSG_PACK_GET, FETCH_BUSY_MAX), "busy", 0, 0);
    cr_answer(5, "holder-busy");
    cr_assert_leq(rig.now_ms - start_ms, FETCH_TIMEOUT_MS);
    cr_assert_not(is_closed());
}

Test(fetch, a_refused_role_ends_all_that_was_asked)
{
    struct qn_buf out;
    up();
    ask_pack(5, site_name(), 1, 0, 64);
    ask_lists(6, NULL);
    rig_message(&out, QN_MSG_VAULT_REFUSED, 1);
    qn_pack_cstr(&out, "no-place");
    frame(&out);
    cr_answer(5, "holder-refused");
    cr_answer(6, "holder-refused");
    cr_assert_not(is_closed());
}

Test(fetch, answers_of_another_size_are_not_believed)
{
    up();
    ask_pack(5, site_name(), 1, 100, 64);
    give(number_of(QN_MSG_PACK_GET, 0), NULL, 1000, 63);
    cr_answer(5, "holder-bad");
    ask_pack(6, site_name(), 1, 100, 64);
    give(number_of(QN_MSG_PACK_GET, 1), NULL, 150, 64);
    cr_answer(6, "holder-bad");
    ask_pack(7, site_name(), 1, 100, 64);
    give(number_of(QN_MSG_PACK_GET, 2), NULL, (uint64_t)1 << 40, 64);
    cr_answer(7, "holder-bad");
}

Test(fetch, answers_to_nothing_end_the_connection)
{
    up();
    give(1, NULL, 1000, 64);
    cr_assert(is_closed());
}

Test(fetch, an_answer_comes_once)
{
    up();
    ask_pack(5, site_name(), 1, 0, 64);
    uint64_t number = number_of(QN_MSG_PACK_GET, 0);
    give(number, NULL, 1000, 64);
    give(number, NULL, 1000, 64);
    cr_assert_eq(answered(), 0);
    cr_assert(is_closed());
}

Test(fetch, an_answer_is_of_the_kind_that_was_asked)
{
    up();
    ask_lists(5, NULL);
    give(number_of(QN_MSG_LIST_GET, 0), NULL, 1000, 64);
    cr_assert(is_closed());
    cr_assert_null(answer_to(5));
}

/* ---- any holder ---- */

Test(fetch, whichever_holder_has_it)
{
    up();
    ask_pack(5, NULL, 1, 0, 64);
    give(number_of(QN_MSG_PACK_GET, 0), NULL, 1000, 64);
    cr_answer(5, "");
    ask_pack(6, NULL, 1, 0, 64);
    give(number_of(QN_MSG_PACK_GET, 1), "unknown", 0, 0);
    cr_answer(6, "no-copy-reachable");
    ask_pack(7, NULL, 1, 0, 64);
    down();
    rig_wait(&rig, FETCH_OFFLINE_MS + 1);
    cr_answer(7, "no-copy-reachable");
}

/* ---- requests that cannot be ---- */

Test(fetch, bad_requests)
{
    ask_pack(5, "nobody", 1, 0, 64);
    cr_answer(5, "site-unknown");
    ask_pack(6, rig.world.sites[0].name, 1, 0, 64);
    cr_answer(6, "holder-is-self");
    ask_pack(7, site_name(), 1, 0, 0);
    cr_answer(7, "bad-request");
    ask_pack(8, site_name(), 1, 0, BULK_READ_MAX + 1);
    cr_answer(8, "bad-request");
    ask_pack(9, site_name(), 1, UINT64_MAX, 1);
    cr_answer(9, "bad-request");
}

/* ---- what comes of it ---- */

static void end_job(enum qn_job_kind kind, const struct qn_buf *payload)
{
    cr_assert_not_null(rig.job);
    cr_assert_eq(rig.job->kind, kind);
    rig_job(&rig, QN_JOB_DONE, QN_OK, payload);
    rig_read_all(&rig, QN_OK);
    rig_commit(&rig);
}

Test(fetch, a_vault_that_was_made_whole_is_looked_through)
{
    struct qn_buf args;
    end_job(QN_JOB_CATALOG, NULL); /* of the start */
    qn_buf_init(&args, 256);
    qn_pack_map(&args, 2);
    qn_pack_cstr(&args, "data");
    qn_pack_bool(&args, true);
    qn_pack_cstr(&args, "site");
    qn_pack_cstr(&args, site_name());
    ask(5, "vault.rebuild", &args);
    qn_buf_deinit(&args);
    cr_assert_null(answer_to(5));
    end_job(QN_JOB_REBUILD, NULL);
    rig_wait(&rig, 1000);
    cr_assert_eq(rig.job->kind, QN_JOB_CATALOG);
}

static bool is_alerted(const char *code)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_health health = {.wall_ms = WORLD_START_MS};
    qn_buf_init(&out, 1 << 20);
    qn_core_status(rig.core, &health, &out);
    return memmem(out.data, out.size, code, strlen(code)) != NULL;
}

static void verify(uint64_t bad, uint64_t repaired)
{
    struct qn_buf args, counts;
    qn_buf_init(&args, 64);
    qn_pack_map(&args, 0);
    ask(6, "backup.verify", &args);
    qn_buf_deinit(&args);
    qn_buf_init(&counts, 256);
    qn_pack_map(&counts, 2);
    qn_pack_cstr(&counts, "bad_packs");
    qn_pack_u64(&counts, bad);
    qn_pack_cstr(&counts, "repaired");
    qn_pack_u64(&counts, repaired);
    end_job(QN_JOB_VERIFY, &counts);
    qn_buf_deinit(&counts);
}

Test(fetch, what_was_put_right_is_noted_and_what_was_not_is_an_alert)
{
    end_job(QN_JOB_CATALOG, NULL);
    rig_forget(&rig);
    verify(0, 2);
    cr_assert_str_eq(rig.note, "vault-repaired");
    cr_assert_not(is_alerted("vault-bad"));
    verify(1, 0);
    cr_assert(is_alerted("vault-bad"));
    verify(0, 1);
    cr_assert_not(is_alerted("vault-bad"));
}
