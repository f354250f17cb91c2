#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/vec.h"
#include "search/index.h"
#include "support/tmp_dir.h"

struct fixture {
    struct tmp_dir dir;
    char path[300];
    struct qn_fts *fts;
};

static void open_index(struct fixture *f, bool wants_new)
{
    bool is_new;
    cr_assert_eq(qn_fts_open(f->path, true, &f->fts, &is_new), QN_OK);
    cr_assert_eq(is_new, wants_new);
}

static void start(struct fixture *f)
{
    tmp_dir_init(&f->dir);
    snprintf(f->path, sizeof(f->path), "%s/index.db", f->dir.path);
    open_index(f, true);
}

static void end(struct fixture *f)
{
    qn_fts_close(f->fts);
    tmp_dir_deinit(&f->dir);
}

#define FIXTURE __attribute__((cleanup(end))) struct fixture

static void put_round(struct fixture *f, const char *scope, const char *name, const char *text,
                      uint64_t round, bool ends)
{
    struct qn_search_item item = {.name = qn_span_str(name == NULL ? "" : name),
                                  .text = qn_span_str(text == NULL ? "" : text),
                                  .is_gone = text == NULL};
    struct qn_search_batch batch = {.scope = qn_span_str(scope),
                                    .items = &item,
                                    .count = name != NULL,
                                    .round = round,
                                    .ends_round = ends};
    cr_assert_eq(qn_fts_put(f->fts, &batch), QN_OK);
}

static void put(struct fixture *f, const char *scope, const char *name, const char *text)
{
    put_round(f, scope, name, text, 1, false);
}

static void add_hit(void *context, const struct qn_index_hit *hit)
{
    qn_buf_append_span(context, hit->scope);
    qn_buf_append_str(context, "/");
    qn_buf_append_span(context, hit->name);
    qn_buf_append_str(context, " ");
}

/* `scopes`: letters, each a scope. */
static void check(struct fixture *f, const char *scopes, const char *typed, size_t limit,
                  const char *wanted)
{
    struct qn_search_words words;
    struct qn_span list[26];
    QN_AUTO_BUF struct qn_buf found;
    qn_buf_init(&found, 64 * 1024);
    size_t count = strlen(scopes);
    for (size_t i = 0; i < count; i++)
        list[i] = qn_span(scopes + i, 1);
    cr_assert_eq(qn_search_words_read(qn_span_str(typed), &words), QN_OK);
    cr_assert_eq(qn_fts_find(f->fts, &words, list, count, limit, add_hit, &found), QN_OK);
    cr_assert(qn_span_eq_str(qn_buf_view(&found), wanted), "%s: %.*s", typed, (int)found.size,
              (const char *)found.data);
}

Test(index, finds_what_may_be_seen)
{
    FIXTURE f = {0};
    start(&f);
    put(&f, "a", "R-1", "nom: Œuvrard\nchambre: 12");
    put(&f, "a", "R-2", "nom: Delmas\nchambre: 12");
    put(&f, "b", "oeuvre.odt", "");
    check(&f, "ab", "oeuv", 10, "b/oeuvre.odt a/R-1 "); /* names first */
    check(&f, "a", "ŒUV", 10, "a/R-1 ");
    check(&f, "b", "oeuv", 10, "b/oeuvre.odt ");
    check(&f, "", "oeuv", 10, "");
    check(&f, "c", "oeuv", 10, "");
    check(&f, "ab", "chambre 12", 10, "a/R-2 a/R-1 "); /* the latest first */
    check(&f, "ab", "chambre 12", 1, "a/R-2 ");
    check(&f, "ab", "chambre 1", 10, "a/R-2 a/R-1 ");
    check(&f, "ab", "chambre 3 ", 10, "");
    check(&f, "ab", "r-1", 10, "a/R-1 ");
    check(&f, "ab", "s1", 10, ""); /* the index's own words are none */
}

Test(index, changes_and_ends)
{
    FIXTURE f = {0};
    start(&f);
    put(&f, "a", "k", "avant");
    put(&f, "a", "k", "après");
    check(&f, "a", "avant", 10, "");
    check(&f, "a", "apres", 10, "a/k ");
    put(&f, "a", "k", "après");
    check(&f, "a", "apres", 10, "a/k ");
    put(&f, "a", "k", NULL);
    check(&f, "a", "apres", 10, "");
    put(&f, "a", "k", NULL);
    put(&f, "a", "k", "encore");
    cr_assert_eq(qn_fts_drop(f.fts, qn_span_str("a")), QN_OK);
    check(&f, "a", "encore", 10, "");
    cr_assert_eq(qn_fts_drop(f.fts, qn_span_str("a")), QN_OK);
}

Test(index, a_round_leaves_only_what_it_saw)
{
    FIXTURE f = {0};
    char name[32];
    start(&f);
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "file %d", i);
        put_round(&f, "a", name, "", 1, false);
    }
    put_round(&f, "b", "file 7", "", 1, false);
    put_round(&f, "a", "file 5", "", 2, false);
    put_round(&f, "a", "file 2999", "", 2, false);
    put_round(&f, "a", NULL, NULL, 2, true);
    check(&f, "ab", "file", 10, "a/file 2999 a/file 5 b/file 7 ");
}

static void end_below(struct fixture *f, const char *scope, const char *below, uint64_t round)
{
    struct qn_search_batch batch = {.scope = qn_span_str(scope),
                                    .round = round,
                                    .ends_round = true,
                                    .below = qn_span_str(below)};
    cr_assert_eq(qn_fts_put(f->fts, &batch), QN_OK);
}

Test(index, a_round_below_a_path_leaves_the_rest_alone)
{
    const char *names[] = {"d", "d-x", "d.x", "d/a x", "d/b x", "d/e/c x", "d0 x", "c x", "e x"};
    FIXTURE f = {0};
    start(&f);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        put_round(&f, "a", names[i], "x", 1, false);
    put_round(&f, "b", "d/a x", "x", 1, false);
    put_round(&f, "a", "d/b x", "x", 2, false);
    end_below(&f, "a", "d", 2);
    check(&f, "a", "x", 20, "a/e x a/c x a/d0 x a/d/b x a/d.x a/d-x ");
    check(&f, "b", "x", 20, "b/d/a x ");
    put_round(&f, "a", "d/b x", "x", 3, false);
    end_below(&f, "a", "d/b x", 3); /* it was seen */
    check(&f, "a", "x", 20, "a/e x a/c x a/d0 x a/d/b x a/d.x a/d-x ");
    end_below(&f, "a", "d/b x", 4); /* now it was not */
    check(&f, "a", "x", 20, "a/e x a/c x a/d0 x a/d.x a/d-x ");
}

static void check_position(struct fixture *f, const char *scope, const char *wanted)
{
    QN_AUTO_BUF struct qn_buf position;
    qn_buf_init(&position, 512);
    cr_assert_eq(qn_fts_position(f->fts, qn_span_str(scope), &position), QN_OK);
    cr_assert(qn_span_eq_str(qn_buf_view(&position), wanted));
}

Test(index, the_position_of_a_feed)
{
    FIXTURE f = {0};
    struct qn_search_batch batch = {.scope = qn_span_str("a"), .position = qn_span_str("17")};
    start(&f);
    check_position(&f, "a", "");
    cr_assert_eq(qn_fts_put(f.fts, &batch), QN_OK);
    check_position(&f, "a", "17");
    put(&f, "a", "k", "text");
    check_position(&f, "a", "17");
    qn_fts_close(f.fts);
    open_index(&f, false);
    check_position(&f, "a", "17");
    check(&f, "a", "text", 10, "a/k ");
}

static void overwrite(const char *path, off_t offset, size_t size)
{
    uint8_t noise[4096];
    memset(noise, 0xa5, sizeof(noise));
    int fd = open(path, O_WRONLY);
    cr_assert(fd >= 0);
    cr_assert_eq(pwrite(fd, noise, size, offset), (ssize_t)size);
    cr_assert_eq(close(fd), 0);
}

Test(index, damage)
{
    FIXTURE f = {0};
    start(&f);
    put(&f, "a", "k", "text");
    qn_fts_close(f.fts);
    overwrite(f.path, 0, 100); /* the header: no database any more */
    open_index(&f, true);
    put(&f, "a", "k", "text");
    check(&f, "a", "text", 10, "a/k ");
}

Test(index, damage_that_shows_late)
{
    FIXTURE f = {0};
    char name[16];
    enum qn_err err = QN_OK;
    start(&f);
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        put(&f, "a", name, "some text of the record that is long enough to fill pages");
    }
    qn_fts_close(f.fts);
    for (off_t page = 2; page < 12; page++)
        overwrite(f.path, page * 4096, 4096);
    open_index(&f, false);
    for (int i = 0; i < 500 && err == QN_OK; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        struct qn_search_item item = {.name = qn_span_str(name), .text = qn_span_str("other")};
        struct qn_search_batch batch = {.scope = qn_span_str("a"), .items = &item, .count = 1};
        err = qn_fts_put(f.fts, &batch);
    }
    cr_assert_eq(err, QN_ERR_CORRUPT);
}

Test(index, a_text_is_cut)
{
    FIXTURE f = {0};
    static char text[QN_SEARCH_TEXT_SIZE_MAX * 2];
    start(&f);
    memset(text, ' ', sizeof(text));
    memcpy(text, "front", 5);
    memcpy(text + sizeof(text) - 6, "behind", 5);
    text[sizeof(text) - 1] = '\0';
    put(&f, "a", "k", text);
    check(&f, "a", "front", 10, "a/k ");
    check(&f, "a", "behin", 10, "");
    put(&f, "a", "k", NULL);
    check(&f, "a", "front", 10, "");
}

/* Beginnings of one to three letters have lists of their own, longer ones are looked up among the
 * words, and too many of these are left to FTS5: all find the same. */
Test(index, beginnings_of_any_length)
{
    FIXTURE f;
    char name[16], text[64];
    start(&f);
    put(&f, "a", "1", "visite");
    put(&f, "a", "2", "visiteur");
    put(&f, "a", "3", "visiter");
    put(&f, "a", "4", "vie");
    check(&f, "a", "v", 9, "a/4 a/3 a/2 a/1 ");
    check(&f, "a", "vis", 9, "a/3 a/2 a/1 ");
    check(&f, "a", "visite", 9, "a/3 a/2 a/1 ");
    check(&f, "a", "visiteu", 9, "a/2 ");
    check(&f, "a", "visiteur", 9, "a/2 ");
    check(&f, "a", "visiteurs", 9, "");
    check(&f, "a", "visite vie", 9, "");
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "n%02u", i);
        snprintf(text, sizeof(text), "chambre%02u %s", i, i == 7 ? "visite" : "");
        put(&f, "a", name, text);
    }
    check(&f, "a", "visite chambre", 9, "a/n07 ");
    check(&f, "a", "chambre0", 3, "a/n09 a/n08 a/n07 ");
    check(&f, "a", "chambre", 2, "a/n39 a/n38 ");
    check(&f, "a", "éàùè", 2, "");
}
