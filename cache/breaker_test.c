#include "base/testing.h"
#include "cache/breaker.h"

static const struct breaker_settings settings = {3, 1000, 100, 400};

static void three_in_a_row_open_it(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, &settings);
    for (int i = 0; i < 10; i++) { /* never three in a row */
        assert_true(breaker_passes(&b, 0));
        assert_false(breaker_ended(&b, 0, i % 3 == 2, 10));
    }
    breaker_init(&b, &settings);
    assert_false(breaker_ended(&b, 0, false, 10));
    assert_false(breaker_ended(&b, 0, true, 1001)); /* slow is as bad */
    assert_true(breaker_ended(&b, 0, false, 10));
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_false(breaker_passes(&b, 0));
    assert_false(breaker_passes(&b, 99));
    assert_int_equal(b.held, 2);
    assert_int_equal(b.opened, 1);
}

static void one_tries_and_decides(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, &settings);
    for (int i = 0; i < 3; i++)
        (void)breaker_ended(&b, 0, false, 10);
    /* Rests: 100, 200, 400, 400 ... */
    int64_t now = 0;
    static const int64_t rests[] = {100, 200, 400, 400, 400};
    for (int i = 0; i < 5; i++) {
        assert_false(breaker_passes(&b, now + rests[i] - 1));
        now += rests[i];
        assert_true(breaker_passes(&b, now));
        assert_int_equal(b.state, BREAKER_TRYING);
        assert_false(breaker_passes(&b, now)); /* only one */
        assert_true(breaker_ended(&b, now, false, 10));
    }
    now += 400;
    assert_true(breaker_passes(&b, now));
    assert_false(breaker_ended(&b, now, true, 1000));
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_true(breaker_passes(&b, now));
    for (int i = 0; i < 3; i++)
        (void)breaker_ended(&b, now, false, 10);
    assert_true(breaker_passes(&b, now + 100)); /* short again */
}

static void late_ends_count_for_nothing(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, &settings);
    for (int i = 0; i < 3; i++)
        (void)breaker_ended(&b, 0, false, 10);
    assert_false(breaker_ended(&b, 50, true, 10));
    assert_false(breaker_ended(&b, 50, false, 10));
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_true(breaker_passes(&b, 100));
    /* Its outcome never comes: another one may try. */
    assert_false(breaker_passes(&b, 299));
    assert_true(breaker_passes(&b, 300));
    assert_string_equal(breaker_state_name(b.state), "trying");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_in_a_row_open_it),
        cmocka_unit_test(one_tries_and_decides),
        cmocka_unit_test(late_ends_count_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
