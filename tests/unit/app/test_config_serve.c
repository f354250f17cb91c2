/* Section [serve] of the configuration. */
#include "config_fixture.h"

Test(config_serve, https_for_people)
{
    FIXTURE;
    cr_assert_eq(read_text(&f, ""), QN_OK);
    cr_assert_eq(f.config.serve.listen_count, 0, "off by itself");
    cr_assert_eq(read_text(&f, "[serve]\nlisten = 192.168.1.5:8443  [fd00::5]:443 0.0.0.0:8443\n"
                               "names = quoin.lan files.pradines.example\n"
                               "certificate = /etc/quoin/a.pem\nkey = /etc/quoin/a.key\n"),
                 QN_OK);
    cr_assert_eq(f.config.serve.listen_count, 3);
    cr_assert_str_eq(f.config.serve.listen[1], "[fd00::5]:443");
    cr_assert_eq(f.config.serve.name_count, 2);
    cr_assert_str_eq(f.config.serve.names[1], "files.pradines.example");
    cr_assert_str_eq(f.config.serve.key, "/etc/quoin/a.key");
    cr_assert_not(f.config.serve.is_public);
    cr_assert_eq(read_text(&f, "[serve]\nlisten = 8.8.8.8:443\npublic = everybody\n"), QN_OK);
    cr_assert(f.config.serve.is_public && f.config.serve.is_for_everybody);
    cr_assert_eq(read_text(&f, "[serve]\nlisten = 8.8.8.8:443\npublic = yes\n"
                               "client-authority = /etc/quoin/people.pem\n"),
                 QN_OK);
    cr_assert(f.config.serve.is_public && !f.config.serve.is_for_everybody);
    cr_assert_str_eq(f.config.serve.client_authority, "/etc/quoin/people.pem");
}

/* Passwords alone are not enough for the internet, unless somebody says so. */
Test(config_serve, public_needs_certificates_of_the_people)
{
    check_refused(
        "[serve]\nlisten = 8.8.8.8:443\npublic = yes\n",
        "quoin.conf: [serve]: `public = yes` needs `client-authority`; without certificates "
        "of the people it is `public = everybody`\n");
}

Test(config_serve, the_internet_needs_a_word_of_its_own)
{
    static const char *const public[] = {"8.8.8.8:443",    "[2001:db8::1]:443",
                                         "172.32.0.1:443", "192.168.1.1:443 100.64.0.1:443",
                                         "11.0.0.1:443",   "[::ffff:8.8.8.8]:443"};
    static const char *const private[] = {
        "10.255.0.1:1", "172.16.0.1:1", "172.31.255.1:1", "169.254.1.1:1", "127.0.0.1:1",
        "[fe80::1]:1",  "[fdff::1]:1",  "[::1]:1",        "[::]:1",        "[::ffff:10.0.0.1]:1"};
    for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "[serve]\nlisten = %s\n", public[i]);
        check_refused(text, "quoin.conf: [serve]: an address of the internet in `listen` needs "
                            "`public = yes`\n");
    }
    for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++) {
        FIXTURE;
        char text[128];
        snprintf(text, sizeof(text), "[serve]\nlisten = %s\n", private[i]);
        cr_assert_eq(read_text(&f, text), QN_OK, "%s", private[i]);
    }
}

Test(config_serve, of_https_what_makes_no_sense_is_refused)
{
    static const char *const values[][2] = {
        {"listen", "name.lan:8443"}, {"listen", "192.168.1.5"},
        {"listen", "192.168.1.5:0"}, {"listen", "fd00::5:443"},
        {"names", "a_b.lan"},        {"names", "-a.lan"},
        {"names", "a..lan"},         {"names", "192.168.1.5"},
        {"names", "a.lan, b.lan"},   {"names", "*.lan"},
        {"certificate", "a.pem"},    {"key", "/a/../b"},
        {"public", "true"},          {"listen", "1:1 2:2 3:3 4:4 5:5 6:6 7:7 8:8 9:9"},
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        FIXTURE;
        char text[256];
        snprintf(text, sizeof(text), "[serve]\n%s = %s\n", values[i][0], values[i][1]);
        cr_assert_eq(read_text(&f, text), QN_ERR_INVALID, "%s", text);
    }
    check_refused("[serve]\nkey = /a\n",
                  "quoin.conf: [serve]: `certificate` and `key` go together\n");
    check_refused("[serve]\nclient-revoked = /a\n",
                  "quoin.conf: [serve]: `client-revoked` needs `client-authority`\n");
}
