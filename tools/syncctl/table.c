/* The one table: usage, help, completion and the manual's test are made from it. */
#include "commands.h"
#include "i18n.h"

const struct ctl_option ctl_global_options[] = {
    {"state", "DIR", N_("the state directory of the site (QUOIN_STATE, /var/lib/quoin)")},
    {"json", NULL, N_("answer with one JSON document")},
    {"quiet", NULL, N_("no messages except errors")},
    {"timeout", "SECONDS", N_("how long to wait for the daemon (30)")},
    {"help", NULL, N_("explain the command")},
    {"version", NULL, N_("print the version")},
    {NULL, NULL, NULL},
};

static const struct ctl_option init_options[] = {
    {"site", "NAME", N_("the name of this site")},
    {"group", "GROUP", N_("found a new group of this name")},
    {"join", "CODE", N_("join a group with an invitation code")},
    {"listen", "ADDR:PORT", N_("the address on which the daemon waits for other sites")},
    {"advertise", "HOST:PORT", N_("the address at which other sites reach this one")},
    {"legal-entity", "TEXT", N_("whom this site belongs to")},
    {NULL, NULL, NULL},
};

static const struct ctl_option recover_options[] = {
    {"kit", "FILE", N_("the recovery kit as it is printed; -: standard input")},
    {"from", "HOST:PORT", N_("any other site of the group, which runs")},
    {"listen", "ADDR:PORT", N_("the address on which the daemon waits for other sites")},
    {"advertise", "HOST:PORT", N_("the address at which other sites reach this one")},
    {NULL, NULL, NULL},
};

static const struct ctl_option kit_print_options[] = {
    {"html", "FILE", N_("a page for A4, with a QR code")},
    {NULL, NULL, NULL},
};

static const struct ctl_option status_options[] = {
    {"x", NULL, N_("show only what is wrong")},
    {"watch", NULL, N_("show it again every two seconds")},
    {NULL, NULL, NULL},
};

static const struct ctl_option invite_options[] = {
    {"expires", "DURATION", N_("how long the code is valid: 30m, 24h, 7d (24h)")},
    {NULL, NULL, NULL},
};

static const struct ctl_option site_set_options[] = {
    {"legal-entity", "TEXT", N_("whom this site belongs to")},
    {NULL, NULL, NULL},
};

static const struct ctl_option create_options[] = {
    {"members", "SITE,...", N_("the sites that share it (all sites, present and future)")},
    {NULL, NULL, NULL},
};

static const struct ctl_option put_options[] = {
    {"json-value", "OBJECT", N_("fields with types, as a JSON object")},
    {NULL, NULL, NULL},
};

static const struct ctl_option record_list_options[] = {
    {"prefix", "TEXT", N_("only keys that begin so")},
    {"limit", "NUMBER", N_("at most so many")},
    {NULL, NULL, NULL},
};

static const struct ctl_option empty_trash_options[] = {
    {"older-than", "DAYS", N_("only what is in the trash for so long (everything)")},
    {"dry-run", NULL, N_("only say how much would go")},
    {NULL, NULL, NULL},
};

static const struct ctl_option search_options[] = {
    {"limit", "NUMBER", N_("at most so many (20)")},
    {NULL, NULL, NULL},
};

static const struct ctl_option import_options[] = {
    {"key", "FIELD", N_("the field whose value is the key")},
    {"format", "jsonl|csv", N_("JSON Lines or CSV (by the name of the file)")},
    {NULL, NULL, NULL},
};

static const struct ctl_option export_options[] = {
    {"key", "FIELD", N_("the name under which keys are written (key)")},
    {"format", "jsonl|csv", N_("JSON Lines or CSV (jsonl)")},
    {NULL, NULL, NULL},
};

static const struct ctl_option resolve_options[] = {
    {"take", "SITE", N_("choose the value that this site wrote")},
    {"value", "TEXT", N_("choose this text")},
    {"json-value", "JSON", N_("choose this JSON value")},
    {NULL, NULL, NULL},
};

static const struct ctl_option plan_options[] = {
    {"path", "DIR", N_("a folder to save; once or more")},
    {"exclude", "PATTERN", N_("leave out what matches, as in .gitignore; once or more")},
    {"schedule", "WHEN",
     N_("\"daily 02:00\", \"every 6h\", \"weekly sun 03:00\", manual (manual)")},
    {"keep", "RULES", N_("what is kept: 7d,5w,12m,2y or \"last 10\" (everything)")},
    {"copies", "SITE,...", N_("the sites that keep a copy, which they cannot read")},
    {"lock", "TIME", N_("how long nobody can delete a copy: 30d, 8w, 12m (30d)")},
    {NULL, NULL, NULL},
};

static const struct ctl_option run_options[] = {
    {"wait", NULL, N_("return when every copy is complete too")},
    {NULL, NULL, NULL},
};

#define FROM_OPTION                                                                                \
    {                                                                                              \
        "from", "SITE", N_("read the copy at that site, not the vault of this one")                \
    }

static const struct ctl_option ls_options[] = {
    {"recursive", NULL, N_("with everything below")},
    FROM_OPTION,
    {"store", NULL, N_("the copy of the site's own store instead of the files")},
    {NULL, NULL, NULL},
};

static const struct ctl_option restore_options[] = {
    {"to", "DIR", N_("the folder to restore into; it is made if it is not there")},
    {"overwrite", NULL, N_("replace what is there")},
    FROM_OPTION,
    {"store", NULL, N_("the copy of the site's own store instead of the files")},
    {NULL, NULL, NULL},
};

static const struct ctl_option from_options[] = {FROM_OPTION, {NULL, NULL, NULL}};

static const struct ctl_option backup_verify_options[] = {
    {"read-data", NULL, N_("read every pack and every chunk")},
    {NULL, NULL, NULL},
};

static const struct ctl_option verify_options[] = {
    {"scrub", NULL, N_("first read all of it here, against itself")},
    {NULL, NULL, NULL},
};

static const struct ctl_option forget_options[] = {
    {"dry-run", NULL, N_("only say what would go")},
    {NULL, NULL, NULL},
};

static const struct ctl_option folder_create_options[] = {
    {"path", "DIR", N_("the directory of this site that is offered")},
    {"members", "SITE,...", N_("the sites that share it (all sites, present and future)")},
    {NULL, NULL, NULL},
};

static const struct ctl_option folder_attach_options[] = {
    {"path", "DIR", N_("the directory of this site that is offered")},
    {NULL, NULL, NULL},
};

static const struct ctl_option user_add_options[] = {
    {"role", "reader|editor|operator", N_("what kind of person it is (reader)")},
    {"shared", NULL, N_("several people use it: noted in the trail")},
    {NULL, NULL, NULL},
};

static const struct ctl_option grant_options[] = {
    {"folder", "FOLDER", N_("the folder")},
    {"collection", "COLLECTION", N_("the collection")},
    {"right", "list|read|write", N_("what is granted")},
    {NULL, NULL, NULL},
};

static const struct ctl_option revoke_options[] = {
    {"folder", "FOLDER", N_("the folder")},
    {"collection", "COLLECTION", N_("the collection")},
    {NULL, NULL, NULL},
};

static const struct ctl_option app_password_options[] = {
    {"label", "TEXT", N_("which device it is for")},
    {"right", "list|read|write", N_("at most that, whatever the person may (write)")},
    {"folder", "FOLDER", N_("only this folder")},
    {"expires", "DURATION", N_("how long it is good: 12h, 30d (until it is revoked)")},
    {NULL, NULL, NULL},
};

static const struct ctl_option second_factor_options[] = {
    {"remove", NULL, N_("no code is asked for any more")},
    {NULL, NULL, NULL},
};

static const struct ctl_option agreement_options[] = {
    {"reference", "TEXT", N_("what it is called, or where it lies")},
    {"until", "DATE", N_("its last day, such as 2027-03-31; one is reminded 60 days before")},
    {NULL, NULL, NULL},
};

static const struct ctl_option log_options[] = {
    {"since", "TIME", N_("from then on: 24h, 7d, 2026-11-20 or \"2026-11-20 08:00\"")},
    {"user", "NAME", N_("only what this person did")},
    {"f", NULL, N_("go on with what is added")},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_commands[] = {
    {"init", NULL, "", 0, 0, N_("make this machine a site: found a group or join one"),
     init_options, ctl_run_init},
    {"status", NULL, "", 0, 0, N_("all sites, collections and alerts at a glance"), status_options,
     ctl_run_status},
    {"site", "invite", "NAME", 1, 1, N_("print an invitation code for a new site"), invite_options,
     ctl_run_site_invite},
    {"site", "list", "", 0, 0, N_("the sites of the group"), NULL, ctl_run_site_list},
    {"site", "show", "NAME", 1, 1, N_("one site with its identity"), NULL, ctl_run_site_show},
    {"site", "report", "NAME", 1, 1,
     N_("what became of the backups that this site held, or that others held for it"), NULL,
     ctl_run_site_report},
    {"site", "withdraw", "NAME", 1, 1, N_("end this site's own membership"), NULL,
     ctl_run_site_withdraw},
    {"site", "trust", "NAME", 1, 1,
     N_("only if no other site exists any more: trust a store that may be an old copy"), NULL,
     ctl_run_site_trust},
    {"site", "set", "", 0, 0, N_("say whom this site belongs to"), site_set_options,
     ctl_run_site_set},
    {"site", "invites", "", 0, 0, N_("the invitations and what became of them"), NULL,
     ctl_run_site_invites},
    {"site", "revoke", "NAME", 1, 1, N_("revoke the open invitations for a name"), NULL,
     ctl_run_site_revoke},
    {"collection", "create", "NAME", 1, 1, N_("make a collection of records"), create_options,
     ctl_run_collection_create},
    {"collection", "list", "", 0, 0, N_("the collections of this site"), NULL,
     ctl_run_collection_list},
    {"collection", "show", "NAME", 1, 1, N_("one collection with its members"), NULL,
     ctl_run_collection_show},
    {"collection", "grant", "NAME SITE", 2, 2, N_("share a collection with one more site"), NULL,
     ctl_run_collection_grant},
    {"collection", "ungrant", "NAME SITE", 2, 2, N_("no longer share a collection with a site"),
     NULL, ctl_run_collection_grant},
    {"collection", "resume", "NAME", 1, 1,
     N_("go on bringing a collection up to date, whatever is deleted by it"), NULL,
     ctl_run_collection_resume},
    {"collection", "rescue", "NAME", 1, 1,
     N_("write anew what is here of a collection and at no other site"), NULL,
     ctl_run_collection_resume},
    {"collection", "give-up", "NAME", 1, 1,
     N_("wait no more for sites that are away to bring damaged records back"), NULL,
     ctl_run_collection_give_up},
    {"record", "put", "COLLECTION KEY [FIELD=VALUE...] [-]", 2, CTL_ANY_NUMBER,
     N_("set fields of a record; other fields stay"), put_options, ctl_run_record_put},
    {"record", "get", "COLLECTION KEY", 2, 2, N_("show a record"), NULL, ctl_run_record_get},
    {"record", "list", "COLLECTION", 1, 1, N_("show the records of a collection"),
     record_list_options, ctl_run_record_list},
    {"record", "delete", "COLLECTION KEY", 2, 2, N_("put a record into the trash, everywhere"),
     NULL, ctl_run_record_change},
    {"record", "trash", "COLLECTION", 1, 1, N_("what is in the trash"), NULL, ctl_run_record_trash},
    {"record", "restore", "COLLECTION KEY", 2, 2, N_("take a record out of the trash"), NULL,
     ctl_run_record_change},
    {"record", "erase", "COLLECTION KEY", 2, 2, N_("erase a record for good, now"), NULL,
     ctl_run_record_change},
    {"record", "empty-trash", "COLLECTION", 1, 1,
     N_("erase for good, at all sites, what is in the trash"), empty_trash_options,
     ctl_run_record_empty_trash},
    {"record", "history", "COLLECTION KEY", 2, 2, N_("who changed which field, where and when"),
     NULL, ctl_run_record_history},
    {"record", "import", "COLLECTION FILE|-", 2, 2, N_("put many records from a file"),
     import_options, ctl_run_record_import},
    {"record", "export", "COLLECTION", 1, 1, N_("write all records as JSON Lines or CSV"),
     export_options, ctl_run_record_export},
    {"conflict", "list", "[COLLECTION]", 0, 1, N_("the records with concurrent values"), NULL,
     ctl_run_conflict_list},
    {"conflict", "show", "COLLECTION KEY", 2, 2, N_("the concurrent values of a record"), NULL,
     ctl_run_conflict_show},
    {"conflict", "resolve", "COLLECTION KEY FIELD", 3, 3, N_("choose a value, for all sites"),
     resolve_options, ctl_run_conflict_resolve},
    {"folder", "create", "NAME", 1, 1, N_("offer a directory of this site"), folder_create_options,
     ctl_run_folder_create},
    {"folder", "attach", "NAME", 1, 1, N_("say where a folder's directory is now"),
     folder_attach_options, ctl_run_folder_attach},
    {"folder", "detach", "NAME", 1, 1, N_("no longer offer a directory; its files stay"), NULL,
     ctl_run_folder_detach},
    {"folder", "delete", "NAME", 1, 1, N_("end a folder for good; its files stay"), NULL,
     ctl_run_folder_delete},
    {"folder", "list", "", 0, 0, N_("the folders and where they are"), NULL, ctl_run_folder_list},
    {"folder", "status", "NAME", 1, 1, N_("one folder, with what is in it"), NULL,
     ctl_run_folder_status},
    {"folder", "names", "NAME", 1, 1, N_("the names in a folder that not everybody can use"), NULL,
     ctl_run_folder_names},
    {"verify", NULL, "[COLLECTION]", 0, 1, N_("compare the content with every other site"),
     verify_options, ctl_run_verify},
    {"search", NULL, "WORD...", 1, 16, N_("find records and files by what is in them"),
     search_options, ctl_run_search},
    {"backup", "create", "NAME", 1, 1, N_("plan a backup"), plan_options, ctl_run_backup_create},
    {"backup", "change", "NAME", 1, 1, N_("change a plan; what is not given stays"), plan_options,
     ctl_run_backup_create},
    {"backup", "delete", "NAME", 1, 1, N_("delete a plan; its snapshots stay"), NULL,
     ctl_run_backup_delete},
    {"backup", "plans", "", 0, 0, N_("the plans and when they run"), NULL, ctl_run_backup_plans},
    {"backup", "run", "NAME", 1, 1, N_("run a backup now"), run_options, ctl_run_backup_run},
    {"backup", "stop", "NAME", 1, 1, N_("end a run that is under way"), NULL,
     ctl_run_backup_delete},
    {"backup", "list", "[NAME]", 0, 1, N_("the snapshots"), from_options, ctl_run_backup_list},
    {"backup", "ls", "NAME[@SNAPSHOT] [PATH]", 1, 2, N_("what is in a snapshot"), ls_options,
     ctl_run_backup_ls},
    {"backup", "find", "[NAME] PATTERN", 1, 2, N_("find files by name in all snapshots"),
     from_options, ctl_run_backup_find},
    {"backup", "diff", "NAME@A NAME@B", 2, 2, N_("what changed between two snapshots"),
     from_options, ctl_run_backup_diff},
    {"backup", "restore", "NAME[@SNAPSHOT] [PATH...]", 1, 256,
     N_("restore files into a folder, with modes, times, owners and links"), restore_options,
     ctl_run_backup_restore},
    {"backup", "verify", "[NAME]", 0, 1, N_("check that everything is there and whole"),
     backup_verify_options, ctl_run_backup_verify},
    {"backup", "forget", "NAME", 1, 1, N_("apply the keep rules of a plan now"), forget_options,
     ctl_run_backup_forget},
    {"backup", "prune", "", 0, 0, N_("give back the space of what nothing needs any more"), NULL,
     ctl_run_backup_prune},
    {"backup", "agreement", "HOLDER", 1, 1,
     N_("note what is agreed on paper with a site that keeps copies, and until when"),
     agreement_options, ctl_run_backup_agreement},
    {"backup", "holder", "list | accept OWNER | quota OWNER SIZE", 1, 3,
     N_("the copies that this site keeps for others, and how much space they get"), NULL,
     ctl_run_backup_holder},
    {"user", "add", "NAME", 1, 1, N_("make an account; the password is asked, or standard input's"),
     user_add_options, ctl_run_user_add},
    {"user", "list", "", 0, 0, N_("the people who reach this site by browser or WebDAV"), NULL,
     ctl_run_user_list},
    {"user", "show", "NAME", 1, 1, N_("one account with its grants and devices"), NULL,
     ctl_run_user_show},
    {"user", "role", "NAME ROLE", 2, 2, N_("make a reader, editor or operator of a person"), NULL,
     ctl_run_user_role},
    {"user", "password", "NAME", 1, 1, N_("set another password"), NULL, ctl_run_user_password},
    {"user", "disable", "NAME", 1, 1, N_("shut an account at once"), NULL, ctl_run_user_state},
    {"user", "enable", "NAME", 1, 1, N_("open an account again"), NULL, ctl_run_user_state},
    {"user", "remove", "NAME", 1, 1, N_("remove an account with its grants and devices"), NULL,
     ctl_run_user_state},
    {"user", "grant", "NAME", 1, 1, N_("let a person read or write a folder or a collection"),
     grant_options, ctl_run_user_grant},
    {"user", "revoke", "NAME", 1, 1, N_("take such a right back"), revoke_options,
     ctl_run_user_grant},
    {"user", "app-password", "NAME | list NAME | revoke NAME LABEL", 1, 3,
     N_("passwords of devices, for WebDAV; shown once"), app_password_options,
     ctl_run_user_app_password},
    {"user", "second-factor", "NAME", 1, 1, N_("let the page ask a person for a code, too"),
     second_factor_options, ctl_run_user_second_factor},
    {"log", NULL, "[verify|export|show] [FILE]", 0, 2,
     N_("who read or changed what, or whether that is all true"), log_options, ctl_run_log},
    {"recover", NULL, "", 0, 0, N_("make a lost site again on this empty machine, with its kit"),
     recover_options, ctl_run_recover},
    {"kit", "print", "", 0, 0, N_("show the recovery kit, or make a page of it to print"),
     kit_print_options, ctl_run_kit_print},
    {"kit", "confirm", "", 0, 0, N_("the recovery kit is locked away: delete its file"), NULL,
     ctl_run_kit_confirm},
    {"serve", "status", "", 0, 0, N_("the HTTPS access: addresses, certificate, connections"), NULL,
     ctl_run_serve_status},
    {"serve", "authority", "", 0, 0,
     N_("print the certificate of this site's own authority, to import where HTTPS is used"), NULL,
     ctl_run_serve_authority},
    {"config", "check", "FILE", 1, 1, N_("check a configuration file without applying it"), NULL,
     ctl_run_config_check},
    {"completion", "bash", "", 0, 0, N_("print the completion for bash"), NULL, ctl_run_completion},
    {"help", NULL, "[NOUN] [VERB]", 0, 2, N_("explain the commands"), NULL, ctl_run_help},
};

const size_t ctl_command_count = sizeof(ctl_commands) / sizeof(ctl_commands[0]);
