#include "repo/decode.h"

#include "repo/json_exact.h"

#include <endian.h>

/* pg_type.oid of the built-in types; fixed for ever (src/include/catalog/pg_type.dat). */
enum {
    OID_BOOL = 16,
    OID_INT8 = 20,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_JSON = 114,
    OID_FLOAT8 = 701,
    OID_TIMESTAMPTZ = 1184,
    OID_UUID = 2950,
    OID_JSONB = 3802,
};

/* 2000-01-01T00:00:00Z, where Postgres counts from, in microseconds since the Unix epoch. */
static const int64_t postgres_epoch_us = INT64_C(946684800000000);

Oid col_kind_oid(enum col_kind kind)
{
    switch (kind) {
    case COL_TEXT:
        return OID_TEXT;
    case COL_F64:
        return OID_FLOAT8;
    case COL_I64:
        return OID_INT8;
    case COL_I32:
        return OID_INT4;
    case COL_BOOL:
        return OID_BOOL;
    case COL_JSONB:
        return OID_JSONB;
    case COL_JSON:
        return OID_JSON;
    case COL_TSTZ:
        return OID_TIMESTAMPTZ;
    case COL_UUID:
        return OID_UUID;
    }
    return InvalidOid;
}

Oid col_kind_array_oid(enum col_kind kind)
{
    switch (kind) {
    case COL_TEXT:
        return 1009;
    case COL_F64:
        return 1022;
    case COL_I64:
        return 1016;
    case COL_I32:
        return 1007;
    case COL_BOOL:
        return 1000;
    case COL_JSONB:
        return 3807;
    case COL_JSON:
        return 199;
    case COL_TSTZ:
        return 1185;
    case COL_UUID:
        return 2951;
    }
    return InvalidOid;
}

const char *col_kind_sql(enum col_kind kind)
{
    switch (kind) {
    case COL_TEXT:
        return "text";
    case COL_F64:
        return "double precision";
    case COL_I64:
        return "bigint";
    case COL_I32:
        return "integer";
    case COL_BOOL:
        return "boolean";
    case COL_JSONB:
        return "jsonb";
    case COL_JSON:
        return "json";
    case COL_TSTZ:
        return "timestamp with time zone";
    case COL_UUID:
        return "uuid";
    }
    return "";
}

/* How many bytes a kind's binary form has; -1: any number. */
static int binary_size(enum col_kind kind)
{
    switch (kind) {
    case COL_F64:
    case COL_I64:
    case COL_TSTZ:
        return 8;
    case COL_I32:
        return 4;
    case COL_BOOL:
        return 1;
    case COL_UUID:
        return 16;
    case COL_TEXT:
    case COL_JSONB:
    case COL_JSON:
        return -1;
    }
    return -1;
}

static uint64_t read_u64(const char *bytes)
{
    uint64_t big;
    memcpy(&big, bytes, sizeof big);
    return be64toh(big);
}

static struct col_f64 read_f64(const char *bytes)
{
    uint64_t bits = read_u64(bytes);
    double value;
    memcpy(&value, &bits, sizeof value);
    return col_f64(value);
}

static struct col_i64 read_i32(const char *bytes)
{
    uint32_t big;
    memcpy(&big, bytes, sizeof big);
    return col_i64((int32_t)be32toh(big));
}

static bool read_timestamp(const char *bytes, struct col_i64 *out, struct err *err)
{
    int64_t since_2000 = (int64_t)read_u64(bytes);
    if (since_2000 == INT64_MAX || since_2000 == INT64_MIN) {
        *out = col_i64(since_2000);
        return true;
    }
    int64_t value;
    if (__builtin_add_overflow(since_2000, postgres_epoch_us, &value))
        return err_set(err, ERR_LIMIT, "instant beyond 64 bits of microseconds");
    *out = col_i64(value);
    return true;
}

static struct slice read_uuid(const char *bytes, struct arena *arena)
{
    enum { UUID_TEXT = 36 };
    static const char digits[] = "0123456789abcdef";
    char *text = arena_alloc(arena, UUID_TEXT);
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        unsigned char byte = (unsigned char)bytes[i];
        text[at++] = digits[byte >> 4];
        text[at++] = digits[byte & 15];
    }
    return (struct slice){text, UUID_TEXT};
}

static bool read_jsonb(struct slice bytes, struct arena *arena, struct slice *out, struct err *err)
{
    if (bytes.n < 1 || bytes.p[0] != 1)
        return err_set(err, ERR_INTERNAL, "unknown version of jsonb's binary form");
    return json_exact_unwrap((struct slice){bytes.p + 1, bytes.n - 1}, arena, out, err);
}

static bool read_value(enum col_kind kind, struct slice bytes, void *out, struct arena *arena, struct err *err)
{
    switch (kind) {
    case COL_TEXT:
    case COL_JSON:
        *(struct slice *)out = bytes;
        return true;
    case COL_JSONB:
        return read_jsonb(bytes, arena, out, err);
    case COL_F64:
        *(struct col_f64 *)out = read_f64(bytes.p);
        return true;
    case COL_I64:
        *(struct col_i64 *)out = col_i64((int64_t)read_u64(bytes.p));
        return true;
    case COL_I32:
        *(struct col_i64 *)out = read_i32(bytes.p);
        return true;
    case COL_BOOL:
        *(struct col_bool *)out = col_bool(bytes.p[0] != 0);
        return true;
    case COL_TSTZ:
        return read_timestamp(bytes.p, out, err);
    case COL_UUID:
        *(struct slice *)out = read_uuid(bytes.p, arena);
        return true;
    }
    return err_set(err, ERR_INTERNAL, "unknown kind of column");
}

static bool check_field(const struct column *column, const PGresult *result, int field, struct err *err)
{
    if (PQfformat(result, field) != 1)
        return err_set(err, ERR_INTERNAL, "result is not in binary format");
    if (PQftype(result, field) != col_kind_oid(column->kind))
        return err_set(err, ERR_INTERNAL, "type %u where %s (%u) belongs", PQftype(result, field),
                       col_kind_sql(column->kind), col_kind_oid(column->kind));
    return true;
}

static bool decode_column(const struct column *column, const PGresult *result, int row, int field, void *out,
                          struct arena *arena, struct err *err)
{
    struct slice bytes = {NULL, (size_t)PQgetlength(result, row, field)};
    if (bytes.n == 0 && PQgetisnull(result, row, field)) {
        if (column->not_null)
            return err_set(err, ERR_INTERNAL, "NULL in a column that has none");
        return true; /* the row was zeroed, and zero is NULL */
    }
    bytes.p = PQgetvalue(result, row, field);
    int size = binary_size(column->kind);
    if (size >= 0 && bytes.n != (size_t)size)
        return err_set(err, ERR_INTERNAL, "%zu bytes where %d belong", bytes.n, size);
    return read_value(column->kind, bytes, out, arena, err);
}

bool table_decode(const struct table *table, const PGresult *result, int row, int first_field, void *out_row,
                  struct arena *arena, struct err *err)
{
    memset(out_row, 0, table->row_size);
    if (first_field < 0 || (size_t)PQnfields(result) < (size_t)first_field + table->column_count)
        return err_set(err, ERR_INTERNAL, "%s: result has %d fields, %zu from field %d on are needed", table->name,
                       PQnfields(result), table->column_count, first_field);
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        /* All rows of a result have the same fields. */
        if (row == 0 && !check_field(column, result, first_field + (int)i, err))
            return err_wrap(err, "%s.%s", table->name, column->name);
        if (!decode_column(column, result, row, first_field + (int)i, (char *)out_row + column->offset, arena, err))
            return err_wrap(err, "%s.%s", table->name, column->name);
    }
    return true;
}
