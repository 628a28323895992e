/* What a column is in C. Tables are declared in the .def files of repo/, one line a column:
 *
 *     COL(name, KIND, NULLNESS, ROLE)
 *
 * KIND      TEXT  F64  I64  I32  BOOL  JSONB  JSON  TSTZ  UUID
 * NULLNESS  NN (not null)  NU (nullable)
 * ROLE      KEY    part of the key that an upsert conflicts on
 *           DATA   written by inserts, overwritten by upserts
 *           AUTO   filled by the database (bigserial id, created_at); read, never written
 *           TOUCH  updated_at: the default on insert, now() on update
 *
 * From a .def follow the row struct (below), the decoder, the column lists, the upsert and the COPY form
 * (repo/table.h). */
#ifndef NOF0_REPO_COLUMNS_H
#define NOF0_REPO_COLUMNS_H

#include "base/slice.h"

#include <stdint.h>

/* SQL NULL is text.p == NULL, or set == false. An empty text has p != NULL and n == 0. */
struct col_f64 {
    double v;
    bool set;
};
struct col_i64 {
    int64_t v;
    bool set;
};
struct col_bool {
    bool v;
    bool set;
};

/* The C types by KIND. JSON and JSONB are JSON text; TSTZ is microseconds since the Unix epoch; UUID is its 36
 * characters. */
#define COL_CTYPE_TEXT struct slice
#define COL_CTYPE_F64 struct col_f64
#define COL_CTYPE_I64 struct col_i64
#define COL_CTYPE_I32 struct col_i64
#define COL_CTYPE_BOOL struct col_bool
#define COL_CTYPE_JSONB struct slice
#define COL_CTYPE_JSON struct slice
#define COL_CTYPE_TSTZ struct col_i64
#define COL_CTYPE_UUID struct slice

enum col_kind { COL_TEXT, COL_F64, COL_I64, COL_I32, COL_BOOL, COL_JSONB, COL_JSON, COL_TSTZ, COL_UUID };

static inline struct col_f64 col_f64(double v)
{
    return (struct col_f64){v, true};
}
static inline struct col_i64 col_i64(int64_t v)
{
    return (struct col_i64){v, true};
}
static inline struct col_bool col_bool(bool v)
{
    return (struct col_bool){v, true};
}

#endif
