/* JSON to a stream: json/out.h, under the names that it has here, an item at a time. */
#pragma once

#include <stdio.h>

#include "json/out.h"

#define ctl_shape                 qn_json_shape
#define CTL_VALUE                 QN_JSON_VALUE
#define CTL_LIST                  QN_JSON_LIST
#define CTL_MAP                   QN_JSON_MAP
#define CTL_TIME                  QN_JSON_TIME
#define CTL_OBJECT                QN_JSON_OBJECT
#define CTL_OBJECTS               QN_JSON_OBJECTS
#define CTL_BY_FIELD              QN_JSON_BY_FIELD
#define ctl_serve_shape           qn_json_serve
#define ctl_authority_shape       qn_json_authority
#define ctl_app_password_shape    qn_json_app_password
#define ctl_user_shape            qn_json_user
#define ctl_audit_shape           qn_json_audit
#define ctl_status_shape          qn_json_status
#define ctl_site_shape            qn_json_site
#define ctl_collection_shape      qn_json_collection
#define ctl_collection_show_shape qn_json_collection_show
#define ctl_record_shape          qn_json_record
#define ctl_conflicts_shape       qn_json_conflicts
#define ctl_trash_shape           qn_json_trash
#define ctl_emptied_shape         qn_json_emptied
#define ctl_history_shape         qn_json_history
#define ctl_hit_shape             qn_json_hit
#define ctl_invite_shape          qn_json_invite
#define ctl_conflict_shape        qn_json_conflict
#define ctl_verify_shape          qn_json_verify
#define ctl_incident_shape        qn_json_incident
#define ctl_plan_shape            qn_json_plan
#define ctl_snapshot_shape        qn_json_snapshot
#define ctl_held_shape            qn_json_held
#define ctl_folder_shape          qn_json_folder
#define ctl_odd_name_shape        qn_json_odd_name
#define ctl_collection_list_shape qn_json_collection_list
#define ctl_verified_shape        qn_json_verified
#define ctl_report_shape          qn_json_report

void ctl_json_value(FILE *out, struct qn_span packed);
void ctl_json_object(FILE *out, struct qn_span map, const struct ctl_shape *shape);
/* The same without the braces. */
void ctl_json_members(FILE *out, struct qn_span map, const struct ctl_shape *shape);
void ctl_json_text(FILE *out, struct qn_span text);
void ctl_json_time(FILE *out, bool is_known, uint64_t time_ms);

/* "[", items between commas and lines, "]". */
struct ctl_json_list {
    FILE *out;
    size_t count;
};
void ctl_json_list_next(struct ctl_json_list *list); /* before each item */
void ctl_json_list_end(struct ctl_json_list *list);
