#include <stdio.h>

#include "base/limits.h"
#include "search/search.h"
#include "support/tmp_dir.h"

struct fixture {
    struct tmp_dir dir;
    struct qn_loop *loop;
    struct qn_search *search;
    int put_count, found_count;
    enum qn_err put_err, found_err;
    char found[256];
    bool is_partial;
};

static void start(struct fixture *f)
{
    char path[300];
    bool is_new;
    tmp_dir_init(&f->dir);
    snprintf(path, sizeof(path), "%s/index.db", f->dir.path);
    cr_assert_eq(qn_loop_new(&f->loop), QN_OK);
    cr_assert_eq(qn_search_new(f->loop, path, &f->search, &is_new), QN_OK);
    cr_assert(is_new);
}

static void end(struct fixture *f)
{
    qn_search_free(f->search);
    qn_loop_free(f->loop);
    tmp_dir_deinit(&f->dir);
}

#define FIXTURE __attribute__((cleanup(end))) struct fixture

static void on_put(void *context, enum qn_err err)
{
    struct fixture *f = context;
    f->put_count++;
    f->put_err = err;
}

static void on_found(void *context, enum qn_err err, const struct qn_search_answer *answer)
{
    struct fixture *f = context;
    f->found_count++;
    f->found_err = err;
    f->found[0] = '\0';
    for (size_t i = 0; i < answer->count; i++)
        snprintf(f->found + strlen(f->found), sizeof(f->found) - strlen(f->found),
                 "%.*s/%.*s/%.*s ", (int)answer->hits[i].scope.size,
                 (const char *)answer->hits[i].scope.data, (int)answer->hits[i].name.size,
                 (const char *)answer->hits[i].name.data, (int)answer->hits[i].line.size,
                 (const char *)answer->hits[i].line.data);
}

static void put(struct fixture *f, const char *scope, const char *name, const char *text)
{
    struct qn_search_item item = {.name = qn_span_str(name), .text = qn_span_str(text)};
    struct qn_search_batch batch = {.scope = qn_span_str(scope), .items = &item, .count = 1};
    int before = f->put_count;
    cr_assert_eq(qn_search_put(f->search, &batch, on_put, f), QN_OK);
    cr_assert_eq(qn_search_put(f->search, &batch, on_put, f), QN_ERR_BUSY);
    while (f->put_count == before)
        qn_loop_wait(f->loop);
    cr_assert_eq(f->put_err, QN_OK);
}

static enum qn_err ask(struct fixture *f, const char *typed)
{
    struct qn_span scopes[] = {qn_span_str("c/one"), qn_span_str("f/two")};
    return qn_search_ask(f->search, qn_span_str(typed), scopes, 2, 10, on_found, f);
}

Test(search, asked_while_it_is_fed)
{
    FIXTURE f = {0};
    start(&f);
    cr_assert_eq(ask(&f, "été"), QN_OK);
    put(&f, "c/one", "k1", "un été");
    put(&f, "f/two", "fete.txt", "");
    while (f.found_count < 1)
        qn_loop_wait(f.loop);
    cr_assert_eq(ask(&f, "ete"), QN_OK);
    while (f.found_count < 2)
        qn_loop_wait(f.loop);
    cr_assert_str_eq(f.found, "c/one/k1/un été ");
}

Test(search, questions_wait_in_a_bounded_queue)
{
    FIXTURE f = {0};
    int taken = 0;
    start(&f);
    put(&f, "c/one", "k1", "x");
    while (ask(&f, "x") == QN_OK)
        taken++;
    cr_assert_eq(taken, QN_SEARCH_QUEUE_MAX + 1);
    while (f.found_count < taken)
        qn_loop_wait(f.loop);
    cr_assert_str_eq(f.found, "c/one/k1/x ");
    cr_assert_eq(ask(&f, " - "), QN_ERR_INVALID);
}

Test(search, an_end_while_something_is_under_way)
{
    FIXTURE f = {0};
    start(&f);
    struct qn_search_item item = {.name = qn_span_str("k"), .text = qn_span_str("x")};
    struct qn_search_batch batch = {.scope = qn_span_str("a"), .items = &item, .count = 1};
    cr_assert_eq(qn_search_put(f.search, &batch, on_put, &f), QN_OK);
    cr_assert_eq(ask(&f, "x"), QN_OK);
    cr_assert_eq(ask(&f, "x"), QN_OK);
    qn_search_free(f.search);
    f.search = NULL;
    cr_assert_eq(f.put_count, 0);
    cr_assert_eq(f.found_count, 2);
    cr_assert_eq(f.found_err, QN_ERR_CLOSED);
}

Test(search, a_scope_is_dropped)
{
    FIXTURE f = {0};
    start(&f);
    put(&f, "c/one", "k1", "x");
    cr_assert_eq(qn_search_drop(f.search, qn_span_str("c/one"), on_put, &f), QN_OK);
    while (f.put_count < 2)
        qn_loop_wait(f.loop);
    cr_assert_eq(ask(&f, "x"), QN_OK);
    while (f.found_count < 1)
        qn_loop_wait(f.loop);
    cr_assert_str_eq(f.found, "");
}

static void nothing(void *context) {}

/* Nothing is under way that would go on with it: it is refused, and not forgotten. */
Test(search, a_question_that_no_thread_can_take)
{
    FIXTURE f = {0};
    start(&f);
    for (size_t i = 0; i < QN_LOOP_JOBS_MAX; i++)
        cr_assert_eq(qn_loop_job(f.loop, nothing, nothing, NULL), QN_OK);
    cr_assert_eq(ask(&f, "x"), QN_ERR_BUSY);
    while (ask(&f, "x") == QN_ERR_BUSY)
        qn_loop_wait(f.loop);
    while (f.found_count < 1)
        qn_loop_wait(f.loop);
    cr_assert_eq(f.found_err, QN_OK);
}
