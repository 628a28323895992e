/* Many deadlines for little: all timers of one kind run equally long, so a list in the order of starting is a list in
 * the order of ending. Starting and stopping cost a few pointers; one event of the loop serves all. */
#ifndef NOF0_SERVER_HTTP_TIMERS_H
#define NOF0_SERVER_HTTP_TIMERS_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdint.h>

enum http_timer_kind {
    HTTP_TIMER_HEADER,
    HTTP_TIMER_IDLE,
    HTTP_TIMER_WRITE,
    HTTP_TIMER_LINGER,
    HTTP_TIMER_KINDS,
    HTTP_TIMER_OFF = HTTP_TIMER_KINDS,
};

/* Lives in its owner. Zeroed is not valid: http_timer_init. */
struct http_timer {
    struct http_timer *before;
    struct http_timer *after;
    int64_t ends_ms; /* clock_mono_ms */
    enum http_timer_kind kind;
};

/* Told of a timer that ended; it is off already. May start and stop any timer. */
typedef void http_timer_fn(void *arg, struct http_timer *timer, enum http_timer_kind kind);

struct http_timers {
    struct http_timer lists[HTTP_TIMER_KINDS]; /* heads of rings */
    int64_t lasts_ms[HTTP_TIMER_KINDS];
    struct event event;
    int64_t event_ms; /* when the event fires; INT64_MAX while it is off */
    http_timer_fn *ended;
    void *arg;
};

void http_timers_init(struct http_timers *timers, struct event_base *base, const int64_t lasts_ms[HTTP_TIMER_KINDS],
                      http_timer_fn *ended, void *arg);
void http_timers_close(struct http_timers *timers);

void http_timer_init(struct http_timer *timer);
/* (Re)starts the timer with its kind's full time; HTTP_TIMER_OFF stops it. */
void http_timer_set(struct http_timers *timers, struct http_timer *timer, enum http_timer_kind kind);

#endif
