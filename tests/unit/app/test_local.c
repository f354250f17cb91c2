/* Rows of rooms at the edge, through the real store. */
#include "fixture.h"

#include "support/span.h"

struct told {
    size_t count;
    enum qn_err last;
    size_t order[16];
};

static struct told told;

struct put {
    size_t number;
};

static void on_done(void *context, enum qn_err err)
{
    const struct put *put = context;
    told.order[told.count++ % 16] = put->number;
    told.last = err;
}

static struct put numbered[] = {{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}};

static const struct qn_local *door_of(struct site *site)
{
    return qn_local_rows_door(site->local);
}

static void put_rows(struct site *site, const struct qn_local_row *rows, size_t count,
                     size_t number)
{
    const struct qn_local *door = door_of(site);
    door->put(door->context, rows, count, on_done, &numbered[number]);
}

static void put_one(struct site *site, const char *key, const char *value, size_t number)
{
    struct qn_local_row row = {.key = qn_span_str(key)};
    row.is_gone = value == NULL;
    if (value != NULL)
        row.value = qn_span_str(value);
    put_rows(site, &row, 1, number);
}

static bool list(void *context, struct qn_span key, struct qn_span value)
{
    struct qn_buf *out = context;
    qn_buf_printf(out, "%.*s=%.*s;", (int)key.size, (const char *)key.data, (int)value.size,
                  (const char *)value.data);
    return out->size < 60;
}

static void assert_rows(struct site *site, const char *prefix, const char *from, const char *wanted)
{
    const struct qn_local *door = door_of(site);
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 1000);
    cr_assert_eq(door->read(door->context, qn_span_str(prefix), qn_span_str(from), list, &out),
                 QN_OK);
    assert_span_eq(qn_buf_view(&out), qn_span_str(wanted));
}

Test(local, rows_are_answered_in_order_and_only_when_they_are_durable)
{
    AUTO_SITE struct site site;
    site_init(&site);
    told = (struct told){0};
    put_one(&site, "user/b", "2", 0);
    put_one(&site, "user/a", "1", 1);
    put_one(&site, "user0", "other", 2);
    put_one(&site, "user/b", "3", 3);
    put_one(&site, "user/c", "", 4);
    cr_assert_eq(told.count, 0);
    turn_until(site.loop, told.count == 5);
    for (size_t i = 0; i < 5; i++)
        cr_assert_eq(told.order[i], i);
    assert_rows(&site, "user/", "", "user/a=1;user/b=3;user/c=;");
    assert_rows(&site, "user/", "user/b", "user/b=3;user/c=;");
    assert_rows(&site, "user/", "zz", "");
    assert_rows(&site, "", "", "user/a=1;user/b=3;user/c=;user0=other;");
}

Test(local, a_row_goes_and_going_twice_is_fine)
{
    AUTO_SITE struct site site;
    site_init(&site);
    told = (struct told){0};
    put_one(&site, "lock/a", "1", 0);
    put_one(&site, "lock/a", NULL, 1);
    put_one(&site, "lock/a", NULL, 2);
    turn_until(site.loop, told.count == 3);
    cr_assert_eq(told.last, QN_OK);
    assert_rows(&site, "lock/", "", "");
}

Test(local, all_or_none)
{
    AUTO_SITE struct site site;
    site_init(&site);
    told = (struct told){0};
    QN_AUTO_FREE uint8_t *large = qn_alloc_zero(QN_LOCAL_ROW_SIZE_MAX + 1);
    struct qn_local_row rows[] = {
        {.key = qn_span_str("prop/a"), .value = qn_span_str("1")},
        {.key = qn_span_str("prop/b"), .value = qn_span(large, QN_LOCAL_ROW_SIZE_MAX + 1)},
    };
    put_rows(&site, rows, 2, 0);
    turn_until(site.loop, told.count == 1);
    cr_assert_eq(told.last, QN_ERR_LIMIT);
    rows[1] = (struct qn_local_row){.value = qn_span_str("no key")};
    put_rows(&site, rows, 2, 1);
    turn_until(site.loop, told.count == 2);
    cr_assert_eq(told.last, QN_ERR_INVALID);
    assert_rows(&site, "prop/", "", "");
}

/* Also what the store does not even take is answered later. */
Test(local, too_much_at_once_is_refused_later)
{
    AUTO_SITE struct site site;
    site_init(&site);
    told = (struct told){0};
    struct qn_local_row rows[9];
    QN_AUTO_FREE uint8_t *large = qn_alloc_zero(QN_LOCAL_ROW_SIZE_MAX);
    for (size_t i = 0; i < 9; i++)
        rows[i] = (struct qn_local_row){.key = qn_span_str("file/a"),
                                        .value = qn_span(large, QN_LOCAL_ROW_SIZE_MAX)};
    put_rows(&site, rows, 9, 0);
    cr_assert_eq(told.count, 0);
    turn_until(site.loop, told.count == 1);
    cr_assert_eq(told.last, QN_ERR_LIMIT);
    put_rows(&site, rows, 7, 1);
    turn_until(site.loop, told.count == 2);
    cr_assert_eq(told.last, QN_OK);
}

Test(local, who_waits_at_the_end_is_told)
{
    AUTO_SITE struct site site;
    site_init(&site);
    told = (struct told){0};
    struct qn_local_rows *rows = qn_local_rows_new(site.loop, site.store);
    const struct qn_local *door = qn_local_rows_door(rows);
    struct qn_local_row row = {.key = qn_span("k", QN_LOCAL_PUT_SIZE_MAX + 1)}; /* not read */
    door->put(door->context, &row, 1, on_done, &numbered[0]);
    qn_local_rows_free(rows);
    cr_assert_eq(told.count, 1);
    cr_assert_eq(told.last, QN_ERR_CLOSED);
}

/* Rows and writes of the core in one transaction: each hears of its own. */
Test(local, beside_the_core)
{
    AUTO_SITE struct site site;
    AUTO_CLIENT struct client client;
    site_init(&site);
    told = (struct told){0};
    client_init(&client, &site);
    make_collection(&client, "c");
    for (size_t i = 0; i < 8; i++) {
        put_one(&site, "audit/1", "x", i);
        put_record(&client, "c", "key", i % 2 == 0 ? "a" : "b");
        put_one(&site, "audit/2", "x", i);
    }
    turn_until(site.loop, told.count == 16);
    cr_assert_eq(told.last, QN_OK);
    assert_rows(&site, "audit/", "", "audit/1=x;audit/2=x;");
}
