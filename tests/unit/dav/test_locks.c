#include <criterion/criterion.h>
#include <stdio.h>

#include "dav/field.h"
#include "dav/live.h"
#include "dav/locks.h"
#include "support/span.h"

#define NOW UINT64_C(1700000000000)

static uint8_t next_random;

struct options {
    const char *person;
    bool is_shared, is_deep;
};

static enum qn_err try_lock(struct qn_dav_locks *locks, const char *path, struct options options,
                            const struct qn_dav_lock **ret_lock)
{
    struct qn_dav_lock_wish wish = {.path = qn_span_str(path),
                                    .owner = SPAN("<x/>"),
                                    .person = options.person ? options.person : "anna",
                                    .is_exclusive = !options.is_shared,
                                    .is_deep = options.is_deep,
                                    .timeout_s = 600};
    memset(wish.random, ++next_random, sizeof(wish.random));
    return qn_dav_locks_add(locks, &wish, NOW, ret_lock);
}
#define lock_it(locks, path, ret_lock, ...)                                                        \
    try_lock(locks, path, (struct options){__VA_ARGS__}, ret_lock)

static bool may(const struct qn_dav_locks *locks, const char *path, const char *person,
                const struct qn_dav_lock *named, bool is_tree)
{
    char field[128];
    struct qn_dav_if given;
    snprintf(field, sizeof(field), "(<%s>)", named ? named->token : "urn:uuid:none");
    cr_assert_eq(qn_dav_if_read(qn_span_str(field), &given), QN_OK);
    struct qn_dav_access access = {
        .path = qn_span_str(path), .is_tree = is_tree, .given = &given, .person = person};
    return qn_dav_locks_blocking(locks, &access, NOW) == NULL;
}

Test(dav_locks, exclusive_stands_alone_and_shared_beside_shared)
{
    struct qn_dav_locks *locks = qn_dav_locks_new();
    const struct qn_dav_lock *lock, *first;
    cr_assert_eq(lock_it(locks, "F/a", &first), QN_OK);
    cr_assert_eq(lock_it(locks, "F/a", &lock), QN_ERR_BUSY);
    cr_assert_eq(lock, first);
    cr_assert_eq(lock_it(locks, "F/a", &lock, .is_shared = true), QN_ERR_BUSY);
    cr_assert_eq(lock_it(locks, "F/b", &lock, .is_shared = true), QN_OK);
    cr_assert_eq(lock_it(locks, "F/b", &lock, .is_shared = true, .person = "bert"), QN_OK);
    cr_assert_eq(lock_it(locks, "F/b", &lock), QN_ERR_BUSY);
    cr_assert_eq(qn_dav_locks_count(locks), 3);
    qn_dav_locks_free(locks);
}

Test(dav_locks, a_deep_lock_and_one_below_it_stand_against_each_other)
{
    struct qn_dav_locks *locks = qn_dav_locks_new();
    const struct qn_dav_lock *lock;
    cr_assert_eq(lock_it(locks, "F/d/x", &lock), QN_OK);
    cr_assert_eq(lock_it(locks, "F/d-e", &lock), QN_OK); /* sorts between F/d and F/d/x */
    cr_assert_eq(lock_it(locks, "F", &lock, .is_deep = true), QN_ERR_BUSY);
    cr_assert_eq(lock_it(locks, "F/d", &lock, .is_deep = true), QN_ERR_BUSY);
    cr_assert_eq(lock_it(locks, "F/d", &lock), QN_OK); /* depth 0 beside its member */
    cr_assert_eq(lock_it(locks, "F/g", &lock, .is_deep = true), QN_OK);
    cr_assert_eq(lock_it(locks, "F/g/h/i", &lock), QN_ERR_BUSY);
    cr_assert_eq(lock_it(locks, "F/gg", &lock), QN_OK);
    qn_dav_locks_free(locks);
}

Test(dav_locks, only_the_person_with_the_token_changes)
{
    struct qn_dav_locks *locks = qn_dav_locks_new();
    const struct qn_dav_lock *lock;
    cr_assert_eq(lock_it(locks, "F/d", &lock, .is_deep = true), QN_OK);
    cr_assert(may(locks, "F/d/e/f", "anna", lock, false));
    cr_assert_not(may(locks, "F/d/e/f", "anna", NULL, false));
    cr_assert_not(may(locks, "F/d/e/f", "bert", lock, false));
    cr_assert(may(locks, "F/d2", "bert", NULL, false));
    cr_assert(may(locks, "F", "bert", NULL, false));
    cr_assert_not(may(locks, "F", "bert", NULL, true)); /* the tree has what is locked */
    cr_assert(may(locks, "F", "anna", lock, true));
    qn_dav_locks_free(locks);
}

Test(dav_locks, of_shared_locks_one_is_enough)
{
    struct qn_dav_locks *locks = qn_dav_locks_new();
    const struct qn_dav_lock *anna, *bert;
    cr_assert_eq(lock_it(locks, "F/a", &anna, .is_shared = true), QN_OK);
    cr_assert_eq(lock_it(locks, "F/a", &bert, .is_shared = true, .person = "bert"), QN_OK);
    cr_assert(may(locks, "F/a", "anna", anna, false));
    cr_assert(may(locks, "F/a", "bert", bert, true));
    cr_assert_not(may(locks, "F/a", "anna", bert, false));
    cr_assert_not(may(locks, "F/a", "carl", anna, false));
    qn_dav_locks_free(locks);
}

Test(dav_locks, time_ends_a_lock_and_refreshing_prolongs_it)
{
    struct qn_dav_locks *locks = qn_dav_locks_new();
    const struct qn_dav_lock *lock;
    char token[QN_DAV_TOKEN_SIZE] = "", gone[QN_DAV_TOKEN_SIZE] = "";
    cr_assert_eq(lock_it(locks, "F/a", &lock), QN_OK);
    strcpy(token, lock->token);
    cr_assert_not_null(qn_dav_locks_find(locks, qn_span_str(token), NOW + 599999));
    cr_assert_null(qn_dav_locks_find(locks, qn_span_str(token), NOW + 600000));
    cr_assert_null(qn_dav_locks_covering(locks, SPAN("F/a"), NOW + 600000, NULL));
    qn_dav_locks_refresh(locks, qn_span_str(token), 180, NOW + 599999);
    cr_assert_not_null(qn_dav_locks_find(locks, qn_span_str(token), NOW + 700000));
    cr_assert_not(qn_dav_locks_take_expired(locks, NOW + 700000, gone));
    cr_assert(qn_dav_locks_take_expired(locks, NOW + 779999, gone));
    cr_assert_str_eq(gone, token);
    cr_assert_eq(qn_dav_locks_count(locks), 0);
    qn_dav_locks_free(locks);
}

static size_t count_within(const struct qn_dav_locks *locks, const char *path)
{
    size_t count = 0;
    const struct qn_dav_lock *lock = NULL;
    while ((lock = qn_dav_locks_within(locks, qn_span_str(path), NOW, lock)) != NULL)
        count++;
    return count;
}

Test(dav_locks, what_is_within_a_path_is_found_between_its_neighbours)
{
    struct qn_dav_locks *locks = qn_dav_locks_new();
    const struct qn_dav_lock *lock;
    const char *paths[] = {"F/d", "F/d!", "F/d/a", "F/d/a/b", "F/d/z", "F/d-1", "F/d0", "G"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        cr_assert_eq(lock_it(locks, paths[i], &lock), QN_OK);
    cr_assert_eq(count_within(locks, "F/d"), 4);
    cr_assert_eq(count_within(locks, "F"), 7);
    cr_assert_eq(count_within(locks, "F/d/a"), 2);
    cr_assert_eq(count_within(locks, "F/x"), 0);
    qn_dav_locks_free(locks);
}

static void carry_over(const struct qn_dav_lock *lock, struct qn_dav_locks *into, uint64_t now_ms,
                       enum qn_err wanted)
{
    QN_AUTO_BUF struct qn_buf key, row;
    qn_buf_init(&key, 480);
    qn_buf_init(&row, 65536);
    qn_dav_lock_key(qn_span_str(lock->token), &key);
    qn_dav_lock_row(lock, &row);
    cr_assert_eq(qn_dav_locks_load(into, qn_buf_view(&key), qn_buf_view(&row), now_ms), wanted);
    for (size_t i = 0; i < row.size; i++) /* cut anywhere, it is refused */
        cr_assert_eq(qn_dav_locks_load(into, qn_buf_view(&key), qn_span(row.data, i), now_ms),
                     QN_ERR_CORRUPT);
}

Test(dav_locks, rows_carry_locks_over_a_restart)
{
    struct qn_dav_locks *before = qn_dav_locks_new(), *after = qn_dav_locks_new();
    const struct qn_dav_lock *lock, *again;
    cr_assert_eq(lock_it(before, "F/d", &lock, .is_deep = true, .is_shared = true), QN_OK);
    carry_over(lock, after, NOW + 1000, QN_OK);
    again = qn_dav_locks_find(after, qn_span_str(lock->token), NOW + 1000);
    cr_assert_not_null(again);
    assert_span_eq(again->path, lock->path);
    assert_span_eq(again->owner, lock->owner);
    cr_assert_str_eq(again->person, "anna");
    cr_assert(again->is_deep && !again->is_exclusive);
    cr_assert_eq(again->expires_ms, lock->expires_ms);
    qn_dav_locks_free(before);
    qn_dav_locks_free(after);
}

Test(dav_locks, a_row_that_is_over_is_passed_and_one_from_the_future_is_cut)
{
    struct qn_dav_locks *before = qn_dav_locks_new(), *after = qn_dav_locks_new();
    const struct qn_dav_lock *lock;
    uint64_t long_ago = NOW - UINT64_C(86400000);
    cr_assert_eq(lock_it(before, "F/d", &lock), QN_OK);
    carry_over(lock, after, NOW + 600000, QN_OK);
    cr_assert_null(qn_dav_locks_find(after, qn_span_str(lock->token), NOW + 600000));
    char gone[QN_DAV_TOKEN_SIZE];
    cr_assert(qn_dav_locks_take_expired(after, NOW + 600000, gone));
    cr_assert_str_eq(gone, lock->token);
    carry_over(lock, after, long_ago, QN_OK); /* the clock went back by a day */
    const struct qn_dav_lock *cut = qn_dav_locks_find(after, qn_span_str(lock->token), long_ago);
    cr_assert_eq(cut->expires_ms, long_ago + QN_DAV_TIMEOUT_MAX_S * 1000);
    qn_dav_locks_free(before);
    qn_dav_locks_free(after);
}

Test(dav_locks, locks_are_limited_by_person_and_in_all)
{
    struct qn_dav_locks *locks = qn_dav_locks_new();
    const struct qn_dav_lock *lock;
    char path[32], person[32];
    for (unsigned i = 0; i < QN_DAV_LOCKS_MAX; i++) {
        snprintf(path, sizeof(path), "F/%u", i);
        snprintf(person, sizeof(person), "p%u", i / QN_DAV_LOCKS_PERSON_MAX);
        struct qn_dav_lock_wish wish = {
            .path = qn_span_str(path), .person = person, .is_exclusive = true, .timeout_s = 180};
        memcpy(wish.random, &i, sizeof(i));
        cr_assert_eq(qn_dav_locks_add(locks, &wish, NOW, &lock), QN_OK);
        if (i == QN_DAV_LOCKS_PERSON_MAX - 1)
            cr_assert_eq(lock_it(locks, "F/x", &lock, .person = "p0"), QN_ERR_LIMIT);
    }
    cr_assert_eq(lock_it(locks, "F/x", &lock, .person = "new"), QN_ERR_LIMIT);
    qn_dav_locks_free(locks);
}

/* Shared locks are told of with each resource that they cover: few cover the same one. */
Test(dav_locks, few_cover_one_path)
{
    struct qn_dav_locks *locks = qn_dav_locks_new();
    const struct qn_dav_lock *lock;
    struct qn_dav_lock_wish wish = {
        .path = SPAN("F/a"), .person = "anne", .timeout_s = 180, .is_deep = true};
    for (uint8_t i = 0; i < QN_DAV_LOCKS_COVER_MAX; i++) {
        wish.random[0] = i;
        cr_assert_eq(qn_dav_locks_add(locks, &wish, NOW, &lock), QN_OK);
    }
    wish.random[0] = QN_DAV_LOCKS_COVER_MAX;
    cr_assert_eq(qn_dav_locks_add(locks, &wish, NOW, &lock), QN_ERR_LIMIT);
    wish.path = SPAN("F/a/below");
    cr_assert_eq(qn_dav_locks_add(locks, &wish, NOW, &lock), QN_ERR_LIMIT);
    wish.path = SPAN("F/b");
    cr_assert_eq(qn_dav_locks_add(locks, &wish, NOW, &lock), QN_OK);
    wish.path = SPAN("F/a");
    cr_assert_eq(qn_dav_locks_add(locks, &wish, NOW + 200 * 1000, &lock), QN_OK);
    qn_dav_locks_free(locks);
}

/* Those that were there before a lock of what is above them are not counted: what is told is cut.
 */
Test(dav_locks, a_discovery_is_bounded)
{
    struct qn_dav_locks *locks = qn_dav_locks_new();
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 1 << 20);
    static const char *const paths[] = {"F/a/b/c/d", "F/a/b/c", "F/a/b", "F/a"};
    for (uint8_t i = 0; i < 4 * QN_DAV_LOCKS_COVER_MAX; i++) {
        const struct qn_dav_lock *lock;
        struct qn_dav_lock_wish wish = {.path = qn_span_str(paths[i / QN_DAV_LOCKS_COVER_MAX]),
                                        .person = "anne",
                                        .timeout_s = 180,
                                        .is_deep = true,
                                        .random = {i}};
        cr_assert_eq(qn_dav_locks_add(locks, &wish, NOW, &lock), QN_OK);
    }
    struct qn_dav_resource resource = {
        .path = SPAN("F/a/b/c/d"), .locks = locks, .locks_href = "/dav/", .now_ms = NOW};
    qn_dav_live_write(&out, QN_DAV_LOCKDISCOVERY, &resource);
    qn_buf_append_u8(&out, 0);
    size_t told = 0;
    for (const char *at = (const char *)out.data; (at = strstr(at, "<D:activelock>")); at++)
        told++;
    cr_assert_eq(told, QN_DAV_LOCKS_TOLD_MAX);
    qn_dav_locks_free(locks);
}

Test(dav_locks, an_owner_of_any_length_is_not_kept)
{
    struct qn_dav_locks *locks = qn_dav_locks_new();
    const struct qn_dav_lock *lock;
    char owner[QN_DAV_OWNER_SIZE_MAX + 1];
    memset(owner, 'x', sizeof(owner));
    struct qn_dav_lock_wish wish = {.path = SPAN("F/a"),
                                    .owner = qn_span(owner, sizeof(owner)),
                                    .person = "anna",
                                    .timeout_s = 180};
    cr_assert_eq(qn_dav_locks_add(locks, &wish, NOW, &lock), QN_ERR_LIMIT);
    cr_assert_eq(qn_dav_locks_count(locks), 0);
    qn_dav_locks_free(locks);
}
