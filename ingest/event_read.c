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

/* Where the value of a member was put, and as what. */
static const void *find_value(const struct reading *reading, const struct event_form *form, const char *key,
                              const void *row, enum wire_kind *kind)
{
    for (size_t i = 0; i < form->extra_count; i++) {
        const struct event_extra *extra = &form->extras[i];
        *kind = extra->type == EXTRA_TEXT ? WIRE_TEXT : WIRE_F64;
        if (strcmp(extra->key, key) == 0)
            return (const char *)&reading->event->beside + extra->offset;
    }
    for (size_t i = 0; form->shape && i < form->shape->field_count; i++) {
        *kind = form->shape->fields[i].kind;
        if (strcmp(form->shape->fields[i].key, key) == 0)
            return (const char *)row + form->shape->fields[i].offset;
    }
    return NULL;
}

static void check_status(struct reading *reading, struct slice status, const char *path, const char *key)
{
    const char *const *known = event_statuses;
    while (*known && !slice_is(status, *known))
        known++;
    if (!*known)
        wire_fault(&reading->reader, path, key, "must be open or closed");
}

static void check_number(struct reading *reading, enum event_rule_kind kind, double value, const char *path,
                         const char *key)
{
    int64_t instant;
    if (kind == RULE_POSITIVE && !(value > 0))
        wire_fault(&reading->reader, path, key, "must be over 0");
    else if (kind == RULE_NOT_NEGATIVE && value < 0)
        wire_fault(&reading->reader, path, key, "must not be negative");
    else if (kind == RULE_SECONDS)
        (void)wire_cut_time(&reading->reader, value, path, key, &instant);
    else if (kind == RULE_TIMESTAMPTZ && !instant_us_of_seconds(value, &instant))
        wire_fault(&reading->reader, path, key, "is out of range for an instant in seconds");
}

static void check_rules(struct reading *reading, const struct event_form *form, const char *path, const void *row)
{
    for (const struct event_rule *rule = form->rules; rule->key && is_good(reading); rule++) {
        enum wire_kind kind = WIRE_TEXT;
        const void *value = find_value(reading, form, rule->key, row, &kind);
        if (kind == WIRE_TEXT) {
            struct slice text = *(const struct slice *)value;
            if (text.p && rule->kind == RULE_KEY)
                (void)wire_check_key(&reading->reader, text, path, rule->key);
            else if (text.p)
                check_status(reading, text, path, rule->key);
        } else if (kind == WIRE_F64) {
            const struct col_f64 *number = value;
            if (number->set)
                check_number(reading, rule->kind, number->v, path, rule->key);
        } else {
            const struct col_i64 *number = value;
            if (number->set)
                check_number(reading, rule->kind, (double)number->v, path, rule->key);
        }
    }
}

static void check_objects(struct reading *reading, const struct event_form *form, const cJSON *object, const char *path)
{
    for (const char *const *key = form->objects; *key; key++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, *key);
        if (value && !cJSON_IsObject(value) && !cJSON_IsNull(value))
            wire_fault(&reading->reader, path, *key, "must be an object, is %s", wire_type_name(value));
    }
}

/* Reads what the form says into a row of the shape (NULL: there is none). What comes beside it goes to event->beside,
 * and what the columns cannot say to the row's wire_detail. */
static void read_form(struct reading *reading, const struct event_form *form, const cJSON *object, const char *path,
                      void *row)
{
    struct wire_remark remark = {NULL, NULL};
    for (size_t i = 0; i < form->extra_count; i++)
        read_extra(reading, &form->extras[i], cJSON_GetObjectItemCaseSensitive(object, form->extras[i].key));
    for (const char *const *key = form->also_required; *key; key++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, *key);
        if (!value || cJSON_IsNull(value))
            wire_fault(&reading->reader, path, *key, value ? "must not be null" : "is missing");
    }
    if (form->shape)
        (void)wire_read_members(&reading->reader, form->shape, object, path, form->beside, row, &remark);
    struct slice detail = wire_remark_take(&remark, reading->batch->arena);
    if (form->shape && !form->shape->strict)
        *(struct slice *)(void *)((char *)row + form->shape->detail_offset) = detail;
    check_objects(reading, form, object, path);
    check_rules(reading, form, path, row);
}

static void read_total(struct reading *reading, const cJSON *object, const char *path,
                       struct account_equity_snapshots_row *row)
{
    read_form(reading, &event_form_total, object, path, row);
    if (is_good(reading))
        (void)(wire_cut_account_total(&reading->reader, row, path) &&
               wire_check_positions(&reading->reader, cJSON_GetObjectItemCaseSensitive(object, "positions"), path));
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
    read_form(reading, event_form_of(EVENT_TRADES), object, "$", row);
    reading->event->outcome.id = row->id;
    const cJSON *account = cJSON_GetObjectItemCaseSensitive(object, "account_total");
    if (!is_good(reading) || !wire_cut_trade(&reading->reader, row, "$") || !account)
        return;
    reading->event->account = arena_zalloc(reading->batch->arena, sizeof *reading->event->account);
    read_total(reading, account, "$.account_total", reading->event->account);
    if (is_good(reading) && !slice_equal(reading->event->account->model_id, row->model_id))
        wire_fault(&reading->reader, "$.account_total", "model_id", "is of another model than the trade");
}

static void read_position(struct reading *reading, const cJSON *object)
{
    struct positions_row *row = new_row(reading, &table_positions);
    struct event *event = reading->event;
    const struct event_beside *beside = &event->beside;
    read_form(reading, event_form_of(EVENT_POSITIONS), object, "$", row);
    bool closed = slice_is(beside->status, "closed");
    if (!closed && (beside->exit_price.set || beside->exit_time.set))
        wire_fault(&reading->reader, "$", beside->exit_time.set ? "exit_time" : "exit_price",
                   "only a closed position has one");
    int64_t ms = 0;
    if (!is_good(reading) || !wire_cut_time(&reading->reader, row->entry_time_s.v, "$", "entry_time", &ms))
        return;
    event->as_of = beside->timestamp.v;
    row->model_id = beside->model_id;
    row->id = wire_position_id(reading->batch->arena, row->model_id, row->symbol, ms);
    row->exchange_provider = beside->exchange_provider;
    row->entry_time_ms = col_i64(ms);
    row->side = row->quantity.v < 0 ? SLICE("short") : SLICE("long");
    row->status = closed ? SLICE("closed") : SLICE("open");
    row->as_of_s = col_f64(event->as_of);
    row->stated_quantity = col_f64(closed ? 0 : row->quantity.v);
    row->exit_price = beside->exit_price;
    if (beside->exit_time.set && instant_cut_seconds(beside->exit_time.v, &ms))
        row->exit_ts_ms = col_i64(ms);
    row->metadata = SLICE("{}");
    event->outcome.id = row->id;
}

static void read_price(struct reading *reading, const cJSON *object)
{
    struct price_latest_row *row = new_row(reading, &table_price_latest);
    struct event_beside *beside = &reading->event->beside;
    read_form(reading, event_form_of(EVENT_PRICES), object, "$", row);
    if (!beside->provider.p)
        beside->provider = arena_copy(reading->batch->arena, slice_of(reading->batch->prices_provider));
    row->provider = beside->provider;
    reading->event->outcome.id = row->symbol;
}

static void read_cycle(struct reading *reading, const cJSON *object)
{
    struct decision_cycles_row *row = new_row(reading, &table_decision_cycles);
    reading->event->is_cycle = true;
    read_form(reading, &event_form_cycle, object, "$", row);
    reading->event->outcome.id = row->source_id;
    if (!is_good(reading))
        return;
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
    read_form(reading, event_form_of(EVENT_CONVERSATIONS), object, "$", row);
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

static void read_analytics(struct reading *reading, const cJSON *object)
{
    struct model_analytics_row *row = new_row(reading, &table_model_analytics);
    const struct event_beside *beside = &reading->event->beside;
    read_form(reading, event_form_of(EVENT_ANALYTICS), object, "$", NULL);
    int64_t ms = 0;
    row->model_id = beside->model_id;
    reading->event->outcome.id = row->model_id;
    if (!is_good(reading) || !wire_cut_time(&reading->reader, beside->updated_at.v, "$", "updated_at", &ms))
        return;
    reading->event->as_of = beside->updated_at.v;
    row->payload = wire_read_json(object, reading->batch->arena);
    row->server_time_ms = col_i64(ms);
    row->metadata = SLICE("{}");
}

/* Kinds of which the newest statement wins. Returns the row. */
static void *read_statement(struct reading *reading, const cJSON *object, const struct table *table)
{
    void *row = new_row(reading, table);
    read_form(reading, event_form_of(reading->batch->kind), object, "$", row);
    reading->event->as_of = reading->event->beside.timestamp.v;
    return row;
}

static void read_leader(struct reading *reading, const cJSON *object)
{
    struct leaderboard_entries_row *row = read_statement(reading, object, &table_leaderboard_entries);
    row->as_of_s = reading->event->beside.timestamp;
    reading->event->outcome.id = row->id;
}

static void read_inception(struct reading *reading, const cJSON *object)
{
    struct since_inception_values_row *row = read_statement(reading, object, &table_since_inception_values);
    int64_t ms;
    if (row->inception_date_s.set && instant_cut_seconds(row->inception_date_s.v, &ms))
        row->inception_ts_ms = col_i64(ms);
    row->as_of_s = reading->event->beside.timestamp;
    reading->event->outcome.id = row->id;
}

static struct col_i64 instant_us(struct col_f64 seconds)
{
    int64_t us = 0;
    bool set = seconds.set && instant_us_of_seconds(seconds.v, &us);
    return (struct col_i64){us, set};
}

static void read_trader(struct reading *reading, const cJSON *object)
{
    struct trader_state_row *row = read_statement(reading, object, &table_trader_state);
    row->last_decision_at = instant_us(reading->event->beside.last_decision_at);
    row->pause_until = instant_us(reading->event->beside.pause_until);
    row->as_of_s = reading->event->beside.timestamp;
    reading->event->outcome.id = row->trader_id;
}

static void read_asset(struct reading *reading, const cJSON *object)
{
    struct market_assets_row *row = read_statement(reading, object, &table_market_assets);
    row->as_of_s = reading->event->beside.timestamp;
    reading->event->outcome.id = row->symbol;
}

static void read_context(struct reading *reading, const cJSON *object)
{
    struct market_asset_ctx_row *row = read_statement(reading, object, &table_market_asset_ctx);
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
