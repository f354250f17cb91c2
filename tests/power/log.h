/* The log of everything that programs did to the files below one folder: written by record.c, read
 * by replay.c. Records follow each other; each is followed by its two names and its data. Numbers
 * are as the machine has them: a log does not travel.
 *
 * The order is that in which the calls took effect: a call and its record are made under one lock
 * of all processes. Only a sync is not, since others go on meanwhile: it says how far the log was
 * when it began, and covers what stands before.
 */
#pragma once

#include <stdint.h>

/* Environment of a recorded program. */
#define POWER_LOG_VARIABLE  "QN_POWER_LOG"
#define POWER_ROOT_VARIABLE "QN_POWER_ROOT"

enum power_kind {
    POWER_ROOT,     /* file: the folder that all is below */
    POWER_MAKE,     /* file, of mode, in folder under name; data: what a symbolic link says */
    POWER_LINK,     /* file, in folder under name */
    POWER_REMOVE,   /* folder, name */
    POWER_RENAME,   /* folder, name; to_folder, to_name */
    POWER_WRITE,    /* file; data at offset */
    POWER_TRUNCATE, /* file; offset: its size now */
    POWER_MODE,     /* file; mode */
    POWER_TIMES,    /* file; data: two timespec */
    POWER_MAPPED,   /* file: whatever may be in it from now on */
    POWER_SYNC,     /* file; offset: how far the log was when it began. A folder: its names */
    POWER_SYNC_ALL, /* the same of all files */
    POWER_DURABLE,  /* offset: where in the log the WRITE is that was written through (O_DSYNC) */
    POWER_MARK,     /* data: what the test says of this moment */
};

struct power_record {
    uint32_t kind;
    uint32_t mode;
    uint64_t file, folder, to_folder; /* inodes */
    uint64_t offset;
    uint32_t name_size, to_name_size, data_size;
    uint32_t pad;
};
