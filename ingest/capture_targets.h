/* What a capture fetches: the fixed endpoints, and each model's analytics as the list of models names them. */
#ifndef NOF0_INGEST_CAPTURE_TARGETS_H
#define NOF0_INGEST_CAPTURE_TARGETS_H

#include "base/buf.h"
#include "ingest/capture_document.h"
#include "ingest/capture_state.h"

#define TARGET_NEVER INT64_MAX

struct target {
    enum capture_endpoint endpoint;
    char *model;                 /* of CAPTURE_ANALYTICS_ONE, else NULL */
    char *name;                  /* "analytics-grok-4" */
    char *file;                  /* "analytics-grok-4.json" */
    char *path;                  /* "/api/analytics/grok-4" */
    struct capture_entry *entry; /* of the state */
    int64_t due_us;              /* when to ask (again), on the monotonic clock; TARGET_NEVER */
    bool listed;                 /* the list of models has it (others: always) */
    bool open;                   /* asked in this round, and neither got nor given up */
    bool busy;                   /* a request is under way */
    unsigned tries;              /* requests of this round */
    char *asked;                 /* the path of the last request, with its parameters */
    int64_t asked_from;          /* its lastHourlyMarker; -1: it had none */
    char *trouble;               /* what was last told of it; NULL while it is well */
};

struct targets {
    struct target **list;
    size_t count;
    bool models_known;
};

/* The fixed endpoints, due at once. */
void targets_start(struct targets *targets, struct capture_state *state, int64_t now_us);
void targets_stop(struct targets *targets);

/* Holds the models' targets against a good list of analytics: new ones are due at once, those of models that left it
 * never. Appends the names, with commas, of those that are new and whose names make no file name. */
void targets_set_models(struct targets *targets, struct capture_state *state, struct slice bulk, int64_t now_us,
                        struct buf *unusable);

/* The one that is due first and not under way; NULL when none ever is. */
struct target *targets_next(const struct targets *targets);
/* Whether any is open. */
bool targets_open(const struct targets *targets);

#endif
