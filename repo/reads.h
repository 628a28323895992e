/* The reads that the API needs, behind an interface that a test can replace. The Postgres side is repo/pg_reads.h. */
#ifndef NOF0_REPO_READS_H
#define NOF0_REPO_READS_H

#include "base/err.h"
#include "repo/read_query.h"
#include "repo/rows.h"

/* The rows that answer one query; which arrays are filled depends on the kind. All read in one snapshot of the
 * database. An array without rows may be NULL. */
struct repo_answer {
    enum read_kind kind;
    int64_t version;                           /* of that snapshot, repo/version.h */
    const struct feed_documents_row *document; /* what the feed's file said beside its rows; NULL when none came */
    const struct account_equity_snapshots_row *equity; /* ACCOUNT_TOTALS, in feed order */
    size_t equity_count;
    const struct position_feed_models_row *position_models; /* POSITIONS, in feed order */
    size_t position_model_count;
    const struct positions_row *positions; /* POSITIONS: open ones of those models, by model_id, then symbol */
    size_t position_count;
    const struct trades_row *trades; /* TRADES, in the order to serve */
    size_t trade_count;
    const struct price_latest_row *prices; /* CRYPTO_PRICES, in feed order, then by symbol */
    size_t price_count;
    const struct since_inception_values_row *inceptions; /* SINCE_INCEPTION, in feed order */
    size_t inception_count;
    const struct leaderboard_entries_row
        *leaders; /* LEADERBOARD, in feed order; from v_leaderboard when none is stored */
    size_t leader_count;
    const struct model_analytics_row *analytics; /* ANALYTICS_ALL in feed order (bulk_payload where it differs is
                                                    already in payload); ANALYTICS_ONE: none or one */
    size_t analytics_count;
    const struct conversations_row *conversations; /* CONVERSATIONS in feed order; merged with cycles by feed_ordinal */
    size_t conversation_count;
    const struct conversation_messages_row
        *messages; /* of those conversations, by conversation in the same order, seq */
    size_t message_count;
    const struct decision_cycles_row *cycles; /* CONVERSATIONS in cycle shape, in feed order */
    size_t cycle_count;

    size_t bytes;                                /* about how much memory the rows take */
    void (*release)(struct repo_answer *answer); /* frees the answer and all its rows, on any thread */
};

/* Called exactly once, on the loop that asked, never from inside the asking call. On success `answer` belongs to the
 * callee (answer->release(answer)) and err is NULL; otherwise answer is NULL and err says ERR_UNAVAILABLE, ERR_TIMEOUT
 * or ERR_INTERNAL. */
typedef void repo_read_done(void *arg, struct repo_answer *answer, const struct err *err);

struct repo_reads {
    /* Starts the query. Slices in `query` need only live until read returns. */
    void (*read)(struct repo_reads *reads, const struct read_query *query, repo_read_done *done, void *arg);
};

#endif
