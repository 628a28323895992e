/* A place for new rows in the order of a feed, which is kept as numbers (feed_ordinal): between the numbers of their
 * neighbours, so that rows that stand already seldom move.
 *
 * A new row goes right behind the row with the greatest key that is not above its own. Where the rows stand in the
 * order of their keys, so does then the new one; where a feed was imported in another order, rows keep that order. The
 * result does not depend on the order in which new rows come. */
#ifndef NOF0_INGEST_FEED_PLACE_H
#define NOF0_INGEST_FEED_PLACE_H

#include "base/arena.h"

#include <stdint.h>

/* Numbers for `count` rows in order, all strictly between low and high (INT64_MIN, INT64_MAX: no neighbour on that
 * side). False when there is no room. Ranges: low and high are those, or within +-2^62. */
bool feed_space(int64_t low, int64_t high, size_t count, int64_t ordinals[]);

struct feed_item {
    double rank;      /* first key: higher is earlier */
    struct slice key; /* second key */
    int64_t ordinal;
    bool is_new; /* has no ordinal yet */
    bool moved;  /* set here: the ordinal is not what it was */
    size_t tag;  /* the caller's */
};

enum feed_direction {
    FEED_UP,   /* keys ascend (where ranks are equal) */
    FEED_DOWN, /* keys descend */
};

struct feed_bounds {
    int64_t low; /* all ordinals are strictly between; low and high both known, or both without a neighbour */
    int64_t high;
    size_t most; /* rows beyond so many leave the feed; SIZE_MAX: no limit */
};

/* Merges `fresh` (any order) into `standing` (by ordinal) and numbers what needs a number: *out (in the arena) has
 * *count items in feed order with their ordinals; `left` are those of both that fall beyond bounds->most, in
 * *left_count items. Without room between two neighbours all are numbered anew. */
void feed_merge(const struct feed_item *standing, size_t standing_count, const struct feed_item *fresh,
                size_t fresh_count, enum feed_direction direction, const struct feed_bounds *bounds,
                struct arena *arena, struct feed_item **out, size_t *count, size_t *left_count);

#endif
