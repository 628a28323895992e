/* For tests: rows full of ugly values for any table, and a comparison that sees every bit. */
#ifndef NOF0_REPO_TESTING_ROWS_H
#define NOF0_REPO_TESTING_ROWS_H

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/testing.h"
#include "repo/table.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t rows_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline size_t rows_below(uint64_t *state, size_t limit)
{
    return (size_t)(rows_random(state) % limit);
}

static inline double rows_double(uint64_t *state)
{
    static const double ugly[] = {0.0,
                                  -0.0,
                                  DBL_MAX,
                                  -DBL_MAX,
                                  DBL_MIN,
                                  5e-324,
                                  -5e-324,
                                  1e300,
                                  0.1,
                                  1.0 / 3,
                                  1e21,
                                  1e-7,
                                  9007199254740992.0,
                                  1e15 + 0.5,
                                  -10.363999999999999};
    if (rows_below(state, 2))
        return ugly[rows_below(state, sizeof ugly / sizeof ugly[0])];
    double value;
    do {
        uint64_t bits = rows_random(state);
        memcpy(&value, &bits, sizeof value);
    } while (!isfinite(value));
    return value;
}

static inline void rows_put_text(struct buf *out, uint64_t *state)
{
    static const char *const pieces[] = {"",         "a",      "BTC",          "\"",           "\\",
                                         "\\u0000",  "\n\t\r", "\x01\x1f\x7f", "\xe2\x80\x91", "\xf0\x9f\x98\x80",
                                         "\xc3\xa9", "$exact", "NULL",         "\\N",          "'",
                                         "{}"};
    size_t count = rows_below(state, 6);
    for (size_t i = 0; i < count; i++)
        buf_append_str(out, pieces[rows_below(state, sizeof pieces / sizeof pieces[0])]);
}

static inline void rows_put_json(struct buf *out, uint64_t *state, unsigned depth);

static inline void rows_put_object(struct buf *out, uint64_t *state, unsigned depth)
{
    size_t count = rows_below(state, 4);
    bool wrapped_form = rows_below(state, 8) == 0;
    buf_append_char(out, '{');
    for (size_t i = 0; i < (wrapped_form ? 1 : count); i++) {
        struct buf key = BUF_INIT;
        if (wrapped_form)
            buf_append_str(&key, "$exact");
        else
            buf_printf(&key, "%zu", i);
        if (!wrapped_form)
            rows_put_text(&key, state);
        buf_append_str(out, i ? ", " : " ");
        json_put_string(out, buf_slice(&key));
        buf_append_str(out, " : ");
        buf_free(&key);
        if (wrapped_form && rows_below(state, 2))
            json_put_string(out, SLICE("{\"$exact\": \"-0\"}"));
        else
            rows_put_json(out, state, depth + 1);
    }
    buf_append_char(out, '}');
}

/* Any JSON value, negative zeros and objects in the "$exact" form included. */
static inline void rows_put_json(struct buf *out, uint64_t *state, unsigned depth)
{
    struct buf text = BUF_INIT;
    switch (rows_below(state, depth > 4 ? 5 : 8)) {
    case 0:
        json_put_null(out);
        break;
    case 1:
        json_put_bool(out, rows_below(state, 2));
        break;
    case 2:
        json_put_double(out, rows_double(state));
        break;
    case 3:
        json_put_i64(out, (int64_t)(rows_random(state) >> 11) - (INT64_C(1) << 52));
        break;
    case 4:
        rows_put_text(&text, state);
        json_put_string(out, buf_slice(&text));
        break;
    case 5:
    case 6:
        rows_put_object(out, state, depth);
        break;
    default:
        buf_append_char(out, '[');
        for (size_t i = 0, n = rows_below(state, 4); i < n; i++) {
            buf_append_str(out, i ? "," : "");
            rows_put_json(out, state, depth + 1);
        }
        buf_append_char(out, ']');
    }
    buf_free(&text);
}

static inline struct slice rows_keep(struct arena *arena, struct buf *text)
{
    struct slice kept = arena_copy(arena, buf_slice(text));
    buf_free(text);
    return kept;
}

static inline int64_t rows_integer(uint64_t *state, int64_t least, int64_t most)
{
    switch (rows_below(state, 4)) {
    case 0:
        return least;
    case 1:
        return most;
    case 2:
        return (int64_t)rows_below(state, 5) - 2;
    default:
        return (int64_t)((uint64_t)least + rows_random(state) % ((uint64_t)most - (uint64_t)least));
    }
}

/* What the checks of the schema ask for; p == NULL: anything goes. */
static inline struct slice rows_choice(const char *column, uint64_t *state)
{
    bool first = rows_below(state, 2);
    if (strcmp(column, "side") == 0)
        return first ? SLICE("long") : SLICE("short");
    if (strcmp(column, "status") == 0)
        return first ? SLICE("open") : SLICE("closed");
    if (strcmp(column, "shape") == 0)
        return first ? SLICE("object") : SLICE("array");
    if (strcmp(column, "origin") == 0)
        return first ? SLICE("operator") : SLICE("system");
    if (strcmp(column, "role") == 0)
        return first ? SLICE("user") : SLICE("assistant");
    return (struct slice){NULL, 0};
}

static inline struct slice rows_text_value(const struct column *column, size_t number, struct arena *arena,
                                           uint64_t *state)
{
    struct slice choice = rows_choice(column->name, state);
    if (choice.p)
        return choice;
    struct buf text = BUF_INIT;
    rows_put_text(&text, state);
    if (column->role == COL_KEY)
        buf_printf(&text, "#%zu", number);
    else if (rows_below(state, 50) == 0)
        memset(buf_reserve(&text, 100000), 'x', 100000), text.len += 100000;
    buf_cstr(&text);
    return rows_keep(arena, &text);
}

static inline struct slice rows_json_value(const struct column *column, struct arena *arena, uint64_t *state)
{
    struct buf text = BUF_INIT;
    size_t n = strlen(column->name);
    if (n >= 7 && strcmp(column->name + n - 7, "payload") == 0)
        rows_put_object(&text, state, 0);
    else
        rows_put_json(&text, state, 0);
    return rows_keep(arena, &text);
}

static inline struct slice rows_uuid_value(struct arena *arena, uint64_t *state)
{
    uint64_t a = rows_random(state);
    uint64_t b = rows_random(state);
    return slice_of(arena_printf(arena, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(a >> 32),
                                 (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xffff), (unsigned)(b >> 48),
                                 (unsigned long long)(b & UINT64_C(0xffffffffffff))));
}

/* The instants that Postgres holds (4713 BC to 294276 AD, less what 64 bits of Unix microseconds lack), or infinity. */
static inline int64_t rows_instant(uint64_t *state)
{
    if (rows_below(state, 6) == 0)
        return rows_below(state, 2) ? INT64_MAX : INT64_MIN;
    return rows_integer(state, INT64_C(-210866803200000000), INT64_MAX - 1);
}

/* Fills every written column of row number `number`; keys differ from row to row. Messages belong to conversation 1. */
static inline void rows_fill(const struct table *table, void *row, size_t number, struct arena *arena, uint64_t *state)
{
    memset(row, 0, table->row_size);
    bool sparse = rows_below(state, 5) == 0;
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        void *value = (char *)row + column->offset;
        if (!column_is_written(column))
            continue;
        if (!column->not_null && column->role != COL_KEY && (sparse || rows_below(state, 4) == 0))
            continue;
        switch (column->kind) {
        case COL_TEXT:
            *(struct slice *)value = rows_text_value(column, number, arena, state);
            break;
        case COL_JSON:
        case COL_JSONB:
            *(struct slice *)value = rows_json_value(column, arena, state);
            break;
        case COL_UUID:
            *(struct slice *)value = rows_uuid_value(arena, state);
            break;
        case COL_F64:
            *(struct col_f64 *)value = col_f64(rows_double(state));
            break;
        case COL_BOOL:
            *(struct col_bool *)value = col_bool(rows_below(state, 2));
            break;
        case COL_TSTZ:
            *(struct col_i64 *)value = col_i64(rows_instant(state));
            break;
        case COL_I32:
            *(struct col_i64 *)value = col_i64(rows_integer(state, INT32_MIN, INT32_MAX));
            break;
        case COL_I64:
            *(struct col_i64 *)value = col_i64(rows_integer(state, INT64_MIN, INT64_MAX));
            break;
        }
        if (strcmp(column->name, "conversation_id") == 0)
            *(struct col_i64 *)value = col_i64(1);
        else if (column->role == COL_KEY && column->kind == COL_I32)
            *(struct col_i64 *)value = col_i64((int64_t)number);
    }
}

static inline uint64_t rows_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline bool rows_same_json(const cJSON *a, const cJSON *b)
{
    if ((a->type & 0xff) != (b->type & 0xff))
        return false;
    if (cJSON_IsNumber(a))
        return rows_bits(a->valuedouble) == rows_bits(b->valuedouble);
    if (cJSON_IsString(a))
        return strcmp(a->valuestring, b->valuestring) == 0;
    if (cJSON_GetArraySize(a) != cJSON_GetArraySize(b))
        return false;
    const cJSON *other = b->child;
    for (const cJSON *child = a->child; child; child = child->next) {
        const cJSON *match = cJSON_IsObject(a) ? cJSON_GetObjectItemCaseSensitive(b, child->string) : other;
        if (!match || !rows_same_json(child, match))
            return false;
        other = other ? other->next : NULL;
    }
    return true;
}

/* Equal content: key order and the layout of numbers do not count, the sign of zero does. */
static inline bool rows_same_json_text(struct slice a, struct slice b)
{
    struct err err = ERR_INIT;
    cJSON *left = json_parse(a, &err);
    cJSON *right = left ? json_parse(b, &err) : NULL;
    if (!right)
        print_message("%s\n", err.text);
    bool same = left && right && rows_same_json(left, right);
    cJSON_Delete(left);
    cJSON_Delete(right);
    return same;
}

static inline bool rows_same_value(enum col_kind kind, const void *a, const void *b)
{
    switch (kind) {
    case COL_TEXT:
    case COL_JSON:
    case COL_UUID:
    case COL_JSONB: {
        const struct slice *x = a;
        const struct slice *y = b;
        if (!x->p || !y->p)
            return !x->p && !y->p;
        return kind == COL_JSONB ? rows_same_json_text(*x, *y) : slice_equal(*x, *y);
    }
    case COL_F64: {
        const struct col_f64 *x = a;
        const struct col_f64 *y = b;
        return x->set == y->set && (!x->set || rows_bits(x->v) == rows_bits(y->v));
    }
    case COL_BOOL: {
        const struct col_bool *x = a;
        const struct col_bool *y = b;
        return x->set == y->set && (!x->set || x->v == y->v);
    }
    case COL_I32:
    case COL_I64:
    case COL_TSTZ: {
        const struct col_i64 *x = a;
        const struct col_i64 *y = b;
        return x->set == y->set && (!x->set || x->v == y->v);
    }
    }
    return false;
}

/* Fails the test, naming the column, unless all written columns are the same. */
static inline void rows_assert_same(const struct table *table, const void *a, const void *b)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (!column_is_written(column))
            continue;
        if (!rows_same_value(column->kind, (const char *)a + column->offset, (const char *)b + column->offset))
            fail_msg("%s.%s came back changed", table->name, column->name);
    }
}

#endif
