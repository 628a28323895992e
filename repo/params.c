#include "repo/params.h"

#include "repo/decode.h"

#include <endian.h>

enum { FIRST_ROOM = 16 };

struct params params_on(struct arena *arena)
{
    return (struct params){.arena = arena};
}

static void *grown(struct arena *arena, const void *old, size_t old_size, size_t new_size)
{
    void *bigger = arena_alloc(arena, new_size);
    if (old_size)
        memcpy(bigger, old, old_size);
    return bigger;
}

static void grow(struct params *params)
{
    size_t have = (size_t)params->room;
    size_t room = have ? have * 2 : FIRST_ROOM;
    params->types = grown(params->arena, params->types, have * sizeof params->types[0], room * sizeof params->types[0]);
    params->values =
        grown(params->arena, params->values, have * sizeof params->values[0], room * sizeof params->values[0]);
    params->lengths =
        grown(params->arena, params->lengths, have * sizeof params->lengths[0], room * sizeof params->lengths[0]);
    params->formats =
        grown(params->arena, params->formats, have * sizeof params->formats[0], room * sizeof params->formats[0]);
    params->room = (int)room;
}

void params_add_binary(struct params *params, Oid type, struct slice bytes)
{
    if (params->count == params->room)
        grow(params);
    int i = params->count++;
    params->types[i] = type;
    params->values[i] = bytes.p;
    params->lengths[i] = (int)bytes.n;
    params->formats[i] = 1;
}

void params_add_text(struct params *params, struct slice text)
{
    params_add_binary(params, col_kind_oid(COL_TEXT), text);
}

static void add_copy(struct params *params, Oid type, const void *bytes, size_t n)
{
    char *copy = arena_alloc(params->arena, n);
    memcpy(copy, bytes, n);
    params_add_binary(params, type, (struct slice){copy, n});
}

void params_add_i64(struct params *params, int64_t value)
{
    uint64_t big = htobe64((uint64_t)value);
    add_copy(params, col_kind_oid(COL_I64), &big, sizeof big);
}

void params_add_i32(struct params *params, int32_t value)
{
    uint32_t big = htobe32((uint32_t)value);
    add_copy(params, col_kind_oid(COL_I32), &big, sizeof big);
}

void params_add_f64(struct params *params, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = htobe64(bits);
    add_copy(params, col_kind_oid(COL_F64), &bits, sizeof bits);
}

void params_add_bool(struct params *params, bool value)
{
    add_copy(params, col_kind_oid(COL_BOOL), &(char){value ? 1 : 0}, 1);
}

/* The head of a one-dimensional array without NULLs (PostgreSQL, array_recv); returns where the elements begin. */
static char *begin_array(struct params *params, enum col_kind kind, bool has_null, size_t count, size_t elements_size)
{
    const uint32_t head[] = {htobe32(count ? 1 : 0), htobe32(has_null ? 1 : 0), htobe32(col_kind_oid(kind)),
                             htobe32((uint32_t)count), htobe32(1)};
    size_t head_size = (count ? 5 : 3) * sizeof head[0];
    char *bytes = arena_alloc(params->arena, head_size + elements_size);
    memcpy(bytes, head, head_size);
    params_add_binary(params, col_kind_array_oid(kind), (struct slice){bytes, head_size + elements_size});
    return bytes + head_size;
}

static char *put_element(char *at, const void *bytes, size_t n)
{
    uint32_t length = htobe32((uint32_t)n);
    memcpy(at, &length, sizeof length);
    if (n)
        memcpy(at + sizeof length, bytes, n);
    return at + sizeof length + n;
}

void params_add_text_array(struct params *params, const struct slice *texts, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += sizeof(uint32_t) + texts[i].n;
    char *at = begin_array(params, COL_TEXT, false, count, size);
    for (size_t i = 0; i < count; i++)
        at = put_element(at, texts[i].p, texts[i].n);
}

void params_add_i64_array(struct params *params, const int64_t *values, size_t count)
{
    char *at = begin_array(params, COL_I64, false, count, count * (sizeof(uint32_t) + sizeof values[0]));
    for (size_t i = 0; i < count; i++) {
        uint64_t big = htobe64((uint64_t)values[i]);
        at = put_element(at, &big, sizeof big);
    }
}

void params_add_nullable_i64_array(struct params *params, const struct col_i64 *values, size_t count)
{
    size_t set = 0;
    for (size_t i = 0; i < count; i++)
        set += values[i].set;
    char *at = begin_array(params, COL_I64, set < count, count, count * sizeof(uint32_t) + set * sizeof(uint64_t));
    for (size_t i = 0; i < count; i++) {
        uint64_t big = htobe64((uint64_t)values[i].v);
        const uint32_t null = UINT32_MAX;
        if (values[i].set)
            at = put_element(at, &big, sizeof big);
        else
            at = (char *)memcpy(at, &null, sizeof null) + sizeof null;
    }
}

void params_add_f64_array(struct params *params, const double *values, size_t count)
{
    char *at = begin_array(params, COL_F64, false, count, count * (sizeof(uint32_t) + sizeof values[0]));
    for (size_t i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        bits = htobe64(bits);
        at = put_element(at, &bits, sizeof bits);
    }
}
