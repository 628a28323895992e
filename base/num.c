#include "base/num.h"

#include "base/mem.h"
#include "base/num_powers.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

enum {
    DOUBLE_FRACTION_BITS = 52,
    DOUBLE_EXPONENT_MASK = 0x7FF,
    DOUBLE_EXPONENT_BIAS = 1075, /* value = significand * 2^(biased exponent - this) */
    ECMA_PLAIN_DIGITS = 21,
    ECMA_PLAIN_ZEROS = 6,
    DIGITS_MAX = 20,
};

__extension__ typedef unsigned __int128 wide;

/* digits * 10^exponent */
struct decimal {
    uint64_t digits;
    int exponent;
};

/* The product's upper 64 bits of 192; the lowest bit also stands for all that was cut off ("round to odd"), so that
 * comparisons against whole numbers and halves stay right. */
static uint64_t multiply_round_to_odd(struct num_power power, uint64_t factor)
{
    wide low = (wide)power.lo * factor;
    wide high = (wide)power.hi * factor + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

static int floor_log2_pow10(int e)
{
    return (e * 1741647) >> 19;
}

/* Schubfach: R. Giulietti, "The Schubfach way to render doubles" (2020), section 9. Finds the shortest decimal in the
 * interval of reals that read back to the value, the closest one where several are equally short. All quantities are
 * four times the real ones, so that the interval's ends, which lie at halves and quarters, are whole numbers. */
static struct decimal shortest(uint64_t fraction, int biased_exponent)
{
    uint64_t c = fraction;
    int q = 1 - DOUBLE_EXPONENT_BIAS;
    if (biased_exponent != 0) {
        c |= UINT64_C(1) << DOUBLE_FRACTION_BITS;
        q = biased_exponent - DOUBLE_EXPONENT_BIAS;
    }
    /* A power of two has its lower neighbour at half the distance. */
    bool lower_is_closer = fraction == 0 && biased_exponent > 1;
    uint64_t odd = c & 1; /* ties read back to even: the ends belong to the interval only then */

    int k = (q * 1262611 - (lower_is_closer ? 524031 : 0)) >> 22;
    int h = q + floor_log2_pow10(-k) + 1;
    struct num_power power = num_powers[-k - NUM_POWER_MIN];
    uint64_t value = multiply_round_to_odd(power, (4 * c) << h);
    uint64_t lower = multiply_round_to_odd(power, (4 * c - (lower_is_closer ? 1 : 2)) << h) + odd;
    uint64_t upper = multiply_round_to_odd(power, (4 * c + 2) << h) - odd;

    uint64_t s = value / 4;
    if (s >= 10) {
        uint64_t tens = s / 10;
        bool below_inside = lower <= 40 * tens;
        bool above_inside = 40 * tens + 40 <= upper;
        if (below_inside != above_inside)
            return (struct decimal){tens + above_inside, k + 1};
    }
    bool below_inside = lower <= 4 * s;
    bool above_inside = 4 * s + 4 <= upper;
    if (below_inside != above_inside)
        return (struct decimal){s + above_inside, k};
    uint64_t middle = 4 * s + 2;
    bool up = value > middle || (value == middle && (s & 1));
    return (struct decimal){s + up, k};
}

/* "00" to "99". */
static const char digit_pairs[200] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static size_t count_digits(uint64_t value)
{
    size_t n = 1;
    for (; value >= 10000; value /= 10000)
        n += 4;
    return n + (value >= 10) + (value >= 100) + (value >= 1000);
}

/* From the end, two digits a division. */
static size_t put_u64(char *out, uint64_t value)
{
    size_t n = count_digits(value);
    char *at = out + n;
    for (; value >= 100; value /= 100)
        memcpy(at -= 2, digit_pairs + 2 * (value % 100), 2);
    if (value >= 10)
        memcpy(out, digit_pairs + 2 * value, 2);
    else
        *out = (char)('0' + value);
    return n;
}

static char *put_zeros(char *at, int count)
{
    memset(at, '0', (size_t)count);
    return at + count;
}

static char *put_bytes(char *at, const char *bytes, size_t n)
{
    memcpy(at, bytes, n);
    return at + n;
}

/* Exactly `count` digits of `value`, with leading zeros. */
static void put_padded(char *out, uint64_t value, size_t count)
{
    char *at = out + count;
    for (; at >= out + 2; value /= 100)
        memcpy(at -= 2, digit_pairs + 2 * (value % 100), 2);
    if (at > out)
        *out = (char)('0' + value % 10);
}

static size_t put_with_exponent(char *out, const char *digits, size_t count, int point)
{
    char *at = out;
    *at++ = digits[0];
    if (count > 1) {
        *at++ = '.';
        at = put_bytes(at, digits + 1, count - 1);
    }
    *at++ = 'e';
    *at++ = point > 0 ? '+' : '-';
    at += put_u64(at, (uint64_t)(point > 0 ? point - 1 : 1 - point));
    return (size_t)(at - out);
}

/* Lays digits * 10^exponent out as ECMA-262's Number::toString does; its n is `point` here. */
static size_t put_decimal(char *out, struct decimal decimal)
{
    static const uint64_t powers[] = {1,
                                      10,
                                      100,
                                      1000,
                                      10000,
                                      100000,
                                      1000000,
                                      10000000,
                                      100000000,
                                      1000000000,
                                      10000000000,
                                      100000000000,
                                      1000000000000,
                                      10000000000000,
                                      100000000000000,
                                      1000000000000000,
                                      10000000000000000,
                                      100000000000000000};
    const int powers_count = (int)(sizeof powers / sizeof powers[0]);
    for (; decimal.digits % 100 == 0; decimal.digits /= 100)
        decimal.exponent += 2;
    if (decimal.digits % 10 == 0) {
        decimal.digits /= 10;
        decimal.exponent++;
    }
    /* Nearly every number: digits on both sides of the point. */
    if (decimal.exponent < 0 && -decimal.exponent < powers_count) {
        uint64_t power = powers[-decimal.exponent];
        uint64_t whole = decimal.digits / power;
        if (whole > 0) {
            size_t n = put_u64(out, whole);
            size_t behind = (size_t)-decimal.exponent;
            out[n++] = '.';
            put_padded(out + n, decimal.digits - whole * power, behind);
            return n + behind;
        }
    }
    char digits[DIGITS_MAX];
    size_t count = put_u64(digits, decimal.digits);
    int point = (int)count + decimal.exponent;
    char *at = out;
    if (decimal.exponent >= 0 && point <= ECMA_PLAIN_DIGITS) {
        at = put_bytes(at, digits, count);
        at = put_zeros(at, decimal.exponent);
    } else if (point <= 0 && point > -ECMA_PLAIN_ZEROS) {
        at = put_bytes(at, "0.", 2);
        at = put_zeros(at, -point);
        at = put_bytes(at, digits, count);
    } else {
        return put_with_exponent(out, digits, count, point);
    }
    return (size_t)(at - out);
}

size_t num_format_double(char out[NUM_TEXT_SIZE], double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    size_t sign = 0;
    if (bits >> 63)
        out[sign++] = '-';

    double magnitude = fabs(value);
    if (magnitude <= (double)NUM_EXACT_INTEGER_MAX && magnitude == (double)(uint64_t)magnitude)
        return sign + put_u64(out + sign, (uint64_t)magnitude);

    uint64_t fraction = bits & ((UINT64_C(1) << DOUBLE_FRACTION_BITS) - 1);
    int biased_exponent = (int)(bits >> DOUBLE_FRACTION_BITS) & DOUBLE_EXPONENT_MASK;
    return sign + put_decimal(out + sign, shortest(fraction, biased_exponent));
}

size_t num_format_i64(char out[NUM_TEXT_SIZE], int64_t value)
{
    if (value >= 0)
        return put_u64(out, (uint64_t)value);
    out[0] = '-';
    return 1 + put_u64(out + 1, 0 - (uint64_t)value);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool num_parse_i64(struct slice text, int64_t *value)
{
    size_t at = 0;
    bool negative = text.n > 0 && text.p[0] == '-';
    if (negative)
        at++;
    if (at == text.n || (text.p[at] == '0' && (text.n > at + 1 || negative)))
        return false;

    uint64_t limit = negative ? UINT64_C(1) << 63 : (uint64_t)INT64_MAX;
    uint64_t sum = 0;
    for (; at < text.n; at++) {
        if (!is_digit(text.p[at]))
            return false;
        uint64_t digit = (uint64_t)(text.p[at] - '0');
        if (sum > (limit - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

/* What the grammar's parts say, as far as 64 bits hold it. */
struct number_parts {
    bool negative;
    uint64_t digits; /* all digits before the exponent as one number, meaningful when !digits_overflow */
    bool digits_overflow;
    int64_t exponent; /* of ten, with the places behind the point taken off */
};

static bool take_digits(struct slice text, size_t *at, struct number_parts *parts)
{
    size_t start = *at;
    for (; *at < text.n && is_digit(text.p[*at]); ++*at) {
        if (parts->digits > (UINT64_MAX - 9) / 10)
            parts->digits_overflow = true;
        else
            parts->digits = parts->digits * 10 + (uint64_t)(text.p[*at] - '0');
    }
    return *at > start;
}

static bool take_exponent(struct slice text, size_t *at, struct number_parts *parts)
{
    const int64_t far_beyond_any_double = 1000000000;
    bool negative = *at < text.n && text.p[*at] == '-';
    if (*at < text.n && (text.p[*at] == '-' || text.p[*at] == '+'))
        ++*at;
    size_t start = *at;
    int64_t exponent = 0;
    for (; *at < text.n && is_digit(text.p[*at]); ++*at) {
        if (exponent < far_beyond_any_double)
            exponent = exponent * 10 + (text.p[*at] - '0');
    }
    parts->exponent += negative ? -exponent : exponent;
    return *at > start;
}

/* RFC 8259, section 6. */
static bool split_number(struct slice text, struct number_parts *parts)
{
    size_t at = 0;
    *parts = (struct number_parts){0};
    if (at < text.n && text.p[at] == '-') {
        parts->negative = true;
        at++;
    }
    size_t first = at;
    if (!take_digits(text, &at, parts) || (text.p[first] == '0' && at - first > 1))
        return false;
    if (at < text.n && text.p[at] == '.') {
        size_t behind_point = ++at;
        if (!take_digits(text, &at, parts))
            return false;
        parts->exponent -= (int64_t)(at - behind_point);
    }
    if (at < text.n && (text.p[at] == 'e' || text.p[at] == 'E')) {
        at++;
        if (!take_exponent(text, &at, parts))
            return false;
    }
    return at == text.n;
}

/* The C library's conversion rounds correctly; its "C" locale is asked for by name since the process may run under one
 * that writes a decimal comma. glibc hands out a constant for it, so there is nothing to allocate. */
static double convert_in_c_locale(struct slice text)
{
    enum { SHORT_NUMBER = 128 };
    char on_stack[SHORT_NUMBER];
    char *copy = text.n < sizeof on_stack ? on_stack : mem_alloc(text.n + 1);
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double value = c_locale ? strtod_l(copy, NULL, c_locale) : (double)NAN;
    if (c_locale)
        freelocale(c_locale);
    if (copy != on_stack)
        free(copy);
    return value;
}

bool num_parse_double(struct slice text, double *value)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const int64_t exact_powers = (int64_t)(sizeof powers / sizeof powers[0]);
    struct number_parts parts;
    if (!split_number(text, &parts))
        return false;

    double result;
    if (!parts.digits_overflow && parts.digits <= (uint64_t)NUM_EXACT_INTEGER_MAX && parts.exponent > -exact_powers &&
        parts.exponent < exact_powers) {
        /* Both operands are exact, so the one operation rounds once: W. Clinger, "How to read floating point numbers
         * accurately" (1990). */
        double digits = (double)parts.digits;
        result = parts.exponent < 0 ? digits / powers[-parts.exponent] : digits * powers[parts.exponent];
        if (parts.negative)
            result = -result;
    } else {
        result = convert_in_c_locale(text);
    }
    if (!isfinite(result))
        return false;
    *value = result;
    return true;
}
