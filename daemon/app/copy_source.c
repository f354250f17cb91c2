/* Packs of a holder for the engine of the vault. Large reads go out in pieces, side by side. Small
 * ones (heads, directories, chunks of the list) go through windows: a first read gets a little more
 * than it asked for, one that goes on where another ended gets twice as much as that one, so that a
 * single file costs little and a whole list few round trips. */
#include <pthread.h>
#include <string.h>

#include "app/copies.h"
#include "base/text.h"
#include "core/args.h"
#include "proto/pack.h"

#define PIECE_SIZE   ((size_t)256 * 1024) /* of one request: BULK_READ_MAX of the core */
#define PIECES_MAX   16                   /* of one read, side by side */
#define SMALL_SIZE   ((size_t)64 * 1024)  /* reads below this go through windows */
#define WINDOW_FIRST ((size_t)16 * 1024)
#define WINDOW_MAX   ((size_t)1024 * 1024)
#define TAIL_SIZE    ((size_t)2 * 1024) /* trailer and directory of a pack of 45 chunks */
#define WINDOWS_MAX  64
#define AVOIDED_MAX  16
#define SERVED_MAX   64
#define CACHE_SIZE   ((size_t)8 * 1024 * 1024)

struct window {
    struct qn_pack_name name;
    size_t offset, size; /* size 0: none */
    size_t total;        /* of the pack; 0: not known yet */
    uint8_t *bytes;      /* NULL: it is being fetched */
    uint64_t used;
};

struct served { /* who gave bytes of a pack; and those whose bytes were wrong */
    struct qn_pack_name name;
    char site[QN_NAME_SIZE_MAX + 1];
    bool is_avoided;
};

struct qn_copy_source {
    struct qn_copies *copies;
    char *site; /* NULL: any */
    const atomic_bool *is_cancelled;
    atomic_bool is_stopped; /* is_cancelled, if nobody gave one */
    pthread_mutex_t mutex;  /* of what follows */
    pthread_cond_t is_changed;
    struct window windows[WINDOWS_MAX];
    uint64_t uses;
    struct served served[SERVED_MAX]; /* a ring */
    size_t next_served;
    struct qn_copy_traffic traffic;
};

struct qn_copy_source *qn_copy_source_new(struct qn_copies *copies, const char *site,
                                          const atomic_bool *is_cancelled)
{
    struct qn_copy_source *source = QN_NEW(struct qn_copy_source);
    source->copies = copies;
    source->site = site == NULL ? NULL : qn_strdup(site);
    source->is_cancelled = is_cancelled == NULL ? &source->is_stopped : is_cancelled;
    pthread_mutex_init(&source->mutex, NULL);
    pthread_cond_init(&source->is_changed, NULL);
    return source;
}

void qn_copy_source_free(struct qn_copy_source *source)
{
    if (source == NULL)
        return;
    for (size_t i = 0; i < WINDOWS_MAX; i++)
        qn_free(source->windows[i].bytes);
    pthread_cond_destroy(&source->is_changed);
    pthread_mutex_destroy(&source->mutex);
    qn_free(source->site);
    qn_free(source);
}

void qn_copy_source_stop(struct qn_copy_source *source, bool is_stopped)
{
    atomic_store(&source->is_stopped, is_stopped);
}

void qn_copy_source_traffic(struct qn_copy_source *source, struct qn_copy_traffic *ret_traffic)
{
    pthread_mutex_lock(&source->mutex);
    *ret_traffic = source->traffic;
    pthread_mutex_unlock(&source->mutex);
}

/* ---- one range, in pieces ---- */

static bool is_served(const struct served *served, const struct qn_pack_name *name)
{
    return served->site[0] != '\0' && memcmp(&served->name, name, sizeof(*name)) == 0;
}

/* The key and value of `not`. */
static void pack_avoided(struct qn_copy_source *source, const struct qn_pack_name *name,
                         struct qn_buf *out)
{
    const char *sites[AVOIDED_MAX];
    size_t found = 0;
    pthread_mutex_lock(&source->mutex);
    for (size_t i = 0; i < SERVED_MAX && found < AVOIDED_MAX; i++)
        if (source->served[i].is_avoided && is_served(&source->served[i], name))
            sites[found++] = source->served[i].site;
    qn_pack_cstr(out, "not");
    qn_pack_array(out, found);
    for (size_t i = 0; i < found; i++)
        qn_pack_cstr(out, sites[i]);
    pthread_mutex_unlock(&source->mutex);
}

static void note_served(struct qn_copy_source *source, const struct qn_pack_name *name,
                        struct qn_span site)
{
    struct served served = {.name = *name};
    if (site.size == 0 || site.size > QN_NAME_SIZE_MAX)
        return;
    memcpy(served.site, site.data, site.size);
    pthread_mutex_lock(&source->mutex);
    bool is_known = false;
    for (size_t i = 0; i < SERVED_MAX; i++)
        is_known |=
            is_served(&source->served[i], name) && strcmp(source->served[i].site, served.site) == 0;
    if (!is_known) {
        source->served[source->next_served] = served;
        source->next_served = (source->next_served + 1) % SERVED_MAX;
    }
    pthread_mutex_unlock(&source->mutex);
}

static void begin_piece(struct qn_copy_source *source, const struct qn_pack_name *name,
                        size_t offset, size_t size, struct qn_copies_ask *ask)
{
    *ask = (struct qn_copies_ask){.command = "vault.fetch"};
    qn_buf_init(&ask->args, 512 + AVOIDED_MAX * (QN_NAME_SIZE_MAX + 8));
    qn_pack_map(&ask->args, 5);
    qn_pack_cstr(&ask->args, "name");
    qn_pack_bin(&ask->args, QN_SPAN_OF(name->bytes));
    pack_avoided(source, name, &ask->args);
    qn_pack_cstr(&ask->args, "offset");
    qn_pack_u64(&ask->args, offset);
    qn_pack_cstr(&ask->args, "site");
    if (source->site == NULL)
        qn_pack_nil(&ask->args);
    else
        qn_pack_cstr(&ask->args, source->site);
    qn_pack_cstr(&ask->args, "size");
    qn_pack_u64(&ask->args, size);
    qn_copies_begin(source->copies, ask);
}

/* *ret_got: less than asked for where the pack ends. */
static enum qn_err take_piece(struct qn_copy_source *source, const struct qn_pack_name *name,
                              struct qn_copies_ask *ask, size_t size, uint8_t *out, size_t *ret_got,
                              size_t *ret_total)
{
    struct qn_span bytes, site;
    uint64_t total;
    enum qn_err err = qn_copies_wait(source->copies, ask, source->is_cancelled);
    struct qn_span data = qn_buf_view(&ask->data);
    struct qn_cursor cursor = qn_cursor(args_value(data, "bytes"));
    if (err == QN_OK && (qn_cursor_bin(&cursor, size, &bytes) != QN_OK ||
                         !args_u64(data, "size", &total) || total > QN_PACK_SIZE_MAX))
        err = QN_ERR_CORRUPT;
    if (err == QN_OK) {
        if (bytes.size > 0)
            memcpy(out, bytes.data, bytes.size);
        *ret_got = bytes.size;
        *ret_total = (size_t)total;
        if (source->site == NULL && args_text(data, "site", QN_NAME_SIZE_MAX, &site))
            note_served(source, name, site);
    }
    qn_buf_deinit(&ask->data);
    return err;
}

static void count(struct qn_copy_source *source, size_t requests, size_t bytes)
{
    pthread_mutex_lock(&source->mutex);
    source->traffic.requests += requests;
    source->traffic.bytes += bytes;
    source->traffic.waits++;
    pthread_mutex_unlock(&source->mutex);
}

/* At most PIECES_MAX pieces. All of them are waited for, whatever becomes of the first. */
static enum qn_err fetch_group(struct qn_copy_source *source, const struct qn_pack_name *name,
                               size_t offset, size_t size, uint8_t *out, size_t *ret_got,
                               size_t *ret_total)
{
    struct qn_copies_ask asks[PIECES_MAX];
    size_t pieces = 0, all = 0;
    enum qn_err err = QN_OK;
    for (size_t at = 0; at < size; at += PIECE_SIZE, pieces++) {
        size_t piece = size - at < PIECE_SIZE ? size - at : PIECE_SIZE;
        begin_piece(source, name, offset + at, piece, &asks[pieces]);
    }
    for (size_t i = 0; i < pieces; i++) {
        size_t at = i * PIECE_SIZE, piece = size - at < PIECE_SIZE ? size - at : PIECE_SIZE;
        size_t got = 0;
        enum qn_err one = take_piece(source, name, &asks[i], piece, out + at, &got, ret_total);
        if (one == QN_OK && all != at && got > 0)
            one = QN_ERR_CORRUPT; /* a hole before it */
        all += one == QN_OK ? got : 0;
        err = err == QN_OK ? one : err;
    }
    count(source, pieces, all);
    *ret_got = all;
    return err;
}

static enum qn_err fetch_exactly(struct qn_copy_source *source, const struct qn_pack_name *name,
                                 size_t offset, size_t size, uint8_t *out)
{
    const size_t group = PIECES_MAX * PIECE_SIZE;
    for (size_t at = 0; at < size; at += group) {
        size_t part = size - at < group ? size - at : group, got, total;
        QN_TRY(fetch_group(source, name, offset + at, part, out + at, &got, &total));
        if (got != part)
            return QN_ERR_CORRUPT;
    }
    return QN_OK;
}

/* ---- windows, with the mutex ---- */

static bool is_of(const struct window *window, const struct qn_pack_name *name)
{
    return window->size > 0 && memcmp(&window->name, name, sizeof(*name)) == 0;
}

static struct window *find_window(struct qn_copy_source *source, const struct qn_pack_name *name,
                                  size_t offset, size_t size)
{
    for (size_t i = 0; i < WINDOWS_MAX; i++) {
        struct window *window = &source->windows[i];
        if (is_of(window, name) && offset >= window->offset &&
            offset + size <= window->offset + window->size)
            return window;
    }
    return NULL;
}

static size_t total_of(const struct qn_copy_source *source, const struct qn_pack_name *name)
{
    for (size_t i = 0; i < WINDOWS_MAX; i++)
        if (is_of(&source->windows[i], name) && source->windows[i].total > 0)
            return source->windows[i].total;
    return 0;
}

/* The size of the largest window that ends about there; 0: none. */
static size_t size_before(const struct qn_copy_source *source, const struct qn_pack_name *name,
                          size_t offset)
{
    size_t size = 0;
    for (size_t i = 0; i < WINDOWS_MAX; i++) {
        const struct window *window = &source->windows[i];
        size_t end = window->offset + window->size;
        if (is_of(window, name) && end > QN_PACK_HEAD_SIZE && offset + SMALL_SIZE >= end &&
            offset <= end + SMALL_SIZE && window->size > size)
            size = window->size;
    }
    return size;
}

/* What is fetched for a small read. */
static void choose(const struct qn_copy_source *source, const struct qn_pack_name *name,
                   size_t *offset, size_t *size)
{
    size_t total = total_of(source, name), end = *offset + *size;
    if (*offset == 0 && *size <= QN_PACK_HEAD_SIZE)
        return;
    if (total > 0 && end == total && *size < TAIL_SIZE) {
        *offset = total > TAIL_SIZE ? total - TAIL_SIZE : 0;
        *size = total - *offset;
        return;
    }
    size_t wanted = 2 * size_before(source, name, *offset);
    wanted = wanted < WINDOW_FIRST ? WINDOW_FIRST : wanted > WINDOW_MAX ? WINDOW_MAX : wanted;
    wanted = wanted < *size ? *size : wanted;
    if (total > 0 && *offset < total && wanted > total - *offset)
        wanted = total - *offset;
    *size = wanted < *size ? *size : wanted;
}

static size_t cached_size(const struct qn_copy_source *source)
{
    size_t size = 0;
    for (size_t i = 0; i < WINDOWS_MAX; i++)
        size += source->windows[i].size;
    return size;
}

/* The one that was used longest ago and is not being fetched; NULL: there is none. */
static struct window *oldest(struct qn_copy_source *source)
{
    struct window *found = NULL;
    for (size_t i = 0; i < WINDOWS_MAX; i++) {
        struct window *window = &source->windows[i];
        if (window->size > 0 && window->bytes != NULL &&
            (found == NULL || window->used < found->used))
            found = window;
    }
    return found;
}

static void drop(struct window *window)
{
    qn_free(window->bytes);
    *window = (struct window){0};
}

static struct window *free_window(struct qn_copy_source *source, size_t size)
{
    struct window *window;
    while (cached_size(source) + size > CACHE_SIZE && (window = oldest(source)) != NULL)
        drop(window);
    for (size_t i = 0; i < WINDOWS_MAX; i++)
        if (source->windows[i].size == 0)
            return &source->windows[i];
    window = oldest(source);
    if (window != NULL)
        drop(window);
    return window;
}

/* Fetches into `window`, which others see meanwhile and wait for. Lets go of the mutex. */
static enum qn_err fill(struct qn_copy_source *source, struct window *window)
{
    struct qn_pack_name name = window->name;
    size_t offset = window->offset, size = window->size, got = 0, total = 0;
    pthread_mutex_unlock(&source->mutex);
    uint8_t *bytes = qn_alloc(size);
    enum qn_err err = fetch_group(source, &name, offset, size, bytes, &got, &total);
    pthread_mutex_lock(&source->mutex);
    window->bytes = bytes;
    window->size = got;
    window->total = total;
    if (err != QN_OK || got == 0)
        drop(window);
    pthread_cond_broadcast(&source->is_changed);
    return err;
}

/* Makes the window that a small read needs; with an error there is none. */
static enum qn_err make_window(struct qn_copy_source *source, const struct qn_pack_name *name,
                               size_t offset, size_t size, bool *ret_was_fetched)
{
    choose(source, name, &offset, &size);
    struct window *window = free_window(source, size);
    if (window == NULL) { /* all are being fetched */
        pthread_cond_wait(&source->is_changed, &source->mutex);
        return QN_OK;
    }
    *window =
        (struct window){.name = *name, .offset = offset, .size = size, .used = ++source->uses};
    *ret_was_fetched = true;
    return fill(source, window);
}

/* *ret_window holds the range. `out` may be NULL: only the window is wanted. */
static enum qn_err read_window(struct qn_copy_source *source, const struct qn_pack_name *name,
                               size_t offset, size_t size, uint8_t *out, size_t *ret_total)
{
    bool was_fetched = false;
    for (;;) {
        struct window *window = find_window(source, name, offset, size);
        if (window == NULL && was_fetched)
            return QN_ERR_CORRUPT; /* the pack ends before */
        if (window == NULL) {
            QN_TRY(make_window(source, name, offset, size, &was_fetched));
        } else if (window->bytes == NULL) {
            pthread_cond_wait(&source->is_changed, &source->mutex);
        } else {
            window->used = ++source->uses;
            if (out != NULL)
                memcpy(out, window->bytes + (offset - window->offset), size);
            *ret_total = window->total;
            return QN_OK;
        }
    }
}

/* ---- what the engine asks ---- */

static enum qn_err read_pack(void *context, const struct qn_pack_name *name, size_t offset,
                             size_t size, uint8_t *out)
{
    struct qn_copy_source *source = context;
    size_t total;
    if (size == 0)
        return QN_OK;
    if (offset > QN_PACK_SIZE_MAX || size > QN_PACK_SIZE_MAX - offset)
        return QN_ERR_CORRUPT;
    if (size >= SMALL_SIZE)
        return fetch_exactly(source, name, offset, size, out);
    pthread_mutex_lock(&source->mutex);
    enum qn_err err = read_window(source, name, offset, size, out, &total);
    pthread_mutex_unlock(&source->mutex);
    return err;
}

/* ---- several ranges at once ---- */

struct piece {
    struct qn_pack_read *read;
    size_t at, size; /* of the read */
    struct qn_copies_ask ask;
};

/* Those of one round; all of them are waited for. */
static void end_pieces(struct qn_copy_source *source, struct piece *pieces, size_t count_of)
{
    size_t all = 0;
    for (size_t i = 0; i < count_of; i++) {
        struct piece *piece = &pieces[i];
        size_t got = 0, total = 0;
        enum qn_err err = take_piece(source, piece->read->name, &piece->ask, piece->size,
                                     piece->read->out + piece->at, &got, &total);
        if (err == QN_OK && got != piece->size)
            err = QN_ERR_CORRUPT;
        if (piece->read->err == QN_OK)
            piece->read->err = err;
        all += got;
    }
    if (count_of > 0)
        count(source, count_of, all);
}

static void read_packs(void *context, struct qn_pack_read *reads, size_t read_count)
{
    struct qn_copy_source *source = context;
    struct piece pieces[PIECES_MAX];
    size_t open = 0;
    for (size_t i = 0; i < read_count; i++) {
        struct qn_pack_read *read = &reads[i];
        bool is_possible =
            read->offset <= QN_PACK_SIZE_MAX && read->size <= QN_PACK_SIZE_MAX - read->offset;
        read->err = is_possible ? QN_OK : QN_ERR_CORRUPT;
        for (size_t at = 0; is_possible && at < read->size; at += PIECE_SIZE) {
            size_t size = read->size - at < PIECE_SIZE ? read->size - at : PIECE_SIZE;
            if (open == PIECES_MAX) {
                end_pieces(source, pieces, open);
                open = 0;
            }
            pieces[open] = (struct piece){.read = read, .at = at, .size = size};
            begin_piece(source, read->name, read->offset + at, size, &pieces[open++].ask);
        }
    }
    end_pieces(source, pieces, open);
}

static enum qn_err size_of_pack(void *context, const struct qn_pack_name *name, size_t *ret_size)
{
    struct qn_copy_source *source = context;
    pthread_mutex_lock(&source->mutex);
    enum qn_err err = read_window(source, name, 0, QN_PACK_HEAD_SIZE, NULL, ret_size);
    pthread_mutex_unlock(&source->mutex);
    return err;
}

static bool ask_another(void *context, const struct qn_pack_name *name)
{
    struct qn_copy_source *source = context;
    bool is_news = false;
    pthread_mutex_lock(&source->mutex);
    for (size_t i = 0; i < SERVED_MAX; i++) {
        struct served *served = &source->served[i];
        is_news |= is_served(served, name) && !served->is_avoided;
        served->is_avoided |= is_served(served, name);
    }
    for (size_t i = 0; i < WINDOWS_MAX; i++)
        if (is_of(&source->windows[i], name) && source->windows[i].bytes != NULL)
            drop(&source->windows[i]);
    pthread_mutex_unlock(&source->mutex);
    return is_news;
}

static void on_mended(void *context, const struct qn_pack_name *name, enum qn_err err)
{
    struct qn_copy_source *source = context;
    QN_AUTO_BUF struct qn_buf hex;
    qn_buf_init(&hex, 2 * sizeof(name->bytes) + 1);
    qn_text_append_hex(&hex, QN_SPAN_OF(name->bytes));
    qn_buf_append_u8(&hex, 0);
    qn_copies_note(source->copies, err == QN_OK ? "pack-repaired" : "pack-lost", err,
                   (const char *)hex.data);
}

struct qn_pack_source qn_copy_source_view(struct qn_copy_source *source)
{
    return (struct qn_pack_source){.read = read_pack,
                                   .read_all = read_packs,
                                   .size = size_of_pack,
                                   .another = source->site == NULL ? ask_another : NULL,
                                   .mended = source->site == NULL ? on_mended : NULL,
                                   .context = source};
}
