#include "support/fake_files.h"

#include <stdlib.h>

#include "crypto/digest.h"

void fake_files_deinit(struct fake_files *files)
{
    qn_vec_each (&files->items, file)
        qn_buf_deinit(&file->bytes);
    qn_vec_free(&files->items);
}

struct fake_file *fake_files_find(struct fake_files *files, const struct qn_site_id *owner,
                                  const void *name)
{
    qn_vec_each (&files->items, file)
        if (qn_site_id_eq(&file->owner, owner) &&
            memcmp(&file->name, name, sizeof(file->name)) == 0)
            return file;
    return NULL;
}

static void drop(struct fake_files *files, struct fake_file *file)
{
    qn_buf_deinit(&file->bytes);
    qn_vec_remove(&files->items, (size_t)(file - files->items.items));
}

static bool is_right(const struct fake_file *file)
{
    struct qn_digest digest;
    QN_DIGEST(&digest, qn_buf_view(&file->bytes));
    return memcmp(&digest, &file->name, sizeof(digest)) == 0;
}

static struct fake_file *part_of(struct fake_files *files, const struct qn_file_work *work)
{
    struct fake_file *file = fake_files_find(files, &work->owner, &work->name);
    if (file != NULL && file->is_whole) { /* it is sent again: the new one replaces it */
        drop(files, file);
        file = NULL;
    }
    if (file == NULL) {
        file = qn_vec_push_slot(&files->items);
        *file = (struct fake_file){.owner = work->owner, .name = work->name};
        qn_buf_init(&file->bytes, QN_PACK_SIZE_MAX);
    }
    return file;
}

static enum qn_err append(struct fake_files *files, const struct qn_file_work *work, bool *is_whole)
{
    if (files->append_err != QN_OK)
        return files->append_err;
    struct fake_file *file = part_of(files, work);
    if (file->bytes.size != work->offset)
        return QN_ERR_STATE;
    qn_buf_append_span(&file->bytes, qn_buf_view(&work->bytes));
    files->appended += work->bytes.size;
    if (file->bytes.size < work->total)
        return QN_OK;
    if (!is_right(file)) {
        drop(files, file);
        return QN_ERR_SIGNATURE;
    }
    file->is_whole = *is_whole = true;
    return QN_OK;
}

static enum qn_err read_bytes(struct fake_file *file, const struct qn_file_work *work,
                              struct qn_file_result *result)
{
    if (file == NULL || !file->is_whole)
        return QN_ERR_NOTFOUND;
    size_t size = work->size == 0 ? file->bytes.size : work->size;
    if (work->offset > file->bytes.size || size > file->bytes.size - work->offset)
        return QN_ERR_INVALID;
    qn_buf_append(&result->bytes, file->bytes.data + work->offset, size);
    result->size = file->bytes.size;
    return QN_OK;
}

static enum qn_err scrub(struct fake_files *files, struct fake_file *file)
{
    if (file == NULL || !file->is_whole)
        return QN_ERR_NOTFOUND;
    if (is_right(file))
        return QN_OK;
    drop(files, file);
    return QN_ERR_CORRUPT;
}

static enum qn_err prove(const struct fake_file *file, const struct qn_file_work *work,
                         struct qn_file_result *result)
{
    struct qn_digest mac;
    if (file == NULL || !file->is_whole)
        return QN_ERR_NOTFOUND;
    if (!is_right(file))
        return QN_ERR_CORRUPT;
    qn_hmac(qn_buf_view(&work->bytes), qn_buf_view(&file->bytes), &mac);
    qn_buf_append_span(&result->bytes, qn_digest_view(&mac));
    return QN_OK;
}

static void drop_parts(struct fake_files *files, const struct qn_site_id *owner)
{
    for (size_t i = files->items.count; i-- > 0;) {
        struct fake_file *file = &files->items.items[i];
        if (!file->is_whole && qn_site_id_eq(&file->owner, owner))
            drop(files, file);
    }
}

static int by_name(const void *a, const void *b)
{
    return memcmp(a, b, QN_DIGEST_SIZE);
}

static void list(const struct fake_files *files, const struct qn_file_work *work,
                 struct qn_file_result *result)
{
    qn_vec_each (&files->items, file)
        if (file->is_whole && qn_site_id_eq(&file->owner, &work->owner) &&
            memcmp(&file->name, work->name.bytes, QN_DIGEST_SIZE) > 0)
            qn_buf_append(&result->bytes, &file->name, QN_DIGEST_SIZE);
    if (result->bytes.size > 0)
        qsort(result->bytes.data, result->bytes.size / QN_DIGEST_SIZE, QN_DIGEST_SIZE, by_name);
    if (result->bytes.size > work->size * QN_DIGEST_SIZE)
        qn_buf_truncate(&result->bytes, work->size * QN_DIGEST_SIZE);
}

static enum qn_err run(struct fake_files *files, const struct qn_file_work *work,
                       struct qn_file_result *result)
{
    struct fake_file *file = fake_files_find(files, &work->owner, &work->name);
    bool is_read = work->kind == QN_FILE_READ || work->kind == QN_FILE_PROOF;
    if (is_read && files->read_err != QN_OK)
        return files->read_err;
    switch (work->kind) {
    case QN_FILE_PART_SIZE:
        result->size = file == NULL || file->is_whole ? 0 : file->bytes.size;
        return QN_OK;
    case QN_FILE_APPEND:
        return append(files, work, &result->is_whole);
    case QN_FILE_READ:
        return read_bytes(file, work, result);
    case QN_FILE_REMOVE:
        if (files->remove_err == QN_OK && file != NULL)
            drop(files, file);
        return files->remove_err;
    case QN_FILE_SCRUB:
        return scrub(files, file);
    case QN_FILE_PROOF:
        return prove(file, work, result);
    case QN_FILE_SWEEP:
        if (files->are_parts_old)
            drop_parts(files, &work->owner);
        return QN_OK;
    case QN_FILE_LIST:
        list(files, work, result);
        return QN_OK;
    case QN_FILE_SNAPSHOT:
        break;
    }
    return QN_ERR_UNSUPPORTED;
}

void fake_files_run(struct fake_files *files, const struct qn_file_work *work,
                    struct qn_file_result *ret_result)
{
    *ret_result = (struct qn_file_result){.token = work->token, .free_bytes = files->free_bytes};
    qn_buf_init(&ret_result->bytes, QN_PACK_SIZE_MAX);
    files->count++;
    ret_result->err = run(files, work, ret_result);
}

size_t fake_files_parts(const struct fake_files *files)
{
    size_t count = 0;
    qn_vec_each (&files->items, file)
        count += !file->is_whole;
    return count;
}

void fake_files_crash(struct fake_files *files)
{
    qn_vec_each (&files->items, file)
        if (!file->is_whole)
            qn_buf_truncate(&file->bytes, file->bytes.size / 2);
}
