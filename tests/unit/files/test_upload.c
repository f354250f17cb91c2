#include "rig.h"

#include "base/text.h"
#include "crypto/digest.h"
#include "files/keep.h"

static const int64_t old_ns = INT64_C(1500000000) * 1000000000 + 123456789;

static void expect_tag(struct qn_folder_expect *expect, const struct rig *rig)
{
    *expect = (struct qn_folder_expect){0};
    memcpy(expect->etag, rig->entry.etag, sizeof(expect->etag));
}

Test(upload, a_new_file)
{
    RIG(rig);
    struct qn_digest digest;
    cr_assert_eq(rig_put(&rig, "a", "hello"), QN_OK);
    cr_assert(rig_is(&rig, "a", "hello"));
    cr_assert_str_eq(rig.name, "a");
    cr_assert_eq(rig.entry.size, 5);
    cr_assert(rig.entry.has_digest);
    QN_DIGEST(&digest, SPAN("hello"));
    cr_assert_arr_eq(rig.entry.digest, digest.bytes, 32);
    cr_assert_eq(rig_left_over(&rig, ""), 0);
}

/* The tag that the writer was told is the one that readers see, at once and later. */
Test(upload, its_tag_stays)
{
    RIG(rig);
    char etag[QN_ETAG_SIZE_MAX];
    cr_assert_eq(rig_put(&rig, "a", "hello"), QN_OK);
    memcpy(etag, rig.entry.etag, sizeof(etag));
    cr_assert_eq(rig_stat(&rig, "a"), QN_OK);
    cr_assert_str_eq(rig.entry.etag, etag);
    cr_assert_eq(rig_get(&rig, "a"), QN_OK);
    cr_assert_str_eq(rig.entry.etag, etag);
    cr_assert_eq(rig_put(&rig, "a", "other"), QN_OK);
    cr_assert_str_neq(rig.entry.etag, etag);
    cr_assert_eq(rig_put(&rig, "a", "hello"), QN_OK);
    cr_assert_str_eq(rig.entry.etag, etag); /* of the content */
}

/* Within one step of the clock, of the same size, by another program. */
Test(upload, a_write_behind_its_back_changes_the_tag)
{
    RIG(rig);
    char path[TMP_PATH_SIZE], etag[QN_ETAG_SIZE_MAX];
    for (int i = 0; i < 50; i++) {
        cr_assert_eq(rig_put(&rig, "a", "hello"), QN_OK);
        memcpy(etag, rig.entry.etag, sizeof(etag));
        int fd = open(rig_at(&rig, "a", path), O_WRONLY);
        cr_assert_eq(pwrite(fd, "j", 1, 0), 1);
        close(fd);
        cr_assert_eq(rig_stat(&rig, "a"), QN_OK);
        cr_assert_str_neq(rig.entry.etag, etag);
        cr_assert_not(rig.entry.has_digest);
    }
}

Test(upload, its_time)
{
    RIG(rig);
    char path[TMP_PATH_SIZE];
    struct stat status;
    cr_assert_eq(rig_begin(&rig, "a", 3), QN_OK);
    cr_assert_eq(rig_write(&rig, SPAN("abc")), QN_OK);
    cr_assert_eq(rig_commit(&rig, NULL, old_ns), QN_OK);
    cr_assert_eq(rig.entry.modified_ns, old_ns);
    cr_assert_eq(stat(rig_at(&rig, "a", path), &status), 0);
    cr_assert_eq(status.st_mtim.tv_sec, 1500000000);
    cr_assert_eq(status.st_mtim.tv_nsec, 123456789);
}

Test(upload, what_is_expected)
{
    RIG(rig);
    struct qn_folder_expect tag, not_there = {.must_not_exist = true}, there = {.must_exist = true};
    cr_assert_eq(rig_put(&rig, "a", "one"), QN_OK);
    expect_tag(&tag, &rig);
    cr_assert_eq(rig_begin(&rig, "a", 0), QN_OK);
    cr_assert_eq(rig_commit(&rig, &not_there, INT64_MIN), QN_ERR_CONFLICT);
    cr_assert(rig_is(&rig, "a", "one"));
    cr_assert_eq(rig_begin(&rig, "b", 0), QN_OK);
    cr_assert_eq(rig_commit(&rig, &there, INT64_MIN), QN_ERR_CONFLICT);
    cr_assert_not(rig_exists(&rig, "b"));
    cr_assert_eq(rig_begin(&rig, "a", 0), QN_OK);
    cr_assert_eq(rig_write(&rig, SPAN("two")), QN_OK);
    cr_assert_eq(rig_commit(&rig, &tag, INT64_MIN), QN_OK);
    cr_assert(rig_is(&rig, "a", "two"));
    cr_assert_eq(rig_begin(&rig, "a", 0), QN_OK);
    cr_assert_eq(rig_commit(&rig, &tag, INT64_MIN), QN_ERR_CONFLICT);
    cr_assert(rig_is(&rig, "a", "two"));
    cr_assert_eq(rig_left_over(&rig, ""), 0);
}

/* Two that began side by side: the second one finds what the first one made. */
Test(upload, is_judged_when_it_changes)
{
    RIG(rig);
    struct qn_folder_expect tag;
    cr_assert_eq(rig_put(&rig, "a", "base"), QN_OK);
    expect_tag(&tag, &rig);
    cr_assert_eq(rig_begin(&rig, "a", 0), QN_OK);
    struct qn_folder_upload *first = rig.upload;
    cr_assert_eq(rig_write(&rig, SPAN("first")), QN_OK);
    cr_assert_eq(rig_begin(&rig, "a", 0), QN_OK);
    cr_assert_eq(rig_write(&rig, SPAN("second")), QN_OK);
    cr_assert_eq(rig_commit(&rig, &tag, INT64_MIN), QN_OK);
    rig.upload = first;
    cr_assert_eq(rig_commit(&rig, &tag, INT64_MIN), QN_ERR_CONFLICT);
    cr_assert(rig_is(&rig, "a", "second"));
}

/* Two that neither saw nor named what the other wrote: the last one has the name, the other content
 * stays beside it. */
Test(upload, what_was_not_seen_is_kept_beside)
{
    RIG(rig);
    cr_assert_eq(rig_put(&rig, "a.txt", "base"), QN_OK);
    cr_assert_eq(rig_begin(&rig, "a.txt", 0), QN_OK);
    struct qn_folder_upload *slow = rig.upload;
    cr_assert_eq(rig_write(&rig, SPAN("slow")), QN_OK);
    cr_assert_eq(rig_put(&rig, "a.txt", "quick"), QN_OK);
    cr_assert_eq(rig.kept[0], '\0'); /* it saw what it replaced */
    rig.upload = slow;
    cr_assert_eq(rig_commit(&rig, NULL, INT64_MIN), QN_OK);
    cr_assert(rig_is(&rig, "a.txt", "slow"));
    cr_assert_eq(strncmp(rig.kept, "a (conflict 20", 14), 0, "%s", rig.kept);
    cr_assert_str_eq(rig.kept + strlen(rig.kept) - 5, ").txt");
    cr_assert(rig_is(&rig, rig.kept, "quick"));
    cr_assert_eq(rig_left_over(&rig, ""), 0);
}

/* Also where nothing was there at first, where another program wrote, and twice in one second. */
Test(upload, what_others_wrote_is_kept_each_time)
{
    RIG(rig);
    char first[256];
    for (int i = 0; i < 2; i++) {
        memcpy(first, rig.kept, sizeof(first));
        cr_assert_eq(rig_begin(&rig, "new", 0), QN_OK);
        cr_assert_eq(rig_write(&rig, SPAN("ours")), QN_OK);
        rig_make(&rig, "new", i == 0 ? "theirs" : "theirs again");
        cr_assert_eq(rig_commit(&rig, NULL, INT64_MIN), QN_OK);
        cr_assert(rig_is(&rig, "new", "ours"));
        cr_assert(rig_is(&rig, rig.kept, i == 0 ? "theirs" : "theirs again"));
    }
    cr_assert_str_neq(first, rig.kept);
    cr_assert(rig_is(&rig, first, "theirs"));
}

/* An upload that is sent twice, an empty file, and one that was only touched are no conflict. */
Test(upload, where_nothing_would_be_lost_nothing_is_kept)
{
    RIG(rig);
    cr_assert_eq(rig_put(&rig, "a", "base"), QN_OK);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(rig_begin(&rig, "a", 0), QN_OK);
        struct qn_folder_upload *slow = rig.upload;
        cr_assert_eq(rig_write(&rig, SPAN("same")), QN_OK);
        if (i == 0)
            cr_assert_eq(rig_put(&rig, "a", "same"), QN_OK);
        else if (i == 1)
            cr_assert_eq(rig_touch(&rig, "a", old_ns), QN_OK);
        else
            cr_assert_eq(rig_put(&rig, "a", ""), QN_OK);
        rig.upload = slow;
        cr_assert_eq(rig_commit(&rig, NULL, INT64_MIN), QN_OK);
        cr_assert_eq(rig.kept[0], '\0');
    }
    cr_assert_eq(rig_list(&rig, ""), QN_OK);
    assert_buf_eq(&rig.text, "a\n");
}

Test(upload, a_kept_name_is_a_name)
{
    static const struct {
        const char *name, *begin, *end;
    } cases[] = {
        {"plan.odt", "plan (conflict ", ").odt"},
        {"plan", "plan (conflict ", ")"},
        {".hidden", ".hidden (conflict ", ")"},
        {"a.b.tar.gz", "a.b.tar (conflict ", ").gz"},
        {"no.ending of a file", "no.ending of a file (conflict ", ")"},
    };
    char out[NAME_MAX + 1], name[NAME_MAX + 1] = "";
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        keep_name(cases[i].name, old_ns, 1, out);
        cr_assert_eq(strncmp(out, cases[i].begin, strlen(cases[i].begin)), 0, "%s", out);
        cr_assert_str_eq(out + strlen(out) - strlen(cases[i].end), cases[i].end);
    }
    for (size_t i = 0; i < 125; i++)
        strcat(name, "\xc3\xa9");
    strcat(name, ".odt");
    for (unsigned number = 1; number <= 1000; number *= 10) {
        keep_name(name, old_ns, number, out);
        cr_assert_leq(strlen(out), NAME_MAX);
        cr_assert(qn_text_is_utf8(qn_span_str(out)), "%s", out);
    }
}

/* Cut after every byte: what was there is there, whole; of the new one there is nothing. */
Test(upload, cut_at_any_byte_shows_nothing)
{
    RIG(rig);
    static const char text[] = "the whole of it, or nothing";
    rig_make(&rig, "old", "as it was");
    for (size_t cut = 0; cut < sizeof(text); cut++) {
        for (int is_old = 0; is_old < 2; is_old++) {
            cr_assert_eq(rig_begin(&rig, is_old ? "old" : "new", sizeof(text) - 1), QN_OK);
            for (size_t i = 0; i < cut; i++)
                cr_assert_eq(rig_write(&rig, qn_span(text + i, 1)), QN_OK);
            cr_assert_eq(rig_list(&rig, ""), QN_OK);
            assert_buf_eq(&rig.text, "old\n");
            rig.folder->ops->abort(rig.upload);
        }
        cr_assert(rig_is(&rig, "old", "as it was"));
        cr_assert_not(rig_exists(&rig, "new"));
    }
    cr_assert_eq(rig_list(&rig, ""), QN_OK); /* a turn behind the last abort */
    for (int i = 0; i < TURNS_MAX && rig_left_over(&rig, "") > 0; i++)
        rig_turn(&rig);
    cr_assert_eq(rig_left_over(&rig, ""), 0);
}

Test(upload, needs_its_directory)
{
    RIG(rig);
    rig_make_dir(&rig, "d");
    rig_make(&rig, "f", "x");
    cr_assert_eq(rig_put(&rig, "none/a", "x"), QN_ERR_STATE);
    cr_assert_eq(rig_put(&rig, "f/a", "x"), QN_ERR_STATE);
    cr_assert_eq(rig_put(&rig, "d", "x"), QN_ERR_EXISTS);
    cr_assert_eq(rig_put(&rig, "", "x"), QN_ERR_EXISTS);
    /* It went while the upload came. */
    cr_assert_eq(rig_begin(&rig, "d/a", 0), QN_OK);
    cr_assert_eq(rig_remove(&rig, "d", NULL), QN_OK);
    cr_assert_eq(rig_commit(&rig, NULL, INT64_MIN), QN_ERR_STATE);
    cr_assert_not(rig_exists(&rig, "d"));
}

/* Its directory was renamed and another one has its name: the file goes where its path says. */
Test(upload, follows_its_path)
{
    RIG(rig);
    char from[TMP_PATH_SIZE], to[TMP_PATH_SIZE];
    rig_make_dir(&rig, "d");
    cr_assert_eq(rig_begin(&rig, "d/a", 0), QN_OK);
    cr_assert_eq(rig_write(&rig, SPAN("text")), QN_OK);
    cr_assert_eq(rename(rig_at(&rig, "d", from), rig_at(&rig, "e", to)), 0);
    rig_make_dir(&rig, "d");
    cr_assert_eq(rig_commit(&rig, NULL, INT64_MIN), QN_OK);
    cr_assert(rig_is(&rig, "d/a", "text"));
    cr_assert_not(rig_exists(&rig, "e/a"));
    cr_assert_eq(rig_left_over(&rig, "e"), 0);
}

static unsigned mode_at(const struct rig *rig, const char *name)
{
    char path[TMP_PATH_SIZE];
    struct stat status;
    cr_assert_eq(stat(rig_at(rig, name, path), &status), 0);
    return status.st_mode & 07777;
}

Test(upload, modes_are_those_of_the_directory)
{
    RIG(rig);
    char path[TMP_PATH_SIZE];
    umask(077); /* as the service has it */
    rig_make_dir(&rig, "d");
    cr_assert_eq(chmod(rig_at(&rig, "d", path), 02770), 0);
    cr_assert_eq(rig_put(&rig, "d/a", "x"), QN_OK);
    cr_assert_eq(mode_at(&rig, "d/a"), 0660);
    cr_assert_eq(rig_mkdir(&rig, "d/sub"), QN_OK);
    cr_assert_eq(mode_at(&rig, "d/sub"), 02770);
    /* What was there keeps its own. */
    cr_assert_eq(chmod(rig_at(&rig, "d/a", path), 0600), 0);
    cr_assert_eq(rig_put(&rig, "d/a", "y"), QN_OK);
    cr_assert_eq(mode_at(&rig, "d/a"), 0600);
}

Test(upload, nobody_else_reads_it_on_its_way)
{
    RIG(rig);
    char path[TMP_PATH_SIZE], found[TMP_PATH_SIZE] = "";
    cr_assert_eq(rig_begin(&rig, "a", 0), QN_OK);
    snprintf(path, sizeof(path), "ls -A %s", rig.dir.path);
    FILE *names = popen(path, "r");
    cr_assert_not_null(fgets(found, sizeof(found), names));
    pclose(names);
    found[strcspn(found, "\n")] = '\0';
    cr_assert_eq(mode_at(&rig, found), 0600);
    rig.folder->ops->abort(rig.upload);
}

/* Without rows, or when they cannot be written, the file is safe all the same. */
Test(upload, rows_are_only_a_help)
{
    RIG(rig);
    cr_assert_eq(rig_begin(&rig, "a", 0), QN_OK);
    fake_local_fail(rig.rows, QN_ERR_NOSPACE);
    cr_assert_eq(rig_commit(&rig, NULL, INT64_MIN), QN_OK);
    cr_assert_not(rig.entry.has_digest);
    cr_assert_neq(rig.entry.etag[0], '\0');
    cr_assert(rig_exists(&rig, "a"));
}

Test(upload, works_without_rows)
{
    __attribute__((cleanup(rig_deinit))) struct rig rig;
    rig_init_at(&rig, NULL, NULL, false);
    cr_assert_eq(rig_put(&rig, "a", "x"), QN_OK);
    cr_assert_neq(rig.entry.etag[0], '\0');
    cr_assert_eq(rig_move(&rig, "a", "b", false), QN_OK);
    cr_assert_eq(rig_remove(&rig, "b", NULL), QN_OK);
}

Test(upload, a_path_too_long_for_a_key)
{
    RIG(rig);
    char path[700] = "", part[202];
    memset(part, 'p', 200);
    part[200] = '/';
    part[201] = '\0';
    for (int i = 0; i < 3; i++) {
        strncat(path, part, sizeof(path) - strlen(path) - 1);
        path[strlen(path) - 1] = '\0';
        cr_assert_eq(rig_mkdir(&rig, path), QN_OK);
        strcat(path, "/");
    }
    strcat(path, "a");
    cr_assert_eq(rig_put(&rig, path, "x"), QN_OK);
    cr_assert(rig.entry.has_digest);
    cr_assert_eq(rig_stat(&rig, path), QN_OK);
    cr_assert(rig.entry.has_digest);
}

Test(upload, more_than_there_is_room_for_is_refused_at_once)
{
    RIG(rig);
    cr_assert_eq(rig_begin(&rig, "a", UINT64_C(1) << 60), QN_ERR_NOSPACE);
    cr_assert_eq(rig_left_over(&rig, ""), 0);
}

Test(upload, aborted_while_a_piece_is_written)
{
    RIG(rig);
    cr_assert_eq(rig_begin(&rig, "a", 0), QN_OK);
    rig.folder->ops->write(rig.upload, SPAN("piece"), rig_on_done, &rig);
    rig.folder->ops->abort(rig.upload);
    rig_wait(&rig); /* it is still told */
    for (int i = 0; i < TURNS_MAX && rig_left_over(&rig, "") > 0; i++)
        rig_turn(&rig);
    cr_assert_eq(rig_left_over(&rig, ""), 0);
    cr_assert_not(rig_exists(&rig, "a"));
}

/* What was said of a content goes where it goes, and stays with no other. */
Test(upload, weak_digests_that_were_said_stay_with_their_content)
{
    RIG(rig);
    static const struct qn_weak_digests weak = {.sha1 = {1, 2, 3}};
    const struct qn_folder_said said = {.modified_ns = INT64_MIN, .weak = &weak};
    cr_assert_eq(rig_begin(&rig, "a", 5), QN_OK);
    cr_assert_eq(rig_write(&rig, SPAN("hello")), QN_OK);
    cr_assert_eq(rig_commit_said(&rig, NULL, &said), QN_OK);
    cr_assert(rig.entry.has_weak);
    cr_assert_eq(rig_copy(&rig, "a", "b", false), QN_OK);
    cr_assert_eq(rig_move(&rig, "b", "c", false), QN_OK);
    cr_assert_eq(rig_touch(&rig, "c", 77), QN_OK);
    cr_assert_eq(rig_stat(&rig, "c"), QN_OK);
    cr_assert(rig.entry.has_weak);
    cr_assert_arr_eq(rig.entry.weak.sha1, weak.sha1, sizeof(weak.sha1));
    cr_assert_eq(rig_put(&rig, "c", "other"), QN_OK);
    cr_assert(rig.entry.has_digest);
    cr_assert_not(rig.entry.has_weak);
}
