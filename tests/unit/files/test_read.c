#include "rig.h"

Test(read, a_file)
{
    RIG(rig);
    rig_make(&rig, "a.txt", "hello");
    cr_assert_eq(rig_stat(&rig, "a.txt"), QN_OK);
    cr_assert_str_eq(rig.name, "a.txt");
    cr_assert_eq(rig.entry.size, 5);
    cr_assert_not(rig.entry.is_directory);
    cr_assert_neq(rig.entry.etag[0], '\0');
    cr_assert_neq(rig.entry.created_ns, 0);
    cr_assert_eq(rig_get(&rig, "a.txt"), QN_OK);
    assert_buf_eq(&rig.text, "hello");
}

Test(read, the_folder_itself_and_a_directory)
{
    RIG(rig);
    rig_make_dir(&rig, "d");
    cr_assert_eq(rig_stat(&rig, ""), QN_OK);
    cr_assert(rig.entry.is_directory && rig.name[0] == '\0' && rig.entry.etag[0] == '\0');
    cr_assert_eq(rig_stat(&rig, "d"), QN_OK);
    cr_assert(rig.entry.is_directory && rig.entry.size == 0);
    cr_assert_eq(rig_get(&rig, "d"), QN_ERR_EXISTS);
    cr_assert_eq(rig_get(&rig, ""), QN_ERR_EXISTS);
}

Test(read, what_is_not_there)
{
    RIG(rig);
    rig_make(&rig, "file", "x");
    cr_assert_eq(rig_stat(&rig, "a"), QN_ERR_NOTFOUND);
    cr_assert_eq(rig_stat(&rig, "a/b"), QN_ERR_NOTFOUND);
    cr_assert_eq(rig_stat(&rig, "file/b"), QN_ERR_NOTFOUND);
    cr_assert_eq(rig_get(&rig, "a"), QN_ERR_NOTFOUND);
}

Test(read, nothing_outside)
{
    RIG(rig);
    const char *bad[] = {"..", "../x", "a/../..", "/etc/passwd", ".quoin-folder", "a//b", "a/"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(rig_stat(&rig, bad[i]), QN_ERR_DENIED, "%s", bad[i]);
        cr_assert_eq(rig_get(&rig, bad[i]), QN_ERR_DENIED, "%s", bad[i]);
        cr_assert_eq(rig_put(&rig, bad[i], "x"), QN_ERR_DENIED, "%s", bad[i]);
    }
}

Test(read, links_and_special_files)
{
    RIG(rig);
    char path[TMP_PATH_SIZE];
    rig_make(&rig, "real", "x");
    rig_make_dir(&rig, "dir");
    rig_make(&rig, "dir/in", "x");
    cr_assert_eq(symlink("real", rig_at(&rig, "link", path)), 0);
    cr_assert_eq(symlink("dir", rig_at(&rig, "way", path)), 0);
    cr_assert_eq(symlink("/etc", rig_at(&rig, "out", path)), 0);
    cr_assert_eq(mkfifo(rig_at(&rig, "pipe", path), 0600), 0);
    const char *denied[] = {"link", "way", "way/in", "out", "out/passwd", "pipe"};
    for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
        cr_assert_eq(rig_get(&rig, denied[i]), QN_ERR_DENIED, "%s", denied[i]);
        cr_assert_eq(rig_put(&rig, denied[i], "y"), QN_ERR_DENIED, "%s", denied[i]);
    }
    cr_assert_eq(rig_stat(&rig, "link"), QN_ERR_DENIED);
    cr_assert_eq(rig_remove(&rig, "link", NULL), QN_ERR_DENIED);
    cr_assert(rig_exists(&rig, "link"));
}

Test(read, large_and_in_pieces)
{
    RIG(rig);
    const size_t size = 700001;
    char *text = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)('a' + i % 23);
    text[size] = '\0';
    rig_make(&rig, "large", text);
    cr_assert_eq(rig_get(&rig, "large"), QN_OK);
    cr_assert(qn_span_eq_str(qn_buf_view(&rig.text), text));
    free(text);
}

Test(read, what_was_open_stays_what_it_was)
{
    RIG(rig);
    char path[TMP_PATH_SIZE];
    rig_make(&rig, "a", "old");
    int fd = open(rig_at(&rig, "a", path), O_RDONLY);
    cr_assert_geq(fd, 0);
    cr_assert_eq(rig_put(&rig, "a", "new one"), QN_OK);
    char old[8];
    cr_assert_eq(read(fd, old, sizeof(old)), 3); /* replaced, not written into */
    close(fd);
    cr_assert(rig_is(&rig, "a", "new one"));
}

Test(read, names_in_either_form)
{
    RIG(rig);
    rig_make_dir(&rig, "e\xcc\x81t\xc3\xa9"); /* a Mac's, and half of one */
    rig_make(&rig,
             "e\xcc\x81t\xc3\xa9/ce\xcc\xa7"
             "a",
             "apart");                                        /* cedilla apart */
    cr_assert_eq(rig_stat(&rig, "\xc3\xa9t\xc3\xa9"), QN_OK); /* asked for composed */
    cr_assert_str_eq(rig.name, "\xc3\xa9t\xc3\xa9");
    cr_assert_eq(rig_get(&rig, "\xc3\xa9t\xc3\xa9/c\xc8\xa9"
                               "a"),
                 QN_OK);
    assert_buf_eq(&rig.text, "apart");
    cr_assert_eq(rig_get(&rig, "e\xcc\x81te\xcc\x81/ce\xcc\xa7"
                               "a"),
                 QN_OK); /* and apart */
    /* A change goes into the file that is there, not beside it. */
    cr_assert_eq(rig_put(&rig,
                         "\xc3\xa9t\xc3\xa9/c\xc8\xa9"
                         "a",
                         "changed"),
                 QN_OK);
    cr_assert(rig_is(&rig,
                     "e\xcc\x81t\xc3\xa9/ce\xcc\xa7"
                     "a",
                     "changed"));
    /* What is new is composed. */
    cr_assert_eq(rig_put(&rig, "e\xcc\x81", "new"), QN_OK);
    cr_assert(rig_is(&rig, "\xc3\xa9", "new"));
}

static void on_space(void *context, enum qn_err err, uint64_t used, uint64_t free)
{
    struct rig *rig = context;
    rig->entry.size = used;
    rig->part_count = free;
    rig_on_done(context, err);
}

Test(read, space)
{
    RIG(rig);
    rig.folder->ops->space(rig.folder, on_space, &rig);
    rig_wait(&rig);
    cr_assert_eq(rig.err, QN_OK);
    cr_assert_gt(rig.entry.size, 0);
    cr_assert_gt(rig.part_count, 0);
}
