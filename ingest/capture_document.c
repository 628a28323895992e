#include "ingest/capture_document.h"

#include "base/json_read.h"
#include "base/mem.h"
#include "base/num.h"
#include "ingest/canonical.h"

#include <stdlib.h>

const struct capture_kind capture_kinds[CAPTURE_ENDPOINT_COUNT] = {
    [CAPTURE_ACCOUNT_TOTALS] = {"account-totals", "accountTotals", CAPTURE_LIST},
    [CAPTURE_POSITIONS] = {"positions", "accountTotals", CAPTURE_LIST},
    [CAPTURE_TRADES] = {"trades", "trades", CAPTURE_LIST},
    [CAPTURE_PRICES] = {"crypto-prices", "prices", CAPTURE_MAP},
    [CAPTURE_SINCE_INCEPTION] = {"since-inception-values", "sinceInceptionValues", CAPTURE_LIST},
    [CAPTURE_LEADERBOARD] = {"leaderboard", "leaderboard", CAPTURE_LIST},
    [CAPTURE_ANALYTICS] = {"analytics", "analytics", CAPTURE_LIST},
    [CAPTURE_CONVERSATIONS] = {"conversations", "conversations", CAPTURE_LIST},
    [CAPTURE_ANALYTICS_ONE] = {"analytics", "analytics", CAPTURE_SINGLE},
};

void capture_member_add(struct capture_member **members, size_t *count, size_t *room, struct slice key,
                        struct slice json)
{
    if (*count == *room) {
        *room = *room ? *room * 2 : 64;
        *members = mem_realloc(*members, *room * sizeof **members);
    }
    (*members)[(*count)++] = (struct capture_member){key, json};
}

struct reading {
    struct capture_document *document;
    const struct capture_kind *kind;
    bool found;    /* the rows' member is there */
    bool in_shape; /* and of the right type */
};

static bool each_row(void *arg, size_t index, struct slice element)
{
    (void)index;
    struct capture_document *document = ((struct reading *)arg)->document;
    capture_member_add(&document->rows, &document->row_count, &document->row_room, (struct slice){NULL, 0}, element);
    return true;
}

static bool each_mapped(void *arg, struct slice key, struct slice value)
{
    struct capture_document *document = ((struct reading *)arg)->document;
    capture_member_add(&document->rows, &document->row_count, &document->row_room, key, value);
    return true;
}

static void read_rows(struct reading *reading, struct slice value)
{
    reading->found = true;
    switch (reading->kind->shape) {
    case CAPTURE_LIST:
        reading->in_shape = json_walk_array(value, each_row, reading);
        break;
    case CAPTURE_MAP:
        reading->in_shape = value.p[0] == '{' && json_walk_object(value, each_mapped, reading);
        break;
    case CAPTURE_SINGLE:
        if (value.p[0] == '[')
            reading->in_shape = json_walk_array(value, each_row, reading) && reading->document->row_count == 1;
        else
            reading->in_shape = each_row(reading, 0, value);
        break;
    }
}

static bool each_member(void *arg, struct slice key, struct slice value)
{
    struct reading *reading = arg;
    struct capture_document *document = reading->document;
    if (slice_is(key, reading->kind->rows_key))
        read_rows(reading, value);
    else if (slice_is(key, "serverTime"))
        document->has_server_time = num_parse_i64(value, &document->server_time_ms);
    else
        capture_member_add(&document->others, &document->other_count, &document->other_room, key, value);
    return true;
}

/* False when the top is no object. */
static bool read_document(struct reading *reading, struct slice text)
{
    *reading->document = (struct capture_document){0};
    return json_walk_object(text, each_member, reading);
}

void capture_document_read(struct capture_document *document, enum capture_endpoint endpoint, struct slice text)
{
    struct reading reading = {.document = document, .kind = &capture_kinds[endpoint]};
    (void)read_document(&reading, text);
}

void capture_document_free(struct capture_document *document)
{
    free(document->rows);
    free(document->others);
    *document = (struct capture_document){0};
}

static bool first_fault(void *arg, const struct json_fault *fault)
{
    err_set(arg, ERR_INVALID, "line %lu, column %lu: %s: %s", fault->line, fault->column, fault->path, fault->what);
    return false;
}

bool capture_check(enum capture_endpoint endpoint, struct slice text, struct err *err)
{
    static const char *const shapes[] = {"an array of objects", "an object of objects",
                                         "an object, or an array of one"};
    if (!json_check(text, first_fault, err))
        return false;
    const struct capture_kind *kind = &capture_kinds[endpoint];
    struct capture_document document;
    struct reading reading = {.document = &document, .kind = kind};
    bool good = read_document(&reading, text);
    if (!good)
        err_set(err, ERR_INVALID, "must be an object");
    else if (!reading.found)
        good = err_set(err, ERR_INVALID, "has no \"%s\"", kind->rows_key);
    for (size_t i = 0; i < document.row_count; i++)
        reading.in_shape = reading.in_shape && document.rows[i].json.p[0] == '{';
    if (good && !reading.in_shape)
        good = err_set(err, ERR_INVALID, "$.%s must be %s", kind->rows_key, shapes[kind->shape]);
    capture_document_free(&document);
    return good;
}

bool capture_same_value(struct slice a, struct slice b)
{
    if (slice_equal(a, b))
        return true;
    cJSON *left = cJSON_ParseWithLength(a.p, a.n);
    cJSON *right = cJSON_ParseWithLength(b.p, b.n);
    bool same = left && right && json_same_content(left, right);
    cJSON_Delete(left);
    cJSON_Delete(right);
    return same;
}

static int by_key(const void *left, const void *right)
{
    return slice_compare(((const struct capture_member *)left)->key, ((const struct capture_member *)right)->key);
}

bool capture_same_members(struct capture_member *a, size_t a_count, struct capture_member *b, size_t b_count)
{
    if (a_count != b_count)
        return false;
    bool keyed = a_count && a[0].key.p && b[0].key.p;
    if (keyed) {
        qsort(a, a_count, sizeof *a, by_key);
        qsort(b, b_count, sizeof *b, by_key);
    }
    for (size_t i = 0; i < a_count; i++) {
        if ((keyed && !slice_equal(a[i].key, b[i].key)) || !capture_same_value(a[i].json, b[i].json))
            return false;
    }
    return true;
}

bool capture_same(enum capture_endpoint endpoint, struct slice a, struct slice b)
{
    struct capture_document left;
    struct capture_document right;
    capture_document_read(&left, endpoint, a);
    capture_document_read(&right, endpoint, b);
    bool same = left.has_server_time == right.has_server_time &&
                capture_same_members(left.others, left.other_count, right.others, right.other_count) &&
                capture_same_members(left.rows, left.row_count, right.rows, right.row_count);
    capture_document_free(&left);
    capture_document_free(&right);
    return same;
}

struct finding {
    const char *key;
    struct slice value;
};

static bool look(void *arg, struct slice key, struct slice value)
{
    struct finding *finding = arg;
    if (!slice_is(key, finding->key))
        return true;
    finding->value = value;
    return false;
}

struct slice capture_find(struct slice object, const char *key)
{
    struct finding finding = {.key = key};
    (void)json_walk_object(object, look, &finding);
    return finding.value;
}

bool capture_text(struct slice value, struct buf *out)
{
    if (value.n < 2 || value.p[0] != '"')
        return false;
    json_unescape(out, (struct slice){value.p + 1, value.n - 2});
    return true;
}
