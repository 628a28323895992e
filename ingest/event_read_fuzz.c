/* Any bytes as an item of each kind: pending, or rejected with a place (a long one
 * keeps its end) and a reason. */
#include "ingest/event.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    for (enum event_kind kind = 0; kind < EVENT_KIND_COUNT; kind++) {
        struct event_batch *batch = event_batch_new(kind, "arena");
        event_batch_add(batch, (struct slice){(const char *)bytes, size});
        const struct event_outcome *outcome = event_batch_outcome(batch, 0);
        bool pending = outcome->status == EVENT_PENDING && outcome->id.p && outcome->id.n;
        bool rejected = outcome->status == EVENT_REJECTED && strcmp(outcome->code, "invalid") == 0 && outcome->path.n &&
                        memchr("$.", outcome->path.p[0], 2) && outcome->reason.n;
        if (event_batch_count(batch) != 1 || pending == rejected)
            abort();
        event_batch_free(batch);
    }
    return 0;
}
