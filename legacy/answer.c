#include "base/json_write.h"
#include "legacy/set.h"
#include "repo/analytics_empty.h"

/* {"rows":[ elements put one by one ] and the file's other members, without the closing brace. */
struct filtered {
    struct buf *out;
    size_t count;
};

static struct filtered filtered_begin(struct buf *out, enum read_kind kind)
{
    buf_append_str(out, "{\"");
    buf_append_str(out, legacy_kinds[kind].rows_key);
    buf_append_str(out, "\":[");
    return (struct filtered){out, 0};
}

static void filtered_put(struct filtered *filtered, const struct legacy_element *element)
{
    if (filtered->count++ > 0)
        buf_append_char(filtered->out, ',');
    buf_append_slice(filtered->out, element->json);
}

static void filtered_end(struct filtered *filtered, const struct legacy_content *content)
{
    buf_append_char(filtered->out, ']');
    buf_append_slice(filtered->out, content->others);
}

static void put_since_marker(const struct legacy_content *content, const struct read_query *query, struct buf *out)
{
    struct filtered filtered = filtered_begin(out, query->kind);
    int64_t highest = query->min_marker;
    for (size_t i = 0; i < content->count; i++) {
        const struct legacy_element *element = &content->elements[i];
        if (!element->has_marker || element->marker < query->min_marker)
            continue;
        if (element->marker > highest)
            highest = element->marker;
        filtered_put(&filtered, element);
    }
    buf_append_str(out, "],\"lastHourlyMarkerRead\":");
    json_put_i64(out, highest);
    buf_append_slice(out, content->others);
}

static bool is_of_model(const struct legacy_element *element, struct slice model_id)
{
    return !model_id.p || (element->model_id.p && slice_equal(element->model_id, model_id));
}

/* The first elements in file order, up to the limit, of one model or of all. */
static void put_first(const struct legacy_content *content, const struct read_query *query, struct buf *out)
{
    struct filtered filtered = filtered_begin(out, query->kind);
    bool limited = query->limit != READ_NO_LIMIT;
    for (size_t i = 0; i < content->count && (!limited || (int64_t)filtered.count < query->limit); i++) {
        if (is_of_model(&content->elements[i], query->model_id))
            filtered_put(&filtered, &content->elements[i]);
    }
    filtered_end(&filtered, content);
}

/* A place in the order of trades that a cursor stands for. */
struct place {
    enum { PLACE_NONE, PLACE_TIME, PLACE_TRADE, PLACE_UNKNOWN } kind;
    double exit_time;
    struct slice id;
};

static struct place place_of(const struct legacy_content *content, const struct trade_cursor *cursor)
{
    if (cursor->kind == CURSOR_NONE)
        return (struct place){.kind = PLACE_NONE};
    if (cursor->kind == CURSOR_TIME)
        return (struct place){.kind = PLACE_TIME, .exit_time = cursor->exit_time_s};
    for (size_t i = 0; i < content->closed_count; i++) {
        const struct legacy_element *element = &content->elements[content->newest_first[i]];
        if (element->id.p && slice_equal(element->id, cursor->id))
            return (struct place){PLACE_TRADE, element->exit_time, element->id};
    }
    return (struct place){.kind = PLACE_UNKNOWN};
}

/* < 0 when the trade is older than the place, > 0 when newer. */
static int compare_to_place(const struct legacy_element *element, const struct place *place)
{
    if (element->exit_time != place->exit_time || place->kind == PLACE_TIME)
        return (element->exit_time > place->exit_time) - (element->exit_time < place->exit_time);
    return slice_compare(element->id, place->id);
}

static void put_trades_page(const struct legacy_content *content, const struct read_query *query, struct buf *out)
{
    struct filtered filtered = filtered_begin(out, query->kind);
    struct place before = place_of(content, &query->before);
    struct place after = place_of(content, &query->after);
    size_t limit = query->limit == READ_NO_LIMIT ? TRADES_PAGE_DEFAULT : (size_t)query->limit;
    bool nearest_to_after = after.kind != PLACE_NONE && before.kind == PLACE_NONE;
    size_t closed = before.kind == PLACE_UNKNOWN || after.kind == PLACE_UNKNOWN ? 0 : content->closed_count;

    /* Rows that match stand together in the order but for those of other models. */
    size_t begin = 0;
    size_t end = closed;
    while (before.kind != PLACE_NONE && begin < end &&
           compare_to_place(&content->elements[content->newest_first[begin]], &before) >= 0)
        begin++;
    while (after.kind != PLACE_NONE && begin < end &&
           compare_to_place(&content->elements[content->newest_first[end - 1]], &after) <= 0)
        end--;
    if (nearest_to_after) {
        size_t found = 0;
        size_t from = end;
        while (from > begin && found < limit)
            found += is_of_model(&content->elements[content->newest_first[--from]], query->model_id);
        begin = from;
    }
    for (size_t i = begin; i < end && filtered.count < limit; i++) {
        const struct legacy_element *element = &content->elements[content->newest_first[i]];
        if (is_of_model(element, query->model_id))
            filtered_put(&filtered, element);
    }
    filtered_end(&filtered, content);
}

/* True when the query asks for less than the whole file, and was answered into `out`. */
static bool answer_part(const struct legacy_content *content, const struct read_query *query, struct buf *out)
{
    switch (query->kind) {
    case READ_ACCOUNT_TOTALS:
        if (!query->has_min_marker)
            return false;
        put_since_marker(content, query, out);
        return true;
    case READ_TRADES:
        if (read_query_is_page(query)) {
            put_trades_page(content, query, out);
            return true;
        }
        if (!query->model_id.p)
            return false;
        put_first(content, query, out);
        return true;
    case READ_POSITIONS:
    case READ_CONVERSATIONS:
        if (!query->model_id.p && (query->limit == READ_NO_LIMIT || query->limit >= (int64_t)content->count))
            return false;
        put_first(content, query, out);
        return true;
    default:
        return false;
    }
}

static void set_time(struct legacy_answer *answer, const struct legacy_content *content)
{
    answer->has_server_time = content->has_server_time;
    answer->server_time_ms = content->server_time_ms;
}

static bool answer_whole(const struct legacy_content *content, struct legacy_answer *answer)
{
    *answer = (struct legacy_answer){.json = {content->body, content->body_len}, .version = content->version};
    set_time(answer, content);
    return true;
}

/* The list may name its models by model_id or, as every capture does too, by id. */
static const struct legacy_element *find_in_list(const struct legacy_content *content, struct slice model_id)
{
    for (size_t i = 0; i < content->count; i++) {
        const struct legacy_element *element = &content->elements[i];
        struct slice name = element->model_id.p ? element->model_id : element->id;
        if (name.p && slice_equal(name, model_id))
            return element;
    }
    return NULL;
}

static bool answer_analytics_one(const struct legacy_set *set, const struct read_query *query, struct buf *scratch,
                                 struct legacy_answer *answer, struct err *err)
{
    const struct legacy_file *own = legacy_set_model_file(set, query->model_id);
    if (own && own->content)
        return answer_whole(own->content, answer);
    const struct legacy_file *list = legacy_set_file(set, READ_ANALYTICS_ALL);
    if (!list->content)
        return err_set(err, ERR_UNAVAILABLE, "%s", list->state.fault);

    size_t start = scratch->len;
    const struct legacy_element *entry = find_in_list(list->content, query->model_id);
    buf_append_str(scratch, "{\"analytics\":");
    if (entry)
        buf_append_slice(scratch, entry->json);
    else
        analytics_put_empty(scratch, query->model_id);
    *answer = (struct legacy_answer){.json = {scratch->data + start, scratch->len - start}};
    set_time(answer, list->content);
    return true;
}

bool legacy_set_answer(const struct legacy_set *set, const struct read_query *query, struct buf *scratch,
                       struct legacy_answer *answer, struct err *err)
{
    if (query->kind == READ_ANALYTICS_ONE)
        return answer_analytics_one(set, query, scratch, answer, err);
    const struct legacy_file *file = legacy_set_file(set, query->kind);
    if (!file->content)
        return err_set(err, ERR_UNAVAILABLE, "%s", file->state.fault);
    size_t start = scratch->len;
    if (!answer_part(file->content, query, scratch))
        return answer_whole(file->content, answer);
    *answer = (struct legacy_answer){.json = {scratch->data + start, scratch->len - start}};
    set_time(answer, file->content);
    return true;
}
