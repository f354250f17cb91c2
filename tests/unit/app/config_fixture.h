/* A configuration in a folder of its own, and what reading it says. */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>

#include "app/config.h"
#include "os/os.h"
#include "support/span.h"
#include "support/tmp_dir.h"

struct fixture {
    struct tmp_dir dir;
    char path[TMP_PATH_SIZE];
    struct qn_buf errors;
    struct qn_config config;
};

static inline void fixture_init(struct fixture *f)
{
    tmp_dir_init(&f->dir);
    tmp_dir_at(&f->dir, "quoin.conf", f->path);
    qn_buf_init(&f->errors, 64 * 1024);
    memset(&f->config, 0x5a, sizeof(f->config));
}

static inline void fixture_deinit(struct fixture *f)
{
    qn_buf_deinit(&f->errors);
    tmp_dir_deinit(&f->dir);
}
#define FIXTURE                                                                                    \
    __attribute__((cleanup(fixture_deinit))) struct fixture f;                                     \
    fixture_init(&f)

/* Not qn_os_replace_file: thousands of files need not survive a power cut. */
static inline void put(const char *path, struct qn_span content)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file, "%s", path);
    cr_assert_eq(fwrite(content.data, 1, content.size, file), content.size);
    cr_assert_eq(fclose(file), 0);
}

static inline void write_file(struct fixture *f, const char *name, struct qn_span content)
{
    char path[TMP_PATH_SIZE];
    put(tmp_dir_at(&f->dir, name, path), content);
}

static inline void write_dropin(struct fixture *f, const char *name, const char *content)
{
    char path[TMP_PATH_SIZE];
    cr_assert_eq(qn_os_make_dir(tmp_dir_at(&f->dir, "quoin.conf.d", path), 0755), QN_OK);
    write_file(f, name, qn_span_str(content));
}

static inline enum qn_err read_span(struct fixture *f, struct qn_span content)
{
    write_file(f, "quoin.conf", content);
    qn_buf_reset(&f->errors);
    return qn_config_read(f->path, &f->config, &f->errors);
}

static inline enum qn_err read_text(struct fixture *f, const char *content)
{
    return read_span(f, qn_span_str(content));
}

/* The errors with the test's folder taken away; the caller frees them. */
static inline char *errors_of(const struct fixture *f)
{
    struct qn_buf text;
    size_t prefix = strlen(f->dir.path) + 1, size;
    struct qn_span rest = qn_buf_view(&f->errors);
    qn_buf_init(&text, rest.size + 1);
    while (rest.size > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        cr_assert_not_null(end);
        size_t line = (size_t)(end - rest.data) + 1;
        cr_assert(qn_span_has_prefix(rest, qn_span_str(f->dir.path)));
        qn_buf_append(&text, rest.data + prefix, line - prefix);
        rest = qn_span_from(rest, line);
    }
    qn_buf_append_u8(&text, 0);
    return (char *)qn_buf_take(&text, &size);
}

static inline void check_errors(const struct fixture *f, const char *wanted)
{
    char *got = errors_of(f);
    cr_assert_str_eq(got, wanted);
    qn_free(got);
}

static inline bool is_untouched(const struct fixture *f)
{
    const uint8_t *bytes = (const uint8_t *)&f->config;
    for (size_t i = 0; i < sizeof(f->config); i++)
        if (bytes[i] != 0x5a)
            return false;
    return true;
}

static inline void check_refused(const char *content, const char *wanted)
{
    FIXTURE;
    cr_assert_eq(read_text(&f, content), QN_ERR_INVALID, "%s", content);
    check_errors(&f, wanted);
    cr_assert(is_untouched(&f));
}
