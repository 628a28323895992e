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
