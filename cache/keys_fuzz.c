/* Any bytes as a key: no crash, and what is taken is written back to the same bytes. Any bytes as a parameter: it comes
 * back. */
#include "cache/keys.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t ttl_s[CACHE_TTL_CLASSES];
    struct cache_space space;
    struct err err = ERR_INIT;
    struct cache_key key;
    struct cache_key_parts parts;
    struct slice text = {data ? (const char *)data : "", size};
    if (!cache_space_init(&space, SLICE(""), ttl_s, &err))
        abort();
    if (cache_key_parse(&space, text, &key, &parts) && !slice_equal(cache_key_text(&key), text))
        abort();
    size_t half = size / 2;
    struct slice a = {text.p, half};
    struct slice b = {text.p + half, size - half};
    struct cache_key made = cache_key_market_ctx(&space, a, b);
    if (!cache_key_is_good(&made))
        return 0;
    if (!cache_key_parse(&space, cache_key_text(&made), &key, &parts) || parts.id != CACHE_KEY_market_ctx ||
        !slice_equal(parts.params[0], a) || !slice_equal(parts.params[1], b))
        abort();
    return 0;
}
