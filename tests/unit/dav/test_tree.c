#include <criterion/criterion.h>
#include <stdio.h>

#include "support/dav_world.h"
#include "support/span.h"

static struct dav_world *world;

static void setup(void)
{
    world = dav_world_new();
    dav_world_set_file(world, "d/", "");
    dav_world_set_file(world, "d/a", "one");
    dav_world_set_file(world, "d/e/", "");
    dav_world_set_file(world, "d/e/b", "two");
    dav_world_set_file(world, "c", "three");
}

static void teardown(void)
{
    dav_world_free(world);
}
TestSuite(dav_tree, .init = setup, .fini = teardown);

static unsigned ask(const char *line, const char *fields)
{
    return dav_ask(world, line, fields, "")->status;
}

static void set_property(const char *path)
{
    char line[256];
    snprintf(line, sizeof(line), "PROPPATCH /dav/F/%s", path);
    const struct dav_answer *answer =
        dav_ask(world, line, "",
                "<propertyupdate xmlns='DAV:'><set><prop><x xmlns='u'>v</x></prop></set>"
                "</propertyupdate>");
    cr_assert_eq(answer->status, 207);
    cr_assert_not_null(strstr((const char *)answer->body.data, "200 OK"));
}

static bool has_property(const char *path)
{
    char line[256];
    snprintf(line, sizeof(line), "PROPFIND /dav/F/%s", path);
    const struct dav_answer *answer =
        dav_ask(world, line, "Depth: 0\r\n",
                "<propfind xmlns='DAV:'><prop><x xmlns='u'/></prop></propfind>");
    cr_assert_eq(answer->status, 207);
    return strstr((const char *)answer->body.data, ">v</ns0:x>") != NULL;
}

Test(dav_tree, options_are_200_and_name_the_classes)
{
    const char *lines[] = {"OPTIONS /", "OPTIONS /dav/", "OPTIONS /dav", "OPTIONS /dav/F",
                           "OPTIONS /dav/F/none"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const struct dav_answer *answer = dav_ask(world, lines[i], "", "");
        cr_assert_eq(answer->status, 200, "%s", lines[i]);
        cr_assert_str_eq(dav_answer_field(answer, "DAV"), "1, 2, 3");
        cr_assert_str_eq(dav_answer_field(answer, "MS-Author-Via"), "DAV");
        cr_assert_not_null(strstr(dav_answer_field(answer, "Allow"), "PROPFIND"));
    }
}

Test(dav_tree, collections_are_made_with_and_without_a_slash)
{
    cr_assert_eq(ask("MKCOL /dav/F/x", ""), 201);
    cr_assert_eq(ask("MKCOL /dav/F/x/y/", ""), 201);
    cr_assert_eq(ask("MKCOL /dav/F/x", ""), 405);
    cr_assert_eq(ask("MKCOL /dav/F/c", ""), 405);
    cr_assert_eq(ask("MKCOL /dav/F/none/y", ""), 409);
    cr_assert_eq(dav_ask(world, "MKCOL /dav/F/z", "", "<x/>")->status, 415);
    cr_assert_eq(ask("MKCOL /dav/F", ""), 405);
    cr_assert_eq(ask("MKCOL /dav/G", ""), 404);
    dav_world_be(world, "rita");
    cr_assert_eq(ask("MKCOL /dav/F/w", ""), 403);
    dav_world_be(world, "nobody");
    cr_assert_eq(ask("GET /dav/F/a", ""), 404);
    cr_assert_str_eq(dav_world_last_note(world), "nobody read folder:F/a not-found");
}

Test(dav_tree, delete_takes_all_with_its_properties_and_locks)
{
    set_property("d/e/b");
    set_property("d");
    set_property("c");
    cr_assert_eq(ask("DELETE /dav/F/d/", "Depth: 1\r\n"), 400);
    cr_assert_eq(ask("DELETE /dav/F/d", ""), 204);
    cr_assert_null(dav_world_file(world, "d/e/b"));
    cr_assert_eq(dav_world_row_count(world, "prop/"), 1);
    cr_assert(has_property("c"));
    cr_assert_eq(ask("DELETE /dav/F/d", ""), 404);
    cr_assert_eq(ask("DELETE /dav/F", ""), 403);
    cr_assert_eq(ask("DELETE /dav/", ""), 403);
    dav_world_be(world, "rita");
    cr_assert_eq(ask("DELETE /dav/F/c", ""), 403);
}

Test(dav_tree, move_takes_properties_along)
{
    set_property("d/e/b");
    cr_assert_eq(ask("MOVE /dav/F/d", "Destination: https://h/dav/F/m/\r\n"), 201);
    cr_assert_str_eq(dav_world_file(world, "m/e/b"), "two");
    cr_assert_null(dav_world_file(world, "d/a"));
    cr_assert(has_property("m/e/b"));
    cr_assert_eq(dav_world_row_count(world, "prop/"), 1);
}

Test(dav_tree, copy_copies_properties_and_replaces_those_of_the_target)
{
    set_property("d/a");
    set_property("c");
    cr_assert_eq(ask("COPY /dav/F/d", "Destination: /dav/F/m\r\n"), 201);
    cr_assert(has_property("m/a") && has_property("d/a"));
    cr_assert_eq(ask("COPY /dav/F/d/e/b", "Destination: /dav/F/c\r\n"), 204);
    cr_assert_str_eq(dav_world_file(world, "c"), "two");
    cr_assert_not(has_property("c"));
}

Test(dav_tree, a_shallow_copy_is_the_collection_alone)
{
    set_property("d");
    set_property("d/a");
    cr_assert_eq(ask("COPY /dav/F/d", "Destination: /dav/F/m\r\nDepth: 0\r\n"), 201);
    cr_assert_null(dav_world_file(world, "m/a"));
    cr_assert(has_property("m"));
    cr_assert_eq(dav_world_row_count(world, "prop/F/m"), 1);
}

static const struct {
    const char *fields;
    unsigned status;
} targets[] = {
    {"", 400},
    {"Destination: /dav/F/c\r\nOverwrite: F\r\n", 412},
    {"Destination: /dav/F/c\r\nOverwrite: maybe\r\n", 400},
    {"Destination: /dav/F/none/x\r\n", 409},
    {"Destination: /dav/F/d\r\n", 403},
    {"Destination: /dav/F/d/\r\n", 403},
    {"Destination: /dav/F/d/e/f\r\n", 403},
    {"Destination: /dav/F\r\n", 403},
    {"Destination: /dav/G/x\r\n", 502},
    {"Destination: /elsewhere\r\n", 502},
    {"Destination: https://other/dav/F/x\r\n", 502},
    {"Destination: /dav/F/../../etc\r\n", 400},
    {"Destination: /dav/F/x\r\nDepth: 1\r\n", 400},
};

Test(dav_tree, targets_that_cannot_be)
{
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        cr_assert_eq(ask("MOVE /dav/F/d", targets[i].fields), targets[i].status, "MOVE %s",
                     targets[i].fields);
        cr_assert_eq(ask("COPY /dav/F/d", targets[i].fields), targets[i].status, "COPY %s",
                     targets[i].fields);
        cr_assert_str_eq(dav_world_file(world, "c"), "three");
        cr_assert_str_eq(dav_world_file(world, "d/a"), "one");
    }
    cr_assert_eq(ask("MOVE /dav/F/d", "Destination: /dav/F/x\r\nDepth: 0\r\n"), 400);
    cr_assert_eq(ask("MOVE /dav/F/none", "Destination: /dav/F/x\r\n"), 404);
}

/* ---- two folders of this site ---- */

Test(dav_tree, a_move_to_another_folder_takes_properties_along)
{
    set_property("d/e/b");
    cr_assert_eq(ask("MOVE /dav/F/d", "Destination: https://h/dav/E/m/\r\n"), 201);
    cr_assert_str_eq(dav_world_second_file(world, "m/e/b"), "two");
    cr_assert_null(dav_world_file(world, "d/a"));
    cr_assert_eq(dav_world_row_count(world, "prop/E/m/e/b"), 1);
    cr_assert_eq(dav_world_row_count(world, "prop/"), 1);
    cr_assert_str_eq(dav_world_last_note(world), "anna move folder:F/d ok");
    cr_assert_eq(ask("MOVE /dav/E/m/e/b", "Destination: /dav/F/c\r\n"), 204);
    cr_assert_str_eq(dav_world_file(world, "c"), "two");
    cr_assert(has_property("c"));
}

Test(dav_tree, a_copy_to_another_folder_leaves_the_first_as_it_is)
{
    set_property("d/a");
    cr_assert_eq(ask("COPY /dav/F/d", "Destination: /dav/E/d\r\n"), 201, "the same inner path");
    cr_assert_str_eq(dav_world_second_file(world, "d/a"), "one");
    cr_assert_str_eq(dav_world_file(world, "d/a"), "one");
    cr_assert_eq(dav_world_row_count(world, "prop/E/d/a"), 1);
    cr_assert_eq(dav_world_row_count(world, "prop/F/d/a"), 1);
    cr_assert_eq(ask("COPY /dav/F/c", "Destination: /dav/E/d/a\r\nOverwrite: F\r\n"), 412);
    cr_assert_eq(ask("COPY /dav/F/c", "Destination: /dav/E/d/a\r\n"), 204);
    cr_assert_eq(dav_world_row_count(world, "prop/E/"), 0, "what it had is gone");
    cr_assert_eq(ask("COPY /dav/F/c", "Destination: /dav/E\r\n"), 403);
    cr_assert_eq(ask("COPY /dav/F/c", "Destination: /dav/E/no/c\r\n"), 409);
}

Test(dav_tree, both_folders_have_a_say)
{
    dav_world_be(world, "rita");
    cr_assert_eq(ask("MOVE /dav/F/c", "Destination: /dav/E/c\r\n"), 403);
    cr_assert_eq(ask("COPY /dav/F/c", "Destination: /dav/F/x\r\n"), 403);
    cr_assert_eq(ask("COPY /dav/F/c", "Destination: /dav/E/c\r\n"), 201, "to read is enough");
    cr_assert_eq(ask("MOVE /dav/E/c", "Destination: /dav/F/x\r\n"), 403);
    dav_world_be(world, "bert");
    cr_assert_eq(ask("COPY /dav/F/c", "Destination: /dav/E/x\r\n"), 502, "he sees no E");
    dav_world_be(world, "anna");
    dav_world_be_of_a_site(world, true);
    cr_assert_eq(ask("COPY /dav/F/c", "Destination: /dav/E/x\r\n"), 502);
    cr_assert_not_null(strstr(
        (const char *)dav_ask(world, "COPY /dav/F/c", "Destination: /dav/E/x\r\n", "")->body.data,
        "other-site"));
    dav_world_be_of_a_site(world, false);
    cr_assert_null(dav_world_second_file(world, "x"));
    cr_assert_str_eq(dav_world_file(world, "c"), "three");
}

Test(dav_tree, a_lock_in_the_other_folder_holds)
{
    const char *lock = "<lockinfo xmlns='DAV:'><lockscope><exclusive/></lockscope><locktype>"
                       "<write/></locktype></lockinfo>";
    cr_assert_eq(dav_ask(world, "LOCK /dav/E/c", "", lock)->status, 201);
    dav_world_be(world, "rita");
    cr_assert_eq(ask("COPY /dav/F/c", "Destination: /dav/E/c\r\n"), 423);
    dav_world_be(world, "anna");
    cr_assert_eq(ask("MOVE /dav/F/c", "Destination: /dav/E/c\r\n"), 423, "without its token");
    cr_assert_str_eq(dav_world_file(world, "c"), "three");
}

/* What was begun is brought to its end without the client: properties and files stay together. */
Test(dav_tree, a_client_that_leaves_does_not_part_files_from_properties)
{
    for (unsigned turns = 0; turns < 12; turns++) {
        teardown();
        setup();
        set_property("d/a");
        dav_ask_and_leave(world, "MOVE /dav/F/d", "Destination: /dav/F/m\r\n", "", turns);
        bool has_moved = dav_world_file(world, "m/a") != NULL;
        cr_assert_neq(has_moved, dav_world_file(world, "d/a") != NULL);
        cr_assert(has_property(has_moved ? "m/a" : "d/a"), "after %u", turns);
    }
}

Test(dav_tree, more_properties_than_one_batch_follow)
{
    char path[32];
    for (unsigned i = 0; i < 300; i++) {
        snprintf(path, sizeof(path), "d/f%u", i);
        dav_world_set_file(world, path, "x");
        set_property(path);
    }
    cr_assert_eq(ask("MOVE /dav/F/d", "Destination: /dav/F/m\r\n"), 201);
    cr_assert_eq(dav_world_row_count(world, "prop/F/m/"), 300);
    cr_assert_eq(dav_world_row_count(world, "prop/F/d/"), 0);
    cr_assert_eq(ask("DELETE /dav/F/m", ""), 204);
    cr_assert_eq(dav_world_row_count(world, "prop/"), 0);
}

Test(dav_tree, a_failure_is_told_and_changes_nothing)
{
    dav_world_fail_call(world, QN_ERR_NOSPACE);
    cr_assert_eq(ask("COPY /dav/F/d", "Destination: /dav/F/m\r\n"), 507);
    dav_world_fail_call(world, QN_ERR_CLOSED);
    cr_assert_eq(ask("MOVE /dav/F/d", "Destination: /dav/F/m\r\n"), 503);
    dav_world_fail_call(world, QN_ERR_DENIED);
    cr_assert_eq(ask("DELETE /dav/F/d", ""), 403);
    cr_assert_str_eq(dav_world_file(world, "d/a"), "one");
}
