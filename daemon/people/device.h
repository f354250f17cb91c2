/* How a browser in which somebody signed in before is known again, wherever it is and also after a
 * restart: a cookie that follows from the account's verifier, so that nobody can make one, nothing
 * is kept, and a new password ends it. It opens nothing: guesses from such a browser have a share
 * of their own (throttle.h), which nobody from outside uses up. Pure.
 */
#pragma once

#include "people/account.h"

#define QN_DEVICE_TEXT_SIZE (2 * QN_DIGEST_SIZE) /* in hexadecimal */

void qn_device_text(const struct qn_account *account, char ret_text[QN_DEVICE_TEXT_SIZE + 1]);
bool qn_device_is_known(const struct qn_account *account, struct qn_span text);
