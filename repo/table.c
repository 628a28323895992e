#include "repo/table.h"

/* clang-format off: the order of includes is the content here */
#define NULLNESS_NN true
#define NULLNESS_NU false
#define COL(name, kind, nullness, role) {#name, COL_##kind, NULLNESS_##nullness, COL_##role, offsetof(ROW, name)},

#define ROW struct models_row
static const struct column models_columns[] = {
#include "repo/models.def"
};
#undef ROW
#define ROW struct symbols_row
static const struct column symbols_columns[] = {
#include "repo/symbols.def"
};
#undef ROW
#define ROW struct price_ticks_row
static const struct column price_ticks_columns[] = {
#include "repo/price_ticks.def"
};
#undef ROW
#define ROW struct price_latest_row
static const struct column price_latest_columns[] = {
#include "repo/price_latest.def"
};
#undef ROW
#define ROW struct accounts_row
static const struct column accounts_columns[] = {
#include "repo/accounts.def"
};
#undef ROW
#define ROW struct account_equity_snapshots_row
static const struct column account_equity_snapshots_columns[] = {
#include "repo/account_equity_snapshots.def"
};
#undef ROW
#define ROW struct positions_row
static const struct column positions_columns[] = {
#include "repo/positions.def"
};
#undef ROW
#define ROW struct position_feed_models_row
static const struct column position_feed_models_columns[] = {
#include "repo/position_feed_models.def"
};
#undef ROW
#define ROW struct trades_row
static const struct column trades_columns[] = {
#include "repo/trades.def"
};
#undef ROW
#define ROW struct model_analytics_row
static const struct column model_analytics_columns[] = {
#include "repo/model_analytics.def"
};
#undef ROW
#define ROW struct conversations_row
static const struct column conversations_columns[] = {
#include "repo/conversations.def"
};
#undef ROW
#define ROW struct conversation_messages_row
static const struct column conversation_messages_columns[] = {
#include "repo/conversation_messages.def"
};
#undef ROW
#define ROW struct decision_cycles_row
static const struct column decision_cycles_columns[] = {
#include "repo/decision_cycles.def"
};
#undef ROW
#define ROW struct trader_state_row
static const struct column trader_state_columns[] = {
#include "repo/trader_state.def"
};
#undef ROW
#define ROW struct market_assets_row
static const struct column market_assets_columns[] = {
#include "repo/market_assets.def"
};
#undef ROW
#define ROW struct market_asset_ctx_row
static const struct column market_asset_ctx_columns[] = {
#include "repo/market_asset_ctx.def"
};
#undef ROW
#define ROW struct since_inception_values_row
static const struct column since_inception_values_columns[] = {
#include "repo/since_inception_values.def"
};
#undef ROW
#define ROW struct leaderboard_entries_row
static const struct column leaderboard_entries_columns[] = {
#include "repo/leaderboard_entries.def"
};
#undef ROW
#define ROW struct feed_documents_row
static const struct column feed_documents_columns[] = {
#include "repo/feed_documents.def"
};
#undef ROW
#define ROW struct outbox_row
static const struct column outbox_columns[] = {
#include "repo/outbox.def"
};
#undef ROW
#define ROW struct outbox_consumers_row
static const struct column outbox_consumers_columns[] = {
#include "repo/outbox_consumers.def"
};
#undef ROW
#define ROW struct outbox_dead_row
static const struct column outbox_dead_columns[] = {
#include "repo/outbox_dead.def"
};
#undef ROW
#define ROW struct ingest_files_row
static const struct column ingest_files_columns[] = {
#include "repo/ingest_files.def"
};
#undef ROW
#define ROW struct feature_flags_row
static const struct column feature_flags_columns[] = {
#include "repo/feature_flags.def"
};
#undef ROW
#define ROW struct feature_flag_changes_row
static const struct column feature_flag_changes_columns[] = {
#include "repo/feature_flag_changes.def"
};
#undef ROW
#define ROW struct parity_runs_row
static const struct column parity_runs_columns[] = {
#include "repo/parity_runs.def"
};
#undef ROW

#undef COL
/* clang-format on */

#define TABLE(name_)                                                                                                   \
    const struct table table_##name_ = {                                                                               \
        .name = #name_,                                                                                                \
        .columns = name_##_columns,                                                                                    \
        .column_count = sizeof name_##_columns / sizeof name_##_columns[0],                                            \
        .row_size = sizeof(struct name_##_row),                                                                        \
    };
#include "repo/tables.def"
#undef TABLE

#define TABLE(name) &table_##name,
const struct table *const repo_tables[] = {
#include "repo/tables.def"
};
#undef TABLE

const size_t repo_table_count = sizeof repo_tables / sizeof repo_tables[0];

const struct table *repo_table_find(const char *name)
{
    for (size_t i = 0; i < repo_table_count; i++)
        if (strcmp(repo_tables[i]->name, name) == 0)
            return repo_tables[i];
    return NULL;
}

bool column_is_written(const struct column *column)
{
    return column->role == COL_KEY || column->role == COL_DATA;
}

static void put_comma(struct buf *out, bool *first)
{
    if (!*first)
        buf_append_str(out, ", ");
    *first = false;
}

void table_put_columns(struct buf *out, const struct table *table, const char *prefix)
{
    bool first = true;
    for (size_t i = 0; i < table->column_count; i++) {
        put_comma(out, &first);
        buf_append_str(out, prefix);
        buf_append_str(out, table->columns[i].name);
    }
}

void table_put_written_columns(struct buf *out, const struct table *table)
{
    bool first = true;
    for (size_t i = 0; i < table->column_count; i++)
        if (column_is_written(&table->columns[i])) {
            put_comma(out, &first);
            buf_append_str(out, table->columns[i].name);
        }
}

size_t table_put_role_columns(struct buf *out, const struct table *table, enum col_role role, const char *prefix)
{
    bool first = true;
    size_t count = 0;
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].role == role) {
            put_comma(out, &first);
            buf_append_str(out, prefix);
            buf_append_str(out, table->columns[i].name);
            count++;
        }
    return count;
}

/* IS DISTINCT FROM would take 0 for -0 and knows no json; the image of a record tells every bit apart. The casts keep
 * the parser from comparing column by column with an operator that single columns do not have. */
void table_put_differs(struct buf *out, const struct table *table, const char *left, const char *right)
{
    buf_append_str(out, "ROW(");
    table_put_role_columns(out, table, COL_DATA, left);
    buf_append_str(out, ")::record *<> ROW(");
    table_put_role_columns(out, table, COL_DATA, right);
    buf_append_str(out, ")::record");
}

void table_put_set(struct buf *out, const struct table *table, const char *source)
{
    bool first = true;
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (column->role == COL_DATA) {
            put_comma(out, &first);
            buf_printf(out, "%s = %s%s", column->name, source, column->name);
        } else if (column->role == COL_TOUCH) {
            put_comma(out, &first);
            buf_printf(out, "%s = now()", column->name);
        }
    }
}

void table_put_on_conflict(struct buf *out, const struct table *table)
{
    struct buf keys = BUF_INIT;
    struct buf data = BUF_INIT;
    if (table_put_role_columns(&keys, table, COL_KEY, "") == 0)
        goto out;
    buf_printf(out, " ON CONFLICT (%s) DO ", buf_cstr(&keys));
    if (table_put_role_columns(&data, table, COL_DATA, "") == 0) {
        buf_append_str(out, "NOTHING");
        goto out;
    }
    buf_append_str(out, "UPDATE SET ");
    table_put_set(out, table, "EXCLUDED.");
    buf_append_str(out, " WHERE ");
    buf_clear(&data);
    buf_printf(&data, "%s.", table->name);
    table_put_differs(out, table, buf_cstr(&data), "EXCLUDED.");
out:
    buf_free(&keys);
    buf_free(&data);
}

void table_put_upsert(struct buf *out, const struct table *table)
{
    buf_printf(out, "INSERT INTO %s (", table->name);
    table_put_written_columns(out, table);
    buf_append_str(out, ") VALUES (");
    bool first = true;
    unsigned number = 0;
    for (size_t i = 0; i < table->column_count; i++)
        if (column_is_written(&table->columns[i])) {
            put_comma(out, &first);
            buf_printf(out, "$%u", ++number);
        }
    buf_append_char(out, ')');
    table_put_on_conflict(out, table);
}
