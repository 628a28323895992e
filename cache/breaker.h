/* A circuit breaker: after a few failures or slow answers in a row it lets nothing through for a while, then one to
 * try, and opens again when that goes well. Pure bookkeeping; the caller gives the clock. */
#ifndef NOF0_CACHE_BREAKER_H
#define NOF0_CACHE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state {
    BREAKER_CLOSED, /* all pass */
    BREAKER_OPEN,   /* none passes */
    BREAKER_TRYING, /* one has passed, its outcome is awaited */
};

struct breaker_settings {
    unsigned failures;     /* in a row, until it opens; over 0 */
    int64_t slow_us;       /* an answer that took longer counts as a failure */
    int64_t first_rest_ms; /* how long it is open at first; doubles with each try that fails */
    int64_t longest_rest_ms;
};

struct breaker {
    struct breaker_settings settings;
    enum breaker_state state;
    unsigned in_a_row;
    int64_t rest_ms;
    int64_t until_ms;
    uint64_t opened; /* times */
    uint64_t held;   /* calls that did not pass */
};

void breaker_init(struct breaker *breaker, const struct breaker_settings *settings);

/* Whether a call may pass now. One that may must be followed by one breaker_ended. */
bool breaker_passes(struct breaker *breaker, int64_t now_ms);

/* A call that passed ended. True when this opened the breaker. Calls that passed before it opened count for nothing
 * when they end while it is open. */
bool breaker_ended(struct breaker *breaker, int64_t now_ms, bool good, int64_t took_us);

/* "closed", "open", "trying". */
const char *breaker_state_name(enum breaker_state state);

#endif
