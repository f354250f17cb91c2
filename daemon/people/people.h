/* The people of this site: accounts, passwords of devices, second factors, rights, sessions,
 * throttling. Pure: time and randomness come in, rows go out through base/local.h and are durable
 * before anything holds.
 *
 * A password verifier (scrypt) never leaves this site. Rights: nothing is anybody's by itself; a
 * grant gives one person one folder or collection, to list, to read or to write. A reader never
 * writes, whatever was granted; an operator also sees the state of all sites, the backups and the
 * audit trail. What is asked (qn_people_find, _right) is answered from what is durable.
 *
 * Thread: the loop's.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/local.h"

enum qn_role { QN_ROLE_READER, QN_ROLE_EDITOR, QN_ROLE_OPERATOR };
/* Each includes those before it. LIST: names, sizes and times, and no content. */
enum qn_right { QN_RIGHT_NONE, QN_RIGHT_LIST, QN_RIGHT_READ, QN_RIGHT_WRITE };
enum qn_thing { QN_THING_FOLDER, QN_THING_COLLECTION };

struct qn_person {
    char name[QN_PERSON_SIZE_MAX + 1]; /* of one whom another site vouches for: NAME@SITE */
    enum qn_role role;
    char device[QN_USER_SIZE_MAX + 1]; /* the label of the app password that was used; "" */
    enum qn_right device_max;          /* what that one is limited to */
    bool is_session;                   /* came with the page's session, not with a password */
    bool is_from_site; /* no account here: `device_max` is the right that the other site stated, for
                          the folder of the request */
};
/* For the audit trail: the label; "page"; "password" for the account's own. Borrowed. */
const char *qn_person_device(const struct qn_person *person);

/* What there is to have rights on, in this site. An id is not used twice, a name may be. */
#define QN_THING_ID_SIZE 16
struct qn_people_things {
    bool (*find)(void *context, enum qn_thing thing, struct qn_span name,
                 uint8_t ret_id[QN_THING_ID_SIZE]);
    void *context;
};

struct qn_account; /* people/account.h */
struct qn_app_password;
struct qn_grant;
struct qn_people;

/* `local` is borrowed until the end. To be freed after `local` has answered the last put: the
 * application ends that first. Accepts NULL; edits that wait are told QN_ERR_CLOSED from inside. */
struct qn_people *qn_people_new(const struct qn_local *local);
void qn_people_free(struct qn_people *people);
/* Copied. Without it, every grant holds. */
void qn_people_set_things(struct qn_people *people, const struct qn_people_things *things);
/* Once, before anything else. QN_ERR_CORRUPT: a row is none; the accounts before it are there. */
enum qn_err QN_CHECKED qn_people_load(struct qn_people *people);

size_t qn_people_count(const struct qn_people *people);
/* In the order of their names; borrowed until the loop turns. */
const struct qn_account *qn_people_at(const struct qn_people *people, size_t index);
const struct qn_account *qn_people_find(const struct qn_people *people, struct qn_span name);

/* What a person may do with a thing of that name now: the least of role, grant and device. NONE for
 * who was disabled or removed, and for an app password that was revoked, since. */
enum qn_right qn_people_right(const struct qn_people *people, const struct qn_person *person,
                              enum qn_thing thing, struct qn_span name);
/* Whether what was granted is still there: not if it was deleted, and something else has its name.
 */
bool qn_people_grant_holds(const struct qn_people *people, const struct qn_grant *grant);
/* The same of the folder that an app password is limited to; true if it is not limited. */
bool qn_people_app_holds(const struct qn_people *people, const struct qn_app_password *app);
/* State of all sites, backups, audit trail: not with an app password, which may lie in a phone. */
bool qn_people_is_operator(const struct qn_people *people, const struct qn_person *person);

enum qn_people_change { QN_PEOPLE_ADD, QN_PEOPLE_CHANGE, QN_PEOPLE_REMOVE };
struct qn_people_edit {
    enum qn_people_change change;
    const char *name; /* copied */
    /* Changes a copy of the account as it is when its turn comes (ADD: an empty one), or refuses.
     * May be NULL for REMOVE. Edits are one after the other, so none overwrites another. */
    enum qn_err (*edit)(void *context, struct qn_account *account);
    /* Once, maybe from inside: QN_OK when it is durable. QN_ERR_EXISTS, QN_ERR_NOTFOUND,
     * QN_ERR_LIMIT (QN_PEOPLE_MAX), QN_ERR_BUSY (QN_PEOPLE_EDITS_MAX), what `edit` said, what the
     * disk said; then nothing has changed. */
    void (*done)(void *context, enum qn_err err);
    void *context;
};
void qn_people_edit(struct qn_people *people, const struct qn_people_edit *edit);

const char *qn_role_name(enum qn_role role);    /* reader, editor, operator */
const char *qn_right_name(enum qn_right right); /* none, list, read, write */
enum qn_err QN_CHECKED qn_role_parse(struct qn_span text, enum qn_role *ret_role);
enum qn_err QN_CHECKED qn_right_parse(struct qn_span text, enum qn_right *ret_right);
