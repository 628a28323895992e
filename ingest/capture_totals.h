/* Account totals asked for in parts: a server that takes lastHourlyMarker sends only the rows from that hour on. */
#ifndef NOF0_INGEST_CAPTURE_TOTALS_H
#define NOF0_INGEST_CAPTURE_TOTALS_H

#include "base/buf.h"

#include <stdint.h>

struct capture_markers {
    int64_t from;    /* the lowest of the models' newest hours: what to ask from so that no model's rows are missed */
    int64_t highest; /* the newest hour of all */
};

/* Of a good list. False when it cannot be asked for in parts: it is empty, some row has no id of its own, no time,
 * model or hour. */
bool capture_totals_markers(struct slice full, struct capture_markers *markers);

enum capture_totals {
    CAPTURE_TOTALS_WHOLE,  /* the answer is the whole list: the server does not know the parameter */
    CAPTURE_TOTALS_MERGED, /* `out` is the whole list */
    CAPTURE_TOTALS_LOST,   /* the answer does not continue the list (it is empty): ask for everything */
};

/* Takes the rows of `full` from the hour `from` on out, and the answer's rows in by their times, rows of one instant as
 * they stood in the full list, new ones last. Rows keep their bytes; what stands beside them is the answer's. */
enum capture_totals capture_totals_merge(struct slice full, struct slice part, int64_t from, struct buf *out);

#endif
