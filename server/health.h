/* What the server says about itself: /healthz, /readyz, /version. Never cached. */
#ifndef NOF0_SERVER_HEALTH_H
#define NOF0_SERVER_HEALTH_H

#include "cache/redis.h"
#include "repo/pg_pool.h"
#include "server/http.h"
#include "server/legacy_documents.h"
#include "server/settings.h"
#include "server/worker.h"

/* What the answering worker knows. */
struct health_view {
    const struct worker_company *company;
    const struct settings *settings;
    const struct pg_pool *pool;               /* NULL: none */
    const struct legacy_documents *documents; /* NULL: none */
    const struct redis_client *redis;         /* NULL: none */
};

/* Answers the request (GET or HEAD). */
typedef void health_handler(const struct health_view *view, struct http_request *request);

/* The handler of the path, or NULL. */
health_handler *health_find(struct slice path);

#endif
