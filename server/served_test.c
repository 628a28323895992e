#include "base/testing.h"
#include "server/served.h"

#include <stdio.h>

static struct served served;
static struct cache_floors floors;

static int set_up(void **state)
{
    (void)state;
    served_init(&served);
    cache_floors_init(&floors);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    served_destroy(&served);
    return 0;
}

static int64_t floor_now(void)
{
    return cache_floor(&floors, CACHE_FEED_trades);
}

static bool note(const char *text, enum answer_room room, uint64_t content, int64_t version)
{
    const struct answer_name name = {.text = slice_of(text), .room = room, .feed = CACHE_FEED_trades};
    return served_note(&served, &floors, &name, content, version);
}

static void test_only_other_content_raises_the_floor(void **state)
{
    (void)state;
    assert_true(note("trades", ANSWER_WHOLE, 1, 100));
    assert_true(note("trades", ANSWER_WHOLE, 1, 110));
    assert_true(note("trades", ANSWER_WHOLE, 1, 90));
    assert_int_equal(floor_now(), 0);
    assert_true(note("trades", ANSWER_WHOLE, 2, 120));
    assert_int_equal(floor_now(), 120);
    assert_int_equal(cache_floor(&floors, CACHE_FEED_positions), 0);
}

static void test_older_content_is_not_to_be_kept(void **state)
{
    (void)state;
    assert_true(note("trades", ANSWER_WHOLE, 1, 100));
    assert_true(note("trades", ANSWER_WHOLE, 1, 110)); /* as good at 110 as at 100 */
    assert_false(note("trades", ANSWER_WHOLE, 2, 105));
    assert_int_equal(floor_now(), 0);
    served_forget(&served);
    assert_true(note("trades", ANSWER_WHOLE, 2, 5));
}

/* However many parts are asked for, none of them is taken for a change, and none takes the place of a whole answer. */
static void test_endless_names_raise_nothing(void **state)
{
    (void)state;
    assert_true(note("trades", ANSWER_WHOLE, 1, 1));
    for (int i = 0; i < 20000; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "trades limit=%d", i);
        assert_true(note(name, ANSWER_PART, (uint64_t)i, 10 + i));
    }
    assert_int_equal(floor_now(), 0);
    assert_false(note("trades", ANSWER_WHOLE, 2, 0));
    assert_true(note("trades", ANSWER_WHOLE, 2, 2));
    assert_int_equal(floor_now(), 2);
}

#define WITH_SERVED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVED(test_only_other_content_raises_the_floor),
        WITH_SERVED(test_older_content_is_not_to_be_kept),
        WITH_SERVED(test_endless_names_raise_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
