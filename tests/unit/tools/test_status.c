#include <criterion/criterion.h>
#include <stdlib.h>

#include "proto/pack.h"
#include "syncctl/json_in.h"
#include "syncctl/status.h"

#define NOW_MS 1764100000000u

static const char ill[] =
    "{\"alerts\":[{\"code\":\"site-offline\",\"count\":0,\"object\":\"arcambal\","
    "\"severity\":\"attention\",\"time\":1764092800000},"
    "{\"code\":\"kit-unconfirmed\",\"count\":0,\"object\":\"recovery-kit.txt\","
    "\"severity\":\"hint\",\"time\":null}],\"backups\":[],"
    "\"collections\":[{\"behind\":{\"arcambal\":3},\"conflicts\":1,\"in_sync\":false,"
    "\"members\":[\"arcambal\",\"pradines\"],\"name\":\"rooms\",\"records\":12}],"
    "\"group\":\"lot\",\"held\":[],\"kit\":true,\"site\":\"pradines\","
    "\"sites\":[{\"address\":\"10.0.0.2:7117\",\"last_contact\":1764092800000,"
    "\"name\":\"arcambal\",\"role\":\"member\",\"state\":\"offline\",\"version\":\"0.1.0\"},"
    "{\"address\":null,\"last_contact\":null,\"name\":\"pradines\",\"role\":\"administrator\","
    "\"state\":\"here\",\"version\":\"0.1.0\"}],\"state\":\"attention\",\"version\":\"0.1.0\"}";

static char *render(const char *json, bool is_brief, bool is_json, int *ret_exit)
{
    json_error_t reason;
    json_t *value = ctl_json_parse(qn_span_str(json), &reason);
    QN_AUTO_BUF struct qn_buf packed;
    qn_buf_init(&packed, 64 * 1024);
    ctl_json_pack(value, &packed);
    json_decref(value);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct ctl_report report = {.out = out, .is_brief = is_brief, .now_ms = NOW_MS};
    if (is_json)
        ctl_report_json(out, qn_buf_view(&packed));
    else
        ctl_report_print(&report, qn_buf_view(&packed));
    fclose(out);
    *ret_exit = ctl_report_exit(qn_buf_view(&packed));
    return text;
}

static void expect(const char *json, bool is_brief, bool is_json, int code, const char *text)
{
    int exit_code;
    char *rendered = render(json, is_brief, is_json, &exit_code);
    cr_assert_str_eq(rendered, text);
    cr_assert_eq(exit_code, code);
    free(rendered);
}

Test(status, for_people)
{
    expect(ill, false, false, CTL_ATTENTION,
           "  group: lot\n"
           "   site: pradines (Quoin 0.1.0)\n"
           "  state: attention\n"
           "\n"
           "sites:\n"
           "  NAME      STATE    LAST CONTACT  ADDRESS        ROLE           VERSION\n"
           "  arcambal  offline  2 hours ago   10.0.0.2:7117  member         0.1.0\n"
           "  pradines  here     -             -              administrator  0.1.0\n"
           "\n"
           "collections:\n"
           "  NAME   RECORDS  CONFLICTS  STATE\n"
           "  rooms  12       1          behind: arcambal 3\n"
           "\n"
           "alerts:\n"
           "  attention: site arcambal cannot be reached; last contact: 2 hours ago "
           "[site-offline]\n"
           "    action: Check that its daemon runs and that the line between the sites is up.\n"
           "  hint: the recovery kit still lies in the state directory [kit-unconfirmed]\n"
           "    action: Print recovery-kit.txt, lock it away, then run `syncctl kit confirm`.\n");
}

Test(status, only_what_is_wrong)
{
    expect(ill, true, false, CTL_ATTENTION,
           "  group: lot\n"
           "   site: pradines (Quoin 0.1.0)\n"
           "  state: attention\n"
           "\n"
           "sites:\n"
           "  NAME      STATE    LAST CONTACT  ADDRESS        ROLE    VERSION\n"
           "  arcambal  offline  2 hours ago   10.0.0.2:7117  member  0.1.0\n"
           "\n"
           "collections:\n"
           "  NAME   RECORDS  CONFLICTS  STATE\n"
           "  rooms  12       1          behind: arcambal 3\n"
           "\n"
           "alerts:\n"
           "  attention: site arcambal cannot be reached; last contact: 2 hours ago "
           "[site-offline]\n"
           "    action: Check that its daemon runs and that the line between the sites is up.\n");
    expect("{\"state\":\"ok\"}", true, false, CTL_DONE, "all sites are healthy\n");
}

Test(status, json_has_the_keys_of_the_contract)
{
    expect(
        ill, false, true, CTL_ATTENTION,
        "{\"site\":\"pradines\",\"group\":\"lot\",\"version\":\"0.1.0\",\"state\":\"attention\","
        "\"sites\":[{\"name\":\"arcambal\",\"state\":\"offline\","
        "\"last_contact\":\"2025-11-25T17:46:40.000Z\",\"address\":\"10.0.0.2:7117\","
        "\"role\":\"member\",\"version\":\"0.1.0\"},{\"name\":\"pradines\",\"state\":\"here\","
        "\"last_contact\":null,\"address\":null,\"role\":\"administrator\",\"version\":\"0.1.0\"}],"
        "\"collections\":[{\"name\":\"rooms\",\"records\":12,\"conflicts\":1,"
        "\"members\":[\"arcambal\",\"pradines\"],\"behind\":{\"arcambal\":3},"
        "\"in_sync\":false,\"checked_at\":null}],\"backups\":[],\"held\":[],"
        "\"alerts\":[{\"severity\":\"attention\",\"code\":\"site-offline\","
        "\"object\":\"arcambal\",\"text\":\"site arcambal cannot be reached; last contact: "
        "2025-11-25T17:46:40.000Z\",\"action\":\"Check that its daemon runs and that the line "
        "between the sites is up.\"},{\"severity\":\"hint\",\"code\":\"kit-unconfirmed\","
        "\"object\":\"recovery-kit.txt\",\"text\":\"the recovery kit still lies in the state "
        "directory\",\"action\":\"Print recovery-kit.txt, lock it away, then run `syncctl kit "
        "confirm`.\"}]}\n");
}

Test(status, exit_codes)
{
    int code;
    free(render("{\"state\":\"critical\"}", false, false, &code));
    cr_assert_eq(code, CTL_FAILED);
    free(render("{}", false, false, &code));
    cr_assert_eq(code, CTL_FAILED);
}

static const char saved[] =
    "{\"alerts\":[],\"backups\":[{\"copies\":[{\"complete\":true,\"missing_bytes\":0,"
    "\"site\":\"luzech\",\"verified_at\":1764092800000},{\"complete\":false,"
    "\"missing_bytes\":3145728,\"site\":\"arcambal\",\"verified_at\":null}],"
    "\"last_drill\":{\"bytes\":9,\"files\":3,\"ok\":true,\"time\":1764092800000},"
    "\"last_success\":1764092800000,\"name\":\"house\",\"next_run\":1764128800000,"
    "\"running\":false,\"size_bytes\":2147483648,\"snapshots\":7,\"stored_bytes\":1048576},"
    "{\"copies\":[],\"last_drill\":null,\"last_success\":null,\"name\":\"post\","
    "\"next_run\":null,\"running\":true,\"size_bytes\":0,\"snapshots\":0,\"stored_bytes\":0}],"
    "\"collections\":[],\"group\":\"lot\",\"held\":[{\"owner\":\"luzech\","
    "\"quota_bytes\":107374182400,\"scrubbed_at\":null,\"snapshots\":2,"
    "\"stored_bytes\":1536}],\"site\":\"pradines\",\"sites\":[],\"state\":\"ok\","
    "\"version\":\"0.1.0\"}";

Test(status, backups_for_people)
{
    expect(saved, false, false, CTL_DONE,
           "  group: lot\n"
           "   site: pradines (Quoin 0.1.0)\n"
           "  state: ok\n"
           "\n"
           "backups:\n"
           "  NAME   LAST SUCCESS  NEXT RUN                  SNAPSHOTS  SIZE     STORED   COPIES"
           "                              RESTORE TESTED\n"
           "  house  2 hours ago   2025-11-26T03:46:40.000Z  7          2.0 GiB  1.0 MiB  luzech, "
           "arcambal (3.0 MiB missing)  good, 2 hours ago\n"
           "  post   never         running                   0          0 B      0 B      -"
           "                                   not yet\n"
           "\n"
           "kept for others:\n"
           "  OWNER   SNAPSHOTS  STORED   QUOTA      CHECKED\n"
           "  luzech  2          1.5 KiB  100.0 GiB  never\n");
    expect(saved, true, false, CTL_DONE, "all sites are healthy\n");
}

Test(status, backups_in_json)
{
    expect(saved, false, true, CTL_DONE,
           "{\"site\":\"pradines\",\"group\":\"lot\",\"version\":\"0.1.0\",\"state\":\"ok\","
           "\"sites\":[],\"collections\":[],\"backups\":[{\"name\":\"house\","
           "\"last_success\":\"2025-11-25T17:46:40.000Z\","
           "\"next_run\":\"2025-11-26T03:46:40.000Z\",\"snapshots\":7,"
           "\"size_bytes\":2147483648,\"stored_bytes\":1048576,\"copies\":[{\"site\":\"luzech\","
           "\"complete\":true,\"missing_bytes\":0,\"verified_at\":\"2025-11-25T17:46:40.000Z\"},"
           "{\"site\":\"arcambal\",\"complete\":false,\"missing_bytes\":3145728,"
           "\"verified_at\":null}],\"last_drill\":{\"time\":\"2025-11-25T17:46:40.000Z\","
           "\"ok\":true,\"files\":3,\"bytes\":9}},{\"name\":\"post\",\"last_success\":null,"
           "\"next_run\":null,\"snapshots\":0,\"size_bytes\":0,\"stored_bytes\":0,\"copies\":[],"
           "\"last_drill\":null}],\"held\":[{\"owner\":\"luzech\",\"snapshots\":2,"
           "\"stored_bytes\":1536,\"quota_bytes\":107374182400,\"scrubbed_at\":null}],"
           "\"alerts\":[]}\n");
}
