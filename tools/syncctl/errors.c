/* What can go wrong, in words: one row for each code (docs/control.md, section 5). */
#include <stdarg.h>

#include "ctl.h"
#include "i18n.h"
#include "screen.h"

#define LINE_SIZE_MAX 4096

struct row {
    const char *code, *text, *remedy;
};

static const struct row rows[] = {
    {"no-daemon", N_("the daemon of this site cannot be reached"),
     N_("Start it with `systemctl start quoin` or `syncd --state DIR`, or choose another state "
        "directory with --state.")},
    {"no-permission", N_("this user may not talk to the daemon"),
     N_("Run the command as root, or as a member of the control group of quoin.conf.")},
    {"bad-answer", N_("the daemon gave an answer that cannot be understood"),
     N_("Check that syncctl and syncd are of the same version, and restart the daemon.")},
    {"bad-request", N_("the daemon does not understand the request"),
     N_("Check that syncctl and syncd are of the same version, and restart the daemon.")},
    {"unknown-command", N_("the daemon does not know this command"),
     N_("Check that syncctl and syncd are of the same version, and restart the daemon.")},
    {"collection-unknown", N_("there is no such collection at this site"),
     N_("`syncctl collection list` shows the collections.")},
    {"is-folder", N_("this is a folder of files, not a collection of records"),
     N_("`syncctl folder status` shows it; `syncctl collection list` shows what has records.")},
    {"folder-path", N_("this is no directory of this machine"),
     N_("Give the absolute path of a directory that exists: --path /srv/common.")},
    {"folder-denied", N_("the daemon may not write in this directory"),
     N_("Give it the right with `setfacl -R -m u:_quoin:rwX,d:u:_quoin:rwX DIR`, and let the "
        "service reach it with ReadWritePaths=DIR (`systemctl edit quoin`); docs/folders.md "
        "explains both.")},
    {"folder-taken", N_("this directory belongs to another folder, or lies in or above one"),
     N_("Choose a directory of its own, away from the state directory too; `syncctl folder list` "
        "shows those that are offered.")},
    {"not-home", N_("the directory of this folder is at another site"),
     N_("Run the command there; `syncctl folder list` tells which site it is.")},
    {"collection-exists", N_("a collection of this name exists already"),
     N_("Choose another name, or use the one that exists.")},
    {"collection-pending", N_("the collection has not arrived at this site yet"),
     N_("Wait until the sites are in sync; `syncctl status` shows it.")},
    {"record-not-found", N_("there is no such record"),
     N_("`syncctl record list` shows the keys; `syncctl record trash` shows deleted records.")},
    {"not-in-trash", N_("this record is not in the trash"),
     N_("`syncctl record trash` shows what is in it.")},
    {"no-conflict", N_("there is no conflict here"),
     N_("`syncctl conflict list` shows the conflicts.")},
    {"changed", N_("somebody else has changed this record meanwhile"),
     N_("Read it again, then decide.")},
    {"no-such-value", N_("that site wrote none of the concurrent values"),
     N_("`syncctl conflict show` shows which sites did.")},
    {"site-unknown", N_("there is no such site in the group"),
     N_("`syncctl site list` shows the sites.")},
    {"site-name-taken", N_("a site of the group bears this name already"),
     N_("Choose another name.")},
    {"not-admin", N_("only the administrating site may do this"),
     N_("Run the command there; `syncctl site list` shows the roles.")},
    {"not-creator", N_("only the site that made the collection may do this"),
     N_("Run the command there; `syncctl collection show` tells which one it is.")},
    {"is-creator", N_("the site that made the collection always shares it"),
     N_("To share it no longer with the others, ungrant them; to share nothing more, withdraw the "
        "site.")},
    {"is-for-all", N_("this collection is for all sites, present and future"),
     N_("Make another one with --members, for the sites that may have it.")},
    {"not-member", N_("this site is no member of the collection"),
     N_("Ask the site that made the collection for `syncctl collection grant`.")},
    {"bad-name", N_("this is no valid name"),
     N_("A name has 1 to 63 bytes, no spaces, no `/`, `,` or `@`, and does not begin with `-` or "
        "`_`.")},
    {"bad-key", N_("this is no valid key"),
     N_("A key is text of 1 to 255 bytes; `_collection` is reserved.")},
    {"bad-field", N_("this is no valid name of a field"),
     N_("The name of a field is text of 1 to 127 bytes; `_trash` is reserved: `syncctl record "
        "delete` and `restore` change it.")},
    {"bad-value", N_("this is no valid value"),
     N_("A value is text, a number, true, false, null, a list or an object, nested at most 32 "
        "deep.")},
    {"bad-entity", N_("this is no valid legal entity"),
     N_("It is text of at most 255 bytes, without control characters.")},
    {"value-too-large", N_("the value is too large"), N_("A value may have 64 KiB.")},
    {"record-too-large", N_("the change is too large"),
     N_("One change may have 256 KiB and 4096 fields; divide it.")},
    {"too-many", N_("a limit of this site would be exceeded"),
     N_("The manual lists the limits; ask for less at a time.")},
    {"no-invitation", N_("there is no open invitation for this name"),
     N_("`syncctl site invites` shows the invitations.")},
    {"invitation-unknown", N_("the group does not know this invitation"),
     N_("Ask the administrating site for a new one (`syncctl site invite`).")},
    {"invitation-used", N_("this invitation was used already"),
     N_("Ask the administrating site for a new one (`syncctl site invite`).")},
    {"invitation-revoked", N_("this invitation was revoked"),
     N_("Ask the administrating site for a new one (`syncctl site invite`).")},
    {"wrong-group", N_("another group answers at the address of the invitation"),
     N_("Ask for a new invitation, with an address of the right group.")},
    {"invitation-expired", N_("this invitation has expired"),
     N_("Ask the administrating site for a new one (`syncctl site invite`), and check the clock.")},
    {"plan-unknown", N_("there is no such backup"), N_("`syncctl backup plans` shows them.")},
    {"plan-exists", N_("a backup of this name is planned already"),
     N_("Choose another name, or change it with `syncctl backup change`.")},
    {"bad-schedule", N_("this is no schedule"),
     N_("For example \"daily 02:00\", \"hourly\", \"every 6h\", \"weekly sun 03:00\" or manual.")},
    {"bad-keep", N_("these are no keep rules"),
     N_("For example 7d,5w,12m,2y (days, weeks, months, years) or \"last 10\".")},
    {"bad-pattern", N_("this is no pattern of what to leave out"),
     N_("Patterns are written as in .gitignore; one line, at most 1,024 of them.")},
    {"bad-path", N_("this is no absolute path"), N_("Give folders that begin with `/`.")},
    {"bad-lock", N_("this is no time for a lock"), N_("A lock lasts at most ten years.")},
    {"no-store", N_("this snapshot carries no copy of the site's own store"),
     N_("Take a younger one: `syncctl backup list`.")},
    {"no-authority", N_("this site has no authority of its own"),
     N_("It is made when section [serve] of quoin.conf has `listen` and no `certificate`; see "
        "`syncctl serve status`.")},
    {"bad-size", N_("this is no size"), N_("For example 200GB or 500MiB.")},
    {"snapshot-unknown", N_("there is no such snapshot"),
     N_("`syncctl backup list` shows them; a name alone means the latest.")},
    {"snapshot-ambiguous", N_("several snapshots begin so"),
     N_("Write more digits; `syncctl backup list` shows them.")},
    {"path-unknown", N_("the snapshot has no such path"),
     N_("`syncctl backup ls` shows what is in it.")},
    {"already-running", N_("this backup is running"),
     N_("Wait for its end, or end it with `syncctl backup stop`.")},
    {"not-running", N_("this backup is not running"), N_("`syncctl status` shows what is.")},
    {"stopped", N_("the run was ended before it was done"),
     N_("What it stored stays; the next run goes on from there.")},
    {"holder-is-self", N_("a site keeps no copies of its own vault"),
     N_("Name other sites of the group.")},
    {"place-unknown", N_("this site was not asked to keep that site's copies"),
     N_("The other site asks with `syncctl backup create`.")},
    {"quota-full", N_("the space for copies is used up"),
     N_("The holder gives more, or the owner keeps less.")},
    {"vault-bad", N_("the vault is damaged here"),
     N_("Run `syncctl backup verify --read-data`, and check the disk.")},
    {"vault-failed", N_("the vault cannot be used"),
     N_("See the messages of the daemon: `journalctl -u quoin`.")},
    {"command-failed", N_("a command of quoin.conf failed, so there is no backup"),
     N_("What it said stands above, and in `syncctl status`; correct the command, or section "
        "[backup NAME] of quoin.conf.")},
    {"vault-busy", N_("too much is being read from the vault"), N_("Try again in a moment.")},
    {"holder-offline", N_("the site with the copy cannot be reached"),
     N_("Check that it is on and connected (`syncctl status`), or choose another one with "
        "--from.")},
    {"holder-refused", N_("that site keeps no vault for this one, or does not give it"),
     N_("`syncctl backup plans` shows which sites keep copies; ask the IT person there.")},
    {"holder-bad", N_("what that site gave is not what this site stored there"),
     N_("Choose another copy with --from; ask the IT person there to check the disk.")},
    {"not-held", N_("that site does not have this"),
     N_("Choose another copy with --from; `syncctl backup list` shows what is complete where.")},
    {"no-copy-reachable", N_("no copy of this can be reached"),
     N_("Check the lines to the other sites with `syncctl status`.")},
    {"user-unknown", N_("there is no such person"), N_("`syncctl user list` shows them.")},
    {"user-exists", N_("there is such a person already"),
     N_("Choose another name; each person has an account of their own.")},
    {"bad-user-name", N_("this is no valid name of a person"),
     N_("A name has 1 to 63 bytes, no spaces, no `/`, `,`, `@` or `:`, and does not begin with `-` "
        "or `_`.")},
    {"bad-role", N_("this is no role"), N_("A person is reader, editor or operator.")},
    {"bad-right", N_("this is no right"), N_("It is read or write.")},
    {"bad-label", N_("this is no label"), N_("It is text of 1 to 63 bytes.")},
    {"bad-password", N_("this is no password"),
     N_("It is text without control characters; the terminal must send UTF-8.")},
    {"password-short", N_("this password is too easy to guess: it is too short"),
     N_("Make it longer: 11 letters of all kinds, or five words that do not belong together.")},
    {"password-common", N_("this password is too easy to guess: such words are tried first"),
     N_("Take five words that do not belong together, or letters and digits drawn at random.")},
    {"password-name", N_("this password is too easy to guess: it is a name that everybody knows"),
     N_("Take five words that do not belong together, or letters and digits drawn at random.")},
    {"password-pattern",
     N_("this password is too easy to guess: it is a row of keys, a sequence, a repetition or a "
        "year"),
     N_("Take five words that do not belong together, or letters and digits drawn at random.")},
    {"password-long", N_("this password is too long"), N_("It may have 256 bytes.")},
    {"app-password-exists", N_("there is an app password for this device already"),
     N_("Revoke it first, or choose another label.")},
    {"app-password-unknown", N_("there is no app password for such a device"),
     N_("`syncctl user app-password list NAME` shows them.")},
    {"folder-unknown", N_("there is no such folder"), N_("`syncctl folder list` shows them.")},
    {"not-granted", N_("this was not granted"), N_("`syncctl user show NAME` shows what is.")},
    {"code-wrong", N_("this is not the code that the app shows now"),
     N_("Check that the clocks of the phone and of this machine are right, and try again.")},
    {"no-second-factor", N_("this person has no second factor"),
     N_("`syncctl user second-factor NAME` makes one.")},
    {"joining", N_("this site has not joined its group yet"),
     N_("`syncctl status` shows how far it is; the inviting site must be reachable.")},
    {"recover-unknown", N_("no site of the group has this recovery kit"),
     N_("Check that --from named a site of this site's group, and that the kit is the one of the "
        "site's last `syncctl init`.")},
    {"recover-group", N_("what answers at the address of --from is no site of the kit's group"),
     N_("Run `syncctl recover` in a new state directory, with --from of a site of its group.")},
    {"recover-withdrawn", N_("the site of this recovery kit left its group"),
     N_("Join again in a new state directory, with an invitation.")},
    {"recover-here", N_("the recovery kit is that of the very site that was asked"),
     N_("Run `syncctl recover` in a new state directory, with --from of another site.")},
    {"recover-raced", N_("another machine took the place of this site in the same moment"),
     N_("If it was not you, restart this daemon: it takes the place over.")},
    {"recover-limit", N_("this site changed its key too often"),
     N_("Join again in a new state directory, with an invitation.")},
    {"recovering", N_("the recovery of this site is not complete"),
     N_("`syncctl status` shows what it waits for.")},
    {"key-replaced", N_("this site was recovered on another machine"),
     N_("Stop this daemon: the other machine is the site now. If nobody recovered it, the kit is "
        "in "
        "the wrong hands: recover the site with it yourself.")},
    {"withdrawn", N_("this site is no longer a member of its group"),
     N_("Join again in a new state directory, with an invitation.")},
    {"not-this-site", N_("a site can only withdraw itself"),
     N_("Run the command at the site concerned, with its own name.")},
    {"disk-full", N_("the disk of the state directory is full"),
     N_("Make room there; nothing that was acknowledged is lost.")},
    {"store-failed", N_("the store cannot be used"),
     N_("See the messages of the daemon: `journalctl -u quoin`.")},
    {"bad-words", N_("there is nothing to search for in that, or too much"),
     N_("Give one to sixteen words with letters or digits.")},
    {"search-failed", N_("the search index cannot be used"),
     N_("See `journalctl -u quoin`; the records themselves are not concerned.")},
    {"busy", N_("the daemon has too much to do"), N_("Try again in a moment.")},
    {"in-doubt", N_("the store of this site may be an old copy"),
     N_("It connects to another site first and compares; see that one can be reached, and try "
        "again.")},
    {"timeout", N_("there was no answer in time"),
     N_("Try again, or wait longer with --timeout SECONDS.")},
    {"upgrade-needed", N_("the group uses something that this version does not know"),
     N_("Install a newer version of Quoin at this site.")},
    {"internal", N_("the daemon met an error of its own"),
     N_("See the messages of the daemon: `journalctl -u quoin`.")},
    /* found by syncctl itself */
    {"site-exists", N_("this state directory is initialised already"),
     N_("`syncctl status` shows its site; for another site choose another directory with "
        "--state.")},
    {"dir-not-empty", N_("this directory is not empty"),
     N_("Choose an empty or a new directory with --state.")},
    {"dir-too-long", N_("the path of this state directory is too long for a socket"),
     N_("Choose a path of at most 90 bytes with --state.")},
    {"dir-failed", N_("this directory cannot be made"),
     N_("Run the command as root, or choose another directory with --state.")},
    {"write-failed", N_("this file cannot be written"),
     N_("Check the permissions and the room on the disk.")},
    {"output-failed", N_("the answer cannot be written to standard output"),
     N_("Check the room on the disk, or the program that reads it.")},
    {"read-failed", N_("this file cannot be read"), N_("Check its name and the permissions.")},
    {"bad-address", N_("this is no valid address"),
     N_("Write HOST:PORT, for example 0.0.0.0:7117 or [::]:7117.")},
    {"code-mistyped", N_("this is no invitation code, or it was mistyped"),
     N_("Copy the whole code, from QN1 to its end.")},
    {"no-kit", N_("there is no recovery kit in this state directory"),
     N_("It was confirmed already, or --state names another directory.")},
    {"kit-newer", N_("this recovery kit was made by a newer version"),
     N_("Install the version that it was made with, or a newer one.")},
    {"code-failed", N_("the QR code cannot be made"), N_("Print recovery-kit.txt itself.")},
    {"crypto-failed", N_("the cryptography library failed"),
     N_("Check the installation of OpenSSL.")},
};

static const struct row *find_row(struct qn_span code)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (qn_span_eq_str(code, rows[i].code))
            return &rows[i];
    }
    return NULL;
}

const char *ctl_error_text(struct qn_span code)
{
    const struct row *row = find_row(code);
    return row != NULL ? gettext(row->text) : _("it failed for a reason unknown to this version");
}

const char *ctl_error_remedy(struct qn_span code)
{
    const struct row *row = find_row(code);
    return row != NULL ? gettext(row->remedy)
                       : _("See the messages of the daemon: `journalctl -u quoin`.");
}

static void print_command(const struct ctl *ctl)
{
    fputs("syncctl", ctl->err);
    if (ctl->command != NULL)
        fprintf(ctl->err, " %s", ctl->command->noun);
    if (ctl->command != NULL && ctl->command->verb != NULL)
        fprintf(ctl->err, " %s", ctl->command->verb);
    fputs(": ", ctl->err);
}

int ctl_fail(const struct ctl *ctl, const char *code, struct qn_span object)
{
    print_command(ctl);
    if (object.size > 0) {
        ctl_put_text(ctl->err, object);
        fputs(": ", ctl->err);
    }
    fprintf(ctl->err, "%s\n  %s\n", ctl_error_text(qn_span_str(code)),
            ctl_error_remedy(qn_span_str(code)));
    bool is_unreachable = strcmp(code, "no-daemon") == 0 || strcmp(code, "no-permission") == 0;
    return is_unreachable ? CTL_UNREACHABLE : CTL_FAILED;
}

int ctl_fail_str(const struct ctl *ctl, const char *code, const char *object)
{
    return ctl_fail(ctl, code, qn_span_str(object));
}

/* Words of a message may come from a file or an argument: they must not steer a terminal. */
__attribute__((format(printf, 2, 0))) static void print_line(const struct ctl *ctl,
                                                             const char *text, va_list list)
{
    char line[LINE_SIZE_MAX];
    int length = vsnprintf(line, sizeof(line), text, list);
    if (length > 0)
        ctl_put_text(ctl->err, qn_span_str(line));
    fputc('\n', ctl->err);
}

int ctl_usage_error(const struct ctl *ctl, const char *text, ...)
{
    print_command(ctl);
    va_list list;
    va_start(list, text);
    print_line(ctl, text, list);
    va_end(list);
    if (ctl->noun != NULL && ctl_is_noun(ctl->noun))
        fprintf(ctl->err, _("  `syncctl help %s` explains it.\n"), ctl->noun);
    else
        fprintf(ctl->err, "  %s\n", _("`syncctl help` lists the commands."));
    return CTL_USAGE;
}

int ctl_fail_text(const struct ctl *ctl, const char *text, ...)
{
    print_command(ctl);
    va_list list;
    va_start(list, text);
    print_line(ctl, text, list);
    va_end(list);
    return CTL_FAILED;
}

void ctl_say(const struct ctl *ctl, const char *text, ...)
{
    if (ctl->is_quiet)
        return;
    va_list list;
    va_start(list, text);
    vfprintf(ctl->err, text, list);
    va_end(list);
    fputc('\n', ctl->err);
}
