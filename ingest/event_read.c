#include "ingest/event_inside.h"
#include "ingest/instant.h"

#include <stdio.h>

/* One item being read. */
struct reading {
    struct event_batch *batch;
    struct event *event;
    struct wire_reader reader;
};

static void on_fault(void *arg, const char *path, const char *what)
{
    struct reading *reading = arg;
    event_reject(reading->event, "invalid", path, what);
}

static void *new_row(struct reading *reading, const struct table *table)
{
    return reading->event->row = arena_zalloc(reading->batch->arena, table->row_size);
}

static bool is_good(const struct reading *reading)
{
    return reading->event->outcome.status != EVENT_REJECTED;
}

static void read_extra(struct reading *reading, const struct event_extra *extra, const cJSON *value)
{
    char *at = (char *)&reading->event->beside + extra->offset;
    if (!value || cJSON_IsNull(value)) {
        if (extra->required)
            wire_fault(&reading->reader, "$", extra->key, value ? "must not be null" : "is missing");
    } else if (extra->type == EXTRA_TEXT && cJSON_IsString(value)) {
        *(struct slice *)(void *)at = arena_copy(reading->batch->arena, slice_of(value->valuestring));
    } else if (extra->type == EXTRA_NUMBER && cJSON_IsNumber(value)) {
        *(struct col_f64 *)(void *)at = col_f64(value->valuedouble);
    } else {
        wire_fault(&reading->reader, "$", extra->key, "must be %s, is %s",
                   extra->type == EXTRA_TEXT ? "a text" : "a number", wire_type_name(value));
    }
}

/* The members beside the shape's, the shape's, and those that an event must have. Without a fault the row is filled but
 * for its wire_detail, which gathers in *remark. */
static void read_form(struct reading *reading, const struct event_form *form, const cJSON *object,
                      struct wire_remark *remark)
{
    for (size_t i = 0; i < form->extra_count; i++)
        read_extra(reading, &form->extras[i], cJSON_GetObjectItemCaseSensitive(object, form->extras[i].key));
    for (const char *const *key = form->also_required; *key; key++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, *key);
        if (!value || cJSON_IsNull(value))
            wire_fault(&reading->reader, "$", *key, value ? "must not be null" : "is missing");
    }
    if (is_good(reading))
        (void)wire_read_members(&reading->reader, form->shape, object, "$", form->beside, reading->event->row, remark);
}

static void take_remark(struct reading *reading, const struct wire_shape *shape, struct wire_remark *remark)
{
    struct slice detail = wire_remark_take(remark, reading->batch->arena);
    if (!shape->strict)
        *(struct slice *)(void *)((char *)reading->event->row + shape->detail_offset) = detail;
}

static void check_key(struct reading *reading, struct slice text, const char *name)
{
    if (is_good(reading))
        (void)wire_check_key(&reading->reader, text, "$", name);
}

static void read_total(struct reading *reading, const cJSON *object, const char *path,
                       struct account_equity_snapshots_row *row)
{
    const struct wire_reader *reader = &reading->reader;
    if (!wire_read_object(reader, &wire_account_total, object, path, row))
        return;
    (void)(wire_check_key(reader, row->source_id, path, "id") &&
           wire_check_key(reader, row->model_id, path, "model_id") && wire_cut_account_total(reader, row, path) &&
           wire_check_positions(reader, cJSON_GetObjectItemCaseSensitive(object, "positions"), path));
    row->metadata = SLICE("{}");
}

static void read_account_totals(struct reading *reading, const cJSON *object)
{
    struct account_equity_snapshots_row *row = new_row(reading, &table_account_equity_snapshots);
    read_total(reading, object, "$", row);
    reading->event->outcome.id = row->source_id;
}

static void read_trade(struct reading *reading, const cJSON *object)
{
    struct trades_row *row = new_row(reading, &table_trades);
    struct wire_remark remark = {NULL, NULL};
    read_form(reading, event_form_of(EVENT_TRADES), object, &remark);
    take_remark(reading, &wire_trade, &remark);
    reading->event->outcome.id = row->id;
    check_key(reading, row->id, "id");
    check_key(reading, row->model_id, "model_id");
    check_key(reading, row->symbol, "symbol");
    if (is_good(reading) && wire_cut_trade(&reading->reader, row, "$") && !row->exit_ts_ms.set)
        wire_fault(&reading->reader, "$", "exit_time", "is out of range for an instant in seconds");
    const cJSON *account = cJSON_GetObjectItemCaseSensitive(object, "account_total");
    if (!account || !is_good(reading))
        return;
    reading->event->account = arena_zalloc(reading->batch->arena, sizeof *reading->event->account);
    read_total(reading, account, "$.account_total", reading->event->account);
    if (is_good(reading) && !slice_equal(reading->event->account->model_id, row->model_id))
        wire_fault(&reading->reader, "$.account_total", "model_id", "is of another model than the trade");
}

/* The instants beside a position that need a check of their own. */
static void check_exit(struct reading *reading)
{
    const struct event_beside *beside = &reading->event->beside;
    int64_t ms;
    bool closed = slice_is(beside->status, "closed");
    if (beside->status.p && !closed && !slice_is(beside->status, "open"))
        wire_fault(&reading->reader, "$", "status", "must be open or closed");
    if (!closed && (beside->exit_price.set || beside->exit_time.set))
        wire_fault(&reading->reader, "$", beside->exit_time.set ? "exit_time" : "exit_price",
                   "only a closed position has one");
    if (beside->exit_time.set)
        (void)wire_cut_time(&reading->reader, beside->exit_time.v, "$", "exit_time", &ms);
    (void)wire_cut_time(&reading->reader, beside->timestamp.v, "$", "timestamp", &ms);
}

static void read_position(struct reading *reading, const cJSON *object)
{
    struct positions_row *row = new_row(reading, &table_positions);
    struct event *event = reading->event;
    struct wire_remark remark = {NULL, NULL};
    read_form(reading, event_form_of(EVENT_POSITIONS), object, &remark);
    take_remark(reading, &wire_position, &remark);
    check_key(reading, event->beside.model_id, "model_id");
    check_key(reading, row->symbol, "symbol");
    int64_t ms = 0;
    if (!is_good(reading) || !wire_cut_time(&reading->reader, row->entry_time_s.v, "$", "entry_time", &ms))
        return;
    check_exit(reading);
    bool closed = slice_is(event->beside.status, "closed");
    event->as_of = event->beside.timestamp.v;
    row->model_id = event->beside.model_id;
    row->id = wire_position_id(reading->batch->arena, row->model_id, row->symbol, ms);
    row->exchange_provider = event->beside.exchange_provider;
    row->entry_time_ms = col_i64(ms);
    row->side = row->quantity.v < 0 ? SLICE("short") : SLICE("long");
    row->status = closed ? SLICE("closed") : SLICE("open");
    row->as_of_s = col_f64(event->as_of);
    row->stated_quantity = col_f64(closed ? 0 : row->quantity.v);
    row->exit_price = event->beside.exit_price;
    if (event->beside.exit_time.set && instant_cut_seconds(event->beside.exit_time.v, &ms))
        row->exit_ts_ms = col_i64(ms);
    row->metadata = SLICE("{}");
    event->outcome.id = row->id;
}

static void read_price(struct reading *reading, const cJSON *object)
{
    struct price_latest_row *row = new_row(reading, &table_price_latest);
    struct event_beside *beside = &reading->event->beside;
    struct wire_remark remark = {NULL, NULL};
    read_form(reading, event_form_of(EVENT_PRICES), object, &remark);
    take_remark(reading, &wire_price, &remark);
    check_key(reading, row->symbol, "symbol");
    if (!beside->provider.p)
        beside->provider = arena_copy(reading->batch->arena, slice_of(reading->batch->prices_provider));
    check_key(reading, beside->provider, "provider");
    row->provider = beside->provider;
    reading->event->outcome.id = row->symbol;
    if (!is_good(reading))
        return;
    if (!(row->price.v > 0))
        wire_fault(&reading->reader, "$", "price", "must be over 0");
    if (row->ts_ms.v < 0)
        wire_fault(&reading->reader, "$", "timestamp", "must be milliseconds since 1970");
    if (beside->volume.set && beside->volume.v < 0)
        wire_fault(&reading->reader, "$", "volume", "must not be negative");
}

static void read_cycle(struct reading *reading, const cJSON *object)
{
    struct decision_cycles_row *row = new_row(reading, &table_decision_cycles);
    reading->event->is_cycle = true;
    bool good = wire_read_object(&reading->reader, &wire_cycle, object, "$", row);
    reading->event->outcome.id = row->source_id;
    if (!good)
        return;
    check_key(reading, row->source_id, "id");
    check_key(reading, row->model_id, "model_id");
    if (!row->timestamp_s.set)
        wire_fault(&reading->reader, "$", "timestamp", "must be a number");
    wire_derive_cycle(&reading->reader, object, row);
}

static void read_messages(struct reading *reading, const cJSON *list)
{
    struct event *event = reading->event;
    if (!cJSON_IsArray(list) || !list->child) {
        wire_fault(&reading->reader, "$", "messages", "must be an array with a message");
        return;
    }
    event->message_count = (size_t)cJSON_GetArraySize(list);
    event->messages = arena_zalloc(reading->batch->arena, event->message_count * sizeof *event->messages);
    size_t i = 0;
    const cJSON *message;
    cJSON_ArrayForEach(message, list)
    {
        (void)wire_read_message(&reading->reader, message, wire_path_index(reading->batch->arena, "$.messages", i),
                                &event->messages[i]);
        event->messages[i].seq = col_i64((int64_t)i);
        i++;
    }
}

static void read_talk(struct reading *reading, const cJSON *object)
{
    struct conversations_row *row = new_row(reading, &table_conversations);
    struct event *event = reading->event;
    struct wire_remark remark = {NULL, NULL};
    read_form(reading, event_form_of(EVENT_CONVERSATIONS), object, &remark);
    take_remark(reading, &wire_conversation, &remark);
    check_key(reading, row->model_id, "model_id");
    if (event->beside.conversation_id.p)
        check_key(reading, event->beside.conversation_id, "conversation_id");
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(object, "messages");
    if (is_good(reading))
        read_messages(reading, list);
    if (!is_good(reading))
        return;
    row->topic = event->beside.topic;
    event->opening = wire_opening_digest(&reading->reader, row->model_id, list);
    event->outcome.id = event->beside.conversation_id.p ? event->beside.conversation_id : row->model_id;
}

static void read_conversation(struct reading *reading, const cJSON *object)
{
    if (!cJSON_GetObjectItemCaseSensitive(object, "messages") && !cJSON_GetObjectItemCaseSensitive(object, "id"))
        on_fault(reading, "$", "is neither a conversation (no messages) nor a decision cycle (no id)");
    else if (wire_is_cycle(object))
        read_cycle(reading, object);
    else
        read_talk(reading, object);
}

static const char *const analytics_tables[] = {"fee_pnl_moves_breakdown_table", "winners_losers_breakdown_table",
                                               "longs_shorts_breakdown_table",  "signals_breakdown_table",
                                               "invocation_breakdown_table",    "overall_trades_overview_table"};

static struct slice analytics_id(struct reading *reading, const cJSON *object, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    struct slice text = {NULL, 0};
    if (!cJSON_IsString(value))
        wire_fault(&reading->reader, "$", name, value ? "must be a text" : "is missing");
    else
        text = arena_copy(reading->batch->arena, slice_of(value->valuestring));
    check_key(reading, text, name);
    return text;
}

static void read_analytics(struct reading *reading, const cJSON *object)
{
    struct model_analytics_row *row = new_row(reading, &table_model_analytics);
    row->model_id = analytics_id(reading, object, "model_id");
    reading->event->outcome.id = row->model_id;
    (void)analytics_id(reading, object, "id");
    const cJSON *updated = cJSON_GetObjectItemCaseSensitive(object, "updated_at");
    int64_t ms = 0;
    if (!cJSON_IsNumber(updated))
        wire_fault(&reading->reader, "$", "updated_at", updated ? "must be a number" : "is missing");
    else if (wire_cut_time(&reading->reader, updated->valuedouble, "$", "updated_at", &ms))
        reading->event->as_of = updated->valuedouble;
    for (size_t i = 0; i < sizeof analytics_tables / sizeof *analytics_tables; i++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, analytics_tables[i]);
        if (value && !cJSON_IsObject(value) && !cJSON_IsNull(value))
            wire_fault(&reading->reader, "$", analytics_tables[i], "must be an object");
    }
    row->payload = wire_read_json(object, reading->batch->arena);
    row->server_time_ms = col_i64(ms);
    row->metadata = SLICE("{}");
}

/* Kinds of which the newest statement wins. */
static void read_statement(struct reading *reading, const cJSON *object, const struct table *table)
{
    (void)new_row(reading, table);
    const struct event_form *form = event_form_of(reading->batch->kind);
    struct wire_remark remark = {NULL, NULL};
    read_form(reading, form, object, &remark);
    take_remark(reading, form->shape, &remark);
    int64_t ms;
    if (is_good(reading))
        (void)wire_cut_time(&reading->reader, reading->event->beside.timestamp.v, "$", "timestamp", &ms);
    reading->event->as_of = reading->event->beside.timestamp.v;
}

static void read_leader(struct reading *reading, const cJSON *object)
{
    read_statement(reading, object, &table_leaderboard_entries);
    struct leaderboard_entries_row *row = reading->event->row;
    check_key(reading, row->id, "id");
    row->as_of_s = reading->event->beside.timestamp;
    reading->event->outcome.id = row->id;
}

static void read_inception(struct reading *reading, const cJSON *object)
{
    read_statement(reading, object, &table_since_inception_values);
    struct since_inception_values_row *row = reading->event->row;
    check_key(reading, row->id, "id");
    check_key(reading, row->model_id, "model_id");
    int64_t ms;
    if (row->inception_date_s.set && instant_cut_seconds(row->inception_date_s.v, &ms))
        row->inception_ts_ms = col_i64(ms);
    row->as_of_s = reading->event->beside.timestamp;
    reading->event->outcome.id = row->id;
}

static struct col_i64 instant_us(struct reading *reading, struct col_f64 seconds, const char *name)
{
    int64_t us = 0;
    if (seconds.set && !instant_us_of_seconds(seconds.v, &us))
        wire_fault(&reading->reader, "$", name, "is out of range for an instant in seconds");
    return (struct col_i64){us, seconds.set};
}

static void read_trader(struct reading *reading, const cJSON *object)
{
    read_statement(reading, object, &table_trader_state);
    struct trader_state_row *row = reading->event->row;
    check_key(reading, row->trader_id, "trader_id");
    row->last_decision_at = instant_us(reading, reading->event->beside.last_decision_at, "last_decision_at");
    row->pause_until = instant_us(reading, reading->event->beside.pause_until, "pause_until");
    row->as_of_s = reading->event->beside.timestamp;
    reading->event->outcome.id = row->trader_id;
}

static void read_asset(struct reading *reading, const cJSON *object)
{
    read_statement(reading, object, &table_market_assets);
    struct market_assets_row *row = reading->event->row;
    check_key(reading, row->provider, "provider");
    check_key(reading, row->symbol, "symbol");
    row->as_of_s = reading->event->beside.timestamp;
    reading->event->outcome.id = row->symbol;
}

static void read_context(struct reading *reading, const cJSON *object)
{
    read_statement(reading, object, &table_market_asset_ctx);
    struct market_asset_ctx_row *row = reading->event->row;
    check_key(reading, row->provider, "provider");
    check_key(reading, row->symbol, "symbol");
    row->as_of_s = reading->event->beside.timestamp;
    reading->event->outcome.id = row->symbol;
}

typedef void read_fn(struct reading *reading, const cJSON *object);

static read_fn *const readers[EVENT_KIND_COUNT] = {
    [EVENT_TRADES] = read_trade,
    [EVENT_POSITIONS] = read_position,
    [EVENT_PRICES] = read_price,
    [EVENT_ACCOUNT_TOTALS] = read_account_totals,
    [EVENT_CONVERSATIONS] = read_conversation,
    [EVENT_ANALYTICS] = read_analytics,
    [EVENT_LEADERBOARD] = read_leader,
    [EVENT_SINCE_INCEPTION] = read_inception,
    [EVENT_TRADER_STATE] = read_trader,
    [EVENT_MARKET_ASSETS] = read_asset,
    [EVENT_MARKET_CONTEXTS] = read_context,
};

void event_read(struct event_batch *batch, struct event *event, const cJSON *object)
{
    struct reading reading = {batch, event, {.arena = batch->arena, .on_fault = on_fault, .arg = &reading}};
    if (!cJSON_IsObject(object)) {
        char reason[60];
        (void)snprintf(reason, sizeof reason, "must be an object, is %s", wire_type_name(object));
        event_reject(event, "invalid", "$", reason);
        return;
    }
    readers[batch->kind](&reading, object);
}
