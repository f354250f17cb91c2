#include <criterion/criterion.h>
#include <ctype.h>

#include "model/invitation.h"
#include "support/span.h"

static struct qn_kit sample(void)
{
    struct qn_kit kit = {
        .seed = {9, 8, 7, 6, 5, 4, 3, 2, 1},
        .site = {{0x11, 0x22, 0x33}},
        .group_prefix = {0xaa, 0xbb},
        .site_name = "Tilleuls",
        .group_name = "Les Maisons du Val-d'Été",
        .made_ms = 1700000000000,
    };
    return kit;
}

static void assert_same(const struct qn_kit *a, const struct qn_kit *b)
{
    cr_assert_eq(memcmp(a->seed, b->seed, sizeof(a->seed)), 0);
    cr_assert_eq(memcmp(&a->site, &b->site, sizeof(a->site)), 0);
    cr_assert_eq(memcmp(a->group_prefix, b->group_prefix, sizeof(a->group_prefix)), 0);
    cr_assert_str_eq(a->site_name, b->site_name);
    cr_assert_str_eq(a->group_name, b->group_name);
    cr_assert_eq(a->made_ms, b->made_ms);
}

static char *print(const struct qn_kit *kit)
{
    struct qn_buf out;
    size_t size;
    qn_buf_init(&out, 8192);
    qn_kit_print(kit, &out);
    qn_buf_append_u8(&out, 0);
    cr_assert_eq(qn_buf_status(&out), QN_OK);
    return (char *)qn_buf_take(&out, &size);
}

static enum qn_err parse(const char *text, struct qn_kit *ret_kit)
{
    return qn_kit_parse(qn_span_str(text), ret_kit);
}

/* The text with one piece replaced, or the test fails. */
static char *with(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    cr_assert_not_null(at);
    struct qn_buf out;
    size_t size;
    qn_buf_init(&out, 65536);
    qn_buf_append(&out, text, (size_t)(at - text));
    qn_buf_append_str(&out, to);
    qn_buf_append(&out, at + strlen(from), strlen(at + strlen(from)) + 1);
    return (char *)qn_buf_take(&out, &size);
}

static enum qn_err parse_with(const char *from, const char *to)
{
    struct qn_kit kit = sample(), again;
    QN_AUTO_FREE char *text = print(&kit);
    QN_AUTO_FREE char *changed = with(text, from, to);
    QN_TRY(parse(changed, &again));
    strcpy(again.site_name, kit.site_name); /* may have been retyped in another case */
    assert_same(&kit, &again);
    return QN_OK;
}

Test(kit, a_kit_reads_back)
{
    struct qn_kit kit = sample(), again;
    QN_AUTO_FREE char *text = print(&kit);
    cr_assert_eq(text[0], '#');
    cr_assert_not_null(strstr(text, "\nmade: 2023-11-14T22:13:20Z\n"));
    cr_assert_not_null(strstr(text, "Trousse de secours"));
    cr_assert_eq(parse(text, &again), QN_OK);
    assert_same(&kit, &again);
}

Test(kit, a_group_that_is_not_known_yet_stays_empty)
{
    struct qn_kit kit = sample(), again;
    memset(kit.group_prefix, 0, sizeof(kit.group_prefix));
    kit.group_name[0] = 0;
    QN_AUTO_FREE char *text = print(&kit);
    cr_assert_not_null(strstr(text, "\ngroup-id: \n"));
    cr_assert_eq(parse(text, &again), QN_OK);
    assert_same(&kit, &again);
}

Test(kit, every_date_reads_back)
{
    static const uint64_t seconds[] = {0,          951782399,  951782400,   951868800,
                                       1709164800, 4107542400, 253402300799};
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        struct qn_kit kit = sample(), again;
        kit.made_ms = seconds[i] * 1000;
        QN_AUTO_FREE char *text = print(&kit);
        cr_assert_eq(parse(text, &again), QN_OK);
        assert_same(&kit, &again);
    }
    for (uint64_t day = 0; day < 60000; day += 61) {
        struct qn_kit kit = sample(), again;
        kit.made_ms = (day * 86400 + day % 86400) * 1000;
        QN_AUTO_FREE char *text = print(&kit);
        cr_assert_eq(parse(text, &again), QN_OK);
        cr_assert_eq(kit.made_ms, again.made_ms);
    }
}

Test(kit, what_does_not_change_the_meaning_is_accepted)
{
    struct qn_kit kit = sample(), again;
    QN_AUTO_FREE char *text = print(&kit);
    QN_AUTO_BUF struct qn_buf crlf;
    qn_buf_init(&crlf, 65536);
    qn_buf_append_str(&crlf, "\xef\xbb\xbf\r\n");
    for (const char *c = text; *c != 0; c++) {
        if (*c == '\n')
            qn_buf_append_str(&crlf, "  \r\n \r");
        qn_buf_append_u8(&crlf, (uint8_t)*c);
    }
    cr_assert_eq(qn_kit_parse(qn_buf_view(&crlf), &again), QN_OK);
    assert_same(&kit, &again);
    cr_assert_eq(parse_with("Quoin recovery kit: 1", "QUOIN RECOVERY KIT :1"), QN_OK);
    cr_assert_eq(parse_with("site: Tilleuls", "SITE:tILLEULS"), QN_OK);
    cr_assert_eq(parse_with("T22:13:20Z", "t22:13:20z"), QN_OK);
    cr_assert_eq(parse_with("made: ", "\n\nnote: mine\nmade: "), QN_OK);
    for (char *c = strstr(text, "\nkey: ") + 6; *c != '\n'; c++)
        *c = *c == '-' ? ' ' : (char)tolower(*c);
    cr_assert_eq(parse(text, &again), QN_OK);
    assert_same(&kit, &again);
}

Test(kit, what_does_is_refused)
{
    cr_assert_eq(parse_with("recovery kit: 1", "recovery kit: 2"), QN_ERR_UNSUPPORTED);
    cr_assert_eq(parse_with("site: Tilleuls", "site: Tilleul"), QN_ERR_INVALID);
    cr_assert_eq(parse_with("site: Tilleuls", "site: Til leuls"), QN_ERR_INVALID);
    cr_assert_eq(parse_with("site: Tilleuls\n", ""), QN_ERR_INVALID);
    cr_assert_eq(parse_with("site: Tilleuls\n", "site: Tilleuls\nsite: Tilleuls\n"),
                 QN_ERR_INVALID);
    cr_assert_eq(parse_with("group: Les", "group: les and\tmore"), QN_ERR_INVALID);
    cr_assert_eq(parse_with("2023-11-14", "2023-11-15"), QN_ERR_INVALID);
    cr_assert_eq(parse_with("2023-11-14", "2023-02-29"), QN_ERR_INVALID);
    cr_assert_eq(parse_with("2023-11-14", "1969-11-14"), QN_ERR_INVALID);
    cr_assert_eq(parse_with("T22:13:20Z", "T24:13:20Z"), QN_ERR_INVALID);
    cr_assert_eq(parse_with("T22:13:20Z", "T22:13:20+01:00"), QN_ERR_INVALID);
    cr_assert_eq(parse_with("made: ", "no colon here\nmade: "), QN_ERR_INVALID);
    cr_assert_eq(parse_with("made: ", "made"), QN_ERR_INVALID);
}

Test(kit, a_mistyped_letter_of_the_key_or_the_checksum_is_found)
{
    struct qn_kit kit = sample(), again;
    QN_AUTO_FREE char *text = print(&kit);
    for (char *c = strstr(text, "\nkey: ") + 6; *c != 0; c++) {
        if (*c < 'A' || *c > 'Z')
            continue;
        char was = *c;
        *c = was == 'Z' ? 'Y' : 'Z';
        cr_assert_eq(parse(text, &again), QN_ERR_INVALID);
        *c = was;
    }
    for (size_t size = strlen(text) - 1; size-- > 0;)
        cr_assert_neq(qn_kit_parse(qn_span(text, size), &again), QN_OK);
}

Test(kit, the_seed_gives_both_keys)
{
    struct qn_kit kit = sample();
    struct qn_public_key sign, seal, again_sign, again_seal;
    cr_assert_eq(qn_kit_keys(kit.seed, &sign, &seal), QN_OK);
    cr_assert_eq(qn_kit_keys(kit.seed, &again_sign, &again_seal), QN_OK);
    cr_assert(qn_public_key_eq(&sign, &again_sign) && qn_public_key_eq(&seal, &again_seal));
    cr_assert_not(qn_public_key_eq(&sign, &seal));
    kit.seed[31] ^= 1;
    cr_assert_eq(qn_kit_keys(kit.seed, &again_sign, &again_seal), QN_OK);
    cr_assert_not(qn_public_key_eq(&sign, &again_sign));
    cr_assert_not(qn_public_key_eq(&seal, &again_seal));
}

/* ---- broken lines, and where a mistake is ---- */

Test(kit, letters_may_go_on_in_the_next_lines)
{
    struct qn_kit kit = sample(), again;
    char *text = print(&kit);
    struct qn_buf broken;
    qn_buf_init(&broken, 65536);
    for (const char *c = text; *c != '\0'; c++) { /* a break after each group of letters */
        bool is_gap = *c == ' ' && isupper((unsigned char)c[-1]) && isupper((unsigned char)c[1]);
        qn_buf_append_str(&broken, is_gap ? "\r\n\n   " : (char[]){*c, '\0'});
    }
    cr_assert_eq(qn_kit_parse(qn_buf_view(&broken), &again), QN_OK);
    assert_same(&kit, &again);
    qn_buf_deinit(&broken);
    qn_free(text);
}

Test(kit, letters_may_begin_in_the_next_line)
{
    cr_assert_eq(parse_with("\nkey: ", "\nkey:\n\n"), QN_OK);
    cr_assert_eq(parse_with("\nchecksum: ", "\nchecksum:\n"), QN_OK);
    cr_assert_eq(parse_with("\nkey: ", "\nkey:\n# of the safe\n"), QN_ERR_INVALID);
}

static struct qn_kit_fault fault_with(const char *from, const char *to)
{
    struct qn_kit kit = sample(), again;
    struct qn_kit_fault fault;
    char *text = print(&kit), *changed = with(text, from, to);
    cr_assert_neq(parse(changed, &again), QN_OK);
    qn_kit_find_fault(qn_span_str(changed), &fault);
    qn_free(text);
    qn_free(changed);
    return fault;
}

static size_t line_of(const char *key)
{
    struct qn_kit kit = sample();
    char *text = print(&kit);
    size_t line = 1;
    for (const char *c = text; c < strstr(text, key); c++)
        line += *c == '\n';
    qn_free(text);
    return line;
}

Test(kit, the_line_that_is_wrong_is_named)
{
    struct qn_kit_fault fault = fault_with("2023-11-14", "2023-02-29");
    cr_assert_str_eq(fault.key, "made");
    cr_assert_eq(fault.line, line_of("\nmade: ") + 1);
    fault = fault_with("\nkey: ", "\nkey: A");
    cr_assert_str_eq(fault.key, "key");
    fault = fault_with("site: Tilleuls\n", "");
    cr_assert_str_eq(fault.key, "site");
    cr_assert_eq(fault.line, 0);
    fault = fault_with("made: ", "what is this\nmade: ");
    cr_assert_str_eq(fault.key, "group-id");
}

Test(kit, one_mistyped_letter_is_found)
{
    struct qn_kit kit = sample();
    static const char *const keys[] = {"\nkey: ", "\nidentity: ", "\ngroup-id: ", "\nchecksum: "};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct qn_kit_fault fault;
        char *text = print(&kit);
        char *letter = strstr(text, keys[i]) + strlen(keys[i]) + 3; /* the fourth */
        *letter = *letter == 'Q' ? 'R' : 'Q';
        qn_kit_find_fault(qn_span_str(text), &fault);
        cr_assert_not_null(fault.key);
        cr_assert_eq(strncmp(fault.key, keys[i] + 1, strlen(fault.key)), 0, "%s", fault.key);
        cr_assert_eq(fault.letter, 4);
        cr_assert_eq(fault.line, line_of(keys[i]) + 1);
        qn_free(text);
    }
}

Test(kit, two_mistyped_letters_are_not_guessed)
{
    struct qn_kit kit = sample();
    struct qn_kit_fault fault;
    char *text = print(&kit);
    char *letters = strstr(text, "\nkey: ") + 6;
    letters[0] = letters[0] == 'Q' ? 'R' : 'Q';
    letters[3] = letters[3] == 'Q' ? 'R' : 'Q';
    qn_kit_find_fault(qn_span_str(text), &fault);
    cr_assert_null(fault.key);
    cr_assert_eq(fault.line, 0);
    qn_free(text);
}

Test(kit, the_secret_halves_are_those_of_the_keys)
{
    struct qn_kit kit = sample();
    struct qn_public_key sign, seal, opened;
    struct qn_signer *signer;
    uint8_t seed[QN_SEED_SIZE];
    cr_assert_eq(qn_kit_keys(kit.seed, &sign, &seal), QN_OK);
    cr_assert_eq(qn_kit_signer(kit.seed, &signer), QN_OK);
    cr_assert(qn_public_key_eq(&sign, qn_signer_public(signer)));
    qn_kit_seal_seed(kit.seed, seed);
    cr_assert_eq(qn_x25519_public(seed, &opened), QN_OK);
    cr_assert(qn_public_key_eq(&seal, &opened));
    qn_signer_free(signer);
}
