/* Bodies, parameters and preconditions of /admin: any bytes. */
#include "base/buf.h"
#include "server/admin_request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct arena *arena = arena_new(0);
    struct admin_wish wish;
    const char *param = NULL;
    struct err err = ERR_INIT;
    int64_t version = -1;
    int64_t limit = 0;
    int64_t after = 0;
    enum admin_fault fault = admin_wish_parse(text, arena, &wish, &param, &err);
    must((fault == ADMIN_GOOD) == (err.code == ERR_NONE));
    err = (struct err)ERR_INIT;
    fault = admin_wish_of_query(text, arena, &wish, &param, &err);
    must((fault == ADMIN_GOOD) == (err.code == ERR_NONE) && fault != ADMIN_MALFORMED);
    must((admin_if_match(text, 7, &version) == ADMIN_MATCH_VERSION) == (version >= 0));
    if (admin_history_query(text, &limit, &after, &param))
        must(limit >= 1 && limit <= 1000 && after >= 0);
    arena_free(arena);
    return 0;
}
