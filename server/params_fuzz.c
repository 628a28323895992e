/* A query string of any bytes, for every endpoint: what is taken must keep to the ranges that the table promises. */
#include "server/endpoints.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct endpoint *endpoint = &endpoints[data[0] % READ_KIND_COUNT];
    struct arena *arena = arena_new(0);
    struct read_query query = {.kind = endpoint->kind, .limit = READ_NO_LIMIT};
    struct param_fault fault = {NULL, ""};
    if (params_read(endpoint->params, (struct slice){(const char *)data + 1, size - 1}, arena, &query, &fault)) {
        if (query.limit != READ_NO_LIMIT && query.limit < 1)
            abort();
        if (query.has_min_marker && query.min_marker < 0)
            abort();
        if (query.model_id.p && !params_model_id_ok(query.model_id))
            abort();
    } else if (fault.message[0] == '\0') {
        abort();
    }
    (void)endpoints_match((struct slice){(const char *)data, size}, arena, &query);
    arena_free(arena);
    return 0;
}
