#include "app/words.h"

#include "app/i18n.h"

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
    default:
        return qn_err_name(err);
    }
}
