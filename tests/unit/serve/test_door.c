/* Who is let in, and what it costs: passwords that are hashed are counted. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>

#include "people/account.h"
#include "people/one_time.h"
#include "people/session.h"
#include "serve/config.h"
#include "serve/door.h"
#include "serve/serve.h"
#include "support/fake_local.h"
#include "support/span.h"
#include "support/turns.h"

static struct qn_loop *loop;
static struct fake_local *disk;
static struct qn_people *people;
static struct qn_door *door;
static atomic_uint hashes, at_once, most_at_once;
static uint64_t now, wall;
static uint8_t next_random;
static unsigned noted;
static enum qn_err note_err;

static uint64_t now_ms(void *context)
{
    return now;
}

static uint64_t wall_ms(void *context)
{
    return wall;
}

static void draw(void *out, size_t size)
{
    memset(out, ++next_random, size);
}

static enum qn_err note(void *context, const struct qn_audit_what *what)
{
    noted++;
    return note_err;
}

/* The trail's disk: what is on its way to it, until settle(). */
static void (*writing)(void *context, enum qn_err err);
static void *writing_context;
static enum qn_err disk_err;
static bool disk_waits;

static void settle(void)
{
    void (*written)(void *context, enum qn_err err) = writing;
    writing = NULL;
    if (written != NULL)
        written(writing_context, disk_err);
}

static enum qn_err note_durably(void *context, const struct qn_audit_what *what,
                                void (*done)(void *context, enum qn_err err), void *done_context)
{
    cr_assert_null(writing);
    noted++;
    if (note_err != QN_OK)
        return note_err;
    writing = done;
    writing_context = done_context;
    return QN_OK;
}

static const struct qn_serve_host host = {.now_ms = now_ms,
                                          .wall_ms = wall_ms,
                                          .random = draw,
                                          .note = note,
                                          .note_durably = note_durably};

/* A password is right if it is "right" and the verifier is one that was made. */
static enum qn_err count_check(const struct qn_verifier *verifier, struct qn_span password)
{
    unsigned running = atomic_fetch_add(&at_once, 1) + 1;
    unsigned most = atomic_load(&most_at_once);
    while (running > most && !atomic_compare_exchange_weak(&most_at_once, &most, running))
        ;
    atomic_fetch_add(&hashes, 1);
    bool is_right = verifier->salt[0] == 9 && qn_span_eq_str(password, "right");
    atomic_fetch_sub(&at_once, 1);
    return is_right ? QN_OK : QN_ERR_DENIED;
}

static enum qn_err fill(void *context, struct qn_account *account)
{
    account->role = QN_ROLE_EDITOR;
    account->has_password = true;
    account->verifier.cost = QN_SCRYPT_COST;
    account->verifier.salt[0] = 9;
    return QN_OK;
}

static const uint8_t app_secret[QN_APP_PASSWORD_SIZE] = {1, 2, 3};

static enum qn_err add_phone(void *context, struct qn_account *account)
{
    struct qn_app_password app = {.label = "phone", .right = QN_RIGHT_READ};
    qn_app_password_hash(app_secret, &app.hash);
    return qn_account_add_app(account, &app);
}

static enum qn_err drop_phone(void *context, struct qn_account *account)
{
    return qn_account_remove_app(account, SPAN("phone"));
}

static enum qn_err add_totp(void *context, struct qn_account *account)
{
    account->has_totp = true;
    return QN_OK;
}

static enum qn_err new_password(void *context, struct qn_account *account)
{
    account->verifier.salt[1]++;
    return QN_OK;
}

static enum qn_err other_password(void *context, struct qn_account *account)
{
    account->verifier.hash.bytes[0]++;
    return QN_OK;
}

static enum qn_err disable(void *context, struct qn_account *account)
{
    account->is_disabled = true;
    return QN_OK;
}

static void on_edited(void *context, enum qn_err err)
{
    *(enum qn_err *)context = err;
}

static void change(enum qn_people_change kind, enum qn_err (*edit)(void *, struct qn_account *))
{
    enum qn_err err = QN_ERR_BUSY;
    qn_people_edit(
        people,
        &(struct qn_people_edit){
            .change = kind, .name = "anne", .edit = edit, .done = on_edited, .context = &err});
    while (err == QN_ERR_BUSY)
        fake_local_turn(disk);
    cr_assert_eq(err, QN_OK);
}

static void set_up(void)
{
    struct qn_serve_config config = {.names = {"quoin.pradines.example"}, .name_count = 1};
    loop = new_loop();
    disk = fake_local_new();
    people = qn_people_new(fake_local_door(disk));
    now = 1000000;
    wall = 1800000000000;
    change(QN_PEOPLE_ADD, fill);
    door = qn_door_new(&(struct qn_door_options){
        .loop = loop, .host = &host, .people = people, .check = count_check});
    qn_door_configure(door, &config);
}

static void tear_down(void)
{
    qn_door_free(door);
    while (fake_local_turn(disk) > 0)
        ;
    settle();
    free_loop(loop);
    qn_people_free(people);
    fake_local_free(disk);
}
TestSuite(door, .init = set_up, .fini = tear_down);

/* ---- asking ---- */

struct told {
    unsigned count;
    enum qn_door_verdict verdict;
    struct qn_person person;
    unsigned retry_s;
};

static void on_verdict(void *context, enum qn_door_verdict verdict, const struct qn_person *person,
                       unsigned retry_s)
{
    struct told *told = context;
    told->count++;
    told->verdict = verdict;
    told->retry_s = retry_s;
    cr_assert_eq(person != NULL, verdict == QN_DOOR_PERSON);
    if (person != NULL)
        told->person = *person;
}

static struct qn_http_head head_of(enum qn_http_method method, const char *host_name)
{
    return (struct qn_http_head){.method = method, .host = qn_span_str(host_name)};
}

static void add_field(struct qn_http_head *head, const char *name, const char *value)
{
    head->headers[head->header_count++] =
        (struct qn_http_header){.name = qn_span_str(name), .value = qn_span_str(value)};
}

static const char *basic(const char *name, const char *password)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static char out[512];
    char both[256];
    size_t size = (size_t)snprintf(both, sizeof(both), "%s:%s", name, password), at = 6;
    strcpy(out, "Basic ");
    for (size_t i = 0; i < size; i += 3) {
        uint32_t bits = (uint32_t)(uint8_t)both[i] << 16;
        bits |= i + 1 < size ? (uint32_t)(uint8_t)both[i + 1] << 8 : 0;
        bits |= i + 2 < size ? (uint8_t)both[i + 2] : 0;
        for (size_t k = 0; k < 4; k++)
            out[at++] = i + k <= size ? letters[bits >> (18 - 6 * k) & 63] : '=';
    }
    out[at] = '\0';
    return out;
}

static uint64_t start_ask(const char *name, const char *password, const char *from,
                          struct told *told)
{
    struct qn_http_head head = head_of(QN_HTTP_GET, "192.0.2.1:8443");
    *told = (struct told){0};
    add_field(&head, "Authorization", basic(name, password));
    return qn_door_ask(door, &head, from, on_verdict, told);
}

static enum qn_door_verdict ask_from(const char *name, const char *password, const char *from,
                                     struct told *told)
{
    start_ask(name, password, from, told);
    turn_until(loop, told->count > 0);
    cr_assert_eq(told->count, 1);
    return told->verdict;
}

static enum qn_door_verdict ask(const char *name, const char *password)
{
    struct told told;
    return ask_from(name, password, "192.0.2.7", &told);
}

Test(door, the_password_is_hashed_once_in_five_minutes)
{
    cr_assert_eq(ask("anne", "right"), QN_DOOR_PERSON);
    cr_assert_eq(ask("anne", "right"), QN_DOOR_PERSON);
    cr_assert_eq(hashes, 1);
    now += QN_DOOR_CACHE_MS;
    cr_assert_eq(ask("anne", "right"), QN_DOOR_PERSON);
    cr_assert_eq(hashes, 2);
    change(QN_PEOPLE_CHANGE, new_password);
    cr_assert_eq(ask("anne", "right"), QN_DOOR_PERSON);
    cr_assert_eq(hashes, 3, "the cache outlived the password");
    change(QN_PEOPLE_CHANGE, disable);
    cr_assert_eq(ask("anne", "right"), QN_DOOR_WRONG);
}

Test(door, who_is_not_there_costs_as_much)
{
    cr_assert_eq(ask("anne", "wrong"), QN_DOOR_WRONG);
    cr_assert_eq(ask("nobody", "right"), QN_DOOR_WRONG);
    cr_assert_eq(hashes, 2);
    cr_assert_eq(noted, 2);
}

Test(door, nothing_is_said)
{
    struct qn_http_head head = head_of(QN_HTTP_GET, "localhost");
    struct told told = {0};
    cr_assert_eq(qn_door_ask(door, &head, "192.0.2.7", on_verdict, &told), 0);
    cr_assert_eq(told.verdict, QN_DOOR_NOBODY);
}

Test(door, app_passwords_cost_nothing_and_are_never_throttled)
{
    struct told told;
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 64);
    qn_app_password_print(app_secret, &text);
    qn_buf_append_u8(&text, 0);
    change(QN_PEOPLE_CHANGE, add_phone);
    change(QN_PEOPLE_CHANGE, add_totp);
    for (int i = 0; i < 300; i++) /* until this source is throttled */
        if (ask("anne", "wrong") == QN_DOOR_THROTTLED)
            break;
    cr_assert_eq(ask("anne", "right"), QN_DOOR_THROTTLED);
    unsigned before = hashes;
    for (int i = 0; i < 50; i++)
        cr_assert_eq(ask_from("anne", (char *)text.data, "192.0.2.7", &told), QN_DOOR_PERSON);
    cr_assert_eq(hashes, before);
    cr_assert_str_eq(qn_person_device(&told.person), "phone");
    cr_assert_str_eq(told.person.device, "phone");
    cr_assert_eq(told.person.device_max, QN_RIGHT_READ);
    fake_local_turn(disk);
    cr_assert_eq(qn_people_find(people, SPAN("anne"))->apps.items[0].used_ms, wall);
    change(QN_PEOPLE_CHANGE, drop_phone);
    cr_assert_eq(ask_from("anne", (char *)text.data, "192.0.2.7", &told), QN_DOOR_THROTTLED);
}

static enum qn_err end_phone(void *context, struct qn_account *account)
{
    account->apps.items[0].expires_ms = wall + 1000;
    return QN_OK;
}

/* It is wrong then, but no guess: a device that goes on trying shuts nobody out. */
Test(door, a_password_of_a_device_that_is_over)
{
    struct told told = {0};
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 64);
    qn_app_password_print(app_secret, &text);
    qn_buf_append_u8(&text, 0);
    change(QN_PEOPLE_CHANGE, add_phone);
    change(QN_PEOPLE_CHANGE, end_phone);
    cr_assert_eq(ask_from("anne", (char *)text.data, "192.0.2.7", &told), QN_DOOR_PERSON);
    fake_local_turn(disk);
    wall += 1000;
    for (int i = 0; i < 300; i++)
        cr_assert_eq(ask_from("anne", (char *)text.data, "192.0.2.7", &told), QN_DOOR_WRONG);
    cr_assert_eq(ask_from("anne", "right", "192.0.2.7", &told), QN_DOOR_PERSON);
}

Test(door, with_a_second_factor_the_password_is_for_the_page_only)
{
    change(QN_PEOPLE_CHANGE, add_totp);
    cr_assert_eq(ask("anne", "right"), QN_DOOR_WRONG);
    cr_assert_eq(hashes, 1);
}

Test(door, two_at_once_and_sixteen_that_wait)
{
    struct told told[40];
    unsigned busy = 0, answered = 0;
    for (unsigned i = 0; i < 40; i++) {
        char name[16], from[32];
        snprintf(name, sizeof(name), "n%u", i);
        snprintf(from, sizeof(from), "198.51.100.%u", i);
        start_ask(name, "wrong", from, &told[i]);
        busy += told[i].count > 0 && told[i].verdict == QN_DOOR_BUSY;
    }
    cr_assert_eq(busy, 40 - QN_DOOR_WAITING_MAX - QN_DOOR_HASHES_MAX);
    for (unsigned i = 0; i < 40; i++)
        turn_until(loop, told[i].count == 1);
    for (unsigned i = 0; i < 40; i++)
        answered += told[i].verdict == QN_DOOR_WRONG;
    cr_assert_eq(answered, QN_DOOR_WAITING_MAX + QN_DOOR_HASHES_MAX);
    cr_assert_leq(most_at_once, QN_DOOR_HASHES_MAX);
    cr_assert_eq(hashes, answered);
}

/* However many guess at names that nobody has. */
Test(door, who_is_known_does_not_wait_behind_strangers)
{
    struct told told[QN_DOOR_WAITING_MAX + QN_DOOR_HASHES_MAX], anne;
    const unsigned count = sizeof(told) / sizeof(told[0]);
    unsigned before = 0;
    cr_assert_eq(ask("anne", "right"), QN_DOOR_PERSON);
    now += QN_DOOR_CACHE_MS;
    for (unsigned i = 0; i < count; i++) {
        char name[16], from[32];
        snprintf(name, sizeof(name), "n%u", i);
        snprintf(from, sizeof(from), "198.51.100.%u", i);
        start_ask(name, "wrong", from, &told[i]);
        cr_assert_eq(told[i].count, 0);
    }
    start_ask("anne", "right", "192.0.2.7", &anne);
    cr_assert_eq(told[count - 1].verdict, QN_DOOR_BUSY, "the last one makes room");
    cr_assert_eq(told[count - 2].count, 0);
    turn_until(loop, anne.count == 1);
    cr_assert_eq(anne.verdict, QN_DOOR_PERSON);
    for (unsigned i = 0; i + 1 < count; i++)
        before += told[i].count;
    cr_assert_leq(before, 2 * QN_DOOR_HASHES_MAX, "%u were before her", before);
    for (unsigned i = 0; i < count; i++)
        turn_until(loop, told[i].count == 1);
    cr_assert_leq(most_at_once, QN_DOOR_HASHES_MAX);
}

/* As a WebDAV client does when it starts. */
Test(door, eight_connections_with_one_password_are_one_guess)
{
    struct told told[8];
    for (unsigned i = 0; i < 8; i++)
        start_ask("anne", "right", "192.0.2.7", &told[i]);
    for (unsigned i = 0; i < 8; i++) {
        turn_until(loop, told[i].count == 1);
        cr_assert_eq(told[i].verdict, QN_DOOR_PERSON);
    }
    cr_assert_eq(hashes, 1);
}

Test(door, who_hangs_up_is_not_told_and_has_guessed)
{
    struct told told, other;
    uint64_t token = start_ask("anne", "wrong", "192.0.2.7", &told);
    cr_assert_neq(token, 0);
    qn_door_forget(door, token);
    cr_assert_eq(ask_from("anne", "right", "192.0.2.8", &other), QN_DOOR_PERSON);
    turn_until(loop, hashes == 2 && at_once == 0);
    cr_assert_eq(told.count, 0);
}

Test(door, guessing_is_slowed_down)
{
    struct told told;
    unsigned wrong = 0;
    for (int i = 0; i < 100; i++)
        wrong += ask_from("anne", "wrong", "203.0.113.9", &told) == QN_DOOR_WRONG;
    cr_assert_leq(wrong, 5);
    cr_assert_eq(told.verdict, QN_DOOR_THROTTLED);
    cr_assert_gt(told.retry_s, 0);
    cr_assert_eq(hashes, wrong, "a guess that is refused is not hashed");
    cr_assert_eq(ask("anne", "right"), QN_DOOR_PERSON, "others are let in");
}

Test(door, hosts)
{
    static const struct {
        const char *host;
        enum qn_door_verdict verdict;
    } table[] = {
        {"192.0.2.1", QN_DOOR_NOBODY},
        {"192.0.2.1:8443", QN_DOOR_NOBODY},
        {"[2001:db8::1]:8443", QN_DOOR_NOBODY},
        {"localhost:1", QN_DOOR_NOBODY},
        {"QUOIN.pradines.example:8443", QN_DOOR_NOBODY},
        {"quoin.pradines.example.", QN_DOOR_NOBODY},
        {"evil.example", QN_DOOR_MISDIRECTED},
        {"quoin.pradines.example.evil.example", QN_DOOR_MISDIRECTED},
        {"xquoin.pradines.example", QN_DOOR_MISDIRECTED},
        {"192.0.2.1.evil.example", QN_DOOR_MISDIRECTED},
        {"[2001:db8::1", QN_DOOR_MISDIRECTED},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct qn_http_head head = head_of(QN_HTTP_GET, table[i].host);
        struct told told = {0};
        qn_door_ask(door, &head, "192.0.2.7", on_verdict, &told);
        cr_assert_eq(told.verdict, table[i].verdict, "%s", table[i].host);
    }
}

/* ---- the page ---- */

struct entry {
    unsigned count;
    enum qn_sign_in result;
    char cookie[QN_DOOR_SECRET_SIZE + 16 + 1];
};

static void on_sign_in(void *context, enum qn_sign_in result, const struct qn_person *person,
                       const char *cookie, unsigned retry_s)
{
    struct entry *entry = context;
    entry->count++;
    entry->result = result;
    if (cookie != NULL)
        snprintf(entry->cookie, sizeof(entry->cookie), "%s=%s", QN_DOOR_COOKIE, cookie);
}

static enum qn_sign_in sign_in(const char *password, const char *code, struct entry *entry)
{
    struct qn_sign_in_what what = {.name = SPAN("anne"),
                                   .password = qn_span_str(password),
                                   .code = qn_span_str(code),
                                   .from = "192.0.2.7"};
    *entry = (struct entry){0};
    qn_door_sign_in(door, &what, on_sign_in, entry);
    for (int i = 0; i < 1000000 && entry->count == 0 && (writing == NULL || !disk_waits); i++) {
        qn_loop_turn(loop);
        fake_local_turn(disk);
        if (!disk_waits)
            settle();
    }
    cr_assert_eq(entry->count, disk_waits ? 0 : 1);
    return entry->result;
}

static enum qn_door_verdict ask_page(enum qn_http_method method, const struct entry *entry,
                                     const char *token, const char *origin)
{
    struct qn_http_head head = head_of(method, "192.0.2.1:8443");
    struct told told = {0};
    add_field(&head, "Cookie", entry->cookie);
    if (token != NULL)
        add_field(&head, QN_DOOR_TOKEN_FIELD, token);
    if (origin != NULL)
        add_field(&head, "Origin", origin);
    qn_door_ask(door, &head, "192.0.2.7", on_verdict, &told);
    cr_assert_eq(told.count, 1);
    return told.verdict;
}

Test(door, sessions_and_foreign_pages)
{
    struct entry entry;
    char token[QN_DOOR_SECRET_SIZE + 1];
    cr_assert_eq(sign_in("wrong", "", &entry), QN_SIGN_IN_WRONG);
    cr_assert_eq(sign_in("right", "", &entry), QN_SIGN_IN_DONE);
    struct qn_http_head head = head_of(QN_HTTP_GET, "192.0.2.1:8443");
    add_field(&head, "Cookie", entry.cookie);
    cr_assert(qn_door_session_token(door, &head, token));
    const char *own = "https://192.0.2.1:8443", *foreign = "https://evil.example";
    cr_assert_eq(ask_page(QN_HTTP_GET, &entry, NULL, NULL), QN_DOOR_PERSON);
    cr_assert_eq(ask_page(QN_HTTP_PUT, &entry, NULL, own), QN_DOOR_FORBIDDEN);
    cr_assert_eq(ask_page(QN_HTTP_PUT, &entry, token, own), QN_DOOR_PERSON);
    cr_assert_eq(ask_page(QN_HTTP_PUT, &entry, token, foreign), QN_DOOR_FORBIDDEN);
    cr_assert_eq(ask_page(QN_HTTP_PUT, &entry, token, "null"), QN_DOOR_FORBIDDEN);
    cr_assert_eq(ask_page(QN_HTTP_DELETE, &entry, "0", NULL), QN_DOOR_FORBIDDEN);
    qn_door_sign_out(door, &head);
    cr_assert_eq(ask_page(QN_HTTP_GET, &entry, NULL, NULL), QN_DOOR_NOBODY);
}

/* Who stands before this server may have believed either. */
Test(door, two_who_say_that_they_are_the_one)
{
    struct qn_http_head head = head_of(QN_HTTP_GET, "192.0.2.1");
    struct told told = {0};
    add_field(&head, "Authorization", basic("anne", "right"));
    add_field(&head, "Authorization", basic("bert", "right"));
    qn_door_ask(door, &head, "192.0.2.7", on_verdict, &told);
    cr_assert_eq(told.verdict, QN_DOOR_WRONG);
    cr_assert_eq(hashes, 0);
}

/* A browser adds Basic by itself, also to what a foreign page sends. */
Test(door, basic_from_a_foreign_page)
{
    struct qn_http_head head = head_of(QN_HTTP_DELETE, "192.0.2.1");
    struct told told = {0};
    add_field(&head, "Authorization", basic("anne", "right"));
    add_field(&head, "Origin", "https://evil.example");
    qn_door_ask(door, &head, "192.0.2.7", on_verdict, &told);
    cr_assert_eq(told.verdict, QN_DOOR_FORBIDDEN);
    cr_assert_eq(hashes, 0);
}

Test(door, second_factor)
{
    struct entry entry;
    char code[16];
    static const uint8_t secret[QN_TOTP_SECRET_SIZE];
    change(QN_PEOPLE_CHANGE, add_totp);
    snprintf(code, sizeof(code), "%06u", qn_totp_code(secret, wall / QN_TOTP_STEP_MS));
    cr_assert_eq(sign_in("wrong", code, &entry), QN_SIGN_IN_WRONG);
    cr_assert_eq(sign_in("right", "", &entry), QN_SIGN_IN_CODE_WANTED);
    cr_assert_eq(entry.cookie[0], '\0');
    cr_assert_eq(sign_in("right", code, &entry), QN_SIGN_IN_DONE);
    cr_assert_eq(sign_in("right", code, &entry), QN_SIGN_IN_CODE_WRONG, "a code is good once");
    cr_assert_eq(qn_people_find(people, SPAN("anne"))->totp_step, wall / QN_TOTP_STEP_MS);
}

/* The step is on the disk before the session is. */
Test(door, a_full_disk_lets_nobody_in_with_a_code)
{
    struct entry entry;
    char code[16];
    static const uint8_t secret[QN_TOTP_SECRET_SIZE];
    change(QN_PEOPLE_CHANGE, add_totp);
    snprintf(code, sizeof(code), "%06u", qn_totp_code(secret, wall / QN_TOTP_STEP_MS));
    fake_local_fail(disk, QN_ERR_NOSPACE);
    cr_assert_eq(sign_in("right", code, &entry), QN_SIGN_IN_BUSY);
    cr_assert_eq(sign_in("right", code, &entry), QN_SIGN_IN_DONE);
}

Test(door, nobody_comes_in_unlogged)
{
    struct entry entry;
    note_err = QN_ERR_NOSPACE;
    cr_assert_eq(sign_in("right", "", &entry), QN_SIGN_IN_BUSY);
    cr_assert_eq(entry.cookie[0], '\0');
    note_err = QN_OK;
    cr_assert_eq(sign_in("right", "", &entry), QN_SIGN_IN_DONE);
    cr_assert_eq(noted, 2);
}

Test(door, nobody_comes_in_before_it_is_on_the_disk)
{
    struct entry entry;
    disk_waits = true;
    sign_in("right", "", &entry);
    settle();
    cr_assert_eq(entry.count, 1);
    cr_assert_eq(entry.result, QN_SIGN_IN_DONE);
    sign_in("right", "", &entry);
    disk_err = QN_ERR_IO;
    settle();
    cr_assert_eq(entry.result, QN_SIGN_IN_BUSY);
    cr_assert_eq(entry.cookie[0], '\0');
    disk_err = QN_OK;
    sign_in("right", "", &entry);
    change(QN_PEOPLE_CHANGE, disable); /* meanwhile */
    settle();
    cr_assert_eq(entry.count, 1);
    cr_assert_eq(entry.result, QN_SIGN_IN_BUSY);
    cr_assert_eq(entry.cookie[0], '\0');
}

/* The door is freed when the disk has answered; nobody is told (see tear_down). */
Test(door, closing_while_a_login_is_written)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    disk_waits = true;
    sign_in("right", "", entry);
    free(entry);
}

Test(door, a_new_password_is_a_fresh_start)
{
    struct entry entry;
    bool was_throttled = false;
    for (int i = 0; i < 100 && !was_throttled; i++)
        was_throttled = sign_in("wrong", "", &entry) == QN_SIGN_IN_THROTTLED;
    cr_assert(was_throttled);
    qn_door_forgive(door, SPAN("bert"));
    cr_assert_eq(sign_in("right", "", &entry), QN_SIGN_IN_THROTTLED);
    qn_door_forgive(door, SPAN("anne"));
    cr_assert_eq(sign_in("right", "", &entry), QN_SIGN_IN_DONE);
}

static void ask_again(void *context, enum qn_door_verdict verdict, const struct qn_person *person,
                      unsigned retry_s)
{
    (void)person, (void)retry_s;
    cr_assert_eq(verdict, QN_DOOR_BUSY);
    start_ask("again", "wrong", "198.51.100.250", context);
}

/* At once, as the next request of its connection does. */
Test(door, who_made_room_takes_no_place_of_the_others)
{
    struct told told[QN_DOOR_WAITING_MAX + QN_DOOR_HASHES_MAX - 1], anne, again = {0};
    const unsigned count = sizeof(told) / sizeof(told[0]);
    struct qn_http_head head = head_of(QN_HTTP_GET, "192.0.2.1:8443");
    cr_assert_eq(ask("anne", "right"), QN_DOOR_PERSON);
    now += QN_DOOR_CACHE_MS;
    for (unsigned i = 0; i < count; i++) {
        char name[16], from[32];
        snprintf(name, sizeof(name), "n%u", i);
        snprintf(from, sizeof(from), "198.51.100.%u", i);
        start_ask(name, "wrong", from, &told[i]);
    }
    add_field(&head, "Authorization", basic("last", "wrong"));
    cr_assert_neq(qn_door_ask(door, &head, "198.51.100.251", ask_again, &again), 0);
    start_ask("anne", "right", "192.0.2.7", &anne);
    cr_assert_eq(again.count, 1);
    cr_assert_eq(again.verdict, QN_DOOR_BUSY);
    for (unsigned i = 0; i < count; i++)
        turn_until(loop, told[i].count == 1);
    turn_until(loop, anne.count == 1);
}

static enum qn_sign_in sign_in_from(const char *from, const char *device, struct entry *entry)
{
    struct qn_sign_in_what what = {.name = SPAN("anne"),
                                   .password = SPAN("right"),
                                   .code = SPAN(""),
                                   .device = qn_span_str(device),
                                   .from = from};
    *entry = (struct entry){0};
    qn_door_sign_in(door, &what, on_sign_in, entry);
    for (int i = 0; i < 1000000 && entry->count == 0; i++) {
        qn_loop_turn(loop);
        fake_local_turn(disk);
        settle();
    }
    return entry->result;
}

static void attack_from_everywhere(void)
{
    struct told told;
    for (unsigned i = 0; i < 60; i++) {
        char from[32];
        snprintf(from, sizeof(from), "203.0.113.%u", i);
        ask_from("anne", "wrong", from, &told);
    }
    cr_assert_eq(told.verdict, QN_DOOR_THROTTLED);
}

/* Also where it never was, while others use up what strangers have, and at a daemon that was
 * started anew. */
Test(door, a_browser_that_signed_in_before_is_known_wherever_it_is)
{
    struct entry entry;
    struct qn_person anne = {.name = "anne"};
    char device[QN_DOOR_SECRET_SIZE + 1], old[QN_DOOR_SECRET_SIZE + 1];
    cr_assert(qn_door_device(door, &anne, device));
    attack_from_everywhere();
    cr_assert_eq(sign_in_from("198.51.100.1", "", &entry), QN_SIGN_IN_THROTTLED);
    cr_assert_eq(sign_in_from("198.51.100.2", "0", &entry), QN_SIGN_IN_THROTTLED);
    cr_assert_eq(sign_in_from("198.51.100.3", device, &entry), QN_SIGN_IN_DONE);
    memcpy(old, device, sizeof(old));
    change(QN_PEOPLE_CHANGE, other_password);
    cr_assert_eq(sign_in_from("198.51.100.4", old, &entry), QN_SIGN_IN_THROTTLED,
                 "it was of another password");
    cr_assert(qn_door_device(door, &anne, device));
    cr_assert_eq(sign_in_from("198.51.100.4", device, &entry), QN_SIGN_IN_DONE);
}

/* Guesses of the code count too: who has the password does not have the rest. */
Test(door, codes_are_throttled)
{
    struct entry entry;
    unsigned tried = 0;
    change(QN_PEOPLE_CHANGE, add_totp);
    for (int i = 0; i < 100; i++)
        tried += sign_in("right", "123456", &entry) == QN_SIGN_IN_CODE_WRONG;
    cr_assert_leq(tried, 5);
    cr_assert_eq(entry.result, QN_SIGN_IN_THROTTLED);
}

Test(door, the_end_waits_for_the_pool)
{
    struct told told[4];
    for (unsigned i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof(name), "m%u", i);
        start_ask(name, "wrong", "192.0.2.9", &told[i]);
    }
    qn_door_free(door);
    door = NULL;
    turn_until(loop, hashes == 2 && at_once == 0);
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(told[i].count, 0);
}
