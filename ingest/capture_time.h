/* When a capture asks again: durations of the command line, waits between tries, ticks of a repeated capture. */
#ifndef NOF0_INGEST_CAPTURE_TIME_H
#define NOF0_INGEST_CAPTURE_TIME_H

#include "base/slice.h"

#include <stdint.h>

enum {
    CAPTURE_DURATION_MAX_MS = 24 * 3600 * 1000,
    CAPTURE_WAIT_FIRST_MS = 200,
    CAPTURE_WAIT_MAX_MS = 5000,
    CAPTURE_RETRY_AFTER_MAX_MS = 30000,
};

/* "500ms", "10s", "1m" or "2h": a whole number and its unit, from 1 ms to a day. False for anything else. */
bool capture_duration_parse(struct slice text, int64_t *ms);

/* How long to wait in milliseconds after the `tries`-th try (from 1) failed: between the half and the whole (by
 * `random`) of a span that doubles from CAPTURE_WAIT_FIRST_MS to CAPTURE_WAIT_MAX_MS, so that clients that failed
 * together do not come back together; but at least the seconds of the server's Retry-After (0: it sent none), as far as
 * CAPTURE_RETRY_AFTER_MAX_MS. */
int64_t capture_wait_ms(unsigned tries, int64_t retry_after_s, uint32_t random);

/* The first instant after `now` that lies a whole number of `every` after `start`; all in one unit. */
int64_t capture_next_tick(int64_t start, int64_t every, int64_t now);

#endif
