#include "cli/parity_store.h"

#include "parity/runs.h"
#include "server/settings.h"

#include <stdio.h>
#include <unistd.h>

bool parity_result_store(const struct parity_result *result, const struct settings *settings, struct err *err)
{
    enum { HOST_SIZE = 256, INSTANCE_SIZE = HOST_SIZE + 16 };
    char host[HOST_SIZE] = "";
    char instance[INSTANCE_SIZE];
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(instance, sizeof instance, "%s:%ld", host, (long)getpid());
    struct session *session = session_open_within(settings->postgres_dsn, settings->postgres_query_timeout_ms, err);
    bool good = session && session_begin(session, err);
    for (size_t i = 0; good && i < result->count; i++) {
        const struct parity_endpoint *endpoint = &result->endpoints[i];
        if (endpoint->comparisons + endpoint->failures == 0)
            continue;
        struct parity_run run = {
            .endpoint = endpoint->endpoint->name,
            .origin = "check",
            .instance = instance,
            .left = result->left,
            .right = result->right,
            .started_us = endpoint->started_us,
            .ended_us = endpoint->ended_us,
            .comparisons = endpoint->comparisons,
            .mismatches = endpoint->mismatches,
            .unsettled = endpoint->moving,
            .failures = endpoint->failures,
            .counts = endpoint->counts,
        };
        good = parity_run_store(session, &run, err);
    }
    good = good && session_commit(session, err);
    session_close(session);
    return good;
}
