#include <criterion/criterion.h>

#include "os/os.h"
#include "support/span.h"
#include "support/tmp_dir.h"

struct fixture {
    struct tmp_dir dir;
    char data[TMP_PATH_SIZE], copy[TMP_PATH_SIZE];
};

static void fixture_init(struct fixture *f)
{
    tmp_dir_init(&f->dir);
    tmp_dir_at(&f->dir, "data", f->data);
    tmp_dir_at(&f->dir, "copy", f->copy);
    cr_assert_eq(qn_os_replace_file(f->data, SPAN("data"), 0600), QN_OK);
}

static void get(const char *path, uint8_t guard[32])
{
    memset(guard, 0, 32);
    cr_assert_eq(qn_os_guard(path, guard), QN_OK);
}

Test(guard, stays_while_the_file_is_written)
{
    struct fixture f;
    uint8_t before[32], after[32];
    fixture_init(&f);
    get(f.data, before);
    FILE *file = fopen(f.data, "a");
    fputs("more", file);
    fclose(file);
    get(f.data, after);
    cr_assert_arr_eq(before, after, 32);
    tmp_dir_deinit(&f.dir);
}

Test(guard, tells_a_copy_that_took_the_place)
{
    struct fixture f;
    uint8_t before[32], after[32];
    fixture_init(&f);
    get(f.data, before);
    cr_assert_eq(qn_os_replace_file(f.copy, SPAN("data"), 0600), QN_OK);
    cr_assert_eq(rename(f.copy, f.data), 0);
    get(f.data, after);
    cr_assert_arr_neq(before, after, 32);
    tmp_dir_deinit(&f.dir);
}

Test(guard, needs_the_file)
{
    struct fixture f;
    uint8_t guard[32] = {7}, same[32] = {7};
    fixture_init(&f);
    cr_assert_eq(qn_os_guard(f.copy, guard), QN_ERR_NOTFOUND);
    cr_assert_arr_eq(guard, same, 32, "untouched on failure");
    tmp_dir_deinit(&f.dir);
}

/* The same as long as this machine runs, and not what a system without an id would give. */
Test(guard, the_boot_is_told)
{
    uint8_t boot[32], again[32] = {1}, none[32] = {0};
    qn_os_boot(boot);
    qn_os_boot(again);
    cr_assert_arr_eq(boot, again, 32);
    cr_assert_arr_neq(boot, none, 32);
}
