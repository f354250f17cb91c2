#include <sys/stat.h>
#include <unistd.h>

#include "config_fixture.h"

static void check_defaults(const struct qn_config *config)
{
    cr_assert_str_eq(config->listen, "");
    cr_assert_str_eq(config->advertise, "");
    cr_assert_str_eq(config->control_group, "");
    cr_assert_eq(config->log_level, QN_LOG_INFO);
    cr_assert_eq(config->map_size, (size_t)64 << 30);
}

/* ---- what is taken ---- */

Test(config, a_missing_file_gives_the_defaults)
{
    FIXTURE;
    cr_assert_eq(qn_config_read(f.path, &f.config, &f.errors), QN_OK);
    check_defaults(&f.config);
    cr_assert_eq(f.errors.size, 0);
}

Test(config, an_empty_file_gives_the_defaults)
{
    FIXTURE;
    cr_assert_eq(read_text(&f, ""), QN_OK);
    check_defaults(&f.config);
    cr_assert_eq(read_text(&f, "[site]\n[log]\n[store]\n[control]"), QN_OK);
    check_defaults(&f.config);
}

Test(config, every_key_is_taken)
{
    FIXTURE;
    cr_assert_eq(read_text(&f, "[site]\nlisten = 192.168.1.10:7117\nadvertise=luzech.example:1\n"
                               "[log]\nlevel = debug\n[store]\nmap-size = 2G\n"
                               "[control]\ngroup = domain users\n"),
                 QN_OK);
    cr_assert_str_eq(f.config.listen, "192.168.1.10:7117");
    cr_assert_str_eq(f.config.advertise, "luzech.example:1");
    cr_assert_eq(f.config.log_level, QN_LOG_DEBUG);
    cr_assert_eq(f.config.map_size, (size_t)2 << 30);
    cr_assert_str_eq(f.config.control_group, "domain users");
}

Test(config, white_space_and_comments_do_not_matter)
{
    FIXTURE;
    cr_assert_eq(read_text(&f, "\xef\xbb\xbf# \xff\n; x\n  # y\n\n\t[site] \r\n"
                               "  listen\t= \t[::]:7117 \t\r\n\t advertise   =a:2\n"
                               "    ; listen = no\n[log]\n   level = error"),
                 QN_OK);
    cr_assert_str_eq(f.config.listen, "[::]:7117");
    cr_assert_str_eq(f.config.advertise, "a:2");
    cr_assert_eq(f.config.log_level, QN_LOG_ERROR);
}

Test(config, a_semicolon_or_hash_within_a_value_belongs_to_it)
{
    FIXTURE;
    cr_assert_eq(read_text(&f, "[control]\ngroup = a ;b #c = d\n"), QN_OK);
    cr_assert_str_eq(f.config.control_group, "a ;b #c = d");
}

Test(config, the_longest_address_is_taken)
{
    FIXTURE;
    char host[256], content[512];
    memset(host, 'h', 255);
    host[255] = '\0';
    snprintf(content, sizeof(content), "[site]\nlisten = %s:65535\n", host);
    cr_assert_eq(read_text(&f, content), QN_OK);
    cr_assert_eq(strlen(f.config.listen), QN_ADDRESS_SIZE_MAX);
    snprintf(content, sizeof(content), "[site]\nlisten = %sh:1\n", host);
    cr_assert_eq(read_text(&f, content), QN_ERR_INVALID);
}

Test(config, a_key_that_is_set_again_replaces)
{
    FIXTURE;
    cr_assert_eq(read_text(&f, "[log]\nlevel=error\n[site]\nlisten=longer.example:1\nlisten=b:2\n"
                               "[log]\nlevel=warning\n"),
                 QN_OK);
    cr_assert_str_eq(f.config.listen, "b:2");
    cr_assert_eq(f.config.log_level, QN_LOG_WARNING);
}

Test(config, sizes)
{
    static const struct {
        const char *text;
        size_t size; /* 0: refused */
    } cases[] = {
        {"64M", (size_t)64 << 20},
        {"67108864", (size_t)64 << 20},
        {"65536K", (size_t)64 << 20},
        {"1G", (size_t)1 << 30},
        {"1T", (size_t)1 << 40},
        {"1024G", (size_t)1 << 40},
        {"1099511627776", (size_t)1 << 40},
        {"63M", 0},
        {"67108863", 0},
        {"1099511627777", 0},
        {"1025G", 0},
        {"2T", 0},
        {"16777216T", 0},
        {"18446744073709551616", 0},
        {"99999999999999999999999999T", 0},
        {"0", 0},
        {"", 0},
        {"G", 0},
        {"-1G", 0},
        {"+1G", 0},
        {"1.5G", 0},
        {"0x40000000", 0},
        {"1g", 0},
        {"1P", 0},
        {"1GB", 0},
        {"1GiB", 0},
        {"1 G", 0},
        {"1G ; about", 0},
    };
    FIXTURE;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char content[128];
        snprintf(content, sizeof(content), "[store]\nmap-size = %s\n", cases[i].text);
        enum qn_err wanted = cases[i].size == 0 ? QN_ERR_INVALID : QN_OK;
        cr_assert_eq(read_text(&f, content), wanted, "%s", cases[i].text);
        if (wanted == QN_OK)
            cr_assert_eq(f.config.map_size, cases[i].size, "%s", cases[i].text);
    }
}

Test(config, limits_of_the_log)
{
    static const struct {
        const char *line;
        bool is_good;
    } cases[] = {
        {"log-operations = 1000", true},
        {"log-operations = 999", false},
        {"log-operations = 100000000", true},
        {"log-operations = 100000001", false},
        {"log-operations = 5K", false},
        {"log-operations =", false},
        {"log-size = 1M", true},
        {"log-size = 1T", true},
        {"log-size = 1023K", false},
        {"log-size = 2T", false},
        {"log-age = 1d", true},
        {"log-age = 36500d", true},
        {"log-age = 0d", false},
        {"log-age = 36501d", false},
        {"log-age = 120", false},
        {"log-age = 99999999d", false},
    };
    FIXTURE;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char content[128];
        snprintf(content, sizeof(content), "[records]\n%s\n", cases[i].line);
        cr_assert_eq(read_text(&f, content), cases[i].is_good ? QN_OK : QN_ERR_INVALID, "%s",
                     cases[i].line);
    }
    cr_assert_eq(read_text(&f, "[records]\nlog-size = 2M\nlog-age = 3d\n"), QN_OK);
    cr_assert_eq(f.config.records.log_ops, 200000);
    cr_assert_eq(f.config.records.log_bytes, 2 << 20);
    cr_assert_eq(f.config.records.log_days, 3);
}

Test(config, addresses)
{
    static const struct {
        const char *text;
        bool is_good;
    } cases[] = {
        {"0.0.0.0:1", true},
        {"a-b.c_d.Example:65535", true},
        {"[::]:7117", true},
        {"[2001:db8::1]:7117", true},
        {"[::ffff:10.0.0.1]:7117", true},
        {"", false},
        {"host", false},
        {"host:", false},
        {":7117", false},
        {"7117", false},
        {"host:0", false},
        {"host:65536", false},
        {"host:99999999999999999999", false},
        {"host:+1", false},
        {"host:-1", false},
        {"host:007", false},
        {"host:7117x", false},
        {"host: 7117", false},
        {"ho st:7117", false},
        {"host:7117 # x", false},
        {"host:7117 ;x", false},
        {"http://host:7117", false},
        {"h\xc3\xb4te:7117", false},
        {"::1:7117", false},
        {"[]:7117", false},
        {"[host]:7117", false},
        {"[::1:7117", false},
        {"::1]:7117", false},
        {"[::1]7117", false},
        {"[::1]", false},
        {"[::1]]:7117", false},
        {"[10.0.0.1]:7117", false},
        {"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:7117", false},
    };
    FIXTURE;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (int key = 0; key < 2; key++) {
            char content[128];
            snprintf(content, sizeof(content), "[site]\n%s = %s\n", key ? "advertise" : "listen",
                     cases[i].text);
            enum qn_err wanted = cases[i].is_good ? QN_OK : QN_ERR_INVALID;
            cr_assert_eq(read_text(&f, content), wanted, "%s", cases[i].text);
            if (cases[i].is_good)
                cr_assert_str_eq(key ? f.config.advertise : f.config.listen, cases[i].text);
        }
}

Test(config, levels)
{
    static const char *const words[] = {"error", "warning", "info", "debug"};
    static const char *const wrong[] = {"", "Error", "warn", "infos", "3", "error "};
    enum qn_log_level level = QN_LOG_INFO;
    for (int i = 0; i < 4; i++) {
        cr_assert(qn_log_level_parse(words[i], &level));
        cr_assert_eq((int)level, i);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_not(qn_log_level_parse(wrong[i], &level), "%s", wrong[i]);
    cr_assert_eq(level, QN_LOG_DEBUG);
}

/* ---- what is refused, and where ---- */

#define BAD_LINE    ": not `key = value`, `[section]` or `# comment`\n"
#define BAD_ADDRESS ": not HOST:PORT or [IPV6]:PORT with a port from 1 to 65535\n"
#define BAD_LEVEL   ": not error, warning, info or debug\n"
#define BAD_SIZE    ": not a size from 64M to 1T (units K, M, G, T)\n"

Test(config, all_mistakes_are_told_with_their_lines)
{
    check_refused("# head\n"
                  "early = 1\n"        /* 2 */
                  "[site]\n"           /* 3 */
                  "listen = nowhere\n" /* 4 */
                  "\n"                 /* 5 */
                  "just words\n"       /* 6 */
                  "Listen = a:1\n"     /* 7 */
                  "  other words\n"    /* 8 */
                  "advertise = a:1\n"  /* 9 */
                  "[logs]\n"           /* 10 */
                  "level = debug\n"    /* 11: its section was refused */
                  "[log]\n"            /* 12 */
                  "level = loud\n"     /* 13 */
                  "; comment\n"        /* 14 */
                  "[store]\n"          /* 15 */
                  "map-size = 5X\n"    /* 16 */
                  "map_size = 1G\n"    /* 17 */
                  "[control]\n"        /* 18 */
                  "group =",           /* 19 */
                  "quoin.conf:2: early: a key before the first [section]\n"
                  "quoin.conf:4: listen" BAD_ADDRESS "quoin.conf:6" BAD_LINE
                  "quoin.conf:7: Listen: unknown key in this section\n"
                  "quoin.conf:8" BAD_LINE "quoin.conf:10: [logs]: unknown section\n"
                  "quoin.conf:13: level" BAD_LEVEL "quoin.conf:16: map-size" BAD_SIZE
                  "quoin.conf:17: map_size: unknown key in this section\n"
                  "quoin.conf:19: group: not the name of a group\n");
}

Test(config, a_section_without_keys_is_checked)
{
    check_refused("[site]\n[sites]", "quoin.conf:2: [sites]: unknown section\n");
}

Test(config, headings_are_strict)
{
    check_refused("[site\nlisten = x\n", "quoin.conf:1: not a heading like [section]\n");
    check_refused("[log] ; x\nlevel = x\n", "quoin.conf:1: not a heading like [section]\n");
    check_refused("[log]level = error\n", "quoin.conf:1: not a heading like [section]\n");
    check_refused("\n[[log]]\n", "quoin.conf:2: not a heading like [section]\n");
    check_refused("\n[ log ]\n", "quoin.conf:2: [ log ]: unknown section\n");
    check_refused("[]\n", "quoin.conf:1: []: unknown section\n");
    check_refused("[LOG]\n", "quoin.conf:1: [LOG]: unknown section\n");
    check_refused("[\x1b]\n", "quoin.conf:1: ?: unknown section\n");
}

Test(config, keys_stay_out_of_the_section_above_a_bad_heading)
{
    check_refused("[log]\n[site\nlevel = error\n[log]\nlevel = x\n",
                  "quoin.conf:2: not a heading like [section]\nquoin.conf:5: level" BAD_LEVEL);
}

Test(config, a_colon_does_not_separate)
{
    check_refused("[log]\nlevel: error\n", "quoin.conf:2" BAD_LINE);
    check_refused("[log]\nlevel: x = error\n", "quoin.conf:2" BAD_LINE);
    check_refused("[site]\nlisten 10.0.0.1:7117\n", "quoin.conf:2" BAD_LINE);
}

Test(config, lines_without_a_key)
{
    check_refused("[log]\n= error\n", "quoin.conf:2" BAD_LINE);
    check_refused("[log]\nlevel ; = error\n", "quoin.conf:2" BAD_LINE);
    check_refused("[log]\nlevel ; = error\nlevel = x\n",
                  "quoin.conf:2" BAD_LINE "quoin.conf:3: level" BAD_LEVEL);
    check_refused("[log]\nlevel\xff = error\n", "quoin.conf:2: ?: unknown key in this section\n");
}

Test(config, an_indented_line_does_not_continue_the_one_above)
{
    check_refused("[site]\nlisten = a:1\n  b:2\n", "quoin.conf:3" BAD_LINE);
    check_refused("[log]\nlevel = error\n  level = x\n", "quoin.conf:3: level" BAD_LEVEL);
}

Test(config, groups)
{
    static const char complaint[] = "quoin.conf:2: group: not the name of a group\n";
    check_refused("[control]\ngroup = a:b\n", complaint);
    check_refused("[control]\ngroup = a\x01z\n", complaint);
    check_refused("[control]\ngroup = "
                  "1234567890123456789012345678901234567890123456789012345678901234\n",
                  complaint);
    FIXTURE;
    cr_assert_eq(read_text(&f, "[control]\ngroup = "
                               "123456789012345678901234567890123456789012345678901234567890123\n"),
                 QN_OK);
    cr_assert_eq(strlen(f.config.control_group), 63);
}

Test(config, a_zero_byte_is_refused_where_it_is)
{
    FIXTURE;
    cr_assert_eq(read_span(&f, SPAN("[log]\nlevel = error\0x\n\0\nlevel = x\n")), QN_ERR_INVALID);
    check_errors(&f, "quoin.conf:2: a zero byte\nquoin.conf:3: a zero byte\n"
                     "quoin.conf:4: level" BAD_LEVEL);
}

/* Longer than inih's own lines, at every length around its bound. */
Test(config, long_lines_keep_their_numbers)
{
    FIXTURE;
    for (size_t size = 190; size < 420; size++) {
        char spaces[512], content[1200];
        memset(spaces, ' ', sizeof(spaces));
        snprintf(content, sizeof(content), "[log]\n#%.*sx\nlevel =%.*serror\nlevel = x\n",
                 (int)size, spaces, (int)size, spaces);
        cr_assert_eq(read_text(&f, content), QN_ERR_INVALID);
        check_errors(&f, "quoin.conf:4: level" BAD_LEVEL);
        snprintf(content, sizeof(content), "[log]\nlevel%.*s=x\nlevel = x\n", (int)size, spaces);
        cr_assert_eq(read_text(&f, content), QN_ERR_INVALID);
        char *errors = errors_of(&f);
        cr_assert_not_null(strstr(errors, "quoin.conf:2: "));
        cr_assert_not_null(strstr(errors, "quoin.conf:3: level" BAD_LEVEL));
        qn_free(errors);
    }
}

Test(config, mistakes_that_do_not_fit_are_mistakes)
{
    FIXTURE;
    qn_buf_deinit(&f.errors);
    qn_buf_init(&f.errors, 8);
    cr_assert_eq(read_text(&f, "nonsense\n"), QN_ERR_INVALID);
    cr_assert(is_untouched(&f));
}

/* ---- files ---- */

Test(config, dropins_override_in_the_order_of_their_bytes)
{
    FIXTURE;
    write_dropin(&f, "quoin.conf.d/b.conf", "[site]\nlisten = b:1\nadvertise = b:1\n");
    write_dropin(&f, "quoin.conf.d/a.conf", "[site]\nlisten = a:1\n[log]\nlevel = error\n");
    write_dropin(&f, "quoin.conf.d/Z.conf", "[site]\nlisten = z:1\n[log]\nlevel = debug\n");
    cr_assert_eq(read_text(&f, "[site]\nlisten = m:1\nadvertise = m:1\n[store]\nmap-size=1G\n"),
                 QN_OK);
    cr_assert_str_eq(f.config.listen, "b:1");
    cr_assert_str_eq(f.config.advertise, "b:1");
    cr_assert_eq(f.config.log_level, QN_LOG_ERROR);
    cr_assert_eq(f.config.map_size, (size_t)1 << 30);
}

Test(config, dropins_are_read_without_the_file)
{
    FIXTURE;
    write_dropin(&f, "quoin.conf.d/a.conf", "[log]\nlevel = error\n");
    cr_assert_eq(qn_config_read(f.path, &f.config, &f.errors), QN_OK);
    cr_assert_eq(f.config.log_level, QN_LOG_ERROR);
}

Test(config, other_names_are_not_dropins)
{
    FIXTURE;
    write_dropin(&f, "quoin.conf.d/a.conf~", "nonsense");
    write_dropin(&f, "quoin.conf.d/.b.conf", "nonsense");
    write_dropin(&f, "quoin.conf.d/.conf", "nonsense");
    write_dropin(&f, "quoin.conf.d/cconf", "nonsense");
    write_dropin(&f, "quoin.conf.d/d.CONF", "nonsense");
    cr_assert_eq(read_text(&f, ""), QN_OK);
    check_defaults(&f.config);
}

Test(config, a_section_does_not_reach_into_the_next_file)
{
    FIXTURE;
    write_dropin(&f, "quoin.conf.d/a.conf", "level = error\n");
    cr_assert_eq(read_text(&f, "[log]\n"), QN_ERR_INVALID);
    check_errors(&f, "quoin.conf.d/a.conf:1: level: a key before the first [section]\n");
}

Test(config, mistakes_of_all_files_are_told)
{
    FIXTURE;
    write_dropin(&f, "quoin.conf.d/2.conf", "\n\n[x]\n");
    write_dropin(&f, "quoin.conf.d/1.conf", "[log]\nlevel = 1\n");
    cr_assert_eq(read_text(&f, "y"), QN_ERR_INVALID);
    check_errors(&f, "quoin.conf:1" BAD_LINE "quoin.conf.d/1.conf:2: level" BAD_LEVEL
                     "quoin.conf.d/2.conf:3: [x]: unknown section\n");
    cr_assert(is_untouched(&f));
}

Test(config, links_are_followed)
{
    FIXTURE;
    char link[TMP_PATH_SIZE];
    write_file(&f, "elsewhere", qn_span_str("[log]\nlevel = error\n"));
    cr_assert_eq(symlink("elsewhere", f.path), 0);
    write_dropin(&f, "quoin.conf.d/a.conf", "");
    cr_assert_eq(symlink("nowhere", tmp_dir_at(&f.dir, "quoin.conf.d/b.conf", link)), 0);
    cr_assert_eq(qn_config_read(f.path, &f.config, &f.errors), QN_OK);
    cr_assert_eq(f.config.log_level, QN_LOG_ERROR);
}

Test(config, what_is_no_file_is_refused)
{
    FIXTURE;
    cr_assert_eq(mkdir(f.path, 0755), 0);
    cr_assert_eq(qn_config_read(f.path, &f.config, &f.errors), QN_ERR_INVALID);
    cr_assert(f.errors.size > 0);
    cr_assert_eq(rmdir(f.path), 0);
    cr_assert_eq(mkfifo(f.path, 0644), 0);
    cr_assert_eq(qn_config_read(f.path, &f.config, &f.errors), QN_ERR_INVALID);
    cr_assert(is_untouched(&f));
}

Test(config, a_huge_file_is_refused)
{
    FIXTURE;
    size_t size = 256 * 1024 + 1;
    char *content = qn_alloc(size);
    memset(content, '\n', size);
    cr_assert_eq(read_span(&f, qn_span(content, size - 1)), QN_OK);
    cr_assert_eq(read_span(&f, qn_span(content, size)), QN_ERR_INVALID);
    check_errors(&f, "quoin.conf: cannot be read: it is too large\n");
    qn_free(content);
}

Test(config, what_the_reading_unit_may_read)
{
    static const char *const good[] = {"", "/", "/srv", "/srv /home/a  /b.c/..d"};
    static const char *const bad[] = {"srv",      "/srv/", "/srv //x", "/a/../b", "/a/./b",
                                      "/srv, /a", "/a b",  "//",       "/a/..",   "."};
    char text[256];
    FIXTURE;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(text, sizeof(text), "[reader]\nallow = %s\n", good[i]);
        cr_assert_eq(read_span(&f, qn_span_str(text)), QN_OK, "%s", text);
        cr_assert_str_eq(f.config.reader_allow, good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "[reader]\nallow = %s\n", bad[i]);
        cr_assert_eq(read_span(&f, qn_span_str(text)), QN_ERR_INVALID, "%s", text);
    }
}

Test(config, the_socket_of_the_reading_unit_if_it_is_there)
{
    char text[TMP_PATH_SIZE + 64], path[TMP_PATH_SIZE];
    FIXTURE;
    cr_assert_eq(read_span(&f, qn_span_str("")), QN_OK);
    cr_assert_str_eq(f.config.reader_socket, "/run/quoin-reader/reader.sock");
    snprintf(text, sizeof(text), "[reader]\nsocket = %s\n", tmp_dir_at(&f.dir, "s", path));
    cr_assert_eq(read_span(&f, qn_span_str(text)), QN_OK);
    cr_assert_null(qn_config_reader(&f.config));
    write_file(&f, "s", qn_span_str(""));
    cr_assert_str_eq(qn_config_reader(&f.config), path);
    cr_assert_eq(read_span(&f, qn_span_str("[reader]\nsocket = relative\n")), QN_ERR_INVALID);
}

/* ---- backups, mail, bandwidth ---- */

#define BAD_COMMAND ": not a command of 1 to 511 bytes\n"
#define BAD_STREAM  ": not a file name and a command, or more than four of them\n"
#define BAD_TIME    ": not a time from 1s to 7d (units s, m, h, d)\n"
#define BAD_MAIL    ": not addresses NAME@HOST with commas between them\n"
#define BAD_FROM    ": not one address NAME@HOST\n"

Test(config, backups_have_sections_by_their_names)
{
    FIXTURE;
    cr_assert_eq(
        read_text(&f, "[backup house]\nbefore = echo \"a; b\" # no comment\n"
                      "after = run = x\nstream = db/all.sql  pg_dumpall\ntime-limit = 90s\n"
                      "[log]\nlevel = error\n"
                      "[backup a-name-that-is-longer-than-any-section-that-inih-would-take-it]\n"
                      "stream = /x y\n"
                      "[backup house]\nbefore = true\nstream = /db/all.sql other\n"
                      "stream = second echo\n"),
        QN_OK);
    cr_assert_eq(f.config.backup_count, 2);
    const struct qn_config_backup *house = qn_config_find_backup(&f.config, "house");
    cr_assert_str_eq(house->before, "true");
    cr_assert_str_eq(house->after, "run = x");
    cr_assert_eq(house->time_max_ms, 90000);
    cr_assert_eq(house->stream_count, 2);
    cr_assert_str_eq(house->streams[0].path, "/db/all.sql");
    cr_assert_str_eq(house->streams[0].command, "other");
    cr_assert_str_eq(house->streams[1].path, "/second");
    const struct qn_config_backup *other = &f.config.backups[1];
    cr_assert_eq(strlen(other->plan), 62);
    cr_assert_str_eq(other->streams[0].path, "/x");
    cr_assert_eq(other->time_max_ms, (uint64_t)6 * 3600 * 1000);
    cr_assert_null(qn_config_find_backup(&f.config, "none"));
}

Test(config, of_backups_what_makes_no_sense_is_refused)
{
    check_refused("[backup]\nbefore = x\n", "quoin.conf:1: [backup]: unknown section\n");
    check_refused("[backup a/b]\nbefore = x\n",
                  "quoin.conf:1: not a heading like [backup NAME], with the name of a backup\n");
    check_refused("[backup a]\nbefore =\n", "quoin.conf:2: before" BAD_COMMAND);
    check_refused("[backup a]\nduring = x\n",
                  "quoin.conf:2: during: unknown key in this section\n");
    check_refused("[log]\nbefore = x\n", "quoin.conf:2: before: unknown key in this section\n");
    static const char *const streams[] = {"", "x", "/ x", "../x y", "a//b y", "a/ y", "a/./b y"};
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        char content[64];
        snprintf(content, sizeof(content), "[backup a]\nstream = %s\n", streams[i]);
        check_refused(content, "quoin.conf:2: stream" BAD_STREAM);
    }
    static const char *const times[] = {"", "0s", "8d", "1", "h", "1 h", "1w", "-1s", "9999999s"};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        char content[64];
        snprintf(content, sizeof(content), "[backup a]\ntime-limit = %s\n", times[i]);
        check_refused(content, "quoin.conf:2: time-limit" BAD_TIME);
    }
    check_refused(
        "[backup a]\nstream = 1 x\nstream = 2 x\nstream = 3 x\nstream = 4 x\nstream = 5 x\n",
        "quoin.conf:6: stream" BAD_STREAM);
}

Test(config, a_command_has_a_limit)
{
    FIXTURE;
    char content[600] = "[backup a]\nafter = ";
    size_t at = strlen(content);
    memset(content + at, 'x', 511);
    cr_assert_eq(read_text(&f, content), QN_OK);
    content[at + 511] = 'x';
    cr_assert_eq(read_text(&f, content), QN_ERR_INVALID);
}

Test(config, sections_of_backups_have_a_limit)
{
    FIXTURE;
    char content[2048] = "";
    for (int i = 0; i <= QN_CONFIG_BACKUPS_MAX; i++)
        snprintf(content + strlen(content), sizeof(content) - strlen(content), "[backup b%d]\n", i);
    cr_assert_eq(read_text(&f, content), QN_ERR_INVALID);
    check_errors(&f, "quoin.conf:17: too many sections of backups; 16 are possible\n");
}

Test(config, mail_and_bandwidth)
{
    FIXTURE;
    cr_assert_eq(read_text(&f, "[mail]\nto = a@b.example, c+d@e\nfrom = quoin@home\n"
                               "sendmail = /usr/bin/msmtp\nremind = 7d\nlanguage = en\n"
                               "[offsite]\nrate = 2Mbit mon-fri 08:00-18:00, else full\n"),
                 QN_OK);
    cr_assert_str_eq(f.config.mail.to, "a@b.example, c+d@e");
    cr_assert_str_eq(f.config.mail.from, "quoin@home");
    cr_assert_str_eq(f.config.mail.program, "/usr/bin/msmtp");
    cr_assert_eq(f.config.mail.remind_days, 7);
    cr_assert_str_eq(f.config.mail.language, "en");
    cr_assert_eq(f.config.rate.count, 1);
    cr_assert_eq(f.config.rate.rows[0].bytes_per_s, 250000);
    cr_assert_eq(read_text(&f, ""), QN_OK);
    cr_assert_str_eq(f.config.mail.to, "");
    cr_assert_str_eq(f.config.mail.program, "/usr/sbin/sendmail");
    cr_assert_eq(f.config.rate.otherwise, UINT64_MAX);
}

Test(config, how_long_the_trail_is_kept)
{
    FIXTURE;
    static const char *const wrong[] = {"5m", "121m", "12", "m", "12d", "1y", "-12m"};
    cr_assert_eq(read_text(&f, "[audit]\nkeep = 24m\n"), QN_OK);
    cr_assert_eq(f.config.audit_keep_months, 24);
    cr_assert_eq(read_text(&f, ""), QN_OK);
    cr_assert_eq(f.config.audit_keep_months, 12);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char content[64];
        snprintf(content, sizeof(content), "[audit]\nkeep = %s\n", wrong[i]);
        cr_assert_eq(read_text(&f, content), QN_ERR_INVALID, "%s", wrong[i]);
    }
}

/* Nothing may end a line of the head of a mail, or be an option of a program. */
Test(config, addresses_of_mail_are_plain)
{
    static const char *const wrong[] = {"",      "a",       "@b",      "a@",       "a@b@c",
                                        "-a@b",  "a b@c",   "a@b c@d", "a@b,",     ",a@b",
                                        "<a@b>", "a@b;c@d", "\"a\"@b", "a@b,,c@d", "A <a@b>"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char content[64];
        snprintf(content, sizeof(content), "[mail]\nto = %s\n", wrong[i]);
        check_refused(content, "quoin.conf:2: to" BAD_MAIL);
    }
    check_refused("[mail]\nfrom = a@b, c@d\n", "quoin.conf:2: from" BAD_FROM);
    check_refused("[mail]\nsendmail = sendmail\n",
                  "quoin.conf:2: sendmail: not an absolute path of at most 255 bytes\n");
    check_refused("[mail]\nremind = 0d\n",
                  "quoin.conf:2: remind: not a number of days from 1d to 365d\n");
    check_refused("[mail]\nlanguage = de\n", "quoin.conf:2: language: not fr or en\n");
    check_refused("[offsite]\nrate = fast\n",
                  "quoin.conf:2: rate: not a timetable such as `2Mbit mon-fri 08:00-18:00, else "
                  "full`\n");
}

/* ---- who may change it ---- */

static void check_distrust(struct fixture *f, const char *name)
{
    char path[TMP_PATH_SIZE] = "";
    cr_assert_eq(qn_config_read(f->path, &f->config, &f->errors), QN_OK);
    if (name != NULL)
        tmp_dir_at(&f->dir, name, path);
    cr_assert_str_eq(f->config.distrusted, path);
}

Test(config, what_others_may_change_is_told)
{
    FIXTURE;
    char path[TMP_PATH_SIZE];
    check_distrust(&f, NULL); /* there is none */
    cr_assert_eq(read_text(&f, ""), QN_OK);
    write_dropin(&f, "quoin.conf.d/1.conf", "");
    cr_assert_eq(chmod(f.path, 0644), 0);
    cr_assert_eq(chmod(tmp_dir_at(&f.dir, "quoin.conf.d/1.conf", path), 0644), 0);
    check_distrust(&f, NULL);
    cr_assert_eq(chmod(f.path, 0664), 0);
    check_distrust(&f, "quoin.conf");
    cr_assert_eq(chmod(f.path, 0602), 0);
    check_distrust(&f, "quoin.conf");
    cr_assert_eq(chmod(f.path, 0600), 0);
    cr_assert_eq(chmod(path, 0620), 0);
    check_distrust(&f, "quoin.conf.d/1.conf");
    cr_assert_eq(chmod(path, 0600), 0);
    cr_assert_eq(chmod(tmp_dir_at(&f.dir, "quoin.conf.d", path), 0777), 0);
    check_distrust(&f, "quoin.conf.d");
    cr_assert_eq(chmod(path, 0700), 0);
    check_distrust(&f, NULL);
}

Test(config, what_belongs_to_another_is_told)
{
    FIXTURE;
    if (geteuid() != 0)
        return; /* only root gives files away */
    cr_assert_eq(read_text(&f, ""), QN_OK);
    cr_assert_eq(chown(f.path, 12345, (gid_t)-1), 0);
    check_distrust(&f, "quoin.conf");
}
