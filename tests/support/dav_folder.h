/* A folder in memory, with the errors that a directory gives (files/folder.h). Completions wait for
 * dav_folder_turn. */
#pragma once

#include "files/folder.h"

struct dav_folder;
struct dav_folder *dav_folder_new(void);
void dav_folder_free(struct dav_folder *folder);
struct qn_folder *dav_folder_base(struct dav_folder *folder);
/* One completion; false: there is none. */
bool dav_folder_turn(struct dav_folder *folder);
/* `fn` as one of them. */
void dav_folder_later(struct dav_folder *folder, void (*fn)(void *context), void *context);

void dav_folder_fail(struct dav_folder *folder, enum qn_err err); /* the next change or write */
/* NULL: the file goes. A path that ends with '/' is a directory. */
void dav_folder_set(struct dav_folder *folder, const char *path, const char *content);
void dav_folder_race(struct dav_folder *folder, const char *path, const char *content);
const char *dav_folder_get(struct dav_folder *folder, const char *path); /* NULL: no file */
int64_t dav_folder_modified_ns(struct dav_folder *folder, const char *path);
size_t dav_folder_uploads(const struct dav_folder *folder);
