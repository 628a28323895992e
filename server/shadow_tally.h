/* What comparisons in the server came to: totals for /metrics, and the stretch since it was last written down in
 * parity_runs. From any thread. */
#ifndef NOF0_SERVER_SHADOW_TALLY_H
#define NOF0_SERVER_SHADOW_TALLY_H

#include "base/buf.h"
#include "parity/runs.h"
#include "server/endpoints.h"

enum shadow_result {
    SHADOW_EQUAL,
    SHADOW_DIFFERENT, /* at each look, in the same way */
    SHADOW_UNSETTLED, /* different each time, in another way */
    SHADOW_FAILED,    /* a side could not be made */
    SHADOW_SHED,      /* left out */
    SHADOW_RESULTS
};

struct shadow_tally;
struct shadow_tally *shadow_tally_new(void);
void shadow_tally_free(struct shadow_tally *tally);

/* One comparison. `mode`: of the endpoint when the client was answered. `counts` (NULL: none) says how many differences
 * there are of each class. */
void shadow_tally_add(struct shadow_tally *tally, enum read_kind kind, enum flag_mode mode, enum shadow_result result,
                      const struct parity_counts *counts);

/* The same for some that were left out, without waiting: false, and nothing is added, when somebody else is at it. */
bool shadow_tally_try_shed(struct shadow_tally *tally, enum read_kind kind, enum flag_mode mode, uint64_t times);

/* Whether anything is not written down yet. */
bool shadow_tally_is_due(struct shadow_tally *tally);

/* Adds a row to parity_runs for each endpoint and mode that has news, in one transaction. When that fails they stay and
 * are added to what comes. Blocks. */
bool shadow_tally_store(struct shadow_tally *tally, struct session *session, struct err *err) MUST_CHECK;

/* Reads how long each endpoint is green, of the last age_s seconds, for the metrics. Blocks. */
bool shadow_tally_look(struct shadow_tally *tally, struct session *session, int64_t age_s, struct err *err) MUST_CHECK;

/* Appends the metrics in the Prometheus text format. */
void shadow_tally_print(struct shadow_tally *tally, struct buf *out);

/* "host:pid", who compares. */
enum { SHADOW_INSTANCE_SIZE = 96 };
char *shadow_instance(char out[SHADOW_INSTANCE_SIZE]);

#endif
