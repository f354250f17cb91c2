#include <criterion/criterion.h>
#include <unistd.h>

#include "app/ranks.h"
#include "proto/pack.h"

#define GROUP 60
#define USER  9

static struct qn_caller caller(uint32_t uid, uint32_t group)
{
    struct qn_caller caller = {.is_known = true, .uid = uid, .user = "anne"};
    qn_vec_push(&caller.groups, group);
    return caller;
}

static enum qn_rank rank_of(const struct qn_ranks *ranks, uint32_t uid, uint32_t group)
{
    struct qn_caller who = caller(uid, group);
    enum qn_rank rank = qn_ranks_of(ranks, &who);
    qn_caller_deinit(&who);
    return rank;
}

static struct qn_ranks some_ranks(void)
{
    return (struct qn_ranks){
        .is_used = true,
        .own_uid = 500,
        .own_group = 501,
        .members = {{QN_RANK_VIEWER, {true, GROUP}}, {QN_RANK_OPERATOR, {false, USER}}},
        .count = 2};
}

Test(ranks, the_kernel_says_who_it_is)
{
    struct qn_ranks ranks = some_ranks();
    cr_assert_eq(rank_of(&ranks, 1, GROUP), QN_RANK_VIEWER);
    cr_assert_eq(rank_of(&ranks, USER, 1), QN_RANK_OPERATOR);
    cr_assert_eq(rank_of(&ranks, USER, GROUP), QN_RANK_OPERATOR, "the highest");
    cr_assert_eq(rank_of(&ranks, GROUP, USER), QN_RANK_NONE, "a user is no group");
    cr_assert_eq(rank_of(&ranks, 0, 1), QN_RANK_ADMIN);
    cr_assert_eq(rank_of(&ranks, 500, 1), QN_RANK_ADMIN);
    cr_assert_eq(rank_of(&ranks, 1, 501), QN_RANK_ADMIN);
    struct qn_caller unknown = {.is_known = false};
    cr_assert_eq(qn_ranks_of(&ranks, &unknown), QN_RANK_NONE);
    ranks = (struct qn_ranks){.is_used = false};
    cr_assert_eq(qn_ranks_of(&ranks, &unknown), QN_RANK_ADMIN, "as before there were roles");
}

Test(ranks, names_that_are_not_there_give_nobody_anything_but_are_a_configuration)
{
    struct qn_log log;
    struct qn_config config;
    struct qn_ranks ranks;
    qn_config_init(&config);
    qn_log_init(&log, QN_LOG_ERROR, qn_os_boot_ms);
    qn_ranks_resolve(&config, &log, &ranks);
    cr_assert_not(ranks.is_used);
    strcpy(config.control_viewers, "nobody has this name, user:nor-this");
    qn_ranks_resolve(&config, &log, &ranks);
    cr_assert(ranks.is_used);
    cr_assert_eq(ranks.count, 0);
    cr_assert_eq(rank_of(&ranks, 12345, 12345), QN_RANK_NONE);
    strcpy(config.control_operators, "user:root , root");
    qn_ranks_resolve(&config, &log, &ranks);
    cr_assert_eq(ranks.count, 2);
    cr_assert_not(ranks.members[0].who.is_group);
    cr_assert(ranks.members[1].who.is_group);
    cr_assert_eq(ranks.members[1].rank, QN_RANK_OPERATOR);
}

/* ---- the table ---- */

static enum qn_rank needs(const char *command, bool has_store)
{
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, 64);
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "store");
    qn_pack_bool(&args, has_store);
    return qn_rank_of_command(qn_span_str(command), qn_buf_view(&args));
}

Test(ranks, each_command_has_one_row)
{
    const char *command, *other;
    enum qn_rank rank, ignored;
    size_t count = 0;
    for (; qn_rank_row(count, &command, &rank); count++) {
        cr_assert(rank >= QN_RANK_VIEWER && rank <= QN_RANK_ADMIN, "%s", command);
        for (size_t i = 0; i < count; i++) {
            cr_assert(qn_rank_row(i, &other, &ignored));
            cr_assert_str_neq(command, other);
        }
    }
    cr_assert_gt(count, 60);
}

Test(ranks, what_has_no_row_is_no_command)
{
    cr_assert_eq(needs("record.steal", false), QN_RANK_NONE);
    cr_assert_eq(needs("", false), QN_RANK_NONE);
    cr_assert_eq(needs("status", false), QN_RANK_VIEWER);
}

Test(ranks, the_store_in_a_backup_is_an_admins)
{
    cr_assert_eq(needs("backup.restore", false), QN_RANK_OPERATOR);
    cr_assert_eq(needs("backup.restore", true), QN_RANK_ADMIN);
    cr_assert_eq(needs("backup.ls", true), QN_RANK_ADMIN);
}

/* ---- what a caller could read ---- */

static bool may(struct qn_entry entry, uint32_t uid, uint32_t group, unsigned bits)
{
    struct qn_caller who = caller(uid, group);
    bool can = qn_caller_may(&who, &entry, bits);
    qn_caller_deinit(&who);
    return can;
}

Test(caller, the_first_class_that_fits_decides)
{
    struct qn_entry entry = {.mode = 0640, .uid = 7, .gid = 8};
    cr_assert(may(entry, 7, 1, 4));
    cr_assert(may(entry, 1, 8, 4));
    cr_assert_not(may(entry, 1, 1, 4));
    cr_assert(may(entry, 0, 1, 4), "root");
    entry.mode = 0044;
    cr_assert_not(may(entry, 7, 8, 4), "the owner is no other");
    entry.mode = 0704;
    cr_assert_not(may(entry, 1, 8, 4), "nor is the group");
    entry.mode = 0744;
    cr_assert_not(may(entry, 1, 1, 5));
    cr_assert(may(entry, 7, 1, 5));
}

Test(caller, a_number_with_another_name_is_a_stranger)
{
    struct qn_entry entry = {.mode = 0600, .uid = 7, .user = qn_span_str("anne")};
    cr_assert(may(entry, 7, 1, 4));
    entry.user = qn_span_str("marie");
    cr_assert_not(may(entry, 7, 1, 4));
    entry = (struct qn_entry){.mode = 0640, .gid = 0, .group = qn_span_str("root")};
    cr_assert(may(entry, 5, 0, 4));
    entry.group = qn_span_str("wheel");
    cr_assert_not(may(entry, 5, 0, 4));
}

Test(caller, an_access_control_list_opens_nothing_to_others)
{
    struct qn_entry entry = {
        .mode = 0644, .uid = 7, .gid = 8, .xattrs = qn_span_str("..system.posix_acl_access..")};
    cr_assert(may(entry, 7, 1, 4));
    cr_assert_not(may(entry, 1, 8, 4));
    cr_assert_not(may(entry, 1, 1, 4));
}

Test(caller, who_is_unknown_may_nothing)
{
    struct qn_entry entry = {.mode = 0777};
    struct qn_caller unknown = {.uid = 0};
    cr_assert_not(qn_caller_may(&unknown, &entry, 4));
    struct qn_caller none;
    qn_caller_of(-1, &none);
    cr_assert_not(none.is_known);
    cr_assert_str_eq(none.user, "?");
    qn_caller_deinit(&none);
}
