/* What a backup plan says, as text that people write and as rules: schedules ("daily 02:00",
 * "hourly", "every 6h", "weekly sun 03:00", "manual"), keep rules ("7d,5w,12m,2y", "last 10"),
 * exclusions (patterns as in .gitignore) and bandwidth timetables ("2Mbit mon-fri 08:00-18:00, else
 * full"). Local time comes in as an offset so that the rules stay pure.
 *
 * Parsers take English words in either case. QN_ERR_INVALID: not understood; QN_ERR_LIMIT: a number
 * out of range. Then nothing is changed. Any thread.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

/* ---- schedule ---- */
enum qn_schedule_kind {
    QN_SCHEDULE_MANUAL,
    QN_SCHEDULE_EVERY,  /* every `minutes`, counted from the last start */
    QN_SCHEDULE_HOURLY, /* at minute `minute` */
    QN_SCHEDULE_DAILY,  /* at `hour`:`minute` */
    QN_SCHEDULE_WEEKLY, /* on `weekday` (0 Monday) at `hour`:`minute` */
};
#define QN_SCHEDULE_MINUTES_MAX (366 * 24 * 60)
struct qn_schedule {
    enum qn_schedule_kind kind;
    uint32_t minutes;
    uint8_t weekday, hour, minute;
};
/* "manual"; "every 15m", "6h" or "2d"; "hourly" or "hourly :15"; "daily 2:00"; "weekly sun 03:00"
 * or "weekly sunday 03:00". */
enum qn_err QN_CHECKED qn_schedule_parse(struct qn_span text, struct qn_schedule *ret_schedule);
void qn_schedule_print(const struct qn_schedule *schedule, struct qn_buf *out);
/* When the next run is due, wall clock in ms, given the last start (0: never) and now: the first
 * time after the last start or, without one, after `created_ms` (EVERY without one: now). Never
 * below now: a run that was missed (the machine was off) is due at once. A start or creation after
 * now was written under a wrong clock and counts as now. `offset_s`: local time minus UTC.
 * UINT64_MAX: never by itself. */
uint64_t qn_schedule_next(const struct qn_schedule *schedule, uint64_t last_start_ms,
                          uint64_t created_ms, uint64_t now_ms, int32_t offset_s);

/* ---- keep rules ---- */
#define QN_KEEP_COUNT_MAX 100000
struct qn_keep {
    uint32_t last, hourly, daily, weekly, monthly, yearly; /* 0: no such rule */
};
/* Rules parted by ',', each at most once: "last 10" or "10", "24h", "7d", "5w", "12m", "2y". "all":
 * no rule. */
enum qn_err QN_CHECKED qn_keep_parse(struct qn_span text, struct qn_keep *ret_keep);
void qn_keep_print(const struct qn_keep *keep, struct qn_buf *out);
/* times_ms: of the snapshots of one plan, ascending. Sets ret_kept[i]: of each period the last
 * snapshot is kept, for as many periods that have one. Weeks begin on Monday. The newest is always
 * kept. All zero keeps everything. */
void qn_keep_choose(const struct qn_keep *keep, const uint64_t *times_ms, size_t count,
                    int32_t offset_s, bool *ret_kept);

/* ---- exclusions ---- */
struct qn_exclude; /* changed by add only: then any thread may ask */
#define QN_EXCLUDE_PATTERNS_MAX     1024
#define QN_EXCLUDE_PATTERN_SIZE_MAX 1024
struct qn_exclude *qn_exclude_new(void);
void qn_exclude_free(struct qn_exclude *exclude); /* accepts NULL */
/* One pattern, as a line of .gitignore: '*', '?', '[a-z]', "**", a '/' before its end (anchored to
 * a top path of the plan), a trailing '/' (directories only), a leading '!' (not after all), '\'
 * before what is meant literally. Later ones win. Empty lines and comments ('#') are passed over.
 * QN_ERR_INVALID: one that could never match anything, such as an open '['; QN_ERR_LIMIT. */
enum qn_err QN_CHECKED qn_exclude_add(struct qn_exclude *exclude, struct qn_span pattern);
/* `path` is relative to the top path of the plan that it is below. Asks for this path alone: what
 * is below an excluded directory is left out by whoever walks, who does not descend into it. Time
 * is bounded by size of pattern times size of path, for each pattern. */
bool qn_exclude_matches(const struct qn_exclude *exclude, struct qn_span path, bool is_dir);

/* ---- bandwidth ---- */
#define QN_TIMETABLE_ROWS_MAX 16
struct qn_timetable_row {
    uint8_t weekdays;                /* bit 0: Monday */
    uint16_t from_minute, to_minute; /* of the day; to may be below from: over midnight */
    uint64_t bytes_per_s;            /* 0: nothing is sent; UINT64_MAX: no limit */
};
struct qn_timetable {
    struct qn_timetable_row rows[QN_TIMETABLE_ROWS_MAX]; /* the first that applies counts */
    size_t count;
    uint64_t otherwise; /* bytes per second, likewise */
};
/* Rows parted by ',': a rate, then weekdays ("mon", "mon-fri", several) and hours ("08:00-18:00",
 * "22:00-06:00"), each of which may be missing; the last may be "else" and a rate, without which
 * there is no limit then. Rates: "2Mbit", "1.5 Mbit", "500KB" (per second; Kbit, Mbit, Gbit, KB,
 * MB, GB, by thousands; "/s" may follow), "off" or "0", "full". */
enum qn_err QN_CHECKED qn_timetable_parse(struct qn_span text, struct qn_timetable *ret_table);
/* What may be sent now, and until when (above now_ms) that stays so; UINT64_MAX: for ever. */
uint64_t qn_timetable_rate(const struct qn_timetable *table, uint64_t now_ms, int32_t offset_s,
                           uint64_t *ret_until_ms);
