/* Whether two JSON texts say the same. */
#ifndef NOF0_INGEST_REDIS_JSON_H
#define NOF0_INGEST_REDIS_JSON_H

#include "base/slice.h"

/* Objects by key in any order, arrays in order, numbers as doubles bit for bit, so that -0 is not 0. False with the
 * first difference in `what` ("$.a[3]: is 1, should be 2"; cut at `size` bytes), also when `held` is no JSON. An
 * `expected` that is none is the same only as the same bytes. */
bool redis_json_same(struct slice expected, struct slice held, char *what, size_t size);

#endif
