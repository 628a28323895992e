/* What the differ says, case by case; and that its items, applied in any order to a model of what events do, give the
 * new capture's content. */
#include "base/json_write.h"
#include "base/testing.h"
#include "ingest/canonical.h"
#include "ingest/capture_diff.h"

#include <stdio.h>
#include <stdlib.h>

struct item {
    enum event_kind kind;
    char *json;
    char *path;
};

struct items {
    struct item list[400];
    size_t count;
    struct buf beyond;
};

static void on_item(void *arg, enum event_kind kind, struct slice json, const char *path)
{
    struct items *items = arg;
    assert_true(items->count < sizeof items->list / sizeof items->list[0]);
    struct item *item = &items->list[items->count++];
    *item = (struct item){kind, strndup(json.p, json.n), strdup(path)};
}

static void items_free(struct items *items)
{
    for (size_t i = 0; i < items->count; i++) {
        free(items->list[i].json);
        free(items->list[i].path);
    }
    buf_free(&items->beyond);
    items->count = 0;
}

enum { AT_MS = 1000500 };

static void diff_into(struct items *items, enum capture_endpoint endpoint, struct slice before, struct slice now,
                      int64_t at_ms)
{
    struct err err = ERR_INIT;
    if ((before.n && !capture_check(endpoint, before, &err)) || !capture_check(endpoint, now, &err))
        fail_msg("%s", err.text);
    const struct capture_diff diff = {
        .endpoint = endpoint, .before = before, .now = now, .at_ms = at_ms, .on_item = on_item, .arg = items};
    struct buf beyond = BUF_INIT;
    assert_int_equal(capture_diff(&diff, &beyond), beyond.len == 0);
    buf_append_slice(&items->beyond, buf_slice(&beyond));
    buf_free(&beyond);
}

/* `expected`: "path item" of each, then ends with NULL. `beyond` "" when the items say it all. */
static void expect(enum capture_endpoint endpoint, const char *before, const char *now, enum event_kind kind,
                   const char *beyond, const char *const *expected)
{
    struct items items = {.count = 0};
    diff_into(&items, endpoint, slice_of(before), slice_of(now), AT_MS);
    size_t n = 0;
    for (; expected[n]; n++) {
        struct buf line = BUF_INIT;
        if (n < items.count)
            buf_printf(&line, "%s %s", items.list[n].path, items.list[n].json);
        assert_string_equal(buf_cstr(&line), expected[n]);
        assert_int_equal(items.list[n].kind, kind);
        buf_free(&line);
    }
    assert_int_equal(items.count, n);
    assert_string_equal(items.beyond.len ? buf_cstr(&items.beyond) : "", beyond);
    items_free(&items);
}

#define ITEMS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_ITEMS ((const char *const[]){NULL})

static void feeds_give_what_is_new(void **state)
{
    (void)state;
    expect(CAPTURE_TRADES, "{\"trades\":[{\"id\":\"b\"},{\"id\":\"a\"}],\"serverTime\":1}",
           "{\"trades\":[{\"id\":\"c\"},{\"id\":\"b\"}],\"serverTime\":2}", EVENT_TRADES, "",
           ITEMS("$.trades[0] {\"id\":\"c\"}"));
    expect(CAPTURE_TRADES, "", "{\"trades\":[{\"id\":\"a\"}]}", EVENT_TRADES, "", ITEMS("$.trades[0] {\"id\":\"a\"}"));
    expect(CAPTURE_TRADES, "{\"trades\":[{\"id\":\"a\",\"x\":1}]}", "{\"trades\":[{\"id\":\"a\",\"x\":2}]}",
           EVENT_TRADES, "", ITEMS("$.trades[0] {\"id\":\"a\",\"x\":2}"));
    expect(CAPTURE_TRADES, "{\"trades\":[{\"id\":\"a\"},{\"id\":\"b\"}]}",
           "{\"trades\":[{\"id\":\"b\"},{\"id\":\"a\"}]}", EVENT_TRADES, "rows stand in another order", NO_ITEMS);
    expect(CAPTURE_TRADES, "{\"trades\":[{\"id\":\"a\"}]}", "{ \"trades\": [ { \"id\" : \"a\" } ] }", EVENT_TRADES, "",
           NO_ITEMS);
    expect(CAPTURE_ACCOUNT_TOTALS, "{\"accountTotals\":[],\"lastHourlyMarkerRead\":1}",
           "{\"accountTotals\":[{\"id\":\"m_2\"}],\"lastHourlyMarkerRead\":2}", EVENT_ACCOUNT_TOTALS, "",
           ITEMS("$.accountTotals[0] {\"id\":\"m_2\"}"));
    expect(CAPTURE_CONVERSATIONS, "{\"conversations\":[]}", "{\"conversations\":[{\"id\":\"x\"}],\"more\":1}",
           EVENT_CONVERSATIONS, "something beside the rows changed", ITEMS("$.conversations[0] {\"id\":\"x\"}"));
}

static void statements_get_a_timestamp(void **state)
{
    (void)state;
    static const char before[] = "{\"leaderboard\":[{\"id\":\"a\",\"n\":1},{\"id\":\"b\"},{\"id\":\"c\",\"n\":1}]}";
    expect(CAPTURE_LEADERBOARD, before,
           "{\"leaderboard\":[{\"id\":\"a\",\"n\":1.0},{\"id\":\"b\"},{ \"n\":2,\"id\":\"c\"},{\"id\":\"d\"}]}",
           EVENT_LEADERBOARD, "",
           ITEMS("$.leaderboard[2] {\"timestamp\":1000.5,\"n\":2,\"id\":\"c\"}",
                 "$.leaderboard[3] {\"timestamp\":1000.5,\"id\":\"d\"}"));
    expect(CAPTURE_LEADERBOARD, before, "{\"leaderboard\":[{\"id\":\"a\",\"n\":1},{\"id\":\"c\",\"n\":1}]}",
           EVENT_LEADERBOARD, "rows are gone", NO_ITEMS);
    expect(CAPTURE_LEADERBOARD, before,
           "{\"leaderboard\":[{\"id\":\"b\"},{\"id\":\"a\",\"n\":1},{\"id\":\"c\",\"n\":1}]}", EVENT_LEADERBOARD,
           "rows stand in another order", NO_ITEMS);
    expect(CAPTURE_LEADERBOARD, before, "{\"leaderboard\":[{}]}", EVENT_LEADERBOARD, "rows have no keys of their own",
           NO_ITEMS);
    expect(CAPTURE_LEADERBOARD, before, "{\"leaderboard\":[{\"id\":\"a\"},{\"id\":\"a\",\"n\":2}]}", EVENT_LEADERBOARD,
           "rows have no keys of their own", NO_ITEMS);
    expect(CAPTURE_LEADERBOARD, "{\"leaderboard\":[]}", "{\"leaderboard\":[{\"id\":\"b\",\"timestamp\":1}]}",
           EVENT_LEADERBOARD, "a row has a timestamp of its own", NO_ITEMS);
    expect(CAPTURE_SINCE_INCEPTION, "{\"sinceInceptionValues\":[]}",
           "{\"sinceInceptionValues\":[{\"id\":\"a\"}],\"serverTime\":7250}", EVENT_SINCE_INCEPTION, "",
           ITEMS("$.sinceInceptionValues[0] {\"timestamp\":7.25,\"id\":\"a\"}"));
}

static void analytics_must_be_newer(void **state)
{
    (void)state;
    expect(CAPTURE_ANALYTICS,
           "{\"analytics\":[{\"model_id\":\"a\",\"updated_at\":1},{\"model_id\":\"b\",\"updated_at\":1}]}",
           "{\"analytics\":[{\"model_id\":\"a\",\"updated_at\":1},{\"model_id\":\"b\",\"updated_at\":2}]}",
           EVENT_ANALYTICS, "", ITEMS("$.analytics[1] {\"model_id\":\"b\",\"updated_at\":2}"));
    expect(CAPTURE_ANALYTICS, "{\"analytics\":[{\"model_id\":\"a\",\"updated_at\":1}]}",
           "{\"analytics\":[{\"model_id\":\"a\",\"updated_at\":1,\"x\":1}]}", EVENT_ANALYTICS,
           "analytics changed and are no newer", NO_ITEMS);
    expect(CAPTURE_ANALYTICS_ONE, "{\"analytics\":[{\"id\":\"a\",\"updated_at\":1}]}",
           "{\"analytics\":{\"id\":\"a\",\"updated_at\":1}}", EVENT_ANALYTICS, "", NO_ITEMS);
    expect(CAPTURE_ANALYTICS_ONE, "", "{\"analytics\":[{\"id\":\"a\",\"updated_at\":1}]}", EVENT_ANALYTICS, "",
           ITEMS("$.analytics {\"id\":\"a\",\"updated_at\":1}"));
    expect(CAPTURE_ANALYTICS_ONE, "", "{\"analytics\":{\"id\":\"\",\"model_id\":\"a\",\"updated_at\":0}}",
           EVENT_ANALYTICS, "", NO_ITEMS);
}

static void prices_are_ticks(void **state)
{
    (void)state;
    static const char before[] = "{\"prices\":{\"A\":{\"symbol\":\"A\",\"price\":1,\"timestamp\":5},"
                                 "\"B\":{\"price\":1,\"timestamp\":5}}}";
    expect(CAPTURE_PRICES, before,
           "{\"prices\":{\"B\":{\"price\":2,\"timestamp\":6},\"A\":{\"symbol\":\"A\",\"price\":1,\"timestamp\":5}}}",
           EVENT_PRICES, "", ITEMS("$.prices.B {\"symbol\":\"B\",\"price\":2,\"timestamp\":6}"));
    expect(CAPTURE_PRICES, before, "{\"prices\":{\"A\":{\"symbol\":\"A\",\"price\":2,\"timestamp\":5}}}", EVENT_PRICES,
           "a price changed and is no newer", NO_ITEMS);
    expect(CAPTURE_PRICES, before, "{\"prices\":{\"A\":{\"symbol\":\"A\",\"price\":2,\"timestamp\":6}}}", EVENT_PRICES,
           "rows are gone", ITEMS("$.prices.A {\"symbol\":\"A\",\"price\":2,\"timestamp\":6}"));
    expect(CAPTURE_PRICES, "", "{\"prices\":{\"A\":{\"symbol\":\"X\",\"price\":2,\"timestamp\":6}}}", EVENT_PRICES,
           "a price names another symbol than its key", NO_ITEMS);
    expect(CAPTURE_PRICES, "", "{\"prices\":{\"A\":{\"price\":2,\"timestamp\":6,\"provider\":\"p\"}}}", EVENT_PRICES,
           "a price has members that mean something else in an event", NO_ITEMS);
}

#define HELD(model, positions) "{\"model_id\":\"" model "\",\"positions\":{" positions "}}"
#define LIST_AT(time, holders) "{\"accountTotals\":[" holders "],\"serverTime\":" time "}"
#define LIST(holders) LIST_AT("2000", holders)
#define EARLIER(holders) LIST_AT("1000", holders)

static void positions_open_change_and_close(void **state)
{
    (void)state;
    static const char before[] = EARLIER(HELD(
        "m",
        "\"A\":{\"symbol\":\"A\",\"entry_time\":1,\"n\":1},\"B\":{\"symbol\":\"B\",\"entry_time\":1}") "," HELD("o",
                                                                                                                ""));
    expect(CAPTURE_POSITIONS, before, before, EVENT_POSITIONS, "", NO_ITEMS);
    expect(
        CAPTURE_POSITIONS, before,
        LIST(HELD("m", "\"A\":{\"symbol\":\"A\",\"entry_time\":1,\"n\":2}") "," HELD("o", "\"C\":{\"entry_time\":9}")),
        EVENT_POSITIONS, "",
        ITEMS("$.accountTotals[0].positions.A "
              "{\"timestamp\":2,\"model_id\":\"m\",\"symbol\":\"A\",\"entry_time\":1,\"n\":2}",
              "$.accountTotals[0].positions.B "
              "{\"timestamp\":2,\"model_id\":\"m\",\"status\":\"closed\",\"symbol\":\"B\",\"entry_time\":1}",
              "$.accountTotals[1].positions.C "
              "{\"timestamp\":2,\"model_id\":\"o\",\"symbol\":\"C\",\"entry_time\":9}"));
    /* Closed and opened again between two captures. */
    expect(
        CAPTURE_POSITIONS, EARLIER(HELD("m", "\"A\":{\"symbol\":\"A\",\"entry_time\":1}")),
        LIST(HELD("m", "\"A\":{\"symbol\":\"A\",\"entry_time\":3}")), EVENT_POSITIONS, "",
        ITEMS("$.accountTotals[0].positions.A {\"timestamp\":2,\"model_id\":\"m\",\"symbol\":\"A\",\"entry_time\":3}",
              "$.accountTotals[0].positions.A "
              "{\"timestamp\":2,\"model_id\":\"m\",\"status\":\"closed\",\"symbol\":\"A\",\"entry_time\":1}"));
}

static void what_positions_cannot_say(void **state)
{
    (void)state;
    static const char one[] = EARLIER(HELD("m", ""));
    expect(CAPTURE_POSITIONS, one, LIST(HELD("m", "") "," HELD("n", "")), EVENT_POSITIONS,
           "a model without positions is new", NO_ITEMS);
    expect(CAPTURE_POSITIONS, EARLIER(HELD("m", "") "," HELD("n", "\"A\":{\"entry_time\":1}")), LIST(HELD("m", "")),
           EVENT_POSITIONS, "models are gone",
           ITEMS("$.accountTotals[1].positions.A "
                 "{\"timestamp\":2,\"model_id\":\"n\",\"status\":\"closed\",\"symbol\":\"A\",\"entry_time\":1}"));
    expect(CAPTURE_POSITIONS, EARLIER(HELD("m", "") "," HELD("n", "")), LIST(HELD("n", "") "," HELD("m", "")),
           EVENT_POSITIONS, "models stand in another order", NO_ITEMS);
    expect(CAPTURE_POSITIONS, one, LIST("{\"model_id\":\"m\",\"positions\":null}"), EVENT_POSITIONS,
           "a model's positions are no map, or are one again", NO_ITEMS);
    expect(CAPTURE_POSITIONS, one, LIST("{\"model_id\":\"m\",\"x\":1,\"positions\":{}}"), EVENT_POSITIONS,
           "something beside a model's positions changed", NO_ITEMS);
    expect(CAPTURE_POSITIONS, one, LIST(HELD("m", "\"A\":{\"symbol\":\"B\"}")), EVENT_POSITIONS,
           "a position names another symbol than its key", NO_ITEMS);
    expect(CAPTURE_POSITIONS, one, LIST(HELD("m", "\"A\":{\"status\":\"x\"}")), EVENT_POSITIONS,
           "a position has members that mean something else in an event", NO_ITEMS);
    expect(CAPTURE_POSITIONS, one, LIST(HELD("m", "") "," HELD("m", "")), EVENT_POSITIONS, "a model stands there twice",
           NO_ITEMS);
    expect(CAPTURE_POSITIONS, one, EARLIER(HELD("m", "\"A\":{\"entry_time\":1}")), EVENT_POSITIONS,
           "the answer is no newer than the one before", NO_ITEMS);
    expect(CAPTURE_POSITIONS, one, LIST("{\"positions\":{}}"), EVENT_POSITIONS, "a row names no model", NO_ITEMS);
}

/* A model of what events do: of each key the row with the greatest stamp. */

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static double number(const cJSON *row, const char *key)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(row, key));
}

static const char *text(const cJSON *row, const char *key)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, key));
    return value ? value : "";
}

/* What tells the row apart, and which one wins. */
static void identify(enum event_kind kind, const cJSON *row, char key[200], double *stamp)
{
    *stamp = number(row, "timestamp");
    switch (kind) {
    case EVENT_POSITIONS:
        (void)snprintf(key, 200, "%s %s %.17g", text(row, "model_id"), text(row, "symbol"), number(row, "entry_time"));
        break;
    case EVENT_PRICES:
        (void)snprintf(key, 200, "%s", text(row, "symbol"));
        break;
    case EVENT_ANALYTICS:
        (void)snprintf(key, 200, "%s", text(row, "model_id"));
        *stamp = number(row, "updated_at");
        break;
    case EVENT_CONVERSATIONS: {
        const cJSON *messages = cJSON_GetObjectItemCaseSensitive(row, "messages");
        (void)snprintf(key, 200, "%s %s", text(row, "id"), messages ? text(messages->child, "content") : "");
        *stamp = messages ? cJSON_GetArraySize(messages) : 0;
        break;
    }
    default:
        (void)snprintf(key, 200, "%s", text(row, "id"));
        if (kind == EVENT_TRADES)
            *stamp = 0;
    }
}

static void apply(cJSON *state, const struct item *item)
{
    char key[200];
    double stamp;
    double old_stamp;
    cJSON *row = cJSON_Parse(item->json);
    identify(item->kind, row, key, &stamp);
    const cJSON *old = cJSON_GetObjectItemCaseSensitive(state, key);
    if (old)
        identify(item->kind, old, key, &old_stamp);
    if (!old)
        cJSON_AddItemToObject(state, key, row);
    else if (stamp > old_stamp)
        cJSON_ReplaceItemInObjectCaseSensitive(state, key, row);
    else
        cJSON_Delete(row);
}

/* Shuffled, those of both captures. */
static cJSON *apply_all(struct items *items, unsigned *seed)
{
    cJSON *state = cJSON_CreateObject();
    for (size_t i = items->count; i > 1; i--) {
        size_t other = next_random(seed) % i;
        struct item swapped = items->list[i - 1];
        items->list[i - 1] = items->list[other];
        items->list[other] = swapped;
    }
    for (size_t i = 0; i < items->count; i++)
        apply(state, &items->list[i]);
    return state;
}

/* Random captures: `round` 0 is the first, 1 what became of it. */

static unsigned roll(unsigned seed, unsigned what, unsigned sides)
{
    seed ^= what * 2654435761u;
    (void)next_random(&seed);
    return next_random(&seed) % sides;
}

/* Of thing number i: its version, which may be another one in the second round. */
static unsigned version(unsigned seed, unsigned round, unsigned i)
{
    return round && roll(seed, i, 2) ? 1 : 0;
}

static void put_feed_row(struct buf *out, enum capture_endpoint endpoint, unsigned i, unsigned changed)
{
    if (endpoint == CAPTURE_TRADES)
        buf_printf(out, "{\"id\":\"t%u\",\"n\":%u}", i, i * 7);
    else if (endpoint == CAPTURE_ACCOUNT_TOTALS)
        buf_printf(out, "{\"id\":\"m_%u\",\"timestamp\":%u,\"n\":%u}", i, i * 10 + changed, changed);
    else if (i % 2)
        buf_printf(out, "{\"id\":\"c%u\",\"timestamp\":%u}", i, i);
    else
        buf_printf(out, "{\"model_id\":\"m\",\"messages\":[{\"content\":\"first %u\"}%s]}", i,
                   changed ? ",{\"content\":\"more\"}" : "");
}

/* A window of rows that moves on. */
static void put_feed(struct buf *out, enum capture_endpoint endpoint, unsigned seed, unsigned round)
{
    unsigned first = round ? roll(seed, 100, 4) : 0;
    unsigned end = 8 + (round ? roll(seed, 101, 5) : 0);
    for (unsigned i = end; i-- > first;) {
        put_feed_row(out, endpoint, i, version(seed, round, i));
        if (i > first)
            buf_append_char(out, ',');
    }
}

static void put_keyed(struct buf *out, enum capture_endpoint endpoint, unsigned seed, unsigned round)
{
    unsigned count = 5 + (round ? roll(seed, 100, 3) : 0);
    for (unsigned i = 0; i < count; i++) {
        unsigned n = version(seed, round, i);
        if (i)
            buf_append_char(out, ',');
        if (endpoint == CAPTURE_PRICES)
            buf_printf(out, "\"S%u\":{\"symbol\":\"S%u\",\"price\":%u,\"timestamp\":%u}", i, i, n + 1, n + 5);
        else if (endpoint == CAPTURE_ANALYTICS)
            buf_printf(out, "{\"id\":\"a%u\",\"model_id\":\"a%u\",\"updated_at\":%u,\"n\":%u}", i, i, n + 5, n);
        else
            buf_printf(out, "{\"id\":\"a%u\",\"n\":%u}", i, n);
    }
}

static void put_positions(struct buf *out, unsigned seed, unsigned round)
{
    enum { MODELS = 3, SYMBOLS = 4 };
    for (unsigned m = 0; m < MODELS; m++) {
        buf_printf(out, "%s{\"model_id\":\"m%u\",\"positions\":{", m ? "," : "", m);
        bool comma = false;
        for (unsigned s = 0; s < SYMBOLS; s++) {
            unsigned what = m * SYMBOLS + s;
            /* 0 absent, 1 as it was, 2 changed, 3 another one */
            unsigned form = round ? roll(seed, what, 4) : roll(seed, what + 50, 2);
            if (form == 0 || (form == 1 && roll(seed, what + 50, 2) == 0))
                continue;
            buf_printf(out, "%s\"S%u\":{\"symbol\":\"S%u\",\"entry_time\":%u,\"n\":%u}", comma ? "," : "", s, s,
                       form == 3 ? 20 : 10, form == 2);
            comma = true;
        }
        buf_append_str(out, "}}");
    }
}

static struct buf make(enum capture_endpoint endpoint, unsigned seed, unsigned round)
{
    const struct capture_kind *kind = &capture_kinds[endpoint];
    struct buf out = BUF_INIT;
    buf_printf(&out, "{\"%s\":%c", kind->rows_key, kind->shape == CAPTURE_MAP ? '{' : '[');
    switch (endpoint) {
    case CAPTURE_TRADES:
    case CAPTURE_ACCOUNT_TOTALS:
    case CAPTURE_CONVERSATIONS:
        put_feed(&out, endpoint, seed, round);
        break;
    case CAPTURE_POSITIONS:
        put_positions(&out, seed, round);
        break;
    default:
        put_keyed(&out, endpoint, seed, round);
    }
    buf_printf(&out, "%c,\"serverTime\":%u}", kind->shape == CAPTURE_MAP ? '}' : ']', 1000000 + round * 1000);
    return out;
}

/* What stands in the state as the API would show it. */
static cJSON *shown(const cJSON *row)
{
    cJSON *copy = cJSON_Duplicate(row, true);
    cJSON_DeleteItemFromObjectCaseSensitive(copy, "timestamp");
    return copy;
}

static void check_row(enum event_kind kind, cJSON *state, const cJSON *row)
{
    char key[200];
    double stamp;
    identify(kind, row, key, &stamp);
    cJSON *found = cJSON_DetachItemFromObjectCaseSensitive(state, key);
    if (!found)
        fail_msg("%s is not in the state", key);
    cJSON *left = shown(found);
    cJSON *right = shown(row);
    if (!json_same_content(left, right))
        fail_msg("%s differs", key);
    cJSON_Delete(left);
    cJSON_Delete(right);
    cJSON_Delete(found);
}

static void check_positions(cJSON *state, const cJSON *rows)
{
    const cJSON *holder;
    cJSON_ArrayForEach(holder, rows)
    {
        cJSON *position;
        cJSON_ArrayForEach(position, cJSON_GetObjectItemCaseSensitive(holder, "positions"))
        {
            cJSON *row = cJSON_Duplicate(position, true);
            cJSON_AddStringToObject(row, "model_id", text(holder, "model_id"));
            check_row(EVENT_POSITIONS, state, row);
            cJSON_Delete(row);
        }
    }
    const cJSON *left;
    cJSON_ArrayForEach(left, state) assert_string_equal(text(left, "status"), "closed");
}

static void one_history(enum capture_endpoint endpoint, unsigned seed)
{
    struct items items = {.count = 0};
    struct buf before = make(endpoint, seed, 0);
    struct buf now = make(endpoint, seed, 1);
    diff_into(&items, endpoint, SLICE(""), buf_slice(&before), 1000000);
    buf_clear(&items.beyond); /* of the first, models without positions are beyond events */
    diff_into(&items, endpoint, buf_slice(&before), buf_slice(&now), 1001000);
    assert_int_equal(items.beyond.len, 0);
    cJSON *state = apply_all(&items, &seed);
    cJSON *tree = cJSON_ParseWithLength(now.data, now.len);
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(tree, capture_kinds[endpoint].rows_key);
    const cJSON *row;
    static const enum event_kind kinds[CAPTURE_ENDPOINT_COUNT] = {
        [CAPTURE_ACCOUNT_TOTALS] = EVENT_ACCOUNT_TOTALS,
        [CAPTURE_TRADES] = EVENT_TRADES,
        [CAPTURE_PRICES] = EVENT_PRICES,
        [CAPTURE_SINCE_INCEPTION] = EVENT_SINCE_INCEPTION,
        [CAPTURE_LEADERBOARD] = EVENT_LEADERBOARD,
        [CAPTURE_ANALYTICS] = EVENT_ANALYTICS,
        [CAPTURE_CONVERSATIONS] = EVENT_CONVERSATIONS,
        [CAPTURE_POSITIONS] = EVENT_POSITIONS,
    };
    if (endpoint == CAPTURE_POSITIONS) {
        check_positions(state, rows);
    } else {
        cJSON_ArrayForEach(row, rows) check_row(kinds[endpoint], state, row);
        bool has_history =
            endpoint == CAPTURE_TRADES || endpoint == CAPTURE_ACCOUNT_TOTALS || endpoint == CAPTURE_CONVERSATIONS;
        if (!has_history)
            assert_int_equal(cJSON_GetArraySize(state), 0);
    }
    cJSON_Delete(tree);
    cJSON_Delete(state);
    buf_free(&before);
    buf_free(&now);
    items_free(&items);
}

static void items_in_any_order_give_the_new_capture(void **state)
{
    (void)state;
    enum { SEEDS = 200 };
    for (enum capture_endpoint endpoint = 0; endpoint < CAPTURE_ANALYTICS_ONE; endpoint++) {
        for (unsigned seed = 1; seed <= SEEDS; seed++)
            one_history(endpoint, seed * 7919);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feeds_give_what_is_new),
        cmocka_unit_test(statements_get_a_timestamp),
        cmocka_unit_test(analytics_must_be_newer),
        cmocka_unit_test(prices_are_ticks),
        cmocka_unit_test(positions_open_change_and_close),
        cmocka_unit_test(what_positions_cannot_say),
        cmocka_unit_test(items_in_any_order_give_the_new_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
