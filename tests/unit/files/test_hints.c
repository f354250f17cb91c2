/* Who wants to know is told where something may have changed. */
#include "rig.h"

static void note(void *context, struct qn_folder *folder, struct qn_span path)
{
    struct qn_buf *told = context;
    qn_buf_append_span(told, path);
    qn_buf_append_str(told, "\n");
}

/* The folder of the rig, opened once more by one who wants to know. */
static void listen(struct rig *rig, struct qn_buf *told)
{
    qn_folder_free(rig->folder);
    qn_buf_init(told, 64 * 1024);
    rig->folder = qn_folder_local_new(&(struct qn_folder_local_options){
        .loop = rig->loop,
        .path = rig->dir.path,
        .name = qn_span_str("test"),
        .local = fake_local_door(rig->rows),
        .changed = note,
        .changed_context = told,
    });
}

static void check(struct qn_buf *told, const char *wanted)
{
    cr_assert(qn_span_eq_str(qn_buf_view(told), wanted), "%.*s", (int)told->size,
              (const char *)told->data);
    qn_buf_reset(told);
}

Test(hints, every_change_says_where)
{
    RIG(rig);
    QN_AUTO_BUF struct qn_buf told;
    listen(&rig, &told);
    cr_assert_eq(rig_mkdir(&rig, "d"), QN_OK);
    check(&told, "d\n");
    cr_assert_eq(rig_put(&rig, "d/a", "x"), QN_OK);
    check(&told, "d/a\n");
    cr_assert_eq(rig_copy(&rig, "d/a", "b", false), QN_OK);
    check(&told, "b\n");
    cr_assert_eq(rig_move(&rig, "d", "e", false), QN_OK);
    check(&told, "d\ne\n");
    cr_assert_eq(rig_remove(&rig, "b", NULL), QN_OK);
    check(&told, "b\n");
    cr_assert_eq(rig_remove(&rig, "e", NULL), QN_OK);
    cr_assert(qn_span_has_prefix(qn_buf_view(&told), qn_span_str("e\n")));
}

Test(hints, none_of_what_changes_nothing)
{
    RIG(rig);
    QN_AUTO_BUF struct qn_buf told;
    listen(&rig, &told);
    rig_make(&rig, "a", "x");
    cr_assert_eq(rig_get(&rig, "a"), QN_OK);
    cr_assert_eq(rig_list(&rig, ""), QN_OK);
    cr_assert_eq(rig_touch(&rig, "a", 1), QN_OK);
    cr_assert_eq(rig_mkdir(&rig, "../x"), QN_ERR_DENIED);
    check(&told, "");
}

Test(hints, names_in_normal_form)
{
    RIG(rig);
    QN_AUTO_BUF struct qn_buf told;
    listen(&rig, &told);
    cr_assert_eq(rig_mkdir(&rig, "e\xcc\x81t"), QN_OK);
    check(&told, "\xc3\xa9t\n");
}
