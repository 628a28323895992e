/* The row struct of every table: struct trades_row, struct positions_row, ... made from the .def files of repo/. What a
 * row's slices point to belongs to whoever made the row (an answer, an arena). */
#ifndef NOF0_REPO_ROWS_H
#define NOF0_REPO_ROWS_H

#include "repo/columns.h"

/* clang-format off: the order of includes is the content here */
#define COL(name, kind, nullness, role) COL_CTYPE_##kind name;

struct models_row {
#include "repo/models.def"
};
struct symbols_row {
#include "repo/symbols.def"
};
struct price_ticks_row {
#include "repo/price_ticks.def"
};
struct price_latest_row {
#include "repo/price_latest.def"
};
struct accounts_row {
#include "repo/accounts.def"
};
struct account_equity_snapshots_row {
#include "repo/account_equity_snapshots.def"
};
struct positions_row {
#include "repo/positions.def"
};
struct position_feed_models_row {
#include "repo/position_feed_models.def"
};
struct trades_row {
#include "repo/trades.def"
};
struct model_analytics_row {
#include "repo/model_analytics.def"
};
struct conversations_row {
#include "repo/conversations.def"
};
struct conversation_messages_row {
#include "repo/conversation_messages.def"
};
struct decision_cycles_row {
#include "repo/decision_cycles.def"
};
struct trader_state_row {
#include "repo/trader_state.def"
};
struct market_assets_row {
#include "repo/market_assets.def"
};
struct market_asset_ctx_row {
#include "repo/market_asset_ctx.def"
};
struct since_inception_values_row {
#include "repo/since_inception_values.def"
};
struct leaderboard_entries_row {
#include "repo/leaderboard_entries.def"
};
struct feed_documents_row {
#include "repo/feed_documents.def"
};
struct outbox_row {
#include "repo/outbox.def"
};
struct outbox_consumers_row {
#include "repo/outbox_consumers.def"
};
struct outbox_dead_row {
#include "repo/outbox_dead.def"
};
struct ingest_files_row {
#include "repo/ingest_files.def"
};
struct feature_flags_row {
#include "repo/feature_flags.def"
};
struct feature_flag_changes_row {
#include "repo/feature_flag_changes.def"
};
struct parity_runs_row {
#include "repo/parity_runs.def"
};

#undef COL
/* clang-format on */

#endif
