#include "base/testing.h"
#include "ingest/feed_place.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 400 };

static uint64_t random_state = 20251026;

static size_t below(size_t limit)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(random_state >> 33) % limit;
}

static void numbers_lie_between(void **state)
{
    (void)state;
    int64_t ordinals[5];
    assert_true(feed_space(INT64_MIN, INT64_MAX, 5, ordinals));
    assert_true(feed_space(INT64_MIN, 7, 5, ordinals));
    assert_true(ordinals[4] < 7 && ordinals[0] < ordinals[1]);
    assert_true(feed_space(7, INT64_MAX, 5, ordinals));
    assert_true(ordinals[0] > 7 && ordinals[4] > ordinals[3]);
    assert_true(feed_space(10, 16, 5, ordinals));
    for (int i = 0; i < 5; i++)
        assert_int_equal(ordinals[i], 11 + i);
    assert_false(feed_space(10, 15, 5, ordinals));
}

/* A feed as a caller keeps it: merged piece by piece. */
struct feed {
    struct feed_item items[MOST];
    size_t count;
};

static void merge(struct feed *feed, const struct feed_item *fresh, size_t count, enum feed_direction direction,
                  const struct feed_bounds *bounds)
{
    struct arena *arena = arena_new(0);
    struct feed_item *out;
    size_t left;
    feed_merge(feed->items, feed->count, fresh, count, direction, bounds, arena, &out, &feed->count, &left);
    assert_true(feed->count <= MOST);
    for (size_t i = 0; i < feed->count; i++) {
        feed->items[i] = out[i];
        feed->items[i].is_new = feed->items[i].moved = false;
        assert_true(feed->items[i].ordinal > bounds->low && feed->items[i].ordinal < bounds->high);
        assert_true(i == 0 || feed->items[i].ordinal > feed->items[i - 1].ordinal);
    }
    arena_free(arena);
}

static char keys[MOST][8];

static struct feed_item item_of(size_t number, bool ranked)
{
    (void)snprintf(keys[number], sizeof keys[number], "k%03zu", number);
    return (struct feed_item){.rank = ranked ? (double)(number - number % 3) : 0,
                              .key = slice_of(keys[number]),
                              .is_new = true,
                              .tag = number};
}

/* Whatever the order and the pieces in which items come, the feed is the same. */
static void any_order_gives_the_same(enum feed_direction direction, bool ranked, const struct feed_bounds *bounds,
                                     bool imported)
{
    enum { ITEMS = 150 };
    struct feed *first = NULL;
    for (int round = 0; round < 20; round++) {
        struct feed *feed = calloc(1, sizeof *feed);
        size_t order[ITEMS];
        /* An imported stretch in an order of its own, without room between its rows. */
        for (size_t i = 0; imported && i < 5; i++) {
            feed->items[i] = item_of(300 + (i * 37) % 50, ranked);
            feed->items[i].ordinal = (INT64_C(1) << 31) + (int64_t)i;
            feed->items[i].is_new = false;
            feed->count++;
        }
        for (size_t i = 0; i < ITEMS; i++)
            order[i] = i * 2;
        for (size_t i = ITEMS - 1; i > 0; i--) {
            size_t other = below(i + 1);
            size_t kept = order[i];
            order[i] = order[other];
            order[other] = kept;
        }
        for (size_t i = 0; i < ITEMS;) {
            struct feed_item fresh[ITEMS];
            size_t n = 0;
            for (size_t piece = 1 + below(9); piece > 0 && i < ITEMS; piece--)
                fresh[n++] = item_of(order[i++], ranked);
            merge(feed, fresh, n, direction, bounds);
        }
        if (!first) {
            first = feed;
            continue;
        }
        assert_int_equal(feed->count, first->count);
        for (size_t i = 0; i < feed->count; i++)
            assert_int_equal(feed->items[i].tag, first->items[i].tag);
        free(feed);
    }
    free(first);
}

static void order_of_coming_does_not_matter(void **state)
{
    (void)state;
    const struct feed_bounds open = {INT64_MIN, INT64_MAX, SIZE_MAX};
    const struct feed_bounds run = {0, INT64_C(1) << 32, 100};
    const struct feed_bounds narrow = {0, 400, SIZE_MAX};
    any_order_gives_the_same(FEED_UP, false, &open, false);
    any_order_gives_the_same(FEED_DOWN, true, &run, false);
    any_order_gives_the_same(FEED_UP, true, &narrow, false);
    any_order_gives_the_same(FEED_DOWN, true, &run, true);
    any_order_gives_the_same(FEED_UP, false, &run, true);
}

static void rows_that_stand_seldom_move(void **state)
{
    (void)state;
    const struct feed_bounds run = {0, INT64_C(1) << 32, SIZE_MAX};
    struct feed feed = {.count = 0};
    size_t moved = 0;
    for (size_t i = 0; i < 300; i++) { /* each newer than all before: in front */
        struct arena *arena = arena_new(0);
        struct feed_item fresh = item_of(i, true);
        struct feed_item *out;
        size_t left;
        size_t count;
        feed_merge(feed.items, feed.count, &fresh, 1, FEED_DOWN, &run, arena, &out, &count, &left);
        for (size_t k = 0; k < count; k++) {
            moved += out[k].moved;
            feed.items[k] = out[k];
            feed.items[k].is_new = feed.items[k].moved = false;
        }
        feed.count = count;
        arena_free(arena);
    }
    assert_int_equal(moved, 0);
    assert_int_equal(feed.items[0].tag, 299);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_lie_between),
        cmocka_unit_test(order_of_coming_does_not_matter),
        cmocka_unit_test(rows_that_stand_seldom_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
