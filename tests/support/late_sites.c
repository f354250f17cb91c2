#include "support/late_sites.h"

#include <criterion/criterion.h>

#include "base/limits.h"

#define must(expression) cr_assert_eq((expression), QN_OK, "%s", #expression)

static struct qn_kv *reader(const struct site *site)
{
    return memkv_reader(site->store);
}

enum qn_err site_read_page(struct site *from, struct site *to, size_t size_wish,
                           struct qn_buf *ret_body)
{
    struct qn_page_read read;
    struct qn_late late = site_info(to).late;
    struct qn_page_request request = {.coll = from->group->coll,
                                      .after = qn_span(late.cursor, late.cursor_size),
                                      .size_wish = size_wish,
                                      .known = late.has_clock ? &late.clock : NULL};
    qn_buf_init(ret_body, QN_PAGE_SIZE_MAX);
    return qn_read_page(reader(from), &request, ret_body, &read);
}

/* The oracle sees what the clock of a page covers. */
static void remember_clock(struct site *from)
{
    QN_AUTO_VV struct qn_vv cc = {0};
    must(qn_read_cc(reader(from), &from->group->coll, &cc));
    qn_vv_join(&from->group->paged, &cc);
}

enum qn_err site_take_page(struct site *to, struct qn_span body, struct qn_page_result *ret_result)
{
    *ret_result = (struct qn_page_result){0};
    site_begin(to);
    return site_end(
        to, qn_replica_page(to->replica, &to->group->coll, body, qn_span(NULL, 0), ret_result));
}

enum qn_err site_pull_page(struct site *to, struct site *from, size_t size_wish,
                           struct qn_page_result *ret_result)
{
    QN_AUTO_BUF struct qn_buf body = {0};
    enum qn_err err = site_read_page(from, to, size_wish, &body);
    if (err != QN_OK)
        return err;
    remember_clock(from);
    return site_take_page(to, qn_buf_view(&body), ret_result);
}

enum qn_err site_begin_pass(struct site *site)
{
    site_begin(site);
    return site_end(site, qn_replica_late_begin(site->replica, &site->group->coll, false));
}

size_t site_pull_pass(struct site *to, struct site *from, size_t size_wish)
{
    struct qn_page_result result = {0};
    size_t pages = 0;
    must(site_begin_pass(to));
    for (; !result.is_end; pages++)
        must(site_pull_page(to, from, size_wish, &result));
    return pages;
}

bool site_log_reaches(struct site *from, struct site *to)
{
    uint64_t seq;
    QN_AUTO_VV struct qn_vv cc = {0};
    must(qn_read_cc(reader(to), &to->group->coll, &cc));
    return qn_read_start(reader(from), &from->group->coll, &cc, &seq) == QN_OK;
}

void site_wipe(struct site *site)
{
    memkv_free(site->store);
    site->store = memkv_new();
    memkv_lend_strictly(site->store);
}

static size_t count_clean(struct group *group)
{
    size_t count = 0;
    for (size_t i = 0; i < group->count; i++)
        count += !site_info(&group->sites[i]).late.is_late;
    return count;
}

enum qn_err site_rescue(struct site *site, size_t *ret_rescued)
{
    struct group *group = site->group;
    QN_AUTO_VV struct qn_vv known = {0};
    *ret_rescued = 0;
    if (!site_info(site).late.is_late)
        return QN_OK;
    bool is_alone = site == &group->sites[0] && count_clean(group) == 0;
    for (size_t i = 0; !is_alone && i < group->count; i++) {
        QN_AUTO_VV struct qn_vv cc = {0};
        must(qn_read_cc(reader(&group->sites[i]), &group->coll, &cc));
        qn_vv_join(&known, &cc);
    }
    site_begin(site);
    enum qn_err err = qn_replica_rescue(site->replica, &group->coll, &known, ret_rescued);
    if (err == QN_OK && is_alone)
        err = qn_replica_late_cancel(site->replica, &group->coll);
    return site_end(site, err);
}

static void sync(struct site *to, struct site *from)
{
    enum qn_err err = site_pull(to, from);
    if (err != QN_OK && err != QN_ERR_HELD)
        to->group->fault = "an operation was refused";
    struct qn_late late = site_info(to).late;
    bool wants_pages = late.is_passing || (!late.is_late && !site_log_reaches(from, to)) ||
                       (late.is_late && !site_info(from).late.is_late);
    if (wants_pages && !site_info(from).late.is_late)
        site_pull_pass(to, from, QN_PAGE_SIZE);
}

void group_settle_late(struct group *group)
{
    size_t rescued;
    for (size_t round = 0; round < 16; round++) {
        for (size_t i = 0; i < group->count; i++)
            for (size_t j = 0; j < group->count; j++)
                if (i != j)
                    sync(&group->sites[i], &group->sites[j]);
        for (size_t i = 0; round % 4 == 3 && round < 12 && i < group->count; i++)
            must(site_rescue(&group->sites[i], &rescued));
    }
    for (size_t i = 0; i < group->count; i++)
        if (site_info(&group->sites[i]).late.is_late)
            group->fault = "a site is stuck";
}
