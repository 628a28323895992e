#include "base/json_read.h"
#include "base/num.h"
#include "base/testing.h"
#include "ingest/instant.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void assert_cut(double seconds, int64_t expected)
{
    int64_t ms;
    assert_true(instant_cut_seconds(seconds, &ms));
    if (ms != expected)
        fail_msg("%.17g gives %lld, not %lld", seconds, (long long)ms, (long long)expected);
}

static void seconds_are_cut_where_their_text_says(void **unused)
{
    (void)unused;
    assert_cut(0, 0);
    assert_cut(-0.0, 0);
    assert_cut(1e-9, 0);
    assert_cut(-1e-9, -1);
    assert_cut(0.0009999, 0);
    assert_cut(0.001, 1);
    assert_cut(-0.001, -1);
    assert_cut(-0.0011, -2);
    assert_cut(-1.5, -1500);
    assert_cut(1760740073, 1760740073000);
    assert_cut(1761418991.842, 1761418991842);
    assert_cut(1760741902.239835, 1760741902239);
    assert_cut(1760741902.999999, 1760741902999);
    assert_cut(9007199254740.0, 9007199254740000);
    int64_t ms;
    assert_false(instant_cut_seconds(9007199254741.0, &ms));
    assert_false(instant_cut_seconds(-1e300, &ms));
    assert_false(instant_cut_seconds((double)NAN, &ms));
    assert_false(instant_cut_seconds((double)INFINITY, &ms));
}

/* Milliseconds that were written as seconds with three decimals come back, every one. */
static void milliseconds_survive_seconds(void **unused)
{
    (void)unused;
    int64_t ms = 1700000000000;
    for (int i = 0; i < 200000; i++) {
        char text[40];
        double seconds;
        ms += 1 + i % 997;
        int n = snprintf(text, sizeof text, "%lld.%03lld", (long long)(ms / 1000), (long long)(ms % 1000));
        assert_true(num_parse_double((struct slice){text, (size_t)n}, &seconds));
        assert_cut(seconds, ms);
    }
}

static void microseconds_are_the_nearest(void **unused)
{
    (void)unused;
    int64_t us;
    assert_true(instant_us_of_seconds(1761634244.599231, &us));
    assert_true(us == 1761634244599231);
    assert_true(instant_us_of_seconds(-0.5, &us));
    assert_true(us == -500000);
    assert_false(instant_us_of_seconds(1e13, &us));
    assert_false(instant_us_of_seconds(-1e12, &us));
    assert_false(instant_us_of_seconds((double)NAN, &us));
}

static void assert_any(const char *json, bool known, int64_t expected)
{
    cJSON *value = json_parse(slice_of(json), NULL);
    assert_non_null(value);
    int64_t ms = -12345;
    if (instant_of_any(value, &ms) != known)
        fail_msg("%s", json);
    if (known && ms != expected)
        fail_msg("%s gives %lld, not %lld", json, (long long)ms, (long long)expected);
    cJSON_Delete(value);
}

static void timestamps_of_every_kind(void **unused)
{
    (void)unused;
    assert_any("1760738000", true, 1760738000000);
    assert_any("1760738000.25", true, 1760738000250);
    assert_any("1760738000123", true, 1760738000123);
    assert_any("99999999999", true, 99999999999000);
    assert_any("100000000000", true, 100000000000);
    assert_any("1760738000123.9", true, 1760738000123);
    assert_any("\"1760738000\"", true, 1760738000000);
    assert_any("\"1760738000123\"", true, 1760738000123);
    assert_any("\"1970-01-01T00:00:00Z\"", true, 0);
    assert_any("\"1970-01-01T00:00\"", true, 0);
    assert_any("\"1969-12-31 23:59:59.999\"", true, -1);
    assert_any("\"2025-10-26T04:19:12.829Z\"", true, 1761452352829);
    assert_any("\"2025-10-26T04:19:12.829999Z\"", true, 1761452352829);
    assert_any("\"2025-10-26T06:19:12.829+02:00\"", true, 1761452352829);
    assert_any("\"2025-10-25T23:49:12-0430\"", true, 1761452352000);
    assert_any("\"2024-02-29T00:00:00Z\"", true, 1709164800000);
    assert_any("\"2000-02-29 00:00\"", true, 951782400000);
    static const char *const none[] = {"null",
                                       "true",
                                       "[]",
                                       "{}",
                                       "1e300",
                                       "\"\"",
                                       "\"soon\"",
                                       "\"2025-10-26\"",
                                       "\"2025-13-01T00:00:00Z\"",
                                       "\"2025-02-29T00:00:00Z\"",
                                       "\"1900-02-29T00:00:00Z\"",
                                       "\"2025-10-26T24:00:00Z\"",
                                       "\"2025-10-26T04:19:12.Z\"",
                                       "\"2025-10-26T04:19:12Zx\"",
                                       "\"2025-10-26T04:19:12+2\"",
                                       "\"2025-10-26T04:19:12+99:00\"",
                                       "\" 1760738000\"",
                                       "\"0x10\""};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_any(none[i], false, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_are_cut_where_their_text_says),
        cmocka_unit_test(milliseconds_survive_seconds),
        cmocka_unit_test(microseconds_are_the_nearest),
        cmocka_unit_test(timestamps_of_every_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
