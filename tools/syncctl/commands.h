/* The handlers of the command table. Each returns an exit code (enum ctl_exit). */
#pragma once

#include "ctl.h"

int ctl_run_init(struct ctl *ctl);
int ctl_run_status(struct ctl *ctl);
int ctl_run_site_invite(struct ctl *ctl);
int ctl_run_site_list(struct ctl *ctl);
int ctl_run_site_show(struct ctl *ctl);
int ctl_run_site_report(struct ctl *ctl);
int ctl_run_site_withdraw(struct ctl *ctl);
int ctl_run_site_set(struct ctl *ctl);
int ctl_run_site_trust(struct ctl *ctl);
int ctl_run_site_invites(struct ctl *ctl);
int ctl_run_site_revoke(struct ctl *ctl);
int ctl_run_collection_create(struct ctl *ctl);
int ctl_run_collection_list(struct ctl *ctl);
int ctl_run_collection_show(struct ctl *ctl);
int ctl_run_collection_grant(struct ctl *ctl);
int ctl_run_collection_resume(struct ctl *ctl);
int ctl_run_collection_give_up(struct ctl *ctl);
int ctl_run_folder_create(struct ctl *ctl);
int ctl_run_folder_attach(struct ctl *ctl);
int ctl_run_folder_detach(struct ctl *ctl);
int ctl_run_folder_delete(struct ctl *ctl);
int ctl_run_folder_list(struct ctl *ctl);
int ctl_run_folder_names(struct ctl *ctl);
int ctl_run_folder_status(struct ctl *ctl);
int ctl_run_record_put(struct ctl *ctl);
int ctl_run_record_get(struct ctl *ctl);
int ctl_run_record_list(struct ctl *ctl);
int ctl_run_record_change(struct ctl *ctl); /* delete, restore, erase */
int ctl_run_record_trash(struct ctl *ctl);
int ctl_run_record_empty_trash(struct ctl *ctl);
int ctl_run_record_history(struct ctl *ctl);
int ctl_run_record_import(struct ctl *ctl);
int ctl_run_record_export(struct ctl *ctl);
int ctl_run_search(struct ctl *ctl);
int ctl_run_conflict_list(struct ctl *ctl);
int ctl_run_conflict_show(struct ctl *ctl);
int ctl_run_conflict_resolve(struct ctl *ctl);
int ctl_run_backup_create(struct ctl *ctl); /* and change */
int ctl_run_backup_delete(struct ctl *ctl); /* and stop */
int ctl_run_backup_plans(struct ctl *ctl);
int ctl_run_backup_run(struct ctl *ctl);
int ctl_run_backup_list(struct ctl *ctl);
int ctl_run_backup_ls(struct ctl *ctl);
int ctl_run_backup_find(struct ctl *ctl);
int ctl_run_backup_diff(struct ctl *ctl);
int ctl_run_backup_restore(struct ctl *ctl);
int ctl_run_backup_verify(struct ctl *ctl);
int ctl_run_backup_forget(struct ctl *ctl);
int ctl_run_backup_prune(struct ctl *ctl);
int ctl_run_backup_agreement(struct ctl *ctl);
int ctl_run_backup_holder(struct ctl *ctl);
int ctl_run_user_add(struct ctl *ctl);
int ctl_run_user_list(struct ctl *ctl);
int ctl_run_user_show(struct ctl *ctl);
int ctl_run_user_role(struct ctl *ctl);
int ctl_run_user_password(struct ctl *ctl);
int ctl_run_user_state(struct ctl *ctl); /* disable, enable, remove */
int ctl_run_user_grant(struct ctl *ctl); /* and revoke */
int ctl_run_user_app_password(struct ctl *ctl);
int ctl_run_user_second_factor(struct ctl *ctl);
int ctl_run_log(struct ctl *ctl);
int ctl_run_verify(struct ctl *ctl);
int ctl_run_serve_status(struct ctl *ctl);
int ctl_run_serve_authority(struct ctl *ctl);
int ctl_run_recover(struct ctl *ctl);
int ctl_run_kit_print(struct ctl *ctl);
int ctl_run_kit_confirm(struct ctl *ctl);
int ctl_run_config_check(struct ctl *ctl);
int ctl_run_completion(struct ctl *ctl);
int ctl_run_help(struct ctl *ctl);
