/* Listings of folders that are larger than what is kept of their names. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "reader/lister.h"
#include "support/tmp_dir.h"

#define COUNT 300

static void fill(const struct tmp_dir *dir)
{
    char path[TMP_PATH_SIZE], name[32];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "%d", (i * 7919) % COUNT); /* made in no order */
        int fd = open(tmp_dir_at(dir, name, path), O_CREAT | O_WRONLY, 0600);
        cr_assert(fd >= 0);
        close(fd);
    }
}

static size_t take(const struct qn_batch *batch, char last[256])
{
    for (size_t i = 0; i < batch->nodes.count; i++) {
        const struct qn_node *node = &batch->nodes.items[i];
        const char *name = (const char *)qn_batch_name(batch, node).data;
        cr_assert_eq(node->error, 0);
        cr_assert(strcmp(last, name) < 0, "%s after %s", name, last);
        strcpy(last, name);
    }
    return batch->nodes.count;
}

static size_t list(struct qn_source *source, const struct tmp_dir *dir)
{
    struct qn_batch batch;
    char last[256] = "";
    qn_batch_init(&batch);
    cr_assert_eq(source->ops->top(source, dir->path, &batch), 0);
    cr_assert_eq(batch.nodes.count, 1);
    cr_assert_eq(source->ops->enter(source, 0, "", &batch), 0);
    size_t count = take(&batch, last);
    while (!batch.is_end) {
        cr_assert_eq(source->ops->more(source, 1, &batch), 0);
        count += take(&batch, last);
    }
    qn_batch_deinit(&batch);
    return count;
}

Test(lister, a_large_folder_comes_in_order_whatever_is_kept_of_it)
{
    static const size_t names_max[] = {1, 7, 149, 150, 299, 300, 301, 0};
    AUTO_TMP_DIR struct tmp_dir dir;
    tmp_dir_init(&dir);
    fill(&dir);
    for (size_t i = 0; i < sizeof(names_max) / sizeof(names_max[0]); i++) {
        struct qn_lister_options options = {.names_max = names_max[i]};
        struct qn_source *source = qn_lister_new(&options);
        cr_assert_eq(list(source, &dir), COUNT);
        qn_source_free(source);
    }
}

static bool is_odd(void *context, size_t depth, struct qn_span name, bool is_dir)
{
    (void)context;
    cr_assert(depth == 1 && !is_dir);
    return name.data[name.size - 1] % 2 == 1;
}

Test(lister, the_filter_leaves_names_out)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    tmp_dir_init(&dir);
    fill(&dir);
    struct qn_source *source = qn_lister_new(&(struct qn_lister_options){.filter = is_odd});
    cr_assert_eq(list(source, &dir), COUNT / 2);
    qn_source_free(source);
}

static bool is_nothing(void *context, size_t depth, struct qn_span name, bool is_dir)
{
    (void)context, (void)depth, (void)name, (void)is_dir;
    return false;
}

Test(lister, a_filter_may_leave_everything_out)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    tmp_dir_init(&dir);
    fill(&dir);
    struct qn_source *source = qn_lister_new(&(struct qn_lister_options){.filter = is_nothing});
    cr_assert_eq(list(source, &dir), 0);
    qn_source_free(source);
}

/* What a hostile client of the reading unit could ask. */
Test(lister, names_that_lead_elsewhere_are_refused)
{
    static const char *const bad[] = {"", ".", "..", "a/b", "/etc", "../x"};
    AUTO_TMP_DIR struct tmp_dir dir;
    struct qn_batch batch;
    QN_AUTO_BUF struct qn_buf xattrs;
    int fd;
    tmp_dir_init(&dir);
    qn_batch_init(&batch);
    qn_buf_init(&xattrs, 64);
    struct qn_source *source = qn_lister_new(NULL);
    cr_assert_eq(source->ops->enter(source, 0, "", &batch), EINVAL); /* no top yet */
    cr_assert_eq(source->ops->top(source, dir.path, &batch), 0);
    cr_assert_eq(source->ops->more(source, 0, &batch), EINVAL);
    cr_assert_eq(source->ops->more(source, 1, &batch), EINVAL); /* not entered */
    cr_assert_eq(source->ops->enter(source, 0, "", &batch), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(source->ops->enter(source, 1, bad[i], &batch), EINVAL);
        cr_assert_eq(source->ops->look(source, 1, bad[i], &batch), EINVAL);
        cr_assert_eq(source->ops->open(source, 1, bad[i], &fd), EINVAL);
        cr_assert_eq(source->ops->xattrs(source, 1, bad[i], &xattrs), EINVAL);
    }
    cr_assert_eq(source->ops->top(source, "relative", &batch), EINVAL);
    cr_assert_eq(source->ops->top(source, "/tmp/../etc", &batch), EINVAL);
    cr_assert_eq(source->ops->top(source, "/tmp//x", &batch), EINVAL);
    qn_source_free(source);
    qn_batch_deinit(&batch);
}

Test(lister, the_way_to_the_top_follows_no_link)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct qn_batch batch;
    char path[TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    qn_batch_init(&batch);
    cr_assert(symlink("/etc", tmp_dir_at(&dir, "link", path)) == 0);
    struct qn_source *source = qn_lister_new(NULL);
    cr_assert_eq(source->ops->top(source, tmp_dir_at(&dir, "link/passwd", path), &batch), ELOOP);
    cr_assert_eq(source->ops->top(source, tmp_dir_at(&dir, "link", path), &batch), 0);
    cr_assert(S_ISLNK(batch.nodes.items[0].mode));
    cr_assert_eq(source->ops->enter(source, 0, "", &batch), ESTALE);
    qn_source_free(source);
    qn_batch_deinit(&batch);
}
