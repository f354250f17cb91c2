#include "words/alert_words.h"

#include "base/civil.h"

/* In the text, `@` stands for the object, `#` for the count, `~` for how long ago. */
struct row {
    const char *code, *text, *action;
};

static const struct row rows[] = {
    {"site-offline", N_("site @ cannot be reached; last contact: ~"),
     N_("Check that its daemon runs and that the line between the sites is up.")},
    {"site-never-seen", N_("site @ has never been in contact with this one"),
     N_("Check its address with `syncctl site show @` and the firewalls on both sides.")},
    {"conflict", N_("records of collection @ with concurrent values: #"),
     N_("Choose with `syncctl conflict list @` and `syncctl conflict resolve`.")},
    {"joining", N_("this site is joining its group through @"),
     N_("Wait; if it lasts, check that @ can be reached from here.")},
    {"join-refused", N_("the group refused this site: @"),
     N_("Ask the administrating site for a new invitation (`syncctl site invite`), and run "
        "`syncctl init` with it in a new state directory.")},
    {"recovering", N_("this site asks for its place in the group again through @"),
     N_("Wait; if it lasts, check that @ can be reached from here and runs a site of the group.")},
    {"recover-refused", N_("the recovery of this site was refused: @"),
     N_("Run `syncctl recover` in a new state directory, with --from of a site of its group.")},
    {"recover-key", N_("the key of this site's backups is not back yet from site @"),
     N_("Wait until site @ can be reached; backups run again then.")},
    {"recover-vault", N_("this site's backups are being taken over from site @"),
     N_("Wait; site @ must be reachable from here meanwhile.")},
    {"recover-store", N_("this site reads its plans and records back from its backups"),
     N_("Wait; if it lasts, see `journalctl -u quoin`.")},
    {"key-replaced", N_("this site was recovered on another machine, which has its place now"),
     N_("Stop this daemon. If nobody recovered the site, the kit is in the wrong hands: recover "
        "the "
        "site with it yourself.")},
    {"clock-skew", N_("the clock of site @ differs by # seconds"),
     N_("Set both clocks with NTP (`timedatectl set-ntp true`).")},
    {"trail-contradicted",
     N_("the audit trail of site @ is not what that site said of it before; noticed: ~"),
     N_("If that site was restored from a backup at that time, this is why. Otherwise run "
        "`syncctl log verify` there, and keep its disk as it is.")},
    {"trail-differs", N_("site @ knows the audit trail of this site otherwise; noticed: ~"),
     N_("Run `syncctl log verify`. If this site was restored from a backup at that time, this is "
        "why.")},
    {"trail-bad", N_("the audit trail of this site is not whole; the first fault is at entry #"),
     N_("Run `syncctl log verify`, and keep the disk of this machine as it is.")},
    {"fingerprint", N_("collection @ differs between sites that have seen the same changes"),
     N_("It is being repaired by itself; `syncctl verify @` tells what became of it. If it lasts, "
        "keep a copy of the state directory and report it.")},
    {"damaged", N_("damaged records in collection @: #"),
     N_("They come back by themselves from another site: see that one can be reached. Check the "
        "disk (`smartctl -a`, `journalctl -k`); `syncctl verify @` names the records.")},
    {"damaged-waits", N_("damaged records in collection @, whole at no site that is there: #"),
     N_("Sites that are away may have them: bring those back. Only if none of them ever comes "
        "back, "
        "run `syncctl collection give-up @`: what is left of the records is written anew.")},
    {"repaired", N_("damage in collection @ was found and put right; the last: ~"),
     N_("Check the disk (`smartctl -a`, `journalctl -k`); `syncctl verify @` tells what was "
        "damaged.")},
    {"late-stopped",
     N_("bringing collection @ up to date would take away many of its records; it was stopped"),
     N_("Find out whether they were really deleted elsewhere. If so, run `syncctl collection "
        "resume "
        "@`; if not, let the site be looked at that they would come from.")},
    {"equivocation", N_("site @ signed two histories: it was copied or restored"),
     N_("Find out whether its state directory runs on two machines, and stop one of them.")},
    {"bad-peer", N_("site @ sends what this site must refuse"),
     N_("Check that both sites run the same version; see `journalctl -u quoin`.")},
    {"upgrade-needed", N_("the group uses something that this version does not know"),
     N_("Install a newer version of Quoin at this site.")},
    {"disk-full", N_("the disk of the state directory is full"),
     N_("Make room there; nothing that was acknowledged is lost.")},
    {"store-failed", N_("the store cannot be used"),
     N_("See the messages of the daemon: `journalctl -u quoin`.")},
    {"kit-unconfirmed", N_("the recovery kit still lies in the state directory"),
     N_("Print recovery-kit.txt, lock it away, then run `syncctl kit confirm`.")},
    {"restored", N_("this site was restored from an old copy; own changes not back yet: #"),
     N_("Wait: they come back from the other sites by themselves.")},
    {"cloned", N_("site @ runs twice, on two machines or in two folders; last seen: ~"),
     N_("Find the copy of its state directory and stop the daemon that runs on it; keep the one "
        "that people use. Nothing is lost: what both wrote is kept.")},
    {"in-doubt",
     N_("this site may have been restored from an old copy, and met no other site since"),
     N_("Let another site be reached: they compare. If none exists any more, run `syncctl site "
        "trust @`.")},
    {"withdrawn", N_("this site is no longer a member of its group"),
     N_("Join again in a new state directory, with an invitation.")},
    {"name-clash", N_("two sites or two collections bear the name @"),
     N_("Agree on which of them stays; `syncctl site list` and `syncctl collection list` show "
        "them.")},
    {"folder-gone", N_("the directory of folder @ is gone, or another one is in its place"),
     N_("Mount the disk that it is on, or run `syncctl folder attach @ --path DIR` with the place "
        "where it is now.")},
    {"backup-late", N_("backup @ is late; last success: ~"),
     N_("Run `syncctl backup run @` and read what it says.")},
    {"backup-failed", N_("the last run of backup @ failed"),
     N_("Run `syncctl backup run @` and read what it says; see `journalctl -u quoin`.")},
    {"backup-problems", N_("the last run of backup @ left something out: #"),
     N_("Run `syncctl backup run @`: it names all of it, and why. Let it be read, or exclude "
        "it.")},
    {"copy-late", N_("a copy is late: @"),
     N_("Check that the other site can be reached; `syncctl backup list` shows what is missing.")},
    {"copy-bad", N_("the copies at site @ are damaged"),
     N_("Run `syncctl backup verify`; if it lasts, choose another site with `syncctl backup "
        "change`.")},
    {"vault-bad", N_("the vault of this site is damaged: @"),
     N_("Run `syncctl backup verify --read-data`, and check the disk.")},
    {"place-waiting", N_("site @ has not agreed to keep copies yet"),
     N_("Its IT person accepts there with `syncctl backup holder accept`.")},
    {"place-asked", N_("site @ asks this one to keep copies of its backups"),
     N_("Accept with `syncctl backup holder accept @`, or with `syncctl backup holder quota @ "
        "SIZE`.")},
    {"agreement-ends", N_("days until what was agreed on paper with site @ about backups ends: #"),
     N_("Agree anew, then note it at the site whose backups they are: `syncctl backup agreement "
        "HOLDER --reference TEXT --until DATE`.")},
    {"quota-full", N_("the space for copies is used up: @"),
     N_("Give more where the copies lie (`syncctl backup holder quota`), or keep less with "
        "`syncctl "
        "backup change --keep`.")},
    {"held-late", N_("the expected backup of site @ did not come; the last one: ~"),
     N_("Ask its IT person whether its backups run and the line is up: `syncctl status` there says "
        "it.")},
    {"held-expect", N_("site @ wants to be missed later than before, or not at all"),
     N_("Ask its IT person whether that is so; `syncctl backup holder accept @` takes note.")},
    {"held-bad", N_("copies kept for site @ are damaged here: #"),
     N_("They are asked for again; check this disk (`smartctl -a`, `journalctl -k`).")},
    {"mail-failed", N_("mail to @ cannot be sent"),
     N_("Check the mail program of this machine (section [mail] of quoin.conf); it is tried "
        "again.")},
    {"serve-failed", N_("HTTPS for people does not work: @"),
     N_("Correct section [serve] of quoin.conf and run `systemctl reload quoin`; `syncctl serve "
        "status` shows what is wrong.")},
    {"certificate-late", N_("days until the HTTPS certificate for @ is over: #"),
     N_("Put a new certificate in its place. If it is this site's own authority that ends, remove "
        "the folder authority of the state directory, restart and import the new one.")},
    {"drill-failed", N_("the restore for practice of backup @ failed"),
     N_("Run `syncctl backup verify @ --read-data`, and check the disk.")},
    {"drill-late", N_("no restore of backup @ was tried for two weeks; the last one: ~"),
     N_("Keep the daemon running; it tries one each week.")},
};

static const struct row unknown = {"", N_("an alert that this version of syncctl does not know: @"),
                                   N_("Install the version of syncctl that belongs to syncd.")};

static const struct row *find_row(struct qn_span code)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (qn_span_eq_str(code, rows[i].code))
            return &rows[i];
    }
    return &unknown;
}

/* What else is to be done about a join that was refused for that cause. */
static const struct {
    const char *cause, *action;
} joins[] = {
    {"site-name-taken", N_("Run `syncctl init` in a new state directory, with another name and "
                           "the same code.")},
    {"bad-name", N_("Run `syncctl init` in a new state directory, with another name and the same "
                    "code.")},
    {"upgrade-needed", N_("Install a newer version of Quoin at this site.")},
    {"busy", N_("Wait; this site tries again.")},
    {"recover-unknown",
     N_("Check that --from named a site of this site's group, and that the kit is "
        "the one of the site's last `syncctl init`.")},
    {"recover-withdrawn",
     N_("Run `syncctl recover` in a new state directory, with --from of a site that holds its "
        "backups. If none does, join again there, with an invitation.")},
    {"recover-here", N_("Run `syncctl recover` in a new state directory, with --from of another "
                        "site.")},
    {"recover-raced", N_("If it was not you, restart this daemon: it takes the place over.")},
    {"recover-limit", N_("The site changed its key too often. Join again in a new state directory, "
                         "with an invitation.")},
    {"in-doubt", N_("Wait until the other site has met a third one; this site tries again.")},
};

bool qn_alert_is_refusal(const struct qn_alert_view *alert)
{
    return qn_span_eq_str(alert->code, "join-refused") ||
           qn_span_eq_str(alert->code, "recover-refused");
}

static const char *action_of(const struct qn_alert_view *alert)
{
    for (size_t i = 0; qn_alert_is_refusal(alert) && i < sizeof(joins) / sizeof(joins[0]); i++) {
        if (qn_span_eq_str(alert->object, joins[i].cause))
            return joins[i].action;
    }
    return find_row(alert->code)->action;
}

static void append_object(const struct qn_alert_view *alert, struct qn_buf *out)
{
    if (alert->shown != NULL)
        qn_buf_append_str(out, alert->shown);
    else
        qn_buf_append_span(out, alert->object);
}

static void append_ago(const struct qn_alert_view *alert, const struct qn_tongue *tongue,
                       struct qn_buf *out)
{
    char text[QN_CIVIL_TEXT_SIZE];
    if (!alert->has_time) {
        qn_buf_append_str(out, tongue->say(N_("never")));
    } else if (alert->now_ms > 0) {
        qn_tongue_append_ago(out, tongue, alert->now_ms, alert->time_ms);
    } else {
        qn_civil_print(alert->time_ms, text);
        qn_buf_append_str(out, text);
    }
}

static void fill(const struct qn_alert_view *alert, const char *text,
                 const struct qn_tongue *tongue, struct qn_buf *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '@')
            append_object(alert, out);
        else if (*text == '#')
            qn_buf_printf(out, "%llu", (unsigned long long)alert->count);
        else if (*text == '~')
            append_ago(alert, tongue, out);
        else
            qn_buf_append_u8(out, (uint8_t)*text);
    }
}

void qn_alert_text(const struct qn_alert_view *alert, const struct qn_tongue *tongue,
                   struct qn_buf *out)
{
    fill(alert, tongue->say(find_row(alert->code)->text), tongue, out);
    if (alert->detail.size > 0) {
        qn_buf_append_str(out, " (");
        qn_buf_append_span(out, alert->detail);
        qn_buf_append_str(out, ")");
    }
}

void qn_alert_action(const struct qn_alert_view *alert, const struct qn_tongue *tongue,
                     struct qn_buf *out)
{
    fill(alert, tongue->say(action_of(alert)), tongue, out);
}
