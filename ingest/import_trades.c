#include "ingest/import_parts.h"

#include <math.h>

struct trades_state {
    size_t contradictions;
};

/* The sums and signs that hold in every captured row; what comes is stored whatever they say. */
static bool contradicts_itself(const struct trades_row *row)
{
    const double cent = 0.01;
    if (row->exit_time_s.set && row->entry_time_s.set && row->exit_time_s.v < row->entry_time_s.v)
        return true;
    if (row->side.p && row->quantity.set && row->quantity.v != 0 &&
        slice_is(row->side, row->quantity.v > 0 ? "short" : "long"))
        return true;
    return row->total_commission_dollars.set && row->entry_commission_dollars.set && row->exit_commission_dollars.set &&
           fabs(row->total_commission_dollars.v - row->entry_commission_dollars.v - row->exit_commission_dollars.v) >
               cent;
}

static bool good_keys(struct import_pass *pass, struct trades_row *row, const char *path)
{
    bool good = true;
    if (row->id.p && !wire_check_key(&pass->reader, row->id, path, "id"))
        good = false;
    if (row->model_id.p && !wire_check_key(&pass->reader, row->model_id, path, "model_id"))
        good = false;
    if (row->symbol.p && !wire_check_key(&pass->reader, row->symbol, path, "symbol"))
        good = false;
    return wire_cut_trade(&pass->reader, row, path) && good;
}

static bool element(struct import_pass *pass, const cJSON *object, const char *key, const char *path, struct err *err)
{
    (void)key;
    struct trades_state *state = pass->state;
    struct trades_row row = {0};
    bool good = wire_read_object(&pass->reader, &wire_trade, object, path, &row);
    good = good_keys(pass, &row, path) && good;
    if (!row.id.p || import_once(pass, pass->ids, row.id, wire_path_key(pass->arena, path, "id")) != IMPORT_NEW ||
        !good)
        return true;
    if (pass->walk == 0) {
        names_add(&pass->models, row.model_id);
        names_add(&pass->symbols, row.symbol);
        state->contradictions += contradicts_itself(&row);
        return true;
    }
    row.feed_ordinal = col_i64(feed_order_next(&pass->order, row.model_id));
    return bulk_add(pass->bulk, &row, err);
}

static void checked(struct import_pass *pass)
{
    const struct trades_state *state = pass->state;
    if (state->contradictions)
        import_notice(
            pass,
            "rows that contradict themselves (side, order of times, sum of commissions): %zu, stored as they came",
            state->contradictions);
}

const struct import_kind import_trades = {
    .name = "trades",
    .list_key = "trades",
    .load_walks = 1,
    .state_size = sizeof(struct trades_state),
    .element = element,
    .checked = checked,
    .table = &table_trades,
};
