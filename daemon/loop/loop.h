/* The event loop: libuv with the life of its handles looked after.
 *
 * One loop, one thread (the loop thread). Only qn_mailbox_post may be called from other threads.
 * Nothing that embeds a handle is freed before libuv's close callback ran; qn_loop_free asserts
 * that every handle of ours is closed or closing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct qn_loop;
/* Ignores SIGPIPE for the process from then on. */
enum qn_err QN_CHECKED qn_loop_new(struct qn_loop **ret_loop);
/* Waits for the last close callbacks and jobs. Accepts NULL. */
void qn_loop_free(struct qn_loop *loop);
/* Runs until qn_loop_stop; returns when it was called (at once if it was called before), or when
 * nothing is left that could wake the loop. */
void qn_loop_run(struct qn_loop *loop);
void qn_loop_stop(struct qn_loop *loop);
/* One turn without waiting; for tests and for draining at shutdown. True while handles are open. */
bool qn_loop_turn(struct qn_loop *loop);
/* One turn that waits for the next event; for ending in good order. */
void qn_loop_wait(struct qn_loop *loop);
uint64_t qn_loop_now_ms(const struct qn_loop *loop); /* monotonic, cached per turn */
struct uv_loop_s *qn_loop_uv(struct qn_loop *loop);  /* for stream and net only */

/* A one-shot timer that can be re-armed. Freed through its close callback: the caller forgets the
 * pointer after qn_timer_free. */
struct qn_timer;
struct qn_timer *qn_timer_new(struct qn_loop *loop, void (*fn)(void *context), void *context);
void qn_timer_set(struct qn_timer *timer, uint64_t delay_ms); /* replaces an earlier setting */
void qn_timer_stop(struct qn_timer *timer);
void qn_timer_free(struct qn_timer *timer);

/* Wakes the loop thread from any thread; wake-ups that come close together are one call of `fn`.
 * After qn_mailbox_free no thread may post: join the posters first. */
struct qn_mailbox;
struct qn_mailbox *qn_mailbox_new(struct qn_loop *loop, void (*fn)(void *context), void *context);
void qn_mailbox_post(struct qn_mailbox *mailbox); /* any thread */
void qn_mailbox_free(struct qn_mailbox *mailbox);

/* Calls fn(context) on the loop thread for each arrival of a signal. */
struct qn_signal;
enum qn_err QN_CHECKED qn_signal_new(struct qn_loop *loop, int number, void (*fn)(void *context),
                                     void *context, struct qn_signal **ret_signal);
void qn_signal_free(struct qn_signal *signal);

/* Runs `work` on libuv's thread pool, then `done` on the loop thread. QN_ERR_LIMIT when
 * QN_LOOP_JOBS_MAX jobs are not done yet. */
enum qn_err QN_CHECKED qn_loop_job(struct qn_loop *loop, void (*work)(void *context),
                                   void (*done)(void *context), void *context);
