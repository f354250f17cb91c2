/* [control] of the configuration: who may connect, and with which role (ranks.h). */
#include <string.h>

#include "app/config_private.h"
#include "base/text.h"

#define USER_MARK "user:"

static bool is_name(const char *name, size_t size)
{
    return size > 0 && size < QN_CONFIG_MEMBER_SIZE && memchr(name, ':', size) == NULL &&
           qn_text_is_printable(qn_span(name, size));
}

bool qn_config_set_control_group(struct qn_config *config, const char *value)
{
    if (!is_name(value, strlen(value)))
        return false;
    strcpy(config->control_group, value);
    return true;
}

static bool is_blank(char letter)
{
    return letter == ' ' || letter == '\t';
}

/* The part of a list up to its comma, without the white space around it; the rest in *list. */
static struct qn_span next_part(const char **list)
{
    const char *begin = *list;
    size_t size = strcspn(begin, ",");
    *list = begin + size + (begin[size] == ',');
    for (; size > 0 && is_blank(begin[0]); size--)
        begin++;
    while (size > 0 && is_blank(begin[size - 1]))
        size--;
    return qn_span(begin, size);
}

static bool read_member(struct qn_span part, char ret_name[QN_CONFIG_MEMBER_SIZE],
                        bool *ret_is_user)
{
    size_t mark = strlen(USER_MARK);
    *ret_is_user = part.size >= mark && memcmp(part.data, USER_MARK, mark) == 0;
    if (*ret_is_user)
        part = qn_span_from(part, mark);
    if (!is_name((const char *)part.data, part.size))
        return false;
    memcpy(ret_name, part.data, part.size);
    ret_name[part.size] = '\0';
    return true;
}

bool qn_config_next_member(const char **list, char ret_name[QN_CONFIG_MEMBER_SIZE],
                           bool *ret_is_user)
{
    return (*list)[0] != '\0' && read_member(next_part(list), ret_name, ret_is_user);
}

static bool set_members(char out[QN_CONFIG_MEMBERS_SIZE], const char *value)
{
    char name[QN_CONFIG_MEMBER_SIZE];
    const char *rest = value;
    size_t size = strlen(value), count = 1;
    bool is_user;
    for (const char *at = value; *at != '\0'; at++)
        count += *at == ',';
    if (size == 0 || size >= QN_CONFIG_MEMBERS_SIZE || count > QN_CONFIG_MEMBERS_MAX)
        return false;
    for (; count > 0; count--)
        if (!read_member(next_part(&rest), name, &is_user))
            return false;
    strcpy(out, value);
    return true;
}

bool qn_config_set_control_viewers(struct qn_config *config, const char *value)
{
    return set_members(config->control_viewers, value);
}

bool qn_config_set_control_operators(struct qn_config *config, const char *value)
{
    return set_members(config->control_operators, value);
}

bool qn_config_set_control_admins(struct qn_config *config, const char *value)
{
    return set_members(config->control_admins, value);
}
