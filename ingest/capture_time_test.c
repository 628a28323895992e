#include "base/testing.h"
#include "ingest/capture_time.h"

static void durations_have_a_number_and_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"1ms", 1}, {"500ms", 500}, {"10s", 10000}, {"1m", 60000}, {"24h", CAPTURE_DURATION_MAX_MS}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = 0;
        assert_true(capture_duration_parse(slice_of(good[i].text), &ms));
        assert_int_equal(ms, good[i].ms);
    }
    static const char *const bad[] = {"",
                                      "10",
                                      "s",
                                      "0s",
                                      "-1s",
                                      "+1s",
                                      "1.5s",
                                      "1 s",
                                      "1S",
                                      "1sec",
                                      "25h",
                                      "1d",
                                      "01s",
                                      "86401s",
                                      "s10",
                                      "10m5",
                                      "99999999999999999999s"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = 77;
        if (capture_duration_parse(slice_of(bad[i]), &ms))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_int_equal(ms, 77);
    }
}

static void waits_double_to_their_limit(void **state)
{
    (void)state;
    static const int64_t spans[] = {200, 400, 800, 1600, 3200, 5000, 5000};
    for (unsigned tries = 1; tries <= sizeof spans / sizeof spans[0]; tries++) {
        int64_t span = spans[tries - 1];
        assert_int_equal(capture_wait_ms(tries, 0, 0), span / 2);
        assert_int_equal(capture_wait_ms(tries, 0, (uint32_t)(span / 2)), span);
        for (uint32_t random = 1; random; random *= 3) {
            int64_t wait = capture_wait_ms(tries, 0, random);
            assert_true(wait >= span / 2 && wait <= span);
            if (random > UINT32_MAX / 3)
                break;
        }
    }
    assert_int_equal(capture_wait_ms(UINT32_MAX, 0, 0), CAPTURE_WAIT_MAX_MS / 2);
}

static void a_server_may_ask_for_more_time(void **state)
{
    (void)state;
    assert_int_equal(capture_wait_ms(1, 2, 0), 2000);
    assert_int_equal(capture_wait_ms(6, 1, 0), 2500);
    assert_int_equal(capture_wait_ms(1, 3600, 0), CAPTURE_RETRY_AFTER_MAX_MS);
    assert_int_equal(capture_wait_ms(1, INT64_MAX, 0), CAPTURE_RETRY_AFTER_MAX_MS);
    assert_int_equal(capture_wait_ms(1, -5, 0), 100);
}

static void ticks_stay_aligned(void **state)
{
    (void)state;
    assert_int_equal(capture_next_tick(1000, 10, 1000), 1010);
    assert_int_equal(capture_next_tick(1000, 10, 1009), 1010);
    assert_int_equal(capture_next_tick(1000, 10, 1010), 1020);
    assert_int_equal(capture_next_tick(1000, 10, 1037), 1040);
    assert_int_equal(capture_next_tick(1000, 10, 900), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_a_number_and_a_unit),
        cmocka_unit_test(waits_double_to_their_limit),
        cmocka_unit_test(a_server_may_ask_for_more_time),
        cmocka_unit_test(ticks_stay_aligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
