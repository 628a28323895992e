#include "server/http_timers.h"

#include "base/clock.h"

static void schedule(struct http_timers *timers, int64_t at_ms)
{
    if (at_ms >= timers->event_ms)
        return;
    int64_t wait_ms = at_ms - clock_mono_ms();
    if (wait_ms < 0)
        wait_ms = 0;
    /* A millisecond more, since the clock's value was cut: firing early would only mean to wait again. */
    struct timeval wait = {wait_ms / 1000, (wait_ms % 1000) * 1000 + 999};
    event_add(&timers->event, &wait);
    timers->event_ms = at_ms;
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct http_timers *timers = arg;
    int64_t now = clock_mono_ms();
    timers->event_ms = INT64_MAX;
    for (int kind = 0; kind < HTTP_TIMER_KINDS; kind++) {
        struct http_timer *list = &timers->lists[kind];
        while (list->after != list && list->after->ends_ms <= now) {
            struct http_timer *timer = list->after;
            http_timer_set(timers, timer, HTTP_TIMER_OFF);
            timers->ended(timers->arg, timer, (enum http_timer_kind)kind);
        }
        if (list->after != list)
            schedule(timers, list->after->ends_ms);
    }
}

void http_timers_init(struct http_timers *timers, struct event_base *base, const int64_t lasts_ms[HTTP_TIMER_KINDS],
                      http_timer_fn *ended, void *arg)
{
    for (int kind = 0; kind < HTTP_TIMER_KINDS; kind++) {
        timers->lists[kind].before = timers->lists[kind].after = &timers->lists[kind];
        timers->lasts_ms[kind] = lasts_ms[kind];
    }
    timers->event_ms = INT64_MAX;
    timers->ended = ended;
    timers->arg = arg;
    (void)event_assign(&timers->event, base, -1, 0, on_time, timers);
}

void http_timers_close(struct http_timers *timers)
{
    event_del(&timers->event);
}

void http_timer_init(struct http_timer *timer)
{
    timer->before = timer->after = timer;
    timer->kind = HTTP_TIMER_OFF;
}

void http_timer_set(struct http_timers *timers, struct http_timer *timer, enum http_timer_kind kind)
{
    timer->before->after = timer->after;
    timer->after->before = timer->before;
    timer->kind = kind;
    if (kind == HTTP_TIMER_OFF) {
        timer->before = timer->after = timer;
        return;
    }
    timer->ends_ms = clock_mono_ms() + timers->lasts_ms[kind];
    struct http_timer *list = &timers->lists[kind];
    timer->before = list->before;
    timer->after = list;
    list->before->after = timer;
    list->before = timer;
    schedule(timers, timer->ends_ms);
}
