#include "ingest/capture_time.h"

#include "base/num.h"

bool capture_duration_parse(struct slice text, int64_t *ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    int64_t count;
    if (!num_parse_i64((struct slice){text.p, digits}, &count))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!slice_is((struct slice){text.p + digits, text.n - digits}, units[i].name))
            continue;
        if (count < 1 || count > CAPTURE_DURATION_MAX_MS / units[i].ms)
            return false;
        *ms = count * units[i].ms;
        return true;
    }
    return false;
}

int64_t capture_wait_ms(unsigned tries, int64_t retry_after_s, uint32_t random)
{
    int64_t span = CAPTURE_WAIT_FIRST_MS;
    for (unsigned i = 1; i < tries && span < CAPTURE_WAIT_MAX_MS; i++)
        span *= 2;
    if (span > CAPTURE_WAIT_MAX_MS)
        span = CAPTURE_WAIT_MAX_MS;
    int64_t wait = span / 2 + random % (span / 2 + 1);
    int64_t asked = retry_after_s < 0 ? 0 : retry_after_s;
    asked = asked > CAPTURE_RETRY_AFTER_MAX_MS / 1000 ? CAPTURE_RETRY_AFTER_MAX_MS : asked * 1000;
    return asked > wait ? asked : wait;
}

int64_t capture_next_tick(int64_t start, int64_t every, int64_t now)
{
    return now < start ? start : start + ((now - start) / every + 1) * every;
}
