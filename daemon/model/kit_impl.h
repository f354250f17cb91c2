/* Inside model: what writing and reading a kit share. */
#pragma once

#include "model/invitation.h"

#define QN_KIT_CHECKSUM_SIZE 5 /* eight letters */

void qn_kit_checksum(const struct qn_kit *kit, uint8_t ret_checksum[QN_KIT_CHECKSUM_SIZE]);
/* Only what a kit's `made` line is written as. */
enum qn_err QN_CHECKED qn_kit_parse_time(struct qn_span text, uint64_t *ret_seconds);
