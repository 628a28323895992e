/* What Redis holds may be any bytes: the input is two texts with a zero byte between them, compared both ways. */
#include "base/json_read.h"
#include "ingest/redis_json.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *middle = size ? memchr(data, 0, size) : NULL;
    char what[64];
    if (!middle)
        return 0;
    struct slice a = {(const char *)data, (size_t)(middle - data)};
    struct slice b = {(const char *)middle + 1, size - a.n - 1};
    bool same = redis_json_same(a, b, what, sizeof what);
    if (!same && !memchr(what, '\0', sizeof what))
        abort();
    if (!redis_json_same(a, a, what, sizeof what) || redis_json_same(b, a, what, sizeof what) != same)
        abort();
    return 0;
}
