#include "base/testing.h"
#include "cli/demo_market.h"

#include <math.h>
#include <stdlib.h>

static void test_division_rounds_to_the_nearest(void **state)
{
    (void)state;
    assert_int_equal(demo_mul_div(7, 1, 2), 4);
    assert_int_equal(demo_mul_div(-7, 1, 2), -4);
    assert_int_equal(demo_mul_div(7, 1, 3), 2);
    assert_int_equal(demo_mul_div(INT64_MAX, INT64_MAX, INT64_MAX), INT64_MAX);
    assert_int_equal(demo_mul_div(INT64_MIN, 1, 1), INT64_MIN);
}

static void test_a_seed_gives_one_market(void **state)
{
    (void)state;
    struct demo_market *a = demo_market_new(11);
    struct demo_market *b = demo_market_new(11);
    struct demo_market *other = demo_market_new(12);
    for (int slot = 0; slot < 500; slot++) {
        for (size_t i = 0; i < DEMO_SYMBOLS; i++)
            assert_int_equal(demo_market_price(a, i, 1000), demo_market_price(b, i, 1000));
        demo_market_step(a);
        demo_market_step(b);
    }
    assert_int_not_equal(demo_market_price(a, 0, 0), demo_market_price(other, 0, 0));
    demo_market_free(a);
    demo_market_free(b);
    demo_market_free(other);
}

/* A level between a slot's two ends is reached where the price stands at it; others are reached at once or not. */
static void test_reach(void **state)
{
    (void)state;
    struct demo_market *market = demo_market_new(3);
    for (int slot = 0; slot < 2000; slot++, demo_market_step(market)) {
        for (size_t i = 0; i < DEMO_SYMBOLS; i++) {
            int64_t from = demo_market_price(market, i, 0);
            int64_t to = demo_market_price(market, i, DEMO_SLOT_US);
            int64_t half_tick = demo_symbols[i].tick / 2;
            int64_t middle = (from + to) / 2;
            bool rising = to > from;
            assert_int_equal(from % half_tick, 0);
            assert_int_equal(demo_market_reach(market, i, from - demo_symbols[i].tick, true), 0);
            assert_int_equal(demo_market_reach(market, i, from + demo_symbols[i].tick, false), 0);
            assert_int_equal(demo_market_reach(market, i, (from > to ? from : to) + demo_symbols[i].tick, true), -1);
            if (llabs(to - from) < demo_symbols[i].tick) /* both ends may round to the same side of the level */
                continue;
            int64_t offset = demo_market_reach(market, i, middle, rising);
            assert_in_range(offset, 0, DEMO_SLOT_US);
            assert_true(llabs(demo_market_price(market, i, offset) - middle) <= half_tick);
        }
    }
    demo_market_free(market);
}

/* Coins move together, prices stay believable for a year, and indicators within their bounds. */
static void test_a_year(void **state)
{
    (void)state;
    enum { HOURS = 8760 };
    struct demo_market *market = demo_market_new(1);
    double before[2] = {0, 0};
    double sum[2] = {0, 0};
    double squares[2] = {0, 0};
    double product = 0;
    for (int hour = 0; hour < HOURS; hour++) {
        double change[2];
        for (size_t i = 0; i < DEMO_SYMBOLS; i++) {
            int64_t price = demo_market_price(market, i, 0);
            const struct demo_frame *fast = demo_market_fast(market, i);
            assert_in_range(price, demo_symbols[i].start_price / 8, demo_symbols[i].start_price * 8);
            assert_in_range(fast->rsi7_milli[DEMO_SERIES - 1], 0, 100000);
            assert_in_range(demo_market_slow(market, i)->rsi14_milli[0], 0, 100000);
            assert_true(fast->atr14 >= 0 && demo_market_volume(market, i, false) > 0);
            assert_true(demo_market_open_interest(market, i, false) > 0);
            assert_true(llabs(fast->close[DEMO_SERIES - 1] - price) <= demo_symbols[i].tick / 2);
        }
        for (size_t i = 0; i < 2; i++) {
            double price = (double)demo_market_price(market, i, 0);
            change[i] = hour ? price / before[i] - 1 : 0;
            before[i] = price;
            sum[i] += change[i];
            squares[i] += change[i] * change[i];
        }
        product += change[0] * change[1];
        for (int64_t slot = 0; slot < DEMO_SLOTS_PER_HOUR; slot++)
            demo_market_step(market);
    }
    double n = HOURS;
    double covariance = product / n - sum[0] / n * (sum[1] / n);
    double deviations =
        sqrt(squares[0] / n - sum[0] / n * (sum[0] / n)) * sqrt(squares[1] / n - sum[1] / n * (sum[1] / n));
    assert_true(covariance / deviations > 0.4 && covariance / deviations < 0.98);
    demo_market_free(market);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_division_rounds_to_the_nearest),
        cmocka_unit_test(test_a_seed_gives_one_market),
        cmocka_unit_test(test_reach),
        cmocka_unit_test(test_a_year),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
