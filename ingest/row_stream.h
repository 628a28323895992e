/* The rows of a SELECT, a batch at a time through a cursor, so that several results of any size can be read side by
 * side inside one transaction. */
#ifndef NOF0_INGEST_ROW_STREAM_H
#define NOF0_INGEST_ROW_STREAM_H

#include "repo/session.h"

struct row_stream;

/* Declares the cursor `name` (a plain word, unique in the transaction). The statement is "SELECT <columns> FROM <table>
 * <rest>", with the columns of the table under the alias t; `params` may be NULL. NULL on failure. */
struct row_stream *row_stream_open(struct session *session, const char *name, const struct table *table,
                                   const char *rest, const struct params *params, struct err *err);
void row_stream_close(struct row_stream *stream); /* NULL is fine; the cursor ends with the transaction */

/* *row receives the next row (the table's struct), or NULL behind the last; it lives until the next call. False on
 * failure. */
bool row_stream_next(struct row_stream *stream, const void **row, struct err *err) MUST_CHECK;

/* The row that row_stream_next gives next, without taking it. */
bool row_stream_peek(struct row_stream *stream, const void **row, struct err *err) MUST_CHECK;

/* Copies a row with all its texts into the arena. */
void *row_copy(const struct table *table, const void *row, struct arena *arena);

#endif
