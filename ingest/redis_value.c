#include "ingest/redis_value.h"

#include "assembler/wire.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/num.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

static const struct column nav_columns[] = {
    {"model_id", COL_TEXT, true, COL_KEY, offsetof(struct redis_nav_row, model_id)},
    {"timestamp_ms", COL_I64, true, COL_KEY, offsetof(struct redis_nav_row, timestamp_ms)},
    {"nav_since_inception", COL_F64, false, COL_DATA, offsetof(struct redis_nav_row, nav_since_inception)},
};

const struct table redis_nav_table = {"v_since_inception", nav_columns, sizeof nav_columns / sizeof nav_columns[0],
                                      sizeof(struct redis_nav_row)};

void redis_value_free(struct redis_value *value)
{
    buf_free(&value->bytes);
    free(value->items);
    value->items = NULL;
    value->count = value->room = 0;
}

void redis_value_begin(struct redis_value *value, struct cache_key key)
{
    value->key = key;
    value->count = 0;
    buf_clear(&value->bytes);
}

/* An item whose text begins at the end of the bytes; end_item closes it. */
static struct redis_item *begin_item(struct redis_value *value, struct slice field)
{
    if (value->count == value->room) {
        value->room = value->room ? value->room * 2 : 16;
        value->items = mem_realloc(value->items, value->room * sizeof *value->items);
    }
    struct redis_item *item = &value->items[value->count++];
    *item = (struct redis_item){.field = value->bytes.len, .field_length = field.n};
    buf_append_slice(&value->bytes, field);
    item->text = value->bytes.len;
    return item;
}

static void end_item(struct redis_value *value)
{
    struct redis_item *item = &value->items[value->count - 1];
    item->text_length = value->bytes.len - item->text;
}

static const struct slice no_field = {"", 0};

static bool not_finite(struct err *err, const char *noun, struct slice id)
{
    return err_set(err, ERR_INTERNAL, "stored %s \"%.*s\" has a number that is not finite", noun, SLICE_ARG(id));
}

static bool add_object(struct redis_value *value, struct slice field, const struct wire_shape *shape, const void *row,
                       struct err *err)
{
    begin_item(value, field);
    bool good = wire_put_object(&value->bytes, shape, row, err);
    end_item(value);
    return good;
}

static void put_text_member(struct json_writer *w, const char *key, struct slice text)
{
    if (!text.p)
        return;
    json_key(w, slice_of(key));
    json_string(w, text);
}

bool redis_value_set_price(struct redis_value *value, const struct price_latest_row *row, struct err *err)
{
    if (!isfinite(row->price.v))
        return not_finite(err, "price", row->symbol);
    begin_item(value, no_field);
    struct json_writer w = json_writer_on(&value->bytes);
    json_begin_object(&w);
    put_text_member(&w, "provider", row->provider);
    put_text_member(&w, "symbol", row->symbol);
    json_key(&w, SLICE("price"));
    json_double(&w, row->price.v);
    json_key(&w, SLICE("timestamp"));
    json_i64(&w, row->ts_ms.v);
    json_end_object(&w);
    end_item(value);
    return true;
}

bool redis_value_add_position(struct redis_value *value, const struct positions_row *row, struct err *err)
{
    if (value->count && slice_equal(redis_item_field(value, value->count - 1), row->symbol))
        return true;
    struct wire_detail detail;
    if (!wire_detail_open(&detail, row->wire_detail, err))
        return err_wrap(err, "stored position \"%.*s\"", SLICE_ARG(row->id));
    begin_item(value, row->symbol);
    struct json_writer w = json_writer_on(&value->bytes);
    json_begin_object(&w);
    bool good = wire_put_members(&w, &wire_position, row, &detail, err);
    if (!wire_detail_decides(&detail, "exchange_provider"))
        put_text_member(&w, "exchange_provider", row->exchange_provider);
    json_end_object(&w);
    end_item(value);
    wire_detail_close(&detail);
    return good;
}

bool redis_value_add_trade(struct redis_value *value, const struct trades_row *row, struct err *err)
{
    return value->count == REDIS_TRADES_KEPT || add_object(value, no_field, &wire_trade, row, err);
}

bool redis_value_add_leader(struct redis_value *value, const struct leaderboard_entries_row *row, struct err *err)
{
    if (!row->return_pct.set)
        return true;
    if (!isfinite(row->return_pct.v))
        return not_finite(err, "leaderboard row", row->id);
    begin_item(value, row->id)->score = row->return_pct.v;
    end_item(value);
    return true;
}

bool redis_value_add_message(struct redis_value *value, const struct conversation_messages_row *row, struct err *err)
{
    return add_object(value, no_field, &wire_message, row, err);
}

void redis_value_set_analytics(struct redis_value *value, const struct model_analytics_row *row)
{
    begin_item(value, no_field);
    json_put_compact(&value->bytes, row->payload);
    end_item(value);
}

bool redis_value_add_nav(struct redis_value *value, const struct redis_nav_row *row, struct err *err)
{
    if (row->nav_since_inception.set && !isfinite(row->nav_since_inception.v))
        return not_finite(err, "equity of", row->model_id);
    begin_item(value, no_field);
    struct json_writer w = json_writer_on(&value->bytes);
    json_begin_object(&w);
    json_key(&w, SLICE("timestamp"));
    json_i64(&w, row->timestamp_ms.v);
    json_key(&w, SLICE("value"));
    if (row->nav_since_inception.set)
        json_double(&w, row->nav_since_inception.v);
    else
        json_null(&w);
    json_end_object(&w);
    end_item(value);
    return true;
}

bool redis_value_set_decision(struct redis_value *value, const struct decision_cycles_row *row, struct err *err)
{
    if (row->timestamp_s.set && !isfinite(row->timestamp_s.v))
        return not_finite(err, "decision of", row->model_id);
    begin_item(value, no_field);
    struct json_writer w = json_writer_on(&value->bytes);
    json_begin_object(&w);
    put_text_member(&w, "id", row->source_id);
    put_text_member(&w, "model_id", row->model_id);
    put_text_member(&w, "run_id", row->run_id);
    if (row->cycle_number.set) {
        json_key(&w, SLICE("cycle_id"));
        json_i64(&w, row->cycle_number.v);
    }
    put_text_member(&w, "skill", row->skill);
    /* As the wire says it where it came that way; a cycle of our own has only the instant. */
    if (row->timestamp_s.set) {
        json_key(&w, SLICE("timestamp"));
        json_double(&w, row->timestamp_s.v);
    } else if (row->executed_at.set && row->executed_at.v != INT64_MAX && row->executed_at.v != INT64_MIN) {
        json_key(&w, SLICE("timestamp"));
        json_double(&w, (double)row->executed_at.v / 1e6);
    }
    json_key(&w, SLICE("success"));
    json_bool(&w, row->success.v);
    put_text_member(&w, "error_message", row->error_message);
    put_text_member(&w, "prompt_digest", row->prompt_digest);
    put_text_member(&w, "cot_trace_summary", row->cot_trace_summary);
    if (row->decisions.p) {
        json_key(&w, SLICE("llm_response"));
        json_compact(&w, row->decisions);
    }
    json_end_object(&w);
    end_item(value);
    return true;
}

/* "2025-10-26T04:19:12.829345Z"; infinity and years that the form has no place for as Postgres spells them or as
 * microseconds since 1970. */
static void put_instant(struct buf *out, int64_t us)
{
    int64_t seconds = us / 1000000 - (us % 1000000 < 0);
    struct tm tm;
    time_t time = (time_t)seconds;
    if (us == INT64_MAX || us == INT64_MIN)
        buf_append_str(out, us > 0 ? "infinity" : "-infinity");
    else if (!gmtime_r(&time, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900)
        buf_printf(out, "%" PRId64, us);
    else
        buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                   tm.tm_min, tm.tm_sec, (int)(us - seconds * 1000000));
}

/* A column of a row, unless it is NULL. */
struct cell {
    enum col_kind kind;
    bool set;
    struct slice text;
    double number;
    int64_t integer;
};

static struct cell cell_of(const struct column *column, const void *row)
{
    const void *at = (const char *)row + column->offset;
    struct cell cell = {.kind = column->kind};
    switch (column->kind) {
    case COL_TEXT:
    case COL_UUID:
    case COL_JSON:
    case COL_JSONB:
        cell.text = *(const struct slice *)at;
        cell.set = cell.text.p != NULL;
        break;
    case COL_F64:
        cell.number = ((const struct col_f64 *)at)->v;
        cell.set = ((const struct col_f64 *)at)->set;
        break;
    case COL_I64:
    case COL_I32:
    case COL_TSTZ:
        cell.integer = ((const struct col_i64 *)at)->v;
        cell.set = ((const struct col_i64 *)at)->set;
        break;
    case COL_BOOL:
        cell.integer = ((const struct col_bool *)at)->v;
        cell.set = ((const struct col_bool *)at)->set;
        break;
    }
    return cell;
}

/* False when it is a number that is not finite. Texts and instants come in quotes when `quoted`. */
static bool put_cell(struct buf *out, const struct cell *cell, bool quoted)
{
    switch (cell->kind) {
    case COL_TEXT:
    case COL_UUID:
        if (quoted)
            json_put_string(out, cell->text);
        else
            buf_append_slice(out, cell->text);
        return true;
    case COL_JSON:
    case COL_JSONB:
        json_put_compact(out, cell->text);
        return true;
    case COL_F64:
        if (isfinite(cell->number))
            json_put_double(out, cell->number);
        return isfinite(cell->number);
    case COL_I64:
    case COL_I32:
        json_put_i64(out, cell->integer);
        return true;
    case COL_BOOL:
        json_put_bool(out, cell->integer != 0);
        return true;
    case COL_TSTZ:
        if (quoted)
            buf_append_char(out, '"');
        put_instant(out, cell->integer);
        if (quoted)
            buf_append_char(out, '"');
        return true;
    }
    return false;
}

bool redis_value_set_trader(struct redis_value *value, const struct trader_state_row *row, struct err *err)
{
    for (size_t i = 0; i < table_trader_state.column_count; i++) {
        const struct column *column = &table_trader_state.columns[i];
        struct cell cell = cell_of(column, row);
        if (!cell.set || !column_is_written(column))
            continue;
        begin_item(value, slice_of(column->name));
        bool good = put_cell(&value->bytes, &cell, false);
        end_item(value);
        if (!good)
            return not_finite(err, "state of trader", row->trader_id);
    }
    return true;
}

bool redis_value_set_market(struct redis_value *value, const struct table *table, const void *row, struct err *err)
{
    begin_item(value, no_field);
    struct json_writer w = json_writer_on(&value->bytes);
    json_begin_object(&w);
    bool good = true;
    for (size_t i = 0; i < table->column_count && good; i++) {
        struct cell cell = cell_of(&table->columns[i], row);
        if (!cell.set || !column_is_written(&table->columns[i]))
            continue;
        json_key(&w, slice_of(table->columns[i].name));
        json_raw(&w, SLICE(""));
        good = put_cell(&value->bytes, &cell, true) ||
               err_set(err, ERR_INTERNAL, "stored %s.%s is not finite", table->name, table->columns[i].name);
    }
    json_end_object(&w);
    end_item(value);
    return good;
}

/* Opens the text of many rows, or puts the comma before another. */
static void next_part(struct redis_value *value, char opening)
{
    char mark = ',';
    if (value->count == 0) {
        begin_item(value, no_field);
        mark = opening;
    }
    buf_append_char(&value->bytes, mark);
}

static void end_parts(struct redis_value *value, char closing)
{
    if (value->count == 0)
        return;
    buf_append_char(&value->bytes, closing);
    end_item(value);
}

bool redis_value_put_price(struct redis_value *value, const struct price_latest_row *row, struct err *err)
{
    if (!isfinite(row->price.v))
        return not_finite(err, "price", row->symbol);
    next_part(value, '{');
    json_put_string(&value->bytes, row->symbol);
    buf_append_char(&value->bytes, ':');
    json_put_double(&value->bytes, row->price.v);
    return true;
}

void redis_value_end_prices(struct redis_value *value)
{
    end_parts(value, '}');
}

bool redis_value_put_leader(struct redis_value *value, const struct leaderboard_entries_row *row, struct err *err)
{
    next_part(value, '[');
    return wire_put_object(&value->bytes, &wire_leader, row, err);
}

void redis_value_put_analytics(struct redis_value *value, const struct model_analytics_row *row)
{
    next_part(value, '[');
    json_put_compact(&value->bytes, row->bulk_payload.p ? row->bulk_payload : row->payload);
}

void redis_value_end_array(struct redis_value *value)
{
    end_parts(value, ']');
}
