#include "server/endpoint_rules.h"

#define IDENTITY(place_, keys_)                                                                                        \
    {                                                                                                                  \
        .kind = PARITY_IDENTITY, .place = (place_), .keys = (keys_)                                                    \
    }
/* When an answer was made is no part of the data. */
#define ANY_SERVER_TIME                                                                                                \
    {                                                                                                                  \
        .kind = PARITY_IGNORE, .place = "$.serverTime"                                                                 \
    }
#define NO_MORE_RULES                                                                                                  \
    {                                                                                                                  \
        .kind = PARITY_RULES_END                                                                                       \
    }

const struct parity_rule parity_account_totals[] = {IDENTITY("$.accountTotals", "id"), ANY_SERVER_TIME, NO_MORE_RULES};
const struct parity_rule parity_positions[] = {IDENTITY("$.accountTotals", "model_id"), ANY_SERVER_TIME, NO_MORE_RULES};
const struct parity_rule parity_trades[] = {IDENTITY("$.trades", "id"), ANY_SERVER_TIME, NO_MORE_RULES};
const struct parity_rule parity_crypto_prices[] = {ANY_SERVER_TIME, NO_MORE_RULES};
const struct parity_rule parity_since_inception[] = {IDENTITY("$.sinceInceptionValues", "id"), ANY_SERVER_TIME,
                                                     NO_MORE_RULES};
/* Its answer has no serverTime, so one would be a difference. */
const struct parity_rule parity_leaderboard[] = {IDENTITY("$.leaderboard", "id"), NO_MORE_RULES};
const struct parity_rule parity_analytics_all[] = {IDENTITY("$.analytics", "id|model_id"), ANY_SERVER_TIME,
                                                   NO_MORE_RULES};
const struct parity_rule parity_analytics_one[] = {ANY_SERVER_TIME, NO_MORE_RULES};
/* Cycles have ids, conversations of messages only their model. The messages in them follow each other and have nothing
 * that tells them apart. */
const struct parity_rule parity_conversations[] = {IDENTITY("$.conversations", "id|model_id"), ANY_SERVER_TIME,
                                                   NO_MORE_RULES};
