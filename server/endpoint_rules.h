/* How an endpoint's answers from legacy files and from rows are held against each other: its column of
 * server/endpoints.def. What docs/parity.md says about it follows from here. */
#ifndef NOF0_SERVER_ENDPOINT_RULES_H
#define NOF0_SERVER_ENDPOINT_RULES_H

#include "parity/compare.h"

extern const struct parity_rule parity_account_totals[];
extern const struct parity_rule parity_positions[];
extern const struct parity_rule parity_trades[];
extern const struct parity_rule parity_crypto_prices[];
extern const struct parity_rule parity_since_inception[];
extern const struct parity_rule parity_leaderboard[];
extern const struct parity_rule parity_analytics_all[];
extern const struct parity_rule parity_analytics_one[];
extern const struct parity_rule parity_conversations[];

#endif
