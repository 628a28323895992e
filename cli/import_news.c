#include "cli/import_news.h"

#include "cache/announce.h"
#include "cache/redis_blocking.h"
#include "cli/cli.h"

#include <hiredis/hiredis.h>
#include <string.h>

static const struct {
    const char *endpoint;
    enum cache_feed feed;
} feeds[] = {
    {"account-totals", CACHE_FEED_account_totals},
    {"positions", CACHE_FEED_positions},
    {"trades", CACHE_FEED_trades},
    {"crypto-prices", CACHE_FEED_crypto_prices},
    {"since-inception-values", CACHE_FEED_since_inception},
    {"leaderboard", CACHE_FEED_leaderboard},
    {"analytics", CACHE_FEED_analytics},
    {"conversations", CACHE_FEED_conversations},
};

static bool announce(struct import_news *news, const char *endpoint, int64_t version, struct err *err)
{
    const struct settings *settings = news->settings;
    struct cache_space space;
    if (!settings_cache_space(settings, &space, err))
        return false;
    if (!news->link)
        news->link = redis_blocking_connect(settings->redis_url, settings->redis_connect_timeout_ms,
                                            settings->redis_command_timeout_ms, err);
    if (!news->link)
        return false;
    for (size_t i = 0; i < sizeof feeds / sizeof feeds[0]; i++)
        if (strcmp(feeds[i].endpoint, endpoint) == 0)
            return cache_announce_blocking(news->link, &space, feeds[i].feed, version, err);
    return err_set(err, ERR_INTERNAL, "no feed is called \"%s\"", endpoint);
}

void import_news_committed(void *arg, const char *endpoint, int64_t version)
{
    struct import_news *news = arg;
    struct err err = ERR_INIT;
    if (!news->settings->redis_url[0] || news->failed || announce(news, endpoint, version, &err))
        return;
    news->failed = true;
    (void)cli_fail("import", "running servers are not told of the changes: %s", err.text);
}

void import_news_end(struct import_news *news)
{
    if (news->link)
        redisFree(news->link);
    news->link = NULL;
}
