#include "server/shadow_store.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cache/keys.h"
#include "cache/redis_blocking.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

enum {
    PATIENCE_MS = 2000,       /* for each answer of Postgres */
    REDIS_PATIENCE_MS = 1000, /* and for each of Redis */
    LOOK_MS = 30000,          /* between two looks how green endpoints are */
    PRUNE_MS = 3600000,
    SECONDS_PER_DAY = 86400,
};

struct shadow_store {
    struct snapshot *snapshot;
    struct session *session;    /* NULL: not connected */
    struct redisContext *redis; /* the same */
    int64_t next_look_ms, next_prune_ms;
};

struct shadow_store *shadow_store_new(void)
{
    return mem_zalloc(sizeof(struct shadow_store));
}

static void hang_up(struct shadow_store *store)
{
    session_close(store->session);
    store->session = NULL;
    if (store->redis)
        redisFree(store->redis);
    store->redis = NULL;
}

void shadow_store_free(struct shadow_store *store)
{
    hang_up(store);
    snapshot_unref(store->snapshot);
    free(store);
}

void shadow_store_go_by(struct shadow_store *store, struct snapshot *snapshot)
{
    if (snapshot == store->snapshot)
        return;
    hang_up(store); /* a reload is rare, and what it changed may be whom to call */
    snapshot_unref(store->snapshot);
    store->snapshot = snapshot_ref(snapshot);
}

static struct session *open_session(const struct settings *settings, struct err *err)
{
    int64_t connect_ms = settings->postgres_connect_timeout_ms;
    struct session *session =
        session_open_within(settings->postgres_dsn, connect_ms < PATIENCE_MS ? connect_ms : PATIENCE_MS, err);
    if (!session)
        return NULL;
    session_set_patience(session, PATIENCE_MS);
    if (session_exec(session, "SET application_name = 'nof0 shadow'", err))
        return session;
    session_close(session);
    return NULL;
}

/* What need not be done each time. */
static bool do_chores(struct shadow_store *store, struct shadow_tally *tally, struct err *err)
{
    const struct settings *settings = snapshot_settings(store->snapshot);
    int64_t now_ms = clock_mono_ms();
    if (now_ms >= store->next_prune_ms) {
        if (!parity_runs_prune(store->session, settings->shadow_keep_days * SECONDS_PER_DAY, err))
            return false;
        store->next_prune_ms = now_ms + PRUNE_MS;
    }
    if (now_ms >= store->next_look_ms) {
        if (!shadow_tally_look(tally, store->session, settings->flags_guard_age_s, err))
            return false;
        store->next_look_ms = now_ms + LOOK_MS;
    }
    return true;
}

bool shadow_store_runs(struct shadow_store *store, struct shadow_tally *tally, struct err *err)
{
    if (!store->session)
        store->session = open_session(snapshot_settings(store->snapshot), err);
    if (store->session && shadow_tally_store(tally, store->session, err) && do_chores(store, tally, err))
        return true;
    session_close(store->session);
    store->session = NULL;
    return false;
}

static bool push(struct redisContext *redis, const struct settings *settings, const struct cache_space *space,
                 const struct cache_key *key, struct slice json, struct err *err)
{
    enum { COMMANDS = 3 };
    struct slice name = cache_key_text(key);
    (void)redisAppendCommand(redis, "LPUSH %b %b", name.p, name.n, json.p, json.n);
    (void)redisAppendCommand(redis, "LTRIM %b 0 %lld", name.p, name.n, (long long)settings->shadow_keep_pairs - 1);
    (void)redisAppendCommand(redis, "PEXPIRE %b %lld", name.p, name.n, (long long)cache_key_ttl_ms(space, key));
    for (int i = 0; i < COMMANDS; i++) {
        struct redisReply *reply = redis_blocking_reply(redis, err);
        if (!reply)
            return false;
        freeReplyObject(reply);
    }
    return true;
}

bool shadow_store_pair(struct shadow_store *store, const struct endpoint *endpoint, struct slice json, struct err *err)
{
    const struct settings *settings = snapshot_settings(store->snapshot);
    struct cache_space space;
    if (!settings->redis_url[0] || !settings->shadow_keep_pairs)
        return true;
    if (!settings_cache_space(settings, &space, err))
        return false;
    if (!store->redis)
        store->redis = redis_blocking_connect(settings->redis_url, REDIS_PATIENCE_MS, REDIS_PATIENCE_MS, err);
    struct cache_key key = cache_key_parity_pairs(&space, slice_of(endpoint->name));
    if (store->redis && push(store->redis, settings, &space, &key, json, err))
        return true;
    if (store->redis)
        redisFree(store->redis);
    store->redis = NULL;
    return false;
}
