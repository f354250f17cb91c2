#include "rig.h"

#include <dirent.h>
#include <time.h>

#include "base/vec.h"

void rig_open(struct rig *rig, const char *path, const uint8_t *mark, bool has_rows)
{
    rig->folder = qn_folder_local_new(&(struct qn_folder_local_options){
        .loop = rig->loop,
        .path = path,
        .name = qn_span_str("test"),
        .mark = mark,
        .local = has_rows ? fake_local_door(rig->rows) : NULL,
    });
}

void rig_init_at(struct rig *rig, const char *path, const uint8_t *mark, bool has_rows)
{
    memset(rig, 0, sizeof(*rig));
    umask(022);
    tmp_dir_init(&rig->dir);
    rig->loop = new_loop();
    rig->rows = fake_local_new();
    qn_buf_init(&rig->text, 64 << 20);
    rig_open(rig, path == NULL ? rig->dir.path : path, mark, has_rows);
}

void rig_init(struct rig *rig)
{
    rig_init_at(rig, NULL, NULL, true);
}

void rig_deinit(struct rig *rig)
{
    qn_folder_free(rig->folder);
    free_loop(rig->loop);
    fake_local_free(rig->rows);
    qn_buf_deinit(&rig->text);
    tmp_dir_deinit(&rig->dir);
}

void rig_turn(struct rig *rig)
{
    qn_loop_turn(rig->loop);
    fake_local_turn(rig->rows);
    sched_yield();
}

void rig_wait(struct rig *rig)
{
    for (int i = 0; i < TURNS_MAX && !rig->is_done; i++)
        rig_turn(rig);
    cr_assert(rig->is_done, "never done");
    rig->is_done = false;
}

void rig_on_entry(void *context, enum qn_err err, const struct qn_entry_info *entry)
{
    struct rig *rig = context;
    rig->err = err;
    rig->is_done = true;
    cr_assert_eq(entry != NULL, err == QN_OK);
    if (entry == NULL)
        return;
    rig->entry = *entry;
    if (entry->name.size > 0)
        memcpy(rig->name, entry->name.data, entry->name.size);
    rig->name[entry->name.size] = '\0';
    rig->entry.name = qn_span_str(rig->name);
    if (entry->kept.size > 0)
        memcpy(rig->kept, entry->kept.data, entry->kept.size);
    rig->kept[entry->kept.size] = '\0';
    rig->entry.kept = qn_span_str(rig->kept);
}

void rig_on_done(void *context, enum qn_err err)
{
    struct rig *rig = context;
    rig->err = err;
    rig->is_done = true;
}

enum qn_err rig_stat(struct rig *rig, const char *path)
{
    rig->folder->ops->stat(rig->folder, qn_span_str(path), rig_on_entry, rig);
    rig_wait(rig);
    return rig->err;
}

static void on_open(void *context, enum qn_err err, struct qn_folder_file *file,
                    const struct qn_entry_info *entry)
{
    struct rig *rig = context;
    rig->file = file;
    rig_on_entry(context, err, entry);
}

static void on_read(void *context, enum qn_err err, struct qn_span bytes)
{
    struct rig *rig = context;
    qn_buf_append_span(&rig->text, bytes);
    rig_on_done(context, err);
}

enum qn_err rig_get(struct rig *rig, const char *path)
{
    rig->folder->ops->open(rig->folder, qn_span_str(path), on_open, rig);
    rig_wait(rig);
    if (rig->err != QN_OK)
        return rig->err;
    qn_buf_reset(&rig->text);
    size_t before;
    do {
        before = rig->text.size;
        rig->folder->ops->read(rig->file, before, 1 << 30, on_read, rig);
        rig_wait(rig);
    } while (rig->err == QN_OK && rig->text.size > before);
    rig->folder->ops->close(rig->file);
    return rig->err;
}

struct listing {
    struct rig *rig;
    struct qn_folder_call *call;
    QN_VEC(char *) names;
};

static char *dup_name(struct qn_span name)
{
    char *copy = qn_alloc(name.size + 1);
    memcpy(copy, name.data, name.size);
    copy[name.size] = '\0';
    return copy;
}

static void on_part(void *context, enum qn_err err, const struct qn_entry_info *entries,
                    size_t count, bool is_end)
{
    struct listing *listing = context;
    struct rig *rig = listing->rig;
    for (size_t i = 0; i < count; i++)
        qn_vec_push(&listing->names, dup_name(entries[i].name));
    rig->part_count++;
    rig->part_max = count > rig->part_max ? count : rig->part_max;
    if (is_end)
        rig_on_done(rig, err);
    else
        rig->folder->ops->more(listing->call);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum qn_err rig_list(struct rig *rig, const char *path)
{
    struct listing listing = {.rig = rig};
    rig->part_count = rig->part_max = 0;
    listing.call = rig->folder->ops->list(rig->folder, qn_span_str(path), on_part, &listing);
    rig_wait(rig);
    qn_buf_reset(&rig->text);
    if (listing.names.count > 0)
        qsort(listing.names.items, listing.names.count, sizeof(char *), by_name);
    qn_vec_each (&listing.names, name) {
        qn_buf_append_str(&rig->text, *name);
        qn_buf_append_u8(&rig->text, '\n');
        qn_free(*name);
    }
    qn_vec_free(&listing.names);
    return rig->err;
}

void rig_on_upload(void *context, enum qn_err err, struct qn_folder_upload *upload)
{
    struct rig *rig = context;
    rig->upload = upload;
    rig_on_done(context, err);
}

enum qn_err rig_begin(struct rig *rig, const char *path, uint64_t size)
{
    rig->folder->ops->upload(rig->folder, qn_span_str(path), size, rig_on_upload, rig);
    rig_wait(rig);
    return rig->err;
}

enum qn_err rig_write(struct rig *rig, struct qn_span bytes)
{
    rig->folder->ops->write(rig->upload, bytes, rig_on_done, rig);
    rig_wait(rig);
    return rig->err;
}

enum qn_err rig_commit(struct rig *rig, const struct qn_folder_expect *expect, int64_t modified_ns)
{
    return rig_commit_said(rig, expect, &(struct qn_folder_said){.modified_ns = modified_ns});
}

enum qn_err rig_commit_said(struct rig *rig, const struct qn_folder_expect *expect,
                            const struct qn_folder_said *said)
{
    rig->folder->ops->commit(rig->upload, expect, said, rig_on_entry, rig);
    rig_wait(rig);
    return rig->err;
}

enum qn_err rig_put(struct rig *rig, const char *path, const char *text)
{
    QN_TRY(rig_begin(rig, path, UINT64_MAX));
    if (rig_write(rig, qn_span_str(text)) != QN_OK) {
        enum qn_err err = rig->err;
        rig->folder->ops->abort(rig->upload);
        return err;
    }
    return rig_commit(rig, NULL, INT64_MIN);
}

enum qn_err rig_mkdir(struct rig *rig, const char *path)
{
    rig->folder->ops->make_directory(rig->folder, qn_span_str(path), rig_on_done, rig);
    rig_wait(rig);
    return rig->err;
}

static void on_failed(void *context, struct qn_span path, enum qn_err err)
{
    struct rig *rig = context;
    size_t size = strlen(rig->failed);
    snprintf(rig->failed + size, sizeof(rig->failed) - size, "%.*s:%s\n", (int)path.size,
             (const char *)path.data, qn_err_name(err));
}

enum qn_err rig_remove(struct rig *rig, const char *path, const struct qn_folder_expect *expect)
{
    rig->failed[0] = '\0';
    rig->folder->ops->remove(rig->folder, qn_span_str(path), expect, on_failed, rig_on_done, rig);
    rig_wait(rig);
    return rig->err;
}

enum qn_err rig_copy(struct rig *rig, const char *from, const char *to, bool overwrites)
{
    struct qn_folder_target target = {
        .folder = rig->folder, .path = qn_span_str(to), .overwrites = overwrites};
    return rig_copy_to(rig, from, &target);
}

enum qn_err rig_copy_to(struct rig *rig, const char *from, const struct qn_folder_target *to)
{
    rig->failed[0] = '\0';
    rig->folder->ops->copy(rig->folder, qn_span_str(from), to, on_failed, rig_on_done, rig);
    rig_wait(rig);
    return rig->err;
}

enum qn_err rig_move(struct rig *rig, const char *from, const char *to, bool overwrites)
{
    struct qn_folder_target target = {
        .folder = rig->folder, .path = qn_span_str(to), .overwrites = overwrites};
    return rig_move_to(rig, from, &target);
}

enum qn_err rig_move_to(struct rig *rig, const char *from, const struct qn_folder_target *to)
{
    rig->failed[0] = '\0';
    rig->folder->ops->move(rig->folder, qn_span_str(from), to, on_failed, rig_on_done, rig);
    rig_wait(rig);
    return rig->err;
}

enum qn_err rig_touch(struct rig *rig, const char *path, int64_t modified_ns)
{
    rig->folder->ops->set_modified(rig->folder, qn_span_str(path), modified_ns, rig_on_entry, rig);
    rig_wait(rig);
    return rig->err;
}

const char *rig_at(const struct rig *rig, const char *name, char out[TMP_PATH_SIZE])
{
    return tmp_dir_at(&rig->dir, name, out);
}

void rig_make(const struct rig *rig, const char *name, const char *text)
{
    char path[TMP_PATH_SIZE];
    FILE *file = fopen(rig_at(rig, name, path), "w");
    cr_assert_not_null(file, "%s", path);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

void rig_make_dir(const struct rig *rig, const char *name)
{
    char path[TMP_PATH_SIZE];
    cr_assert_eq(mkdir(rig_at(rig, name, path), 0755), 0, "%s", path);
}

bool rig_is(const struct rig *rig, const char *name, const char *text)
{
    char path[TMP_PATH_SIZE], content[4096];
    FILE *file = fopen(rig_at(rig, name, path), "r");
    if (file == NULL)
        return false;
    size_t size = fread(content, 1, sizeof(content), file);
    fclose(file);
    return size == strlen(text) && memcmp(content, text, size) == 0;
}

bool rig_exists(const struct rig *rig, const char *name)
{
    char path[TMP_PATH_SIZE];
    struct stat status;
    return lstat(rig_at(rig, name, path), &status) == 0;
}

size_t rig_left_over(const struct rig *rig, const char *dir)
{
    char path[TMP_PATH_SIZE];
    DIR *stream = opendir(rig_at(rig, dir, path));
    cr_assert_not_null(stream, "%s", path);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        count += strncmp(entry->d_name, ".quoin-upload-", 14) == 0;
    closedir(stream);
    return count;
}
