#include "ingest/capture_diff.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/num.h"
#include "ingest/capture_diff_inside.h"

void diff_emit(struct diffing *diffing, enum event_kind kind, struct slice item)
{
    diffing->diff->on_item(diffing->diff->arg, kind, item, buf_cstr(&diffing->path));
}

void diff_beyond(struct diffing *diffing, const char *what)
{
    if (diffing->beyond->len == 0)
        buf_append_str(diffing->beyond, what);
}

bool diff_put_timestamp(struct diffing *diffing, struct buf *members)
{
    const double ms_per_s = 1000;
    const struct capture_document *now = &diffing->now;
    if (now->has_server_time && diffing->before.has_server_time &&
        now->server_time_ms <= diffing->before.server_time_ms) {
        diff_beyond(diffing, "the answer is no newer than the one before");
        return false;
    }
    buf_append_str(members, "\"timestamp\":");
    json_put_double(members, (double)(now->has_server_time ? now->server_time_ms : diffing->diff->at_ms) / ms_per_s);
    return true;
}

void diff_put_object(struct buf *out, const struct buf *members, struct slice object)
{
    struct slice inside = {object.p + 1, object.n - 2};
    while (inside.n && strchr(" \t\r\n", inside.p[0]) != NULL) {
        inside.p++;
        inside.n--;
    }
    buf_append_char(out, '{');
    buf_append_slice(out, buf_slice(members));
    if (members->len && inside.n)
        buf_append_char(out, ',');
    buf_append_slice(out, inside);
    buf_append_char(out, '}');
}

bool diff_has_any(struct slice object, const char *const *keys)
{
    for (; *keys; keys++) {
        if (capture_find(object, *keys).p)
            return true;
    }
    return false;
}

bool diff_is_before(const struct diffing *diffing, struct slice text)
{
    const struct slice before = diffing->diff->before;
    return before.n && text.p >= before.p && text.p < before.p + before.n;
}

void diff_at(struct diffing *diffing, size_t index)
{
    buf_clear(&diffing->path);
    buf_printf(&diffing->path, "$.%s[%zu]", capture_kinds[diffing->diff->endpoint].rows_key, index);
}

/* once_add of a row by its text without blanks. */
static struct slice add_words(struct once *seen, struct buf *words, struct slice row)
{
    buf_clear(words);
    json_put_compact(words, row);
    return once_add(seen, buf_slice(words), row);
}

/* Rows that never change: whatever was not there word for word is new. A row that is written otherwise (its keys in
 * another order) comes as an item too, and is then a duplicate of what is stored. */
static void diff_by_words(struct diffing *diffing, enum event_kind kind)
{
    struct once *seen = once_new();
    struct buf words = BUF_INIT;
    const char *last = NULL;
    for (size_t i = 0; i < diffing->before.row_count; i++)
        (void)add_words(seen, &words, diffing->before.rows[i].json);
    for (size_t i = 0; i < diffing->now.row_count; i++) {
        struct slice row = diffing->now.rows[i].json;
        struct slice known = add_words(seen, &words, row);
        if (diff_is_before(diffing, known)) {
            if (known.p < last)
                diff_beyond(diffing, "rows stand in another order");
            last = known.p;
        } else if (known.p == row.p) {
            diff_at(diffing, i);
            diff_emit(diffing, kind, row);
        }
    }
    buf_free(&words);
    once_free(seen);
}

/* The item of a row that is what was stated last. */
static void emit_statement(struct diffing *diffing, enum event_kind kind, struct slice row)
{
    if (capture_find(row, "timestamp").p) {
        diff_beyond(diffing, "a row has a timestamp of its own");
        return;
    }
    struct buf members = BUF_INIT;
    struct buf item = BUF_INIT;
    if (diff_put_timestamp(diffing, &members)) {
        diff_put_object(&item, &members, row);
        diff_emit(diffing, kind, buf_slice(&item));
    }
    buf_free(&item);
    buf_free(&members);
}

/* Whether the member's number grew; also when there was none. */
static bool grew(struct slice before, struct slice now, const char *key)
{
    double old;
    double fresh;
    if (!num_parse_double(capture_find(now, key), &fresh))
        return false;
    return !before.p || !num_parse_double(capture_find(before, key), &old) || fresh > old;
}

static void emit_analytics(struct diffing *diffing, struct slice before, struct slice now)
{
    /* The model has none: the API's empty object says so, and no event. */
    if (slice_is(capture_find(now, "id"), "\"\""))
        return;
    if (grew(before, now, "updated_at"))
        diff_emit(diffing, EVENT_ANALYTICS, now);
    else
        diff_beyond(diffing, "analytics changed and are no newer");
}

/* A price whose key says which symbol it is. */
static void emit_price(struct diffing *diffing, struct slice key, struct slice before, struct slice now)
{
    static const char *const of_events[] = {"provider", "volume", NULL};
    struct slice symbol = capture_find(now, "symbol");
    struct buf members = BUF_INIT;
    struct buf item = BUF_INIT;
    buf_printf(&members, "\"%.*s\"", SLICE_ARG(key));
    if (symbol.p && !slice_equal(symbol, buf_slice(&members))) {
        diff_beyond(diffing, "a price names another symbol than its key");
    } else if (diff_has_any(now, of_events)) {
        diff_beyond(diffing, "a price has members that mean something else in an event");
    } else if (!grew(before, now, "timestamp")) {
        diff_beyond(diffing, "a price changed and is no newer");
    } else {
        buf_clear(&members);
        if (!symbol.p)
            buf_printf(&members, "\"symbol\":\"%.*s\"", SLICE_ARG(key));
        diff_put_object(&item, &members, now);
        diff_emit(diffing, EVENT_PRICES, buf_slice(&item));
    }
    buf_free(&item);
    buf_free(&members);
}

static void emit_row(struct diffing *diffing, const struct capture_member *row, size_t index, struct slice before)
{
    diff_at(diffing, index);
    switch (diffing->diff->endpoint) {
    case CAPTURE_LEADERBOARD:
        emit_statement(diffing, EVENT_LEADERBOARD, row->json);
        break;
    case CAPTURE_SINCE_INCEPTION:
        emit_statement(diffing, EVENT_SINCE_INCEPTION, row->json);
        break;
    case CAPTURE_PRICES:
        buf_clear(&diffing->path);
        buf_printf(&diffing->path, "$.prices.%.*s", SLICE_ARG(row->key));
        emit_price(diffing, row->key, before, row->json);
        break;
    default:
        emit_analytics(diffing, before, row->json);
        break;
    }
}

static struct slice key_of(const struct capture_member *row, const char *key)
{
    return row->key.p ? row->key : capture_find(row->json, key);
}

/* Remembers the rows by their keys. False when some has no key of its own. */
static bool add_keys(struct once *keys, const struct capture_document *document, const char *key)
{
    for (size_t i = 0; i < document->row_count; i++) {
        const struct capture_member *row = &document->rows[i];
        struct slice name = key_of(row, key);
        if (!name.p || once_add(keys, name, row->json).p != row->json.p)
            return false;
    }
    return true;
}

/* Rows of which each key has one, its newest. `key` is NULL where the rows stand in a map. */
static void diff_rows(struct diffing *diffing, const char *key, struct once *keys)
{
    const char *last = NULL;
    size_t kept = 0;
    for (size_t i = 0; i < diffing->now.row_count; i++) {
        const struct capture_member *row = &diffing->now.rows[i];
        struct slice known = once_add(keys, key_of(row, key), row->json);
        bool was_there = diff_is_before(diffing, known);
        if (was_there && key && known.p < last)
            diff_beyond(diffing, "rows stand in another order");
        last = was_there ? known.p : last;
        kept += was_there;
        if (!was_there || !capture_same_value(known, row->json))
            emit_row(diffing, row, i, was_there ? known : (struct slice){NULL, 0});
    }
    if (kept < diffing->before.row_count)
        diff_beyond(diffing, "rows are gone");
}

static void diff_by_key(struct diffing *diffing, const char *key)
{
    struct once *keys = once_new();
    struct once *fresh = once_new();
    if (add_keys(keys, &diffing->before, key) && add_keys(fresh, &diffing->now, key))
        diff_rows(diffing, key, keys);
    else
        diff_beyond(diffing, "rows have no keys of their own");
    once_free(keys);
    once_free(fresh);
}

static void diff_single(struct diffing *diffing)
{
    struct slice before = diffing->before.row_count ? diffing->before.rows[0].json : (struct slice){NULL, 0};
    struct slice now = diffing->now.rows[0].json;
    buf_clear(&diffing->path);
    buf_append_str(&diffing->path, "$.analytics");
    if (!before.p || !capture_same_value(before, now))
        emit_analytics(diffing, before, now);
}

/* What stands beside the rows, but for what follows from them. */
static void diff_beside(struct diffing *diffing)
{
    struct capture_document *documents[] = {&diffing->before, &diffing->now};
    for (size_t d = 0; d < 2; d++) {
        size_t kept = 0;
        for (size_t i = 0; i < documents[d]->other_count; i++) {
            if (!slice_is(documents[d]->others[i].key, "lastHourlyMarkerRead"))
                documents[d]->others[kept++] = documents[d]->others[i];
        }
        documents[d]->other_count = kept;
    }
    if (!capture_same_members(diffing->before.others, diffing->before.other_count, diffing->now.others,
                              diffing->now.other_count))
        diff_beyond(diffing, "something beside the rows changed");
}

bool capture_diff(const struct capture_diff *diff, struct buf *beyond)
{
    struct diffing diffing = {.diff = diff, .beyond = beyond, .path = BUF_INIT};
    size_t said = beyond->len;
    capture_document_read(&diffing.before, diff->endpoint, diff->before);
    capture_document_read(&diffing.now, diff->endpoint, diff->now);
    switch (diff->endpoint) {
    case CAPTURE_TRADES:
        diff_by_words(&diffing, EVENT_TRADES);
        break;
    case CAPTURE_ACCOUNT_TOTALS:
        diff_by_words(&diffing, EVENT_ACCOUNT_TOTALS);
        break;
    case CAPTURE_CONVERSATIONS:
        diff_by_words(&diffing, EVENT_CONVERSATIONS);
        break;
    case CAPTURE_POSITIONS:
        diff_positions(&diffing);
        break;
    case CAPTURE_PRICES:
        diff_by_key(&diffing, NULL);
        break;
    case CAPTURE_SINCE_INCEPTION:
    case CAPTURE_LEADERBOARD:
        diff_by_key(&diffing, "id");
        break;
    case CAPTURE_ANALYTICS:
        diff_by_key(&diffing, "model_id");
        break;
    case CAPTURE_ANALYTICS_ONE:
        diff_single(&diffing);
        break;
    case CAPTURE_ENDPOINT_COUNT:
        break;
    }
    diff_beside(&diffing);
    capture_document_free(&diffing.before);
    capture_document_free(&diffing.now);
    buf_free(&diffing.path);
    return beyond->len == said;
}
