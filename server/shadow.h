/* Comparisons while the server serves: of an endpoint that is shadow or canary some of the answers that clients get are
 * held against what the other side answers, by one thread of low priority that waits for nothing a client waits for.
 * What it finds goes into the table parity_runs, /metrics, the log, and, for each lasting difference, both answers into
 * Redis (nof0ctl parity show). docs/flags.md says what counts.
 *
 * Workers hand over what they serve through a tap of their own (server/shadow_tap.h). */
#ifndef NOF0_SERVER_SHADOW_H
#define NOF0_SERVER_SHADOW_H

#include "flags/flags.h"
#include "server/document.h"
#include "server/endpoints.h"
#include "server/legacy_documents.h"
#include "server/snapshot.h"

struct shadow;

struct shadow_config {
    struct snapshot *snapshot; /* whose settings it begins with */
    /* Told on the thread of each comparison that came to its end, and whether the two sides differ. */
    void (*on_compared)(void *arg, const struct settings *settings, enum flag flag, bool different);
    void *arg;
};

/* Starts the thread. NULL with *err when the system refuses. */
struct shadow *shadow_start(const struct shadow_config *config, struct err *err);
/* Ends the thread, soon: what is under way is given up, what was found is written down if Postgres answers. What is
 * offered from then on is refused. NULL is fine. */
void shadow_stop(struct shadow *shadow);
/* Stops it if need be. Taps must be of no use any more. NULL is fine. */
void shadow_free(struct shadow *shadow);

/* From any thread: goes by the settings of another snapshot, by other legacy documents (NULL: none; takes the
 * reference). */
void shadow_go_by(struct shadow *shadow, struct snapshot *snapshot);
void shadow_take_legacy(struct shadow *shadow, struct legacy_documents *documents);

/* An answer that a client gets. */
struct shadow_sighting {
    enum flag flag; /* of its endpoint, */
    enum flag_mode mode;
    enum endpoint_side side; /* which answers */
    struct slice target;     /* as the client sent it, "/api/trades?limit=5"; copied */
    struct document *document;
};
/* From any thread, does not wait: false when there is no room just now, and nothing will come of it. */
bool shadow_offer(struct shadow *shadow, const struct shadow_sighting *sighting);

/* From any thread, does not wait: so many answers were due to be compared and were left out. False: say it again. */
bool shadow_shed(struct shadow *shadow, enum flag flag, enum flag_mode mode, uint64_t count);

/* Appends the metrics of comparisons in the Prometheus text format. From any thread. */
void shadow_print(struct shadow *shadow, struct buf *out);

#endif
