/* The readers that keep the registered structures of Redis: each makes those of its share of the models and symbols
 * anew when rows speak of them, once for all rows that it took together. What is made from materialized views belongs
 * to ingest/outbox_views.c. */
#include "base/mem.h"
#include "ingest/name_set.h"
#include "ingest/outbox_make.h"
#include "ingest/redis_put.h"

#include <stdlib.h>
#include <xxhash.h>

struct shard {
    unsigned number;
    struct name_set changed[CACHE_KEY_COUNT]; /* models or symbols of each structure */
    bool whole[CACHE_KEY_COUNT];              /* structures without parameters */
};

/* The same in every instance. Structures without parameters belong to shard 0. */
static unsigned shard_of(struct slice name)
{
    return (unsigned)(XXH3_64bits(name.p, name.n) % OUTBOX_REDIS_SHARDS);
}

static void *start(const struct outbox_options *options, enum outbox_reader reader)
{
    (void)options;
    struct shard *shard = mem_zalloc(sizeof *shard);
    shard->number = reader - OUTBOX_REDIS_0;
    return shard;
}

static void clear(struct shard *shard)
{
    for (size_t i = 0; i < CACHE_KEY_COUNT; i++) {
        name_set_clear(&shard->changed[i]);
        shard->whole[i] = false;
    }
}

static void stop(void *work)
{
    struct shard *shard = work;
    for (size_t i = 0; i < CACHE_KEY_COUNT; i++)
        name_set_free(&shard->changed[i]);
    free(shard);
}

static void note(struct shard *shard, enum cache_key_id id, struct slice name)
{
    if (shard_of(name) == shard->number)
        name_set_add(&shard->changed[id], name);
}

static void note_item(struct shard *shard, const struct outbox_hands *hands, enum outbox_feed feed,
                      const struct outbox_item *item)
{
    switch (feed) {
    case OUTBOX_TRADES:
        note(shard, CACHE_KEY_trades_recent, item->texts[0]);
        break;
    case OUTBOX_POSITIONS:
        note(shard, CACHE_KEY_positions, item->texts[0]);
        break;
    case OUTBOX_CRYPTO_PRICES:
        note(shard, CACHE_KEY_price_latest, item->texts[1]);
        shard->whole[CACHE_KEY_crypto_prices] =
            shard->whole[CACHE_KEY_crypto_prices] || slice_is(item->texts[0], hands->options->prices_provider);
        break;
    case OUTBOX_CONVERSATIONS:
        note(shard, slice_is(item->texts[1], "talk") ? CACHE_KEY_conversations : CACHE_KEY_decision_last,
             item->texts[0]);
        break;
    case OUTBOX_ANALYTICS:
        note(shard, CACHE_KEY_analytics, item->texts[0]);
        shard->whole[CACHE_KEY_analytics_all] = true;
        break;
    case OUTBOX_TRADER_STATE:
        note(shard, CACHE_KEY_trader_state, item->texts[0]);
        break;
    case OUTBOX_MARKET_ASSETS:
        note(shard, CACHE_KEY_market_asset, item->texts[1]);
        break;
    case OUTBOX_MARKET_CONTEXTS:
        note(shard, CACHE_KEY_market_ctx, item->texts[1]);
        break;
    case OUTBOX_ACCOUNT_TOTALS: /* structures of these are made from views, or there are none */
    case OUTBOX_LEADERBOARD:
    case OUTBOX_SINCE_INCEPTION:
    case OUTBOX_FEED_COUNT:
        break;
    }
}

/* Makes what was noted, structure by structure, each with all its names at once. */
static bool rebuild_noted(const struct shard *shard, const struct outbox_hands *hands, struct redis_put *put,
                          struct err *err)
{
    bool good = true;
    for (size_t i = 0; good && i < CACHE_KEY_COUNT; i++) {
        const struct name_set *names = &shard->changed[i];
        if (!names->count && !(shard->whole[i] && shard->number == 0))
            continue;
        struct redis_rebuild rebuild = outbox_rebuild(hands);
        rebuild.take = redis_put_take;
        rebuild.arg = put;
        rebuild.wanted[i] = true;
        /* The same rows give both. */
        rebuild.wanted[CACHE_KEY_price_latest_single] = i == CACHE_KEY_price_latest;
        if (names->count) {
            rebuild.models = rebuild.symbols = names->names;
            rebuild.model_count = rebuild.symbol_count = names->count;
        }
        good = redis_rebuild_run(&rebuild, err);
    }
    return good;
}

static bool apply(void *work, struct outbox_hands *hands, const struct outbox_batch *batch, struct err *err)
{
    struct shard *shard = work;
    struct redis_put put = {.link = hands->link, .space = &hands->options->space};
    for (size_t i = 0; i < batch->count; i++)
        for (size_t n = 0; n < batch->rows[i].item_count; n++)
            note_item(shard, hands, batch->rows[i].feed, &batch->rows[i].items[n]);
    bool any = false;
    for (size_t i = 0; i < CACHE_KEY_COUNT; i++)
        any = any || shard->changed[i].count || (shard->whole[i] && shard->number == 0);
    bool good = !any || (session_begin_snapshot(hands->session, err) && rebuild_noted(shard, hands, &put, err) &&
                         redis_put_flush(&put, err) && session_commit(hands->session, err));
    redis_put_free(&put);
    clear(shard);
    return good;
}

/* --- After rows were deleted unseen: everything --- */

struct ownership {
    const struct shard *shard;
    const struct cache_space *space;
};

/* The name is of this shard: by its last parameter, as notes are. */
static bool owns(void *arg, const struct cache_key *key)
{
    const struct ownership *own = arg;
    struct cache_key again;
    struct cache_key_parts parts;
    if (!cache_key_parse(own->space, cache_key_text(key), &again, &parts))
        return false;
    unsigned count = cache_key_rows[parts.id].param_count;
    return (count ? shard_of(parts.params[count - 1]) : 0) == own->shard->number;
}

static bool is_of_views(enum cache_key_id id)
{
    return id == CACHE_KEY_leaderboard || id == CACHE_KEY_leaderboard_cache || id == CACHE_KEY_since_inception;
}

static bool begin(void *work, struct outbox_hands *hands, struct err *err)
{
    struct ownership own = {work, &hands->options->space};
    bool good = true;
    for (unsigned i = 0; good && hands->position < hands->pruned && i < CACHE_KEY_COUNT; i++) {
        struct redis_rebuild rebuild = outbox_rebuild(hands);
        bool failed = false;
        rebuild.wanted[i] = redis_rebuild_knows((enum cache_key_id)i) && !is_of_views((enum cache_key_id)i);
        if (rebuild.wanted[i])
            good = outbox_make(hands, &rebuild, owns, &own, &failed, err);
    }
    return good;
}

const struct outbox_work outbox_work_redis = {
    .on_redis = true,
    .start = start,
    .stop = stop,
    .begin = begin,
    .apply = apply,
};
