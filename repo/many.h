/* Many rows of one table in one statement: arrays go in, a column each, and Postgres takes them apart (unnest). The
 * statements are the same whatever the number of rows, so they are prepared once. For loads of any size, where rows
 * need not be told apart one by one, there is repo/bulk.h. */
#ifndef NOF0_REPO_MANY_H
#define NOF0_REPO_MANY_H

#include "repo/pipeline.h"

/* The statements of one table, which needs KEY columns. */
struct many;
struct many *many_new(const struct table *table);
void many_free(struct many *many);

/* Inserts the rows, or updates those whose key is there with other content. Rows must differ in their key. False with
 * *err (ERR_INVALID) when a row cannot be sent; nothing was added then. The arena must live until the pipeline ran. */
bool many_add_upsert(struct pipeline *pipeline, const struct many *many, const void *const *rows, size_t count,
                     struct arena *arena, struct err *err) MUST_CHECK;

/* Reads the rows with the given keys: `keys` has an array for each KEY column in .def order, all of one length; rows
 * that are not there are left out, and a key that stands twice in the arrays gives its row twice. */
void many_add_load(struct pipeline *pipeline, const struct many *many, const struct params *keys);

/* The rows of a result of many_add_load, or of any statement that selects the table's columns in .def order: *count
 * pointers to row structs, in the arena, which must not outlive `result`. NULL with *err on a failure to decode. */
void **many_decode(const struct table *table, const PGresult *result, size_t *count, struct arena *arena,
                   struct err *err);

#endif
