/* The words of the demo: numbers and times as people and the arena write them, and sentences in some variety. */
#ifndef NOF0_CLI_DEMO_TEXT_H
#define NOF0_CLI_DEMO_TEXT_H

#include "base/buf.h"
#include "cli/demo_random.h"

#include <stddef.h>
#include <stdint.h>

/* value / 10^scale in decimal, rounded to `digits` places behind the point, zeros at the end cut off; scale at most 9.
 */
void demo_put_decimal(struct buf *out, int64_t value, int scale, int digits);

/* How many places a price of the coin has, and a price in them. */
int demo_price_places(size_t symbol);
void demo_put_price(struct buf *out, size_t symbol, int64_t price);

enum { DEMO_HUMAN_TIME_SIZE = 27 };

/* "2025-10-25 19:03:11.842000" for microseconds since 1970, UTC. Returns out. */
char *demo_human_time(char out[DEMO_HUMAN_TIME_SIZE], int64_t at_us);

/* Fills out (DEMO_PLAN_SIZE bytes) with what would make the model give a position up. */
void demo_condition(struct demo_random *random, size_t symbol, int64_t direction, int64_t level, char *out);

/* One of count texts. */
const char *demo_pick(struct demo_random *random, const char *const *texts, size_t count);
#define DEMO_PICK(random, texts) demo_pick((random), (texts), sizeof(texts) / sizeof((texts)[0]))

#endif
