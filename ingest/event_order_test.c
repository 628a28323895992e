/* Events may come in any order, more than once, and in batches of any size: the state is the same. */
#include "ingest/event_testing.h"

enum { EVENTS = 260, ROUNDS = 8 };

struct item {
    enum event_kind kind;
    char *json;
};

struct events {
    struct item items[EVENTS];
    size_t count;
};

static struct event_bench shared;
static uint64_t random_state;

static int set_up(void **state)
{
    *state = event_bench_start(&shared, "order") ? &shared : NULL;
    return 0;
}

static int tear_down(void **state)
{
    if (*state)
        event_bench_stop(*state);
    return 0;
}

static size_t below(size_t limit)
{
    return rows_below(&random_state, limit);
}

static void add(struct events *events, enum event_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add(struct events *events, enum event_kind kind, const char *format, ...)
{
    va_list arguments;
    struct item *item = &events->items[events->count++];
    assert_true(events->count <= EVENTS);
    item->kind = kind;
    va_start(arguments, format);
    assert_true(vasprintf(&item->json, format, arguments) >= 0);
    va_end(arguments);
}

static const char *const models[] = {"m-b", "m-a", "m-d", "m-c"};
static const char *const symbols[] = {"BTC", "ETH"};

/* Two entries of each model and symbol, stated twice, closed by parts; some by statements, some by trades alone. */
static void add_positions(struct events *events)
{
    for (int m = 0; m < 4; m++) {
        for (int s = 0; s < 2; s++) {
            for (int e = 0; e < 2; e++) {
                double entry = 1000 + e * 500 + m;
                for (int v = 0; v < 2 && (m != 3 || e); v++)
                    add(events, EVENT_POSITIONS,
                        "{\"model_id\":\"%s\",\"symbol\":\"%s\",\"entry_time\":%.3f,\"entry_price\":7.25,\"quantity\":%"
                        "d,"
                        "\"unrealized_pnl\":%d.5,\"timestamp\":%.3f%s}",
                        models[m], symbols[s], entry, s ? -6 : 6, v, entry + 1 + v * 200,
                        v && m == 1 && e ? ",\"status\":\"closed\",\"exit_price\":9" : "");
                for (int t = 0; t < 2; t++)
                    add(events, EVENT_TRADES,
                        "{\"id\":\"%s_%s_%d_%d\",\"model_id\":\"%s\",\"symbol\":\"%s\",\"quantity\":%s,\"entry_price\":"
                        "7.25,"
                        "\"entry_time\":%.3f,\"exit_price\":8,\"exit_time\":%d,\"realized_net_pnl\":%d.125%s}",
                        models[m], symbols[s], e, t, models[m], symbols[s], s ? "-2.5" : "2.5", entry,
                        1100 + e * 500 + t * 150, t, t ? "" : ",\"entry_oid\":5");
            }
        }
    }
}

static void add_others(struct events *events)
{
    for (int i = 0; i < 24; i++) {
        int hour = i / 3;
        add(events, EVENT_ACCOUNT_TOTALS,
            "{\"id\":\"%s_%d\",\"model_id\":\"%s\",\"timestamp\":%d.25,\"dollar_equity\":%d,"
            "\"since_inception_hourly_marker\":%d,\"positions\":{}}",
            models[i % 4], hour, models[i % 4], 5000 + (i % 3) * 7 + hour * 10, 10000 + i, hour);
        add(events, EVENT_PRICES, "{\"symbol\":\"%s\",\"price\":%d.5,\"timestamp\":%d}", symbols[i % 2], 100 + i,
            7000 + (i * 7) % 24);
        add(events, EVENT_CONVERSATIONS,
            "{\"id\":\"c%d\",\"model_id\":\"%s\",\"cycle_id\":%d,\"timestamp\":%d.5,\"cot_trace\":\"x\"}", i,
            models[i % 4], i, 900 + i / 2);
    }
    for (int i = 0; i < 12; i++) {
        add(events, EVENT_ANALYTICS, "{\"id\":\"%s\",\"model_id\":\"%s\",\"updated_at\":%d.5,\"x\":%d}", models[i % 4],
            models[i % 4], 50 + i, i);
        add(events, EVENT_LEADERBOARD, "{\"id\":\"%s\",\"num_trades\":%d,\"timestamp\":%d}", models[i % 4], i, 50 + i);
        add(events, EVENT_MARKET_CONTEXTS, "{\"provider\":\"p\",\"symbol\":\"%s\",\"mark_px\":%d,\"timestamp\":%d}",
            symbols[i % 2], i, 50 + i);
    }
    for (int i = 0; i < 3; i++) /* a conversation that grows */
        add(events, EVENT_CONVERSATIONS,
            "{\"model_id\":\"m-a\",\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"timestamp\":950}%s%s]}",
            i > 0 ? ",{\"role\":\"assistant\",\"content\":\"b\",\"timestamp\":951}" : "",
            i > 1 ? ",{\"role\":\"user\",\"content\":\"c\",\"timestamp\":952}" : "");
}

static void shuffle(struct events *events)
{
    for (size_t i = events->count - 1; i > 0; i--) {
        size_t other = below(i + 1);
        struct item kept = events->items[i];
        events->items[i] = events->items[other];
        events->items[other] = kept;
    }
}

/* Items in order, in batches of one kind each, several batches in one call; some items once more. */
static void store_all(struct event_bench *bench, const struct events *events)
{
    size_t at = 0;
    while (at < events->count) {
        struct event_batch *batches[8];
        size_t count = 1 + below(8);
        struct err err = ERR_INIT;
        for (size_t b = 0; b < count; b++) {
            enum event_kind kind = at < events->count ? events->items[at].kind : EVENT_PRICES;
            batches[b] = event_batch_new(kind, "arena");
            for (size_t most = 1 + below(5); most > 0 && at < events->count && events->items[at].kind == kind; most--)
                event_batch_add(batches[b], slice_of(events->items[at++].json));
            size_t again = below(events->count);
            if (at > 0 && again < at && events->items[again].kind == kind)
                event_batch_add(batches[b], slice_of(events->items[again].json));
        }
        if (!event_writer_store(bench->writer, batches, count, NULL, &err))
            fail_msg("%s", err.text);
        for (size_t b = 0; b < count; b++) {
            struct event_counts counts = event_batch_counts(batches[b]);
            for (size_t i = 0; counts.rejected && i < event_batch_count(batches[b]); i++) {
                const struct event_outcome *outcome = event_batch_outcome(batches[b], i);
                if (outcome->status == EVENT_REJECTED)
                    fail_msg("%.*s: %.*s", SLICE_ARG(outcome->id), SLICE_ARG(outcome->reason));
            }
            event_batch_free(batches[b]);
        }
    }
}

/* What is shown and what is kept: feeds in their order, positions, ticks, history; without times of writing. */
static char *state_of(struct event_bench *bench)
{
    return bench_ask(
        &bench->bench,
        "SELECT string_agg(x, E'\\n') FROM ("
        "SELECT 'trades ' || string_agg(id, ' ' ORDER BY feed_ordinal) AS x FROM trades WHERE feed_ordinal IS NOT NULL"
        " UNION ALL SELECT 'totals ' || string_agg(source_id || '@' || ts_ms, ' ' ORDER BY feed_ordinal)"
        "  FROM account_equity_snapshots WHERE feed_ordinal IS NOT NULL"
        " UNION ALL SELECT 'all totals ' || count(*) || ' ' || sum(dollar_equity) FROM account_equity_snapshots"
        " UNION ALL SELECT 'cycles ' || string_agg(source_id, ' ' ORDER BY feed_ordinal) FROM decision_cycles"
        "  WHERE feed_ordinal IS NOT NULL"
        " UNION ALL SELECT 'models ' || string_agg(model_id, ' ' ORDER BY feed_ordinal) FROM position_feed_models"
        " UNION ALL SELECT 'position ' || (to_jsonb(p) - '{created_at,updated_at}'::text[])::text FROM (SELECT * FROM"
        "  positions ORDER BY id) AS p"
        " UNION ALL SELECT 'prices ' || string_agg(symbol || price || ts_ms, ' ' ORDER BY feed_ordinal) FROM "
        "price_latest"
        " UNION ALL SELECT 'ticks ' || count(*) || ' ' || sum(price) FROM price_ticks"
        " UNION ALL SELECT 'analytics ' || string_agg(payload::text, ' ' ORDER BY feed_ordinal) FROM model_analytics"
        " UNION ALL SELECT 'leaders ' || string_agg(id || num_trades, ' ' ORDER BY feed_ordinal) FROM "
        "leaderboard_entries"
        " UNION ALL SELECT 'market ' || string_agg(symbol || mark_px, ' ' ORDER BY symbol) FROM market_asset_ctx"
        " UNION ALL SELECT 'talk ' || c.model_id || string_agg(m.content, '' ORDER BY m.seq) FROM conversations c"
        "  JOIN conversation_messages m ON m.conversation_id = c.id GROUP BY c.id"
        " UNION ALL SELECT 'known ' || string_agg(id, ' ' ORDER BY id) FROM models) AS t");
}

static void the_order_of_events_does_not_matter(void **state)
{
    struct event_bench *bench = *state;
    if (!bench)
        skip();
    struct events events = {.count = 0};
    char *first = NULL;
    add_positions(&events);
    add_others(&events);
    for (int round = 0; round < ROUNDS; round++) {
        bench_reset(&bench->bench);
        random_state = (uint64_t)round;
        if (round) {
            shuffle(&events);
        }
        store_all(bench, &events);
        char *now = state_of(bench);
        if (!first)
            first = now;
        else if (strcmp(first, now) != 0)
            fail_msg("round %d ends with\n%s\nnot\n%s", round, now, first);
        if (now != first)
            free(now);
    }
    for (size_t i = 0; i < events.count; i++)
        free(events.items[i].json);
    free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_events_does_not_matter),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
