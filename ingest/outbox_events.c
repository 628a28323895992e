#include "ingest/outbox_events.h"

#include "assembler/conversation.h"
#include "assembler/wire.h"
#include "base/mem.h"
#include "base/num.h"
#include "ingest/leaderboard_text.h"
#include "ingest/once.h"
#include "ingest/row_stream.h"

#include <stdlib.h>

/* What was found for one item. */
struct found {
    struct slice data;
    const struct trades_row *trade;
};

/* What the items ask for, and what Postgres has of it. */
struct making {
    struct arena *arena;
    struct session *session;
    const char *prices_provider;
    const struct outbox_batch *batch;
    struct once *found; /* key of the item -> struct found */
    struct buf key;
    struct buf text;
    /* Texts and numbers for the query under way. */
    struct slice *asked;
    int64_t *asked_numbers;
    size_t asked_count;
    struct conversations_row *talks;
    size_t talk_count;
    struct conversation_messages_row *messages;
    size_t message_count;
    size_t message_room;
};

/* A kind of item, and under what it is found again. */
static struct slice key_of(struct making *making, char kind, struct slice first, struct slice second)
{
    buf_clear(&making->key);
    buf_append_char(&making->key, kind);
    buf_append_slice(&making->key, first);
    buf_append_char(&making->key, '\0');
    buf_append_slice(&making->key, second);
    return buf_slice(&making->key);
}

/* Takes what stands in making->text. */
static void note_found(struct making *making, struct slice key, const struct trades_row *trade)
{
    struct found *found = arena_alloc(making->arena, sizeof *found);
    struct slice data = buf_slice(&making->text);
    if (data.n && memchr(data.p, '\n', data.n)) {
        struct buf compact = BUF_INIT;
        json_put_compact(&compact, data);
        found->data = arena_copy(making->arena, buf_slice(&compact));
        buf_free(&compact);
    } else {
        found->data = arena_copy(making->arena, data);
    }
    found->trade = trade;
    (void)once_add(making->found, key, (struct slice){(const char *)found, sizeof *found});
}

static const struct found *find(struct making *making, struct slice key)
{
    static const char nothing[] = "";
    struct slice where = once_add(making->found, key, (struct slice){nothing, 0});
    return where.p == nothing ? NULL : (const struct found *)(const void *)where.p;
}

static bool on_trade(void *arg, const void *row, struct err *err)
{
    struct making *making = arg;
    const struct trades_row *trade = row;
    const struct trades_row *closed = trade->exit_ts_ms.set ? row_copy(&table_trades, row, making->arena) : NULL;
    buf_clear(&making->text);
    if (!wire_put_object(&making->text, &wire_trade, row, err))
        return false;
    note_found(making, key_of(making, 't', trade->model_id, trade->id), closed);
    return true;
}

static bool on_position(void *arg, const void *row, struct err *err)
{
    struct making *making = arg;
    const struct positions_row *position = row;
    buf_clear(&making->text);
    struct json_writer w = json_writer_on(&making->text);
    json_begin_object(&w);
    json_key(&w, SLICE("model_id"));
    json_string(&w, position->model_id);
    json_key(&w, SLICE("symbol"));
    json_string(&w, position->symbol);
    json_key(&w, SLICE("status"));
    json_string(&w, position->status);
    json_key(&w, SLICE("position"));
    json_raw(&w, SLICE(""));
    if (!wire_put_object(&making->text, &wire_position, row, err))
        return false;
    json_end_object(&w);
    note_found(making, key_of(making, 'p', position->model_id, position->id), NULL);
    return true;
}

static bool on_equity(void *arg, const void *row, struct err *err)
{
    struct making *making = arg;
    const struct account_equity_snapshots_row *equity = row;
    char digits[NUM_TEXT_SIZE];
    struct slice ts = {digits, num_format_i64(digits, equity->ts_ms.v)};
    buf_clear(&making->text);
    if (!wire_put_object(&making->text, &wire_account_total, row, err))
        return false;
    note_found(making, key_of(making, 'e', equity->model_id, ts), NULL);
    return true;
}

static bool on_price(void *arg, const void *row, struct err *err)
{
    struct making *making = arg;
    const struct price_latest_row *price = row;
    buf_clear(&making->text);
    if (!wire_put_object(&making->text, &wire_price, row, err))
        return false;
    note_found(making, key_of(making, 'c', price->provider, price->symbol), NULL);
    return true;
}

static bool on_cycle(void *arg, const void *row, struct err *err)
{
    struct making *making = arg;
    const struct decision_cycles_row *cycle = row;
    buf_clear(&making->text);
    if (!wire_put_object(&making->text, &wire_cycle, row, err))
        return false;
    note_found(making, key_of(making, 'd', cycle->model_id, cycle->source_id), NULL);
    return true;
}

static bool on_talk(void *arg, const void *row, struct err *err)
{
    (void)err;
    struct making *making = arg;
    /* source_key is unique, so there are no more than were asked for. */
    making->talks[making->talk_count++] =
        *(const struct conversations_row *)row_copy(&table_conversations, row, making->arena);
    return true;
}

static bool on_message(void *arg, const void *row, struct err *err)
{
    (void)err;
    struct making *making = arg;
    if (making->message_count == making->message_room) {
        making->message_room = making->message_room ? making->message_room * 2 : 16;
        making->messages = mem_realloc(making->messages, making->message_room * sizeof *making->messages);
    }
    making->messages[making->message_count++] =
        *(const struct conversation_messages_row *)row_copy(&table_conversation_messages, row, making->arena);
    return true;
}

/* Gathers the texts of the items of a feed: of the place `text`, where `only` is what stands in the middle. */
static void ask(struct making *making, enum outbox_feed feed, unsigned text, const char *only)
{
    making->asked_count = 0;
    for (size_t i = 0; i < making->batch->count; i++) {
        const struct outbox_change *change = &making->batch->rows[i];
        for (size_t n = 0; change->feed == feed && n < change->item_count; n++) {
            const struct outbox_item *item = &change->items[n];
            if (!only || slice_is(item->texts[1], only))
                making->asked[making->asked_count++] = item->texts[text];
        }
    }
}

/* Runs "SELECT columns FROM table AS t WHERE <rest>" with the texts that were asked for as $1. */
static bool answer(struct making *making, const struct table *table, const char *rest, const struct params *params,
                   session_row_fn *on_row, struct err *err)
{
    struct buf sql = BUF_INIT;
    buf_append_str(&sql, "SELECT ");
    table_put_columns(&sql, table, "t.");
    buf_printf(&sql, " FROM %s AS t %s", table->name, rest);
    bool good = session_each_row(making->session, buf_cstr(&sql), params, table, on_row, making, err);
    buf_free(&sql);
    return good;
}

static bool answer_by_text(struct making *making, const struct table *table, const char *rest, session_row_fn *on_row,
                           struct err *err)
{
    if (making->asked_count == 0)
        return true;
    struct params params = params_on(making->arena);
    params_add_text_array(&params, making->asked, making->asked_count);
    return answer(making, table, rest, &params, on_row, err);
}

static bool find_equity(struct making *making, struct err *err)
{
    ask(making, OUTBOX_ACCOUNT_TOTALS, 1, NULL);
    for (size_t i = 0; i < making->asked_count; i++)
        if (!num_parse_i64(making->asked[i], &making->asked_numbers[i]))
            return err_set(err, ERR_INTERNAL, "an account total's instant is no number");
    ask(making, OUTBOX_ACCOUNT_TOTALS, 0, NULL);
    if (making->asked_count == 0)
        return true;
    struct params params = params_on(making->arena);
    params_add_text_array(&params, making->asked, making->asked_count);
    params_add_i64_array(&params, making->asked_numbers, making->asked_count);
    return answer(making, &table_account_equity_snapshots,
                  "JOIN (SELECT DISTINCT * FROM unnest($1::text[], $2::bigint[])) AS x (model_id, ts_ms)"
                  " ON t.model_id = x.model_id COLLATE \"C\" AND t.ts_ms = x.ts_ms",
                  &params, on_equity, err);
}

static bool find_prices(struct making *making, struct err *err)
{
    ask(making, OUTBOX_CRYPTO_PRICES, 1, NULL);
    if (making->asked_count == 0)
        return true;
    struct params params = params_on(making->arena);
    params_add_text_array(&params, making->asked, making->asked_count);
    params_add_text(&params, slice_of(making->prices_provider));
    return answer(making, &table_price_latest, "WHERE t.symbol = ANY ($1) AND t.provider = $2", &params, on_price, err);
}

/* Each conversation with its messages, which stand in the same order. */
static bool join_talks(struct making *making, struct err *err)
{
    size_t message = 0;
    for (size_t i = 0; i < making->talk_count; i++) {
        const struct conversations_row *talk = &making->talks[i];
        size_t first = message;
        while (message < making->message_count && making->messages[message].conversation_id.v == talk->id.v)
            message++;
        buf_clear(&making->text);
        if (!conversation_put(&making->text, talk, making->messages ? &making->messages[first] : NULL, message - first,
                              err))
            return false;
        note_found(making, key_of(making, 'k', talk->model_id, talk->source_key), NULL);
    }
    return true;
}

static bool find_talks(struct making *making, struct err *err)
{
    ask(making, OUTBOX_CONVERSATIONS, 2, "talk");
    if (making->asked_count == 0)
        return true;
    making->talks = arena_alloc(making->arena, making->asked_count * sizeof *making->talks);
    if (!answer_by_text(making, &table_conversations, "WHERE t.source_key = ANY ($1) ORDER BY t.id", on_talk, err))
        return false;
    struct params params = params_on(making->arena);
    for (size_t i = 0; i < making->talk_count; i++)
        making->asked_numbers[i] = making->talks[i].id.v;
    params_add_i64_array(&params, making->asked_numbers, making->talk_count);
    return answer(making, &table_conversation_messages,
                  "WHERE t.conversation_id = ANY ($1) ORDER BY t.conversation_id, t.seq", &params, on_message, err) &&
           join_talks(making, err);
}

static bool find_leaderboard(struct making *making, struct err *err)
{
    ask(making, OUTBOX_LEADERBOARD, 0, NULL);
    if (making->asked_count == 0)
        return true;
    buf_clear(&making->text);
    if (!leaderboard_text(making->session, &making->text, NULL, err))
        return false;
    note_found(making, key_of(making, 'l', SLICE(""), SLICE("")), NULL);
    return true;
}

static bool find_all(struct making *making, struct err *err)
{
    ask(making, OUTBOX_TRADES, 1, NULL);
    if (!answer_by_text(making, &table_trades, "WHERE t.id = ANY ($1)", on_trade, err))
        return false;
    ask(making, OUTBOX_POSITIONS, 1, NULL);
    if (!answer_by_text(making, &table_positions, "WHERE t.id = ANY ($1)", on_position, err))
        return false;
    ask(making, OUTBOX_CONVERSATIONS, 2, "cycle");
    return answer_by_text(making, &table_decision_cycles, "WHERE t.source_id = ANY ($1)", on_cycle, err) &&
           find_equity(making, err) && find_prices(making, err) && find_talks(making, err) &&
           find_leaderboard(making, err);
}

/* --- Entries --- */

static const struct found *find_item(struct making *making, const struct outbox_change *change,
                                     const struct outbox_item *item)
{
    switch (change->feed) {
    case OUTBOX_TRADES:
        return find(making, key_of(making, 't', item->texts[0], item->texts[1]));
    case OUTBOX_POSITIONS:
        return find(making, key_of(making, 'p', item->texts[0], item->texts[1]));
    case OUTBOX_ACCOUNT_TOTALS:
        return find(making, key_of(making, 'e', item->texts[0], item->texts[1]));
    case OUTBOX_CONVERSATIONS:
        return find(making,
                    key_of(making, slice_is(item->texts[1], "talk") ? 'k' : 'd', item->texts[0], item->texts[2]));
    default:
        return NULL;
    }
}

static const char *topic_of(enum outbox_feed feed)
{
    switch (feed) {
    case OUTBOX_TRADES:
        return "trades";
    case OUTBOX_POSITIONS:
        return "positions";
    case OUTBOX_ACCOUNT_TOTALS:
        return "account-totals";
    case OUTBOX_CRYPTO_PRICES:
        return "prices";
    case OUTBOX_CONVERSATIONS:
        return "conversations";
    case OUTBOX_LEADERBOARD:
        return "leaderboard";
    default:
        return NULL;
    }
}

/* {"prices":{symbol: price, ...}} of a row's symbols, each once; empty when none is served. */
static struct slice prices_of(struct making *making, const struct outbox_change *change)
{
    struct once *seen = once_new();
    bool any = false;
    buf_clear(&making->text);
    struct json_writer w = json_writer_on(&making->text);
    json_begin_object(&w);
    json_key(&w, SLICE("prices"));
    json_begin_object(&w);
    for (size_t i = 0; i < change->item_count; i++) {
        const struct slice *texts = change->items[i].texts;
        const struct found *found =
            slice_is(texts[0], making->prices_provider) ? find(making, key_of(making, 'c', texts[0], texts[1])) : NULL;
        if (!found || once_bump(seen, texts[1]))
            continue;
        json_key(&w, texts[1]);
        json_raw(&w, found->data);
        any = true;
    }
    json_end_object(&w);
    json_end_object(&w);
    once_free(seen);
    return any ? arena_copy(making->arena, buf_slice(&making->text)) : (struct slice){NULL, 0};
}

static void add_event(struct outbox_events *events, const struct outbox_change *change, size_t item, struct slice model,
                      const struct found *found)
{
    events->list[events->count++] =
        (struct outbox_event){change->id, item, topic_of(change->feed), model, found->data, found->trade};
}

static void add_row(struct outbox_events *events, struct making *making, const struct outbox_change *change)
{
    if (change->item_count == 0 || !topic_of(change->feed))
        return;
    if (change->feed == OUTBOX_CRYPTO_PRICES) {
        const struct found prices = {prices_of(making, change), NULL};
        if (prices.data.p)
            add_event(events, change, 0, SLICE(""), &prices);
        return;
    }
    if (change->feed == OUTBOX_LEADERBOARD) {
        add_event(events, change, 0, SLICE(""), find(making, key_of(making, 'l', SLICE(""), SLICE(""))));
        return;
    }
    for (size_t n = 0; n < change->item_count; n++) {
        const struct found *found = find_item(making, change, &change->items[n]);
        if (found)
            add_event(events, change, n, change->items[n].texts[0], found);
    }
}

bool outbox_events_make(struct outbox_events *events, struct session *session, const char *prices_provider,
                        const struct outbox_batch *batch, struct err *err)
{
    size_t items = 0;
    for (size_t i = 0; i < batch->count; i++)
        items += batch->rows[i].item_count;
    *events = (struct outbox_events){.arena = arena_new(0)};
    events->list = arena_alloc(events->arena, (items + 1) * sizeof *events->list);
    struct making making = {.arena = events->arena,
                            .session = session,
                            .prices_provider = prices_provider,
                            .batch = batch,
                            .found = once_new()};
    making.asked = arena_alloc(making.arena, (items + 1) * sizeof *making.asked);
    making.asked_numbers = arena_alloc(making.arena, (items + 1) * sizeof *making.asked_numbers);
    bool good = find_all(&making, err);
    for (size_t i = 0; good && i < batch->count; i++)
        add_row(events, &making, &batch->rows[i]);
    once_free(making.found);
    buf_free(&making.key);
    buf_free(&making.text);
    free(making.messages);
    return good;
}

void outbox_events_free(struct outbox_events *events)
{
    arena_free(events->arena);
    *events = (struct outbox_events){0};
}
