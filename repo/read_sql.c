#include "repo/read_sql.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>

/* Texts in which "%C" stands for the table's columns, each with "t." in front. */
struct text {
    const char *name;
    const struct table *table;
    const char *text;
    enum read_param params[READ_PARAMS_MAX + 1];
};

/* The trades' exact exit time, spelled as their indexes spell it (migrations/0004_trades.up.sql). */
#define EXIT_TIME(alias) "coalesce(" alias ".exit_time_s, " alias ".exit_ts_ms / 1000.0::double precision)"

/* The messages of the first $n conversations. LATERAL with OFFSET 0 keeps the planner from reading all messages to join
 * them: what is wanted are those of a few conversations. */
#define MESSAGES_OF(condition)                                                                                         \
    "SELECT %C FROM (SELECT id, feed_ordinal FROM conversations WHERE feed_ordinal IS NOT NULL" condition              \
    " ORDER BY feed_ordinal LIMIT $1) AS c CROSS JOIN LATERAL (SELECT * FROM conversation_messages AS m"               \
    " WHERE m.conversation_id = c.id ORDER BY m.seq OFFSET 0) AS t ORDER BY c.feed_ordinal, t.seq"

static const struct text texts[SQL_TRADES_PAGE] = {
    [SQL_DOCUMENT] = {"document",
                      &table_feed_documents,
                      "SELECT %C FROM feed_documents AS t WHERE t.name = $1",
                      {PARAM_DOCUMENT}},
    [SQL_EQUITY_FEED] = {"equity_feed",
                         &table_account_equity_snapshots,
                         "SELECT %C FROM account_equity_snapshots AS t WHERE t.feed_ordinal IS NOT NULL"
                         " ORDER BY t.feed_ordinal",
                         {PARAM_NONE}},
    [SQL_EQUITY_SINCE] = {"equity_since",
                          &table_account_equity_snapshots,
                          "SELECT %C FROM account_equity_snapshots AS t WHERE t.feed_ordinal IS NOT NULL"
                          " AND t.since_inception_hourly_marker >= $1 ORDER BY t.feed_ordinal",
                          {PARAM_MARKER}},
    [SQL_POSITION_MODELS] = {"position_models",
                             &table_position_feed_models,
                             "SELECT %C FROM position_feed_models AS t WHERE t.feed_ordinal IS NOT NULL"
                             " ORDER BY t.feed_ordinal LIMIT $1",
                             {PARAM_LIMIT}},
    [SQL_POSITIONS] = {"positions",
                       &table_positions,
                       "SELECT %C FROM (SELECT model_id FROM position_feed_models WHERE feed_ordinal IS NOT NULL"
                       " ORDER BY feed_ordinal LIMIT $1) AS m JOIN positions AS t ON t.model_id = m.model_id"
                       " WHERE t.status = 'open' ORDER BY t.model_id, t.symbol, t.id",
                       {PARAM_LIMIT}},
    [SQL_TRADES_FEED] = {"trades_feed",
                         &table_trades,
                         "SELECT %C FROM trades AS t WHERE t.feed_ordinal IS NOT NULL ORDER BY t.feed_ordinal",
                         {PARAM_NONE}},
    [SQL_TRADES_FEED_MODEL] = {"trades_feed_model",
                               &table_trades,
                               "SELECT %C FROM trades AS t WHERE t.feed_ordinal IS NOT NULL AND t.model_id = $1"
                               " ORDER BY t.feed_ordinal",
                               {PARAM_MODEL}},
    [SQL_PRICES] = {"prices",
                    &table_price_latest,
                    "SELECT %C FROM price_latest AS t WHERE t.provider = $1 AND t.feed_ordinal IS NOT NULL"
                    " ORDER BY t.feed_ordinal, t.symbol",
                    {PARAM_PROVIDER}},
    [SQL_INCEPTIONS] = {"inceptions",
                        &table_since_inception_values,
                        "SELECT %C FROM since_inception_values AS t WHERE t.feed_ordinal IS NOT NULL"
                        " ORDER BY t.feed_ordinal",
                        {PARAM_NONE}},
    [SQL_LEADERS] = {"leaders",
                     &table_leaderboard_entries,
                     "SELECT %C FROM leaderboard_entries AS t WHERE t.feed_ordinal IS NOT NULL ORDER BY t.feed_ordinal",
                     {PARAM_NONE}},
    [SQL_LEADERS_COMPUTED] =
        {"leaders_computed",
         &table_leaderboard_entries,
         /* The view keeps losses as a magnitude, the wire as a negative amount; 0 - 0 is 0, never -0. */
         "SELECT %C FROM (SELECT model_id AS id, num_trades, num_wins, num_losses, win_dollars,"
         " 0 - lose_dollars AS lose_dollars,"
         " return_pct, equity, sharpe, NULL::float8 AS as_of_s, NULL::bigint AS feed_ordinal, NULL::jsonb AS "
         "wire_detail,"
         " to_timestamp(timestamp_ms / 1000.0) AS created_at, to_timestamp(timestamp_ms / 1000.0) AS updated_at"
         " FROM v_leaderboard) AS t"
         " WHERE (SELECT min(e.feed_ordinal) FROM leaderboard_entries AS e WHERE e.feed_ordinal IS NOT NULL) IS NULL"
         " ORDER BY t.id",
         {PARAM_NONE}},
    [SQL_ANALYTICS_ALL] = {"analytics_all",
                           &table_model_analytics,
                           "SELECT %C FROM model_analytics AS t WHERE t.feed_ordinal IS NOT NULL"
                           " ORDER BY t.feed_ordinal",
                           {PARAM_NONE}},
    [SQL_ANALYTICS_ONE] = {"analytics_one",
                           &table_model_analytics,
                           "SELECT %C FROM model_analytics AS t WHERE t.model_id = $1",
                           {PARAM_MODEL}},
    [SQL_CONVERSATIONS] = {"conversations",
                           &table_conversations,
                           "SELECT %C FROM conversations AS t WHERE t.feed_ordinal IS NOT NULL"
                           " ORDER BY t.feed_ordinal LIMIT $1",
                           {PARAM_LIMIT}},
    [SQL_CONVERSATIONS_MODEL] = {"conversations_model",
                                 &table_conversations,
                                 "SELECT %C FROM conversations AS t WHERE t.feed_ordinal IS NOT NULL"
                                 " AND t.model_id = $2 ORDER BY t.feed_ordinal LIMIT $1",
                                 {PARAM_LIMIT, PARAM_MODEL}},
    [SQL_MESSAGES] = {"messages", &table_conversation_messages, MESSAGES_OF(""), {PARAM_LIMIT}},
    [SQL_MESSAGES_MODEL] = {"messages_model",
                            &table_conversation_messages,
                            MESSAGES_OF(" AND model_id = $2"),
                            {PARAM_LIMIT, PARAM_MODEL}},
    [SQL_CYCLES] = {"cycles",
                    &table_decision_cycles,
                    "SELECT %C FROM decision_cycles AS t WHERE t.feed_ordinal IS NOT NULL"
                    " ORDER BY t.feed_ordinal LIMIT $1",
                    {PARAM_LIMIT}},
    [SQL_CYCLES_MODEL] = {"cycles_model",
                          &table_decision_cycles,
                          "SELECT %C FROM decision_cycles AS t WHERE t.feed_ordinal IS NOT NULL AND t.model_id = $2"
                          " ORDER BY t.feed_ordinal LIMIT $1",
                          {PARAM_LIMIT, PARAM_MODEL}},
};

struct read_sql_set {
    struct read_sql all[READ_SQL_COUNT];
    char *owned[READ_SQL_COUNT]; /* the SQL texts */
    char page_names[SQL_TRADES_PAGE_COUNT][24];
};

static void put_template(struct buf *out, const char *text, const struct table *table)
{
    const char *mark = strstr(text, "%C");
    buf_append(out, text, (size_t)(mark - text));
    table_put_columns(out, table, "t.");
    buf_append_str(out, mark + 2);
}

/* One side of a page. `compare` is "<" or ">". An id stands for the place of its trade; the one that no trade has gives
 * NULLs, with which nothing compares. */
static void put_bound(struct buf *out, unsigned kind, const char *compare, unsigned param)
{
    if (kind == 1) {
        buf_printf(out, " AND " EXIT_TIME("t") " %s $%u", compare, param);
    } else if (kind == 2) {
        buf_printf(out,
                   " AND (" EXIT_TIME("t") ", t.id) %s (SELECT " EXIT_TIME("c") ", c.id FROM trades AS c"
                                                                                " WHERE c.id = $%u)",
                   compare, param);
    }
}

static void make_page(struct read_sql_set *set, bool of_model, unsigned before, unsigned after)
{
    unsigned id = read_sql_trades_page(of_model, before, after);
    struct read_sql *page = &set->all[id];
    unsigned count = 0;
    struct buf sql = BUF_INIT;
    put_template(&sql, "SELECT %C FROM trades AS t WHERE t.exit_ts_ms IS NOT NULL", &table_trades);
    page->params[count++] = PARAM_LIMIT;
    if (of_model) {
        page->params[count++] = PARAM_MODEL;
        buf_printf(&sql, " AND t.model_id = $%u", count);
    }
    if (before) {
        page->params[count++] = before == 1 ? PARAM_BEFORE_TIME : PARAM_BEFORE_ID;
        put_bound(&sql, before, "<", count);
    }
    if (after) {
        page->params[count++] = after == 1 ? PARAM_AFTER_TIME : PARAM_AFTER_ID;
        put_bound(&sql, after, ">", count);
    }
    const char *direction = after && !before ? "ASC" : "DESC";
    buf_printf(&sql, " ORDER BY " EXIT_TIME("t") " %s, t.id %s LIMIT $1", direction, direction);
    buf_cstr(&sql);
    set->owned[id] = buf_take(&sql, NULL);

    char *name = set->page_names[id - SQL_TRADES_PAGE];
    snprintf(name, sizeof set->page_names[0], "trades_page_%u%u%u", of_model, before, after);
    page->statement = (struct pg_statement){name, set->owned[id], id};
    page->table = &table_trades;
}

unsigned read_sql_trades_page(bool of_model, unsigned before, unsigned after)
{
    return SQL_TRADES_PAGE + (of_model ? 9U : 0U) + before * 3 + after;
}

struct read_sql_set *read_sql_set_new(void)
{
    struct read_sql_set *set = mem_zalloc(sizeof *set);
    for (unsigned id = 0; id < SQL_TRADES_PAGE; id++) {
        struct buf sql = BUF_INIT;
        put_template(&sql, texts[id].text, texts[id].table);
        buf_cstr(&sql);
        set->owned[id] = buf_take(&sql, NULL);
        set->all[id].statement = (struct pg_statement){texts[id].name, set->owned[id], id};
        set->all[id].table = texts[id].table;
        memcpy(set->all[id].params, texts[id].params, sizeof texts[id].params);
    }
    for (unsigned i = 0; i < SQL_TRADES_PAGE_COUNT; i++) {
        make_page(set, i >= 9, i % 9 / 3, i % 3);
    }
    return set;
}

void read_sql_set_free(struct read_sql_set *set)
{
    if (set) {
        for (unsigned id = 0; id < READ_SQL_COUNT; id++) {
            free(set->owned[id]);
        }
        free(set);
    }
}

const struct read_sql *read_sql_get(const struct read_sql_set *set, unsigned id)
{
    return &set->all[id];
}
