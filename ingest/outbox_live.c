/* The fast reader: drops what became old everywhere, and tells live:events and trades:stream what happened. */
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "cache/announce.h"
#include "cache/redis_blocking.h"
#include "cache/script.h"
#include "ingest/outbox_events.h"
#include "ingest/outbox_work.h"
#include "repo/version.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Entries go in batches of about so many bytes; rows of the past are taken so many at a time. */
enum { BYTES_AT_ONCE = 1 << 20, ENTRIES_AT_ONCE = 500, ROWS_AT_ONCE = 256 };

struct live {
    struct cache_key stream;
    char length[NUM_TEXT_SIZE + 1];
    bool seen;      /* the stream is there, as far as is known */
    uint64_t added; /* entries that were new to it */
};

/* KEYS guard, stream; ARGV the guard's ms, the stream's length, the values. Returns 1 when the trade was pushed, 0 when
 * it was before. A push that fails takes its guard back. */
static const char push_script[] =
    "if not redis.call('SET', KEYS[1], 'seen', 'NX', 'PX', ARGV[1]) then return 0 end\n"
    "local pushed = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'id', ARGV[3], 'model_id', ARGV[4],\n"
    "  'symbol', ARGV[5], 'side', ARGV[6], 'quantity', ARGV[7], 'entry_price', ARGV[8], 'exit_price', ARGV[9],\n"
    "  'pnl', ARGV[10], 'exit_time', ARGV[11])\n"
    "if type(pushed) == 'table' and pushed['err'] then\n"
    "  redis.call('DEL', KEYS[1])\n"
    "  return pushed\n"
    "end\n"
    "return 1\n";

static void *start(const struct outbox_options *options, enum outbox_reader reader)
{
    (void)reader;
    struct live *live = mem_zalloc(sizeof *live);
    live->stream = cache_key_live_events(&options->space);
    (void)snprintf(live->length, sizeof live->length, "%" PRId64, options->stream_length);
    return live;
}

/* --- Announcements --- */

/* CACHE_FEED_COUNT: no document speaks of the feed. */
static enum cache_feed cache_feed_of(enum outbox_feed feed)
{
    static const enum cache_feed feeds[OUTBOX_FEED_COUNT] = {
        [OUTBOX_TRADES] = CACHE_FEED_trades,
        [OUTBOX_POSITIONS] = CACHE_FEED_positions,
        [OUTBOX_ACCOUNT_TOTALS] = CACHE_FEED_account_totals,
        [OUTBOX_CRYPTO_PRICES] = CACHE_FEED_crypto_prices,
        [OUTBOX_CONVERSATIONS] = CACHE_FEED_conversations,
        [OUTBOX_ANALYTICS] = CACHE_FEED_analytics,
        [OUTBOX_LEADERBOARD] = CACHE_FEED_leaderboard,
        [OUTBOX_SINCE_INCEPTION] = CACHE_FEED_since_inception,
        [OUTBOX_TRADER_STATE] = CACHE_FEED_COUNT,
        [OUTBOX_MARKET_ASSETS] = CACHE_FEED_COUNT,
        [OUTBOX_MARKET_CONTEXTS] = CACHE_FEED_COUNT,
    };
    return feeds[feed];
}

static bool announce(const struct outbox_hands *hands, const bool touched[CACHE_FEED_COUNT], struct err *err)
{
    int64_t version = 0;
    bool any = false;
    for (size_t i = 0; i < CACHE_FEED_COUNT; i++)
        any = any || touched[i];
    if (any && !repo_version_read(hands->session, &version, err))
        return false;
    bool good = true;
    for (unsigned i = 0; good && i < CACHE_FEED_COUNT; i++)
        if (touched[i])
            good = cache_announce_blocking(hands->link, &hands->options->space, (enum cache_feed)i, version, err);
    return good;
}

static bool announce_batch(const struct outbox_hands *hands, const struct outbox_batch *batch, struct err *err)
{
    bool touched[CACHE_FEED_COUNT] = {false};
    for (size_t i = 0; i < batch->count; i++) {
        enum cache_feed feed = batch->rows[i].item_count ? cache_feed_of(batch->rows[i].feed) : CACHE_FEED_COUNT;
        if (feed < CACHE_FEED_COUNT)
            touched[feed] = true;
    }
    return announce(hands, touched, err);
}

/* --- live:events --- */

static void add_entry(struct live *live, struct redisContext *link, const struct outbox_event *event)
{
    char id[2 * NUM_TEXT_SIZE];
    struct slice key = cache_key_text(&live->stream);
    (void)snprintf(id, sizeof id, "%" PRId64 "-%zu", event->row, event->item);
    redisAppendCommand(link, "XADD %b MAXLEN ~ %s %s topic %s model %b data %b", key.p, key.n, live->length, id,
                       event->topic, event->model.p, event->model.n, event->data.p, event->data.n);
}

/* An entry that is there already, or that would stand before what is there, is refused: that is what makes adding again
 * harmless. */
static bool is_known(const struct redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "equal or smaller than the target stream top item");
}

static bool check_entries(const struct redisReply *exec, size_t count, uint64_t *added, struct err *err)
{
    if (exec->type != REDIS_REPLY_ARRAY || exec->elements != count)
        return err_set(err, ERR_INTERNAL, "redis answered EXEC in an unknown form");
    for (size_t i = 0; i < count; i++) {
        const struct redisReply *reply = exec->element[i];
        if (reply->type == REDIS_REPLY_ERROR && !is_known(reply))
            return redis_blocking_refused(reply, err);
        *added += reply->type != REDIS_REPLY_ERROR;
    }
    return true;
}

static bool drop_reply(struct redisContext *link, struct err *err)
{
    struct redisReply *reply = redis_blocking_reply(link, err);
    if (reply)
        freeReplyObject(reply);
    return reply != NULL;
}

/* Appends `count` entries, all or none: were one refused (a full Redis) and the next taken, the first could never come
 * again. */
static bool append_piece(struct live *live, struct redisContext *link, const struct outbox_event *events, size_t count,
                         struct err *err)
{
    redisAppendCommand(link, "MULTI");
    for (size_t i = 0; i < count; i++)
        add_entry(live, link, &events[i]);
    redisAppendCommand(link, "EXEC");
    for (size_t i = 0; i <= count; i++)
        if (!drop_reply(link, err))
            return false;
    struct redisReply *exec = redis_blocking_reply(link, err);
    bool good = exec && check_entries(exec, count, &live->added, err);
    if (exec)
        freeReplyObject(exec);
    live->seen = live->seen || good;
    return good;
}

static bool append(struct live *live, struct redisContext *link, const struct outbox_events *events, struct err *err)
{
    size_t first = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < events->count; i++) {
        bytes += events->list[i].data.n;
        if (i + 1 < events->count && bytes < BYTES_AT_ONCE && i + 1 - first < ENTRIES_AT_ONCE)
            continue;
        if (!append_piece(live, link, &events->list[first], i + 1 - first, err))
            return false;
        first = i + 1;
        bytes = 0;
    }
    return true;
}

/* --- trades:stream --- */

static struct slice number_text(struct arena *arena, struct col_f64 number)
{
    char text[NUM_TEXT_SIZE];
    if (!number.set)
        return SLICE("");
    return arena_copy(arena, (struct slice){text, num_format_double(text, number.v)});
}

static struct slice plain(struct slice text)
{
    return text.p ? text : SLICE("");
}

/* Pushes a closed trade unless its guard says that it was pushed. */
static bool push(const struct live *live, const struct outbox_hands *hands, const struct trades_row *trade,
                 struct arena *arena, struct err *err)
{
    const struct cache_space *space = &hands->options->space;
    struct cache_key guard = cache_key_ingest_trade(space, trade->id);
    struct cache_key stream = cache_key_trades_stream(space);
    if (!cache_key_is_good(&guard))
        return err_set(err, ERR_INVALID, "the trade's id is too long for a guard");
    struct col_f64 exit_time = trade->exit_time_s;
    if (!exit_time.set)
        exit_time = col_f64((double)trade->exit_ts_ms.v / 1000);
    const struct cache_script_call call = {
        .keys = {&guard, &stream},
        .key_count = 2,
        .args = {slice_of(arena_printf(arena, "%" PRId64, cache_key_ttl_ms(space, &guard))), slice_of(live->length),
                 trade->id, trade->model_id, trade->symbol, plain(trade->side), number_text(arena, trade->quantity),
                 number_text(arena, trade->entry_price), number_text(arena, trade->exit_price),
                 number_text(arena, trade->realized_net_pnl), number_text(arena, exit_time)},
        .arg_count = 11,
    };
    struct cache_script script = cache_script_of(push_script);
    struct redisReply *reply = cache_script_run_blocking(hands->link, &script, &call, err);
    if (reply)
        freeReplyObject(reply);
    return reply != NULL;
}

static bool push_trades(const struct live *live, const struct outbox_hands *hands, const struct outbox_events *events,
                        struct err *err)
{
    bool good = true;
    for (size_t i = 0; good && i < events->count; i++)
        if (events->list[i].trade)
            good = push(live, hands, events->list[i].trade, events->arena, err);
    return good;
}

/* --- A stream that lost entries --- */

static bool ask_type(const struct live *live, struct redisContext *link, char type[16], struct err *err)
{
    struct slice key = cache_key_text(&live->stream);
    redisAppendCommand(link, "TYPE %b", key.p, key.n);
    struct redisReply *reply = redis_blocking_reply(link, err);
    if (!reply)
        return false;
    (void)snprintf(type, 16, "%s", reply->type == REDIS_REPLY_STATUS ? reply->str : "");
    freeReplyObject(reply);
    return true;
}

static bool delete_stream(struct live *live, struct redisContext *link, struct err *err)
{
    struct slice key = cache_key_text(&live->stream);
    live->seen = false;
    redisAppendCommand(link, "UNLINK %b", key.p, key.n);
    return drop_reply(link, err);
}

/* "12-3" -> 12 */
static int64_t row_of(const char *id)
{
    struct slice text = {id, strcspn(id, "-")};
    int64_t row = 0;
    return num_parse_i64(text, &row) ? row : INT64_MAX;
}

/* The row of the newest entry that the stream ever had; 0 when there is no stream. */
static bool find_top(struct live *live, struct redisContext *link, int64_t *top, struct err *err)
{
    char type[16];
    struct slice key = cache_key_text(&live->stream);
    *top = 0;
    if (!ask_type(live, link, type, err))
        return false;
    live->seen = strcmp(type, "stream") == 0;
    if (strcmp(type, "none") == 0)
        return true;
    if (!live->seen)
        return delete_stream(live, link, err); /* somebody else's value: the name is ours */
    redisAppendCommand(link, "XINFO STREAM %b", key.p, key.n);
    struct redisReply *reply = redis_blocking_reply(link, err);
    if (!reply)
        return false;
    *top = INT64_MAX;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2)
        if (strcmp(reply->element[i]->str, "last-generated-id") == 0)
            *top = row_of(reply->element[i + 1]->str);
    freeReplyObject(reply);
    return true;
}

/* Makes and appends the entries of rows that were applied before. One that cannot be made was put aside when its time
 * came: it is passed over again. */
static bool append_rows(struct live *live, struct outbox_hands *hands, const struct outbox_batch *batch,
                        struct err *err)
{
    struct outbox_events events = {0};
    bool made = outbox_events_make(&events, hands->session, hands->options->prices_provider, batch, err);
    bool good = made && append(live, hands->link, &events, err);
    outbox_events_free(&events);
    if (made || !outbox_is_of_content(err))
        return good;
    good = true;
    for (size_t i = 0; good && batch->count > 1 && i < batch->count; i++) {
        struct outbox_batch one = *batch;
        one.rows = &batch->rows[i];
        one.count = 1;
        good = append_rows(live, hands, &one, err);
    }
    return good;
}

/* Appends again what the rows from `top` on, which were applied before, say. trades:stream is left alone: whoever
 * follows it would act twice. */
static bool append_past(struct live *live, struct outbox_hands *hands, int64_t top, struct err *err)
{
    int64_t at = top > 0 ? top - 1 : 0;
    uint64_t before = live->added;
    bool good = true;
    bool more = true;
    while (good && more) {
        struct outbox_batch batch;
        good = outbox_batch_read(&batch, hands->session, at, outbox_reader_name(hands->reader), ROWS_AT_ONCE, err);
        while (batch.count && outbox_batch_last(&batch) > hands->position)
            batch.count--;
        more = good && batch.count;
        if (more) {
            at = outbox_batch_last(&batch);
            good = append_rows(live, hands, &batch, err);
        }
        outbox_batch_free(&batch);
    }
    if (live->added > before)
        log_event(LOG_INFO, "outbox.stream_refilled", LOG_FIELDS(log_int("entries", (int64_t)(live->added - before))));
    return good;
}

/* Holds the stream against the position. A stream whose readers would miss rows that are deleted already, or that
 * counts further than the outbox does (another database), begins anew, so that they see the break. */
static bool refill(struct live *live, struct outbox_hands *hands, struct err *err)
{
    int64_t top = 0;
    int64_t counter = 0;
    int64_t position = 0;
    int64_t pruned = 0;
    /* What is in the stream was given out before the counter is read. */
    if (!find_top(live, hands->link, &top, err) || !outbox_counter(hands->session, &counter, err) ||
        !outbox_position(hands->session, hands->reader, &position, &pruned, err))
        return false;
    if (live->seen && (top > counter || top < pruned)) {
        log_event(LOG_WARN, "outbox.stream_broken", LOG_FIELDS(log_int("entry", top), log_int("pruned", pruned)));
        if (!delete_stream(live, hands->link, err))
            return false;
        top = 0;
    }
    return top >= hands->position || append_past(live, hands, top, err);
}

static bool begin(void *work, struct outbox_hands *hands, struct err *err)
{
    struct live *live = work;
    if (hands->position < hands->pruned) {
        const bool all[CACHE_FEED_COUNT] = {
#define FEED(name, class_) [CACHE_FEED_##name] = true,
#include "cache/feeds.def"
#undef FEED
        };
        if (!announce(hands, all, err))
            return false;
    }
    return refill(live, hands, err);
}

/* Notices a stream that vanished while the connection stayed (FLUSHALL). */
static bool keep_stream(struct live *live, struct outbox_hands *hands, struct err *err)
{
    char type[16];
    if (!live->seen)
        return true;
    return ask_type(live, hands->link, type, err) && (strcmp(type, "none") != 0 || refill(live, hands, err));
}

static bool idle(void *work, struct outbox_hands *hands, struct err *err)
{
    return keep_stream(work, hands, err);
}

static bool apply(void *work, struct outbox_hands *hands, const struct outbox_batch *batch, struct err *err)
{
    struct live *live = work;
    struct outbox_events events = {0};
    bool good = announce_batch(hands, batch, err) &&
                outbox_events_make(&events, hands->session, hands->options->prices_provider, batch, err);
    if (good && events.count)
        good = keep_stream(live, hands, err) && append(live, hands->link, &events, err) &&
               push_trades(live, hands, &events, err);
    outbox_events_free(&events);
    return good;
}

const struct outbox_work outbox_work_live = {
    .on_redis = true,
    .start = start,
    .stop = free,
    .begin = begin,
    .apply = apply,
    .idle = idle,
};
