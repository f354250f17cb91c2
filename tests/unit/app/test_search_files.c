/* Names of files come into the search index, and go from it. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/search_files.h"
#include "base/vec.h"
#include "files/local.h"
#include "os/os.h"
#include "support/tmp_dir.h"
#include "support/turns.h"

struct fixture {
    struct tmp_dir dir;
    char root[TMP_PATH_SIZE], index[TMP_PATH_SIZE];
    struct qn_loop *loop;
    struct qn_log log;
    struct qn_search *search;
    struct qn_search_files *files;
    struct qn_folders_watch watch;
    struct qn_folder *folder;
    struct qn_coll_id id;
    char scope[QN_SEARCH_FOLDER_SCOPE_SIZE];
    bool is_done;
    enum qn_err err;
    struct qn_buf found;
    int renewed;
};

static void tell_change(void *context, struct qn_folder *folder, struct qn_span path)
{
    struct fixture *f = context;
    if (f->files != NULL)
        f->watch.changed(f->watch.context, folder, path);
}

static void on_renewed(void *context)
{
    ((struct fixture *)context)->renewed++;
}

/* Looks again only when it is told to: in an hour, or at once after a change. */
static void begin_files(struct fixture *f)
{
    f->files = qn_search_files_new(&(struct qn_search_files_options){
        .loop = f->loop, .log = &f->log, .search = f->search, .soon_ms = 1, .pause_ms = 1});
    qn_search_files_watch(f->files, &f->watch);
    qn_search_files_on_renewed(f->files, on_renewed, f);
}

static void begin(struct fixture *f)
{
    bool is_new;
    tmp_dir_init(&f->dir);
    f->loop = new_loop();
    qn_log_init(&f->log, QN_LOG_ERROR, qn_os_boot_ms);
    tmp_dir_at(&f->dir, "root", f->root);
    cr_assert_eq(mkdir(f->root, 0700), 0);
    cr_assert_eq(
        qn_search_new(f->loop, tmp_dir_at(&f->dir, "index.db", f->index), &f->search, &is_new),
        QN_OK);
    memset(f->id.bytes, 7, sizeof(f->id.bytes));
    qn_search_folder_scope(&f->id, f->scope);
    qn_buf_init(&f->found, 1024 * 1024);
    cr_assert_eq(qn_folder_mark(f->root, f->id.bytes), QN_OK);
    f->folder = qn_folder_local_new(&(struct qn_folder_local_options){.loop = f->loop,
                                                                      .path = f->root,
                                                                      .name = qn_span_str("t"),
                                                                      .mark = f->id.bytes,
                                                                      .changed = tell_change,
                                                                      .changed_context = f});
    begin_files(f);
}

static void end(struct fixture *f)
{
    qn_search_files_free(f->files);
    f->files = NULL;
    qn_search_free(f->search);
    qn_folder_free(f->folder);
    free_loop(f->loop);
    qn_buf_deinit(&f->found);
    tmp_dir_deinit(&f->dir);
}

#define FIXTURE(name)                                                                              \
    __attribute__((cleanup(end))) struct fixture name = {0};                                       \
    begin(&name)

static void make(struct fixture *f, const char *name)
{
    char path[TMP_PATH_SIZE + 256];
    snprintf(path, sizeof(path), "%s/%s", f->root, name);
    FILE *file = fopen(path, "w");
    cr_assert(file != NULL && fclose(file) == 0);
}

static void make_directory(struct fixture *f, const char *name)
{
    char path[TMP_PATH_SIZE + 256];
    snprintf(path, sizeof(path), "%s/%s", f->root, name);
    cr_assert_eq(mkdir(path, 0700), 0);
}

static void take_away(struct fixture *f, const char *name)
{
    char path[TMP_PATH_SIZE + 256];
    snprintf(path, sizeof(path), "%s/%s", f->root, name);
    cr_assert_eq(remove(path), 0);
}

static void on_found(void *context, enum qn_err err, const struct qn_search_answer *answer)
{
    struct fixture *f = context;
    f->err = err;
    f->is_done = true;
    qn_buf_reset(&f->found);
    for (size_t i = 0; i < answer->count; i++) {
        qn_buf_append_span(&f->found, answer->hits[i].name);
        qn_buf_append_str(&f->found, " ");
    }
}

static bool finds(struct fixture *f, const char *words, const char *wanted)
{
    struct qn_span scope = qn_span_str(f->scope);
    f->is_done = false;
    cr_assert_eq(qn_search_ask(f->search, qn_span_str(words), &scope, 1, 100, on_found, f), QN_OK);
    turn_until(f->loop, f->is_done);
    return f->err == QN_OK && qn_span_eq_str(qn_buf_view(&f->found), wanted);
}

#define until_found(f, words, wanted) turn_until((f)->loop, finds((f), (words), (wanted)))

static void offer(struct fixture *f)
{
    f->watch.here(f->watch.context, &f->id, f->folder);
    qn_search_files_start(f->files);
    cr_assert(qn_search_files_is_behind(f->files));
    turn_until(f->loop, !qn_search_files_is_behind(f->files));
}

static void on_done(void *context, enum qn_err err)
{
    struct fixture *f = context;
    f->is_done = true;
    f->err = err;
}

#define change(f, call)                                                                            \
    do {                                                                                           \
        (f)->is_done = false;                                                                      \
        (void)(call);                                                                              \
        turn_until((f)->loop, (f)->is_done);                                                       \
        cr_assert_eq((f)->err, QN_OK);                                                             \
    } while (0)

#define CHANGE_MOVE(f, from, to)                                                                   \
    change(f, (f)->folder->ops->move(                                                              \
                  (f)->folder, qn_span_str(from),                                                  \
                  &(struct qn_folder_target){.folder = (f)->folder, .path = qn_span_str(to)},      \
                  NULL, on_done, f))
#define CHANGE_REMOVE(f, name)                                                                     \
    change(f, (f)->folder->ops->remove((f)->folder, qn_span_str(name), NULL, NULL, on_done, f))

Test(search_files, names_of_a_tree_but_no_litter)
{
    FIXTURE(f);
    make_directory(&f, "Menus");
    make_directory(&f, "Menus/Été");
    make(&f, "Menus/Été/semaine 12.odt");
    make(&f, "Menus/._semaine 12.odt");
    make(&f, "Menus/Thumbs.db");
    make(&f, "semaine.txt");
    offer(&f);
    cr_assert(finds(&f, "semaine", "Menus/Été/semaine 12.odt semaine.txt ") ||
              finds(&f, "semaine", "semaine.txt Menus/Été/semaine 12.odt "));
    cr_assert(finds(&f, "ete semaine", "Menus/Été/semaine 12.odt "));
    cr_assert(finds(&f, "thumbs", ""));
    cr_assert(finds(&f, "quoin", "")); /* the mark */
}

Test(search_files, changes_through_the_folder_are_found_soon)
{
    FIXTURE(f);
    make_directory(&f, "d");
    make(&f, "d/alpha");
    make(&f, "d-alpha");
    offer(&f);
    CHANGE_MOVE(&f, "d", "e");
    until_found(&f, "alpha", "e/alpha d-alpha ");
    make(&f, "e/behind"); /* another program: not seen, */
    CHANGE_MOVE(&f, "e/alpha", "alpha");
    until_found(&f, "alpha", "alpha d-alpha ");
    cr_assert(finds(&f, "behind", ""));
    CHANGE_MOVE(&f, "e", "g"); /* until somebody looks there */
    until_found(&f, "behind", "g/behind ");
    CHANGE_REMOVE(&f, "g");
    until_found(&f, "behind", "");
    cr_assert(finds(&f, "alpha", "alpha d-alpha "));
}

Test(search_files, many_changes_are_one_look_above_them)
{
    FIXTURE(f);
    char name[32];
    make_directory(&f, "d");
    make_directory(&f, "d/e");
    offer(&f);
    for (int i = 0; i < 2 * QN_SEARCH_CHANGES_MAX; i++) {
        snprintf(name, sizeof(name), "d/e/n%d", i);
        make(&f, name);
        f.watch.changed(f.watch.context, f.folder, qn_span_str(name));
    }
    make(&f, "d/e/unsaid");
    until_found(&f, "unsaid", "d/e/unsaid ");
    until_found(&f, "n0 ", "d/e/n0 ");
    until_found(&f, "n511 ", "d/e/n511 ");
}

Test(search_files, more_than_one_part)
{
    FIXTURE(f);
    char name[32];
    make_directory(&f, "d");
    for (int i = 0; i < 1500; i++) {
        snprintf(name, sizeof(name), "d/n%d", i);
        make(&f, name);
    }
    offer(&f);
    for (int i = 0; i < 1500; i += 1499) {
        snprintf(name, sizeof(name), "n%d ", i);
        finds(&f, name, "");
        cr_assert_gt(f.found.size, 0, "%s", name);
    }
}

Test(search_files, a_directory_that_is_gone_is_still_known)
{
    FIXTURE(f);
    char away[TMP_PATH_SIZE];
    make(&f, "alpha");
    offer(&f);
    cr_assert_eq(rename(f.root, tmp_dir_at(&f.dir, "away", away)), 0);
    f.watch.here(f.watch.context, &f.id, f.folder); /* looked at, and not there */
    cr_assert_eq(mkdir(f.root, 0700), 0);           /* a disk that is not mounted */
    f.watch.changed(f.watch.context, f.folder, qn_span_str("alpha"));
    for (int i = 0; i < 200; i++)
        cr_assert(finds(&f, "alpha", "alpha "));
    cr_assert_eq(rmdir(f.root), 0);
    cr_assert_eq(rename(away, f.root), 0);
    take_away(&f, "alpha");
    make(&f, "beta");
    f.watch.here(f.watch.context, &f.id, f.folder);
    until_found(&f, "beta", "beta ");
    until_found(&f, "alpha", "");
}

Test(search_files, one_that_was_detached_is_forgotten)
{
    FIXTURE(f);
    make(&f, "alpha");
    offer(&f);
    cr_assert(finds(&f, "alpha", "alpha "));
    f.watch.detached(f.watch.context, &f.id);
    until_found(&f, "alpha", "");
    f.watch.here(f.watch.context, &f.id, f.folder);
    until_found(&f, "alpha", "alpha ");
    /* also if that was while nobody watched */
    qn_search_files_free(f.files);
    begin_files(&f);
    qn_search_files_start(f.files);
    until_found(&f, "alpha", "");
}

Test(search_files, what_is_known_is_known_at_the_next_start)
{
    FIXTURE(f);
    make(&f, "alpha");
    make(&f, "beta");
    offer(&f);
    qn_search_files_free(f.files);
    take_away(&f, "alpha");
    begin_files(&f);
    f.watch.here(f.watch.context, &f.id, f.folder);
    qn_search_files_start(f.files);
    turn_until(f.loop, !qn_search_files_is_behind(f.files));
    cr_assert(finds(&f, "beta", "beta "));
    until_found(&f, "alpha", "");
}

Test(search_files, an_index_that_is_made_anew_is_filled_again)
{
    FIXTURE(f);
    make(&f, "alpha");
    offer(&f);
    qn_search_files_renew(f.files);
    cr_assert(qn_search_files_is_behind(f.files));
    turn_until(f.loop, !qn_search_files_is_behind(f.files));
    cr_assert(finds(&f, "alpha", "alpha "));
    cr_assert_eq(f.renewed, 0); /* it was told, and tells nobody */
}

Test(search_files, ends_in_the_middle)
{
    FIXTURE(f);
    char name[32];
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        make(&f, name);
    }
    f.watch.here(f.watch.context, &f.id, f.folder);
    qn_search_files_start(f.files);
    for (int i = 0; i < 20; i++)
        qn_loop_turn(f.loop);
}
