#include "server/answer_name.h"

#include "base/buf.h"
#include "base/num.h"
#include "server/endpoints.h"

static const enum cache_feed feeds[READ_KIND_COUNT] = {
    [READ_ACCOUNT_TOTALS] = CACHE_FEED_account_totals,
    [READ_POSITIONS] = CACHE_FEED_positions,
    [READ_TRADES] = CACHE_FEED_trades,
    [READ_CRYPTO_PRICES] = CACHE_FEED_crypto_prices,
    [READ_SINCE_INCEPTION] = CACHE_FEED_since_inception,
    [READ_LEADERBOARD] = CACHE_FEED_leaderboard,
    [READ_ANALYTICS_ALL] = CACHE_FEED_analytics,
    [READ_ANALYTICS_ONE] = CACHE_FEED_analytics,
    [READ_CONVERSATIONS] = CACHE_FEED_conversations,
};

enum cache_feed answer_feed(enum read_kind kind)
{
    return feeds[kind];
}

/* Texts from outside come with their lengths, so that none can pass for two. */
static void put_text(struct buf *out, const char *key, struct slice text)
{
    if (!text.p)
        return;
    buf_printf(out, " %s=%zu:", key, text.n);
    buf_append_slice(out, text);
}

static void put_cursor(struct buf *out, const char *key, const struct trade_cursor *cursor)
{
    char number[NUM_TEXT_SIZE];
    switch (cursor->kind) {
    case CURSOR_NONE:
        return;
    case CURSOR_TIME:
        buf_printf(out, " %s@", key);
        buf_append(out, number, num_format_double(number, cursor->exit_time_s));
        return;
    case CURSOR_ID:
        put_text(out, key, cursor->id);
        return;
    }
}

struct answer_name answer_name_of(const struct read_query *query, struct arena *arena)
{
    struct buf text = BUF_INIT;
    buf_append_str(&text, endpoints[query->kind].name);
    size_t plain = text.len;
    if (query->has_min_marker)
        buf_printf(&text, " marker=%lld", (long long)query->min_marker);
    if (query->limit != endpoint_default_limit(query->kind))
        buf_printf(&text, " limit=%lld", (long long)query->limit);
    put_cursor(&text, "before", &query->before);
    put_cursor(&text, "after", &query->after);
    bool part = text.len != plain || (query->model_id.p && query->kind != READ_ANALYTICS_ONE);
    put_text(&text, "model", query->model_id);
    struct answer_name name = {.text = {arena_strndup(arena, text.data, text.len), text.len},
                               .room = part ? ANSWER_PART : ANSWER_WHOLE,
                               .feed = feeds[query->kind]};
    buf_free(&text);
    return name;
}
