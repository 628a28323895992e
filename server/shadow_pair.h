/* A pair of answers that differ, as it is kept in Redis for people to look at: JSON, the newest first in the list
 * parity:pairs:{endpoint}. What must not be kept is redacted before anything is compared or written. */
#ifndef NOF0_SERVER_SHADOW_PAIR_H
#define NOF0_SERVER_SHADOW_PAIR_H

#include "base/buf.h"
#include "server/endpoints.h"

struct shadow_pair {
    const struct endpoint *endpoint;
    enum flag_mode mode;
    struct slice target;      /* "/api/trades?limit=5" */
    int64_t at_ms;            /* wall clock */
    struct slice left, right; /* whole documents: legacy's, repo's */
};

/* Appends the pair's JSON with the differences of what is redacted (keys as redact_json takes them). It is about
 * `most_bytes` long at most, at least 4096: documents are cut for that, and differences left out after the first
 * hundred or when they take a quarter. */
void shadow_pair_put(const struct shadow_pair *pair, const char *redact, size_t most_bytes, struct buf *out);

#endif
