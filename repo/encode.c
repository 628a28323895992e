#include "repo/encode.h"

#include "base/hex.h"
#include "repo/decode.h"
#include "repo/json_exact.h"

#include <endian.h>
#include <math.h>

/* 2000-01-01T00:00:00Z, where Postgres counts from, in microseconds since the Unix epoch. */
static const int64_t postgres_epoch_us = INT64_C(946684800000000);

/* Postgres's own limit for one value, less room for jsonb's version byte. */
static const size_t longest_value = (size_t)1 << 30;

enum { UUID_TEXT = 36, UUID_BYTES = 16 };

static void put_u64(struct buf *out, uint64_t value)
{
    uint64_t big = htobe64(value);
    buf_append(out, &big, sizeof big);
}

static void put_u32(struct buf *out, uint32_t value)
{
    uint32_t big = htobe32(value);
    buf_append(out, &big, sizeof big);
}

static void put_u16(struct buf *out, uint16_t value)
{
    uint16_t big = htobe16(value);
    buf_append(out, &big, sizeof big);
}

static bool put_f64(struct buf *out, double value, struct err *err)
{
    if (!isfinite(value))
        return err_set(err, ERR_INVALID, "not a finite number");
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_u64(out, bits);
    return true;
}

static bool put_i32(struct buf *out, int64_t value, struct err *err)
{
    if (value < INT32_MIN || value > INT32_MAX)
        return err_set(err, ERR_INVALID, "integer beyond 32 bits");
    put_u32(out, (uint32_t)(int32_t)value);
    return true;
}

static bool put_timestamp(struct buf *out, int64_t unix_us, struct err *err)
{
    int64_t since_2000 = unix_us;
    bool infinite = unix_us == INT64_MAX || unix_us == INT64_MIN;
    if (!infinite && __builtin_sub_overflow(unix_us, postgres_epoch_us, &since_2000))
        return err_set(err, ERR_INVALID, "instant beyond what Postgres can hold");
    put_u64(out, (uint64_t)since_2000);
    return true;
}

static bool put_uuid(struct buf *out, struct slice text, struct err *err)
{
    unsigned char bytes[UUID_BYTES];
    size_t at = 0;
    if (text.n != UUID_TEXT)
        return err_set(err, ERR_INVALID, "no UUID");
    for (size_t i = 0; i < UUID_BYTES; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && text.p[at++] != '-')
            return err_set(err, ERR_INVALID, "no UUID");
        int high = hex_value(text.p[at++]);
        int low = hex_value(text.p[at++]);
        if (high < 0 || low < 0)
            return err_set(err, ERR_INVALID, "no UUID");
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    buf_append(out, bytes, sizeof bytes);
    return true;
}

static bool put_text(struct buf *out, struct slice text, struct err *err)
{
    if (text.n >= longest_value)
        return err_set(err, ERR_INVALID, "text of a gigabyte or more");
    if (text.n && memchr(text.p, 0, text.n))
        return err_set(err, ERR_INVALID, "text with a zero byte");
    buf_append_slice(out, text);
    return true;
}

static bool put_jsonb(struct buf *out, struct slice json, struct err *err)
{
    buf_append_char(out, 1); /* the version of jsonb's binary form */
    if (!json_exact_needed(json))
        return put_text(out, json, err);
    if (json.n >= longest_value / 6) /* every byte may take six when it is escaped */
        return err_set(err, ERR_INVALID, "text of a gigabyte or more");
    json_exact_wrap(out, json);
    return true;
}

static bool is_null(enum col_kind kind, const void *value)
{
    switch (kind) {
    case COL_TEXT:
    case COL_JSONB:
    case COL_JSON:
    case COL_UUID:
        return ((const struct slice *)value)->p == NULL;
    case COL_F64:
        return !((const struct col_f64 *)value)->set;
    case COL_I64:
    case COL_I32:
    case COL_TSTZ:
        return !((const struct col_i64 *)value)->set;
    case COL_BOOL:
        return !((const struct col_bool *)value)->set;
    }
    return true;
}

/* Appends the binary form of a value that is not NULL. */
static bool put_value(struct buf *out, enum col_kind kind, const void *value, struct err *err)
{
    switch (kind) {
    case COL_TEXT:
    case COL_JSON:
        return put_text(out, *(const struct slice *)value, err);
    case COL_JSONB:
        return put_jsonb(out, *(const struct slice *)value, err);
    case COL_UUID:
        return put_uuid(out, *(const struct slice *)value, err);
    case COL_F64:
        return put_f64(out, ((const struct col_f64 *)value)->v, err);
    case COL_I64:
        put_u64(out, (uint64_t)((const struct col_i64 *)value)->v);
        return true;
    case COL_I32:
        return put_i32(out, ((const struct col_i64 *)value)->v, err);
    case COL_TSTZ:
        return put_timestamp(out, ((const struct col_i64 *)value)->v, err);
    case COL_BOOL:
        buf_append_char(out, ((const struct col_bool *)value)->v ? 1 : 0);
        return true;
    }
    return err_set(err, ERR_INTERNAL, "unknown kind of column");
}

/* Appends a column's value; *null says that it is NULL and nothing was appended. */
static bool put_column(struct buf *out, const struct table *table, const struct column *column, const void *row,
                       bool *null, struct err *err)
{
    const void *value = (const char *)row + column->offset;
    *null = is_null(column->kind, value);
    bool good;
    if (*null)
        good = !column->not_null || err_set(err, ERR_INVALID, "must not be NULL");
    else
        good = put_value(out, column->kind, value, err);
    return good || err_wrap(err, "%s.%s", table->name, column->name);
}

/* The length in front of a value that was just appended; -1 says NULL. */
static void set_length(struct buf *out, size_t length_at, bool null)
{
    uint32_t length = htobe32(null ? UINT32_MAX : (uint32_t)(out->len - length_at - sizeof length));
    memcpy(out->data + length_at, &length, sizeof length);
}

bool table_put_params(struct params *params, const struct table *table, const void *row, struct err *err)
{
    struct buf bytes = BUF_INIT;
    bool good = true;
    for (size_t i = 0; good && i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (!column_is_written(column))
            continue;
        bool null = false;
        buf_clear(&bytes);
        good = put_column(&bytes, table, column, row, &null, err);
        if (good)
            params_add_binary(params, col_kind_oid(column->kind),
                              null ? (struct slice){NULL, 0} : arena_copy(params->arena, buf_slice(&bytes)));
    }
    buf_free(&bytes);
    return good;
}

/* Of one dimension, counted from 1 (PostgreSQL, array_send); has_null is set behind when there is one. */
static size_t begin_array(struct buf *out, Oid element, size_t count)
{
    put_u32(out, count ? 1 : 0);
    size_t flag_at = out->len;
    put_u32(out, 0);
    put_u32(out, element);
    if (count) {
        put_u32(out, (uint32_t)count);
        put_u32(out, 1);
    }
    return flag_at;
}

static bool put_column_array(struct buf *out, const struct table *table, const struct column *column,
                             const void *const *rows, size_t count, struct err *err)
{
    size_t flag_at = begin_array(out, col_kind_oid(column->kind), count);
    for (size_t i = 0; i < count; i++) {
        size_t length_at = out->len;
        bool null = false;
        put_u32(out, 0);
        if (!put_column(out, table, column, rows[i], &null, err))
            return false;
        set_length(out, length_at, null);
        if (null) {
            uint32_t has_null = htobe32(1);
            memcpy(out->data + flag_at, &has_null, sizeof has_null);
        }
    }
    return true;
}

bool table_put_arrays(struct params *params, const struct table *table, const void *const *rows, size_t count,
                      struct err *err)
{
    struct buf bytes = BUF_INIT;
    bool good = true;
    for (size_t i = 0; good && i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (!column_is_written(column))
            continue;
        buf_clear(&bytes);
        good = put_column_array(&bytes, table, column, rows, count, err);
        if (good)
            params_add_binary(params, col_kind_array_oid(column->kind), arena_copy(params->arena, buf_slice(&bytes)));
    }
    buf_free(&bytes);
    return good;
}

void table_put_copy_header(struct buf *out)
{
    buf_append(out, "PGCOPY\n\377\r\n\0", 11);
    put_u32(out, 0); /* flags */
    put_u32(out, 0); /* length of the header's extension */
}

bool table_put_copy_row(struct buf *out, const struct table *table, const void *row, struct err *err)
{
    size_t begin = out->len;
    uint16_t count = 0;
    put_u16(out, 0);
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (!column_is_written(column))
            continue;
        size_t length_at = out->len;
        bool null = false;
        put_u32(out, 0);
        if (!put_column(out, table, column, row, &null, err)) {
            out->len = begin;
            return false;
        }
        set_length(out, length_at, null);
        count++;
    }
    uint16_t big_count = htobe16(count);
    memcpy(out->data + begin, &big_count, sizeof big_count);
    return true;
}

void table_put_copy_trailer(struct buf *out)
{
    put_u16(out, UINT16_MAX);
}
