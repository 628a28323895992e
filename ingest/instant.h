/* Instants as legacy files spell them. */
#ifndef NOF0_INGEST_INSTANT_H
#define NOF0_INGEST_INSTANT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

/* The range of each, both ends left out, in seconds. */
#define INSTANT_MS_MOST (9007199254740992.0 / 1000)
#define INSTANT_TIMESTAMPTZ_LEAST (-2.1e11)
#define INSTANT_TIMESTAMPTZ_MOST 9.2e12

/* Float seconds cut (towards minus infinity) to whole milliseconds. The cut is made on the shortest decimal of the
 * double, which is what the file said: 1761418991.842 gives ...842 although the double lies a little off. False when
 * the result leaves +-2^53 (INSTANT_MS_MOST). */
bool instant_cut_seconds(double seconds, int64_t *ms);

/* The nearest microsecond. False outside of what Postgres takes as timestamptz (4713 BC to AD 294276, a little less:
 * INSTANT_TIMESTAMPTZ_LEAST). */
bool instant_us_of_seconds(double seconds, int64_t *us);

/* A message's timestamp of whatever kind: a number below 1e11 counts seconds, else milliseconds; a text that is such a
 * number counts the same; else a text of ISO 8601 ("2025-10-26T04:19:12.829Z", also with a space, without seconds, with
 * an offset, without a zone: UTC). False when it is none of them. */
bool instant_of_any(const cJSON *value, int64_t *ms);

#endif
