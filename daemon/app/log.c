#include "app/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define QUIET_MS 10000

static const struct note {
    const char *code;
    enum qn_log_level level;
    const char *text, *next;
} notes[] = {
    {"online", QN_LOG_INFO, "linked with a site", ""},
    {"offline", QN_LOG_INFO, "the link with a site ended", "it is dialled again"},
    {"link-spare", QN_LOG_INFO, "the link with a site ended", "neither of the two needs it"},
    {"joined", QN_LOG_INFO, "joined the group", ""},
    {"restored", QN_LOG_WARNING, "a peer has more of this site's own writes than its store",
     "the store is an old copy; the next write uses a new incarnation"},
    {"late", QN_LOG_INFO, "no log reaches back to where a collection stands here",
     "its records come as pages"},
    {"caught-up", QN_LOG_INFO, "all pages of a collection are here", ""},
    {"late-refused", QN_LOG_ERROR, "a site sent a page that cannot be",
     "the link is closed; another site is asked"},
    {"late-stopped", QN_LOG_ERROR, "pages would take away many records of a collection",
     "no more are asked for; see syncctl status"},
    {"forked", QN_LOG_WARNING,
     "two copies of a site wrote different operations of one number into a collection",
     "both stay; what differed is written anew by this site"},
    {"cloned", QN_LOG_ERROR, "a site runs twice, on two machines or in two folders",
     "stop the daemon of the copy"},
    {"rescued", QN_LOG_WARNING,
     "values of a collection that no site will ever send were written anew by this one", ""},
    {"given-up", QN_LOG_WARNING,
     "a damaged record is whole at no member; what is left of it was written anew by this one",
     "run syncctl verify"},
    {"join-refused", QN_LOG_WARNING, "the group refused this site", "trying again in a minute"},
    {"join-failed", QN_LOG_WARNING, "joining failed", "trying again"},
    {"recovered", QN_LOG_INFO, "this site is itself again, with a new key, in the group", ""},
    {"recover-refused", QN_LOG_WARNING, "the recovery of this site was refused",
     "see syncctl status"},
    {"recover-failed", QN_LOG_WARNING, "the recovery of this site failed", "trying again"},
    {"fingerprint", QN_LOG_ERROR, "equal clocks but different records", "run syncctl verify"},
    {"asked-foreign", QN_LOG_WARNING,
     "a site asks again and again for what it has no part in, or what is not here",
     "it gets nothing; if it lost no data, ask its people"},
    {"bad-frame", QN_LOG_WARNING, "a site sent a message that cannot be", "the link is closed"},
    {"bad-operation", QN_LOG_WARNING, "a site sent an operation that does not verify",
     "the link is closed"},
    {"bad-ledger", QN_LOG_WARNING, "a site sent a ledger entry that does not verify",
     "the link is closed"},
    {"bad-heads", QN_LOG_WARNING, "a site sent ledger heads that cannot be", "the link is closed"},
    {"trail-contradicted", QN_LOG_ERROR,
     "a site's audit trail contradicts what it said of it before", "both are kept"},
    {"trail-differs", QN_LOG_ERROR, "another site knows this site's audit trail otherwise",
     "run syncctl log verify"},
    {"trail-not-kept", QN_LOG_WARNING, "what a site said of its audit trail could not be kept",
     "it says it again"},
    {"flood", QN_LOG_WARNING, "a site sent more than its window", "the link is closed"},
    {"equivocation", QN_LOG_ERROR, "a site signed two ledger entries for one place",
     "the first one stays"},
    {"bad-guest", QN_LOG_INFO, "a guest broke the protocol", "its link is closed"},
    {"bad-request", QN_LOG_WARNING, "what came over the control socket is no request, from user",
     "the connection is closed"},
    {"not-allowed-here", QN_LOG_WARNING,
     "a user asked over the control socket for more than the role allows", "refused"},
    {"pack-repaired", QN_LOG_WARNING, "a pack of the vault was lost or damaged",
     "a copy of it took its place"},
    {"pack-lost", QN_LOG_ERROR, "a pack of the vault is lost or damaged, and no copy has it",
     "run syncctl backup verify, and check the disk"},
    {"vault-repaired", QN_LOG_WARNING, "packs that were put right from copies", ""},
    {"copy-strange", QN_LOG_WARNING,
     "a site keeps snapshots for this one that are not this site's, or are damaged",
     "they are left out"},
    {"commit-failed", QN_LOG_ERROR, "the store refused a transaction", "it is tried again"},
    {"read-failed", QN_LOG_ERROR, "the log of operations could not be read",
     "it is tried again, and after some times the link ends"},
    {"book-failed", QN_LOG_ERROR, "what became of a backup or a copy could not be noted",
     "it is compared again later"},
    {"copies-refused", QN_LOG_WARNING, "a site refuses to keep copies", "asking again later"},
    {"copies-full", QN_LOG_WARNING, "a site has no more room for copies", "asking again later"},
    {"pack-refused", QN_LOG_WARNING, "a site does not take a pack of copies",
     "trying again on the next connection"},
    {"pack-not-read", QN_LOG_ERROR, "a pack of the own vault could not be read for its copy at",
     "it is fetched from a copy if there is one"},
    {"key-refused", QN_LOG_WARNING, "a site does not keep the sealed key of the vault",
     "trying again on the next connection"},
    {"copy-differs", QN_LOG_ERROR, "a site lost or damaged a pack that it had",
     "it is sent there again"},
    {"proof-failed", QN_LOG_WARNING, "a site did not show that it has the copies",
     "asking again later"},
    {"list-refused", QN_LOG_WARNING, "a site does not take the list of a snapshot",
     "trying again later"},
    {"list-not-made", QN_LOG_ERROR, "the list of a snapshot could not be made",
     "trying again later"},
    {"snapshot-not-read", QN_LOG_ERROR, "a snapshot of the own vault could not be read for",
     "run syncctl backup verify"},
    {"frame-too-large", QN_LOG_ERROR, "a message would be too large", "it was not sent"},
    {"key-told", QN_LOG_INFO, "a site whose key was not known here told it itself", ""},
    {"key-not-taken", QN_LOG_WARNING, "a site has a key that does not fit what is known here yet",
     "it comes again"},
    {"recover-key", QN_LOG_INFO, "the key of this site's backups came back from", ""},
    {"recover-key-bad", QN_LOG_ERROR,
     "the recovery kit opens no key of this site's backups that is kept at",
     "the other holders are asked, and this one again later"},
    {"recover-no-key", QN_LOG_INFO,
     "nobody keeps backups of this site: they begin anew with a new key", ""},
    {"recover-store", QN_LOG_ERROR,
     "some of what the backups have of the store could not be stored", "it is tried again"},
    {"recovery-complete", QN_LOG_INFO,
     "everything that can come back is here; the recovery is over", ""},
    {"invitation-unknown", QN_LOG_WARNING, "a guest came with an unknown invitation", "refused"},
    {"invitation-used", QN_LOG_WARNING, "a guest came with a used invitation", "refused"},
    {"invitation-revoked", QN_LOG_WARNING, "a guest came with a revoked invitation", "refused"},
    {"invitation-expired", QN_LOG_WARNING, "a guest came with an expired invitation", "refused"},
    {"kit-differs", QN_LOG_WARNING, "a guest came as a known site, with a kit that is not its own",
     "refused: if nobody makes this site anew, somebody has its key"},
    {"recover-unknown", QN_LOG_WARNING, "a guest came with a kit of no site of the group",
     "refused"},
    {"recover-withdrawn", QN_LOG_WARNING, "a guest came with the kit of a site that left",
     "refused"},
    {"recover-here", QN_LOG_WARNING, "a guest came with the kit of this very site", "refused"},
    {"recover-raced", QN_LOG_WARNING, "a guest came with a kit that was just used elsewhere",
     "refused"},
    {"recover-limit", QN_LOG_WARNING, "a guest's site changed its key too often", "refused"},
    {"site-name-taken", QN_LOG_WARNING, "a guest wants a name that a member has", "refused"},
    {"bad-name", QN_LOG_WARNING, "a guest wants a name that cannot be", "refused"},
};

void qn_log_init(struct qn_log *log, enum qn_log_level level, uint64_t (*now_ms)(void))
{
    memset(log, 0, sizeof(*log));
    log->level = level;
    log->is_journal = getenv("JOURNAL_STREAM") != NULL;
    log->now_ms = now_ms;
}

/* What came from elsewhere must not begin a line of its own, nor colour a terminal. */
static void make_plain(char *text)
{
    if (qn_text_is_printable(qn_span_str(text)))
        return;
    for (unsigned char *at = (unsigned char *)text; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
}

static void write_line(const struct qn_log *log, enum qn_log_level level, char *text)
{
    make_plain(text);
    static const char *const words[] = {"error", "warning", "info", "debug"};
    static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"};
    if (log->is_journal)
        fprintf(stderr, "%s%s\n", priorities[level], text);
    else
        fprintf(stderr, "syncd: %s: %s\n", words[level], text);
}

void qn_log(struct qn_log *log, enum qn_log_level level, const char *format, ...)
{
    char text[1024];
    va_list args;
    if (level > log->level)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    write_line(log, level, text);
}

/* How many notes of this code were swallowed since the last one; or SIZE_MAX: swallow this one. */
static size_t throttle(struct qn_log *log, const char *code)
{
    size_t count = sizeof(log->recent) / sizeof(log->recent[0]), free_slot = count;
    uint64_t now = log->now_ms();
    for (size_t i = 0; i < count; i++) {
        if (log->recent[i].code == NULL || (log->recent[i].next_ms <= now && free_slot == count))
            free_slot = free_slot < count ? free_slot : i;
        if (log->recent[i].code == NULL || strcmp(log->recent[i].code, code) != 0)
            continue;
        if (now < log->recent[i].next_ms) {
            log->recent[i].suppressed++;
            return SIZE_MAX;
        }
        size_t swallowed = log->recent[i].suppressed;
        log->recent[i].next_ms = now + QUIET_MS;
        log->recent[i].suppressed = 0;
        return swallowed;
    }
    if (free_slot < count) {
        log->recent[free_slot].code = code;
        log->recent[free_slot].next_ms = now + QUIET_MS;
        log->recent[free_slot].suppressed = 0;
    }
    return 0;
}

void qn_log_note(struct qn_log *log, const char *code, enum qn_err err, const char *object)
{
    struct note note = {code, QN_LOG_WARNING, code, ""};
    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
        if (strcmp(notes[i].code, code) == 0)
            note = notes[i];
    if (note.level > log->level)
        return;
    size_t swallowed = throttle(log, note.code);
    if (swallowed == SIZE_MAX)
        return;
    char more[64] = "";
    if (swallowed > 0)
        snprintf(more, sizeof(more), " (and %zu times more)", swallowed);
    qn_log(log, note.level, "%s%s%s%s%s%s%s%s [%s]%s", note.text, object[0] ? ": " : "", object,
           err != QN_OK ? " (" : "", err != QN_OK ? qn_err_name(err) : "", err != QN_OK ? ")" : "",
           note.next[0] ? "; " : "", note.next, code, more);
}
