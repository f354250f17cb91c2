/* Accounts in front of a disk that fails and loses. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "people/account.h"
#include "support/fake_local.h"
#include "support/span.h"

static struct fake_local *disk;
static struct qn_people *people;

static void set_up(void)
{
    disk = fake_local_new();
    people = qn_people_new(fake_local_door(disk));
    cr_assert_eq(qn_people_load(people), QN_OK);
}

static void tear_down(void)
{
    fake_local_turn(disk);
    qn_people_free(people);
    fake_local_free(disk);
}
TestSuite(people, .init = set_up, .fini = tear_down);

struct wish {
    enum qn_thing thing;
    const char *name;
    enum qn_right right;
    enum qn_role role;
    enum qn_err err; /* that the edit gives */
    unsigned told;
    enum qn_err result;
};

static enum qn_err grant(void *context, struct qn_account *account)
{
    struct wish *wish = context;
    account->role = wish->role;
    if (wish->err != QN_OK || wish->name == NULL)
        return wish->err;
    return qn_account_grant(account, wish->thing, qn_span_str(wish->name), wish->right);
}

static void on_done(void *context, enum qn_err err)
{
    struct wish *wish = context;
    wish->told++;
    wish->result = err;
}

static void edit(enum qn_people_change change, const char *name, struct wish *wish)
{
    qn_people_edit(
        people,
        &(struct qn_people_edit){
            .change = change, .name = name, .edit = grant, .done = on_done, .context = wish});
}

static void do_edit(enum qn_people_change change, const char *name, struct wish *wish)
{
    edit(change, name, wish);
    while (wish->told == 0)
        fake_local_turn(disk);
    cr_assert_eq(wish->told, 1);
    cr_assert_eq(wish->result, QN_OK);
}

static void add(const char *name, enum qn_role role)
{
    struct wish wish = {.role = role};
    do_edit(QN_PEOPLE_ADD, name, &wish);
}

static void give(const char *name, enum qn_role role, const char *folder, enum qn_right right)
{
    struct wish wish = {.name = folder, .right = right, .role = role};
    do_edit(QN_PEOPLE_CHANGE, name, &wish);
}

static enum qn_right right_of(const char *name, const char *device, const char *folder)
{
    struct qn_person person = {.device_max = QN_RIGHT_WRITE};
    strcpy(person.name, name);
    strcpy(person.device, device);
    return qn_people_right(people, &person, QN_THING_FOLDER, qn_span_str(folder));
}

Test(people, nothing_holds_before_it_is_durable)
{
    struct wish wish = {.role = QN_ROLE_EDITOR};
    edit(QN_PEOPLE_ADD, "anne", &wish);
    cr_assert_eq(wish.told, 0);
    cr_assert_null(qn_people_find(people, SPAN("anne")));
    fake_local_turn(disk);
    cr_assert_eq(wish.told, 1);
    cr_assert_not_null(qn_people_find(people, SPAN("anne")));
}

/* The only folder: its name and the first byte of its id. */
static struct {
    const char *name;
    uint8_t id;
} only = {"plans", 1};

static bool find_only(void *context, enum qn_thing thing, struct qn_span name,
                      uint8_t ret_id[QN_THING_ID_SIZE])
{
    memset(ret_id, 0, QN_THING_ID_SIZE);
    ret_id[0] = only.id;
    return thing == QN_THING_FOLDER && qn_span_eq_str(name, only.name);
}

static enum qn_err bind_to_it(void *context, struct qn_account *account)
{
    uint8_t id[QN_THING_ID_SIZE] = {only.id};
    cr_assert_eq(qn_account_grant(account, QN_THING_FOLDER, SPAN("plans"), QN_RIGHT_WRITE), QN_OK);
    qn_account_bind(account, QN_THING_FOLDER, SPAN("plans"), id);
    return QN_OK;
}

/* What was granted on a folder is nothing on another one that gets its name, also after a start. */
Test(people, a_right_goes_with_its_folder)
{
    struct wish done = {0};
    const struct qn_people_things things = {find_only, NULL};
    add("anne", QN_ROLE_EDITOR);
    qn_people_edit(people, &(struct qn_people_edit){.change = QN_PEOPLE_CHANGE,
                                                    .name = "anne",
                                                    .edit = bind_to_it,
                                                    .done = on_done,
                                                    .context = &done});
    while (done.told == 0)
        fake_local_turn(disk);
    qn_people_free(people);
    people = qn_people_new(fake_local_door(disk));
    qn_people_set_things(people, &things);
    cr_assert_eq(qn_people_load(people), QN_OK);
    cr_assert_eq(right_of("anne", "", "plans"), QN_RIGHT_WRITE);
    only.id = 2;
    cr_assert_eq(right_of("anne", "", "plans"), QN_RIGHT_NONE);
    only.id = 1;
    cr_assert_eq(right_of("anne", "", "plans"), QN_RIGHT_WRITE);
    only.name = "menus";
    cr_assert_eq(right_of("anne", "", "plans"), QN_RIGHT_NONE);
}

/* A row of before there were ids names what is there, till it is bound. */
Test(people, a_right_of_old_goes_by_the_name)
{
    const struct qn_people_things things = {find_only, NULL};
    add("anne", QN_ROLE_EDITOR);
    give("anne", QN_ROLE_EDITOR, "plans", QN_RIGHT_READ);
    qn_people_set_things(people, &things);
    cr_assert_eq(right_of("anne", "", "plans"), QN_RIGHT_READ);
}

Test(people, a_full_disk_changes_nothing)
{
    add("anne", QN_ROLE_EDITOR);
    struct wish wish = {.name = "plans", .right = QN_RIGHT_WRITE, .role = QN_ROLE_OPERATOR};
    struct wish next = {.name = "menus", .right = QN_RIGHT_READ, .role = QN_ROLE_EDITOR};
    edit(QN_PEOPLE_CHANGE, "anne", &wish);
    edit(QN_PEOPLE_CHANGE, "anne", &next);
    fake_local_fail(disk, QN_ERR_NOSPACE);
    fake_local_turn(disk);
    cr_assert_eq(wish.result, QN_ERR_NOSPACE);
    fake_local_turn(disk);
    cr_assert_eq(next.result, QN_OK);
    cr_assert_eq(right_of("anne", "", "plans"), QN_RIGHT_NONE, "a failed grant came with the next");
    cr_assert_eq(right_of("anne", "", "menus"), QN_RIGHT_READ);
}

Test(people, edits_do_not_overwrite_each_other)
{
    char names[QN_PEOPLE_EDITS_MAX][8];
    struct wish wishes[QN_PEOPLE_EDITS_MAX], late = {0};
    add("anne", QN_ROLE_EDITOR);
    for (size_t i = 0; i < QN_PEOPLE_EDITS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "f%zu", i);
        wishes[i] = (struct wish){.name = names[i], .right = QN_RIGHT_READ, .role = QN_ROLE_EDITOR};
        edit(QN_PEOPLE_CHANGE, "anne", &wishes[i]);
    }
    edit(QN_PEOPLE_CHANGE, "anne", &late);
    cr_assert_eq(late.result, QN_ERR_BUSY);
    while (fake_local_turn(disk) > 0)
        ;
    for (size_t i = 0; i < QN_PEOPLE_EDITS_MAX; i++)
        cr_assert_eq(right_of("anne", "", names[i]), QN_RIGHT_READ);
}

Test(people, refusals)
{
    struct wish wish = {0}, twice = {0}, refused = {.err = QN_ERR_INVALID}, bad = {0}, large = {0};
    edit(QN_PEOPLE_CHANGE, "nobody", &wish);
    cr_assert_eq(wish.result, QN_ERR_NOTFOUND);
    add("anne", QN_ROLE_READER);
    edit(QN_PEOPLE_ADD, "anne", &twice);
    cr_assert_eq(twice.result, QN_ERR_EXISTS);
    edit(QN_PEOPLE_CHANGE, "anne", &refused);
    cr_assert_eq(refused.result, QN_ERR_INVALID);
    edit(QN_PEOPLE_ADD, "a:b", &bad);
    cr_assert_eq(bad.result, QN_ERR_INVALID);
    char name[QN_USER_SIZE_MAX + 2];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    edit(QN_PEOPLE_ADD, name, &large);
    cr_assert_eq(large.result, QN_ERR_INVALID);
    cr_assert_eq(qn_people_count(people), 1);
}

Test(people, rights)
{
    add("reader", QN_ROLE_READER);
    add("editor", QN_ROLE_EDITOR);
    cr_assert_eq(right_of("editor", "", "plans"), QN_RIGHT_NONE, "nothing is anybody's by itself");
    give("reader", QN_ROLE_READER, "plans", QN_RIGHT_WRITE);
    give("editor", QN_ROLE_EDITOR, "plans", QN_RIGHT_WRITE);
    cr_assert_eq(right_of("reader", "", "plans"), QN_RIGHT_READ, "a reader never writes");
    cr_assert_eq(right_of("editor", "", "plans"), QN_RIGHT_WRITE);
    cr_assert_eq(right_of("nobody", "", "plans"), QN_RIGHT_NONE);
    struct qn_person person = {.name = "editor", .device_max = QN_RIGHT_WRITE};
    cr_assert_eq(qn_people_right(people, &person, QN_THING_COLLECTION, SPAN("plans")),
                 QN_RIGHT_NONE);
    give("editor", QN_ROLE_EDITOR, "plans", QN_RIGHT_NONE);
    cr_assert_eq(right_of("editor", "", "plans"), QN_RIGHT_NONE);
}

static enum qn_err add_app(void *context, struct qn_account *account)
{
    return qn_account_add_app(account, context);
}

static enum qn_err drop_app(void *context, struct qn_account *account)
{
    return qn_account_remove_app(account, SPAN("phone"));
}

static enum qn_err disable(void *context, struct qn_account *account)
{
    account->is_disabled = true;
    return QN_OK;
}

static void change(const char *name, enum qn_err (*fn)(void *, struct qn_account *), void *context)
{
    struct wish wish = {0};
    (void)context;
    qn_people_edit(people, &(struct qn_people_edit){.change = QN_PEOPLE_CHANGE,
                                                    .name = name,
                                                    .edit = fn,
                                                    .done = on_done,
                                                    .context = &wish});
    while (wish.told == 0)
        fake_local_turn(disk);
}

static struct qn_app_password phone = {.label = "phone", .right = QN_RIGHT_READ};

static enum qn_err add_phone(void *context, struct qn_account *account)
{
    return add_app(&phone, account);
}

Test(people, rights_of_a_device)
{
    add("anne", QN_ROLE_OPERATOR);
    give("anne", QN_ROLE_OPERATOR, "plans", QN_RIGHT_WRITE);
    give("anne", QN_ROLE_OPERATOR, "menus", QN_RIGHT_WRITE);
    change("anne", add_phone, NULL);
    struct qn_person person = {.name = "anne", .device_max = QN_RIGHT_WRITE};
    cr_assert(qn_people_is_operator(people, &person));
    strcpy(person.device, "phone");
    cr_assert_not(qn_people_is_operator(people, &person));
    cr_assert_eq(right_of("anne", "phone", "plans"), QN_RIGHT_READ);
    change("anne", drop_app, NULL);
    cr_assert_eq(right_of("anne", "phone", "plans"), QN_RIGHT_NONE);
    strcpy(phone.folder, "menus");
    phone.right = QN_RIGHT_WRITE;
    change("anne", add_phone, NULL);
    cr_assert_eq(right_of("anne", "phone", "plans"), QN_RIGHT_NONE);
    cr_assert_eq(right_of("anne", "phone", "menus"), QN_RIGHT_WRITE);
}

/* Another folder of the name is not what the device was let into. */
Test(people, a_device_goes_with_its_folder)
{
    const struct qn_people_things things = {find_only, NULL};
    add("anne", QN_ROLE_EDITOR);
    give("anne", QN_ROLE_EDITOR, "plans", QN_RIGHT_WRITE); /* by its name: it goes on */
    strcpy(phone.folder, "plans");
    phone.right = QN_RIGHT_WRITE;
    phone.is_bound = true;
    phone.folder_id[0] = 1;
    change("anne", add_phone, NULL);
    qn_people_set_things(people, &things);
    only.id = 1;
    only.name = "plans";
    const struct qn_app_password *app = qn_people_find(people, SPAN("anne"))->apps.items;
    cr_assert_eq(right_of("anne", "phone", "plans"), QN_RIGHT_WRITE);
    cr_assert(qn_people_app_holds(people, app));
    only.id = 2;
    cr_assert_eq(right_of("anne", "phone", "plans"), QN_RIGHT_NONE);
    cr_assert_eq(right_of("anne", "", "plans"), QN_RIGHT_WRITE);
    cr_assert_not(qn_people_app_holds(people, app));
}

Test(people, to_list_is_less_than_to_read)
{
    add("anne", QN_ROLE_EDITOR);
    give("anne", QN_ROLE_EDITOR, "plans", QN_RIGHT_LIST);
    give("anne", QN_ROLE_EDITOR, "menus", QN_RIGHT_WRITE);
    cr_assert_eq(right_of("anne", "", "plans"), QN_RIGHT_LIST);
    phone.right = QN_RIGHT_LIST;
    change("anne", add_phone, NULL);
    cr_assert_eq(right_of("anne", "phone", "menus"), QN_RIGHT_LIST);
    enum qn_right right;
    cr_assert_eq(qn_right_parse(SPAN("list"), &right), QN_OK);
    cr_assert_eq(right, QN_RIGHT_LIST);
    cr_assert_eq(qn_right_parse(SPAN("none"), &right), QN_ERR_INVALID);
}

Test(people, disabled_means_now)
{
    add("anne", QN_ROLE_EDITOR);
    give("anne", QN_ROLE_EDITOR, "plans", QN_RIGHT_WRITE);
    uint64_t epoch = qn_people_find(people, SPAN("anne"))->epoch;
    give("anne", QN_ROLE_EDITOR, "menus", QN_RIGHT_WRITE);
    cr_assert_eq(qn_people_find(people, SPAN("anne"))->epoch, epoch, "a grant logs nobody out");
    change("anne", disable, NULL);
    cr_assert_eq(right_of("anne", "", "plans"), QN_RIGHT_NONE);
    cr_assert_neq(qn_people_find(people, SPAN("anne"))->epoch, epoch);
}

static void reload(void)
{
    qn_people_free(people);
    people = qn_people_new(fake_local_door(disk));
    cr_assert_eq(qn_people_load(people), QN_OK);
}

Test(people, what_was_told_is_there_after_a_power_cut)
{
    add("bruno", QN_ROLE_EDITOR);
    add("anne", QN_ROLE_EDITOR);
    give("anne", QN_ROLE_EDITOR, "plans", QN_RIGHT_WRITE);
    struct wish removed = {0};
    do_edit(QN_PEOPLE_REMOVE, "bruno", &removed);
    reload();
    cr_assert_eq(qn_people_count(people), 1);
    cr_assert_eq(right_of("anne", "", "plans"), QN_RIGHT_WRITE);
}

Test(people, in_the_order_of_names)
{
    static const char *const names[] = {"m", "a", "z", "b", "y", "c"};
    for (size_t i = 0; i < 6; i++)
        add(names[i], QN_ROLE_READER);
    for (size_t i = 1; i < 6; i++)
        cr_assert_lt(strcmp(qn_people_at(people, i - 1)->name, qn_people_at(people, i)->name), 0);
}

Test(people, a_damaged_row_is_said)
{
    add("anne", QN_ROLE_READER);
    struct memkv *memkv = fake_local_memkv(disk);
    cr_assert_eq(qn_kv_put(memkv_begin(memkv), QN_TABLE_LOCAL, SPAN("user/zoe"), SPAN("\xc0")),
                 QN_OK);
    cr_assert_eq(memkv_commit(memkv), QN_OK);
    qn_people_free(people);
    people = qn_people_new(fake_local_door(disk));
    cr_assert_eq(qn_people_load(people), QN_ERR_CORRUPT);
    cr_assert_not_null(qn_people_find(people, SPAN("anne")));
}
