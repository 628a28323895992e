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

static const char *const trade_beside[] = {"account_total", NULL};
static const char *const nothing_beside[] = {NULL};
static const char *const symbol_required[] = {"symbol", NULL};
static const char *const exit_required[] = {"exit_time", NULL};

#define EXTRAS(extras) (extras), sizeof(extras) / sizeof(extras)[0]

static const struct event_form forms[EVENT_KIND_COUNT] = {
    [EVENT_TRADES] = {&wire_trade, NULL, 0, trade_beside, exit_required},
    [EVENT_POSITIONS] = {&wire_position, EXTRAS(position_extras), position_beside, symbol_required},
    [EVENT_PRICES] = {&wire_price, EXTRAS(price_extras), price_beside, symbol_required},
    [EVENT_ACCOUNT_TOTALS] = {&wire_account_total, NULL, 0, nothing_beside, nothing_beside},
    [EVENT_CONVERSATIONS] = {&wire_conversation, EXTRAS(talk_extras), talk_beside, nothing_beside},
    [EVENT_ANALYTICS] = {NULL, NULL, 0, nothing_beside, nothing_beside},
    [EVENT_LEADERBOARD] = {&wire_leader, EXTRAS(statement_extras), statement_beside, nothing_beside},
    [EVENT_SINCE_INCEPTION] = {&wire_inception, EXTRAS(statement_extras), statement_beside, nothing_beside},
    [EVENT_TRADER_STATE] = {&wire_trader_state, EXTRAS(trader_extras), trader_beside, nothing_beside},
    [EVENT_MARKET_ASSETS] = {&wire_market_asset, EXTRAS(statement_extras), statement_beside, nothing_beside},
    [EVENT_MARKET_CONTEXTS] = {&wire_market_context, EXTRAS(statement_extras), statement_beside, nothing_beside},
};

const struct event_form *event_form_of(enum event_kind kind)
{
    return &forms[kind];
}
