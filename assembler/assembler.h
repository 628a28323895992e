/* Rows in, API document out: pure functions without I/O, clock or locale. Same rows, same bytes.
 *
 * Each appends one JSON object to `out` WITHOUT its closing brace, e.g. {"trades":[...]   - the caller ends it, either
 * with "}" or with ,"serverTime":<13 digits>}. So a document can be kept while its time goes on. Every object has at
 * least one member. False when a stored row is corrupt (ERR_INTERNAL, naming the row); out is then as long as before.
 */
#ifndef NOF0_ASSEMBLER_ASSEMBLER_H
#define NOF0_ASSEMBLER_ASSEMBLER_H

#include "base/buf.h"
#include "repo/reads.h"

typedef bool assemble_fn(const struct read_query *query, const struct repo_answer *answer, struct buf *out,
                         struct err *err);

assemble_fn assemble_account_totals;
assemble_fn assemble_positions;
assemble_fn assemble_trades;
assemble_fn assemble_crypto_prices;
assemble_fn assemble_since_inception;
assemble_fn assemble_leaderboard;
assemble_fn assemble_analytics_all;
assemble_fn assemble_analytics_one; /* an unknown model gives the empty analytics of the contract, never an error */
assemble_fn assemble_conversations;

#endif
