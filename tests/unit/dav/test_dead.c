#include <criterion/criterion.h>
#include <stdio.h>

#include "dav/dead.h"
#include "support/span.h"

static struct qn_dav_dead_property property(const char *ns, const char *name, const char *value)
{
    return (struct qn_dav_dead_property){.ns = qn_span_str(ns),
                                         .name = qn_span_str(name),
                                         .lang = SPAN("fr"),
                                         .value = qn_span_str(value)};
}

Test(dav_dead, a_property_is_added_replaced_and_removed)
{
    struct qn_dav_dead dead = {.count = 0};
    struct qn_dav_dead_property a = property("u", "a", "1"), b = property("u", "a", "2");
    struct qn_dav_dead_property other = property("", "a", "3");
    cr_assert_eq(qn_dav_dead_set(&dead, &a), QN_OK);
    cr_assert_eq(qn_dav_dead_set(&dead, &other), QN_OK);
    cr_assert_eq(qn_dav_dead_set(&dead, &b), QN_OK);
    cr_assert_eq(dead.count, 2);
    assert_span_eq(qn_dav_dead_find(&dead, SPAN("u"), SPAN("a"))->value, SPAN("2"));
    assert_span_eq(qn_dav_dead_find(&dead, SPAN(""), SPAN("a"))->value, SPAN("3"));
    qn_dav_dead_remove(&dead, SPAN("u"), SPAN("a"));
    qn_dav_dead_remove(&dead, SPAN("u"), SPAN("nothing"));
    cr_assert_eq(dead.count, 1);
    cr_assert_null(qn_dav_dead_find(&dead, SPAN("u"), SPAN("a")));
}

Test(dav_dead, a_row_is_read_as_it_was_written_and_never_when_cut)
{
    QN_AUTO_BUF struct qn_buf row;
    struct qn_dav_dead dead = {.count = 0}, again;
    struct qn_dav_dead_property a = property("u", "a", "<x/>");
    struct qn_span path;
    qn_buf_init(&row, 65536);
    cr_assert_eq(qn_dav_dead_set(&dead, &a), QN_OK);
    cr_assert_eq(qn_dav_dead_write(&dead, SPAN("F/p"), &row), QN_OK);
    cr_assert_eq(qn_dav_dead_read(qn_buf_view(&row), &path, &again), QN_OK);
    assert_span_eq(path, SPAN("F/p"));
    cr_assert_eq(again.count, 1);
    assert_span_eq(again.items[0].value, SPAN("<x/>"));
    assert_span_eq(again.items[0].lang, SPAN("fr"));
    for (size_t i = 0; i < row.size; i++)
        cr_assert_eq(qn_dav_dead_read(qn_span(row.data, i), &path, &again), QN_ERR_CORRUPT);
}

Test(dav_dead, properties_of_a_resource_are_limited_in_number_and_size)
{
    QN_AUTO_BUF struct qn_buf row;
    struct qn_dav_dead dead = {.count = 0};
    char names[QN_DAV_DEAD_MAX + 1][8];
    static char large[QN_LOCAL_ROW_SIZE_MAX];
    memset(large, 'x', sizeof(large));
    for (unsigned i = 0; i <= QN_DAV_DEAD_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "n%u", i);
        struct qn_dav_dead_property p = property("u", names[i], "");
        cr_assert_eq(qn_dav_dead_set(&dead, &p), i < QN_DAV_DEAD_MAX ? QN_OK : QN_ERR_LIMIT);
    }
    dead.items[0].value = qn_span(large, sizeof(large));
    qn_buf_init(&row, 4 * QN_LOCAL_ROW_SIZE_MAX);
    cr_assert_eq(qn_dav_dead_write(&dead, SPAN("F/p"), &row), QN_ERR_LIMIT);
}

static struct qn_span key_of(struct qn_buf *out, struct qn_span path)
{
    qn_buf_init(out, QN_LOCAL_KEY_SIZE_MAX);
    qn_dav_dead_key(path, out);
    cr_assert_eq(qn_buf_status(out), QN_OK);
    return qn_buf_view(out);
}

Test(dav_dead, long_paths_have_keys_of_their_own_behind_the_prefix_of_their_tree)
{
    QN_AUTO_BUF struct qn_buf a, b, prefix;
    char path[4000];
    memset(path, 'p', sizeof(path));
    struct qn_span first = key_of(&a, qn_span(path, 3999));
    struct qn_span second = key_of(&b, qn_span(path, 4000));
    cr_assert_not(qn_span_eq(first, second));
    qn_buf_init(&prefix, QN_LOCAL_KEY_SIZE_MAX);
    qn_dav_dead_key_prefix(qn_span(path, 3000), &prefix);
    cr_assert(qn_span_has_prefix(first, qn_buf_view(&prefix)));
}

Test(dav_dead, a_neighbour_with_a_longer_name_is_not_within)
{
    cr_assert(qn_dav_dead_is_within(SPAN("F/d"), SPAN("F/d")));
    cr_assert(qn_dav_dead_is_within(SPAN("F/d/e"), SPAN("F/d")));
    cr_assert_not(qn_dav_dead_is_within(SPAN("F/de"), SPAN("F/d")));
    cr_assert_not(qn_dav_dead_is_within(SPAN("F"), SPAN("F/d")));
}
