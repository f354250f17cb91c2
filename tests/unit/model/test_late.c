/* Late and new sites: passes, segments, what is served meanwhile, rescue (docs/records.md). */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/limits.h"
#include "model/late.h"
#include "proto/pack.h"
#include "support/sites.h"

#define must(expression) cr_assert_eq((expression), QN_OK, "%s", #expression)

static struct group group;
static struct site *const a = &group.sites[0], *const b = &group.sites[1];

static void init(void)
{
    group_init(&group, 2, 1);
}

static void fini(void)
{
    group_deinit(&group);
}

TestSuite(late, .init = init, .fini = fini);

static void put_many(struct site *site, int count)
{
    char key[16];
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "k%04d", i);
        must(site_put(site, key, "name", "somebody"));
    }
}

/* One page of `size` bytes from one to the other. */
static enum qn_err pull_page(struct site *to, struct site *from, size_t size,
                             struct qn_page_result *ret_result)
{
    QN_AUTO_BUF struct qn_buf body;
    struct qn_page_read read;
    struct qn_late late = site_info(to).late;
    struct qn_page_request request = {.coll = group.coll,
                                      .after = qn_span(late.cursor, late.cursor_size),
                                      .size_wish = size,
                                      .known = late.has_clock ? &late.clock : NULL};
    qn_buf_init(&body, QN_PAGE_SIZE_MAX);
    enum qn_err err = qn_read_page(memkv_reader(from->store), &request, &body, &read);
    if (err != QN_OK)
        return err;
    site_begin(to);
    return site_end(to, qn_replica_page(to->replica, &group.coll, qn_buf_view(&body), ret_result));
}

static void begin(struct site *site)
{
    site_begin(site);
    must(site_end(site, qn_replica_late_begin(site->replica, &group.coll, false)));
}

static size_t pass(struct site *to, struct site *from, size_t size)
{
    struct qn_page_result result = {0};
    size_t pages = 0;
    begin(to);
    while (!result.is_end) {
        must(pull_page(to, from, size, &result));
        pages++;
    }
    return pages;
}

Test(late, a_new_site_is_brought_up_by_pages)
{
    put_many(a, 50);
    cr_assert_gt(pass(b, a, 600), 5);
    cr_assert_not(site_info(b).late.is_late);
    cr_assert_null(group_check_equal(&group));
    cr_assert_null(site_check(b));
    must(site_put(a, "k0001", "name", "else"));
    must(site_pull(b, a));
    cr_assert_str_eq(site_shown(b, "k0001", "name"), "else");
}
