#include "people/people.h"

#include "base/assert.h"
#include "people/account.h"

struct edit {
    struct qn_people_edit what;
    char name[QN_USER_SIZE_MAX + 1];
};

struct qn_people {
    const struct qn_local *local;
    struct qn_people_things things;
    QN_VEC(struct qn_account) accounts; /* by name */
    QN_VEC(struct edit) edits;          /* the first one is under way if `is_writing` */
    struct qn_account next;             /* what the account becomes when it is durable */
    bool is_writing, is_running;
    uint64_t last_epoch;
    enum qn_err load_err;
};

/* ---- who there is ---- */

/* Where that name stands, or would. */
static size_t place_of(const struct qn_people *people, struct qn_span name)
{
    size_t low = 0, high = people->accounts.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (qn_span_cmp(qn_span_str(people->accounts.items[middle].name), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct qn_account *qn_people_find(const struct qn_people *people, struct qn_span name)
{
    size_t at = place_of(people, name);
    if (at < people->accounts.count && qn_span_eq_str(name, people->accounts.items[at].name))
        return &people->accounts.items[at];
    return NULL;
}

size_t qn_people_count(const struct qn_people *people)
{
    return people->accounts.count;
}

const struct qn_account *qn_people_at(const struct qn_people *people, size_t index)
{
    return &people->accounts.items[index];
}

/* ---- rights ---- */

static const struct qn_account *valid_account(const struct qn_people *people,
                                              const struct qn_person *person,
                                              const struct qn_app_password **ret_app)
{
    const struct qn_account *account = qn_people_find(people, qn_span_str(person->name));
    *ret_app = NULL;
    if (account == NULL || account->is_disabled)
        return NULL;
    if (person->device[0] == '\0')
        return account;
    *ret_app = qn_account_app(account, qn_span_str(person->device));
    return *ret_app != NULL ? account : NULL;
}

static enum qn_right least(enum qn_right a, enum qn_right b)
{
    return a < b ? a : b;
}

const char *qn_person_device(const struct qn_person *person)
{
    if (person->device[0] != '\0')
        return person->device;
    return person->is_session ? "page" : "password";
}

/* Whether that name is still of what had it; `bound` NULL: whatever has it. */
static bool is_still(const struct qn_people *people, enum qn_thing thing, const char *name,
                     const uint8_t *bound)
{
    const struct qn_people_things *things = &people->things;
    uint8_t id[QN_THING_ID_SIZE];
    return things->find == NULL || (things->find(things->context, thing, qn_span_str(name), id) &&
                                    (bound == NULL || memcmp(id, bound, sizeof(id)) == 0));
}

bool qn_people_grant_holds(const struct qn_people *people, const struct qn_grant *grant)
{
    return is_still(people, grant->thing, grant->name, grant->is_bound ? grant->id : NULL);
}

bool qn_people_app_holds(const struct qn_people *people, const struct qn_app_password *app)
{
    return app->folder[0] == '\0' ||
           is_still(people, QN_THING_FOLDER, app->folder, app->is_bound ? app->folder_id : NULL);
}

static enum qn_right right_of_app(const struct qn_people *people, const struct qn_app_password *app,
                                  enum qn_thing thing, struct qn_span name)
{
    bool is_elsewhere =
        app->folder[0] != '\0' && (thing != QN_THING_FOLDER || !qn_span_eq_str(name, app->folder));
    return is_elsewhere || !qn_people_app_holds(people, app) ? QN_RIGHT_NONE : app->right;
}

enum qn_right qn_people_right(const struct qn_people *people, const struct qn_person *person,
                              enum qn_thing thing, struct qn_span name)
{
    const struct qn_app_password *app;
    if (person->is_from_site)
        return thing == QN_THING_FOLDER ? person->device_max : QN_RIGHT_NONE;
    const struct qn_account *account = valid_account(people, person, &app);
    if (account == NULL)
        return QN_RIGHT_NONE;
    const struct qn_grant *grant = qn_account_granted(account, thing, name);
    if (grant == NULL || !qn_people_grant_holds(people, grant))
        return QN_RIGHT_NONE;
    enum qn_right right = grant->right;
    if (account->role == QN_ROLE_READER)
        right = least(right, QN_RIGHT_READ);
    if (app == NULL)
        return right;
    return least(right, least(person->device_max, right_of_app(people, app, thing, name)));
}

bool qn_people_is_operator(const struct qn_people *people, const struct qn_person *person)
{
    const struct qn_app_password *app;
    if (person->is_from_site)
        return false;
    const struct qn_account *account = valid_account(people, person, &app);
    return account != NULL && app == NULL && account->role == QN_ROLE_OPERATOR;
}

/* ---- changes ---- */

static bool is_proof_same(const struct qn_account *a, const struct qn_account *b)
{
    return a->has_password == b->has_password && a->has_totp == b->has_totp &&
           a->is_disabled == b->is_disabled &&
           memcmp(&a->verifier, &b->verifier, sizeof(a->verifier)) == 0 &&
           memcmp(a->totp, b->totp, sizeof(a->totp)) == 0;
}

static void remove_at(struct qn_people *people, size_t at)
{
    qn_account_deinit(&people->accounts.items[at]);
    qn_vec_remove(&people->accounts, at);
}

/* Takes the account. */
static void keep(struct qn_people *people, struct qn_account *take_account)
{
    struct qn_span name = qn_span_str(take_account->name);
    size_t at = place_of(people, name);
    const struct qn_account *before = qn_people_find(people, name);
    bool is_same = before != NULL && is_proof_same(before, take_account);
    take_account->epoch = is_same ? before->epoch : ++people->last_epoch;
    if (before != NULL)
        remove_at(people, at);
    struct qn_account *slot = qn_vec_insert_slot(&people->accounts, at);
    *slot = *take_account;
    qn_wipe(take_account, sizeof(*take_account));
}

static void run_edits(struct qn_people *people);

static void finish(struct qn_people *people, enum qn_err err)
{
    struct edit edit = people->edits.items[0];
    qn_vec_remove(&people->edits, 0);
    edit.what.done(edit.what.context, err);
}

static void on_written(void *context, enum qn_err err)
{
    struct qn_people *people = context;
    const struct edit *edit = &people->edits.items[0];
    people->is_writing = false;
    if (err == QN_OK && edit->what.change == QN_PEOPLE_REMOVE)
        remove_at(people, place_of(people, qn_span_str(edit->name)));
    else if (err == QN_OK)
        keep(people, &people->next);
    qn_account_deinit(&people->next);
    finish(people, err);
    run_edits(people);
}

static enum qn_err write_next(struct qn_people *people, bool is_gone)
{
    QN_AUTO_BUF struct qn_buf key, value;
    qn_buf_init(&key, QN_LOCAL_KEY_SIZE_MAX);
    qn_buf_init(&value, QN_ACCOUNT_ROW_SIZE_MAX);
    qn_account_key(people->next.name, &key);
    if (!is_gone)
        qn_account_pack(&people->next, &value);
    QN_TRY(qn_buf_status(&key));
    QN_TRY(qn_buf_status(&value));
    struct qn_local_row row = {
        .key = qn_buf_view(&key), .value = qn_buf_view(&value), .is_gone = is_gone};
    people->is_writing = true;
    people->local->put(people->local->context, &row, 1, on_written, people);
    if (value.size > 0)
        qn_wipe(value.data, value.size);
    return QN_OK;
}

static enum qn_err make_next(struct qn_people *people, const struct edit *edit)
{
    const struct qn_account *before = qn_people_find(people, qn_span_str(edit->name));
    bool is_new = edit->what.change == QN_PEOPLE_ADD;
    if (is_new && before != NULL)
        return QN_ERR_EXISTS;
    if (!is_new && before == NULL)
        return QN_ERR_NOTFOUND;
    if (is_new && people->accounts.count >= QN_PEOPLE_MAX)
        return QN_ERR_LIMIT;
    if (is_new && !qn_account_is_name(qn_span_str(edit->name)))
        return QN_ERR_INVALID;
    if (before != NULL)
        qn_account_copy(before, &people->next);
    else
        memcpy(people->next.name, edit->name, sizeof(edit->name));
    return edit->what.edit != NULL ? edit->what.edit(edit->what.context, &people->next) : QN_OK;
}

static void run_first(struct qn_people *people)
{
    struct edit edit = people->edits.items[0];
    people->next = (struct qn_account){0};
    enum qn_err err = make_next(people, &edit);
    if (err == QN_OK)
        err = write_next(people, edit.what.change == QN_PEOPLE_REMOVE);
    if (err == QN_OK)
        return;
    qn_account_deinit(&people->next);
    finish(people, err);
}

static void run_edits(struct qn_people *people)
{
    if (people->is_running)
        return;
    people->is_running = true;
    while (people->edits.count > 0 && !people->is_writing)
        run_first(people);
    people->is_running = false;
}

void qn_people_edit(struct qn_people *people, const struct qn_people_edit *what)
{
    struct edit edit = {.what = *what};
    size_t size = strlen(what->name);
    if (size > QN_USER_SIZE_MAX) {
        what->done(what->context, what->change == QN_PEOPLE_ADD ? QN_ERR_INVALID : QN_ERR_NOTFOUND);
        return;
    }
    if (people->edits.count >= QN_PEOPLE_EDITS_MAX) {
        what->done(what->context, QN_ERR_BUSY);
        return;
    }
    memcpy(edit.name, what->name, size);
    edit.what.name = NULL;
    qn_vec_push(&people->edits, edit);
    run_edits(people);
}

/* ---- life ---- */

static bool load_row(void *context, struct qn_span key, struct qn_span value)
{
    struct qn_people *people = context;
    struct qn_account account;
    people->load_err = people->accounts.count >= QN_PEOPLE_MAX
                           ? QN_ERR_LIMIT
                           : qn_account_unpack(key, value, &account);
    if (people->load_err == QN_OK)
        keep(people, &account);
    return people->load_err == QN_OK;
}

enum qn_err qn_people_load(struct qn_people *people)
{
    struct qn_span prefix = qn_span_str(QN_ACCOUNT_PREFIX);
    people->load_err = QN_OK;
    QN_TRY(people->local->read(people->local->context, prefix, prefix, load_row, people));
    return people->load_err;
}

struct qn_people *qn_people_new(const struct qn_local *local)
{
    struct qn_people *people = QN_NEW(struct qn_people);
    people->local = local;
    return people;
}

void qn_people_set_things(struct qn_people *people, const struct qn_people_things *things)
{
    people->things = *things;
}

void qn_people_free(struct qn_people *people)
{
    if (people == NULL)
        return;
    QN_ASSERT(!people->is_writing);
    people->is_running = true; /* what is asked for now is only told the end */
    while (people->edits.count > 0)
        finish(people, QN_ERR_CLOSED);
    qn_vec_each (&people->accounts, account)
        qn_account_deinit(account);
    qn_vec_free(&people->accounts);
    qn_vec_free(&people->edits);
    qn_account_deinit(&people->next);
    qn_free(people);
}
