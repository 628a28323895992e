#include "legacy/content.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/num.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const struct legacy_kind legacy_kinds[READ_KIND_COUNT] = {
    [READ_ACCOUNT_TOTALS] = {"account-totals.json", "accountTotals", ROWS_ARRAY},
    [READ_POSITIONS] = {"positions.json", "accountTotals", ROWS_ARRAY},
    [READ_TRADES] = {"trades.json", "trades", ROWS_ARRAY},
    [READ_CRYPTO_PRICES] = {"crypto-prices.json", "prices", ROWS_OBJECT},
    [READ_SINCE_INCEPTION] = {"since-inception-values.json", "sinceInceptionValues", ROWS_ARRAY},
    [READ_LEADERBOARD] = {"leaderboard.json", "leaderboard", ROWS_ARRAY},
    [READ_ANALYTICS_ALL] = {"analytics.json", "analytics", ROWS_ARRAY},
    [READ_ANALYTICS_ONE] = {NULL, "analytics", ROWS_SINGLE},
    [READ_CONVERSATIONS] = {"conversations.json", "conversations", ROWS_ARRAY},
};

/* While elements are collected their place in the body is kept as an offset, since the body still moves. */
struct element_place {
    size_t offset;
    size_t length;
};

struct layout {
    const struct legacy_kind *kind;
    struct slice text;
    struct legacy_content *content;
    struct buf body;
    struct buf others;
    struct element_place *places;
    size_t capacity;
    bool has_rows;
    struct err *err;
};

static bool fault_at(struct layout *layout, const char *where, const char *path, const char *what)
{
    unsigned long line;
    unsigned long column;
    json_locate(layout->text, (size_t)(where - layout->text.p), &line, &column);
    return err_set(layout->err, ERR_INVALID, "line %lu, column %lu: %s: %s", line, column, path, what);
}

static bool rows_fault(struct layout *layout, struct slice value, const char *what)
{
    char path[64];
    (void)snprintf(path, sizeof path, "$.%s", layout->kind->rows_key);
    return fault_at(layout, value.p, path, what);
}

/* Text that the whole check found good; only its size can still be a fault. */
static cJSON *parse_part(struct layout *layout, struct slice part)
{
    cJSON *tree = cJSON_ParseWithLengthOpts(part.p, part.n, NULL, false);
    if (!tree)
        (void)fault_at(layout, part.p, "$", "the JSON parser failed on a text that was found good");
    return tree;
}

static bool put_value(struct layout *layout, struct buf *out, struct slice value)
{
    cJSON *tree = parse_part(layout, value);
    if (!tree)
        return false;
    json_put_cjson(out, tree);
    cJSON_Delete(tree);
    return true;
}

static struct slice text_member(struct arena *arena, const cJSON *object, const char *key)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(member) ? arena_copy(arena, slice_of(member->valuestring)) : (struct slice){NULL, 0};
}

static bool integer_member(const cJSON *member, int64_t *value)
{
    if (!cJSON_IsNumber(member) || fabs(member->valuedouble) > (double)NUM_EXACT_INTEGER_MAX ||
        member->valuedouble != floor(member->valuedouble))
        return false;
    *value = (int64_t)member->valuedouble;
    return true;
}

static void index_element(struct layout *layout, const cJSON *object, struct element_place place)
{
    struct legacy_content *content = layout->content;
    if (content->count == layout->capacity) {
        layout->capacity = layout->capacity ? 2 * layout->capacity : 64;
        content->elements = mem_realloc(content->elements, layout->capacity * sizeof *content->elements);
        layout->places = mem_realloc(layout->places, layout->capacity * sizeof *layout->places);
    }
    struct legacy_element element = {
        .id = text_member(content->arena, object, "id"),
        .model_id = text_member(content->arena, object, "model_id"),
    };
    element.has_marker =
        integer_member(cJSON_GetObjectItemCaseSensitive(object, "since_inception_hourly_marker"), &element.marker);
    const cJSON *exit_time = cJSON_GetObjectItemCaseSensitive(object, "exit_time");
    element.has_exit_time = cJSON_IsNumber(exit_time);
    if (element.has_exit_time)
        element.exit_time = exit_time->valuedouble;
    layout->places[content->count] = place;
    content->elements[content->count++] = element;
}

static bool add_element(void *arg, size_t index, struct slice json)
{
    struct layout *layout = arg;
    if (json.p[0] != '{') {
        char path[64];
        (void)snprintf(path, sizeof path, "$.%s[%zu]", layout->kind->rows_key, index);
        return fault_at(layout, json.p, path, "expected an object");
    }
    cJSON *tree = parse_part(layout, json);
    if (!tree)
        return false;
    if (index > 0)
        buf_append_char(&layout->body, ',');
    size_t offset = layout->body.len;
    json_put_cjson(&layout->body, tree);
    index_element(layout, tree, (struct element_place){offset, layout->body.len - offset});
    cJSON_Delete(tree);
    return true;
}

static bool expect_object_member(void *arg, struct slice key, struct slice value)
{
    struct layout *layout = arg;
    if (value.p[0] == '{')
        return true;
    char path[128];
    (void)snprintf(path, sizeof path, "$.%s.%.*s", layout->kind->rows_key, key.n < 40 ? (int)key.n : 40, key.p);
    return fault_at(layout, value.p, path, "expected an object");
}

static bool take_single(void *arg, size_t index, struct slice json)
{
    struct slice *single = arg;
    if (index > 0)
        return false;
    *single = json;
    return true;
}

static bool put_single(struct layout *layout, struct slice value)
{
    if (value.p[0] == '[') {
        struct slice single = {NULL, 0};
        if (!json_walk_array(value, take_single, &single) || !single.p)
            return rows_fault(layout, value, "expected an object or an array of one");
        value = single;
    }
    if (value.p[0] != '{')
        return rows_fault(layout, value, "expected an object or an array of one");
    return put_value(layout, &layout->body, value);
}

static bool put_rows(struct layout *layout, struct slice value)
{
    layout->has_rows = true;
    switch (layout->kind->shape) {
    case ROWS_ARRAY:
        if (value.p[0] != '[')
            return rows_fault(layout, value, "expected an array");
        buf_append_char(&layout->body, '[');
        if (!json_walk_array(value, add_element, layout))
            return false;
        buf_append_char(&layout->body, ']');
        return true;
    case ROWS_OBJECT:
        if (value.p[0] != '{')
            return rows_fault(layout, value, "expected an object");
        return json_walk_object(value, expect_object_member, layout) && put_value(layout, &layout->body, value);
    case ROWS_SINGLE:
        return put_single(layout, value);
    }
    return false;
}

static bool add_named_member(struct layout *layout, struct slice key, struct slice value)
{
    if (slice_is(key, "serverTime")) {
        double number;
        struct legacy_content *content = layout->content;
        content->has_server_time = num_parse_double(value, &number) && number == floor(number) &&
                                   fabs(number) <= (double)NUM_EXACT_INTEGER_MAX;
        if (content->has_server_time)
            content->server_time_ms = (int64_t)number;
        return true;
    }
    buf_append_char(&layout->body, layout->body.len ? ',' : '{');
    size_t start = layout->body.len;
    json_put_string(&layout->body, key);
    buf_append_char(&layout->body, ':');
    if (slice_is(key, layout->kind->rows_key))
        return put_rows(layout, value);
    if (!put_value(layout, &layout->body, value))
        return false;
    if (!slice_is(key, "lastHourlyMarkerRead")) {
        buf_append_char(&layout->others, ',');
        buf_append(&layout->others, layout->body.data + start, layout->body.len - start);
    }
    return true;
}

static bool add_member(void *arg, struct slice escaped_key, struct slice value)
{
    struct buf key = BUF_INIT;
    json_unescape(&key, escaped_key);
    bool ok = add_named_member(arg, buf_slice(&key), value);
    buf_free(&key);
    return ok;
}

struct closed {
    const struct legacy_element *element;
    size_t index;
};

static int compare_closed(const void *left, const void *right)
{
    const struct closed *a = left;
    const struct closed *b = right;
    if (a->element->exit_time != b->element->exit_time)
        return a->element->exit_time > b->element->exit_time ? -1 : 1;
    int order = slice_compare(b->element->id, a->element->id);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

static void sort_closed(struct legacy_content *content)
{
    struct closed *closed = mem_calloc(content->count + 1, sizeof *closed);
    size_t n = 0;
    for (size_t i = 0; i < content->count; i++) {
        if (content->elements[i].has_exit_time)
            closed[n++] = (struct closed){&content->elements[i], i};
    }
    qsort(closed, n, sizeof *closed, compare_closed);
    content->newest_first = mem_calloc(n + 1, sizeof *content->newest_first);
    for (size_t i = 0; i < n; i++)
        content->newest_first[i] = closed[i].index;
    content->closed_count = n;
    free(closed);
}

static bool keep_first_fault(void *arg, const struct json_fault *fault)
{
    (void)err_set(arg, ERR_INVALID, "line %lu, column %lu: %s: %s", fault->line, fault->column, fault->path,
                  fault->what);
    return false;
}

static bool lay_out(struct layout *layout)
{
    if (!json_check(layout->text, keep_first_fault, layout->err))
        return false;
    size_t start = strspn(layout->text.p, " \t\r\n");
    if (layout->text.p[start] != '{')
        return fault_at(layout, layout->text.p + start, "$", "expected an object");
    if (!json_walk_object(layout->text, add_member, layout))
        return false;
    if (!layout->has_rows)
        return rows_fault(layout, (struct slice){layout->text.p + start, 1}, "missing");
    return true;
}

struct legacy_content *legacy_content_parse(enum read_kind kind, struct slice text, struct err *err)
{
    struct legacy_content *content = mem_zalloc(sizeof *content);
    atomic_init(&content->references, 1);
    content->arena = arena_new(0);
    struct layout layout = {.kind = &legacy_kinds[kind],
                            .text = text,
                            .content = content,
                            .body = BUF_INIT,
                            .others = BUF_INIT,
                            .err = err};
    bool ok = lay_out(&layout);
    if (ok) {
        if (layout.others.len)
            content->others = arena_copy(content->arena, buf_slice(&layout.others));
        content->body = buf_take(&layout.body, &content->body_len);
        content->body = mem_realloc(content->body, content->body_len);
        for (size_t i = 0; i < content->count; i++)
            content->elements[i].json =
                (struct slice){content->body + layout.places[i].offset, layout.places[i].length};
        if (kind == READ_TRADES)
            sort_closed(content);
    }
    buf_free(&layout.body);
    buf_free(&layout.others);
    free(layout.places);
    if (!ok) {
        legacy_content_unref(content);
        return NULL;
    }
    return content;
}

struct legacy_content *legacy_content_ref(struct legacy_content *content)
{
    if (content)
        atomic_fetch_add_explicit(&content->references, 1, memory_order_relaxed);
    return content;
}

void legacy_content_unref(struct legacy_content *content)
{
    if (!content || atomic_fetch_sub_explicit(&content->references, 1, memory_order_acq_rel) != 1)
        return;
    arena_free(content->arena);
    free(content->newest_first);
    free(content->elements);
    free(content->body);
    free(content);
}
