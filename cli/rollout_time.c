#include "cli/rollout_time.h"

#include "base/num.h"

#include <inttypes.h>

static const struct unit {
    const char *name;
    int64_t ms;
} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

enum { UNIT_COUNT = sizeof units / sizeof units[0] };

bool rollout_time_parse(struct slice text, int64_t *ms)
{
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    struct slice name = {text.p + digits, text.n - digits};
    int64_t count;
    if (!num_parse_i64((struct slice){text.p, digits}, &count))
        return false;
    if (count == 0 && name.n == 0) {
        *ms = 0;
        return true;
    }
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (!slice_is(name, units[i].name) || count > ROLLOUT_TIME_MAX_MS / units[i].ms)
            continue;
        *ms = count * units[i].ms;
        return true;
    }
    return false;
}

void rollout_time_put(struct buf *out, int64_t us)
{
    const int64_t us_per_ms = 1000;
    int64_t ms = us < 0 ? 0 : us / us_per_ms;
    size_t i = UNIT_COUNT - 1;
    while (i > 0 && ms < units[i].ms)
        i--;
    buf_printf(out, "%" PRId64 "%s", ms / units[i].ms, units[i].name);
    int64_t rest = i >= 2 ? ms % units[i].ms / units[i - 1].ms : 0;
    if (rest)
        buf_printf(out, " %" PRId64 "%s", rest, units[i - 1].name);
}
