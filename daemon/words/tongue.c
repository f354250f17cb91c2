#include "words/tongue.h"

#include <string.h>

#include "words/tongue_private.h"

static const char *say_english(const char *text)
{
    return text;
}

static const char *say_many_english(const char *one, const char *many, unsigned long count)
{
    return count == 1 ? one : many;
}

/* A few hundred rows, some words a request: no index. */
static const char *say_french(const char *text)
{
    for (size_t i = 0; i < french_row_count; i++)
        if (strcmp(french_rows[i].text, text) == 0)
            return french_rows[i].french;
    return text;
}

/* Zero is one in French (Plural-Forms of fr.po). */
static const char *say_many_french(const char *one, const char *many, unsigned long count)
{
    return say_french(count > 1 ? many : one);
}

const struct qn_tongue qn_tongue_english = {say_english, say_many_english};
const struct qn_tongue qn_tongue_french = {say_french, say_many_french};

static const struct unit {
    const char *one, *many;
    unsigned long s, s_max; /* how long one is; told in it if less than that */
} units[] = {
    {N2_("%lu second ago", "%lu seconds ago"), 1, 120},
    {N2_("%lu minute ago", "%lu minutes ago"), 60, 120 * 60},
    {N2_("%lu hour ago", "%lu hours ago"), 3600, 48 * 3600},
    {N2_("%lu day ago", "%lu days ago"), 86400, (unsigned long)-1},
};

/* `text` has one "%lu". */
static void append_count(struct qn_buf *out, const char *text, unsigned long count)
{
    const char *place = strstr(text, "%lu");
    if (place == NULL) {
        qn_buf_append_str(out, text);
        return;
    }
    qn_buf_append(out, text, (size_t)(place - text));
    qn_buf_printf(out, "%lu%s", count, place + strlen("%lu"));
}

void qn_tongue_append_ago(struct qn_buf *out, const struct qn_tongue *tongue, uint64_t now_ms,
                          uint64_t time_ms)
{
    unsigned long s = now_ms > time_ms ? (unsigned long)((now_ms - time_ms) / 1000) : 0;
    const struct unit *unit = units;
    while (s >= unit->s_max && unit < &units[sizeof(units) / sizeof(units[0]) - 1])
        unit++;
    unsigned long count = s / unit->s;
    append_count(out, tongue->say_many(unit->one, unit->many, count), count);
}
