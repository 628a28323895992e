#include "server/fallback.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "server/answer_name.h"
#include "server/endpoints.h"
#include "server/flag_keeper.h"
#include "server/outbox_threads.h"

#include <inttypes.h>
#include <string.h>

static int64_t slice_ms(int64_t length_ms)
{
    int64_t ms = length_ms / FALLBACK_SLICES;
    return ms > 0 ? ms : 1;
}

void fallback_window_add(struct fallback_window *window, int64_t length_ms, int64_t now_ms, uint64_t all, uint64_t bad)
{
    if (window->length_ms != length_ms)
        *window = (struct fallback_window){.length_ms = length_ms};
    int64_t number = now_ms / slice_ms(length_ms);
    struct fallback_slice *slice = &window->slices[number % FALLBACK_SLICES];
    if (slice->number != number)
        *slice = (struct fallback_slice){.number = number};
    slice->all += all;
    slice->bad += bad;
}

void fallback_window_sum(const struct fallback_window *window, int64_t now_ms, uint64_t *all, uint64_t *bad)
{
    *all = *bad = 0;
    if (!window->length_ms)
        return;
    int64_t newest = now_ms / slice_ms(window->length_ms);
    for (size_t i = 0; i < FALLBACK_SLICES; i++) {
        const struct fallback_slice *slice = &window->slices[i];
        if (slice->number > newest - FALLBACK_SLICES && slice->number <= newest) {
            *all += slice->all;
            *bad += slice->bad;
        }
    }
}

static bool crosses(uint64_t all, uint64_t bad, int64_t least, double rate)
{
    return all >= (uint64_t)least && bad > 0 && (double)bad > rate * (double)all;
}

/* "12 of 40 answers from rows failed within 10 s, more than the share of 0.05 (fallback.error_rate)" */
static void put_reason(struct buf *reason, const struct fallback_window *window, uint64_t all, uint64_t bad,
                       const char *what, double rate, const char *key)
{
    char limit[NUM_TEXT_SIZE];
    char seconds[NUM_TEXT_SIZE];
    size_t limit_size = num_format_double(limit, rate);
    size_t seconds_size = num_format_double(seconds, (double)window->length_ms / 1000);
    buf_printf(reason, "%" PRIu64 " of %" PRIu64 " %s within %.*s s, more than the share of %.*s (%s)", bad, all, what,
               (int)seconds_size, seconds, (int)limit_size, limit, key);
}

bool fallback_judge(struct fallback *fallback, const struct settings *settings, int64_t now_ms,
                    const struct fallback_news *news, struct buf *reason)
{
    uint64_t all = 0;
    uint64_t bad = 0;
    fallback_window_add(&fallback->answers, settings->fallback_window_ms, now_ms, news->answers, news->errors);
    fallback_window_add(&fallback->comparisons, settings->fallback_mismatch_window_ms, now_ms, news->comparisons,
                        news->mismatches);
    if (!settings->fallback_enabled)
        return false;
    fallback_window_sum(&fallback->answers, now_ms, &all, &bad);
    if (crosses(all, bad, settings->fallback_min_requests, settings->fallback_error_rate)) {
        put_reason(reason, &fallback->answers, all, bad, "answers from rows failed", settings->fallback_error_rate,
                   "fallback.error_rate");
        return true;
    }
    fallback_window_sum(&fallback->comparisons, now_ms, &all, &bad);
    if (crosses(all, bad, settings->fallback_min_comparisons, settings->fallback_mismatch_rate)) {
        put_reason(reason, &fallback->comparisons, all, bad, "comparisons differed", settings->fallback_mismatch_rate,
                   "fallback.mismatch_rate");
        return true;
    }
    return false;
}

void fallback_watch_init(struct fallback_watch *watch)
{
    memset(watch, 0, sizeof *watch);
    (void)pthread_mutex_init(&watch->lock, NULL);
}

void fallback_watch_destroy(struct fallback_watch *watch)
{
    (void)pthread_mutex_destroy(&watch->lock);
}

/* What led to a true is forgotten, so that the same is not said again at once. Gives the lock back. */
static bool judge_and_unlock(struct fallback_watch *watch, enum flag flag, const struct settings *settings,
                             const struct fallback_news *news, struct buf *reason)
{
    bool due = fallback_judge(&watch->flags[flag], settings, clock_mono_ms(), news, reason);
    if (due)
        watch->flags[flag] = (struct fallback){0};
    (void)pthread_mutex_unlock(&watch->lock);
    return due;
}

static enum flag dual_write_of(enum flag flag)
{
    size_t kind = 0;
    while (kind < READ_KIND_COUNT - 1 && endpoints[kind].flag != flag)
        kind++;
    return outbox_dual_write_flag(answer_feed(endpoints[kind].kind));
}

static bool has_good_files(const struct settings *settings, const struct flag_set *flags, enum flag flag)
{
    enum flag_mode mode = flags->states[flag].value.mode;
    return settings->legacy_dir[0] &&
           (mode == FLAG_CANARY || (mode == FLAG_REPO && flags->states[dual_write_of(flag)].value.on));
}

/* True the first time since the mode last changed, when it did not fall. */
static bool note_fall(struct fallback_watch *watch, enum flag flag, bool fell)
{
    (void)pthread_mutex_lock(&watch->lock);
    bool first = !fell && !watch->said[flag];
    watch->said[flag] = watch->said[flag] || !fell;
    watch->fell[flag] += fell;
    (void)pthread_mutex_unlock(&watch->lock);
    return first;
}

static void fall_back(struct fallback_watch *watch, struct flag_keeper *keeper, enum flag flag, struct buf *reason)
{
    if (note_fall(watch, flag, flag_keeper_fall_back(keeper, flag, buf_cstr(reason))))
        log_event(LOG_WARN, "flags.cannot_fall_back",
                  LOG_FIELDS(log_str("flag", flag_name(flag)), log_slice("why", buf_slice(reason))));
}

void fallback_watch_feed(struct fallback_watch *watch, struct flag_keeper *keeper, const struct settings *settings,
                         const struct flag_set *flags, enum flag flag, const struct fallback_news *news)
{
    struct buf reason = BUF_INIT;
    if (!has_good_files(settings, flags, flag))
        return;
    (void)pthread_mutex_lock(&watch->lock);
    if (judge_and_unlock(watch, flag, settings, news, &reason))
        fall_back(watch, keeper, flag, &reason);
    buf_free(&reason);
}

bool fallback_watch_try_feed(struct fallback_watch *watch, struct flag_keeper *keeper, const struct settings *settings,
                             const struct flag_set *flags, enum flag flag, const struct fallback_news *news)
{
    struct buf reason = BUF_INIT;
    if (!has_good_files(settings, flags, flag))
        return true;
    if (pthread_mutex_trylock(&watch->lock) != 0)
        return false;
    if (judge_and_unlock(watch, flag, settings, news, &reason))
        fall_back(watch, keeper, flag, &reason);
    buf_free(&reason);
    return true;
}

void fallback_watch_forget(struct fallback_watch *watch, enum flag flag)
{
    (void)pthread_mutex_lock(&watch->lock);
    watch->flags[flag] = (struct fallback){0};
    watch->said[flag] = false;
    (void)pthread_mutex_unlock(&watch->lock);
}

void fallback_watch_print(struct fallback_watch *watch, struct buf *out)
{
    buf_append_str(out, "# HELP nof0_fallbacks_total Endpoints that this process took back to legacy by itself.\n"
                        "# TYPE nof0_fallbacks_total counter\n");
    (void)pthread_mutex_lock(&watch->lock);
    for (unsigned i = 0; i < FLAG_COUNT; i++)
        if (flag_kind((enum flag)i) == FLAG_KIND_READ)
            buf_printf(out, "nof0_fallbacks_total{flag=\"%s\"} %" PRIu64 "\n", flag_name((enum flag)i), watch->fell[i]);
    (void)pthread_mutex_unlock(&watch->lock);
}
