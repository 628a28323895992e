/* The reader that refreshes the materialized views, now and then, and keeps what follows from them: the computed
 * leaderboard and the curves since inception. It also deletes the rows of the outbox that nobody needs any more. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ingest/leaderboard_text.h"
#include "ingest/name_set.h"
#include "ingest/outbox_make.h"

#include <stdlib.h>

enum {
    REFRESH_PATIENCE_MS = 600000, /* the views of a long history take their time */
    PATIENCE_MS = 15000,
    TIDY_MS = 10000, /* between two looks for rows to delete */
    PIECES = 20,     /* that are deleted at one look */
    MADE_OF_VIEWS = 3,
};

struct views {
    int64_t every_ms;
    int64_t refreshed_ms; /* clock_mono_ms of the last attempt; 0: none yet */
    bool facts;           /* what all views are made of changed */
    bool prices;          /* what the view of prices is made of */
    bool leaders;         /* the stored leaderboard, no view of which is made */
    bool all;             /* models of since_inception: all */
    struct name_set models;
    bool refused;                 /* the last refresh failed for its content, which was logged */
    bool not_made[MADE_OF_VIEWS]; /* likewise, of each structure */
    int64_t tidied_ms;
};

static void *start(const struct outbox_options *options, enum outbox_reader reader)
{
    (void)reader;
    struct views *views = mem_zalloc(sizeof *views);
    views->every_ms = options->refresh_views_ms;
    return views;
}

static void forget(void *work)
{
    struct views *views = work;
    views->facts = views->prices = views->leaders = views->all = false;
    name_set_clear(&views->models);
}

static void stop(void *work)
{
    struct views *views = work;
    name_set_free(&views->models);
    free(views);
}

static bool begin(void *work, struct outbox_hands *hands, struct err *err)
{
    (void)err;
    struct views *views = work;
    if (hands->position < hands->pruned)
        views->facts = views->all = views->leaders = true;
    return true;
}

static void note(struct views *views, const struct outbox_change *change)
{
    switch (change->feed) {
    case OUTBOX_ACCOUNT_TOTALS:
        for (size_t n = 0; n < change->item_count; n++)
            name_set_add(&views->models, change->items[n].texts[0]);
        views->facts = true;
        break;
    case OUTBOX_TRADES:
    case OUTBOX_ANALYTICS:
        views->facts = true;
        break;
    case OUTBOX_CONVERSATIONS:
        for (size_t n = 0; n < change->item_count; n++)
            views->facts = views->facts || slice_is(change->items[n].texts[1], "cycle");
        break;
    case OUTBOX_CRYPTO_PRICES:
        views->prices = true;
        break;
    case OUTBOX_LEADERBOARD:
        views->leaders = true;
        break;
    default:
        break;
    }
}

static bool apply(void *work, struct outbox_hands *hands, const struct outbox_batch *batch, struct err *err)
{
    (void)hands;
    (void)err;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->rows[i].item_count)
            note(work, &batch->rows[i]);
    return true;
}

/* The stored leaderboard waits for nothing. */
static int64_t due_ms(const void *work)
{
    const struct views *views = work;
    if (!views->facts && !views->prices)
        return views->leaders ? 0 : -1;
    return views->refreshed_ms ? views->refreshed_ms + views->every_ms : 0;
}

/* Prices alone are no reason to compute all views, of which one is as long as the whole history. */
static const char *refresh_sql(const struct views *views)
{
    return views->facts ? "SELECT refresh_views_nof0()"
                        : "REFRESH MATERIALIZED VIEW CONCURRENTLY v_crypto_prices_latest";
}

/* Refreshes inside one transaction with the row that tells of a leaderboard that changed by it: told once, and always.
 * That row comes back here, but then nothing is refreshed, so it is the last. Unlike a position it must not be seen
 * before it is on the disk: a crash of Postgres could give its id to another row, whose entry live:events would take
 * for one that it has. */
static bool refresh(struct views *views, struct outbox_hands *hands, struct err *err)
{
    struct session *session = hands->session;
    struct buf before = BUF_INIT;
    struct buf after = BUF_INIT;
    struct name_set models = {0};
    struct outbox_notes notes = OUTBOX_NOTES_INIT;
    bool good = session_exec(session, "BEGIN; SET LOCAL synchronous_commit TO DEFAULT", err) &&
                leaderboard_text(session, &before, NULL, err);
    if (good) {
        session_set_patience(session, REFRESH_PATIENCE_MS);
        good = session_exec(session, refresh_sql(views), err);
        session_set_patience(session, PATIENCE_MS);
    }
    good = good && leaderboard_text(session, &after, &models, err);
    for (size_t i = 0; good && !slice_equal(buf_slice(&before), buf_slice(&after)) && i < models.count; i++)
        outbox_note(&notes, OUTBOX_LEADERBOARD, &models.names[i], 1);
    good = good && outbox_commit(session, &notes, NULL, NULL, err);
    outbox_notes_free(&notes);
    name_set_free(&models);
    buf_free(&before);
    buf_free(&after);
    return good;
}

/* A refresh that the database refuses (a sum that overflows, a missing right) would be refused again: it is told once,
 * and Redis gets what the views have. A stored leaderboard that cannot be said is no reason not to refresh. */
static bool try_refresh(struct views *views, struct outbox_hands *hands, struct err *err)
{
    struct err why = ERR_INIT;
    views->refreshed_ms = clock_mono_ms();
    bool good = refresh(views, hands, &why);
    if (!good && outbox_is_of_content(&why)) {
        session_rollback(hands->session);
        if (!views->refused)
            log_event(LOG_ERROR, "outbox.views_refused", LOG_FIELDS(log_error_text(&why)));
        views->refused = true;
        session_set_patience(hands->session, REFRESH_PATIENCE_MS);
        good = session_exec(hands->session, refresh_sql(views), &why) || outbox_is_of_content(&why);
        session_set_patience(hands->session, PATIENCE_MS);
    } else {
        views->refused = false;
    }
    return good || err_set(err, why.code, "refresh of the views: %s", why.text);
}

/* Each from a snapshot of its own, so that a corrupt row in one leaves the others. */
static bool write_redis(struct views *views, struct outbox_hands *hands, struct err *err)
{
    static const enum cache_key_id made_of_views[MADE_OF_VIEWS] = {CACHE_KEY_leaderboard, CACHE_KEY_leaderboard_cache,
                                                                   CACHE_KEY_since_inception};
    if (!hands->options->redis_url[0] || (!views->facts && !views->leaders))
        return true;
    if (!outbox_connect_redis(hands, err))
        return false;
    bool good = true;
    for (size_t i = 0; good && i < MADE_OF_VIEWS; i++) {
        struct redis_rebuild rebuild = outbox_rebuild(hands);
        bool curves = made_of_views[i] == CACHE_KEY_since_inception;
        if (curves && !views->all && !views->models.count)
            continue;
        rebuild.wanted[made_of_views[i]] = true;
        rebuild.models = views->all ? NULL : views->models.names;
        rebuild.model_count = views->models.count;
        good = outbox_make(hands, &rebuild, NULL, NULL, &views->not_made[i], err);
    }
    return good;
}

static bool settle(void *work, struct outbox_hands *hands, struct err *err)
{
    struct views *views = work;
    if ((views->facts || views->prices) && !try_refresh(views, hands, err))
        return false;
    if (!write_redis(views, hands, err))
        return false;
    forget(views);
    return true;
}

/* Deletes rows in pieces, so that none holds others up. Readers that this instance is not to run and nobody else runs
 * are forgotten, so that they keep no rows. */
static bool idle(void *work, struct outbox_hands *hands, struct err *err)
{
    struct views *views = work;
    int64_t now_ms = clock_mono_ms();
    if (views->tidied_ms && now_ms - views->tidied_ms < TIDY_MS)
        return true;
    views->tidied_ms = now_ms;
    for (unsigned i = 0; i < OUTBOX_READER_COUNT; i++)
        if (!outbox_reader_wanted(hands->options, (enum outbox_reader)i) &&
            !outbox_retire(hands->session, (enum outbox_reader)i, err))
            return false;
    bool more = true;
    for (unsigned i = 0; more && i < PIECES; i++)
        if (!outbox_prune(hands->session, hands->options->keep_s, &more, err))
            return false;
    if (more)
        views->tidied_ms = 0;
    return true;
}

const struct outbox_work outbox_work_views = {
    .start = start,
    .stop = stop,
    .begin = begin,
    .apply = apply,
    .due_ms = due_ms,
    .settle = settle,
    .forget = forget,
    .idle = idle,
};
