/* What is left of a position, as statements and trades say it together. The state follows from what is stored, so it is
 * the same whichever came first.
 *
 * - The newest statement (an event of the kind positions) says what the position is. Trades of the same model, symbol
 * and entry time with a later exit have closed their quantity of it since; when nothing is left it is closed.
 * - An imported position counts as stated when the last of the trades that were stored before ended, or at its entry,
 * or, when that is said to come yet, when it was stored: later statements and trades must have their turn.
 * - A position that is known from trades alone is closed; the first of them says how it began.
 * - Of a model and symbol only the position with the newest entry can be open. */
#include "ingest/event_store.h"

/* In $1 ids, $2 models, $3 symbols, $4 entries in ms. */
#define TOUCHED "unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS u(id, model, symbol, entry)"

/* $5: the trades that came now. */
static const char state_imported[] =
    "UPDATE positions AS p SET stated_quantity = p.quantity, as_of_s = coalesce((SELECT max(t.exit_time_s)"
    " FROM trades AS t WHERE t.model_id = p.model_id AND t.symbol = p.symbol AND t.entry_ts_ms = p.entry_time_ms"
    " AND t.id <> ALL($5::text[])), least(coalesce(p.entry_time_s, p.entry_time_ms / 1000.0::double precision),"
    " extract(epoch FROM p.updated_at)::double precision))"
    " FROM " TOUCHED " WHERE p.id = u.id AND p.as_of_s IS NULL AND p.status = 'open'";

static const char state_from_trades[] =
    "INSERT INTO positions AS p (id, model_id, symbol, exchange_provider, side, status, entry_time_ms, entry_time_s,"
    " entry_price, quantity, leverage, confidence, entry_oid, commission, exit_plan, exit_ts_ms, exit_price, metadata)"
    " SELECT u.id, u.model, u.symbol, f.exchange_provider, CASE WHEN s.quantity < 0 THEN 'short' ELSE 'long' END,"
    " 'closed', u.entry, f.entry_time_s, coalesce(f.entry_price, 0), coalesce(s.quantity, 0), f.leverage, f.confidence,"
    " f.entry_oid, f.entry_commission_dollars, f.exit_plan, l.exit_ts_ms, l.exit_price, '{\"source\": \"trades\"}'"
    " FROM (SELECT DISTINCT * FROM " TOUCHED ") AS u"
    " CROSS JOIN LATERAL (SELECT * FROM trades AS t WHERE t.model_id = u.model AND t.symbol = u.symbol"
    " AND t.entry_ts_ms = u.entry ORDER BY t.exit_time_s, t.id LIMIT 1) AS f"
    " CROSS JOIN LATERAL (SELECT * FROM trades AS t WHERE t.model_id = u.model AND t.symbol = u.symbol"
    " AND t.entry_ts_ms = u.entry ORDER BY t.exit_time_s DESC, t.id DESC LIMIT 1) AS l"
    " CROSS JOIN LATERAL (SELECT sum(q) AS quantity FROM (SELECT t.quantity AS q FROM trades AS t WHERE t.model_id ="
    " u.model AND t.symbol = u.symbol AND t.entry_ts_ms = u.entry ORDER BY t.exit_time_s, t.id) AS o) AS s"
    " ON CONFLICT (id) DO UPDATE SET exchange_provider = EXCLUDED.exchange_provider, side = EXCLUDED.side,"
    " entry_time_s = EXCLUDED.entry_time_s, entry_price = EXCLUDED.entry_price, quantity = EXCLUDED.quantity,"
    " leverage = EXCLUDED.leverage, confidence = EXCLUDED.confidence, entry_oid = EXCLUDED.entry_oid,"
    " commission = EXCLUDED.commission, exit_plan = EXCLUDED.exit_plan, exit_ts_ms = EXCLUDED.exit_ts_ms,"
    " exit_price = EXCLUDED.exit_price, updated_at = now() WHERE p.metadata->>'source' = 'trades'";

/* Quantities are sums of doubles, so what is left of a closed position is a residue of rounding. Sums run in the order
 * of exits, so that they come out the same each time. */
static const char state_settled[] =
    "UPDATE positions AS p SET quantity = r.quantity, status = r.status, exit_ts_ms = r.exit_ts_ms,"
    " exit_price = r.exit_price, updated_at = now() FROM (SELECT q.id,"
    " CASE WHEN g.part IS NULL OR c.closed THEN coalesce(nullif(q.stated_quantity, 0), q.quantity)"
    "  ELSE q.stated_quantity - g.part END AS quantity,"
    " CASE WHEN c.closed OR EXISTS (SELECT 1 FROM positions AS n WHERE n.model_id = q.model_id"
    "  AND n.symbol = q.symbol AND n.entry_time_ms > q.entry_time_ms) THEN 'closed' ELSE 'open' END AS status,"
    " CASE WHEN c.closed THEN coalesce(l.exit_ts_ms, q.exit_ts_ms) END AS exit_ts_ms,"
    " CASE WHEN c.closed THEN coalesce(l.exit_price, q.exit_price) END AS exit_price"
    " FROM positions AS q"
    " LEFT JOIN LATERAL (SELECT sum(o.quantity) AS part FROM (SELECT t.quantity FROM trades AS t WHERE"
    "  t.model_id = q.model_id AND t.symbol = q.symbol AND t.entry_ts_ms = q.entry_time_ms"
    "  AND t.exit_time_s > q.as_of_s ORDER BY t.exit_time_s, t.id) AS o) AS g ON true"
    " LEFT JOIN LATERAL (SELECT t.exit_ts_ms, t.exit_price FROM trades AS t WHERE t.model_id = q.model_id"
    "  AND t.symbol = q.symbol AND t.entry_ts_ms = q.entry_time_ms AND t.exit_time_s > q.as_of_s"
    "  ORDER BY t.exit_time_s DESC, t.id DESC LIMIT 1) AS l ON true"
    " CROSS JOIN LATERAL (SELECT coalesce(q.stated_quantity = 0 OR (g.part IS NOT NULL AND (abs(q.stated_quantity -"
    "  g.part) <= 1e-9 * abs(q.stated_quantity) OR sign(q.stated_quantity - g.part) <> sign(q.stated_quantity))),"
    "  false) AS closed) AS c"
    " WHERE q.as_of_s IS NOT NULL AND q.id IN (SELECT unnest($1::text[]) UNION SELECT o.id FROM " TOUCHED
    "  JOIN positions AS o ON o.model_id = u.model AND o.symbol = u.symbol AND o.status = 'open')) AS r"
    " WHERE p.id = r.id AND (p.quantity, p.status, p.exit_ts_ms, p.exit_price) IS DISTINCT FROM"
    " (r.quantity, r.status, r.exit_ts_ms, r.exit_price)";

/* An imported position that nothing was stated of since gives way to one with a newer entry. */
static const char state_superseded[] =
    "UPDATE positions AS p SET status = 'closed', updated_at = now() FROM " TOUCHED " WHERE p.model_id = u.model"
    " AND p.symbol = u.symbol AND p.status = 'open' AND p.as_of_s IS NULL AND EXISTS (SELECT 1 FROM positions AS n"
    " WHERE n.model_id = p.model_id AND n.symbol = p.symbol AND n.entry_time_ms > p.entry_time_ms)";

static struct params touched_params(struct event_store *store, const struct position_touch *touched, size_t count)
{
    struct arena *arena = store->arena;
    struct slice *texts = arena_alloc(arena, (count + 1) * sizeof *texts);
    int64_t *entries = arena_alloc(arena, (count + 1) * sizeof *entries);
    struct params params = params_on(arena);
    for (size_t i = 0; i < count; i++)
        texts[i] = touched[i].id;
    params_add_text_array(&params, texts, count);
    for (size_t i = 0; i < count; i++)
        texts[i] = touched[i].model;
    params_add_text_array(&params, texts, count);
    for (size_t i = 0; i < count; i++)
        texts[i] = touched[i].symbol;
    params_add_text_array(&params, texts, count);
    for (size_t i = 0; i < count; i++)
        entries[i] = touched[i].entry_ms;
    params_add_i64_array(&params, entries, count);
    return params;
}

void event_add_position_states(struct event_store *store, struct pipeline *pipeline,
                               const struct position_touch *touched, size_t count, const struct slice *trade_ids,
                               size_t trade_count)
{
    struct params params = touched_params(store, touched, count);
    struct params with_trades = touched_params(store, touched, count);
    params_add_text_array(&with_trades, trade_ids, trade_count);
    pipeline_add(pipeline, "position_imported", state_imported, &with_trades);
    pipeline_add(pipeline, "position_from_trades", state_from_trades, &params);
    pipeline_add(pipeline, "position_settled", state_settled, &params);
    pipeline_add(pipeline, "position_superseded", state_superseded, &params);
}

void event_note_positions(struct event_store *store, const struct position_touch *touched, size_t count)
{
    struct key_index seen = key_index_on(store->arena);
    for (size_t i = 0; i < count; i++)
        if (key_index_add(&seen, touched[i].id, i) == i)
            outbox_note(&store->notes, OUTBOX_POSITIONS, (const struct slice[]){touched[i].model, touched[i].id}, 2);
    store->feeds[OUTBOX_POSITIONS] = store->feeds[OUTBOX_POSITIONS] || count > 0;
}

bool event_list_position_models(struct event_store *store, const struct position_touch *touched, size_t count,
                                struct err *err)
{
    static const char set_sql[] = EVENT_SET_ORDINAL("position_feed_models", "model_id");
    struct arena *arena = store->arena;
    PGresult *result = event_read_rows(store, "position_models",
                                       "SELECT model_id, feed_ordinal FROM position_feed_models"
                                       " WHERE feed_ordinal IS NOT NULL ORDER BY feed_ordinal",
                                       NULL, err);
    if (!result)
        return false;
    size_t standing_count;
    struct feed_item *standing = event_feed_names(store, result, &standing_count);
    PQclear(result);
    struct slice *models = arena_alloc(arena, (count + 1) * sizeof *models);
    struct col_i64 *ordinals = arena_alloc(arena, (count + 1) * sizeof *ordinals);
    struct key_index known = key_index_on(arena);
    size_t n = 0;
    for (size_t i = 0; i < standing_count; i++)
        (void)key_index_add(&known, standing[i].key, 0);
    for (size_t i = 0; i < count; i++)
        if (key_index_add(&known, touched[i].model, i + 1) == i + 1)
            models[n++] = touched[i].model;
    if (n == 0)
        return true;
    struct pipeline pipeline;
    pipeline_begin(&pipeline, store->session);
    event_place_names(store, &pipeline, standing, standing_count, models, n, ordinals, "position_models_ordinals",
                      set_sql);
    struct params params = params_on(arena);
    params_add_text_array(&params, models, n);
    params_add_nullable_i64_array(&params, ordinals, n);
    pipeline_add(&pipeline, "position_models_add",
                 "INSERT INTO position_feed_models (model_id, feed_ordinal) SELECT * FROM unnest($1::text[],"
                 " $2::bigint[]) ON CONFLICT (model_id) DO UPDATE SET feed_ordinal = EXCLUDED.feed_ordinal,"
                 " updated_at = now()",
                 &params);
    return pipeline_run_only(&pipeline, err);
}
