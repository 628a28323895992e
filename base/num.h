/* Numbers as text, exactly. No locale, no rounding: what is printed reads back to the same value. */
#ifndef NOF0_BASE_NUM_H
#define NOF0_BASE_NUM_H

#include "base/slice.h"

#include <stdint.h>

/* The largest integer up to which every integer is a double: 2^53 - 1 is "safe", and 2^53 itself is still exact. */
#define NUM_EXACT_INTEGER_MAX INT64_C(9007199254740992)

enum { NUM_TEXT_SIZE = 32 };

/* Writes the shortest decimal that reads back to `value`, in the layout of ECMAScript's Number::toString (ECMA-262,
 * 6.1.6.1.20: plain digits for 1e-6 <= |value| < 1e21, else an exponent; integral values without ".0"), except that
 * negative zero is "-0" so that it survives. `value` must be finite. Not NUL-terminated; returns the length. */
size_t num_format_double(char out[NUM_TEXT_SIZE], double value);

/* Decimal digits of `value`; returns the length, not NUL-terminated. */
size_t num_format_i64(char out[NUM_TEXT_SIZE], int64_t value);

/* The whole slice as a decimal integer ("-12", no "+", no spaces, no leading zeros but "0"). False when it is anything
 * else or does not fit; *value is then unchanged. */
bool num_parse_i64(struct slice text, int64_t *value);

/* The whole slice as a JSON number, correctly rounded. False when it is no JSON number or is not finite. */
bool num_parse_double(struct slice text, double *value);

/* The same value and the same sign of zero; NaNs by their bits. */
static inline bool num_same_double(double a, double b)
{
    uint64_t x;
    uint64_t y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    return x == y;
}

#endif
