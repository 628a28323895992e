/* What follows from a table's .def: a description that one decoder, one upsert builder and one COPY encoder work from.
 */
#ifndef NOF0_REPO_TABLE_H
#define NOF0_REPO_TABLE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "repo/rows.h"

enum col_role { COL_KEY, COL_DATA, COL_AUTO, COL_TOUCH };

struct column {
    const char *name;
    enum col_kind kind;
    bool not_null;
    enum col_role role;
    size_t offset; /* in the row struct */
};

struct table {
    const char *name;
    const struct column *columns;
    size_t column_count;
    size_t row_size; /* sizeof the row struct */
};

/* One per line of repo/tables.def: table_trades, table_positions, ... */
#define TABLE(name) extern const struct table table_##name;
#include "repo/tables.def"
#undef TABLE

/* All of them, in the order of repo/tables.def. */
extern const struct table *const repo_tables[];
extern const size_t repo_table_count;

/* NULL when no table has the name. */
const struct table *repo_table_find(const char *name);

/* "id, model_id, ..." in .def order, each with `prefix` in front ("t." or ""). */
void table_put_columns(struct buf *out, const struct table *table, const char *prefix);

/* The same without AUTO and TOUCH columns: what an insert or a COPY names. */
void table_put_written_columns(struct buf *out, const struct table *table);

/* " ON CONFLICT (keys) DO UPDATE SET data = EXCLUDED.data, ..., updated_at = now() WHERE the row differs", so that
 * importing twice writes nothing. Nothing at all for a table without KEY columns. */
void table_put_on_conflict(struct buf *out, const struct table *table);

/* "INSERT INTO name (...) VALUES ($1, ...) ON CONFLICT ...". */
void table_put_upsert(struct buf *out, const struct table *table);

/* The pieces that those are made of. */

/* KEY or DATA: the columns that a writer gives. */
bool column_is_written(const struct column *column);

/* "a, b, ..." of one role with `prefix` in front of each; returns how many. */
size_t table_put_role_columns(struct buf *out, const struct table *table, enum col_role role, const char *prefix);

/* A condition that is true when any DATA column differs bit for bit; left and right are prefixes ("t."). */
void table_put_differs(struct buf *out, const struct table *table, const char *left, const char *right);

/* "data = EXCLUDED.data, ..., updated_at = now()" with `source` ("EXCLUDED.") in front of the values. */
void table_put_set(struct buf *out, const struct table *table, const char *source);

#endif
