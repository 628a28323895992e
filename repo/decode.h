/* From a binary query result to row structs. */
#ifndef NOF0_REPO_DECODE_H
#define NOF0_REPO_DECODE_H

#include "base/arena.h"
#include "base/err.h"
#include "repo/table.h"

#include <libpq-fe.h>

/* Fills out_row (the table's row struct) from one row of a result in binary format whose fields from `first_field` on
 * are the table's columns in .def order (table_put_columns). Row 0 goes first: with it the fields' types are looked at.
 * Slices point into the PGresult, and where the text had to be made (a UUID, a JSONB value that was stored in its
 * "$exact" form) into the arena; so the row lives as long as both. False when a field is missing, is not binary, has
 * another type or a NULL where the .def forbids one (ERR_INTERNAL), or holds what the column's C type cannot
 * (ERR_LIMIT: an instant beyond 64 bits of microseconds). The text says table and column. An infinite timestamp is
 * INT64_MAX or INT64_MIN. Binary formats: Postgres's *_send functions. */
bool table_decode(const struct table *table, const PGresult *result, int row, int first_field, void *out_row,
                  struct arena *arena, struct err *err) MUST_CHECK;

/* The Postgres type of a column kind, as in pg_type, and of an array of such. */
Oid col_kind_oid(enum col_kind kind);
Oid col_kind_array_oid(enum col_kind kind);

/* "double precision", "bigint", ...: as information_schema.columns.data_type spells it. */
const char *col_kind_sql(enum col_kind kind);

#endif
