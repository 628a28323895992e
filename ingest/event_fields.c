#include "ingest/event_inside.h"

#include <stddef.h>

/* clang-format off */
#define EXTRA(key, type, need, doc) {#key, offsetof(struct event_beside, key), doc, type, need}
#define TEXT(key, need, doc) EXTRA(key, EXTRA_TEXT, need, doc)
#define NUMBER(key, need, doc) EXTRA(key, EXTRA_NUMBER, need, doc)
/* clang-format on */

static const struct event_extra position_extras[] = {
    TEXT(model_id, true, "whose position it is"),
    NUMBER(timestamp, true, "when it was so, in seconds; the newest statement wins"),
    TEXT(status, false, "open (also when absent) or closed"),
    NUMBER(exit_price, false, "of a closed one"),
    NUMBER(exit_time, false, "of a closed one, in seconds"),
    TEXT(exchange_provider, false, "where it is held"),
};
static const char *const position_beside[] = {"model_id",  "timestamp",         "status", "exit_price",
                                              "exit_time", "exchange_provider", NULL};

static const struct event_extra price_extras[] = {
    TEXT(provider, false, "whose price it is; absent: that of the setting prices.provider"),
    NUMBER(volume, false, "traded at it"),
};
static const char *const price_beside[] = {"provider", "volume", NULL};

static const struct event_extra talk_extras[] = {
    TEXT(conversation_id, false, "tells apart conversations that begin alike"),
    TEXT(topic, false, "what it is about"),
};
static const char *const talk_beside[] = {"conversation_id", "topic", "messages", NULL};

static const struct event_extra statement_extras[] = {
    NUMBER(timestamp, true, "when it was so, in seconds; the newest statement wins"),
};
static const char *const statement_beside[] = {"timestamp", NULL};

static const struct event_extra trader_extras[] = {
    NUMBER(timestamp, true, "when it was so, in seconds; the newest statement wins"),
    NUMBER(last_decision_at, false, "in seconds"),
    NUMBER(pause_until, false, "in seconds"),
};
static const char *const trader_beside[] = {"timestamp", "last_decision_at", "pause_until", NULL};

static const struct event_extra analytics_extras[] = {
    TEXT(id, true, "any name"),
    TEXT(model_id, true, "whose statistics they are"),
    NUMBER(updated_at, true, "when they were made, in seconds; the newest win"),
};
static const char *const analytics_beside[] = {"id", "model_id", "updated_at", NULL};
static const char *const analytics_objects[] = {"fee_pnl_moves_breakdown_table",
                                                "winners_losers_breakdown_table",
                                                "longs_shorts_breakdown_table",
                                                "signals_breakdown_table",
                                                "invocation_breakdown_table",
                                                "overall_trades_overview_table",
                                                NULL};

static const char *const trade_beside[] = {"account_total", NULL};
static const char *const nothing[] = {NULL};
static const char *const symbol_required[] = {"symbol", NULL};
static const char *const exit_required[] = {"exit_time", NULL};
static const char *const timestamp_required[] = {"timestamp", NULL};
static const char *const positions_object[] = {"positions", NULL};

const char *const event_statuses[] = {"open", "closed", NULL};

#define RULES(name, ...) static const struct event_rule name[] = {__VA_ARGS__, {NULL, RULE_KEY}}
RULES(trade_rules, {"id", RULE_KEY}, {"model_id", RULE_KEY}, {"symbol", RULE_KEY}, {"entry_time", RULE_SECONDS},
      {"exit_time", RULE_SECONDS});
RULES(position_rules, {"model_id", RULE_KEY}, {"symbol", RULE_KEY}, {"entry_time", RULE_SECONDS},
      {"timestamp", RULE_SECONDS}, {"status", RULE_STATUS}, {"exit_time", RULE_SECONDS});
RULES(price_rules, {"symbol", RULE_KEY}, {"provider", RULE_KEY}, {"price", RULE_POSITIVE},
      {"timestamp", RULE_NOT_NEGATIVE}, {"volume", RULE_NOT_NEGATIVE});
RULES(total_rules, {"id", RULE_KEY}, {"model_id", RULE_KEY}, {"timestamp", RULE_SECONDS});
RULES(cycle_rules, {"id", RULE_KEY}, {"model_id", RULE_KEY});
RULES(talk_rules, {"model_id", RULE_KEY}, {"conversation_id", RULE_KEY});
RULES(analytics_rules, {"model_id", RULE_KEY}, {"id", RULE_KEY}, {"updated_at", RULE_SECONDS});
RULES(leader_rules, {"id", RULE_KEY}, {"timestamp", RULE_SECONDS});
RULES(inception_rules, {"id", RULE_KEY}, {"model_id", RULE_KEY}, {"timestamp", RULE_SECONDS});
RULES(trader_rules, {"trader_id", RULE_KEY}, {"timestamp", RULE_SECONDS}, {"last_decision_at", RULE_TIMESTAMPTZ},
      {"pause_until", RULE_TIMESTAMPTZ});
RULES(market_rules, {"provider", RULE_KEY}, {"symbol", RULE_KEY}, {"timestamp", RULE_SECONDS});

#define EXTRAS(extras) (extras), sizeof(extras) / sizeof(extras)[0]
#define NO_EXTRAS NULL, 0

const struct event_form event_form_total = {&wire_account_total, NO_EXTRAS,  nothing, nothing,
                                            positions_object,    total_rules};
const struct event_form event_form_cycle = {&wire_cycle, NO_EXTRAS, nothing, timestamp_required, nothing, cycle_rules};

static const struct event_form forms[EVENT_KIND_COUNT] = {
    [EVENT_TRADES] = {&wire_trade, NO_EXTRAS, trade_beside, exit_required, nothing, trade_rules},
    [EVENT_POSITIONS] = {&wire_position, EXTRAS(position_extras), position_beside, symbol_required, nothing,
                         position_rules},
    [EVENT_PRICES] = {&wire_price, EXTRAS(price_extras), price_beside, symbol_required, nothing, price_rules},
    [EVENT_CONVERSATIONS] = {&wire_conversation, EXTRAS(talk_extras), talk_beside, nothing, nothing, talk_rules},
    [EVENT_ANALYTICS] = {NULL, EXTRAS(analytics_extras), analytics_beside, nothing, analytics_objects, analytics_rules},
    [EVENT_LEADERBOARD] = {&wire_leader, EXTRAS(statement_extras), statement_beside, nothing, nothing, leader_rules},
    [EVENT_SINCE_INCEPTION] = {&wire_inception, EXTRAS(statement_extras), statement_beside, nothing, nothing,
                               inception_rules},
    [EVENT_TRADER_STATE] = {&wire_trader_state, EXTRAS(trader_extras), trader_beside, nothing, nothing, trader_rules},
    [EVENT_MARKET_ASSETS] = {&wire_market_asset, EXTRAS(statement_extras), statement_beside, nothing, nothing,
                             market_rules},
    [EVENT_MARKET_CONTEXTS] = {&wire_market_context, EXTRAS(statement_extras), statement_beside, nothing, nothing,
                               market_rules},
};

const struct event_form *event_form_of(enum event_kind kind)
{
    return kind == EVENT_ACCOUNT_TOTALS ? &event_form_total : &forms[kind];
}
