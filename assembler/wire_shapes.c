#include "assembler/wire.h"
#include "repo/rows.h"

#include <stddef.h>

/* clang-format off: one table a block */
#define REQUIRED true
#define OPTIONAL false
#define WIRE(name, column, kind, need) {name, SLICE("\"" name "\":"), offsetof(ROW, column), WIRE_##kind, need},

#define ROW struct account_equity_snapshots_row
static const struct wire_field account_total_fields[] = {
#include "assembler/wire_account_total.def"
};
#undef ROW
#define ROW struct positions_row
static const struct wire_field position_fields[] = {
#include "assembler/wire_position.def"
};
#undef ROW
#define ROW struct position_feed_models_row
static const struct wire_field position_model_fields[] = {
#include "assembler/wire_position_model.def"
};
#undef ROW
#define ROW struct trades_row
static const struct wire_field trade_fields[] = {
#include "assembler/wire_trade.def"
};
#undef ROW
#define ROW struct price_latest_row
static const struct wire_field price_fields[] = {
#include "assembler/wire_price.def"
};
#undef ROW
#define ROW struct since_inception_values_row
static const struct wire_field inception_fields[] = {
#include "assembler/wire_inception.def"
};
#undef ROW
#define ROW struct leaderboard_entries_row
static const struct wire_field leader_fields[] = {
#include "assembler/wire_leader.def"
};
#undef ROW
#define ROW struct conversations_row
static const struct wire_field conversation_fields[] = {
#include "assembler/wire_conversation.def"
};
#undef ROW
#define ROW struct conversation_messages_row
static const struct wire_field message_fields[] = {
#include "assembler/wire_message.def"
};
#undef ROW
#define ROW struct decision_cycles_row
static const struct wire_field cycle_fields[] = {
#include "assembler/wire_cycle.def"
};
#undef ROW

#define ROW struct trader_state_row
static const struct wire_field trader_state_fields[] = {
#include "assembler/wire_trader_state.def"
};
#undef ROW
#define ROW struct market_assets_row
static const struct wire_field market_asset_fields[] = {
#include "assembler/wire_market_asset.def"
};
#undef ROW
#define ROW struct market_asset_ctx_row
static const struct wire_field market_context_fields[] = {
#include "assembler/wire_market_context.def"
};
#undef ROW

#define SHAPE(name, row, text, is_lenient)                                                                             \
    const struct wire_shape wire_##name = {                                                                            \
        .noun = (text),                                                                                                \
        .fields = name##_fields,                                                                                       \
        .field_count = sizeof name##_fields / sizeof name##_fields[0],                                                 \
        .detail_offset = offsetof(struct row, wire_detail),                                                            \
        .lenient = (is_lenient),                                                                                       \
    };

SHAPE(account_total, account_equity_snapshots_row, "account total", false)
SHAPE(position, positions_row, "position", false)
SHAPE(position_model, position_feed_models_row, "model's positions", false)
SHAPE(trade, trades_row, "trade", false)
SHAPE(price, price_latest_row, "price", false)
SHAPE(inception, since_inception_values_row, "since-inception value", false)
SHAPE(leader, leaderboard_entries_row, "leaderboard entry", false)
SHAPE(conversation, conversations_row, "conversation", false)
SHAPE(message, conversation_messages_row, "message", false)
SHAPE(cycle, decision_cycles_row, "decision cycle", true)

/* Rows without a wire_detail: they hold what they have columns for, and nothing else. */
#define STRICT_SHAPE(name, text)                                                                                       \
    const struct wire_shape wire_##name = {                                                                            \
        .noun = (text),                                                                                                \
        .fields = name##_fields,                                                                                       \
        .field_count = sizeof name##_fields / sizeof name##_fields[0],                                                 \
        .strict = true,                                                                                                \
    };

STRICT_SHAPE(trader_state, "trader's state")
STRICT_SHAPE(market_asset, "instrument")
STRICT_SHAPE(market_context, "market context")
/* clang-format on */
