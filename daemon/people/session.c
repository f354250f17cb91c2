#include "people/session.h"

#include "base/text.h"

struct session {
    struct qn_digest hash;
    char name[QN_USER_SIZE_MAX + 1];
    uint64_t epoch, started_ms, used_ms;
};

struct qn_sessions {
    QN_VEC(struct session) items; /* the oldest first */
};

struct qn_sessions *qn_sessions_new(void)
{
    return QN_NEW(struct qn_sessions);
}

void qn_sessions_free(struct qn_sessions *sessions)
{
    if (sessions == NULL)
        return;
    qn_vec_free(&sessions->items);
    qn_free(sessions);
}

size_t qn_sessions_count(const struct qn_sessions *sessions)
{
    return sessions->items.count;
}

static void print(struct qn_span bytes, char out[QN_SESSION_TEXT_SIZE + 1])
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, QN_SESSION_TEXT_SIZE);
    qn_text_append_hex(&text, bytes);
    memcpy(out, text.data, QN_SESSION_TEXT_SIZE);
    out[QN_SESSION_TEXT_SIZE] = '\0';
    qn_wipe(text.data, text.size);
}

static void hash_cookie(struct qn_span cookie, struct qn_digest *ret_hash)
{
    QN_DIGEST(ret_hash, qn_span("quoin session 1", 16), cookie);
}

/* ---- bounds ---- */

static bool is_over(const struct session *session, uint64_t now_ms)
{
    return now_ms - session->used_ms >= QN_SESSION_IDLE_MS ||
           now_ms - session->started_ms >= QN_SESSION_TIME_MAX_MS;
}

static void sweep(struct qn_sessions *sessions, uint64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < sessions->items.count; i++)
        if (!is_over(&sessions->items.items[i], now_ms))
            sessions->items.items[kept++] = sessions->items.items[i];
    sessions->items.count = kept;
}

static void make_room(struct qn_sessions *sessions, const char *name)
{
    size_t own = 0, oldest = 0;
    for (size_t i = sessions->items.count; i > 0; i--)
        if (strcmp(sessions->items.items[i - 1].name, name) == 0) {
            own++;
            oldest = i - 1;
        }
    if (own >= QN_SESSIONS_PER_PERSON_MAX)
        qn_vec_remove(&sessions->items, oldest);
    if (sessions->items.count >= QN_SESSIONS_MAX)
        qn_vec_remove(&sessions->items, 0);
}

/* ---- life of one ---- */

void qn_session_start(struct qn_sessions *sessions, const struct qn_account *account,
                      const uint8_t secret[QN_SESSION_SECRET_SIZE], uint64_t now_ms,
                      char ret_cookie[QN_SESSION_TEXT_SIZE + 1])
{
    struct session session = {.epoch = account->epoch, .started_ms = now_ms, .used_ms = now_ms};
    sweep(sessions, now_ms);
    make_room(sessions, account->name);
    memcpy(session.name, account->name, sizeof(session.name));
    print(qn_span(secret, QN_SESSION_SECRET_SIZE), ret_cookie);
    hash_cookie(qn_span(ret_cookie, QN_SESSION_TEXT_SIZE), &session.hash);
    qn_vec_push(&sessions->items, session);
}

static struct session *find(struct qn_sessions *sessions, struct qn_span cookie)
{
    struct qn_digest hash;
    hash_cookie(cookie, &hash);
    qn_vec_each (&sessions->items, session)
        if (qn_digest_eq(&session->hash, &hash))
            return session;
    return NULL;
}

static void drop(struct qn_sessions *sessions, const struct session *session)
{
    qn_vec_remove(&sessions->items, (size_t)(session - sessions->items.items));
}

enum qn_err qn_session_find(struct qn_sessions *sessions, const struct qn_people *people,
                            struct qn_span cookie, uint64_t now_ms,
                            const struct qn_account **ret_account)
{
    struct session *session = cookie.size == QN_SESSION_TEXT_SIZE ? find(sessions, cookie) : NULL;
    if (session == NULL)
        return QN_ERR_NOTFOUND;
    const struct qn_account *account = qn_people_find(people, qn_span_str(session->name));
    if (is_over(session, now_ms) || account == NULL || account->is_disabled ||
        account->epoch != session->epoch) {
        drop(sessions, session);
        return QN_ERR_NOTFOUND;
    }
    session->used_ms = now_ms;
    *ret_account = account;
    return QN_OK;
}

void qn_session_end(struct qn_sessions *sessions, struct qn_span cookie)
{
    const struct session *session = find(sessions, cookie);
    if (session != NULL)
        drop(sessions, session);
}

/* ---- against foreign pages ---- */

void qn_session_token(struct qn_span cookie, char ret_token[QN_SESSION_TEXT_SIZE + 1])
{
    struct qn_digest mac;
    qn_hmac(cookie, qn_span_str("quoin token 1"), &mac);
    print(qn_digest_view(&mac), ret_token);
}

bool qn_session_is_token(struct qn_span cookie, struct qn_span token)
{
    char wanted[QN_SESSION_TEXT_SIZE + 1];
    qn_session_token(cookie, wanted);
    return qn_equal_secret(token, qn_span(wanted, QN_SESSION_TEXT_SIZE));
}
