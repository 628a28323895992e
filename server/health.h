/* What the server says about itself: /healthz, /readyz, /version, /metrics. Never cached. */
#ifndef NOF0_SERVER_HEALTH_H
#define NOF0_SERVER_HEALTH_H

#include "server/http.h"
#include "server/legacy_documents.h"
#include "server/settings.h"
#include "server/worker.h"

/* What the answering worker knows. */
struct health_view {
    const struct worker_company *company;
    const struct settings *settings;
    const struct flag_set *flags;
    const struct legacy_documents *documents; /* NULL: none */
    struct worker *self;                      /* who answers; NULL: nobody of the company */
};

/* Answers the request (GET or HEAD). */
typedef void health_handler(const struct health_view *view, struct http_request *request);

/* The handler of the path, or NULL. */
health_handler *health_find(struct slice path);

#endif
