#include "ingest/canonical.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/mem.h"

#include <stdlib.h>

static int compare_keys(const void *left, const void *right)
{
    const cJSON *a = *(const cJSON *const *)left;
    const cJSON *b = *(const cJSON *const *)right;
    return strcmp(a->string, b->string);
}

static void put_object(struct buf *out, const cJSON *object)
{
    size_t count = (size_t)cJSON_GetArraySize(object);
    const cJSON **members = mem_calloc(count + 1, sizeof(const cJSON *));
    size_t n = 0;
    const cJSON *member;
    cJSON_ArrayForEach(member, object) members[n++] = member;
    qsort(members, n, sizeof(const cJSON *), compare_keys);
    buf_append_char(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_append_char(out, ',');
        json_put_string(out, slice_of(members[i]->string));
        buf_append_char(out, ':');
        json_put_canonical(out, members[i]);
    }
    buf_append_char(out, '}');
    free(members);
}

void json_put_canonical(struct buf *out, const cJSON *value)
{
    if (cJSON_IsObject(value)) {
        put_object(out, value);
    } else if (cJSON_IsArray(value)) {
        buf_append_char(out, '[');
        const cJSON *element;
        cJSON_ArrayForEach(element, value)
        {
            if (element != value->child)
                buf_append_char(out, ',');
            json_put_canonical(out, element);
        }
        buf_append_char(out, ']');
    } else {
        json_put_cjson(out, value);
    }
}

bool json_same_content(const cJSON *a, const cJSON *b)
{
    struct buf left = BUF_INIT;
    struct buf right = BUF_INIT;
    json_put_canonical(&left, a);
    json_put_canonical(&right, b);
    bool same = slice_equal(buf_slice(&left), buf_slice(&right));
    buf_free(&left);
    buf_free(&right);
    return same;
}

bool json_same_text(struct slice a, struct slice b)
{
    if (slice_equal(a, b))
        return true;
    cJSON *left = json_parse(a, NULL);
    cJSON *right = json_parse(b, NULL);
    bool same = left && right && json_same_content(left, right);
    cJSON_Delete(left);
    cJSON_Delete(right);
    return same;
}
