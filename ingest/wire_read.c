#include "ingest/wire_read.h"

#include "base/num.h"
#include "repo/columns.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

void wire_remark_set(struct wire_remark *remark, const char *key, const cJSON *value)
{
    if (!remark->set)
        remark->set = cJSON_CreateObject();
    cJSON_AddItemToObject(remark->set, key, cJSON_Duplicate(value, true));
}

void wire_remark_unset(struct wire_remark *remark, const char *key)
{
    if (!remark->unset)
        remark->unset = cJSON_CreateArray();
    cJSON_AddItemToArray(remark->unset, cJSON_CreateString(key));
}

struct slice wire_remark_take(struct wire_remark *remark, struct arena *arena)
{
    if (!remark->set && !remark->unset)
        return (struct slice){NULL, 0};
    cJSON *root = cJSON_CreateObject();
    if (remark->set)
        cJSON_AddItemToObject(root, "set", remark->set);
    if (remark->unset)
        cJSON_AddItemToObject(root, "unset", remark->unset);
    *remark = (struct wire_remark){NULL, NULL};
    struct slice text = wire_read_json(root, arena);
    cJSON_Delete(root);
    return text;
}

struct slice wire_read_json(const cJSON *value, struct arena *arena)
{
    struct buf text = BUF_INIT;
    json_put_cjson(&text, value);
    struct slice copy = arena_copy(arena, buf_slice(&text));
    buf_free(&text);
    return copy;
}

static bool is_plain_word(const char *key)
{
    if (!*key)
        return false;
    for (; *key; key++) {
        bool plain = (*key >= 'a' && *key <= 'z') || (*key >= 'A' && *key <= 'Z') || (*key >= '0' && *key <= '9') ||
                     *key == '_' || *key == '-';
        if (!plain)
            return false;
    }
    return true;
}

char *wire_path_key(struct arena *arena, const char *path, const char *key)
{
    if (is_plain_word(key))
        return arena_printf(arena, "%s.%s", path, key);
    struct buf quoted = BUF_INIT;
    json_put_string(&quoted, slice_of(key));
    char *whole = arena_printf(arena, "%s[%s]", path, buf_cstr(&quoted));
    buf_free(&quoted);
    return whole;
}

char *wire_path_index(struct arena *arena, const char *path, size_t index)
{
    return arena_printf(arena, "%s[%zu]", path, index);
}

const char *wire_type_name(const cJSON *value)
{
    switch (value->type & 0xff) {
    case cJSON_NULL:
        return "null";
    case cJSON_False:
    case cJSON_True:
        return "a boolean";
    case cJSON_Number:
        return "a number";
    case cJSON_String:
        return "a text";
    case cJSON_Array:
        return "an array";
    case cJSON_Object:
        return "an object";
    default:
        return "something else";
    }
}

enum fit { FIT_GOOD, FIT_TYPE, FIT_FRACTION, FIT_RANGE };

static enum fit fit_integer(const cJSON *value, double limit, struct col_i64 *column)
{
    if (!cJSON_IsNumber(value))
        return FIT_TYPE;
    double number = value->valuedouble;
    if (number != trunc(number))
        return FIT_FRACTION;
    /* 32 bits reach one further below zero than above; 2^53 is the same on both sides. */
    if (number > limit || number < (limit == INT32_MAX ? (double)INT32_MIN : -limit))
        return FIT_RANGE;
    *column = col_i64((int64_t)number);
    return FIT_GOOD;
}

static enum fit fit_value(const struct wire_reader *reader, const struct wire_field *field, const cJSON *value,
                          void *column)
{
    switch (field->kind) {
    case WIRE_TEXT:
        if (!cJSON_IsString(value))
            return FIT_TYPE;
        *(struct slice *)column = arena_copy(reader->arena, slice_of(value->valuestring));
        return FIT_GOOD;
    case WIRE_F64:
        if (!cJSON_IsNumber(value))
            return FIT_TYPE;
        *(struct col_f64 *)column = col_f64(value->valuedouble);
        return FIT_GOOD;
    case WIRE_I64:
        return fit_integer(value, (double)NUM_EXACT_INTEGER_MAX, column);
    case WIRE_I32:
        return fit_integer(value, INT32_MAX, column);
    case WIRE_BOOL:
        if (!cJSON_IsBool(value))
            return FIT_TYPE;
        *(struct col_bool *)column = col_bool(cJSON_IsTrue(value));
        return FIT_GOOD;
    case WIRE_JSON:
    case WIRE_JSONB:
        *(struct slice *)column = reader->checking ? SLICE("null") : wire_read_json(value, reader->arena);
        return FIT_GOOD;
    }
    return FIT_TYPE;
}

static const char *kind_name(enum wire_kind kind)
{
    switch (kind) {
    case WIRE_TEXT:
        return "a text";
    case WIRE_F64:
        return "a number";
    case WIRE_I64:
    case WIRE_I32:
        return "an integer";
    case WIRE_BOOL:
        return "a boolean";
    case WIRE_JSON:
    case WIRE_JSONB:
        return "any value";
    }
    return "?";
}

static void tell(const struct wire_reader *reader, const char *path, const struct wire_field *field, const cJSON *value,
                 enum fit fit)
{
    char what[120];
    char number[NUM_TEXT_SIZE] = "";
    if (cJSON_IsNumber(value))
        number[num_format_double(number, value->valuedouble)] = '\0';
    if (fit == FIT_RANGE)
        (void)snprintf(what, sizeof what, "%s is out of range for %s", number,
                       field->kind == WIRE_I32 ? "an integer of 32 bits" : "an exact integer");
    else if (fit == FIT_FRACTION)
        (void)snprintf(what, sizeof what, "must be an integer, is %s", number);
    else
        (void)snprintf(what, sizeof what, "must be %s, is %s", kind_name(field->kind), wire_type_name(value));
    reader->on_fault(reader->arg, wire_path_key(reader->arena, path, field->key), what);
}

static size_t find_field(const struct wire_shape *shape, const char *key)
{
    size_t i = 0;
    while (i < shape->field_count && strcmp(shape->fields[i].key, key) != 0)
        i++;
    return i;
}

/* One member whose key is the field's. False when it is a fault. */
static bool read_field(const struct wire_reader *reader, const struct wire_shape *shape, size_t index,
                       const cJSON *value, const char *path, char *row, struct wire_remark *remark)
{
    const struct wire_field *field = &shape->fields[index];
    enum fit fit = fit_value(reader, field, value, row + field->offset);
    if (fit == FIT_GOOD) {
        /* An integer column has no negative zero. */
        if ((field->kind == WIRE_I64 || field->kind == WIRE_I32) && value->valuedouble == 0 &&
            signbit(value->valuedouble))
            wire_remark_set(remark, field->key, value);
        return true;
    }
    const struct wire_field *second = index + 1 < shape->field_count ? field + 1 : NULL;
    if (second && strcmp(second->key, field->key) == 0) {
        (void)fit_value(reader, second, value, row + second->offset);
        return true;
    }
    if (shape->strict && !field->required && cJSON_IsNull(value))
        return true; /* an absent column and a null one are the same there */
    if (!shape->strict && (!field->required || reader->partial) && (cJSON_IsNull(value) || shape->lenient)) {
        wire_remark_set(remark, field->key, value);
        return true;
    }
    tell(reader, path, field, value, fit);
    return false;
}

static bool is_listed(const char *const *list, const char *key)
{
    while (list && *list) {
        if (strcmp(*list++, key) == 0)
            return true;
    }
    return false;
}

bool wire_read_members(const struct wire_reader *reader, const struct wire_shape *shape, const cJSON *object,
                       const char *path, const char *const *beside, void *row, struct wire_remark *remark)
{
    if (!cJSON_IsObject(object)) {
        char what[80];
        (void)snprintf(what, sizeof what, "must be an object (a %s), is %s", shape->noun, wire_type_name(object));
        reader->on_fault(reader->arg, path, what);
        return false;
    }

    bool good = true;
    uint64_t seen = 0; /* a bit per field; no shape has 64 */
    const cJSON *member;
    cJSON_ArrayForEach(member, object)
    {
        if (is_listed(beside, member->string))
            continue;
        size_t index = find_field(shape, member->string);
        if (index == shape->field_count && shape->strict) {
            reader->on_fault(reader->arg, wire_path_key(reader->arena, path, member->string), "is not known");
            good = false;
            continue;
        }
        if (index == shape->field_count) {
            wire_remark_set(remark, member->string, member);
            continue;
        }
        seen |= UINT64_C(1) << index;
        if (!read_field(reader, shape, index, member, path, row, remark))
            good = false;
    }
    for (size_t i = 0; i < shape->field_count && !reader->partial; i++) {
        if (shape->fields[i].required && !(seen & (UINT64_C(1) << i))) {
            reader->on_fault(reader->arg, wire_path_key(reader->arena, path, shape->fields[i].key), "is missing");
            good = false;
        }
    }
    return good;
}

bool wire_read_object(const struct wire_reader *reader, const struct wire_shape *shape, const cJSON *object,
                      const char *path, void *row)
{
    struct wire_remark remark = {NULL, NULL};
    bool good = wire_read_members(reader, shape, object, path, NULL, row, &remark);
    *(struct slice *)((char *)row + shape->detail_offset) = wire_remark_take(&remark, reader->arena);
    return good;
}
