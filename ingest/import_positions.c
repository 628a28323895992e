#include "ingest/import_parts.h"
#include "ingest/wire_symbol.h"

struct positions_state {
    struct bulk *models;
    struct bulk *positions;
    size_t odd_symbols;
};

/* One position of a model. False when the database failed. */
static bool position(struct import_pass *pass, struct slice model, const cJSON *object, const char *path,
                     struct err *err)
{
    struct positions_state *state = pass->state;
    struct positions_row row = {0};
    struct wire_remark remark = {NULL, NULL};
    bool good = wire_read_members(&pass->reader, &wire_position, object, path, NULL, &row, &remark);
    if (good) {
        state->odd_symbols += row.symbol.p && !slice_is(row.symbol, object->string);
        row.symbol = wire_symbol_from_key(object, row.symbol, object->string, &remark);
    }
    row.wire_detail = wire_remark_take(&remark, pass->arena);
    int64_t ms;
    if (!good || !wire_check_key(&pass->reader, row.symbol, path, "symbol") ||
        !wire_cut_time(&pass->reader, row.entry_time_s.v, path, "entry_time", &ms))
        return true;

    row.id = wire_position_id(pass->arena, model, row.symbol, ms);
    if (pass->walk == 0) {
        /* Only names with colons in them can meet in one id. */
        if (once_add(pass->seconds, row.id, pass->element).p != pass->element.p)
            import_fault(pass, path, "its id \"%s\" is that of another position", row.id.p);
        names_add(&pass->symbols, row.symbol);
        return true;
    }
    row.model_id = model;
    row.entry_time_ms = col_i64(ms);
    row.side = row.quantity.v < 0 ? SLICE("short") : SLICE("long");
    row.status = SLICE("open");
    row.metadata = SLICE("{}");
    return bulk_add(state->positions, &row, err);
}

static bool each_position(struct import_pass *pass, struct slice model, const cJSON *map, const char *path,
                          struct err *err)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, map)
    {
        if (!position(pass, model, member, wire_path_key(pass->arena, path, member->string), err))
            return false;
    }
    return true;
}

static bool element(struct import_pass *pass, const cJSON *object, const char *key, const char *path, struct err *err)
{
    (void)key;
    struct positions_state *state = pass->state;
    struct position_feed_models_row row = {0};
    struct wire_remark remark = {NULL, NULL};
    bool good = wire_read_members(&pass->reader, &wire_position_model, object, path,
                                  (const char *const[]){"positions", NULL}, &row, &remark);
    const cJSON *map = cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, "positions") : NULL;
    const char *map_path = wire_path_key(pass->arena, path, "positions");
    if (!map) {
        wire_remark_unset(&remark, "positions");
    } else if (cJSON_IsNull(map)) {
        wire_remark_set(&remark, "positions", map);
    } else if (!cJSON_IsObject(map)) {
        import_fault(pass, map_path, "must be an object, is %s", wire_type_name(map));
        good = false;
    }
    row.wire_detail = wire_remark_take(&remark, pass->arena);
    if (row.model_id.p && !wire_check_key(&pass->reader, row.model_id, path, "model_id"))
        good = false;
    if (row.model_id.p &&
        import_once(pass, pass->ids, row.model_id, wire_path_key(pass->arena, path, "model_id")) != IMPORT_NEW)
        return true;
    if (pass->walk > 0) {
        row.feed_ordinal = col_i64(feed_order_next(&pass->order, row.model_id));
        if (!bulk_add(state->models, &row, err))
            return false;
    } else if (good) {
        names_add(&pass->models, row.model_id);
    }
    return !cJSON_IsObject(map) || each_position(pass, row.model_id, map, map_path, err);
}

static void checked(struct import_pass *pass)
{
    const struct positions_state *state = pass->state;
    if (state->odd_symbols)
        import_notice(pass, "positions that name another symbol than their key: %zu, stored as they came",
                      state->odd_symbols);
}

static bool begin(struct import_pass *pass, struct err *err)
{
    struct positions_state *state = pass->state;
    state->models = bulk_begin(pass->import->session, &table_position_feed_models, err);
    state->positions = state->models ? bulk_begin(pass->import->session, &table_positions, err) : NULL;
    return state->positions != NULL;
}

static bool end(struct import_pass *pass, struct err *err)
{
    struct positions_state *state = pass->state;
    struct bulk_counts models;
    struct bulk_counts positions;
    struct buf sql = BUF_INIT;
    bool ok = bulk_merge(state->models, BULK_LEAVE_FEED, &models, err) &&
              bulk_merge(state->positions, BULK_KEEP_FEED, &positions, err);
    if (ok) {
        buf_printf(
            &sql,
            "UPDATE positions p SET status = 'closed', updated_at = now() WHERE p.status = 'open' AND NOT EXISTS "
            "(SELECT 1 FROM %s s WHERE s.id = p.id)",
            bulk_staging(state->positions));
        ok = session_run(pass->import->session, buf_cstr(&sql), NULL, &pass->removed, err);
    }
    if (ok) {
        import_count(pass, &models);
        import_count(pass, &positions);
    }
    buf_free(&sql);
    return ok;
}

static void release(struct import_pass *pass)
{
    struct positions_state *state = pass->state;
    bulk_free(state->models);
    bulk_free(state->positions);
    *state = (struct positions_state){0};
}

const struct import_kind import_positions = {
    .name = "positions",
    .list_key = "accountTotals",
    .load_walks = 1,
    .state_size = sizeof(struct positions_state),
    .element = element,
    .checked = checked,
    .begin = begin,
    .end = end,
    .release = release,
};
