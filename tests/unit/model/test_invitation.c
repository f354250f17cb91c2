#include <criterion/criterion.h>

#include "model/invitation.h"
#include "support/span.h"

static struct qn_code sample(void)
{
    struct qn_code code = {
        .secret = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
        .group_prefix = {0xa0, 0xa1, 0xa2, 0xa3},
        .expiry_s = 1700086400,
        .address_count = 2,
        .addresses = {"quoin.example.org:7443", "[2001:db8::1]:7443"},
    };
    return code;
}

static void assert_same(const struct qn_code *a, const struct qn_code *b)
{
    cr_assert_eq(memcmp(a->secret, b->secret, sizeof(a->secret)), 0);
    cr_assert_eq(memcmp(a->group_prefix, b->group_prefix, sizeof(a->group_prefix)), 0);
    cr_assert_eq(a->expiry_s, b->expiry_s);
    cr_assert_eq(a->address_count, b->address_count);
    for (size_t i = 0; i < a->address_count; i++)
        cr_assert_str_eq(a->addresses[i], b->addresses[i]);
}

static struct qn_span print(const struct qn_code *code, struct qn_buf *out)
{
    qn_buf_init(out, QN_CODE_SIZE_MAX);
    qn_code_print(code, out);
    cr_assert_eq(qn_buf_status(out), QN_OK);
    return qn_buf_view(out);
}

Test(invitation, a_code_reads_back)
{
    struct qn_code code = sample(), again;
    QN_AUTO_BUF struct qn_buf text = {0};
    struct qn_span view = print(&code, &text);
    cr_assert(qn_span_has_prefix(view, qn_span_str("QN1-")));
    cr_assert_eq(view.data[9], '-');
    cr_assert_eq(qn_code_parse(view, &again), QN_OK);
    assert_same(&code, &again);
    code.address_count = 0;
    qn_buf_deinit(&text);
    cr_assert_eq(qn_code_parse(print(&code, &text), &again), QN_OK);
    assert_same(&code, &again);
}

Test(invitation, case_spaces_dashes_and_look_alikes_do_not_matter)
{
    struct qn_code code = sample(), again;
    QN_AUTO_BUF struct qn_buf text = {0}, typed;
    struct qn_span view = print(&code, &text);
    qn_buf_init(&typed, 4 * view.size);
    qn_buf_append_str(&typed, " \r\n q n-l ");
    for (size_t i = 4; i < view.size; i++) {
        uint8_t c = view.data[i];
        if (c == '-')
            c = ' ';
        else if (c == 'O')
            c = '0';
        else if (c == 'I')
            c = '1';
        else if (c == 'B')
            c = '8';
        else if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        qn_buf_append_u8(&typed, c);
        if (i % 7 == 0)
            qn_buf_append_str(&typed, "-\n");
    }
    cr_assert_eq(qn_code_parse(qn_buf_view(&typed), &again), QN_OK);
    assert_same(&code, &again);
}

Test(invitation, a_mistyped_letter_or_a_cut_is_found)
{
    struct qn_code code = sample(), again = {.expiry_s = 7};
    QN_AUTO_BUF struct qn_buf text = {0};
    struct qn_span view = print(&code, &text);
    for (size_t i = 0; i < view.size; i++) {
        uint8_t c = text.data[i];
        if (c == '-')
            continue;
        text.data[i] = c == 'Z' ? 'Y' : 'Z';
        cr_assert_eq(qn_code_parse(view, &again), QN_ERR_INVALID, "letter %zu", i);
        text.data[i] = c;
    }
    for (size_t size = 0; size < view.size; size++)
        cr_assert_eq(qn_code_parse(qn_span(view.data, size), &again), QN_ERR_INVALID);
    cr_assert_eq(again.expiry_s, 7, "untouched");
}

Test(invitation, what_is_no_address_is_left_out)
{
    struct qn_code code = sample(), again;
    static const char *const bad[] = {
        "",           "host",        ":7443",   "host:",        "host:0",
        "host:65536", "host:123456", "ho st:1", "h\xc3\xb4te:1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        QN_AUTO_BUF struct qn_buf text = {0};
        strcpy(code.addresses[0], bad[i]);
        cr_assert_eq(qn_code_parse(print(&code, &text), &again), QN_OK);
        cr_assert_eq(again.address_count, 1);
        cr_assert_str_eq(again.addresses[0], code.addresses[1]);
    }
}

Test(invitation, the_longest_code_fits_its_limit)
{
    struct qn_code code = sample(), again;
    QN_AUTO_BUF struct qn_buf text = {0};
    code.address_count = QN_ADDRESSES_MAX;
    for (size_t i = 0; i < QN_ADDRESSES_MAX; i++) {
        memset(code.addresses[i], 'a', 255);
        strcpy(code.addresses[i] + 253, ":7");
    }
    cr_assert_eq(qn_code_parse(print(&code, &text), &again), QN_OK);
    assert_same(&code, &again);
    memset(code.addresses[0], 'a', QN_ADDRESS_SIZE_MAX);
    strcpy(code.addresses[0] + QN_ADDRESS_SIZE_MAX - 2, ":7");
    qn_buf_deinit(&text);
    cr_assert_eq(qn_code_parse(print(&code, &text), &again), QN_OK);
    cr_assert_eq(again.address_count, QN_ADDRESSES_MAX - 1, "its length is one byte");
}

Test(invitation, too_long_a_text_is_refused)
{
    struct qn_code code;
    char *text = qn_alloc(QN_CODE_SIZE_MAX + 1);
    memset(text, 'A', QN_CODE_SIZE_MAX + 1);
    memcpy(text, "QN1", 3);
    cr_assert_eq(qn_code_parse(qn_span(text, QN_CODE_SIZE_MAX + 1), &code), QN_ERR_INVALID);
    cr_assert_eq(qn_code_parse(qn_span(text, QN_CODE_SIZE_MAX), &code), QN_ERR_INVALID);
    qn_free(text);
}

Test(invitation, the_secret_gives_the_key)
{
    struct qn_code code = sample();
    struct qn_signer *first, *second, *other;
    cr_assert_eq(qn_code_signer(&code, &first), QN_OK);
    code.expiry_s++;
    cr_assert_eq(qn_code_signer(&code, &second), QN_OK);
    code.group_prefix[15] ^= 1;
    cr_assert_eq(qn_code_signer(&code, &other), QN_OK);
    cr_assert(qn_public_key_eq(qn_signer_public(first), qn_signer_public(second)));
    cr_assert_not(qn_public_key_eq(qn_signer_public(first), qn_signer_public(other)));
    qn_signer_free(first);
    qn_signer_free(second);
    qn_signer_free(other);
}
