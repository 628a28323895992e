/* What a worker tells about itself to whoever answers /readyz and /metrics: a copy of its numbers, renewed a few times
 * a second. */
#ifndef NOF0_SERVER_WORKER_REPORT_H
#define NOF0_SERVER_WORKER_REPORT_H

#include "cache/redis.h"
#include "repo/pg_pool.h"
#include "server/answer_cache.h"
#include "server/http.h"
#include "server/stream_hub.h"

struct worker_report {
    struct http_counts http;
    struct answer_counts answers;
    struct stream_counts stream;
    uint64_t hot_hits; /* answered from the table of targets */
    bool has_pool;
    struct pg_pool_state pool;
    bool has_redis;
    struct redis_status redis;
};

#endif
