/* Section [records]: how much is kept of what happened. */
#include <stdlib.h>
#include <string.h>

#include "app/config_private.h"

#define DIGITS       "0123456789"
#define LOG_OPS_MIN  1000
#define LOG_OPS_MAX  100000000
#define LOG_SIZE_MIN ((size_t)1 << 20)
#define LOG_SIZE_MAX ((size_t)1 << 40)
#define DAYS_MAX     36500

static bool read_number(const char *value, uint64_t min, uint64_t max, uint64_t *ret_number)
{
    size_t size = strlen(value);
    if (size == 0 || size > 9 || strspn(value, DIGITS) != size)
        return false;
    uint64_t number = strtoull(value, NULL, 10);
    if (number < min || number > max)
        return false;
    *ret_number = number;
    return true;
}

/* "120d" */
static bool read_days(const char *value, uint64_t *ret_days)
{
    char number[8];
    size_t digits = strspn(value, DIGITS);
    if (digits >= sizeof(number) || strcmp(value + digits, "d") != 0)
        return false;
    memcpy(number, value, digits);
    number[digits] = '\0';
    return read_number(number, 1, DAYS_MAX, ret_days);
}

bool qn_config_set_log_operations(struct qn_config *config, const char *value)
{
    return read_number(value, LOG_OPS_MIN, LOG_OPS_MAX, &config->records.log_ops);
}

bool qn_config_set_log_size(struct qn_config *config, const char *value)
{
    size_t size;
    if (!qn_config_read_size(value, LOG_SIZE_MIN, LOG_SIZE_MAX, &size))
        return false;
    config->records.log_bytes = size;
    return true;
}

bool qn_config_set_history_age(struct qn_config *config, const char *value)
{
    return read_days(value, &config->records.history_days);
}

bool qn_config_set_log_age(struct qn_config *config, const char *value)
{
    return read_days(value, &config->records.log_days);
}
