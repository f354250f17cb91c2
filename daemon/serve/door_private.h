/* Inside the door: door.c looks at a request, door_check.c checks passwords and codes.
 *
 *   ask ── app password, cache, session ── at once
 *     └── password ── throttle ── waiting (16) ── checking on the pool (2) ── told
 *                                  known ones first
 *                                                  └ followers with the same password
 */
#pragma once

#include "base/vec.h"
#include "people/account.h"
#include "people/session.h"
#include "people/throttle.h"
#include "serve/config.h"
#include "serve/door.h"
#include "serve/serve.h"

#define DOOR_CACHE_PLACES 256

struct cached {
    struct qn_digest key; /* HMAC of name and password, under a key of this process */
    char name[QN_USER_SIZE_MAX + 1];
    uint64_t epoch, until_ms;
};

/* Somebody with a password that has to be checked. */
struct knock {
    struct qn_door *door;
    uint64_t token;
    struct qn_digest key;
    char name[QN_USER_SIZE_MAX + 1];
    char from[64];
    char password[QN_PASSWORD_SIZE_MAX];
    size_t password_size;
    char code[32]; /* of a sign-in */
    bool is_sign_in, is_follower, is_forgotten, is_account, is_known_device, may_pass;
    bool comes_first; /* from where the password was right before: strangers wait behind it */
    uint64_t epoch;   /* of the account when it was asked */
    struct qn_source source;
    struct qn_verifier verifier;
    enum qn_err result;
    uint64_t totp_step;
    qn_door_fn ask_done;
    qn_sign_in_fn sign_in_done;
    void *context;
};

struct qn_door {
    struct qn_door_options options;
    uint8_t key[32];
    struct qn_throttle *throttle;
    struct qn_sessions *sessions;
    struct cached cache[DOOR_CACHE_PLACES];
    char names[QN_WEB_NAMES_MAX][QN_WEB_NAME_SIZE_MAX + 1];
    size_t name_count;
    QN_VEC(struct knock *) waiting, followers, checking;
    size_t busy; /* on the pool, or waiting for the disk: who they are is not to be freed before */
    uint64_t last_token;
    bool is_closing, is_noting_use;
};

/* ---- door.c ---- */
uint64_t door_now(const struct qn_door *door);
void door_person(const struct qn_account *account, const struct qn_app_password *app,
                 struct qn_person *ret_person);
void door_done_one(struct qn_door *door); /* one less is busy */

/* ---- door_check.c ---- */
void door_key_of(const struct qn_door *door, struct qn_span name, struct qn_span password,
                 struct qn_digest *ret_key);
/* The account whose password that was within the last minutes, and still is; NULL. */
const struct qn_account *door_cached(struct qn_door *door, const struct qn_digest *key);
/* Takes the knock; gives its token, or 0 if it was told at once. */
uint64_t door_knock(struct qn_door *door, struct knock *take_knock);
struct knock *door_new_knock(struct qn_door *door, struct qn_span name, struct qn_span password,
                             const char *from);
