/* What a French administrator sees. The locale is made here, since a build machine may have none.
 */
#include <criterion/criterion.h>
#include <libintl.h>
#include <locale.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/pack.h"
#include "syncctl/json_in.h"
#include "syncctl/screen.h"
#include "syncctl/status.h"

#define NOW_MS 1764100000000u

#define LOCALE QN_TEST_LOCPATH "/fr_FR.UTF-8"

/* Made once, in the build directory: it takes seconds. Whoever comes second finds it complete. */
static void make_locale(void)
{
    if (access(LOCALE "/LC_MESSAGES", F_OK) == 0)
        return;
    static const char command[] =
        "set -e; mkdir -p " QN_TEST_LOCPATH "; new=$(mktemp -d " QN_TEST_LOCPATH "/new-XXXXXX);"
        " localedef -i fr_FR -f UTF-8 $new/fr; chmod 755 $new; mv -T $new/fr " LOCALE
        " 2>/dev/null || test -d " LOCALE "; rm -rf $new";
    if (system(command) != 0)
        cr_skip("localedef has no French here");
}

static void speak_french(void)
{
    make_locale();
    setenv("LOCPATH", QN_TEST_LOCPATH, 1);
    unsetenv("LANGUAGE");
    cr_assert_not_null(setlocale(LC_ALL, "fr_FR.UTF-8"));
    setlocale(LC_NUMERIC, "C");
    bindtextdomain("quoin", QN_TEST_LOCALEDIR);
    bind_textdomain_codeset("quoin", "UTF-8");
    textdomain("quoin");
}

TestSuite(french, .init = speak_french);

static void pack(const char *json, struct qn_buf *out)
{
    json_error_t reason;
    json_t *value = ctl_json_parse(qn_span_str(json), &reason);
    cr_assert_not_null(value, "%s", reason.text);
    qn_buf_init(out, 64 * 1024);
    ctl_json_pack(value, out);
    json_decref(value);
}

static void expect_report(const char *json, const char *expected)
{
    QN_AUTO_BUF struct qn_buf status;
    pack(json, &status);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct ctl_report report = {.out = out, .now_ms = NOW_MS};
    ctl_report_print(&report, qn_buf_view(&status));
    fclose(out);
    cr_assert_str_eq(text, expected, "%s", text);
    free(text);
}

static const char ill[] =
    "{\"alerts\":[{\"code\":\"site-offline\",\"count\":0,\"object\":\"arcambal\","
    "\"severity\":\"attention\",\"time\":1764092800000}],\"backups\":[],"
    "\"collections\":[{\"behind\":{\"arcambal\":3},\"conflicts\":1,\"in_sync\":false,"
    "\"members\":[\"arcambal\",\"pradines\"],\"name\":\"salles\",\"records\":12}],"
    "\"group\":\"lot\",\"held\":[],\"site\":\"pradines\","
    "\"sites\":[{\"address\":\"10.0.0.2:7117\",\"last_contact\":1764092800000,"
    "\"name\":\"arcambal\",\"role\":\"member\",\"state\":\"offline\",\"version\":\"0.1.0\"}],"
    "\"state\":\"attention\",\"version\":\"0.1.0\"}";

Test(french, status)
{
    expect_report(
        ill, "  groupe : lot\n"
             "    site : pradines (Quoin 0.1.0)\n"
             "    état : attention\n"
             "\n"
             "sites :\n"
             "  NOM       ÉTAT        DERNIER CONTACT  ADRESSE        RÔLE    VERSION\n"
             "  arcambal  hors ligne  il y a 2 heures  10.0.0.2:7117  membre  0.1.0\n"
             "\n"
             "collections :\n"
             "  NOM     ENREGISTREMENTS  CONFLITS  ÉTAT\n"
             "  salles  12               1         en retard : arcambal 3\n"
             "\n"
             "alertes :\n"
             "  attention : le site arcambal est injoignable ; dernier contact : il y a 2 heures"
             " [site-offline]\n"
             "    à faire : Vérifiez que son démon est en marche et que la liaison entre les sites"
             " fonctionne.\n");
}

/* JSON is for programs: it is the same in every language. */
Test(french, json_is_not_translated)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    QN_AUTO_BUF struct qn_buf status;
    pack(ill, &status);
    ctl_report_json(out, qn_buf_view(&status));
    fclose(out);
    cr_assert_not_null(strstr(text, "\"text\":\"site arcambal cannot be reached; last contact: "
                                    "2025-11-25T17:46:40.000Z\""));
    cr_assert_not_null(strstr(text, "\"state\":\"offline\""));
    free(text);
}

static void expect_ago(uint64_t seconds, const char *expected)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 256);
    ctl_append_ago(&text, NOW_MS, NOW_MS - seconds * 1000);
    cr_assert(qn_span_eq_str(qn_buf_view(&text), expected), "%s", expected);
}

Test(french, how_long_ago)
{
    expect_ago(0, "il y a 0 seconde");
    expect_ago(1, "il y a 1 seconde");
    expect_ago(90, "il y a 90 secondes");
    expect_ago(3600, "il y a 60 minutes");
    expect_ago(7200, "il y a 2 heures");
    expect_ago(3 * 86400, "il y a 3 jours");
}
