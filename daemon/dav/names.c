#include "dav/names.h"

#include "dav/field.h"

bool qn_dav_name_is_litter(struct qn_span name)
{
    return qn_span_has_prefix(name, qn_span_str("._")) ||
           qn_span_has_prefix(name, qn_span_str("~$")) || qn_span_eq_str(name, ".DS_Store") ||
           qn_dav_word_eq(name, "Thumbs.db") || qn_dav_word_eq(name, "desktop.ini");
}

bool qn_dav_name_is_virtual(struct qn_span name)
{
    return qn_span_eq_str(name, ".metadata_never_index") ||
           qn_span_eq_str(name, ".ql_disablethumbnails");
}
