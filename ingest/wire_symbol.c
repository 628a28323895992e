#include "ingest/wire_symbol.h"

struct slice wire_symbol_from_key(const cJSON *object, struct slice symbol, const char *key, struct wire_remark *remark)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, "symbol");
    if (!member)
        wire_remark_unset(remark, "symbol");
    else if (symbol.p && !slice_is(symbol, key))
        wire_remark_set(remark, "symbol", member);
    return slice_of(key);
}
