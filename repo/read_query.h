/* What a client asks of an endpoint, after its parameters were checked. Shared by the Postgres and the legacy side, so
 * that both answer the same question. */
#ifndef NOF0_REPO_READ_QUERY_H
#define NOF0_REPO_READ_QUERY_H

#include "base/slice.h"

#include <stdint.h>

enum read_kind {
    READ_ACCOUNT_TOTALS,
    READ_POSITIONS,
    READ_TRADES,
    READ_CRYPTO_PRICES,
    READ_SINCE_INCEPTION,
    READ_LEADERBOARD,
    READ_ANALYTICS_ALL,
    READ_ANALYTICS_ONE,
    READ_CONVERSATIONS,
    READ_KIND_COUNT,
};

/* A place in the order "newest exit first, then id descending": a trade's id, or an exit time in seconds. */
struct trade_cursor {
    enum { CURSOR_NONE, CURSOR_TIME, CURSOR_ID } kind;
    double exit_time_s;
    struct slice id;
};

enum { READ_NO_LIMIT = -1, TRADES_PAGE_DEFAULT = 100, TRADES_PAGE_MAX = 1000 };

struct read_query {
    enum read_kind kind;

    /* READ_ACCOUNT_TOTALS: rows with since_inception_hourly_marker >= min_marker, inclusive; rows without a marker are
     * left out then. Without it the whole feed. */
    bool has_min_marker;
    int64_t min_marker;

    /* READ_POSITIONS: at most so many models. READ_TRADES: see below. READ_CONVERSATIONS: at most so many, from the
     * first. READ_NO_LIMIT where the client gave none (positions: 1000). */
    int64_t limit;

    /* READ_TRADES, READ_CONVERSATIONS: only this model's; p == NULL for all. READ_ANALYTICS_ONE: the model. */
    struct slice model_id;

    /* READ_TRADES. Without limit, before and after: the feed as it stands (grouped by model, newest exit first), or one
     * model's group of it. With any of the three: a page of all stored closed trades, newest exit first, ties by id
     * descending (bytewise); `limit` rows (default TRADES_PAGE_DEFAULT) that are strictly older than `before` and
     * strictly newer than `after`. Given `after` alone, the rows nearest to it, so that paging forward leaves no gap. A
     * time cursor compares exit times; an id cursor compares (exit time, id), and an id that no trade has gives no
     * rows. */
    struct trade_cursor before;
    struct trade_cursor after;
};

/* True when the query is a page of trades rather than the feed. */
static inline bool read_query_is_page(const struct read_query *query)
{
    return query->kind == READ_TRADES &&
           (query->limit != READ_NO_LIMIT || query->before.kind != CURSOR_NONE || query->after.kind != CURSOR_NONE);
}

#endif
