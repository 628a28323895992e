/* Answers from Postgres' rows for who may wait for them: the same reads and assemblers as the workers', over one
 * connection. An event loop of its own runs while an answer is awaited. One thread at a time. */
#ifndef NOF0_SERVER_ROWS_READER_H
#define NOF0_SERVER_ROWS_READER_H

#include "server/document.h"
#include "server/endpoints.h"

struct rows_reader;

/* Connects at the first read. The settings (postgres.*, prices.provider) must outlive the reader. `stop_fd` (-1: none)
 * being readable ends a read with ERR_UNAVAILABLE. NULL with *err when the DSN is no good or the system refuses. */
struct rows_reader *rows_reader_open(const struct settings *settings, int stop_fd, struct err *err);
/* A name lookup under way is waited for. NULL is fine. */
void rows_reader_close(struct rows_reader *reader);

/* False with why the last read failed, when that was because the server is away and less than a second ago: of many
 * who ask one at most waits for it. Connects anew otherwise. */
bool rows_reader_look(struct rows_reader *reader, struct err *err) MUST_CHECK;

/* The answer as a document, with one reference for the caller. NULL with ERR_NONE in *err when the database has nothing
 * of the endpoint at all, neither rows nor a word about its feed (but analytics of one model always have an answer);
 * NULL with *err when it could not be made. Ends by postgres.query_timeout_ms and postgres.connect_timeout_ms. */
struct document *rows_reader_read(struct rows_reader *reader, const struct read_query *query, struct err *err);

#endif
