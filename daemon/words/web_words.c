#include "words/web_words.h"

#include "words/error_words.h"

static const struct row {
    const char *code, *sentence;
} rows[] = {
    /* who */
    {"sign-in", N_("Please sign in.")},
    {"device-wanted", N_("WebDAV takes an app password, not your own: ask the IT staff for one.")},
    {"wrong-password", N_("The name or the password is wrong.")},
    {"code-wanted", N_("The code of the second factor is wanted too.")},
    {"wrong-code", N_("The code is wrong: take the one that the app shows now.")},
    {"throttled", N_("There were too many attempts. Wait a moment, then try again.")},
    {"foreign-origin", N_("The request came from the page of another server.")},
    {"foreign-host", N_("This server does not answer by that name.")},
    /* what was asked */
    {"list-only", N_("You may see the names here, but not what is in it.")},
    {"read-only", N_("You may read this, but not change it.")},
    {"not-found", N_("There is no such thing here, or you may not see it.")},
    {"method-not-allowed", N_("That cannot be done with this.")},
    {"unknown-method", N_("The server does not know this method of HTTP.")},
    {"length-wanted", N_("The length of what is sent must be told first.")},
    {"bad-request", N_("The server does not understand the request.")},
    {"http-version", N_("The server does not know this version of HTTP.")},
    {"bad-body", N_("What was sent is not complete, or cannot be understood.")},
    {"bad-json", N_("What was sent is not valid JSON.")},
    {"not-json", N_("The server wants JSON here.")},
    {"bad-path", N_("This is no valid path.")},
    {"target-too-long", N_("The address is too long.")},
    {"head-too-long", N_("The head of the request is too large.")},
    {"too-slow", N_("The request came too slowly.")},
    {"precondition", N_("A condition of the request does not hold.")},
    /* things */
    {"changed", N_("Somebody else has changed this meanwhile. Look at it again, then decide.")},
    {"collection-unknown", N_("There is no such collection, or you may not see it.")},
    {"folder-unknown", N_("There is no such folder, or you may not see it.")},
    {"folder-gone", N_("The folder cannot be reached for the moment: its disk is not there.")},
    {"site-offline", N_("The site that has this cannot be reached for the moment.")},
    {"bad-answer", N_("The site that has this answered wrongly. Tell your IT person.")},
    {"other-site",
     N_("Nothing is moved or copied to a folder of another site in one step. Copy it to your "
        "machine first, then to there.")},
    {"path-unknown", N_("There is no such file or directory.")},
    {"is-directory", N_("This is a directory.")},
    {"not-directory", N_("This is no directory.")},
    {"no-parent", N_("The directory that this should be in does not exist.")},
    {"name-taken", N_("There is something of this name already.")},
    {"bad-name", N_("This name cannot be used.")},
    {"locked", N_("Somebody has this open and locked. Try again later.")},
    {"for-operators", N_("Only an operator may do this.")},
    {"not-allowed", N_("The system of the server does not allow this.")},
    {"disk-full", N_("The disk of the server is full. Nothing was changed.")},
    {"file-failed", N_("The server could not read or write this. Tell your IT person.")},
    {"audit-failed",
     N_("The server cannot note who does what, and so refuses it. Tell your IT person.")},
    {"value-too-large", N_("This is too large.")},
    {"bad-words", N_("There is nothing to search for in that, or too much.")},
    {"busy", N_("The server has too much to do. Try again in a moment.")},
    {"internal", N_("The server met an error of its own. Tell your IT person.")},
};

static const char *find_sentence(struct qn_span code)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (qn_span_eq_str(code, rows[i].code))
            return rows[i].sentence;
    return NULL;
}

/* The first letter of a sentence, ASCII or of Latin-1: 'e' with an accent is C3 A9 and C3 89. */
static void append_capital(struct qn_buf *out, const char *text)
{
    unsigned char first = (unsigned char)text[0], second = first != 0 ? (unsigned char)text[1] : 0;
    if (first >= 'a' && first <= 'z') {
        qn_buf_append_u8(out, (uint8_t)(first - 'a' + 'A'));
        text++;
    } else if (first == 0xc3 && second >= 0xa0 && second <= 0xbe && second != 0xb7) {
        qn_buf_append_u8(out, first);
        qn_buf_append_u8(out, (uint8_t)(second - 0x20));
        text += 2;
    }
    qn_buf_append_str(out, text);
}

void qn_web_sentence(struct qn_span code, const struct qn_tongue *tongue, struct qn_buf *out)
{
    const char *sentence = find_sentence(code);
    const struct qn_error_words *words = qn_error_words(code);
    if (sentence != NULL) {
        qn_buf_append_str(out, tongue->say(sentence));
        return;
    }
    append_capital(out, tongue->say(words != NULL ? words->text : qn_error_words_unknown.text));
    qn_buf_append_u8(out, '.');
}
