/* The reader that keeps the legacy JSON files while their feeds are written twice: it notes which feeds changed, and
 * some time after the first change writes their files from one snapshot, each whole. A feed may be switched on and off
 * at any time; its files are written anew when it is switched on. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ingest/export_parts.h"
#include "ingest/name_set.h"
#include "ingest/outbox_work.h"

#include <stdlib.h>

struct legacy {
    const struct outbox_options *options;
    unsigned kept[CACHE_FEED_COUNT]; /* under which number of dual_write the files were written whole, since when they
                                        hold what is applied; 0: they do not */
    bool dirty[CACHE_FEED_COUNT];
    struct name_set models; /* whose own file of analytics changed */
    int64_t due_ms;         /* -1: nothing is dirty */
};

static const char own_analytics[] = "analytics-";

static void *start(const struct outbox_options *options, enum outbox_reader reader)
{
    (void)reader;
    struct legacy *legacy = mem_zalloc(sizeof *legacy);
    legacy->options = options;
    legacy->due_ms = -1;
    return legacy;
}

/* 0: the feed is off. */
static unsigned number_of(const struct legacy *legacy, enum cache_feed feed)
{
    unsigned number = legacy->options->dual_write ? atomic_load(&legacy->options->dual_write[feed]) : 0;
    return number & 1 ? number : 0;
}

static void forget(void *work)
{
    struct legacy *legacy = work;
    memset(legacy->dirty, 0, sizeof legacy->dirty);
    name_set_clear(&legacy->models);
    legacy->due_ms = -1;
}

static void stop(void *work)
{
    struct legacy *legacy = work;
    name_set_free(&legacy->models);
    free(legacy);
}

/* Whose rows stand in which file. False where no file has them. */
static bool file_feed(enum outbox_feed feed, enum cache_feed *file)
{
    switch (feed) {
    case OUTBOX_TRADES:
        *file = CACHE_FEED_trades;
        return true;
    case OUTBOX_POSITIONS:
        *file = CACHE_FEED_positions;
        return true;
    case OUTBOX_ACCOUNT_TOTALS:
        *file = CACHE_FEED_account_totals;
        return true;
    case OUTBOX_CRYPTO_PRICES:
        *file = CACHE_FEED_crypto_prices;
        return true;
    case OUTBOX_CONVERSATIONS:
        *file = CACHE_FEED_conversations;
        return true;
    case OUTBOX_ANALYTICS:
        *file = CACHE_FEED_analytics;
        return true;
    case OUTBOX_LEADERBOARD:
        *file = CACHE_FEED_leaderboard;
        return true;
    case OUTBOX_SINCE_INCEPTION:
        *file = CACHE_FEED_since_inception;
        return true;
    default:
        return false;
    }
}

/* The feed of a file, by its name without ".json"; *model: whose own file it is, p == NULL for a feed's. */
static enum cache_feed feed_of_file(struct slice name, struct slice *model)
{
    static const char *const files[CACHE_FEED_COUNT] = {
        [CACHE_FEED_account_totals] = "account-totals",
        [CACHE_FEED_positions] = "positions",
        [CACHE_FEED_trades] = "trades",
        [CACHE_FEED_crypto_prices] = "crypto-prices",
        [CACHE_FEED_since_inception] = "since-inception-values",
        [CACHE_FEED_leaderboard] = "leaderboard",
        [CACHE_FEED_analytics] = "analytics",
        [CACHE_FEED_conversations] = "conversations",
    };
    const size_t prefix = sizeof own_analytics - 1;
    *model = (struct slice){NULL, 0};
    if (name.n > prefix && memcmp(name.p, own_analytics, prefix) == 0) {
        *model = (struct slice){name.p + prefix, name.n - prefix};
        return CACHE_FEED_analytics;
    }
    enum cache_feed feed = 0;
    while (feed < CACHE_FEED_COUNT && !slice_is(name, files[feed]))
        feed++;
    return feed;
}

static bool apply(void *work, struct outbox_hands *hands, const struct outbox_batch *batch, struct err *err)
{
    (void)hands;
    (void)err;
    struct legacy *legacy = work;
    for (size_t i = 0; i < batch->count; i++) {
        const struct outbox_change *change = &batch->rows[i];
        enum cache_feed feed;
        if (!change->item_count || !file_feed(change->feed, &feed))
            continue;
        unsigned number = number_of(legacy, feed);
        if (!number || legacy->kept[feed] != number) { /* written whole when it is switched on */
            legacy->kept[feed] = 0;
            continue;
        }
        legacy->dirty[feed] = true;
        for (size_t n = 0; change->feed == OUTBOX_ANALYTICS && n < change->item_count; n++)
            name_set_add(&legacy->models, change->items[n].texts[0]);
        if (legacy->due_ms < 0)
            legacy->due_ms = clock_mono_ms() + legacy->options->legacy_write_delay_ms;
    }
    return true;
}

static bool is_switched_on(const struct legacy *legacy)
{
    bool any = false;
    for (enum cache_feed feed = 0; feed < CACHE_FEED_COUNT; feed++)
        any = any || (number_of(legacy, feed) && legacy->kept[feed] != number_of(legacy, feed));
    return any;
}

static int64_t due_ms(const void *work)
{
    const struct legacy *legacy = work;
    return is_switched_on(legacy) ? clock_mono_ms() : legacy->due_ms;
}

static bool is_dirty(const struct legacy *legacy, struct slice file)
{
    struct slice model;
    enum cache_feed feed = feed_of_file(file, &model);
    if (feed == CACHE_FEED_COUNT || !legacy->dirty[feed] || !number_of(legacy, feed))
        return false;
    bool found = !model.p;
    for (size_t i = 0; !found && i < legacy->models.count; i++)
        found = slice_equal(legacy->models.names[i], model);
    return found;
}

static bool write_file(const struct outbox_hands *hands, const struct feed_documents_row *document, struct err *err)
{
    const struct outbox_options *options = hands->options;
    size_t rows = 0;
    return export_write(hands->session, options->legacy_dir, options->prices_provider, document, &rows, err);
}

/* Writes one file from a snapshot of its own, so that one whose rows are corrupt leaves the others alone: it is told
 * and passed. */
static bool write_or_tell(const struct outbox_hands *hands, const struct feed_documents_row *document, struct err *err)
{
    struct err why = ERR_INIT;
    if (session_begin_snapshot(hands->session, &why) && write_file(hands, document, &why) &&
        session_commit(hands->session, &why))
        return true;
    session_rollback(hands->session);
    if (why.code != ERR_INTERNAL && why.code != ERR_INVALID)
        return err_set(err, why.code, "%s", why.text);
    log_event(LOG_ERROR, "outbox.file_not_written",
              LOG_FIELDS(log_slice("file", document->name), log_error_text(&why)));
    return true;
}

/* The files of the feeds that are switched on and of which it is not known what stands in them. Only files that were
 * imported once are written, here and below, so a database without a feed never empties the feed's file. */
static bool write_anew(struct legacy *legacy, struct outbox_hands *hands, struct err *err)
{
    unsigned wanted[CACHE_FEED_COUNT];
    struct export_documents documents = {0};
    for (enum cache_feed feed = 0; feed < CACHE_FEED_COUNT; feed++) {
        wanted[feed] = number_of(legacy, feed);
        if (wanted[feed] == legacy->kept[feed])
            wanted[feed] = 0;
    }
    bool good = export_documents_read(&documents, hands->session, err);
    for (size_t i = 0; good && i < documents.count; i++) {
        struct slice model;
        enum cache_feed feed = feed_of_file(documents.rows[i]->name, &model);
        if (feed < CACHE_FEED_COUNT && wanted[feed])
            good = write_or_tell(hands, documents.rows[i], err);
    }
    export_documents_free(&documents);
    for (enum cache_feed feed = 0; good && feed < CACHE_FEED_COUNT; feed++)
        if (wanted[feed])
            legacy->kept[feed] = wanted[feed];
    return good;
}

/* Who begins to lead does not know what the one before had written, nor whether it was into this folder. */
static bool begin(void *work, struct outbox_hands *hands, struct err *err)
{
    struct legacy *legacy = work;
    memset(legacy->kept, 0, sizeof legacy->kept);
    return write_anew(legacy, hands, err);
}

static bool write_dirty(struct legacy *legacy, struct outbox_hands *hands, struct err *err)
{
    struct export_documents documents = {0};
    bool good = session_begin_snapshot(hands->session, err) && export_documents_read(&documents, hands->session, err);
    for (size_t i = 0; good && i < documents.count; i++)
        if (is_dirty(legacy, documents.rows[i]->name))
            good = write_file(hands, documents.rows[i], err);
    good = good && session_commit(hands->session, err);
    export_documents_free(&documents);
    return good;
}

static bool settle(void *work, struct outbox_hands *hands, struct err *err)
{
    struct legacy *legacy = work;
    bool good = (!is_switched_on(legacy) || write_anew(legacy, hands, err)) &&
                (legacy->due_ms < 0 || write_dirty(legacy, hands, err));
    if (good)
        forget(legacy);
    return good;
}

const struct outbox_work outbox_work_legacy = {
    .start = start,
    .stop = stop,
    .begin = begin,
    .apply = apply,
    .due_ms = due_ms,
    .settle = settle,
    .forget = forget,
    .settles_at_stop = true,
};
