#include "people/account.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/prng.h"
#include "support/span.h"

#define AUTO_ACCOUNT __attribute__((cleanup(qn_account_deinit)))

static void fill(struct qn_account *account)
{
    *account = (struct qn_account){.role = QN_ROLE_EDITOR,
                                   .has_password = true,
                                   .has_totp = true,
                                   .created_ms = 1234567890123,
                                   .totp = {1, 2, 3},
                                   .totp_step = 77};
    strcpy(account->name, "anne");
    account->verifier.cost = QN_SCRYPT_COST;
    memset(account->verifier.salt, 7, QN_SALT_SIZE);
    memset(account->verifier.hash.bytes, 8, QN_DIGEST_SIZE);
    struct qn_app_password app = {.label = "téléphone d'Anne",
                                  .folder = "plans",
                                  .right = QN_RIGHT_READ,
                                  .created_ms = 5,
                                  .used_ms = 6};
    static const uint8_t secret[QN_APP_PASSWORD_SIZE] = {9, 8, 7};
    qn_app_password_hash(secret, &app.hash);
    cr_assert_eq(qn_account_add_app(account, &app), QN_OK);
    cr_assert_eq(qn_account_grant(account, QN_THING_FOLDER, SPAN("plans"), QN_RIGHT_WRITE), QN_OK);
    cr_assert_eq(qn_account_grant(account, QN_THING_COLLECTION, SPAN("plans"), QN_RIGHT_READ),
                 QN_OK);
}

static enum qn_err unpack(struct qn_span value, struct qn_account *account)
{
    return qn_account_unpack(SPAN("user/anne"), value, account);
}

Test(account, a_row_comes_back_the_same)
{
    AUTO_ACCOUNT struct qn_account account, back;
    QN_AUTO_BUF struct qn_buf row, again;
    fill(&account);
    qn_buf_init(&row, QN_ACCOUNT_ROW_SIZE_MAX);
    qn_buf_init(&again, QN_ACCOUNT_ROW_SIZE_MAX);
    qn_account_pack(&account, &row);
    cr_assert_eq(unpack(qn_buf_view(&row), &back), QN_OK);
    qn_account_pack(&back, &again);
    assert_span_eq(qn_buf_view(&again), qn_buf_view(&row));
    cr_assert_str_eq(back.name, "anne");
    cr_assert_str_eq(back.apps.items[0].folder, "plans");
    cr_assert_eq(back.totp_step, 77);
    cr_assert_eq(qn_account_granted(&back, QN_THING_FOLDER, SPAN("plans"))->right, QN_RIGHT_WRITE);
    cr_assert_null(qn_account_granted(&back, QN_THING_FOLDER, SPAN("plan")));
}

/* The disk is not trusted: whatever stands there, it is refused or it is an account. */
Test(account, any_bytes_are_an_account_or_an_error)
{
    struct qn_prng prng = {.state = 5};
    AUTO_ACCOUNT struct qn_account account;
    QN_AUTO_BUF struct qn_buf row;
    size_t refused = 0;
    fill(&account);
    qn_buf_init(&row, QN_ACCOUNT_ROW_SIZE_MAX);
    qn_account_pack(&account, &row);
    for (size_t cut = 0; cut < row.size; cut++) {
        struct qn_account back;
        cr_assert_eq(unpack(qn_span(row.data, cut), &back), QN_ERR_CORRUPT);
    }
    for (int i = 0; i < 20000; i++) {
        AUTO_ACCOUNT struct qn_account back = {0};
        QN_AUTO_FREE uint8_t *bytes = qn_memdup(row.data, row.size);
        bytes[qn_prng_below(&prng, row.size)] = (uint8_t)qn_prng_next(&prng);
        refused += unpack(qn_span(bytes, row.size), &back) != QN_OK;
    }
    cr_assert_gt(refused, 1000);
}

Test(account, a_cost_that_takes_all_memory_is_refused)
{
    AUTO_ACCOUNT struct qn_account account;
    QN_AUTO_BUF struct qn_buf row;
    fill(&account);
    account.verifier.cost.log_n = 30;
    qn_buf_init(&row, QN_ACCOUNT_ROW_SIZE_MAX);
    qn_account_pack(&account, &row);
    struct qn_account back;
    cr_assert_eq(unpack(qn_buf_view(&row), &back), QN_ERR_CORRUPT);
}

/* A row says when a password ends only if one does, so that a version that knows nothing of it
 * reads all others. */
Test(account, a_password_of_a_device_may_end)
{
    AUTO_ACCOUNT struct qn_account account, back;
    QN_AUTO_BUF struct qn_buf row;
    struct qn_app_password guest = {.label = "guest", .expires_ms = 1000};
    fill(&account);
    qn_buf_init(&row, QN_ACCOUNT_ROW_SIZE_MAX);
    qn_account_pack(&account, &row);
    cr_assert_eq(row.data[1], 1);
    cr_assert_eq(qn_account_add_app(&account, &guest), QN_OK);
    qn_buf_reset(&row);
    qn_account_pack(&account, &row);
    cr_assert_eq(row.data[1], 2);
    cr_assert_eq(unpack(qn_buf_view(&row), &back), QN_OK);
    const struct qn_app_password *ends = qn_account_app(&back, SPAN("guest"));
    cr_assert_not(qn_app_password_is_over(ends, 999));
    cr_assert(qn_app_password_is_over(ends, 1000));
    cr_assert_not(
        qn_app_password_is_over(qn_account_app(&back, SPAN("téléphone d'Anne")), UINT64_MAX));
}

/* Format 3 only where it is needed: a version before reads all others. */
Test(account, a_grant_may_be_bound)
{
    static const uint8_t id[QN_THING_ID_SIZE] = {1, 2, 3};
    AUTO_ACCOUNT struct qn_account account, back;
    QN_AUTO_BUF struct qn_buf row;
    fill(&account);
    qn_account_bind(&account, QN_THING_FOLDER, SPAN("plans"), id);
    qn_buf_init(&row, QN_ACCOUNT_ROW_SIZE_MAX);
    qn_account_pack(&account, &row);
    cr_assert_eq(row.data[1], 3);
    cr_assert_eq(unpack(qn_buf_view(&row), &back), QN_OK);
    const struct qn_grant *bound = qn_account_granted(&back, QN_THING_FOLDER, SPAN("plans"));
    cr_assert(bound->is_bound);
    cr_assert_arr_eq(bound->id, id, sizeof(id));
    cr_assert_not(qn_account_granted(&back, QN_THING_COLLECTION, SPAN("plans"))->is_bound);
}

/* Format 4 likewise, for a right to list and for a device that is bound to its folder. */
Test(account, a_right_may_be_to_list)
{
    AUTO_ACCOUNT struct qn_account account, back;
    QN_AUTO_BUF struct qn_buf row;
    fill(&account);
    cr_assert_eq(qn_account_grant(&account, QN_THING_FOLDER, SPAN("menus"), QN_RIGHT_LIST), QN_OK);
    qn_buf_init(&row, QN_ACCOUNT_ROW_SIZE_MAX);
    qn_account_pack(&account, &row);
    cr_assert_eq(row.data[1], 4);
    cr_assert_eq(unpack(qn_buf_view(&row), &back), QN_OK);
    cr_assert_eq(qn_account_granted(&back, QN_THING_FOLDER, SPAN("menus"))->right, QN_RIGHT_LIST);
    cr_assert_eq(qn_account_granted(&back, QN_THING_FOLDER, SPAN("plans"))->right, QN_RIGHT_WRITE);
    cr_assert_eq(back.apps.items[0].right, QN_RIGHT_READ);
    cr_assert_not(back.apps.items[0].is_bound);
    row.data[1] = 3; /* a version that wrote 3 knows no such right, nor such devices */
    struct qn_account none;
    cr_assert_eq(unpack(qn_buf_view(&row), &none), QN_ERR_CORRUPT);
}

Test(account, a_device_may_be_bound)
{
    AUTO_ACCOUNT struct qn_account account, back;
    QN_AUTO_BUF struct qn_buf row;
    fill(&account);
    account.apps.items[0].is_bound = true;
    account.apps.items[0].folder_id[0] = 9;
    qn_buf_init(&row, QN_ACCOUNT_ROW_SIZE_MAX);
    qn_account_pack(&account, &row);
    cr_assert_eq(row.data[1], 4);
    cr_assert_eq(unpack(qn_buf_view(&row), &back), QN_OK);
    cr_assert(back.apps.items[0].is_bound);
    cr_assert_eq(back.apps.items[0].folder_id[0], 9);
    cr_assert_str_eq(qn_right_name(back.apps.items[0].right), "read");
}

Test(account, the_largest_one_fits_its_row)
{
    AUTO_ACCOUNT struct qn_account account = {.has_password = true, .has_totp = true};
    QN_AUTO_BUF struct qn_buf row;
    char name[QN_NAME_SIZE_MAX + 1];
    struct qn_app_password app = {
        .created_ms = UINT64_MAX, .used_ms = UINT64_MAX, .expires_ms = UINT64_MAX};
    for (unsigned i = 0; i < QN_GRANTS_MAX; i++) {
        snprintf(name, sizeof(name), "%063u", i);
        cr_assert_eq(qn_account_grant(&account, QN_THING_FOLDER, qn_span_str(name), QN_RIGHT_WRITE),
                     QN_OK);
        qn_account_bind(&account, QN_THING_FOLDER, qn_span_str(name), (const uint8_t *)name);
    }
    cr_assert_eq(qn_account_grant(&account, QN_THING_FOLDER, SPAN("x"), QN_RIGHT_READ),
                 QN_ERR_LIMIT);
    for (unsigned i = 0; i < QN_APP_PASSWORDS_MAX; i++) {
        snprintf(app.label, sizeof(app.label), "%063u", i);
        snprintf(app.folder, sizeof(app.folder), "%063u", i);
        cr_assert_eq(qn_account_add_app(&account, &app), QN_OK);
    }
    strcpy(app.label, "one more");
    cr_assert_eq(qn_account_add_app(&account, &app), QN_ERR_LIMIT);
    qn_buf_init(&row, QN_ACCOUNT_ROW_SIZE_MAX);
    qn_account_pack(&account, &row);
    cr_assert_not(row.is_over);
}

Test(account, app_passwords_are_found_however_they_are_typed)
{
    AUTO_ACCOUNT struct qn_account account;
    QN_AUTO_BUF struct qn_buf text;
    static const uint8_t secret[QN_APP_PASSWORD_SIZE] = {9, 8, 7};
    fill(&account);
    qn_buf_init(&text, 64);
    qn_app_password_print(secret, &text);
    cr_assert_eq(text.size, 26 + 5);
    cr_assert_eq(qn_account_match_app(&account, qn_buf_view(&text)), account.apps.items);
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= 'a' && text.data[i] <= 'z')
            text.data[i] = (uint8_t)(text.data[i] - 'a' + 'A');
    cr_assert_eq(qn_account_match_app(&account, qn_buf_view(&text)), account.apps.items);
    text.data[3] = text.data[3] == 'A' ? 'B' : 'A';
    cr_assert_null(qn_account_match_app(&account, qn_buf_view(&text)));
    cr_assert_null(qn_account_match_app(&account, qn_span(text.data, 10)));
    cr_assert_null(qn_account_match_app(&account, SPAN("")));
}

Test(account, names)
{
    static const char *const good[] = {"anne", "Hélène", "a.b", "1"};
    static const char *const bad[] = {"", "a:b", "a/b", "a b", "-a", "a\n", "a@b"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_assert(qn_account_is_name(qn_span_str(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(qn_account_is_name(qn_span_str(bad[i])), "%s", bad[i]);
}

Test(account, verifier)
{
    static const uint8_t salt[QN_SALT_SIZE] = {1};
    struct qn_verifier verifier, decoy;
    cr_assert_eq(qn_verifier_make(SPAN("a long one"), salt, &verifier), QN_OK);
    cr_assert_eq(qn_verifier_check(&verifier, SPAN("a long one")), QN_OK);
    cr_assert_eq(qn_verifier_check(&verifier, SPAN("a long One")), QN_ERR_DENIED);
    qn_verifier_decoy(&decoy);
    cr_assert_eq(qn_verifier_check(&decoy, SPAN("")), QN_ERR_DENIED);
    cr_assert_eq(memcmp(&decoy.cost, &verifier.cost, sizeof(decoy.cost)), 0);
}
