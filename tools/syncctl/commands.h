/* The handlers of the command table. Each returns an exit code (enum ctl_exit). */
#pragma once

#include "ctl.h"

int ctl_run_init(struct ctl *ctl);
int ctl_run_status(struct ctl *ctl);
int ctl_run_site_invite(struct ctl *ctl);
int ctl_run_site_list(struct ctl *ctl);
int ctl_run_site_show(struct ctl *ctl);
int ctl_run_site_withdraw(struct ctl *ctl);
int ctl_run_site_set(struct ctl *ctl);
int ctl_run_site_invites(struct ctl *ctl);
int ctl_run_site_revoke(struct ctl *ctl);
int ctl_run_collection_create(struct ctl *ctl);
int ctl_run_collection_list(struct ctl *ctl);
int ctl_run_collection_show(struct ctl *ctl);
int ctl_run_collection_grant(struct ctl *ctl);
int ctl_run_record_put(struct ctl *ctl);
int ctl_run_record_get(struct ctl *ctl);
int ctl_run_record_list(struct ctl *ctl);
int ctl_run_record_change(struct ctl *ctl); /* delete, restore, erase */
int ctl_run_record_trash(struct ctl *ctl);
int ctl_run_record_history(struct ctl *ctl);
int ctl_run_record_import(struct ctl *ctl);
int ctl_run_record_export(struct ctl *ctl);
int ctl_run_conflict_list(struct ctl *ctl);
int ctl_run_conflict_show(struct ctl *ctl);
int ctl_run_conflict_resolve(struct ctl *ctl);
int ctl_run_verify(struct ctl *ctl);
int ctl_run_kit_confirm(struct ctl *ctl);
int ctl_run_config_check(struct ctl *ctl);
int ctl_run_completion(struct ctl *ctl);
int ctl_run_help(struct ctl *ctl);
