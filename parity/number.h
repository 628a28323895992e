/* Numbers of JSON texts, compared by value. */
#ifndef NOF0_PARITY_NUMBER_H
#define NOF0_PARITY_NUMBER_H

#include "base/slice.h"

#include <stdint.h>

/* Whether two JSON numbers are the same: the same double, the sign of zero too. Integers beyond 2^53 and what is beyond
 * the range of a double are held against the other by their exact decimal value. */
bool parity_number_equal(struct slice a, struct slice b);

/* Whether they are at most `ulps` doubles apart, or differ by `absolute` at most. Zeros of either sign are the same
 * here. False where one is beyond the range of a double. */
bool parity_number_near(struct slice a, struct slice b, double ulps, double absolute);

/* Equal for equal numbers. */
uint64_t parity_number_hash(struct slice number, uint64_t seed);

#endif
