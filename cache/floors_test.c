#include "base/testing.h"
#include "cache/floors.h"

#include <pthread.h>

enum { THREADS = 4, RAISES = 20000 };

struct raiser {
    struct cache_floors *floors;
    int64_t first;
    uint64_t news;
    bool fell;
};

static void *raise_often(void *arg)
{
    struct raiser *raiser = arg;
    int64_t seen = 0;
    for (int64_t i = 0; i < RAISES; i++) {
        if (cache_floor_raise(raiser->floors, CACHE_FEED_trades, raiser->first + i * THREADS))
            raiser->news++;
        int64_t now = cache_floor(raiser->floors, CACHE_FEED_trades);
        if (now < raiser->first + i * THREADS || now < seen)
            raiser->fell = true;
        seen = now;
    }
    return NULL;
}

static void threads_raise_a_floor_together(void **state)
{
    (void)state;
    struct cache_floors floors;
    struct raiser raisers[THREADS];
    pthread_t threads[THREADS];
    cache_floors_init(&floors);
    assert_false(atomic_load(&floors.connected));
    for (int i = 0; i < THREADS; i++) {
        raisers[i] = (struct raiser){&floors, i + 1, 0, false};
        assert_int_equal(pthread_create(&threads[i], NULL, raise_often, &raisers[i]), 0);
    }
    uint64_t news = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        news += raisers[i].news;
        assert_false(raisers[i].fell);
    }
    assert_int_equal(cache_floor(&floors, CACHE_FEED_trades), (int64_t)RAISES * THREADS);
    assert_int_equal(cache_floor(&floors, CACHE_FEED_positions), 0);
    assert_true(news >= RAISES && news <= (uint64_t)RAISES * THREADS);
}

static void losing_counts(void **state)
{
    (void)state;
    struct cache_floors floors;
    cache_floors_init(&floors);
    cache_floors_back(&floors);
    assert_true(atomic_load(&floors.connected));
    cache_floors_lost(&floors);
    cache_floors_lost(&floors);
    assert_false(atomic_load(&floors.connected));
    assert_int_equal(atomic_load(&floors.losses), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_raise_a_floor_together),
        cmocka_unit_test(losing_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
