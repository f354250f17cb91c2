#include <criterion/criterion.h>
#include <stdlib.h>

#include "syncctl/ctl.h"

struct line {
    struct ctl ctl;
    char *out, *err;
    size_t out_size, err_size;
    int code;
};

static struct line *parse(int count, const char **words)
{
    struct line *line = calloc(1, sizeof(*line));
    line->ctl = (struct ctl){.state_dir = "/default", .timeout_s = 30};
    line->ctl.out = open_memstream(&line->out, &line->out_size);
    line->ctl.err = open_memstream(&line->err, &line->err_size);
    line->code = ctl_parse(&line->ctl, count, (char *const *)words);
    fclose(line->ctl.out);
    fclose(line->ctl.err);
    return line;
}

static void drop(struct line *line)
{
    ctl_deinit(&line->ctl);
    free(line->out);
    free(line->err);
    free(line);
}

#define PARSE(...)                                                                                 \
    parse((int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),                           \
          (const char *[]){__VA_ARGS__})

Test(parse, options_stand_anywhere)
{
    struct line *line =
        PARSE("--state", "/a", "record", "--json", "get", "rooms", "--timeout=5", "12", "--quiet");
    cr_assert_eq(line->code, CTL_DONE);
    cr_assert_str_eq(line->ctl.command->verb, "get");
    cr_assert_str_eq(line->ctl.state_dir, "/a");
    cr_assert(line->ctl.is_json && line->ctl.is_quiet);
    cr_assert_eq(line->ctl.timeout_s, 5);
    cr_assert_eq(line->ctl.arguments.count, 2);
    cr_assert_str_eq(line->ctl.arguments.items[1], "12");
    drop(line);
}

Test(parse, options_before_their_command)
{
    struct line *line = PARSE("--site", "a", "--group=g", "init");
    cr_assert_eq(line->code, CTL_DONE);
    cr_assert_str_eq(ctl_value(&line->ctl, "site"), "a");
    cr_assert_str_eq(ctl_value(&line->ctl, "group"), "g");
    cr_assert_null(ctl_value(&line->ctl, "join"));
    drop(line);
}

Test(parse, two_dashes_end_the_options)
{
    struct line *line = PARSE("record", "put", "rooms", "--", "--json", "-a=1");
    cr_assert_eq(line->code, CTL_DONE);
    cr_assert_not(line->ctl.is_json);
    cr_assert_str_eq(line->ctl.arguments.items[1], "--json");
    cr_assert_str_eq(line->ctl.arguments.items[2], "-a=1");
    drop(line);
}

Test(parse, one_dash_is_an_argument_and_one_letter_an_option)
{
    struct line *line = PARSE("record", "put", "rooms", "12", "-");
    cr_assert_eq(line->code, CTL_DONE);
    cr_assert_str_eq(line->ctl.arguments.items[2], "-");
    drop(line);
    line = PARSE("status", "-x");
    cr_assert_eq(line->code, CTL_DONE);
    cr_assert(ctl_has(&line->ctl, "x"));
    drop(line);
}

Test(parse, the_last_of_an_option_counts)
{
    struct line *line = PARSE("record", "list", "a", "--limit", "1", "--limit=2");
    cr_assert_str_eq(ctl_value(&line->ctl, "limit"), "2");
    drop(line);
}

Test(parse, wrong_usage)
{
    static const struct {
        const char *words[6];
        const char *said;
    } cases[] = {
        {{"record", "put"}, "too few arguments"},
        {{"status", "now"}, "unexpected argument: now"},
        {{"frob"}, "unknown command: frob\n"},
        {{"frob", "it"}, "unknown command: frob it\n"},
        {{"recrod", "get"}, "syncctl record get COLLECTION KEY"},
        {{"record", "gte"}, "syncctl record get COLLECTION KEY"},
        {{"status", "--jsno"}, "did you mean --json?"},
        {{"status", "--limit", "3"}, "unknown option --limit"},
        {{"--limit", "3", "status"}, "no option --limit"},
        {{"status", "--json=1"}, "takes no value"},
        {{"status", "--state="}, "needs the name of a directory"},
        {{"status", "--state"}, "needs a value: DIR"},
        {{"status", "--timeout", "0"}, "1 to 3600"},
        {{"status", "--x"}, "unknown option --x"},
        {{"status", "\xff"}, "not valid UTF-8"},
        {{"--json"}, "no command"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int count = 0;
        while (cases[i].words[count] != NULL)
            count++;
        struct line *line = parse(count, (const char **)cases[i].words);
        cr_assert_eq(line->code, CTL_USAGE, "%s", cases[i].said);
        cr_assert(strstr(line->err, cases[i].said), "%s: %s", cases[i].said, line->err);
        drop(line);
    }
}

Test(parse, a_noun_alone_explains_itself)
{
    struct line *line = PARSE("record");
    cr_assert_eq(line->code, CTL_USAGE);
    cr_assert(strstr(line->out, "syncctl record import COLLECTION FILE|-"));
    drop(line);
}

Test(parse, distance)
{
    cr_assert_eq(ctl_distance("get", "get"), 0);
    cr_assert_eq(ctl_distance("get", "gte"), 2);
    cr_assert_eq(ctl_distance("list", "lst"), 1);
    cr_assert_eq(ctl_distance("", "abc"), 3);
}
