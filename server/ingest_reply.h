/* What is told of each item: as one document for a JSON body, as lines for newline-delimited JSON. docs/ingest.md has
 * the forms. */
#ifndef NOF0_SERVER_INGEST_REPLY_H
#define NOF0_SERVER_INGEST_REPLY_H

#include "ingest/event.h"

/* {"accepted":n,"duplicate":n,"rejected":n,"items":[{"index":0,"status":"accepted","id":...},...]} */
void ingest_put_document(struct buf *out, const struct event_batch *batch);

/* The status that goes with it: 200 when no item was rejected, 207 when some were, else 422, or 409 when they were
 * rejected as conflicts alone. */
unsigned ingest_status(const struct event_batch *batch);

/* A line for each item; neighbours that fared the same without more to say share one:
 *     {"lines":[1,200],"status":"accepted"}
 *     {"line":201,"status":"rejected","code":"invalid","path":"$.price","reason":"must be over 0"}
 * lines[i]: the line of the i-th item, counted from 1. */
void ingest_put_lines(struct buf *out, const struct event_batch *batch, const uint64_t *lines);

/* The last line: {"done":true,"accepted":n,"duplicate":n,"rejected":n} */
void ingest_put_summary(struct buf *out, const struct event_counts *counts);

/* The last line when it ends early; `line` is the first that was not taken in:
 * {"done":false,"line":7,"error":{"code":...,"message":...}} */
void ingest_put_abort(struct buf *out, uint64_t line, const char *code, const char *message);

#endif
