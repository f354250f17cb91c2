#include "rig.h"

#define LEFT_OVER ".quoin-upload-0123456789abcdef0123456789abcdef"

/* Ends the folder, and waits for the sweep of its start. */
static void stop(struct rig *rig)
{
    qn_folder_free(rig->folder);
    for (int i = 0; i < TURNS_MAX && qn_loop_turn(rig->loop); i++)
        sched_yield();
}

/* Anew, as after a crash. */
static void restart(struct rig *rig)
{
    rig_open(rig, rig->dir.path, NULL, true);
}

Test(sweep, what_a_crash_left_goes_at_the_start)
{
    RIG(rig);
    stop(&rig);
    rig_make_dir(&rig, "d");
    rig_make_dir(&rig, "d/e");
    rig_make(&rig, LEFT_OVER, "half");
    rig_make(&rig, "d/e/" LEFT_OVER, "half");
    rig_make_dir(&rig, "d/" LEFT_OVER);
    rig_make(&rig, "d/" LEFT_OVER "/below", "of a removed tree");
    rig_make(&rig, "kept", "x");
    rig_make(&rig, "d/.quoin-upload-notes.txt", "somebody's own");
    restart(&rig);
    for (int i = 0;
         i < TURNS_MAX && (rig_exists(&rig, LEFT_OVER) || rig_exists(&rig, "d/e/" LEFT_OVER) ||
                           rig_exists(&rig, "d/" LEFT_OVER));
         i++)
        rig_turn(&rig);
    cr_assert_eq(rig_left_over(&rig, ""), 0);
    cr_assert_eq(rig_left_over(&rig, "d/e"), 0);
    cr_assert(rig_is(&rig, "kept", "x"));
    cr_assert(rig_is(&rig, "d/.quoin-upload-notes.txt", "somebody's own"));
}

/* An upload that another daemon is at stays. */
Test(sweep, what_is_on_its_way_stays)
{
    RIG(rig);
    cr_assert_eq(rig_begin(&rig, "a", 0), QN_OK);
    cr_assert_eq(rig_write(&rig, SPAN("text")), QN_OK);
    struct qn_folder *first = rig.folder;
    cr_assert_eq(rig_list(&rig, ""), QN_OK);
    rig_make(&rig, LEFT_OVER, "half");
    rig_open(&rig, rig.dir.path, NULL, true); /* sweeps */
    for (int i = 0; i < TURNS_MAX && rig_exists(&rig, LEFT_OVER); i++)
        rig_turn(&rig);
    cr_assert_not(rig_exists(&rig, LEFT_OVER));
    qn_folder_free(rig.folder);
    rig.folder = first;
    cr_assert_eq(rig_commit(&rig, NULL, INT64_MIN), QN_OK);
    cr_assert(rig_is(&rig, "a", "text"));
}

/* The sweep reads names from the disk: a link with such a name leads nowhere. */
Test(sweep, links_are_not_followed)
{
    RIG(rig);
    char path[TMP_PATH_SIZE];
    stop(&rig);
    rig_make_dir(&rig, "real");
    rig_make(&rig, "real/file", "x");
    cr_assert_eq(symlink("real", rig_at(&rig, LEFT_OVER, path)), 0);
    rig_make(&rig, "real/" LEFT_OVER, "half");
    restart(&rig);
    for (int i = 0; i < TURNS_MAX && rig_exists(&rig, "real/" LEFT_OVER); i++)
        rig_turn(&rig);
    cr_assert(rig_is(&rig, "real/file", "x"));
}
