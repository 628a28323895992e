/* The feed ordinals of a file's rows, as docs/architecture.md says: run number * 2^32 + 2^31 + place, where a run is a
 * stretch of rows of one model. */
#ifndef NOF0_INGEST_FEED_ORDER_H
#define NOF0_INGEST_FEED_ORDER_H

#include "base/buf.h"

#include <stdint.h>

struct feed_order {
    struct buf model; /* of the run under way */
    bool started;
    int64_t run;
    int64_t place;
};

#define FEED_ORDER_INIT                                                                                                \
    {                                                                                                                  \
        BUF_INIT, false, 0, 0                                                                                          \
    }

/* The ordinal of the next row, which is of `model` (empty for rows that belong to no model). */
int64_t feed_order_next(struct feed_order *order, struct slice model);
void feed_order_free(struct feed_order *order);

#endif
