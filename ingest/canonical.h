/* One text for equal content: members by key, numbers by value, no spaces. Negative zero differs from zero. */
#ifndef NOF0_INGEST_CANONICAL_H
#define NOF0_INGEST_CANONICAL_H

#include "base/buf.h"

#include <cjson/cJSON.h>

void json_put_canonical(struct buf *out, const cJSON *value);

/* True when both have the same canonical text. */
bool json_same_content(const cJSON *a, const cJSON *b);

/* The same for two JSON texts; false when one of them is none. */
bool json_same_text(struct slice a, struct slice b);

#endif
