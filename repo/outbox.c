#include "repo/outbox.h"

#include "base/json_write.h"
#include "repo/pipeline.h"
#include "repo/version.h"

static const char *const names[OUTBOX_FEED_COUNT] = {
    [OUTBOX_TRADES] = "trades",
    [OUTBOX_POSITIONS] = "positions",
    [OUTBOX_ACCOUNT_TOTALS] = "account_totals",
    [OUTBOX_CRYPTO_PRICES] = "crypto_prices",
    [OUTBOX_CONVERSATIONS] = "conversations",
    [OUTBOX_ANALYTICS] = "analytics",
    [OUTBOX_LEADERBOARD] = "leaderboard",
    [OUTBOX_SINCE_INCEPTION] = "since_inception",
    [OUTBOX_TRADER_STATE] = "trader_state",
    [OUTBOX_MARKET_ASSETS] = "market_assets",
    [OUTBOX_MARKET_CONTEXTS] = "market_contexts",
};

const char *outbox_feed_name(enum outbox_feed feed)
{
    return names[feed];
}

enum outbox_feed outbox_feed_find(struct slice name)
{
    enum outbox_feed feed = 0;
    while (feed < OUTBOX_FEED_COUNT && !slice_is(name, names[feed]))
        feed++;
    return feed;
}

void outbox_notes_free(struct outbox_notes *notes)
{
    for (size_t i = 0; i < OUTBOX_FEED_COUNT; i++)
        buf_free(&notes->items[i]);
}

void outbox_notes_clear(struct outbox_notes *notes)
{
    for (size_t i = 0; i < OUTBOX_FEED_COUNT; i++)
        buf_clear(&notes->items[i]);
}

void outbox_note(struct outbox_notes *notes, enum outbox_feed feed, const struct slice *texts, size_t count)
{
    struct buf *items = &notes->items[feed];
    if (items->len)
        buf_append_char(items, ',');
    buf_append_char(items, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_append_char(items, ',');
        json_put_string(items, texts[i]);
    }
    buf_append_char(items, ']');
}

bool outbox_notes_any(const struct outbox_notes *notes)
{
    for (size_t i = 0; i < OUTBOX_FEED_COUNT; i++)
        if (notes->items[i].len)
            return true;
    return false;
}

static void add_rows(struct pipeline *pipeline, const struct outbox_notes *notes, struct arena *arena)
{
    for (size_t i = 0; i < OUTBOX_FEED_COUNT; i++) {
        if (!notes->items[i].len)
            continue;
        struct params params = params_on(arena);
        params_add_text(&params, slice_of(names[i]));
        params_add_text(&params,
                        slice_of(arena_printf(arena, "[%.*s]", (int)notes->items[i].len, notes->items[i].data)));
        pipeline_add(pipeline, "outbox_insert", "INSERT INTO outbox (feed, items) VALUES ($1, $2::jsonb)", &params);
    }
}

bool outbox_commit(struct session *session, const struct outbox_notes *notes, const char *last_sql, int64_t *version,
                   struct err *err)
{
    struct arena *arena = arena_new(0);
    struct pipeline pipeline;
    PGresult *results[PIPELINE_MAX];
    pipeline_begin(&pipeline, session);
    if (outbox_notes_any(notes)) {
        /* The same number in every program: "nof0 outbox". */
        pipeline_add(&pipeline, "outbox_lock", "SELECT pg_advisory_xact_lock(hashtext('nof0 outbox'))", NULL);
        if (last_sql)
            pipeline_add(&pipeline, NULL, last_sql, NULL);
        add_rows(&pipeline, notes, arena);
        pipeline_add(&pipeline, "outbox_notify", "NOTIFY " OUTBOX_CHANNEL, NULL);
    } else if (last_sql) {
        pipeline_add(&pipeline, NULL, last_sql, NULL);
    }
    size_t commit = pipeline.count;
    pipeline_add(&pipeline, "outbox_end", "COMMIT", NULL);
    pipeline_add(&pipeline, "outbox_version", repo_version_sql, NULL);
    bool good = pipeline_run(&pipeline, results, err);
    if (good) {
        int64_t seen = 0;
        /* COMMIT of a transaction that failed before is answered with "ROLLBACK", and no error. */
        good = strcmp(PQcmdStatus(results[commit]), "COMMIT") == 0 ||
               err_set(err, ERR_INTERNAL, "the transaction was rolled back because a statement in it had failed");
        good = good && repo_version_decode(results[commit + 1], &seen, err);
        if (good && version)
            *version = seen;
        for (size_t i = 0; i < pipeline.count; i++)
            PQclear(results[i]);
    }
    arena_free(arena);
    return good;
}
