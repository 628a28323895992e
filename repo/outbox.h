/* The outbox: what a transaction changed, written with the change itself, so that whoever has to hear of it (Redis, the
 * live stream, the legacy files) does so for certain, after any crash.
 *
 * A row speaks of all items that one transaction changed in one feed. Its id is given out just before the commit, under
 * a lock that all instances share, so ids count up in the order of the commits and a reader that has applied a row has
 * applied everything before it. Lock, insert and COMMIT go to the server as one message: a writer that is stopped or
 * killed in the middle never keeps the others waiting.
 *
 * Every commit with a row is told by NOTIFY on the channel nof0_outbox.
 *
 * items is a JSON array with an array of texts for each row that changed:
 *
 *     trades           [model, id]
 *     positions        [model, id]                     id as in table positions
 *     account_totals   [model, ts_ms]
 *     crypto_prices    [provider, symbol]              also when the provider is not the one that is served
 *     conversations    [model, "cycle", source_id] or [model, "talk", source_key]
 *     analytics        [model]
 *     leaderboard      [model]
 *     since_inception  [model, id]
 *     trader_state     [trader]
 *     market_assets    [provider, symbol]
 *     market_contexts  [provider, symbol]
 *
 * An item says that the row may have changed, not what it changed to: who applies it reads the row as it is now. So
 * applying twice, or late, gives the same. */
#ifndef NOF0_REPO_OUTBOX_H
#define NOF0_REPO_OUTBOX_H

#include "repo/session.h"

enum outbox_feed {
    OUTBOX_TRADES,
    OUTBOX_POSITIONS,
    OUTBOX_ACCOUNT_TOTALS,
    OUTBOX_CRYPTO_PRICES,
    OUTBOX_CONVERSATIONS,
    OUTBOX_ANALYTICS,
    OUTBOX_LEADERBOARD,
    OUTBOX_SINCE_INCEPTION,
    OUTBOX_TRADER_STATE,
    OUTBOX_MARKET_ASSETS,
    OUTBOX_MARKET_CONTEXTS,
    OUTBOX_FEED_COUNT,
};

#define OUTBOX_CHANNEL "nof0_outbox"

/* "trades", "account_totals", ...: the column `feed`. */
const char *outbox_feed_name(enum outbox_feed feed);
/* OUTBOX_FEED_COUNT when no feed has the name. */
enum outbox_feed outbox_feed_find(struct slice name);

/* The items of one transaction, feed by feed. */
struct outbox_notes {
    struct buf items[OUTBOX_FEED_COUNT]; /* JSON without the outer brackets; empty: nothing of the feed changed */
};

#define OUTBOX_NOTES_INIT                                                                                              \
    {                                                                                                                  \
        .items = { BUF_INIT }                                                                                          \
    }

void outbox_notes_free(struct outbox_notes *notes);
void outbox_notes_clear(struct outbox_notes *notes);

/* Notes one item: its texts, `count` of them (1 to 3). */
void outbox_note(struct outbox_notes *notes, enum outbox_feed feed, const struct slice *texts, size_t count);

bool outbox_notes_any(const struct outbox_notes *notes);

/* Ends the transaction that is open on the session: inserts a row for each feed that was noted, and commits. `last_sql`
 * (NULL: none) are further statements without parameters for the same message, between the lock and the commit.
 * *version (may be NULL) receives the version of a snapshot that has the commit (repo/version.h). False with *err when
 * the commit failed or when it is not known whether it happened (ERR_UNAVAILABLE). */
bool outbox_commit(struct session *session, const struct outbox_notes *notes, const char *last_sql, int64_t *version,
                   struct err *err) MUST_CHECK;

#endif
