#include "files/keep.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ENDING_SIZE_MAX 16
#define TRIES_MAX       100
#define SECOND_NS       INT64_C(1000000000)

void seen_take(struct seen *seen, const struct statx *status, const struct row *row)
{
    *seen = (struct seen){.exists = status != NULL};
    if (status == NULL)
        return;
    seen->status = *status;
    seen->has_digest = row_holds(row, status);
    if (seen->has_digest)
        memcpy(seen->digest, row->digest, sizeof(seen->digest));
}

static bool is_untouched(const struct statx *a, const struct statx *b)
{
    return a->stx_ino == b->stx_ino && a->stx_size == b->stx_size &&
           time_ns(&a->stx_mtime) == time_ns(&b->stx_mtime) &&
           time_ns(&a->stx_ctime) == time_ns(&b->stx_ctime);
}

bool seen_is_other(const struct seen *seen, const struct statx *there, const struct row *row,
                   const uint8_t digest[32])
{
    if (there->stx_size == 0 || (seen->exists && is_untouched(&seen->status, there)))
        return false;
    if (!row_holds(row, there))
        return true;
    bool is_seen = seen->has_digest && memcmp(row->digest, seen->digest, sizeof(seen->digest)) == 0;
    return !is_seen && memcmp(row->digest, digest, sizeof(row->digest)) != 0;
}

/* Of the ending with its dot; none is longer than a name has room for, and a name that begins with
 * its only dot has none. */
static size_t stem_size(const char *name)
{
    const char *dot = strrchr(name, '.');
    bool is_ending = dot != NULL && dot != name && strlen(dot) <= ENDING_SIZE_MAX;
    return is_ending ? (size_t)(dot - name) : strlen(name);
}

void keep_name(const char *name, int64_t now_ns, unsigned number, char out[NAME_MAX + 1])
{
    char mark[64], again[16] = "";
    struct tm civil = {0};
    time_t now_s = (time_t)(now_ns / SECOND_NS);
    size_t stem = stem_size(name);
    const char *ending = name + stem;
    if (localtime_r(&now_s, &civil) == NULL ||
        strftime(mark, sizeof(mark), " (conflict %Y-%m-%d %H.%M.%S", &civil) == 0)
        snprintf(mark, sizeof(mark), " (conflict");
    if (number >= 2)
        snprintf(again, sizeof(again), " %u", number);
    size_t room = NAME_MAX - strlen(mark) - strlen(again) - 1 - strlen(ending);
    if (stem > room)
        for (stem = room; stem > 0 && ((unsigned char)name[stem] & 0xc0) == 0x80;)
            stem--; /* not in the middle of a character */
    snprintf(out, NAME_MAX + 1, "%.*s%s%s)%s", (int)stem, name, mark, again, ending);
}

enum qn_err keep_beside(const struct place *place, int64_t now_ns, char ret_name[NAME_MAX + 1])
{
    for (unsigned number = 1; number <= TRIES_MAX; number++) {
        char name[NAME_MAX + 1];
        keep_name(place->name, now_ns, number, name);
        if (linkat(place->parent, place->name, place->parent, name, 0) == 0) {
            memcpy(ret_name, name, sizeof(name));
            return QN_OK;
        }
        if (errno != EEXIST)
            return errno == ENOSPC || errno == EDQUOT ? files_err(errno) : QN_ERR_CONFLICT;
    }
    return QN_ERR_CONFLICT;
}
