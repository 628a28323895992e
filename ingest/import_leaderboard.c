#include "ingest/import_parts.h"

#include <math.h>

struct leaderboard_state {
    size_t contradictions;
};

static bool contradicts_itself(const struct leaderboard_entries_row *row)
{
    if (row->num_trades.set && row->num_wins.set && row->num_losses.set &&
        row->num_trades.v != row->num_wins.v + row->num_losses.v)
        return true;
    /* Every model began with 10000 dollars; the percentage is printed with two decimals. */
    return row->equity.set && row->return_pct.set && fabs((row->equity.v / 10000 - 1) * 100 - row->return_pct.v) > 0.01;
}

static bool element(struct import_pass *pass, const cJSON *object, const char *key, const char *path, struct err *err)
{
    (void)key;
    struct leaderboard_state *state = pass->state;
    struct leaderboard_entries_row row = {0};
    bool good = wire_read_object(&pass->reader, &wire_leader, object, path, &row);
    if (row.id.p && !wire_check_key(&pass->reader, row.id, path, "id"))
        good = false;
    if (!row.id.p || import_once(pass, pass->ids, row.id, wire_path_key(pass->arena, path, "id")) != IMPORT_NEW ||
        !good)
        return true;
    if (pass->walk == 0) {
        names_add(&pass->models, row.id);
        state->contradictions += contradicts_itself(&row);
        return true;
    }
    row.feed_ordinal = col_i64(feed_order_next(&pass->order, row.id));
    return bulk_add(pass->bulk, &row, err);
}

static void checked(struct import_pass *pass)
{
    const struct leaderboard_state *state = pass->state;
    if (state->contradictions)
        import_notice(pass,
                      "rows that contradict themselves (trades against wins and losses, return against equity): %zu, "
                      "stored as they came",
                      state->contradictions);
}

const struct import_kind import_leaderboard = {
    .name = "leaderboard",
    .list_key = "leaderboard",
    .load_walks = 1,
    .state_size = sizeof(struct leaderboard_state),
    .element = element,
    .checked = checked,
    .table = &table_leaderboard_entries,
};
