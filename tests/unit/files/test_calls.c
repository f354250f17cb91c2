#include "rig.h"

#define MANY 5000

struct many {
    size_t done, limits, closed;
};

static void on_one(void *context, enum qn_err err, const struct qn_entry_info *entry)
{
    struct many *many = context;
    (void)entry;
    many->done++;
    many->limits += err == QN_ERR_LIMIT;
    many->closed += err == QN_ERR_CLOSED;
}

Test(calls, are_bounded)
{
    RIG(rig);
    struct many many = {0};
    rig_make(&rig, "a", "x");
    for (size_t i = 0; i < MANY; i++)
        rig.folder->ops->stat(rig.folder, SPAN("a"), on_one, &many);
    cr_assert_eq(many.done, 0); /* never from inside */
    for (int i = 0; i < TURNS_MAX && many.done < MANY; i++)
        rig_turn(&rig);
    cr_assert_eq(many.done, MANY);
    cr_assert_eq(many.limits, MANY - 4096);
    cr_assert_eq(rig_stat(&rig, "a"), QN_OK); /* and is itself again */
}

Test(calls, that_wait_are_cancelled)
{
    RIG(rig);
    struct many many = {0};
    struct qn_folder_call *calls[100];
    rig_make(&rig, "a", "x");
    for (size_t i = 0; i < 100; i++)
        calls[i] = rig.folder->ops->stat(rig.folder, SPAN("a"), on_one, &many);
    for (size_t i = 0; i < 100; i++)
        rig.folder->ops->cancel(calls[i]);
    cr_assert_eq(many.done, 0);
    for (int i = 0; i < TURNS_MAX && many.done < 100; i++)
        rig_turn(&rig);
    cr_assert_eq(many.done, 100);
    cr_assert_geq(many.closed, 97); /* three ran already */
}

static void on_open(void *context, enum qn_err err, struct qn_folder_file *file,
                    const struct qn_entry_info *entry)
{
    struct rig *rig = context;
    (void)entry;
    rig->file = file;
    rig_on_done(context, err);
}

Test(calls, open_files_are_bounded)
{
    RIG(rig);
    struct qn_folder_file *files[2048];
    rig_make(&rig, "a", "x");
    size_t count = 0;
    for (; count < 2048; count++) {
        rig.folder->ops->open(rig.folder, SPAN("a"), on_open, &rig);
        rig_wait(&rig);
        if (rig.err != QN_OK)
            break; /* the process may have fewer descriptors: that is LIMIT too */
        files[count] = rig.file;
    }
    rig.folder->ops->open(rig.folder, SPAN("a"), on_open, &rig);
    rig_wait(&rig);
    cr_assert_eq(rig.err, QN_ERR_LIMIT);
    for (size_t i = 0; i < count; i++)
        rig.folder->ops->close(files[i]);
    cr_assert_eq(rig_get(&rig, "a"), QN_OK);
}

static void on_read(void *context, enum qn_err err, struct qn_span bytes)
{
    (void)bytes;
    rig_on_done(context, err);
}

Test(calls, a_file_is_closed_while_it_is_read)
{
    RIG(rig);
    rig_make(&rig, "a", "x");
    rig.folder->ops->open(rig.folder, SPAN("a"), on_open, &rig);
    rig_wait(&rig);
    rig.folder->ops->read(rig.file, 0, 10, on_read, &rig);
    rig.folder->ops->close(rig.file);
    rig_wait(&rig);
    cr_assert_eq(rig.err, QN_OK);
}

/* A tree that is removed does not hold up what is quick. */
Test(calls, quick_ones_pass_long_ones)
{
    RIG(rig);
    struct many many = {0};
    rig_make_dir(&rig, "d");
    rig_make(&rig, "a", "x");
    for (int i = 0; i < 6; i++) {
        char name[32];
        snprintf(name, sizeof(name), "copy%d", i);
        rig.folder->ops->copy(rig.folder, SPAN("d"), qn_span_str(name), false, false, NULL,
                              rig_on_done, &rig);
    }
    rig.folder->ops->stat(rig.folder, SPAN("a"), on_one, &many);
    for (int i = 0; i < TURNS_MAX && many.done == 0; i++)
        rig_turn(&rig);
    cr_assert_eq(many.done, 1);
    cr_assert_not(rig_exists(&rig, "copy5"), "the last copy was made before a look");
    for (int i = 0; i < TURNS_MAX && !rig_exists(&rig, "copy5"); i++)
        rig_turn(&rig);
    cr_assert(rig_exists(&rig, "copy5"));
    for (int i = 0; i < 1000; i++)
        rig_turn(&rig);
}
