/* A query string and a Last-Event-ID of any bytes: what is taken keeps to its ranges, and an id reads back the same. */
#include "server/stream_query.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    const char *end = size ? memchr(bytes, '\n', size) : NULL;
    struct slice raw = {bytes, end ? (size_t)(end - bytes) : size};
    struct slice id = {end ? end + 1 : NULL, end ? size - raw.n - 1 : 0};
    struct arena *arena = arena_new(0);
    struct stream_query query;
    struct param_fault fault;
    if (stream_query_read(raw, id, arena, &query, &fault)) {
        if (query.topics == 0 || query.topics >> STREAM_TOPICS)
            abort();
        if (query.model_id.n && !params_model_id_ok(query.model_id))
            abort();
        char text[CACHE_LIVE_ID_SIZE];
        struct cache_live_id again;
        if (query.resumes && (!cache_live_id_parse(slice_of(cache_live_id_format(text, query.after)), &again) ||
                              cache_live_id_compare(query.after, again) != 0))
            abort();
    } else if (fault.message[0] == '\0') {
        abort();
    }
    arena_free(arena);
    return 0;
}
