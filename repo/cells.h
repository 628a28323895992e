/* Single fields of a binary result, for statements whose columns are not a table's. The caller knows the types. */
#ifndef NOF0_REPO_CELLS_H
#define NOF0_REPO_CELLS_H

#include "repo/columns.h"

#include <endian.h>
#include <libpq-fe.h>

/* p == NULL for NULL; points into the result. */
static inline struct slice cell_text(const PGresult *result, int row, int field)
{
    if (PQgetisnull(result, row, field))
        return (struct slice){NULL, 0};
    return (struct slice){PQgetvalue(result, row, field), (size_t)PQgetlength(result, row, field)};
}

/* A bigint. */
static inline struct col_i64 cell_i64(const PGresult *result, int row, int field)
{
    uint64_t big = 0;
    if (PQgetisnull(result, row, field) || PQgetlength(result, row, field) != sizeof big)
        return (struct col_i64){0, false};
    memcpy(&big, PQgetvalue(result, row, field), sizeof big);
    return col_i64((int64_t)be64toh(big));
}

/* A double precision. */
static inline struct col_f64 cell_f64(const PGresult *result, int row, int field)
{
    uint64_t bits = 0;
    double value = 0;
    if (PQgetisnull(result, row, field) || PQgetlength(result, row, field) != sizeof bits)
        return (struct col_f64){0, false};
    memcpy(&bits, PQgetvalue(result, row, field), sizeof bits);
    bits = be64toh(bits);
    memcpy(&value, &bits, sizeof value);
    return col_f64(value);
}

#endif
