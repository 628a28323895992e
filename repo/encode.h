/* From row structs to what Postgres takes: parameters of an upsert, and the binary form of COPY (PostgreSQL manual,
 * COPY, "Binary Format"). Only the written columns go out (KEY and DATA), in .def order.
 *
 * Every function checks the row first and says ERR_INVALID with "table.column: what": a NULL where the .def forbids it,
 * a text with a zero byte or over 1 GB, an int beyond 32 bits, a double that is not finite, a malformed UUID. Text is
 * not checked for UTF-8 nor JSON for grammar: Postgres does that. */
#ifndef NOF0_REPO_ENCODE_H
#define NOF0_REPO_ENCODE_H

#include "base/buf.h"
#include "base/err.h"
#include "repo/params.h"
#include "repo/table.h"

/* Adds one parameter per written column: what table_put_upsert's statement takes. */
bool table_put_params(struct params *params, const struct table *table, const void *row, struct err *err) MUST_CHECK;

/* Adds one parameter per written column: the array of that column's values in the `count` rows, as unnest() takes it
 * back apart (repo/many.h). */
bool table_put_arrays(struct params *params, const struct table *table, const void *const *rows, size_t count,
                      struct err *err) MUST_CHECK;

/* The three parts of a binary COPY: once before the rows, each row, once behind them. A row that is refused leaves
 * `out` as it was. */
void table_put_copy_header(struct buf *out);
bool table_put_copy_row(struct buf *out, const struct table *table, const void *row, struct err *err) MUST_CHECK;
void table_put_copy_trailer(struct buf *out);

#endif
