/* What people write on the lines of the backup commands. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "proto/pack.h"
#include "syncctl/backup_args.h"

static void expect_size(const char *text, uint64_t bytes)
{
    uint64_t found = 0;
    cr_assert(ctl_parse_size(text, &found), "%s", text);
    cr_assert_eq(found, bytes, "%s", text);
}

Test(backup_args, sizes)
{
    expect_size("0", 0);
    expect_size("1000", 1000);
    expect_size("512B", 512);
    expect_size("4k", 4096);
    expect_size("200GB", 200ull << 30);
    expect_size("200 Go", 200ull << 30);
    expect_size("500MiB", 500ull << 20);
    expect_size("1.5T", 3ull << 39);
    expect_size("1,5 To", 3ull << 39);
    expect_size("0.25G", 1ull << 28);
    expect_size("1023P", 1023ull << 50);
}

Test(backup_args, what_is_no_size)
{
    static const char *const bad[] = {"",     "much",  "G",     "-1",
                                      "1.G",  "1..5G", "5 GG",  "5X",
                                      "5Gi?", "1.5.5", "1024P", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t found = 77;
        cr_assert_not(ctl_parse_size(bad[i], &found), "%s", bad[i]);
        cr_assert_eq(found, 77);
    }
}

Test(backup_args, days)
{
    static const struct {
        const char *text;
        uint64_t days;
    } good[] = {{"0", 0},   {"30", 30},   {"30d", 30}, {"30j", 30},
                {"8w", 56}, {"12m", 360}, {"2y", 730}};
    static const char *const bad[] = {"", "d", "long", "30 days", "-3d", "3dd", "99999999999999d"};
    uint64_t found;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        cr_assert(ctl_parse_days(good[i].text, &found), "%s", good[i].text);
        cr_assert_eq(found, good[i].days, "%s", good[i].text);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(ctl_parse_days(bad[i], &found), "%s", bad[i]);
}

Test(backup_args, names_between_commas)
{
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 1024);
    cr_assert_eq(ctl_pack_names("a,bc", &out), 2);
    struct ctl_walk walk = ctl_walk(qn_buf_view(&out));
    cr_assert(ctl_walk_next(&walk) && qn_span_eq_str(ctl_text_of(walk.value), "a"));
    cr_assert(ctl_walk_next(&walk) && qn_span_eq_str(ctl_text_of(walk.value), "bc"));
    cr_assert_not(ctl_walk_next(&walk));
    static const char *const bad[] = {"", ",", "a,", ",a", "a,,b"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t before = out.size;
        cr_assert_eq(ctl_pack_names(bad[i], &out), 0, "%s", bad[i]);
        cr_assert_eq(out.size, before);
    }
}
