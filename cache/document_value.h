/* A document as it lies in Redis: a header, then ETag, body and compressed body as they are.
 *
 *   bytes   what
 *   0-5     "nof0d1": what it is, and the format's version
 *   6-25    version of the data, 20 decimal digits, so that a script in Redis can read it
 *   26-33   XXH3-64 of all other bytes; this and all below little-endian
 *   34-41   milliseconds that Redis keeps it after it is no longer fresh
 *   42-49   when it was built, milliseconds since 1970
 *   50-57   the tail's time, milliseconds since 1970
 *   58-61   flags
 *   62-65   the tail's kind
 *   66-77   lengths of ETag, body and compressed body, 4 bytes each */
#ifndef NOF0_CACHE_DOCUMENT_VALUE_H
#define NOF0_CACHE_DOCUMENT_VALUE_H

#include "base/buf.h"

#include <stdint.h>

#define DOCUMENT_VALUE_MAGIC "nof0d1"
enum { DOCUMENT_VALUE_HEADER = 78, DOCUMENT_VALUE_VERSION_AT = 6, DOCUMENT_VALUE_VERSION_DIGITS = 20 };

/* What flags, tail kinds and ETags mean is the server's matter; here they are kept. */
struct document_value {
    int64_t version;  /* 0 or more */
    int64_t stale_ms; /* 0 or more */
    int64_t built_ms;
    int64_t tail_time_ms;
    uint32_t flags;
    uint32_t tail_kind;
    struct slice etag;
    struct slice body;
    struct slice gzip; /* empty: none */
};

/* Appends the value. Each part must be shorter than 4 GiB. */
void document_value_encode(const struct document_value *value, struct buf *out);

/* Takes a value apart; the slices point into `bytes`. False when it is damaged, foreign, or of another format version.
 */
bool document_value_decode(struct slice bytes, struct document_value *value);

#endif
