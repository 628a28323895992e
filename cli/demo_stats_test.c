#include "base/testing.h"
#include "cli/demo_random.h"
#include "cli/demo_stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void assert_near(double a, double b)
{
    double scale = fabs(a) > fabs(b) ? fabs(a) : fabs(b);
    if (!(fabs(a - b) <= 1e-9 * (scale > 1 ? scale : 1)))
        fail_msg("%.17g is not %.17g", a, b);
}

static void test_empty_and_single(void **state)
{
    (void)state;
    struct demo_moments moments = {0};
    struct demo_samples samples = {NULL, 0, 0};
    struct demo_counts counts = {{0}};
    assert_true(demo_moments_mean(&moments, 10) == 0);
    assert_true(demo_moments_deviation(&moments, 10) == 0);
    assert_true(demo_moments_least(&moments, 10) == 0);
    assert_true(demo_samples_median(&samples, 10) == 0);
    assert_true(demo_counts_median(&counts, 10) == 0);
    demo_moments_add(&moments, -25);
    assert_true(demo_moments_mean(&moments, 10) == -2.5);
    assert_true(demo_moments_most(&moments, 10) == -2.5);
    assert_true(demo_moments_deviation(&moments, 10) == 0);
}

/* Against the textbook formulas in long double, over values as large as the demo has them. */
static void test_against_the_textbook(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static const int64_t ranges[] = {3, 1000, INT64_C(100000000000)};
    struct demo_random random;
    demo_random_seed(&random, 42, 0);
    for (size_t r = 0; r < sizeof ranges / sizeof ranges[0]; r++) {
        static int64_t values[COUNT];
        struct demo_moments moments = {0};
        long double sum = 0;
        long double squares = 0;
        for (int i = 0; i < COUNT; i++) {
            values[i] = demo_random_between(&random, -ranges[r], ranges[r]);
            demo_moments_add(&moments, values[i]);
            sum += (long double)values[i];
        }
        for (int i = 0; i < COUNT; i++)
            squares += ((long double)values[i] - sum / COUNT) * ((long double)values[i] - sum / COUNT);
        assert_near(demo_moments_mean(&moments, 1000), (double)(sum / COUNT / 1000));
        assert_near(demo_moments_deviation(&moments, 1000), (double)(sqrtl(squares / (COUNT - 1)) / 1000));
        assert_near(demo_moments_sum(&moments, 1000), (double)(sum / 1000));
        /* What was taken out again leaves no trace. */
        for (int i = 1; i < COUNT; i++)
            demo_moments_remove(&moments, values[i]);
        assert_true(demo_moments_mean(&moments, 1) == (double)values[0]);
    }
}

static void test_both_medians_agree(void **state)
{
    (void)state;
    struct demo_random random;
    demo_random_seed(&random, 7, 0);
    for (int count = 1; count < 60; count++) {
        struct demo_samples samples = {NULL, 0, 0};
        struct demo_counts counts;
        memset(&counts, 0, sizeof counts);
        for (int i = 0; i < count; i++) {
            int64_t value = demo_random_between(&random, 0, DEMO_COUNTS_MOST);
            demo_samples_add(&samples, value);
            counts.of[value]++;
        }
        double median = demo_samples_median(&samples, 100);
        assert_true(median == demo_counts_median(&counts, 100));
        size_t below = 0;
        size_t above = 0;
        for (size_t i = 0; i < samples.count; i++) {
            below += (double)samples.values[i] / 100 < median;
            above += (double)samples.values[i] / 100 > median;
        }
        assert_true(below <= samples.count / 2 && above <= samples.count / 2);
        demo_samples_free(&samples);
    }
}

static void test_random_numbers(void **state)
{
    (void)state;
    struct demo_random a;
    struct demo_random b;
    struct demo_random other;
    struct demo_moments normal = {0};
    int64_t seen[7] = {0};
    demo_random_seed(&a, 1, 2);
    demo_random_seed(&b, 1, 2);
    demo_random_seed(&other, 1, 3);
    assert_true(demo_random_next(&a) == demo_random_next(&b));
    assert_true(demo_random_next(&a) != demo_random_next(&other));
    for (int i = 0; i < 70000; i++) {
        int64_t value = demo_random_between(&a, -3, 3);
        assert_in_range(value + 3, 0, 6);
        seen[value + 3]++;
        demo_moments_add(&normal, demo_random_normal(&a));
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 9500, 10500);
    assert_true(fabs(demo_moments_mean(&normal, DEMO_SIGMA)) < 0.02);
    assert_true(fabs(demo_moments_deviation(&normal, DEMO_SIGMA) - 1) < 0.02);
    assert_int_equal(demo_random_between(&a, INT64_MIN, INT64_MIN), INT64_MIN);
    (void)demo_random_between(&a, INT64_MIN, INT64_MAX);

    char uuid[DEMO_UUID_SIZE];
    demo_random_uuid(&a, uuid);
    assert_int_equal(strlen(uuid), 36);
    assert_int_equal(uuid[14], '4');
    assert_non_null(strchr("89ab", uuid[19]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_and_single),
        cmocka_unit_test(test_against_the_textbook),
        cmocka_unit_test(test_both_medians_agree),
        cmocka_unit_test(test_random_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
