/* What is on its way has a hidden name beside its place, and is locked (flock) as long as somebody
 * is at it: what is not locked is a left-over of a crash and may be swept, by any daemon. Inside
 * files. Thread: any.
 */
#pragma once

#include "files/local_impl.h"

#define STAGE_NAME_SIZE 64

struct stage {
    int fd; /* open for writing (a file) or reading (a directory), and locked */
    char name[STAGE_NAME_SIZE];
};

void stage_name(struct local *folder, char out[STAGE_NAME_SIZE]);
bool stage_is_name(const char *name);
enum qn_err QN_CHECKED stage_make_file(struct local *folder, int parent, struct stage *ret_stage);
enum qn_err QN_CHECKED stage_make_directory(struct local *folder, int parent,
                                            struct stage *ret_stage);
