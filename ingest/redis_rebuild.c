#include "ingest/redis_rebuild.h"

#include "ingest/once.h"
#include "ingest/row_stream.h"
#include "repo/read_sql.h"

typedef struct cache_key model_key_fn(const struct cache_space *space, struct slice model);

/* The structures that hold something of one model: which rows, in which order, and what becomes of each. */
struct per_model {
    enum cache_key_id id;
    model_key_fn *key;
    const struct table *table;
    const char *rest; /* behind "FROM table t"; $1 are the models, or NULL for all; rows of one model stand together */
    struct slice (*model)(const void *row);
    bool (*add)(struct redis_value *value, const void *row, struct err *err);
};

/* What a run of one structure needs. */
struct making {
    struct redis_rebuild *rebuild;
    struct redis_value value;
    struct arena *arena; /* of the parameters and of the model whose rows are being read */
};

#define OF(table_)                                                                                                     \
    static struct slice model_of_##table_(const void *row)                                                             \
    {                                                                                                                  \
        return ((const struct table_##_row *)row)->model_id;                                                           \
    }
OF(positions)
OF(trades)
OF(redis_nav)
OF(model_analytics)
OF(decision_cycles)
#undef OF

static struct slice model_of_trader_state(const void *row)
{
    return ((const struct trader_state_row *)row)->trader_id;
}

static bool add_position(struct redis_value *value, const void *row, struct err *err)
{
    return redis_value_add_position(value, row, err);
}

static bool add_trade(struct redis_value *value, const void *row, struct err *err)
{
    return redis_value_add_trade(value, row, err);
}

static bool add_nav(struct redis_value *value, const void *row, struct err *err)
{
    return redis_value_add_nav(value, row, err);
}

static bool set_analytics(struct redis_value *value, const void *row, struct err *err)
{
    (void)err;
    redis_value_set_analytics(value, row);
    return true;
}

static bool set_decision(struct redis_value *value, const void *row, struct err *err)
{
    return redis_value_set_decision(value, row, err);
}

static bool set_trader(struct redis_value *value, const void *row, struct err *err)
{
    return redis_value_set_trader(value, row, err);
}

#define SOME_OR_ALL(column) "($1::text[] IS NULL OR " column " = ANY ($1))"
/* The trades' exact exit time, spelled as their indexes spell it (migrations/0004_trades.up.sql). */
#define EXIT_TIME(alias) "coalesce(" alias ".exit_time_s, " alias ".exit_ts_ms / 1000.0::double precision)"
/* The 100 of REDIS_TRADES_KEPT: an index gives them model by model, however long the history is. */
#define RECENT_TRADES                                                                                                  \
    "WHERE t.id IN (SELECT r.id FROM models AS m CROSS JOIN LATERAL (SELECT c.id FROM trades AS c"                     \
    " WHERE c.model_id = m.id AND c.exit_ts_ms IS NOT NULL ORDER BY " EXIT_TIME(                                       \
        "c") " DESC, c.id DESC"                                                                                        \
             " LIMIT 100) AS r WHERE " SOME_OR_ALL("m.id") ") ORDER BY t.model_id, " EXIT_TIME("t") " DESC, t.id DESC"
#define LAST_DECISIONS                                                                                                 \
    "WHERE t.id IN (SELECT r.id FROM models AS m CROSS JOIN LATERAL (SELECT c.id FROM decision_cycles AS c"            \
    " WHERE c.model_id = m.id AND c.executed_at IS NOT NULL ORDER BY c.executed_at DESC, c.id DESC LIMIT 1) AS r"      \
    " WHERE " SOME_OR_ALL("m.id") ") ORDER BY t.model_id"

static const struct per_model of_models[] = {
    /* Should a model have two open positions in one symbol, the newer stands first and stays. */
    {CACHE_KEY_positions, cache_key_positions, &table_positions,
     "WHERE t.status = 'open' AND " SOME_OR_ALL("t.model_id") " ORDER BY t.model_id, t.symbol, t.entry_time_ms DESC,"
                                                              " t.id DESC",
     model_of_positions, add_position},
    {CACHE_KEY_trades_recent, cache_key_trades_recent, &table_trades, RECENT_TRADES, model_of_trades, add_trade},
    {CACHE_KEY_since_inception, cache_key_since_inception, &redis_nav_table,
     "WHERE " SOME_OR_ALL("t.model_id") " ORDER BY t.model_id, t.timestamp_ms", model_of_redis_nav, add_nav},
    {CACHE_KEY_analytics, cache_key_analytics, &table_model_analytics,
     "WHERE " SOME_OR_ALL("t.model_id") " ORDER BY t.model_id", model_of_model_analytics, set_analytics},
    {CACHE_KEY_decision_last, cache_key_decision_last, &table_decision_cycles, LAST_DECISIONS, model_of_decision_cycles,
     set_decision},
    {CACHE_KEY_trader_state, cache_key_trader_state, &table_trader_state,
     "WHERE " SOME_OR_ALL("t.trader_id") " ORDER BY t.trader_id", model_of_trader_state, set_trader},
};

enum { PER_MODEL_COUNT = sizeof of_models / sizeof of_models[0] };

static bool give(struct making *making, struct err *err)
{
    const struct redis_value *value = &making->value;
    return value->count == 0 || !cache_key_is_good(&value->key) ||
           making->rebuild->take(making->rebuild->arg, value, err);
}

/* The names of the models that were asked for and are not among `seen` have nothing to hold. */
static bool give_nothings(struct making *making, model_key_fn *key_of, struct once *seen, struct err *err)
{
    const struct redis_rebuild *rebuild = making->rebuild;
    bool good = true;
    for (size_t i = 0; good && rebuild->models && i < rebuild->model_count; i++) {
        struct cache_key key = key_of(rebuild->space, rebuild->models[i]);
        if (once_bump(seen, rebuild->models[i]) || !cache_key_is_good(&key))
            continue;
        redis_value_begin(&making->value, key);
        good = rebuild->take(rebuild->arg, &making->value, err);
    }
    return good;
}

static void add_names(struct params *params, const struct slice *names, size_t count)
{
    if (names) {
        params_add_text_array(params, names, count);
    } else {
        params_add_text(params, (struct slice){NULL, 0});
        params->types[params->count - 1] = InvalidOid; /* what the statement's cast says */
    }
}

static struct row_stream *open_rows(struct making *making, const struct table *table, const char *rest,
                                    const struct slice *names, size_t count, struct err *err)
{
    struct params params = params_on(making->arena);
    add_names(&params, names, count);
    return row_stream_open(making->rebuild->session, "cache_rows", table, rest, &params, err);
}

static bool close_rows(struct making *making, struct row_stream *stream, bool good, struct err *err)
{
    row_stream_close(stream);
    return good && session_exec(making->rebuild->session, "CLOSE cache_rows", err);
}

static bool make_per_model(struct making *making, const struct per_model *plan, struct err *err)
{
    const struct redis_rebuild *rebuild = making->rebuild;
    struct row_stream *stream = open_rows(making, plan->table, plan->rest, rebuild->models, rebuild->model_count, err);
    if (!stream)
        return false;
    struct once *seen = once_new();
    struct slice model = {NULL, 0};
    const void *row = NULL;
    bool good;
    while ((good = row_stream_next(stream, &row, err)) && row) {
        if (!model.p || !slice_equal(model, plan->model(row))) {
            good = !model.p || give(making, err);
            if (!good)
                break;
            arena_reset(making->arena);
            model = arena_copy(making->arena, plan->model(row));
            (void)once_bump(seen, model);
            redis_value_begin(&making->value, plan->key(rebuild->space, model));
        }
        good = plan->add(&making->value, row, err);
        if (!good)
            break;
    }
    good = good && (!model.p || give(making, err)) && give_nothings(making, plan->key, seen, err);
    once_free(seen);
    return close_rows(making, stream, good, err);
}

static bool wants(const struct making *making, enum cache_key_id id)
{
    return making->rebuild->wanted[id];
}

/* price:latest of every provider, and under the names without a provider those of the one that is served. */
static bool make_prices(struct making *making, struct err *err)
{
    const struct redis_rebuild *rebuild = making->rebuild;
    struct slice served = slice_of(rebuild->prices_provider);
    struct row_stream *stream =
        open_rows(making, &table_price_latest, "WHERE " SOME_OR_ALL("t.symbol") " ORDER BY t.provider, t.symbol",
                  rebuild->symbols, rebuild->symbol_count, err);
    if (!stream)
        return false;
    const void *next = NULL;
    bool good;
    while ((good = row_stream_next(stream, &next, err)) && next) {
        const struct price_latest_row *row = next;
        if (wants(making, CACHE_KEY_price_latest)) {
            redis_value_begin(&making->value, cache_key_price_latest(rebuild->space, row->provider, row->symbol));
            good = redis_value_set_price(&making->value, row, err) && give(making, err);
        }
        if (good && wants(making, CACHE_KEY_price_latest_single) && slice_equal(row->provider, served)) {
            redis_value_begin(&making->value, cache_key_price_latest_single(rebuild->space, row->symbol));
            good = redis_value_set_price(&making->value, row, err) && give(making, err);
        }
        if (!good)
            break;
    }
    return close_rows(making, stream, good, err);
}

static bool make_price_map(struct making *making, struct err *err)
{
    struct params params = params_on(making->arena);
    params_add_text(&params, slice_of(making->rebuild->prices_provider));
    struct row_stream *stream = row_stream_open(making->rebuild->session, "cache_rows", &table_price_latest,
                                                "WHERE t.provider = $1 ORDER BY t.symbol", &params, err);
    if (!stream)
        return false;
    redis_value_begin(&making->value, cache_key_crypto_prices(making->rebuild->space));
    const void *row = NULL;
    bool good;
    while ((good = row_stream_next(stream, &row, err)) && row) {
        good = redis_value_put_price(&making->value, row, err);
        if (!good)
            break;
    }
    redis_value_end_prices(&making->value);
    return close_rows(making, stream, good && give(making, err), err);
}

static bool make_market(struct making *making, enum cache_key_id id, struct err *err)
{
    const struct redis_rebuild *rebuild = making->rebuild;
    const struct table *table = id == CACHE_KEY_market_asset ? &table_market_assets : &table_market_asset_ctx;
    struct row_stream *stream =
        open_rows(making, table, "WHERE " SOME_OR_ALL("t.symbol") " ORDER BY t.provider, t.symbol", rebuild->symbols,
                  rebuild->symbol_count, err);
    if (!stream)
        return false;
    const void *row = NULL;
    bool good;
    while ((good = row_stream_next(stream, &row, err)) && row) {
        struct cache_key key;
        if (id == CACHE_KEY_market_asset) {
            const struct market_assets_row *asset = row;
            key = cache_key_market_asset(rebuild->space, asset->provider, asset->symbol);
        } else {
            const struct market_asset_ctx_row *ctx = row;
            key = cache_key_market_ctx(rebuild->space, ctx->provider, ctx->symbol);
        }
        redis_value_begin(&making->value, key);
        good = redis_value_set_market(&making->value, table, row, err) && give(making, err);
        if (!good)
            break;
    }
    return close_rows(making, stream, good, err);
}

static bool make_analytics_all(struct making *making, struct err *err)
{
    struct row_stream *stream = row_stream_open(making->rebuild->session, "cache_rows", &table_model_analytics,
                                                "WHERE t.feed_ordinal IS NOT NULL ORDER BY t.feed_ordinal", NULL, err);
    if (!stream)
        return false;
    redis_value_begin(&making->value, cache_key_analytics_all(making->rebuild->space));
    const void *row = NULL;
    bool good;
    while ((good = row_stream_next(stream, &row, err)) && row)
        redis_value_put_analytics(&making->value, row);
    redis_value_end_array(&making->value);
    return close_rows(making, stream, good && give(making, err), err);
}

static bool on_leader(void *arg, const void *row, struct err *err)
{
    struct redis_value *value = arg;
    return cache_key_id(&value->key) == CACHE_KEY_leaderboard ? redis_value_add_leader(value, row, err)
                                                              : redis_value_put_leader(value, row, err);
}

/* As /api/leaderboard has it: the stored rows of the feed, and where there are none what v_leaderboard computes. */
static bool make_leaders(struct making *making, struct cache_key key, struct err *err)
{
    struct read_sql_set *set = read_sql_set_new();
    struct session *session = making->rebuild->session;
    const struct read_sql *stored = read_sql_get(set, SQL_LEADERS);
    const struct read_sql *computed = read_sql_get(set, SQL_LEADERS_COMPUTED);
    redis_value_begin(&making->value, key);
    bool good = session_each_row(session, stored->statement.sql, NULL, stored->table, on_leader, &making->value, err);
    /* Gives no rows where there are stored ones. */
    good = good &&
           session_each_row(session, computed->statement.sql, NULL, computed->table, on_leader, &making->value, err);
    if (good && cache_key_id(&key) == CACHE_KEY_leaderboard_cache)
        redis_value_end_array(&making->value);
    read_sql_set_free(set);
    return good && give(making, err);
}

/* The 20 of REDIS_CONVERSATIONS_KEPT; a conversation is as new as its newest message, and without any instants as new
 * as its row. */
#define RECENT_TALKS                                                                                                   \
    "(SELECT k.id, k.model_id, k.newest FROM models AS m CROSS JOIN LATERAL (SELECT c.id, c.model_id, (SELECT"         \
    " max(x.ts_ms) FROM conversation_messages AS x WHERE x.conversation_id = c.id) AS newest FROM conversations AS c"  \
    " WHERE c.model_id = m.id ORDER BY newest DESC NULLS LAST, c.id DESC LIMIT 20) AS k"                               \
    " WHERE " SOME_OR_ALL("m.id") ") AS r"
#define TALKS_IN_ORDER " ORDER BY r.model_id, r.newest NULLS FIRST, r.id"

/* The messages of one conversation, from a stream that has those of all in the conversations' order. */
static bool add_messages(struct redis_value *value, struct row_stream *messages, int64_t conversation, struct err *err)
{
    for (;;) {
        const void *next;
        if (!row_stream_peek(messages, &next, err))
            return false;
        const struct conversation_messages_row *row = next;
        if (!row || row->conversation_id.v != conversation)
            return true;
        if (!redis_value_add_message(value, row, err) || !row_stream_next(messages, &next, err))
            return false;
    }
}

/* A model that was asked for may have conversations without a message: its name goes as well. */
static bool give_talk(struct making *making, struct err *err)
{
    const struct redis_rebuild *rebuild = making->rebuild;
    if (making->value.count || !rebuild->models)
        return give(making, err);
    return !cache_key_is_good(&making->value.key) || rebuild->take(rebuild->arg, &making->value, err);
}

static bool join_talks(struct making *making, struct row_stream *talks, struct row_stream *messages, struct once *seen,
                       struct err *err)
{
    const struct redis_rebuild *rebuild = making->rebuild;
    struct slice model = {NULL, 0};
    const void *next = NULL;
    bool good;
    while ((good = row_stream_next(talks, &next, err)) && next) {
        const struct conversations_row *row = next;
        if (!model.p || !slice_equal(model, row->model_id)) {
            if (model.p && !give_talk(making, err))
                return false;
            arena_reset(making->arena);
            model = arena_copy(making->arena, row->model_id);
            (void)once_bump(seen, model);
            redis_value_begin(&making->value, cache_key_conversations(rebuild->space, model));
        }
        if (!add_messages(&making->value, messages, row->id.v, err))
            return false;
    }
    return good && (!model.p || give_talk(making, err)) && give_nothings(making, cache_key_conversations, seen, err);
}

static bool make_talks(struct making *making, struct err *err)
{
    struct session *session = making->rebuild->session;
    struct params params = params_on(making->arena);
    add_names(&params, making->rebuild->models, making->rebuild->model_count);
    struct once *seen = once_new();
    struct row_stream *messages = NULL;
    struct row_stream *talks = row_stream_open(session, "cache_talks", &table_conversations,
                                               "JOIN " RECENT_TALKS " ON r.id = t.id" TALKS_IN_ORDER, &params, err);
    if (talks)
        messages =
            row_stream_open(session, "cache_rows", &table_conversation_messages,
                            "JOIN " RECENT_TALKS " ON r.id = t.conversation_id" TALKS_IN_ORDER ", t.seq", &params, err);
    bool good = messages && join_talks(making, talks, messages, seen, err);
    once_free(seen);
    row_stream_close(talks);
    row_stream_close(messages);
    return good && session_exec(session, "CLOSE cache_talks; CLOSE cache_rows", err);
}

bool redis_rebuild_knows(enum cache_key_id id)
{
    switch (id) {
    case CACHE_KEY_price_latest:
    case CACHE_KEY_price_latest_single:
    case CACHE_KEY_crypto_prices:
    case CACHE_KEY_positions:
    case CACHE_KEY_trades_recent:
    case CACHE_KEY_leaderboard:
    case CACHE_KEY_leaderboard_cache:
    case CACHE_KEY_since_inception:
    case CACHE_KEY_analytics:
    case CACHE_KEY_analytics_all:
    case CACHE_KEY_conversations:
    case CACHE_KEY_decision_last:
    case CACHE_KEY_trader_state:
    case CACHE_KEY_market_asset:
    case CACHE_KEY_market_ctx:
        return true;
    default:
        return false;
    }
}

/* What is not made model by model. */
static bool make_others(struct making *making, enum cache_key_id id, struct err *err)
{
    switch (id) {
    case CACHE_KEY_price_latest:
        return make_prices(making, err);
    case CACHE_KEY_price_latest_single: /* made together, unless it alone is wanted */
        return wants(making, CACHE_KEY_price_latest) || make_prices(making, err);
    case CACHE_KEY_crypto_prices:
        return make_price_map(making, err);
    case CACHE_KEY_leaderboard:
        return make_leaders(making, cache_key_leaderboard(making->rebuild->space), err);
    case CACHE_KEY_leaderboard_cache:
        return make_leaders(making, cache_key_leaderboard_cache(making->rebuild->space), err);
    case CACHE_KEY_analytics_all:
        return make_analytics_all(making, err);
    case CACHE_KEY_conversations:
        return make_talks(making, err);
    case CACHE_KEY_market_asset:
    case CACHE_KEY_market_ctx:
        return make_market(making, id, err);
    default:
        return err_set(err, ERR_INTERNAL, "%s cannot be made from Postgres", cache_key_rows[id].name);
    }
}

static const struct per_model *per_model_of(enum cache_key_id id)
{
    for (size_t i = 0; i < PER_MODEL_COUNT; i++)
        if (of_models[i].id == id)
            return &of_models[i];
    return NULL;
}

bool redis_rebuild_run(struct redis_rebuild *rebuild, struct err *err)
{
    struct making making = {rebuild, REDIS_VALUE_INIT, arena_new(0)};
    bool good = true;
    for (unsigned i = 0; i < CACHE_KEY_COUNT && good; i++) {
        enum cache_key_id id = (enum cache_key_id)i;
        if (!rebuild->wanted[id])
            continue;
        const struct per_model *plan = per_model_of(id);
        good = plan ? make_per_model(&making, plan, err) : make_others(&making, id, err);
        if (!good)
            err_wrap(err, "%s", cache_key_rows[id].name);
        arena_reset(making.arena);
    }
    redis_value_free(&making.value);
    arena_free(making.arena);
    return good;
}
