/* The people of this site: accounts, passwords of devices, second factors, rights, sessions,
 * throttling. Pure: time and randomness come in, rows go out and are stored by the caller before
 * anything holds.
 *
 * A password verifier (scrypt) never leaves this site. Rights: nothing is anybody's by itself; a
 * grant gives one person one folder or collection, to read or to write. A reader never writes,
 * whatever was granted; an operator also sees the state of all sites, the backups and the audit
 * trail.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/local.h"

enum qn_role { QN_ROLE_READER, QN_ROLE_EDITOR, QN_ROLE_OPERATOR };
enum qn_right { QN_RIGHT_NONE, QN_RIGHT_READ, QN_RIGHT_WRITE };
enum qn_thing { QN_THING_FOLDER, QN_THING_COLLECTION };

struct qn_person {
    char name[QN_USER_SIZE_MAX + 1];
    enum qn_role role;
    char device[QN_USER_SIZE_MAX + 1]; /* the label of the app password that was used; "" */
    enum qn_right device_max;          /* what that one is limited to */
};

struct qn_people;
/* What a person may do with a thing of that name now: the least of role, grant and device. */
enum qn_right qn_people_right(const struct qn_people *people, const struct qn_person *person,
                              enum qn_thing thing, struct qn_span name);
