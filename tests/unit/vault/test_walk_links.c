/* The table of files with several names: it forgets what is complete, and it is bounded. */
#include <criterion/criterion.h>

#include "vault/walk.h"
#include "vault/walk_links.h"

static struct qn_span meet(struct qn_walk_links *links, uint64_t inode, uint32_t nlink,
                           const char *path)
{
    bool is_full = false;
    struct qn_span first = qn_walk_links_meet(links, 1, inode, nlink, qn_span_str(path), &is_full);
    cr_assert(!is_full);
    return first;
}

Test(walk_links, the_first_path_is_kept_until_all_names_were_met)
{
    struct qn_walk_links *links = qn_walk_links_new();
    cr_assert_eq(meet(links, 7, 3, "a").size, 0);
    cr_assert_eq(meet(links, 8, 2, "b").size, 0);
    cr_assert(qn_span_eq_str(meet(links, 7, 3, "c"), "a"));
    cr_assert(qn_span_eq_str(meet(links, 7, 3, "d"), "a"));
    cr_assert_eq(meet(links, 7, 3, "e").size, 0); /* another file, or a name made meanwhile */
    cr_assert(qn_span_eq_str(meet(links, 8, 2, "f"), "b"));
    qn_walk_links_free(links);
}

Test(walk_links, devices_are_kept_apart)
{
    struct qn_walk_links *links = qn_walk_links_new();
    bool is_full = false;
    cr_assert_eq(meet(links, 7, 2, "a").size, 0);
    cr_assert_eq(qn_walk_links_meet(links, 2, 7, 2, qn_span_str("b"), &is_full).size, 0);
    qn_walk_links_free(links);
}

Test(walk_links, what_is_forgotten_was_not_met)
{
    struct qn_walk_links *links = qn_walk_links_new();
    cr_assert_eq(meet(links, 7, 2, "a").size, 0);
    qn_walk_links_forget(links, 1, 7);
    qn_walk_links_forget(links, 1, 9);
    cr_assert_eq(meet(links, 7, 2, "b").size, 0);
    cr_assert(qn_span_eq_str(meet(links, 7, 2, "c"), "b"));
    qn_walk_links_free(links);
}

Test(walk_links, a_full_table_says_so_and_has_room_again)
{
    struct qn_walk_links *links = qn_walk_links_new();
    bool is_full = false;
    for (uint64_t inode = 0; inode < QN_WALK_LINKS_MAX; inode++)
        cr_assert_eq(meet(links, inode, 2, "first").size, 0);
    cr_assert_eq(qn_walk_links_meet(links, 1, 1 << 20, 2, qn_span_str("x"), &is_full).size, 0);
    cr_assert(is_full);
    for (uint64_t inode = 0; inode < QN_WALK_LINKS_MAX; inode++)
        cr_assert(qn_span_eq_str(meet(links, inode, 2, "second"), "first"));
    cr_assert_eq(meet(links, 1 << 20, 2, "x").size, 0);
    qn_walk_links_free(links);
}

Test(walk_links, long_paths_are_bounded_too)
{
    struct qn_walk_links *links = qn_walk_links_new();
    static char path[QN_PATH_SIZE_MAX + 1];
    bool is_full = false;
    size_t count = 0;
    memset(path, 'p', QN_PATH_SIZE_MAX);
    while (!is_full) {
        qn_walk_links_meet(links, 1, ++count, 2, qn_span_str(path), &is_full);
        cr_assert_leq(count, QN_WALK_LINKS_SIZE_MAX / QN_PATH_SIZE_MAX + 1);
    }
    qn_walk_links_free(links);
}
