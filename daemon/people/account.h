/* One account, and its row: key "user/" and the name, value as account_row.c writes it. Pure.
 *
 * Secrets in it: the second factor's, in clear, since codes are computed from it; of passwords only
 * verifiers. An account is wiped when freed.
 */
#pragma once

#include "base/vec.h"
#include "crypto/digest.h"
#include "people/people.h"
#include "people/verifier.h"

#define QN_ACCOUNT_PREFIX       "user/"
#define QN_TOTP_SECRET_SIZE     20
#define QN_APP_PASSWORD_SIZE    16 /* random bytes */
#define QN_ACCOUNT_ROW_SIZE_MAX QN_LOCAL_ROW_SIZE_MAX

/* Of one device, shown once. It has 128 random bits, so that a plain digest is a verifier that
 * nobody can search, and a request costs no scrypt. */
struct qn_app_password {
    char label[QN_USER_SIZE_MAX + 1]; /* unique in an account */
    char folder[QN_NAME_SIZE_MAX +
                1]; /* the only one that it is good for; "": all that are granted */
    /* Of what had that name when it was made; zeros: nothing had. Not bound: a row of before. */
    bool is_bound;
    uint8_t folder_id[QN_THING_ID_SIZE];
    enum qn_right right; /* at most */
    struct qn_digest hash;
    uint64_t created_ms, used_ms; /* wall clock; used: to the hour, 0: never */
    uint64_t expires_ms;          /* wall clock; 0: never */
};

struct qn_grant {
    enum qn_thing thing;
    enum qn_right right;
    char name[QN_NAME_SIZE_MAX + 1];
    /* Of what had that name then; zeros: nothing had. Not bound: a row of before there were ids. */
    bool is_bound;
    uint8_t id[QN_THING_ID_SIZE];
};

struct qn_account {
    char name[QN_USER_SIZE_MAX + 1];
    enum qn_role role;
    bool is_disabled, has_password, has_totp;
    uint64_t created_ms;
    struct qn_verifier verifier;
    uint8_t totp[QN_TOTP_SECRET_SIZE];
    uint64_t totp_step; /* the last that was used; it and those before are not taken again */
    QN_VEC(struct qn_app_password) apps;
    QN_VEC(struct qn_grant) grants;
    /* In memory: another number since the password, the second factor or `is_disabled` changed.
     * What was proven before does not count any more. */
    uint64_t epoch;
};

/* A name of a person: qn_text_is_name, and without ':' (Basic). */
bool qn_account_is_name(struct qn_span name);
void qn_account_deinit(struct qn_account *account); /* wipes; accepts a zeroed one */
void qn_account_copy(const struct qn_account *from, struct qn_account *ret_account);

struct qn_app_password *qn_account_app(const struct qn_account *account, struct qn_span label);
/* QN_ERR_EXISTS: the label. QN_ERR_LIMIT. QN_ERR_INVALID: label or folder is no name. */
enum qn_err QN_CHECKED qn_account_add_app(struct qn_account *account,
                                          const struct qn_app_password *app);
enum qn_err QN_CHECKED qn_account_remove_app(struct qn_account *account, struct qn_span label);
bool qn_app_password_is_over(const struct qn_app_password *app, uint64_t wall_ms);
/* The app password that this is, in time that does not depend on which it is; NULL. */
struct qn_app_password *qn_account_match_app(const struct qn_account *account,
                                             struct qn_span password);
/* How it is written for people, and its verifier. */
void qn_app_password_print(const uint8_t secret[QN_APP_PASSWORD_SIZE], struct qn_buf *out);
void qn_app_password_hash(const uint8_t secret[QN_APP_PASSWORD_SIZE], struct qn_digest *ret_hash);

/* NONE takes it away: QN_ERR_NOTFOUND if there was none. */
enum qn_err QN_CHECKED qn_account_grant(struct qn_account *account, enum qn_thing thing,
                                        struct qn_span name, enum qn_right right);
/* Binds what was granted to what has that name now. */
void qn_account_bind(struct qn_account *account, enum qn_thing thing, struct qn_span name,
                     const uint8_t id[QN_THING_ID_SIZE]);
/* NULL: nothing. Whether it holds is qn_people_grant_holds. */
const struct qn_grant *qn_account_granted(const struct qn_account *account, enum qn_thing thing,
                                          struct qn_span name);

void qn_account_key(const char *name, struct qn_buf *out);
void qn_account_pack(const struct qn_account *account, struct qn_buf *out);
/* QN_ERR_CORRUPT: not what qn_account_pack wrote. QN_ERR_UNSUPPORTED: of a newer version. */
enum qn_err QN_CHECKED qn_account_unpack(struct qn_span key, struct qn_span value,
                                         struct qn_account *ret_account);
