#include "cache/breaker.h"

void breaker_init(struct breaker *breaker, const struct breaker_settings *settings)
{
    *breaker = (struct breaker){.settings = *settings, .rest_ms = settings->first_rest_ms};
}

const char *breaker_state_name(enum breaker_state state)
{
    static const char *const names[] = {"closed", "open", "trying"};
    return names[state];
}

bool breaker_passes(struct breaker *breaker, int64_t now_ms)
{
    if (breaker->state == BREAKER_CLOSED)
        return true;
    if (now_ms >= breaker->until_ms) {
        /* Were the outcome of a try lost, another may be made after the same rest. */
        breaker->state = BREAKER_TRYING;
        breaker->until_ms = now_ms + breaker->rest_ms;
        return true;
    }
    breaker->held++;
    return false;
}

static void open_up(struct breaker *breaker, int64_t now_ms)
{
    breaker->state = BREAKER_OPEN;
    breaker->until_ms = now_ms + breaker->rest_ms;
    breaker->rest_ms *= 2;
    if (breaker->rest_ms > breaker->settings.longest_rest_ms)
        breaker->rest_ms = breaker->settings.longest_rest_ms;
    breaker->opened++;
    breaker->in_a_row = 0;
}

bool breaker_ended(struct breaker *breaker, int64_t now_ms, bool good, int64_t took_us)
{
    if (breaker->state == BREAKER_OPEN)
        return false;
    if (good && took_us <= breaker->settings.slow_us) {
        breaker->state = BREAKER_CLOSED;
        breaker->in_a_row = 0;
        breaker->rest_ms = breaker->settings.first_rest_ms;
        return false;
    }
    if (breaker->state == BREAKER_CLOSED && ++breaker->in_a_row < breaker->settings.failures)
        return false;
    open_up(breaker, now_ms);
    return true;
}
