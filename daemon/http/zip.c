#include "http/zip.h"

#include "base/civil.h"
#include "base/mem.h"

#define PATH_SIZE_MAX 65000
#define OLD_MAX       0xffffffffu /* what does not fit below is in the extra field */
#define PIECE_SIZE    (64 * 1024)

enum { NEEDS_PLAIN = 20, NEEDS_ZIP64 = 45, FLAGS = 1 << 3 | 1 << 11 }; /* data descriptor, UTF-8 */

struct qn_zip {
    uint32_t table[8][256];
    struct qn_buf directory; /* as it will be sent */
    size_t directory_at;     /* so much of it was given */
    uint64_t count, at;      /* entries; bytes sent so far */
    bool is_ended;
    /* the entry that is open */
    uint64_t entry_at, size, left;
    uint32_t crc;
    uint16_t time, date;
    int64_t modified_s;
    bool is_directory;
    struct qn_buf path;
};

/* ---- the checksum: eight bytes a step (Kounavis and Berry, 2005) ---- */

static void fill_tables(uint32_t table[8][256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        table[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int step = 1; step < 8; step++)
            table[step][i] = table[step - 1][i] >> 8 ^ table[0][table[step - 1][i] & 0xff];
}

static uint32_t add_crc(const uint32_t table[8][256], uint32_t crc, struct qn_span bytes)
{
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    crc = ~crc;
    for (; left >= 8; left -= 8, at += 8) {
        crc ^=
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        crc = table[7][crc & 0xff] ^ table[6][crc >> 8 & 0xff] ^ table[5][crc >> 16 & 0xff] ^
              table[4][crc >> 24] ^ table[3][at[4]] ^ table[2][at[5]] ^ table[1][at[6]] ^
              table[0][at[7]];
    }
    for (; left > 0; left--)
        crc = crc >> 8 ^ table[0][(crc ^ *at++) & 0xff];
    return ~crc;
}

uint32_t qn_crc32(uint32_t crc, struct qn_span bytes)
{
    uint32_t table[8][256];
    fill_tables(table);
    return add_crc(table, crc, bytes);
}

/* ---- numbers with the low byte first ---- */

static void put(struct qn_buf *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        qn_buf_append_u8(out, (uint8_t)(value >> 8 * i));
}

static uint32_t old(uint64_t value)
{
    return value < OLD_MAX ? (uint32_t)value : OLD_MAX;
}

struct qn_zip *qn_zip_new(void)
{
    struct qn_zip *zip = QN_NEW(struct qn_zip);
    fill_tables(zip->table);
    qn_buf_init(&zip->directory, QN_ZIP_DIRECTORY_SIZE_MAX + 256);
    qn_buf_init(&zip->path, PATH_SIZE_MAX + 1);
    return zip;
}

void qn_zip_free(struct qn_zip *zip)
{
    if (zip == NULL)
        return;
    qn_buf_deinit(&zip->directory);
    qn_buf_deinit(&zip->path);
    qn_free(zip);
}

/* Years from 1980 to 2107, two seconds exact; the exact time is in an extra field. */
static void set_time(struct qn_zip *zip, int64_t modified_s)
{
    struct qn_civil civil = qn_civil_of(modified_s);
    bool is_early = civil.year<1980, is_late = civil.year> 2107;
    if (is_early)
        civil = (struct qn_civil){.year = 1980, .month = 1, .day = 1};
    else if (is_late)
        civil = (struct qn_civil){.year = 2107, .month = 12, .day = 31};
    zip->modified_s = modified_s;
    zip->date = (uint16_t)((civil.year - 1980) << 9 | civil.month << 5 | civil.day);
    zip->time = (uint16_t)(civil.hour << 11 | civil.minute << 5 | civil.second / 2);
}

static bool is_large(const struct qn_zip *zip)
{
    return zip->size >= OLD_MAX;
}

/* "UT": the time of the last change in UTC, where it fits into 32 bits. */
static void put_exact_time(const struct qn_zip *zip, struct qn_buf *out)
{
    if (zip->modified_s < INT32_MIN || zip->modified_s > INT32_MAX)
        return;
    put(out, 0x5455, 2);
    put(out, 5, 2);
    put(out, 1, 1);
    put(out, (uint32_t)(int32_t)zip->modified_s, 4);
}

static size_t exact_time_size(const struct qn_zip *zip)
{
    return zip->modified_s < INT32_MIN || zip->modified_s > INT32_MAX ? 0 : 9;
}

/* What a local header and an entry of the directory have in common. Checksum and sizes of the
 * former are behind the content. */
static void put_common(const struct qn_zip *zip, bool is_local, size_t extra, struct qn_buf *out)
{
    put(out, is_large(zip) ? NEEDS_ZIP64 : NEEDS_PLAIN, 2);
    put(out, FLAGS, 2);
    put(out, 0, 2); /* stored */
    put(out, zip->time, 2);
    put(out, zip->date, 2);
    put(out, is_local ? 0 : zip->crc, 4);
    uint32_t size = is_large(zip) ? OLD_MAX : is_local ? 0 : (uint32_t)zip->size;
    put(out, size, 4);
    put(out, size, 4);
    put(out, zip->path.size, 2);
    put(out, extra, 2);
}

static void put_local(struct qn_zip *zip, struct qn_buf *out)
{
    size_t before = out->size;
    put(out, 0x04034b50, 4);
    put_common(zip, true, exact_time_size(zip) + (is_large(zip) ? 20u : 0u), out);
    qn_buf_append_span(out, qn_buf_view(&zip->path));
    if (is_large(zip)) { /* so that a reader of the stream knows how long the descriptor is */
        put(out, 1, 2);
        put(out, 16, 2);
        put(out, 0, 8);
        put(out, 0, 8);
    }
    put_exact_time(zip, out);
    zip->at += out->size - before;
}

enum qn_err qn_zip_entry(struct qn_zip *zip, const struct qn_zip_entry *entry, struct qn_buf *out)
{
    if (entry->path.size == 0 || entry->path.size >= PATH_SIZE_MAX ||
        zip->directory.size + entry->path.size + 128 > QN_ZIP_DIRECTORY_SIZE_MAX)
        return QN_ERR_LIMIT;
    qn_buf_reset(&zip->path);
    qn_buf_append_span(&zip->path, entry->path);
    if (entry->is_directory)
        qn_buf_append_u8(&zip->path, '/');
    set_time(zip, entry->modified_s);
    zip->is_directory = entry->is_directory;
    zip->size = zip->left = entry->is_directory ? 0 : entry->size;
    zip->crc = 0;
    zip->entry_at = zip->at;
    put_local(zip, out);
    return QN_OK;
}

void qn_zip_content(struct qn_zip *zip, struct qn_span bytes)
{
    zip->crc = add_crc(zip->table, zip->crc, bytes);
    zip->left -= bytes.size; /* beyond its end it wraps round, which the end sees */
    zip->at += bytes.size;
}

static void put_descriptor(struct qn_zip *zip, struct qn_buf *out)
{
    size_t before = out->size, width = is_large(zip) ? 8 : 4;
    put(out, 0x08074b50, 4);
    put(out, zip->crc, 4);
    put(out, zip->size, width);
    put(out, zip->size, width);
    zip->at += out->size - before;
}

/* Unix modes in the upper half, as made by version 4.5 on Unix: 0644, and 0755 of directories. */
static void put_directory_entry(struct qn_zip *zip)
{
    struct qn_buf *out = &zip->directory;
    bool is_far = zip->entry_at >= OLD_MAX;
    size_t wide = (is_large(zip) ? 16u : 0u) + (is_far ? 8u : 0u);
    put(out, 0x02014b50, 4);
    put(out, 3 << 8 | NEEDS_ZIP64, 2);
    put_common(zip, false, exact_time_size(zip) + (wide > 0 ? wide + 4 : 0u), out);
    put(out, 0, 2); /* no comment */
    put(out, 0, 2); /* one disk */
    put(out, 0, 2);
    put(out, zip->is_directory ? (uint32_t)040755 << 16 | 0x10 : (uint32_t)0100644 << 16, 4);
    put(out, old(zip->entry_at), 4);
    qn_buf_append_span(out, qn_buf_view(&zip->path));
    if (wide > 0) {
        put(out, 1, 2);
        put(out, wide, 2);
    }
    if (is_large(zip)) {
        put(out, zip->size, 8);
        put(out, zip->size, 8);
    }
    if (is_far)
        put(out, zip->entry_at, 8);
    put_exact_time(zip, out);
}

enum qn_err qn_zip_entry_end(struct qn_zip *zip, struct qn_buf *out)
{
    if (zip->left != 0)
        return QN_ERR_STATE;
    put_descriptor(zip, out);
    put_directory_entry(zip);
    zip->count++;
    return qn_buf_status(&zip->directory);
}

static void put_end64(const struct qn_zip *zip, struct qn_buf *out)
{
    put(out, 0x06064b50, 4);
    put(out, 44, 8);
    put(out, 3 << 8 | NEEDS_ZIP64, 2);
    put(out, NEEDS_ZIP64, 2);
    put(out, 0, 4);
    put(out, 0, 4);
    put(out, zip->count, 8);
    put(out, zip->count, 8);
    put(out, zip->directory.size, 8);
    put(out, zip->at, 8);
    put(out, 0x07064b50, 4);
    put(out, 0, 4);
    put(out, zip->at + zip->directory.size, 8);
    put(out, 1, 4);
}

static void put_end(const struct qn_zip *zip, struct qn_buf *out)
{
    uint64_t shown = zip->count < 0xffff ? zip->count : 0xffff;
    if (shown == 0xffff || zip->at >= OLD_MAX || zip->directory.size >= OLD_MAX)
        put_end64(zip, out);
    put(out, 0x06054b50, 4);
    put(out, 0, 2);
    put(out, 0, 2);
    put(out, shown, 2);
    put(out, shown, 2);
    put(out, old(zip->directory.size), 4);
    put(out, old(zip->at), 4);
    put(out, 0, 2);
}

bool qn_zip_end(struct qn_zip *zip, struct qn_buf *out)
{
    struct qn_span rest = qn_span_from(qn_buf_view(&zip->directory), zip->directory_at);
    if (zip->is_ended)
        return false;
    if (rest.size > PIECE_SIZE)
        rest.size = PIECE_SIZE;
    qn_buf_append_span(out, rest);
    zip->directory_at += rest.size;
    if (zip->directory_at == zip->directory.size) {
        put_end(zip, out);
        zip->is_ended = true;
    }
    return true;
}
