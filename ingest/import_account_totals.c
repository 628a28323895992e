#include "ingest/import_parts.h"

#include <inttypes.h>
#include <math.h>

struct totals_state {
    size_t contradictions;
    bool has_marker;
    int64_t highest_marker;
};

/* The sum of the positions' unrealized PnL; NAN when one does not say it. */
static double sum_unrealized(const cJSON *positions)
{
    double sum = 0;
    const cJSON *position;
    cJSON_ArrayForEach(position, positions)
    {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(position, "unrealized_pnl");
        sum += cJSON_IsNumber(value) ? value->valuedouble : (double)NAN;
    }
    return sum;
}

static bool contradicts_itself(const struct account_equity_snapshots_row *row, const cJSON *positions)
{
    const double cent = 0.01;
    if (!row->realized_pnl.set || !row->total_unrealized_pnl.set)
        return false;
    if (fabs(row->dollar_equity.v - 10000 - row->realized_pnl.v - row->total_unrealized_pnl.v) > cent)
        return true;
    return cJSON_IsObject(positions) && fabs(sum_unrealized(positions) - row->total_unrealized_pnl.v) > cent;
}

/* Reads and checks the keys of a row; false when it is bad. */
static bool read_row(struct import_pass *pass, const cJSON *object, const char *path,
                     struct account_equity_snapshots_row *row)
{
    bool good = wire_read_object(&pass->reader, &wire_account_total, object, path, row);
    if (row->source_id.p && !wire_check_key(&pass->reader, row->source_id, path, "id"))
        good = false;
    if (row->model_id.p && !wire_check_key(&pass->reader, row->model_id, path, "model_id"))
        good = false;
    return wire_cut_account_total(&pass->reader, row, path) && good;
}

/* Whether the row is the first with its id and with its model and instant. */
static bool is_new(struct import_pass *pass, const struct account_equity_snapshots_row *row, const char *path)
{
    if (row->source_id.p &&
        import_once(pass, pass->ids, row->source_id, wire_path_key(pass->arena, path, "id")) != IMPORT_NEW)
        return false;
    if (!row->model_id.p || !row->ts_ms.set)
        return false;
    const char *instant = arena_printf(pass->arena, "%.*s %" PRId64, SLICE_ARG(row->model_id), row->ts_ms.v);
    if (once_add(pass->seconds, slice_of(instant), pass->element).p == pass->element.p)
        return true;
    import_fault(pass, wire_path_key(pass->arena, path, "timestamp"),
                 "a second snapshot of %.*s in the same millisecond", SLICE_ARG(row->model_id));
    return false;
}

static bool element(struct import_pass *pass, const cJSON *object, const char *key, const char *path, struct err *err)
{
    (void)key;
    struct totals_state *state = pass->state;
    struct account_equity_snapshots_row row = {0};
    bool good = read_row(pass, object, path, &row);
    const cJSON *positions = cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, "positions") : NULL;
    if (pass->walk == 0 && !wire_check_positions(&pass->reader, positions, path))
        good = false;
    if (!is_new(pass, &row, path) || !good)
        return true;
    if (pass->walk == 0) {
        names_add(&pass->models, row.model_id);
        const cJSON *position;
        cJSON_ArrayForEach(position, positions) names_add(&pass->symbols, slice_of(position->string));
        state->contradictions += contradicts_itself(&row, positions);
        struct col_i64 marker = row.since_inception_hourly_marker;
        if (marker.set && (!state->has_marker || marker.v > state->highest_marker)) {
            state->has_marker = true;
            state->highest_marker = marker.v;
        }
        return true;
    }
    row.metadata = SLICE("{}");
    row.feed_ordinal = col_i64(feed_order_next(&pass->order, row.model_id));
    return bulk_add(pass->bulk, &row, err);
}

/* lastHourlyMarkerRead follows from the rows; only where the file says otherwise it is kept. */
static void settle_marker(struct import_pass *pass, struct wire_remark *remark)
{
    static const char key[] = "lastHourlyMarkerRead";
    const struct totals_state *state = pass->state;
    const cJSON *said = remark->set ? cJSON_GetObjectItemCaseSensitive(remark->set, key) : NULL;
    if (!said) {
        wire_remark_unset(remark, key);
        return;
    }
    double expected = (double)state->highest_marker;
    if (cJSON_IsNumber(said) && said->valuedouble == expected && !(expected == 0 && signbit(said->valuedouble))) {
        cJSON_DeleteItemFromObjectCaseSensitive(remark->set, key);
        if (!remark->set->child) {
            cJSON_Delete(remark->set);
            remark->set = NULL;
        }
        return;
    }
    import_notice(pass, "lastHourlyMarkerRead is not the highest marker of the rows (%" PRId64 "), stored as it came",
                  state->highest_marker);
}

static void checked(struct import_pass *pass)
{
    const struct totals_state *state = pass->state;
    settle_marker(pass, &pass->document.remark);
    if (state->contradictions)
        import_notice(pass,
                      "rows that contradict themselves (equity against PnL and positions): %zu, stored as they came",
                      state->contradictions);
}

const struct import_kind import_account_totals = {
    .name = "account-totals",
    .list_key = "accountTotals",
    .load_walks = 1,
    .state_size = sizeof(struct totals_state),
    .element = element,
    .checked = checked,
    .table = &table_account_equity_snapshots,
};
