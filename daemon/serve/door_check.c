/* Passwords and codes that have to be checked: throttled, on the pool, and told. */
#include <arpa/inet.h>

#include "base/assert.h"
#include "people/audit.h"
#include "people/one_time.h"
#include "serve/door_private.h"

#define BUSY_RETRY_S 2

/* ---- what was checked a moment ago ---- */

void door_key_of(const struct qn_door *door, struct qn_span name, struct qn_span password,
                 struct qn_digest *ret_key)
{
    struct qn_buf text;
    qn_buf_init(&text, 1024);
    qn_buf_reserve(&text, 1024);
    qn_buf_append_span(&text, name);
    qn_buf_append_u8(&text, 0);
    qn_buf_append_span(&text, password);
    qn_hmac(QN_SPAN_OF(door->key), qn_buf_view(&text), ret_key);
    qn_wipe(text.data, text.capacity);
    qn_buf_deinit(&text);
}

const struct qn_account *door_cached(struct qn_door *door, const struct qn_digest *key)
{
    uint64_t now = door_now(door);
    for (size_t i = 0; i < DOOR_CACHE_PLACES; i++) {
        const struct cached *cached = &door->cache[i];
        if (cached->until_ms <= now || !qn_digest_eq(&cached->key, key))
            continue;
        const struct qn_account *account =
            qn_people_find(door->options.people, qn_span_str(cached->name));
        bool is_good = account != NULL && !account->is_disabled && !account->has_totp &&
                       account->epoch == cached->epoch;
        return is_good ? account : NULL;
    }
    return NULL;
}

static void remember(struct qn_door *door, const struct knock *knock)
{
    struct cached *oldest = door->cache;
    for (size_t i = 0; i < DOOR_CACHE_PLACES; i++) {
        struct cached *cached = &door->cache[i];
        if (cached->until_ms < oldest->until_ms)
            oldest = cached;
        if (qn_digest_eq(&cached->key, &knock->key)) {
            oldest = cached;
            break;
        }
    }
    *oldest = (struct cached){
        .key = knock->key, .epoch = knock->epoch, .until_ms = door_now(door) + QN_DOOR_CACHE_MS};
    memcpy(oldest->name, knock->name, sizeof(oldest->name));
}

/* ---- telling ---- */

static void free_knock(struct knock *knock)
{
    qn_wipe(knock, sizeof(*knock));
    qn_free(knock);
}

static void tell_ask(const struct knock *knock, enum qn_door_verdict verdict,
                     const struct qn_person *person, unsigned retry_s)
{
    if (!knock->is_forgotten)
        knock->ask_done(knock->context, verdict, person, retry_s);
}

static void tell_sign_in(const struct knock *knock, enum qn_sign_in result,
                         const struct qn_person *person, const char *cookie, unsigned retry_s)
{
    if (!knock->is_forgotten)
        knock->sign_in_done(knock->context, result, person, cookie, retry_s);
}

/* Not let in, and not because of the password. */
static void tell_later(const struct knock *knock, bool is_throttled, unsigned retry_s)
{
    if (knock->is_sign_in)
        tell_sign_in(knock, is_throttled ? QN_SIGN_IN_THROTTLED : QN_SIGN_IN_BUSY, NULL, NULL,
                     retry_s);
    else
        tell_ask(knock, is_throttled ? QN_DOOR_THROTTLED : QN_DOOR_BUSY, NULL, retry_s);
}

static struct qn_audit_what what_of(const struct knock *knock, const char *result)
{
    return (struct qn_audit_what){.actor = qn_span_str(knock->name),
                                  .device = qn_span_str(knock->is_sign_in ? "page" : "password"),
                                  .address = qn_span_str(knock->from),
                                  .action = "login",
                                  .result = result};
}

/* The trail keeps and tells its own trouble; who is not let in is refused in any case. */
static void note_refused(const struct knock *knock, const char *result)
{
    const struct qn_serve_host *host = knock->door->options.host;
    struct qn_audit_what what = what_of(knock, result);
    if (host->note != NULL)
        (void)host->note(host->context, &what);
}

/* ---- the end of a check ---- */

static struct qn_guess guess_of(const struct knock *knock)
{
    return (struct qn_guess){.name = qn_span_str(knock->name),
                             .is_account = knock->is_account,
                             .is_known_device = knock->is_known_device,
                             .source = knock->source};
}

/* The account as it is now, if it is still the one that was checked. */
static const struct qn_account *account_of(const struct knock *knock)
{
    const struct qn_account *account =
        qn_people_find(knock->door->options.people, qn_span_str(knock->name));
    bool is_same = account != NULL && !account->is_disabled && account->epoch == knock->epoch;
    return is_same && knock->may_pass && knock->result == QN_OK ? account : NULL;
}

static void count_right(const struct knock *knock)
{
    struct qn_guess guess = guess_of(knock);
    qn_throttle_right(knock->door->throttle, &guess, door_now(knock->door));
}

static void count_undone(const struct knock *knock)
{
    struct qn_guess guess = guess_of(knock);
    qn_throttle_undo(knock->door->throttle, &guess, door_now(knock->door));
}

/* Also those that follow it. */
static void answer_ask(struct knock *knock, enum qn_door_verdict verdict,
                       const struct qn_person *person, unsigned retry_s)
{
    struct qn_door *door = knock->door;
    for (size_t i = door->followers.count; i > 0; i--) {
        struct knock *follower = door->followers.items[i - 1];
        if (!qn_digest_eq(&follower->key, &knock->key))
            continue;
        qn_vec_remove(&door->followers, i - 1);
        tell_ask(follower, verdict, person, retry_s);
        free_knock(follower);
        i = door->followers.count + 1; /* who was told may have asked again */
    }
    tell_ask(knock, verdict, person, retry_s);
}

/* It could not be checked. */
static void end_undone(struct knock *knock)
{
    count_undone(knock);
    if (knock->is_sign_in)
        tell_later(knock, false, BUSY_RETRY_S);
    else
        answer_ask(knock, QN_DOOR_BUSY, NULL, BUSY_RETRY_S);
    free_knock(knock);
}

static void end_ask(struct knock *knock)
{
    const struct qn_account *account = account_of(knock);
    struct qn_person person;
    if (account != NULL) {
        door_person(account, NULL, &person);
        count_right(knock);
        remember(knock->door, knock);
        answer_ask(knock, QN_DOOR_PERSON, &person, 0);
    } else {
        note_refused(knock, "wrong-password");
        answer_ask(knock, QN_DOOR_WRONG, NULL, 0);
    }
    free_knock(knock);
}

/* ---- signing in ---- */

static void begin_session(struct knock *knock, const struct qn_account *account)
{
    struct qn_door *door = knock->door;
    uint8_t secret[QN_SESSION_SECRET_SIZE];
    char cookie[QN_SESSION_TEXT_SIZE + 1];
    struct qn_person person;
    door->options.host->random(secret, sizeof(secret));
    door_person(account, NULL, &person);
    person.is_session = true;
    qn_session_start(door->sessions, account, secret, door_now(door), cookie);
    count_right(knock);
    tell_sign_in(knock, QN_SIGN_IN_DONE, &person, cookie, 0);
    qn_wipe(secret, sizeof(secret));
    qn_wipe(cookie, sizeof(cookie));
}

static void refuse_session(struct knock *knock)
{
    count_undone(knock);
    tell_later(knock, false, BUSY_RETRY_S);
}

/* Meanwhile the account may have changed. */
static void on_login_noted(void *context, enum qn_err err)
{
    struct knock *knock = context;
    struct qn_door *door = knock->door;
    const struct qn_account *account = door->is_closing ? NULL : account_of(knock);
    if (door->is_closing) {
        /* nobody is told any more */
    } else if (err == QN_OK && account != NULL) {
        begin_session(knock, account);
    } else {
        refuse_session(knock);
    }
    free_knock(knock);
    door_done_one(door);
}

/* Nobody comes in unlogged: the note is durable before the session begins. Takes the knock. */
static void start_session(struct knock *knock, const struct qn_account *account)
{
    struct qn_door *door = knock->door;
    const struct qn_serve_host *host = door->options.host;
    struct qn_audit_what what = what_of(knock, "ok");
    if (host->note_durably == NULL) {
        begin_session(knock, account);
        free_knock(knock);
        return;
    }
    door->busy++;
    if (host->note_durably(host->context, &what, on_login_noted, knock) == QN_OK)
        return;
    refuse_session(knock);
    free_knock(knock);
    door_done_one(door);
}

/* Two with one code: the second finds its step taken. */
static enum qn_err take_step(void *context, struct qn_account *account)
{
    const struct knock *knock = context;
    if (!account->has_totp || account->totp_step >= knock->totp_step)
        return QN_ERR_DENIED;
    account->totp_step = knock->totp_step;
    return QN_OK;
}

static void on_step_taken(void *context, enum qn_err err)
{
    struct knock *knock = context;
    struct qn_door *door = knock->door;
    const struct qn_account *account = door->is_closing ? NULL : account_of(knock);
    if (err == QN_OK && account != NULL) {
        start_session(knock, account);
        door_done_one(door);
        return;
    }
    if (door->is_closing) {
        /* nobody is told any more */
    } else if (err == QN_ERR_DENIED || err == QN_OK) {
        note_refused(knock, "wrong-code");
        tell_sign_in(knock, QN_SIGN_IN_CODE_WRONG, NULL, NULL, 0);
    } else {
        refuse_session(knock);
    }
    free_knock(knock);
    door_done_one(door);
}

static void check_code(struct knock *knock, const struct qn_account *account)
{
    struct qn_door *door = knock->door;
    uint64_t wall_ms = door->options.host->wall_ms(door->options.host->context);
    if (qn_totp_check(account->totp, qn_span_str(knock->code), wall_ms, account->totp_step,
                      &knock->totp_step) != QN_OK) {
        note_refused(knock, "wrong-code");
        tell_sign_in(knock, QN_SIGN_IN_CODE_WRONG, NULL, NULL, 0);
        free_knock(knock);
        return;
    }
    door->busy++;
    qn_people_edit(door->options.people, &(struct qn_people_edit){.change = QN_PEOPLE_CHANGE,
                                                                  .name = knock->name,
                                                                  .edit = take_step,
                                                                  .done = on_step_taken,
                                                                  .context = knock});
}

static void end_sign_in(struct knock *knock)
{
    const struct qn_account *account = account_of(knock);
    if (account != NULL && (!account->has_totp || knock->code[0] != '\0')) {
        if (account->has_totp)
            check_code(knock, account);
        else
            start_session(knock, account);
        return;
    }
    if (account == NULL) {
        note_refused(knock, "wrong-password");
        tell_sign_in(knock, QN_SIGN_IN_WRONG, NULL, NULL, 0);
    } else {
        count_undone(knock); /* not right yet, and not wrong */
        tell_sign_in(knock, QN_SIGN_IN_CODE_WANTED, NULL, NULL, 0);
    }
    free_knock(knock);
}

/* ---- the pool ---- */

static void check(void *context) /* on the pool */
{
    struct knock *knock = context;
    knock->result = knock->door->options.check(&knock->verifier,
                                               qn_span(knock->password, knock->password_size));
}

static void start_waiting(struct qn_door *door);

static void on_checked(void *context)
{
    struct knock *knock = context;
    struct qn_door *door = knock->door;
    size_t at = 0;
    while (door->checking.items[at] != knock)
        at++;
    qn_vec_remove(&door->checking, at);
    if (door->is_closing) {
        free_knock(knock);
    } else if (knock->result != QN_OK && knock->result != QN_ERR_DENIED) {
        end_undone(knock); /* no memory for scrypt */
    } else if (knock->is_sign_in) {
        end_sign_in(knock);
    } else {
        end_ask(knock);
    }
    if (!door->is_closing)
        start_waiting(door);
    door_done_one(door);
}

static bool start(struct qn_door *door, struct knock *knock)
{
    if (qn_loop_job(door->options.loop, check, on_checked, knock) != QN_OK)
        return false;
    qn_vec_push(&door->checking, knock);
    door->busy++;
    return true;
}

static void start_waiting(struct qn_door *door)
{
    while (door->waiting.count > 0 && door->checking.count < QN_DOOR_HASHES_MAX) {
        struct knock *knock = door->waiting.items[0];
        qn_vec_remove(&door->waiting, 0);
        if (!start(door, knock))
            end_undone(knock);
    }
}

/* ---- a knock ---- */

static void read_source(const char *from, struct qn_source *ret_source)
{
    uint8_t address[16] = {[10] = 0xff, [11] = 0xff};
    if (inet_pton(AF_INET, from, address + 12) != 1 && inet_pton(AF_INET6, from, address) != 1)
        memset(address, 0, sizeof(address));
    qn_source_of(address, ret_source);
}

/* An account that may not come in this way is checked against what nothing fits, in the same time:
 * nobody learns from outside who there is. */
static void choose_verifier(struct knock *knock)
{
    const struct qn_account *account =
        qn_people_find(knock->door->options.people, qn_span_str(knock->name));
    knock->is_account = account != NULL;
    knock->may_pass = account != NULL && !account->is_disabled && account->has_password &&
                      (knock->is_sign_in || !account->has_totp);
    if (knock->may_pass)
        knock->verifier = account->verifier;
    else
        qn_verifier_decoy(&knock->verifier);
    knock->epoch = account != NULL ? account->epoch : 0;
}

struct knock *door_new_knock(struct qn_door *door, struct qn_span name, struct qn_span password,
                             const char *from)
{
    struct knock *knock = QN_NEW(struct knock);
    knock->door = door;
    QN_ASSERT(name.size <= QN_USER_SIZE_MAX && password.size <= QN_PASSWORD_SIZE_MAX);
    memcpy(knock->name, name.data, name.size);
    if (password.size > 0)
        memcpy(knock->password, password.data, password.size);
    knock->password_size = password.size;
    strncpy(knock->from, from, sizeof(knock->from) - 1);
    read_source(from, &knock->source);
    door_key_of(door, name, password, &knock->key);
    return knock;
}

static bool has_leader(const struct qn_door *door, const struct knock *knock)
{
    qn_vec_each (&door->checking, other)
        if (!(*other)->is_sign_in && qn_digest_eq(&(*other)->key, &knock->key))
            return true;
    qn_vec_each (&door->waiting, other)
        if (!(*other)->is_sign_in && qn_digest_eq(&(*other)->key, &knock->key))
            return true;
    return false;
}

/* Told at once. */
static uint64_t turn_away(struct knock *knock, bool is_throttled, unsigned retry_s)
{
    tell_later(knock, is_throttled, retry_s);
    free_knock(knock);
    return 0;
}

/* A client that opens eight connections at once makes one guess, not eight. */
static uint64_t follow(struct qn_door *door, struct knock *knock)
{
    if (door->followers.count >= QN_DOOR_FOLLOWERS_MAX)
        return turn_away(knock, false, BUSY_RETRY_S);
    qn_vec_push(&door->followers, knock);
    return knock->token;
}

static bool is_under_way(const struct qn_door *door, uint64_t token)
{
    qn_vec_each (&door->waiting, knock)
        if ((*knock)->token == token)
            return true;
    qn_vec_each (&door->checking, knock)
        if ((*knock)->token == token)
            return true;
    return false;
}

/* ---- who waits ---- */

static bool has_room(const struct qn_door *door, const struct knock *knock)
{
    size_t count = door->waiting.count;
    return count < QN_DOOR_WAITING_MAX ||
           (knock->comes_first && !door->waiting.items[count - 1]->comes_first);
}

static void enqueue(struct qn_door *door, struct knock *knock)
{
    size_t at = door->waiting.count;
    while (knock->comes_first && at > 0 && !door->waiting.items[at - 1]->comes_first)
        at--;
    *qn_vec_insert_slot(&door->waiting, at) = knock;
}

/* The stranger who came last goes: many of them keep nobody out who works here. Behind the one who
 * comes, so that whoever is told and asks again finds no room. */
static void send_last_away(struct qn_door *door)
{
    if (door->waiting.count <= QN_DOOR_WAITING_MAX)
        return;
    struct knock *last = door->waiting.items[--door->waiting.count];
    end_undone(last);
}

uint64_t door_knock(struct qn_door *door, struct knock *knock)
{
    uint64_t wait_ms = 0;
    choose_verifier(knock);
    knock->token = ++door->last_token;
    if (!knock->is_sign_in && has_leader(door, knock))
        return follow(door, knock);
    struct qn_guess guess = guess_of(knock);
    knock->comes_first = qn_throttle_is_known(door->throttle, &guess, door_now(door));
    if (!has_room(door, knock))
        return turn_away(knock, false, BUSY_RETRY_S);
    if (qn_throttle_ask(door->throttle, &guess, door_now(door), &wait_ms) != QN_OK)
        return turn_away(knock, true, (unsigned)((wait_ms + 999) / 1000));
    uint64_t token = knock->token;
    enqueue(door, knock);
    send_last_away(door);
    start_waiting(door);
    return is_under_way(door, token) ? token : 0;
}

static bool forget_in(struct knock **knocks, size_t count, uint64_t token)
{
    for (size_t i = 0; i < count; i++)
        if (knocks[i]->token == token) {
            knocks[i]->is_forgotten = true;
            return true;
        }
    return false;
}

/* It stays, as a guess that was made: who hangs up gets nothing back. */
void qn_door_forget(struct qn_door *door, uint64_t token)
{
    if (!forget_in(door->waiting.items, door->waiting.count, token) &&
        !forget_in(door->checking.items, door->checking.count, token))
        (void)forget_in(door->followers.items, door->followers.count, token);
}
