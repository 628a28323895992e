#include "parity/number.h"

#include "base/num.h"

#include <math.h>
#include <xxhash.h>

enum { EXPONENT_DIGITS = 17 };

/* A number's digits without zeros on either side, as they stand in the text (the point may be among them). */
struct decimal {
    bool negative;
    const char *first; /* the first digit that is not 0, NULL for zero */
    const char *last;  /* the last one */
    int64_t exponent;  /* the value is 0.ddd * 10^exponent */
    bool vast;         /* the exponent does not fit */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Behind the 'e' of an exponent. */
static int64_t read_exponent(const char *p, const char *end, bool *vast)
{
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    while (p < end && *p == '0')
        p++;
    *vast = end - p > EXPONENT_DIGITS;
    int64_t exponent = 0;
    for (; !*vast && p < end && is_digit(*p); p++)
        exponent = exponent * 10 + (*p - '0');
    return negative ? -exponent : exponent;
}

static struct decimal read_decimal(struct slice number)
{
    const char *p = number.p;
    const char *end = number.p + number.n;
    struct decimal decimal = {.negative = p < end && *p == '-'};
    p += decimal.negative;
    int64_t point = 0; /* digits before it, from the first that is not 0; below 0: zeros behind it */
    bool behind_point = false;
    for (; p < end && (is_digit(*p) || *p == '.'); p++) {
        if (*p == '.') {
            behind_point = true;
            continue;
        }
        if (*p != '0') {
            decimal.first = decimal.first ? decimal.first : p;
            decimal.last = p;
        }
        if (!behind_point)
            point += decimal.first != NULL;
        else if (!decimal.first)
            point--;
    }
    decimal.exponent = point;
    if (p < end && (*p == 'e' || *p == 'E'))
        decimal.exponent += read_exponent(p + 1, end, &decimal.vast);
    return decimal;
}

static bool same_decimal(struct slice a, struct slice b)
{
    struct decimal x = read_decimal(a);
    struct decimal y = read_decimal(b);
    if (x.vast || y.vast)
        return slice_equal(a, b);
    if (x.negative != y.negative || !x.first != !y.first)
        return false;
    if (!x.first)
        return true;
    if (x.exponent != y.exponent)
        return false;
    const char *p = x.first;
    const char *q = y.first;
    while (p <= x.last && q <= y.last) {
        p += *p == '.';
        q += *q == '.';
        if (*p++ != *q++)
            return false;
    }
    return p > x.last && q > y.last;
}

/* An integer that a double may not hold. */
static bool is_large_integer(struct slice number, double value)
{
    if (fabs(value) < (double)NUM_EXACT_INTEGER_MAX)
        return false;
    for (size_t i = 0; i < number.n; i++) {
        if (!is_digit(number.p[i]) && number.p[i] != '-')
            return false;
    }
    return true;
}

bool parity_number_equal(struct slice a, struct slice b)
{
    if (slice_equal(a, b))
        return true;
    double x;
    double y;
    if (!num_parse_double(a, &x) || !num_parse_double(b, &y) || is_large_integer(a, x) || is_large_integer(b, y))
        return same_decimal(a, b);
    return num_same_double(x, y);
}

/* Neighbouring doubles have neighbouring numbers; both zeros have 0. */
static int64_t place_among_doubles(double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? INT64_MIN - bits : bits;
}

bool parity_number_near(struct slice a, struct slice b, double ulps, double absolute)
{
    double x;
    double y;
    if (!num_parse_double(a, &x) || !num_parse_double(b, &y))
        return false;
    if (fabs(x - y) <= absolute)
        return true;
    int64_t p = place_among_doubles(x);
    int64_t q = place_among_doubles(y);
    uint64_t apart = p > q ? (uint64_t)p - (uint64_t)q : (uint64_t)q - (uint64_t)p;
    return (double)apart <= ulps;
}

uint64_t parity_number_hash(struct slice number, uint64_t seed)
{
    double value = 0;
    bool finite = num_parse_double(number, &value);
    return XXH3_64bits_withSeed(&value, finite ? sizeof value : 0, seed);
}
