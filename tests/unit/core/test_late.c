/* Becoming late of a site whose log is too short, and a disk that has no room for it. */
#include <criterion/criterion.h>

#include "core/late.h"
#include "support/core_rig.h"

static struct rig rig;
static struct qn_coll_id id;

/* The peer has an operation more than this site, and its log does not reach back to it. */
static void say_short(void)
{
    struct qn_buf out;
    QN_AUTO_VV struct qn_vv cc = {0};
    struct qn_actor somebody;
    memset(somebody.bytes, 7, sizeof(somebody.bytes));
    cr_assert_eq(qn_read_cc(memkv_reader(rig.disk), &id, &cc), QN_OK);
    qn_vv_set(&cc, &somebody, 5);
    rig_message(&out, QN_MSG_CLOCK, 3);
    qn_pack_bin(&out, QN_SPAN_OF(id.bytes));
    qn_vv_pack(&cc, &out);
    qn_pack_u64(&out, QN_CLOCK_PAGES | QN_CLOCK_SHORT);
    rig_frame(&rig, &out);
}

static size_t count_late(void)
{
    size_t count = 0;
    qn_vec_each (&rig.intents, intent)
        count += (*intent)->kind == QN_INTENT_LATE;
    return count;
}

static void set_up(void)
{
    rig_init(&rig, 1);
    id = world_coll(1);
    rig_start(&rig);
    rig_put(&rig, 1, "a");
    rig_link(&rig);
    rig_commit(&rig);
    rig_forget(&rig);
}

static void tear_down(void)
{
    rig_deinit(&rig);
}

TestSuite(late, .init = set_up, .fini = tear_down);

Test(late, a_disk_without_room_is_asked_once_a_second)
{
    say_short();
    rig_wait(&rig, 1);
    cr_assert_eq(count_late(), 1);
    rig_fail_commit(&rig, QN_ERR_NOSPACE);
    rig_wait(&rig, 1);
    rig_wait(&rig, RETRY_COMMIT_MS / 2);
    cr_assert_eq(count_late(), 0, "at once again");
    cr_assert_leq(rig.update.deadline_ms, rig.now_ms + RETRY_COMMIT_MS, "nothing wakes it");
    rig_wait(&rig, RETRY_COMMIT_MS);
    cr_assert_eq(count_late(), 1);
    cr_assert_str_eq(rig.note, "commit-failed");
    rig.note = NULL;
    rig_commit(&rig);
    cr_assert_str_eq(rig.note, "late", "not before it is stored");
    cr_assert(core_coll(rig.core, &id)->info.late.is_late);
}
