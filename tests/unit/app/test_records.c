#include "fixture.h"

#include "proto/items.h"

#define FIXTURE()                                                                                  \
    AUTO_SITE struct site site;                                                                    \
    site_init(&site);                                                                              \
    AUTO_CLIENT struct client client;                                                              \
    client_init(&client, &site);                                                                   \
    make_collection(&client, "c")

/* `count` records k00000, ..., in as few requests as they fit. */
static void put_many(struct client *client, size_t count, size_t value_size)
{
    char key[16], *value = qn_alloc(value_size + 1);
    memset(value, 'v', value_size);
    value[value_size] = '\0';
    for (size_t done = 0; done < count;) {
        size_t batch = count - done < 1000 ? count - done : 1000;
        while (batch > 1 && batch * (value_size + 32) > 500000)
            batch--;
        QN_AUTO_BUF struct qn_buf args;
        qn_buf_init(&args, QN_CONTROL_FRAME_SIZE_MAX);
        qn_pack_map(&args, 2);
        qn_pack_cstr(&args, "collection");
        qn_pack_cstr(&args, "c");
        qn_pack_cstr(&args, "records");
        qn_pack_array(&args, batch);
        for (size_t i = 0; i < batch; i++, done++) {
            snprintf(key, sizeof(key), "k%05zu", done);
            qn_pack_array(&args, 2);
            qn_pack_cstr(&args, key);
            qn_pack_map(&args, 1);
            qn_pack_cstr(&args, "f");
            qn_pack_cstr(&args, value);
        }
        client_do(client, "record.put-many", &args, "");
    }
    qn_free(value);
}

static void pack_list(struct qn_buf *args, const char *prefix, uint64_t limit)
{
    qn_buf_init(args, 1024);
    qn_pack_map(args, 3);
    qn_pack_cstr(args, "collection");
    qn_pack_cstr(args, "c");
    qn_pack_cstr(args, "limit");
    if (limit == UINT64_MAX)
        qn_pack_nil(args);
    else
        qn_pack_u64(args, limit);
    qn_pack_cstr(args, "prefix");
    qn_pack_cstr(args, prefix);
}

struct listing {
    size_t records, frames, largest;
    struct qn_buf last_key;
};

static void take_records(struct listing *listing, const struct qn_buf *data)
{
    struct qn_cursor cursor = qn_cursor(qn_buf_view(data));
    size_t count;
    cr_assert_eq(qn_cursor_array(&cursor, SIZE_MAX, &count), QN_OK);
    listing->records += count;
    listing->frames++;
    listing->largest = count > listing->largest ? count : listing->largest;
    for (size_t i = 0; i < count; i++) {
        struct qn_span record, key, value;
        size_t members;
        cr_assert_eq(qn_cursor_skip(&cursor, 64, &record), QN_OK);
        struct qn_cursor inner = qn_cursor(record);
        cr_assert_eq(qn_cursor_map(&inner, 5, &members), QN_OK);
        while (qn_cursor_str(&inner, 32, &key) == QN_OK && !qn_span_eq_str(key, "key"))
            cr_assert_eq(qn_cursor_skip(&inner, 64, &value), QN_OK);
        cr_assert_eq(qn_cursor_str(&inner, 255, &key), QN_OK);
        cr_assert_gt(qn_span_cmp(key, qn_buf_view(&listing->last_key)), 0, "in key order");
        qn_buf_reset(&listing->last_key);
        qn_buf_append_span(&listing->last_key, key);
    }
}

static struct listing list(struct client *client, const char *prefix, uint64_t limit)
{
    struct listing listing = {0};
    qn_buf_init(&listing.last_key, 255);
    QN_AUTO_BUF struct qn_buf args;
    pack_list(&args, prefix, limit);
    client_ask(client, "record.list", &args);
    for (;;) {
        AUTO_ANSWER struct answer answer;
        client_take(client, &answer);
        cr_assert_str_neq(answer.type, "error", "%s", answer.code);
        if (strcmp(answer.type, "end") == 0)
            break;
        take_records(&listing, &answer.data);
    }
    qn_buf_deinit(&listing.last_key);
    return listing;
}

Test(records, a_list_comes_in_slices_and_in_order)
{
    FIXTURE();
    put_many(&client, 1500, 10);
    struct listing all = list(&client, "", UINT64_MAX);
    cr_assert_eq(all.records, 1500);
    cr_assert_leq(all.largest, 256);
    cr_assert_eq(list(&client, "k000", UINT64_MAX).records, 100);
    cr_assert_eq(list(&client, "x", UINT64_MAX).frames, 0);
    cr_assert_eq(list(&client, "", 300).records, 300);
    cr_assert_eq(list(&client, "", 1).records, 1);
    cr_assert_eq(list(&client, "", 0).frames, 0);
}

Test(records, large_records_make_small_slices)
{
    FIXTURE();
    put_many(&client, 40, 60000);
    struct listing all = list(&client, "", UINT64_MAX);
    cr_assert_eq(all.records, 40);
    cr_assert_leq(all.largest, 5); /* 256 KiB and the record that passes it */
}

/* Somebody who lists and reads slowly holds no transaction and blocks nobody. */
Test(records, a_list_goes_on_while_others_write)
{
    FIXTURE();
    put_many(&client, 400, 10000);
    AUTO_CLIENT struct client slow;
    client_init(&slow, &site);
    QN_AUTO_BUF struct qn_buf args;
    pack_list(&args, "", UINT64_MAX);
    client_ask(&slow, "record.list", &args);
    for (int i = 0; i < 100; i++)
        qn_loop_turn(site.loop);
    put_record(&client, "c", "zz", "late");
    struct listing listing = {0};
    qn_buf_init(&listing.last_key, 255);
    for (;;) {
        AUTO_ANSWER struct answer answer;
        client_take(&slow, &answer);
        if (strcmp(answer.type, "end") == 0)
            break;
        take_records(&listing, &answer.data);
    }
    qn_buf_deinit(&listing.last_key);
    cr_assert_eq(listing.records, 401, "what came behind the place is seen");
}

static void ask_record(struct client *client, const char *command, const char *key,
                       const char *code)
{
    ARGS(args, "collection", "c", "key", key);
    client_do(client, command, &args, code);
}

Test(records, a_record_is_read_deleted_and_back)
{
    FIXTURE();
    put_record(&client, "c", "k", "value");
    ARGS(args, "collection", "c", "key", "k");
    client_ask(&client, "record.get", &args);
    AUTO_ANSWER struct answer answer;
    client_take(&client, &answer);
    cr_assert(holds(&answer.data, "value"));
    cr_assert(holds(&answer.data, "pradines"));
    cr_assert_not(holds(&answer.data, "conflicts"));
    ask_record(&client, "record.delete", "k", "");
    ask_record(&client, "record.get", "k", "record-not-found");
    cr_assert_eq(list(&client, "", UINT64_MAX).records, 0);
    ARGS(trash, "collection", "c");
    client_ask(&client, "record.trash", &trash);
    AUTO_ANSWER struct answer in_trash;
    client_take(&client, &in_trash);
    cr_assert(holds(&in_trash.data, "k"));
    AUTO_ANSWER struct answer end;
    client_take(&client, &end);
    ask_record(&client, "record.restore", "k", "");
    ask_record(&client, "record.get", "k", "");
}

Test(records, wrong_arguments_are_refused_and_not_ignored)
{
    FIXTURE();
    ARGS(no_collection, "prefix", "k");
    ARGS(unknown, "collection", "nowhere");
    ARGS(limit, "collection", "c", "limit", "ten");
    ARGS(no_key, "collection", "c");
    client_do(&client, "record.list", &no_collection, "bad-request");
    client_do(&client, "record.list", &unknown, "collection-unknown");
    client_do(&client, "record.list", &limit, "bad-request");
    client_do(&client, "record.get", &no_key, "bad-key");
    client_do(&client, "record.history", &no_key, "bad-key");
    client_do(&client, "conflict.list", &unknown, "collection-unknown");
    ask_record(&client, "record.get", "_collection", "record-not-found");
    ask_record(&client, "record.history", "nothing", "record-not-found");
    QN_AUTO_BUF struct qn_buf args; /* a prefix that no key can have: not "all of it" */
    char prefix[300];
    memset(prefix, 'k', sizeof(prefix));
    prefix[sizeof(prefix) - 1] = '\0';
    pack_list(&args, prefix, UINT64_MAX);
    client_do(&client, "record.list", &args, "bad-request");
}

static uint64_t member_time(struct qn_span entry, bool *ret_is_replaced)
{
    struct qn_cursor cursor = qn_cursor(entry);
    struct qn_span key, value;
    size_t count;
    uint64_t time = 0;
    cr_assert_eq(qn_cursor_map(&cursor, 6, &count), QN_OK);
    while (qn_cursor_str(&cursor, 32, &key) == QN_OK) {
        cr_assert_eq(qn_cursor_skip(&cursor, 64, &value), QN_OK);
        struct qn_cursor inner = qn_cursor(value);
        if (qn_span_eq_str(key, "time"))
            cr_assert_eq(qn_cursor_u64(&inner, &time), QN_OK);
        if (qn_span_eq_str(key, "replaced"))
            *ret_is_replaced = qn_cursor_peek(&inner) == QN_ITEM_MAP;
    }
    return time;
}

static void take_history(struct client *client, const char *key, size_t *ret_count,
                         size_t *ret_replaced)
{
    ARGS(args, "collection", "c", "key", key);
    client_ask(client, "record.history", &args);
    uint64_t before = 0;
    *ret_count = *ret_replaced = 0;
    for (;;) {
        AUTO_ANSWER struct answer answer;
        client_take(client, &answer);
        cr_assert_str_neq(answer.type, "error", "%s", answer.code);
        if (strcmp(answer.type, "end") == 0)
            return;
        bool is_replaced = false;
        uint64_t time = member_time(qn_buf_view(&answer.data), &is_replaced);
        cr_assert_geq(time, before, "oldest first");
        before = time;
        ++*ret_count;
        *ret_replaced += is_replaced;
    }
}

static void put_field(struct client *client, const char *key, const char *field, const char *value)
{
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, 1024);
    qn_pack_map(&args, 3);
    qn_pack_cstr(&args, "collection");
    qn_pack_cstr(&args, "c");
    qn_pack_cstr(&args, "fields");
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, field);
    qn_pack_cstr(&args, value);
    qn_pack_cstr(&args, "key");
    qn_pack_cstr(&args, key);
    client_do(client, "record.put", &args, "");
}

Test(records, a_history_is_one_order_of_what_was_and_what_is)
{
    FIXTURE();
    char text[32];
    size_t count, replaced;
    put_field(&client, "k", "a", "stays");
    for (int i = 0; i < 600; i++) {
        snprintf(text, sizeof(text), "%d", i);
        put_field(&client, "k", i % 2 ? "b" : "z", text);
    }
    take_history(&client, "k", &count, &replaced);
    cr_assert_eq(count, 601);
    cr_assert_eq(replaced, 598);
    ask_record(&client, "record.delete", "k", "");
    take_history(&client, "k", &count, &replaced);
    cr_assert_geq(count, 602, "the deletion is part of it");
    ask_record(&client, "record.erase", "k", "");
    ask_record(&client, "record.history", "k", "record-not-found");
}

/* ---- the trash ---- */

static void pack_empty_trash(struct qn_buf *args, bool is_dry_run)
{
    qn_buf_init(args, 256);
    qn_pack_map(args, 3);
    qn_pack_cstr(args, "collection");
    qn_pack_cstr(args, "c");
    qn_pack_cstr(args, "dry_run");
    qn_pack_bool(args, is_dry_run);
    qn_pack_cstr(args, "older_days");
    qn_pack_nil(args);
}

/* Many under way, so that a commit has more than one. */
static void trash_many(struct client *client, size_t count)
{
    put_many(client, count, 10);
    for (size_t i = 0; i < count; i += 50) {
        for (size_t j = i; j < i + 50; j++) {
            char key[32];
            snprintf(key, sizeof(key), "k%05zu", j);
            ARGS(args, "collection", "c", "key", key);
            client_ask(client, "record.delete", &args);
        }
        for (size_t j = 0; j < 50; j++) {
            AUTO_ANSWER struct answer answer;
            client_take(client, &answer);
            cr_assert_str_eq(answer.type, "end", "%s", answer.code);
        }
    }
}

/* How many were erased, or would be; and how often it was told meanwhile. */
static uint64_t empty_trash(struct client *client, bool is_dry_run, size_t *ret_told)
{
    QN_AUTO_BUF struct qn_buf args;
    pack_empty_trash(&args, is_dry_run);
    client_ask(client, "record.empty-trash", &args);
    for (*ret_told = 0;; ++*ret_told) {
        AUTO_ANSWER struct answer answer;
        client_take(client, &answer);
        cr_assert_str_neq(answer.type, "error", "%s", answer.code);
        if (strcmp(answer.type, "end") == 0)
            return qn_map_u64(qn_buf_view(&answer.data), "erased");
    }
}

Test(records, the_trash_is_emptied_step_by_step)
{
    FIXTURE();
    size_t told;
    trash_many(&client, 1500);
    put_record(&client, "c", "stays", "value");
    cr_assert_eq(empty_trash(&client, true, &told), 1500);
    cr_assert_eq(empty_trash(&client, false, &told), 1500);
    cr_assert_eq(told, 1, "once, between its two steps");
    cr_assert_eq(empty_trash(&client, true, &told), 0);
    cr_assert_eq(list(&client, "", UINT64_MAX).records, 1);
}

Test(records, what_is_no_dry_run_is_not_taken_for_the_word_to_erase)
{
    FIXTURE();
    ARGS(words, "collection", "c", "dry_run", "yes");
    client_do(&client, "record.empty-trash", &words, "bad-request");
    ARGS(days, "collection", "c", "older_days", "30d");
    client_do(&client, "record.empty-trash", &days, "bad-request");
    ARGS(unknown, "collection", "nowhere");
    client_do(&client, "record.empty-trash", &unknown, "collection-unknown");
}

Test(records, who_goes_away_stops_it)
{
    FIXTURE();
    size_t told;
    trash_many(&client, 1200);
    {
        AUTO_CLIENT struct client other;
        client_init(&other, &site);
        QN_AUTO_BUF struct qn_buf args;
        pack_empty_trash(&args, false);
        client_ask(&other, "record.empty-trash", &args);
        AUTO_ANSWER struct answer answer;
        client_take(&other, &answer);
        cr_assert_str_eq(answer.type, "data");
    }
    uint64_t left = empty_trash(&client, false, &told);
    cr_assert(left == 200 || left == 0, "%lu", (unsigned long)left); /* one step may be under way */
}

Test(records, nothing_is_read_while_joining)
{
    struct qn_code code = {.expiry_s = UINT32_MAX, .address_count = 1};
    strcpy(code.addresses[0], "127.0.0.1:1");
    AUTO_SITE struct site site;
    site_init_with(&site, &code);
    AUTO_CLIENT struct client client;
    client_init(&client, &site);
    ARGS(args, "collection", "c");
    client_do(&client, "record.list", &args, "joining");
    client_do(&client, "collection.list", NULL, "joining");
    client_do(&client, "status", NULL, "");
}

/* A put of one text field with what must be there: -1 nil, else so many bytes of `version`. */
static void put_if(struct client *client, const char *value, struct qn_span version, bool is_asked,
                   const char *code)
{
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, 1024);
    qn_pack_map(&args, 4);
    qn_pack_cstr(&args, "collection");
    qn_pack_cstr(&args, "c");
    qn_pack_cstr(&args, "fields");
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "f");
    qn_pack_cstr(&args, value);
    qn_pack_cstr(&args, "if");
    if (is_asked)
        qn_pack_bin(&args, version);
    else
        qn_pack_nil(&args);
    qn_pack_cstr(&args, "key");
    qn_pack_cstr(&args, "k");
    client_do(client, "record.put", &args, code);
}

static struct qn_span version_of(struct client *client, struct answer *answer)
{
    QN_AUTO_BUF struct qn_buf args;
    struct qn_span packed, version;
    qn_buf_init(&args, 1024);
    qn_pack_map(&args, 2);
    qn_pack_cstr(&args, "collection");
    qn_pack_cstr(&args, "c");
    qn_pack_cstr(&args, "key");
    qn_pack_cstr(&args, "k");
    client_ask(client, "record.get", &args);
    client_take(client, answer);
    cr_assert_str_eq(answer->type, "end", "%s", answer->code);
    cr_assert(qn_map_find(qn_buf_view(&answer->data), "version", &packed));
    struct qn_cursor cursor = qn_cursor(packed);
    cr_assert_eq(qn_cursor_bin(&cursor, 16, &version), QN_OK);
    cr_assert_eq(version.size, 16);
    return version;
}

Test(records, a_put_only_over_what_was_seen)
{
    FIXTURE();
    put_if(&client, "1", qn_span("", 0), true, "");
    put_if(&client, "2", qn_span("", 0), true, "changed");
    put_if(&client, "2", qn_span("0123", 4), true, "bad-request");
    AUTO_ANSWER struct answer first, second;
    struct qn_span version = version_of(&client, &first);
    put_if(&client, "2", version, true, "");
    put_if(&client, "3", version, true, "changed");
    cr_assert(!qn_span_eq(version, version_of(&client, &second)));
    put_if(&client, "3", version, false, "");
}

Test(records, a_list_goes_on_behind_a_key)
{
    FIXTURE();
    put_many(&client, 300, 10);
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, 1024);
    qn_pack_map(&args, 3);
    qn_pack_cstr(&args, "after");
    qn_pack_cstr(&args, "k00199");
    qn_pack_cstr(&args, "collection");
    qn_pack_cstr(&args, "c");
    qn_pack_cstr(&args, "limit");
    qn_pack_u64(&args, 50);
    client_ask(&client, "record.list", &args);
    struct listing listing = {0};
    qn_buf_init(&listing.last_key, 255);
    for (;;) {
        AUTO_ANSWER struct answer answer;
        client_take(&client, &answer);
        if (strcmp(answer.type, "end") == 0)
            break;
        take_records(&listing, &answer.data);
    }
    cr_assert_eq(listing.records, 50);
    cr_assert(qn_span_eq_str(qn_buf_view(&listing.last_key), "k00249"));
    qn_buf_deinit(&listing.last_key);
}
