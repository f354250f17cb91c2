/* The pace of bulk on simulated lines: a queue served at a rate, then the way there and back. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/vec.h"
#include "core/pace.h"

#define PIECE (64 * 1024)

struct piece {
    uint64_t sent_ms, done_ms, size;
};

struct line {
    uint64_t rate;     /* bytes per ms */
    uint64_t way_ms;   /* there and back, without a queue */
    uint64_t others;   /* bytes per ms of other traffic */
    uint64_t standing; /* bytes of others that always wait: somebody else's full buffer */
    uint64_t disk_ms;  /* every eighth answer is later by this */
    uint64_t limit;    /* of the bucket */
    uint64_t now_ms;
    uint64_t queued; /* ours and others', in the bottleneck */
    uint64_t inflight, acked, sent;
    uint64_t queue_max; /* ms, for who comes after us */
    uint64_t last_done_ms;
    unsigned count;
    QN_VEC(struct piece) pieces;
    struct pace pace;
};

static void line_init(struct line *line, uint64_t rate, uint64_t way_ms)
{
    *line = (struct line){.rate = rate, .way_ms = way_ms, .limit = UINT64_MAX, .now_ms = 1000};
    pace_reset(&line->pace, line->now_ms);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void take_answers(struct line *line)
{
    while (line->pieces.count > 0 && line->pieces.items[0].done_ms <= line->now_ms) {
        struct piece piece = line->pieces.items[0];
        qn_vec_remove(&line->pieces, 0);
        line->inflight -= piece.size;
        line->acked += piece.size;
        pace_acked(&line->pace, line->now_ms, line->now_ms - piece.sent_ms, piece.size);
    }
}

static void send_some(struct line *line)
{
    uint64_t room;
    while ((room = pace_room(&line->pace, line->now_ms, line->inflight, line->limit)) > 0) {
        struct piece piece = {.sent_ms = line->now_ms, .size = least(room, PIECE)};
        line->queued += piece.size;
        piece.done_ms = line->now_ms + (line->queued + line->standing) / line->rate + line->way_ms;
        if (++line->count % 8 == 0)
            piece.done_ms += line->disk_ms;
        if (piece.done_ms < line->last_done_ms) /* answers come in order */
            piece.done_ms = line->last_done_ms;
        line->last_done_ms = piece.done_ms;
        line->inflight += piece.size;
        line->sent += piece.size;
        qn_vec_push(&line->pieces, piece);
        pace_sent(&line->pace, piece.size);
    }
}

/* Returns the bytes that were acknowledged meanwhile. */
static uint64_t run(struct line *line, uint64_t ms)
{
    uint64_t before = line->acked;
    line->queue_max = 0;
    for (uint64_t i = 0; i < ms; i++) {
        line->now_ms++;
        line->queued += line->others;
        line->queued -= least(line->queued, line->rate);
        take_answers(line);
        send_some(line);
        uint64_t queue_ms = line->queued / line->rate;
        line->queue_max = queue_ms > line->queue_max ? queue_ms : line->queue_max;
    }
    return line->acked - before;
}

static unsigned percent(const struct line *line, uint64_t bytes, uint64_t ms)
{
    return (unsigned)(bytes * 100 / (line->rate * ms));
}

Test(pace, a_line_of_8_mbit_is_used_and_nobody_notices)
{
    struct line line;
    line_init(&line, 1000, 60);
    unsigned first = percent(&line, run(&line, 10000), 10000);
    uint64_t first_queue = line.queue_max;
    unsigned used = percent(&line, run(&line, 1200000), 1200000);
    printf("8 Mbit/s, 60 ms: %u %% in the first 10 s, then %u %%; queue %llu and %llu ms\n", first,
           used, (unsigned long long)first_queue, (unsigned long long)line.queue_max);
    cr_assert_geq(first, 85);
    cr_assert_geq(used, 96);
    cr_assert_lt(first_queue, 100);
    cr_assert_lt(line.queue_max, 100);
    qn_vec_free(&line.pieces);
}

Test(pace, lines_of_all_kinds)
{
    static const struct {
        uint64_t rate, way_ms;
        unsigned used_min;
    } kinds[] = {{125, 40, 90},  {250, 60, 96},   {1000, 20, 96}, {1250, 200, 90},
                 {5000, 30, 96}, {12500, 60, 90}, {125000, 1, 90}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct line line;
        line_init(&line, kinds[i].rate, kinds[i].way_ms);
        run(&line, 30000);
        uint64_t first_queue = line.queue_max;
        unsigned used = percent(&line, run(&line, 300000), 300000);
        printf("%llu kB/s, %llu ms: %u %%; queue %llu and %llu ms\n",
               (unsigned long long)kinds[i].rate, (unsigned long long)kinds[i].way_ms, used,
               (unsigned long long)first_queue, (unsigned long long)line.queue_max);
        cr_expect_geq(used, kinds[i].used_min);
        cr_expect_lt(first_queue, i == 0 ? 160 : 100,
                     "opening up takes a line of 1 Mbit/s too far once");
        cr_expect_lt(line.queue_max, 100);
        qn_vec_free(&line.pieces);
    }
}

Test(pace, gives_way_and_comes_back)
{
    struct line line;
    line_init(&line, 1000, 60);
    run(&line, 20000);
    line.standing = 250000; /* somebody's full buffer: 250 ms */
    run(&line, 3000);
    cr_expect_leq(percent(&line, run(&line, 20000), 20000), 10);
    line.standing = 0;
    run(&line, 5000);
    cr_expect_geq(percent(&line, run(&line, 20000), 20000), 90);
    line.others = 500; /* half of the line: the other half is ours */
    run(&line, 5000);
    unsigned half = percent(&line, run(&line, 20000), 20000);
    cr_expect(half >= 44 && half <= 50, "%u", half);
    cr_expect_lt(line.queue_max, 100);
    qn_vec_free(&line.pieces);
}

Test(pace, a_slow_disk_is_no_queue)
{
    struct line line;
    line_init(&line, 1000, 60);
    line.disk_ms = 40;
    run(&line, 10000);
    cr_expect_geq(percent(&line, run(&line, 60000), 60000), 90);
    cr_expect_lt(line.queue_max, 100);
    qn_vec_free(&line.pieces);
}

Test(pace, the_bucket)
{
    struct line line;
    line_init(&line, 1000, 60);
    line.limit = 50000;
    uint64_t bytes = run(&line, 60000);
    cr_expect(bytes > 49000 * 60ull && bytes <= 50000 * 60ull + 16384, "%llu",
              (unsigned long long)bytes);
    line.limit = 0;
    run(&line, 1000);
    uint64_t sent = line.sent;
    run(&line, 10000);
    cr_expect_eq(line.sent, sent);
    cr_expect_eq(pace_next_ms(&line.pace, line.now_ms, 0), UINT64_MAX);
    line.limit = UINT64_MAX;
    run(&line, 1000);
    cr_expect_gt(line.sent, sent);
    qn_vec_free(&line.pieces);
}

Test(pace, who_waits_until_it_says_may_send_then)
{
    struct pace pace;
    pace_reset(&pace, 5);
    uint64_t room = pace_room(&pace, 5, 0, 10000);
    cr_assert_gt(room, 0);
    pace_sent(&pace, room);
    cr_assert_eq(pace_room(&pace, 5, 0, 10000), 0);
    uint64_t next_ms = pace_next_ms(&pace, 5, 10000);
    cr_assert(next_ms > 5 && next_ms < 1500);
    cr_assert_eq(pace_room(&pace, next_ms - 1, 0, 10000), 0);
    cr_assert_gt(pace_room(&pace, next_ms, 0, 10000), 0);
    cr_assert_eq(pace_room(&pace, next_ms, pace.window, 10000), 0, "the window is full");
    cr_assert_eq(pace_next_ms(&pace, next_ms, 10000), UINT64_MAX);
}

Test(pace, after_a_loss_it_begins_small)
{
    struct line line;
    line_init(&line, 5000, 60);
    run(&line, 20000);
    cr_assert_gt(line.pace.window, 200000);
    pace_lost(&line.pace);
    cr_assert_eq(line.pace.window, PACE_WINDOW_FIRST);
    run(&line, 5000);
    cr_assert_gt(line.pace.window, 200000);
    qn_vec_free(&line.pieces);
}
