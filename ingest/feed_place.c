#include "ingest/feed_place.h"

#include <stdlib.h>

/* The usual distances: between neighbours, and from the edge of a room that is not to be used up soon. */
static const int64_t stride = INT64_C(1) << 32;
static const int64_t small_stride = INT64_C(1) << 20;

/* `count` numbers behind `low`, `step` apart. */
static void count_up(int64_t low, int64_t step, size_t count, int64_t ordinals[])
{
    for (size_t i = 0; i < count; i++)
        ordinals[i] = low + (int64_t)(i + 1) * step;
}

bool feed_space(int64_t low, int64_t high, size_t count, int64_t ordinals[])
{
    int64_t n = (int64_t)count;
    if (low == INT64_MIN && high == INT64_MAX) {
        count_up(0, stride, count, ordinals);
    } else if (low == INT64_MIN) {
        count_up(high - (n + 1) * stride, stride, count, ordinals);
    } else if (high == INT64_MAX) {
        count_up(low, stride, count, ordinals);
    } else {
        int64_t even = (high - low) / (n + 1);
        if (even == 0)
            return false;
        count_up(low, even < stride ? even : stride, count, ordinals);
    }
    return true;
}

/* As feed_space in a room with edges: close to the neighbour, so that the next ones at the same end find room too. */
static bool space_at_edge(int64_t low, int64_t high, bool low_is_edge, size_t count, int64_t ordinals[])
{
    if (low == INT64_MIN || high == INT64_MAX)
        return feed_space(low, high, count, ordinals);
    int64_t n = (int64_t)count;
    int64_t even = (high - low) / (n + 1);
    int64_t step = even < small_stride ? even : small_stride;
    if (step == 0)
        return false;
    count_up(low_is_edge ? high - (n + 1) * step : low, step, count, ordinals);
    return true;
}

static int compare(const struct feed_item *a, const struct feed_item *b, enum feed_direction direction)
{
    if (a->rank != b->rank)
        return a->rank > b->rank ? -1 : 1;
    int order = slice_compare(a->key, b->key);
    return direction == FEED_UP ? order : -order;
}

static int compare_up(const void *a, const void *b)
{
    return compare(a, b, FEED_UP);
}

static int compare_down(const void *a, const void *b)
{
    return compare(a, b, FEED_DOWN);
}

/* Behind which standing item it goes, plus one; 0: in front of all. */
static size_t place_of(const struct feed_item *item, const struct feed_item *standing, size_t count,
                       enum feed_direction direction)
{
    size_t best = 0;
    for (size_t i = 0; i < count; i++)
        if (compare(&standing[i], item, direction) <= 0 &&
            (best == 0 || compare(&standing[i], &standing[best - 1], direction) >= 0))
            best = i + 1;
    return best;
}

/* Numbers the new ones between their neighbours. False when some stretch has no room. */
static bool number_new(struct feed_item *items, size_t count, const struct feed_bounds *bounds, int64_t *scratch)
{
    for (size_t i = 0; i < count;) {
        size_t end = i;
        while (end < count && items[end].is_new)
            end++;
        if (end > i) {
            int64_t low = i ? items[i - 1].ordinal : bounds->low;
            int64_t high = end < count ? items[end].ordinal : bounds->high;
            bool low_edge = i == 0;
            bool high_edge = end == count;
            bool found = low_edge == high_edge ? feed_space(low, high, end - i, scratch)
                                               : space_at_edge(low, high, low_edge, end - i, scratch);
            if (!found)
                return false;
            for (size_t k = i; k < end; k++)
                items[k].ordinal = scratch[k - i];
        }
        i = end + 1;
    }
    return true;
}

static void number_all(struct feed_item *items, size_t count, const struct feed_bounds *bounds, int64_t *scratch)
{
    if (!feed_space(bounds->low, bounds->high, count, scratch))
        return; /* more rows than numbers: a feed of 2^31 rows of one model */
    for (size_t i = 0; i < count; i++) {
        items[i].moved = !items[i].is_new && items[i].ordinal != scratch[i];
        items[i].ordinal = scratch[i];
    }
}

void feed_merge(const struct feed_item *standing, size_t standing_count, const struct feed_item *fresh,
                size_t fresh_count, enum feed_direction direction, const struct feed_bounds *bounds,
                struct arena *arena, struct feed_item **out, size_t *count, size_t *left_count)
{
    size_t all = standing_count + fresh_count;
    struct feed_item *items = arena_alloc(arena, (all + 1) * sizeof *items);
    struct feed_item *sorted = arena_alloc(arena, (fresh_count + 1) * sizeof *sorted);
    size_t *places = arena_alloc(arena, (fresh_count + 1) * sizeof *places);
    int64_t *scratch = arena_alloc(arena, (all + 1) * sizeof *scratch);
    if (fresh_count) {
        memcpy(sorted, fresh, fresh_count * sizeof *sorted);
        qsort(sorted, fresh_count, sizeof *sorted, direction == FEED_UP ? compare_up : compare_down);
    }
    for (size_t i = 0; i < fresh_count; i++)
        places[i] = place_of(&sorted[i], standing, standing_count, direction);
    size_t n = 0;
    for (size_t at = 0; at <= standing_count; at++) {
        /* Places ascend where the standing ones are in order; where not, each place takes its own. */
        for (size_t i = 0; i < fresh_count; i++)
            if (places[i] == at)
                items[n++] = sorted[i];
        if (at < standing_count)
            items[n++] = standing[at];
    }
    *count = n < bounds->most ? n : bounds->most;
    *left_count = n - *count;
    if (!number_new(items, *count, bounds, scratch))
        number_all(items, *count, bounds, scratch);
    *out = items;
}
