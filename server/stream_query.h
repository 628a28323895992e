/* What a client of the live stream asks for. */
#ifndef NOF0_SERVER_STREAM_QUERY_H
#define NOF0_SERVER_STREAM_QUERY_H

#include "cache/live.h"
#include "server/http.h"
#include "server/params.h"

enum stream_topic {
    STREAM_PRICES,
    STREAM_TRADES,
    STREAM_POSITIONS,
    STREAM_ACCOUNT_TOTALS,
    STREAM_LEADERBOARD,
    STREAM_CONVERSATIONS,
    STREAM_TOPICS
};

/* By its name in requests and events. */
bool stream_topic_parse(struct slice name, enum stream_topic *topic);

struct stream_query {
    unsigned topics;       /* 1U << enum stream_topic each */
    struct slice model_id; /* empty: all */
    bool resumes;
    struct cache_live_id after; /* when it resumes */
};

/* Reads the raw query string and the Last-Event-ID header (p NULL: none), which counts more than the parameter
 * last_event_id: a client keeps its URL when it comes again. An empty one of either stands for none. False with *fault
 * on the first fault. */
bool stream_query_read(struct slice raw, struct slice last_event_id, struct arena *arena, struct stream_query *query,
                       struct param_fault *fault);

#endif
