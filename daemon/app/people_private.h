/* Inside the commands of people: people.c lets an order run and answers it, people_orders.c tells
 * what each order is. */
#pragma once

#include "app/people.h"
#include "people/account.h"

#define ORDER_OBJECT_SIZE 160

enum order_kind {
    ORDER_ADD,
    ORDER_ROLE,
    ORDER_PASSWORD,
    ORDER_DISABLE,
    ORDER_ENABLE,
    ORDER_REMOVE,
    ORDER_APP_ADD,
    ORDER_APP_REVOKE,
    ORDER_GRANT,
    ORDER_REVOKE,
    ORDER_TOTP_SET,
    ORDER_TOTP_REMOVE,
    /* those that change nothing */
    ORDER_LIST,
    ORDER_SHOW,
    ORDER_TOTP_NEW,
    ORDER_PROOF,
};

struct order_type {
    const char *command, *args;
    enum order_kind kind;
    const char *action; /* in the trail; NULL: not noted */
};

/* One that is under way: parsed, so that nothing of the request is needed any more. */
struct order {
    struct qn_staff *staff;
    const struct order_type *type;
    uint64_t token;
    char user[QN_USER_SIZE_MAX + 1];
    char name[QN_USER_SIZE_MAX + 1];
    enum qn_role role;
    bool is_shared; /* ADD: of several people, and somebody insists */
    enum qn_thing thing;
    enum qn_right right;
    char what[QN_NAME_SIZE_MAX + 1];    /* folder or collection of a grant, */
    uint8_t thing_id[QN_THING_ID_SIZE]; /* and its id */
    struct qn_app_password app;
    uint8_t secret[32]; /* random: salt, app password, second factor */
    char password[QN_PASSWORD_SIZE_MAX];
    size_t password_size;
    struct qn_verifier verifier;
    uint64_t totp_step, now_ms;
    enum qn_err err;
    const char *code; /* of the refusal */
    char object[ORDER_OBJECT_SIZE];
    struct qn_buf answer; /* data of the end */
};

const struct qn_staff_options *qn_staff_options(const struct qn_staff *staff);

const struct order_type *order_type_of(struct qn_span command); /* NULL: none */
/* Fills the order; on an error `code` and `object` say why. */
enum qn_err QN_CHECKED order_parse(struct order *order, struct qn_span args);
bool order_has_name(const struct order *order);
bool order_needs_hash(const struct order *order);
enum qn_people_change order_change(const struct order *order);
/* struct qn_people_edit's. */
enum qn_err order_apply(void *order, struct qn_account *account);
/* What the trail says it was done to. */
void order_object(const struct order *order, struct qn_buf *out);

/* ---- people_bind.c ---- */
/* Where there are grants of old; the rest follows when one account is done. */
void staff_bind_grants(struct qn_staff *staff);

/* ---- what is shown (people_view.c) ---- */
void order_pack_account(const struct qn_people *people, const struct qn_account *account,
                        struct qn_buf *out);
