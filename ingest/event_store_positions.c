/* Positions: told apart by model, symbol and entry; the newest statement wins. */
#include "ingest/event_store.h"

/* What trades make of a statement, and what is not content. */
static const char *const derived[] = {"quantity", "status", "exit_ts_ms", "exit_price", "metadata", NULL};

struct state {
    const struct positions_row *row; /* the newest statement so far; NULL: none */
    bool is_new;
};

static void judge_one(struct event *event, struct state *state)
{
    struct positions_row *row = event->row;
    const char *column = NULL;
    if (!state->row || !state->row->as_of_s.set || row->as_of_s.v > state->row->as_of_s.v) {
        state->row = row;
        state->is_new = true;
        event_accept(event);
    } else if (row->as_of_s.v < state->row->as_of_s.v) {
        event_accept(event);
        event->outcome.superseded = true;
    } else if (row_same(&table_positions, state->row, row, derived, &column)) {
        event_duplicate(event);
    } else {
        event_conflict(event, "a statement of this instant about the position", column);
    }
}

static struct state *judge(struct event_store *store, struct event **events, size_t count, PGresult **result,
                           size_t *state_count, struct err *err)
{
    struct slice *ids = arena_alloc(store->arena, (count + 1) * sizeof *ids);
    struct state *states = arena_zalloc(store->arena, (2 * count + 1) * sizeof *states);
    struct key_index index = key_index_on(store->arena);
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        ids[i] = ((struct positions_row *)events[i]->row)->id;
    void **stored =
        event_load_by_text(store, store->many->positions, &table_positions, ids, count, result, &found, err);
    if (!stored)
        return NULL;
    *state_count = 0;
    for (size_t i = 0; i < found; i++) {
        const struct positions_row *row = stored[i];
        if (key_index_add(&index, row->id, *state_count) == *state_count)
            states[(*state_count)++].row = row;
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = key_index_add(&index, ids[i], *state_count);
        *state_count += at == *state_count;
        judge_one(events[i], &states[at]);
    }
    return states;
}

static bool write(struct event_store *store, const struct state *states, size_t count, struct err *err)
{
    const void **rows = arena_alloc(store->arena, (count + 1) * sizeof *rows);
    struct position_touch *touched = arena_alloc(store->arena, (count + 1) * sizeof *touched);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const struct positions_row *row = states[i].row;
        if (!states[i].is_new)
            continue;
        rows[n] = row;
        touched[n++] = (struct position_touch){row->id, row->model_id, row->symbol, row->entry_time_ms.v};
        names_add(&store->models, row->model_id);
        names_add(&store->symbols, row->symbol);
    }
    if (n == 0)
        return true;
    struct pipeline pipeline;
    struct err refused = ERR_INIT;
    pipeline_begin(&pipeline, store->session);
    bool good = many_add_upsert(&pipeline, store->many->positions, rows, n, store->arena, &refused);
    event_add_position_states(store, &pipeline, touched, n, NULL, 0);
    if (!pipeline_run_only(&pipeline, err))
        return false;
    if (!good) {
        *err = refused;
        return false;
    }
    event_note_positions(store, touched, n);
    return event_list_position_models(store, touched, n, err);
}

bool event_store_positions(struct event_store *store, struct event **events, size_t count, struct err *err)
{
    PGresult *result = NULL;
    size_t state_count = 0;
    const struct state *states = judge(store, events, count, &result, &state_count, err);
    bool good = states && (event_store_refuses(store, events, count) || write(store, states, state_count, err));
    PQclear(result);
    return good;
}
