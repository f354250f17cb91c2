#include "app/words.h"

#include "app/i18n.h"
#include "base/civil.h"

const char *qn_err_words(enum qn_err err)
{
    switch ((int)err) {
    case QN_ERR_INVALID:
    case QN_ERR_CORRUPT:
        return _("the content is damaged");
    case QN_ERR_LIMIT:
        return _("it is too large");
    case QN_ERR_NOTFOUND:
        return _("it is missing");
    case QN_ERR_EXISTS:
        return _("it exists already");
    case QN_ERR_DENIED:
        return _("no permission");
    case QN_ERR_IO:
        return _("the operating system reports an error of input or output");
    case QN_ERR_NOSPACE:
        return _("there is no room on the disk");
    case QN_ERR_BUSY:
        return _("another program uses it");
    case QN_ERR_UNSUPPORTED:
        return _("it was written by a newer version");
    case QN_ERR_CRYPTO:
        return _("the cryptography library failed");
    case QN_ERR_COMMAND:
        return _("a command failed");
    case QN_ERR_DAMAGED:
        return _("it is damaged, and waits for repair");
    default:
        return qn_err_name(err);
    }
}

void qn_words_append_time(struct qn_buf *out, uint64_t time_ms)
{
    char text[QN_CIVIL_TEXT_SIZE];
    qn_civil_print(time_ms, text);
    qn_buf_append_str(out, text);
}

static const char *say(const char *text)
{
    return gettext(text);
}

static const char *say_many(const char *one, const char *many, unsigned long count)
{
    return ngettext(one, many, count);
}

const struct qn_tongue qn_words_tongue = {say, say_many};

void qn_words_append_ago(struct qn_buf *out, uint64_t now_ms, uint64_t time_ms)
{
    qn_tongue_append_ago(out, &qn_words_tongue, now_ms, time_ms);
}
