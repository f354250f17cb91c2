/* What is said to people, in the language that their request asks for. */
#include "serve/request.h"
#include "words/web_words.h"

bool qn_web_is_french(const struct qn_web_request *request)
{
    const struct qn_http_header *languages =
        qn_http_header(qn_web_asked(request), "Accept-Language");
    return languages != NULL && qn_http_wants_french(languages->value);
}

const struct qn_tongue *qn_web_tongue(const struct qn_web_request *request)
{
    return qn_web_is_french(request) ? &qn_tongue_french : &qn_tongue_english;
}

void qn_web_message(const struct qn_web_request *request, const char *code, struct qn_buf *out)
{
    qn_web_sentence(qn_span_str(code), qn_web_tongue(request), out);
}
