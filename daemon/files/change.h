/* What changes of names share. Inside files. */
#pragma once

#include "files/stage.h"
#include "files/tree.h"

/* A call that may leave failures behind. */
struct change_call {
    struct qn_folder_call call;
    struct tree_report report;
    qn_folder_failed_fn failed;
    qn_folder_done_fn done;
};

/* Tells the failures, then the end, and ends the call. */
void change_tell(struct change_call *change);
void change_stored(struct qn_folder_call *call, enum qn_err err); /* rows are only a help */
void change_free(struct qn_folder_call *call);
enum qn_err QN_CHECKED name_rename_new(int from, const char *name, int to, const char *new_name);
