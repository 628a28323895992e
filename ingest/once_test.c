#include "base/testing.h"
#include "ingest/feed_order.h"
#include "ingest/names.h"
#include "ingest/once.h"

#include <stdio.h>

enum { MANY = 20000 };

static void the_first_is_remembered(void **unused)
{
    (void)unused;
    static char places[MANY];
    struct once *once = once_new();
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < MANY; i++) {
            char key[32];
            int n = snprintf(key, sizeof key, "key %zu", i);
            /* The second round comes from elsewhere, and the first stays. */
            struct slice where = {&places[round == 0 ? i : (i + 1) % MANY], 1};
            assert_ptr_equal(once_add(once, (struct slice){key, (size_t)n}, where).p, &places[i]);
        }
        assert_int_equal(once_count(once), MANY);
    }
    assert_ptr_equal(once_add(once, (struct slice){NULL, 0}, SLICE("e")).p, once_add(once, SLICE(""), SLICE("f")).p);
    once_free(once);
    once_free(NULL);
}

static void bumps_count_from_zero(void **unused)
{
    (void)unused;
    struct once *once = once_new();
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(once_bump(once, SLICE("a")), i);
        if (i % 2 == 0)
            assert_int_equal(once_bump(once, SLICE("b")), i / 2);
    }
    once_free(once);
}

static void names_stand_once(void **unused)
{
    (void)unused;
    struct names names;
    struct buf json = BUF_INIT;
    names_start(&names);
    names_put_json(&names, &json);
    static const char *const added[] = {"b", "b", "a\"", "b", "\xc3\xa9", "a\"", ""};
    for (size_t i = 0; i < sizeof added / sizeof added[0]; i++)
        names_add(&names, slice_of(added[i]));
    names_put_json(&names, &json);
    assert_string_equal(buf_cstr(&json), "[][\"b\",\"a\\\"\",\"\xc3\xa9\",\"\"]");
    buf_free(&json);
    names_stop(&names);
}

static void ordinals_run_by_model(void **unused)
{
    (void)unused;
    const int64_t run = INT64_C(1) << 32;
    const int64_t middle = INT64_C(1) << 31;
    struct feed_order order = FEED_ORDER_INIT;
    assert_true(feed_order_next(&order, SLICE("")) == middle);
    assert_true(feed_order_next(&order, SLICE("")) == middle + 1);
    assert_true(feed_order_next(&order, SLICE("a")) == run + middle);
    assert_true(feed_order_next(&order, SLICE("a")) == run + middle + 1);
    assert_true(feed_order_next(&order, SLICE("ab")) == 2 * run + middle);
    assert_true(feed_order_next(&order, SLICE("a")) == 3 * run + middle);
    feed_order_free(&order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_remembered),
        cmocka_unit_test(bumps_count_from_zero),
        cmocka_unit_test(names_stand_once),
        cmocka_unit_test(ordinals_run_by_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
