#include "base/file.h"
#include "base/num.h"
#include "base/num_powers.h"
#include "base/testing.h"

#include <ctype.h>
#include <dirent.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *format(char out[NUM_TEXT_SIZE + 1], double value)
{
    size_t n = num_format_double(out, value);
    assert_in_range(n, 1, NUM_TEXT_SIZE);
    out[n] = '\0';
    return out;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* xorshift64*: G. Marsaglia, "Xorshift RNGs" (2003), with S. Vigna's multiplier. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* The significant digits of a decimal text without leading and trailing zeros. */
static size_t significant_digits(const char *text, char *digits)
{
    size_t n = 0;
    for (; *text && *text != 'e'; text++) {
        if (isdigit((unsigned char)*text) && (n > 0 || *text != '0'))
            digits[n++] = *text;
    }
    while (n > 0 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    return n;
}

/* Steps a "d.ddde-17" text by one unit in its last place, the digits read as one number. */
static void step_last_place(char *out, size_t size, const char *scientific, int64_t step)
{
    char digits[64];
    size_t n = 0;
    const char *at = scientific;
    for (; *at && *at != 'e'; at++) {
        if (isdigit((unsigned char)*at))
            digits[n++] = *at;
    }
    digits[n] = '\0';
    long long number = strtoll(digits, NULL, 10) + step;
    (void)snprintf(out, size, "%llde%ld", number, strtol(at + 1, NULL, 10) - (long)(n - 1));
}

/* The contract in full, worked out with the C library alone: reads back, nothing shorter reads back, and no decimal of
 * the same length is closer. */
static void assert_shortest(double value)
{
    char text[NUM_TEXT_SIZE + 1];
    format(text, value);
    if (bits_of(strtod(text, NULL)) != bits_of(value))
        fail_msg("%a became %s, which reads back otherwise", value, text);
    if (value == 0)
        return;

    char digits[64];
    size_t n = significant_digits(text, digits);
    assert_in_range(n, 1, 17);
    double magnitude = fabs(value);
    char other[64];
    char stepped[64];
    if (n > 1) {
        (void)snprintf(other, sizeof other, "%.*e", (int)n - 2, magnitude);
        for (int64_t step = -1; step <= 1; step++) {
            step_last_place(stepped, sizeof stepped, other, step);
            if (strtod(stepped, NULL) == magnitude)
                fail_msg("%a became %s though the shorter %s reads back", value, text, stepped);
        }
    }
    (void)snprintf(other, sizeof other, "%.*e", (int)n - 1, magnitude);
    if (strtod(other, NULL) == magnitude) {
        char closest[64];
        significant_digits(other, closest);
        if (strcmp(closest, digits) != 0)
            fail_msg("%a became %s though %s is as short and closer", value, text, other);
    }
}

static void assert_layout(double value, const char *expected)
{
    char text[NUM_TEXT_SIZE + 1];
    assert_string_equal(format(text, value), expected);
}

static void layout_is_ecmascripts(void **state)
{
    (void)state;
    assert_layout(0.0, "0");
    assert_layout(-0.0, "-0");
    assert_layout(1, "1");
    assert_layout(-1.5, "-1.5");
    assert_layout(100, "100");
    assert_layout(0.1, "0.1");
    assert_layout(0.1 + 0.2, "0.30000000000000004");
    assert_layout(1e-6, "0.000001");
    assert_layout(1.25e-6, "0.00000125");
    assert_layout(9.99e-7, "9.99e-7");
    assert_layout(1e-7, "1e-7");
    assert_layout(1e20, "100000000000000000000");
    assert_layout(123456789012345680000.0, "123456789012345680000");
    assert_layout(1e21, "1e+21");
    assert_layout(1.5e300, "1.5e+300");
    assert_layout(5e-324, "5e-324");
    assert_layout(1e-323, "1e-323");
    assert_layout(DBL_MIN, "2.2250738585072014e-308");
    assert_layout(DBL_MAX, "1.7976931348623157e+308");
    assert_layout(-DBL_MAX, "-1.7976931348623157e+308");
    assert_layout(9007199254740991.0, "9007199254740991");
    assert_layout(9007199254740992.0, "9007199254740992");
    assert_layout(9007199254740994.0, "9007199254740994");
    assert_layout(-10.363999999999999, "-10.363999999999999");
    assert_layout(1760741902.239835, "1760741902.239835");
    assert_layout(9.5367431640625e-7, "9.5367431640625e-7");
    /* 2^-44: the closest 16 digits (5.684341886080801e-14) do not read back, their neighbour does. */
    assert_layout(0x1p-44, "5.684341886080802e-14");
    assert_layout(9e-265, "9e-265");
    assert_layout(2e23, "2e+23");
    assert_layout(1e23, "1e+23");
    assert_layout(8.41e21, "8.41e+21");
    assert_layout(9.109383e-31, "9.109383e-31");
}

static void every_power_of_two_is_shortest(void **state)
{
    (void)state;
    for (int e = -1074; e <= 1023; e++) {
        double power = ldexp(1, e);
        assert_shortest(power);
        assert_shortest(nextafter(power, 0));
        assert_shortest(nextafter(power, INFINITY) < INFINITY ? nextafter(power, INFINITY) : power);
    }
}

static void every_power_of_ten_is_shortest(void **state)
{
    (void)state;
    for (int e = -323; e <= 308; e++) {
        char text[16];
        (void)snprintf(text, sizeof text, "1e%d", e);
        double power = strtod(text, NULL);
        assert_shortest(power);
        assert_shortest(nextafter(power, 0));
        assert_shortest(nextafter(power, INFINITY));
        char digits[64];
        char formatted[NUM_TEXT_SIZE + 1];
        assert_int_equal(significant_digits(format(formatted, power), digits), 1);
    }
}

static void random_bit_patterns_are_shortest(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 300000; i++) {
        double value = double_of(next_random(&seed));
        if (isfinite(value))
            assert_shortest(value);
    }
}

static void random_subnormals_are_shortest(void **state)
{
    (void)state;
    uint64_t seed = 1234567;
    for (int i = 0; i < 20000; i++)
        assert_shortest(double_of(next_random(&seed) >> (12 + i % 52)));
}

/* Prices, sizes and times: few digits behind the point. They must come out as they are written. */
static void short_decimals_come_out_as_written(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int i = 0; i < 200000; i++) {
        char text[64];
        uint64_t random = next_random(&seed);
        int places = 1 + (int)(random % 6);
        uint64_t whole = (random >> 8) % 2000000000u;
        uint64_t scale = (uint64_t)llround(pow(10, places));
        uint64_t part = next_random(&seed) % scale;
        if (part % 10 == 0)
            part++;
        (void)snprintf(text, sizeof text, "%llu.%0*llu", (unsigned long long)whole, places, (unsigned long long)part);
        double value;
        assert_true(num_parse_double(slice_of(text), &value));
        assert_layout(value, text);
    }
}

static void real_data_reads_and_writes_exactly(void **state)
{
    (void)state;
    const char *root = getenv("NOF0_TEST_DATA");
    char folder[512];
    (void)snprintf(folder, sizeof folder, "%s/2025-10-26", root ? root : "../shared/data");
    DIR *dir = opendir(folder);
    if (!dir) {
        skip();
        return;
    }
    size_t numbers = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[1024];
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (!strstr(entry->d_name, ".json"))
            continue;
        struct buf text = BUF_INIT;
        assert_true(file_read(path, SIZE_MAX - 1, &text, NULL));
        const char *at = buf_cstr(&text);
        while ((at = strpbrk(at, "-0123456789"))) {
            size_t length = strspn(at, "-+.eE0123456789");
            double value;
            /* Texts hold runs like "2025-10-25" too; those are no numbers. */
            if (num_parse_double((struct slice){at, length}, &value)) {
                assert_true(bits_of(value) == bits_of(strtod(at, NULL)));
                assert_shortest(value);
                numbers++;
            }
            at += length;
        }
        buf_free(&text);
    }
    (void)closedir(dir);
    assert_true(numbers > 1000);
}

static void parse_refuses_what_json_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "-",    "+1",    "01",    "-01", "1.",   ".5",     "-.5",  "1e",
                                      "1e+", "0x10", "1 ",    " 1",    "NaN", "nan",  "inf",    "-inf", "1e309",
                                      "1,5", "1_0",  "--1",   "1e1.5", "1f",  "00",   "1.e",    "1e-+", "0.1.",
                                      "e5",  "-e5",  "1.2.3", "١",     "1e",  "-0x1", "-1e400", "1E"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double value = 7;
        if (num_parse_double(slice_of(bad[i]), &value))
            fail_msg("\"%s\" was taken as %g", bad[i], value);
        assert_true(value == 7);
    }
    double value = 7;
    assert_false(num_parse_double((struct slice){"1\0", 2}, &value));
}

static void parse_rounds_correctly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bits;
    } cases[] = {
        {"0", 0},
        {"-0", UINT64_C(1) << 63},
        {"-0.0e5", UINT64_C(1) << 63},
        {"1E2", 0x4059000000000000},
        {"5e-324", 1},
        {"2.4703282292062327e-324", 0}, /* just under half the smallest */
        {"2.4703282292062328e-324", 1},
        {"1e-400", 0},
        {"2.2250738585072011e-308", 0x000FFFFFFFFFFFFF},
        {"1.7976931348623157e308", 0x7FEFFFFFFFFFFFFF},
        {"9007199254740993", 0x4340000000000000}, /* a tie goes to even */
        {"9007199254740993.0000000000000000000000000001", 0x4340000000000001},
        {"0.30000000000000004", 0x3FD3333333333334},
        {"1e0000000000000000000000000001", 0x4024000000000000},
        {"100000000000000000000000e-23", 0x3FF0000000000000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value;
        assert_true(num_parse_double(slice_of(cases[i].text), &value));
        if (bits_of(value) != cases[i].bits)
            fail_msg("%s was read as %a", cases[i].text, value);
    }
}

static void parse_takes_very_long_numbers(void **state)
{
    (void)state;
    struct buf text = BUF_INIT;
    buf_append_str(&text, "0.5");
    for (int i = 0; i < 5000; i++)
        buf_append_char(&text, '0');
    buf_append_char(&text, '1');
    double value;
    assert_true(num_parse_double(buf_slice(&text), &value));
    assert_true(value == 0.5);
    buf_clear(&text);
    for (int i = 0; i < 400; i++)
        buf_append_char(&text, '9');
    assert_false(num_parse_double(buf_slice(&text), &value));
    buf_append_str(&text, "e-395");
    assert_true(num_parse_double(buf_slice(&text), &value));
    assert_true(value == 1e5);
    buf_free(&text);
}

static void parse_equals_the_library_on_random_text(void **state)
{
    (void)state;
    uint64_t seed = 99;
    for (int i = 0; i < 200000; i++) {
        char text[64];
        double random = double_of(next_random(&seed));
        if (!isfinite(random))
            continue;
        (void)snprintf(text, sizeof text, "%.*e", i % 24, random);
        double value;
        double expected = strtod(text, NULL);
        assert_int_equal(num_parse_double(slice_of(text), &value), isfinite(expected) ? 1 : 0);
        if (isfinite(expected))
            assert_true(bits_of(value) == bits_of(expected));
    }
}

static void integers_print_and_parse(void **state)
{
    (void)state;
    static const int64_t values[] = {0, 1, -1, 9, 10, -10, 1122014183665846, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[NUM_TEXT_SIZE];
        char expected[NUM_TEXT_SIZE];
        size_t n = num_format_i64(text, values[i]);
        int m = snprintf(expected, sizeof expected, "%lld", (long long)values[i]);
        assert_int_equal(n, m);
        assert_memory_equal(text, expected, n);
        int64_t back = 5;
        assert_true(num_parse_i64((struct slice){text, n}, &back));
        assert_true(back == values[i]);
    }
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      "01",
                                      "-01",
                                      "-0",
                                      "1.0",
                                      "1e3",
                                      " 1",
                                      "1 ",
                                      "0x1",
                                      "1a",
                                      "--1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "92233720368547758070"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t value = 5;
        assert_false(num_parse_i64(slice_of(bad[i]), &value));
        assert_true(value == 5);
    }
}

/* Numbers of any size for the next test, 32 bits a limb, lowest first. */
enum { LIMBS = 96 };

static uint32_t divide_small(uint32_t *limbs, uint32_t divisor)
{
    uint64_t rest = 0;
    for (size_t i = LIMBS; i-- > 0;) {
        uint64_t part = rest << 32 | limbs[i];
        limbs[i] = (uint32_t)(part / divisor);
        rest = part % divisor;
    }
    return (uint32_t)rest;
}

static void multiply_small(uint32_t *limbs, uint32_t factor)
{
    uint64_t carry = 0;
    for (size_t i = 0; i < LIMBS; i++) {
        carry += (uint64_t)limbs[i] * factor;
        limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static bool bit_at(const uint32_t *limbs, int bit)
{
    return limbs[bit / 32] >> (bit % 32) & 1;
}

/* The top 128 bits, rounded up when anything stands below them or was already lost. */
static struct num_power top_bits_rounded_up(const uint32_t *limbs, bool lost)
{
    int top = LIMBS * 32 - 1;
    while (!bit_at(limbs, top))
        top--;
    struct num_power power = {0, 0};
    for (int i = 0; i < 64; i++) {
        power.hi = power.hi << 1 | bit_at(limbs, top - i);
        power.lo = power.lo << 1 | bit_at(limbs, top - 64 - i);
    }
    for (int bit = top - 128; bit >= 0 && !lost; bit--)
        lost = bit_at(limbs, bit);
    power.lo += lost;
    power.hi += lost && power.lo == 0;
    return power;
}

static void the_table_of_powers_is_right(void **state)
{
    (void)state;
    uint32_t up[LIMBS] = {0};
    up[8] = 1; /* 256 zero bits below, so that 1 has 128 bits to show */
    for (int k = 0; k <= NUM_POWER_MAX; k++) {
        struct num_power expected = top_bits_rounded_up(up, false);
        assert_true(num_powers[k - NUM_POWER_MIN].hi == expected.hi);
        assert_true(num_powers[k - NUM_POWER_MIN].lo == expected.lo);
        multiply_small(up, 10);
    }
    uint32_t down[LIMBS] = {0};
    down[LIMBS - 1] = 1;
    bool lost = false;
    for (int k = -1; k >= NUM_POWER_MIN; k--) {
        lost |= divide_small(down, 10) != 0;
        struct num_power expected = top_bits_rounded_up(down, lost);
        assert_true(num_powers[k - NUM_POWER_MIN].hi == expected.hi);
        assert_true(num_powers[k - NUM_POWER_MIN].lo == expected.lo);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_is_ecmascripts),
        cmocka_unit_test(every_power_of_two_is_shortest),
        cmocka_unit_test(every_power_of_ten_is_shortest),
        cmocka_unit_test(random_bit_patterns_are_shortest),
        cmocka_unit_test(random_subnormals_are_shortest),
        cmocka_unit_test(short_decimals_come_out_as_written),
        cmocka_unit_test(real_data_reads_and_writes_exactly),
        cmocka_unit_test(parse_refuses_what_json_refuses),
        cmocka_unit_test(parse_rounds_correctly),
        cmocka_unit_test(parse_takes_very_long_numbers),
        cmocka_unit_test(parse_equals_the_library_on_random_text),
        cmocka_unit_test(integers_print_and_parse),
        cmocka_unit_test(the_table_of_powers_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
