/* What can go wrong with a restore, in words. */
#include "i18n.h"
#include "restore_out.h"

static const struct {
    const char *text, *remedy;
} rows[] = {
    [CTL_RESTORE_TARGET] = {N_("this folder cannot be used"),
                            N_("Name a folder that you may write to; those above it must exist.")},
    [CTL_RESTORE_BUSY] = {N_("another restore is writing there"),
                          N_("Wait until it is done, or restore to another folder.")},
    [CTL_RESTORE_NO_ROOM] = {N_("there is not enough room on the disk"),
                             N_("Make room and run the same command again: it goes on where it "
                                "stopped. Or restore to another disk.")},
    [CTL_RESTORE_DISK] = {N_("the disk cannot be written"),
                          N_("Check the disk (`journalctl -k`), or restore to another one.")},
    [CTL_RESTORE_BAD_PATH] = {N_("the backup names it in a way that is not allowed"),
                              N_("It is left out; check the backup with `syncctl backup verify`.")},
    [CTL_RESTORE_EXISTS] = {N_("something else of that name is there already"),
                            N_("Restore to another folder, or use --overwrite.")},
    [CTL_RESTORE_FOLDER] = {N_("a folder of that name is there already"),
                            N_("Folders are never overwritten: move it away first.")},
    [CTL_RESTORE_NOT_MADE] = {N_("it could not be made"),
                              N_("Check the permissions and the kind of the disk, and run the same "
                                 "command again.")},
    [CTL_RESTORE_NO_FIRST] = {N_("it is another name of a file that was not restored"),
                              N_("Restore that file too, with the same command.")},
    [CTL_RESTORE_NEEDS_ROOT] = {N_("only root can make devices"),
                                N_("Run the same command as root if they are needed.")},
    [CTL_RESTORE_NO_CONTENT] = {N_("its content could not be had whole"),
                                N_("Run the same command again, or restore it from another site "
                                   "with --from.")},
    [CTL_RESTORE_NOT_YOURS] = {N_("this user could not read it where it was saved"),
                               N_("Have it restored by root or by who has the role admin "
                                  "(quoin.conf(5), [control]).")},
    [CTL_RESTORE_ATTRIBUTES] = {N_("it is there, but its owner, mode or times could not be set"),
                                N_("Run the same command again as root, or set them by hand.")},
};

const char *ctl_restore_issue_text(enum ctl_restore_issue issue)
{
    return _(rows[issue].text);
}

const char *ctl_restore_issue_remedy(enum ctl_restore_issue issue)
{
    return _(rows[issue].remedy);
}
