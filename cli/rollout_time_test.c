#include "base/testing.h"
#include "cli/rollout_time.h"

static void spans_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } cases[] = {
        {"0", 0},
        {"0s", 0},
        {"500ms", 500},
        {"10s", 10000},
        {"5m", 300000},
        {"2h", 7200000},
        {"90d", ROLLOUT_TIME_MAX_MS},
        {"2160h", ROLLOUT_TIME_MAX_MS},
        {"91d", -1},
        {"2161h", -1},
        {"99999999999999999999s", -1},
        {"9223372036854775807ms", -1},
        {"", -1},
        {"5", -1},
        {"s", -1},
        {"-5s", -1},
        {"+5s", -1},
        {"5 s", -1},
        {"5S", -1},
        {"5min", -1},
        {"1.5h", -1},
        {"05s", -1},
        {"5s ", -1},
        {" 5s", -1},
        {"1h30m", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ms = -1;
        bool good = rollout_time_parse(slice_of(cases[i].text), &ms);
        if (good != (cases[i].ms >= 0) || (good && ms != cases[i].ms))
            fail_msg("\"%s\": %d, %lld", cases[i].text, good, (long long)ms);
    }
}

static void spans_are_written(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {
        {INT64_MIN, "0ms"},
        {-1, "0ms"},
        {0, "0ms"},
        {999, "0ms"},
        {1000, "1ms"},
        {350999, "350ms"},
        {1000000, "1s"},
        {59999999, "59s"},
        {60000000, "1m"},
        {603000000, "10m 3s"},
        {3600000000, "1h"},
        {7500000000, "2h 5m"},
        {86399000000, "23h 59m"},
        {86400000000, "1d"},
        {90000000000, "1d 1h"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_INIT;
        rollout_time_put(&out, cases[i].us);
        assert_string_equal(buf_cstr(&out), cases[i].text);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(spans_are_read), cmocka_unit_test(spans_are_written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
