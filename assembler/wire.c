#include "assembler/wire.h"

#include "base/json_read.h"
#include "repo/columns.h"

#include <math.h>
#include <stdio.h>

bool wire_detail_open(struct wire_detail *detail, struct slice text, struct err *err)
{
    *detail = (struct wire_detail){NULL, NULL, NULL};
    if (!text.p)
        return true;

    struct err fault = ERR_INIT;
    cJSON *root = json_parse(text, &fault);
    if (!root)
        return err_set(err, ERR_INTERNAL, "wire_detail: %s", fault.text);

    const cJSON *set = cJSON_GetObjectItemCaseSensitive(root, "set");
    const cJSON *unset = cJSON_GetObjectItemCaseSensitive(root, "unset");
    bool good = cJSON_IsObject(root) && (!set || cJSON_IsObject(set)) && (!unset || cJSON_IsArray(unset)) &&
                cJSON_GetArraySize(root) == (set != NULL) + (unset != NULL);
    const cJSON *key;
    cJSON_ArrayForEach(key, unset) good = good && cJSON_IsString(key);
    if (!good) {
        cJSON_Delete(root);
        return err_set(err, ERR_INTERNAL, "wire_detail is not {\"set\": {...}, \"unset\": [...]}");
    }
    *detail = (struct wire_detail){root, set, unset};
    return true;
}

void wire_detail_close(struct wire_detail *detail)
{
    cJSON_Delete(detail->root);
    *detail = (struct wire_detail){NULL, NULL, NULL};
}

bool wire_detail_decides(const struct wire_detail *detail, const char *key)
{
    if (detail->set && cJSON_GetObjectItemCaseSensitive(detail->set, key))
        return true;
    const cJSON *unset;
    cJSON_ArrayForEach(unset, detail->unset)
    {
        if (strcmp(unset->valuestring, key) == 0)
            return true;
    }
    return false;
}

void wire_detail_put_set(struct json_writer *w, const struct wire_detail *detail, const char *const *except)
{
    struct buf value = BUF_INIT;
    const cJSON *member;
    cJSON_ArrayForEach(member, detail->set)
    {
        const char *const *key = except;
        while (key && *key && strcmp(*key, member->string) != 0)
            key++;
        if (key && *key)
            continue;
        buf_clear(&value);
        json_put_cjson(&value, member);
        json_key(w, slice_of(member->string));
        json_raw(w, buf_slice(&value));
    }
    buf_free(&value);
}

/* The row's first text names it: an id, a symbol, a role. */
static bool corrupt(struct err *err, const struct wire_shape *shape, const void *row, const char *what)
{
    for (size_t i = 0; i < shape->field_count; i++) {
        const struct wire_field *field = &shape->fields[i];
        const struct slice *text = (const struct slice *)((const char *)row + field->offset);
        if (field->kind == WIRE_TEXT && text->p)
            return err_set(err, ERR_INTERNAL, "stored %s with %s \"%.*s\": %s", shape->noun, field->key,
                           text->n < 200 ? (int)text->n : 200, text->p, what);
    }
    return err_set(err, ERR_INTERNAL, "stored %s: %s", shape->noun, what);
}

static bool has_value(const struct wire_field *field, const void *column)
{
    switch (field->kind) {
    case WIRE_TEXT:
    case WIRE_JSON:
    case WIRE_JSONB:
        return ((const struct slice *)column)->p != NULL;
    case WIRE_F64:
        return ((const struct col_f64 *)column)->set;
    case WIRE_I64:
    case WIRE_I32:
        return ((const struct col_i64 *)column)->set;
    case WIRE_BOOL:
        return ((const struct col_bool *)column)->set;
    }
    return false;
}

/* False when the value cannot stand in JSON. */
static bool put_value(struct buf *out, const struct wire_field *field, const void *column)
{
    switch (field->kind) {
    case WIRE_TEXT:
        json_put_string(out, *(const struct slice *)column);
        return true;
    case WIRE_JSON:
        buf_append_slice(out, *(const struct slice *)column);
        return true;
    case WIRE_JSONB:
        json_put_compact(out, *(const struct slice *)column);
        return true;
    case WIRE_F64: {
        double value = ((const struct col_f64 *)column)->v;
        if (!isfinite(value))
            return false;
        json_put_double(out, value);
        return true;
    }
    case WIRE_I64:
    case WIRE_I32:
        json_put_i64(out, ((const struct col_i64 *)column)->v);
        return true;
    case WIRE_BOOL:
        json_put_bool(out, ((const struct col_bool *)column)->v);
        return true;
    }
    return false;
}

bool wire_put_members(struct json_writer *w, const struct wire_shape *shape, const void *row,
                      const struct wire_detail *detail, struct err *err)
{
    for (size_t i = 0; i < shape->field_count; i++) {
        const struct wire_field *field = &shape->fields[i];
        const void *column = (const char *)row + field->offset;
        if (!has_value(field, column) || (detail->root && wire_detail_decides(detail, field->key)))
            continue;
        if (w->comma)
            buf_append_char(w->out, ',');
        buf_append_slice(w->out, field->lead);
        w->comma = true;
        if (!put_value(w->out, field, column)) {
            char what[100];
            (void)snprintf(what, sizeof what, "%s is not a finite number", field->key);
            return corrupt(err, shape, row, what);
        }
    }
    wire_detail_put_set(w, detail, NULL);
    return true;
}

bool wire_put_object(struct buf *out, const struct wire_shape *shape, const void *row, struct err *err)
{
    struct wire_detail detail;
    struct err fault = ERR_INIT;
    if (!wire_detail_open(&detail, *(const struct slice *)((const char *)row + shape->detail_offset), &fault))
        return corrupt(err, shape, row, fault.text);

    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    bool ok = wire_put_members(&w, shape, row, &detail, err);
    json_end_object(&w);
    wire_detail_close(&detail);
    return ok;
}
