/* Spans of time as rollout plans say them and as people read them. */
#ifndef NOF0_CLI_ROLLOUT_TIME_H
#define NOF0_CLI_ROLLOUT_TIME_H

#include "base/buf.h"

#include <stdint.h>

#define ROLLOUT_TIME_MAX_MS (INT64_C(90) * 24 * 3600 * 1000)

/* "0", "500ms", "10s", "5m", "2h" or "7d": a whole number and its unit, up to ROLLOUT_TIME_MAX_MS. False for anything
 * else. */
bool rollout_time_parse(struct slice text, int64_t *ms);

/* Appends "350ms", "12s", "10m 3s", "2h 5m" or "3d 1h"; what is less than the smaller unit is left out. Below zero: as
 * zero. */
void rollout_time_put(struct buf *out, int64_t us);

#endif
