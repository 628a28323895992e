/* What happened between two captures of an endpoint, as events (docs/ingest.md). Pure: two texts in, items out. */
#ifndef NOF0_INGEST_CAPTURE_DIFF_H
#define NOF0_INGEST_CAPTURE_DIFF_H

#include "base/buf.h"
#include "ingest/capture_document.h"
#include "ingest/event.h"

struct capture_diff {
    enum capture_endpoint endpoint;
    struct slice before; /* a good text, or empty: nothing was there */
    struct slice now;    /* a good text */
    int64_t at_ms;       /* when it was got; for statements of an answer without serverTime */
    /* Takes an item, which is valid during the call; `path` is where in `now` (of what is gone: in `before`) it comes
     * from, "$.trades[3]". */
    void (*on_item)(void *arg, enum event_kind kind, struct slice item, const char *path);
    void *arg;
};

/* Calls on_item for everything that is new, changed or gone; the order of the items does not matter. Rows that age out
 * of a feed of trades, conversations or account totals are no events.
 *
 * True when the items say all of it. Otherwise appends to *beyond, in a few words, what no event can say (a row that
 * left the leaderboard, another order of rows, a model without positions that is new, ...): only importing the endpoint
 * as a whole brings that. */
bool capture_diff(const struct capture_diff *diff, struct buf *beyond);

#endif
