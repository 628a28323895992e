/* From events to what followers see: the writer's rows through all readers. */
#include "ingest/event.h"
#include "ingest/outbox_testing.h"
#include "ingest/redis_rebuild.h"
#include "ingest/redis_verify.h"

static const struct {
    enum event_kind kind;
    const char *json;
} items[] = {
    {EVENT_POSITIONS, "{\"model_id\":\"a\",\"symbol\":\"BTC\",\"timestamp\":10,\"entry_time\":1.5,\"entry_price\":10,"
                      "\"quantity\":1,\"side\":\"long\"}"},
    {EVENT_POSITIONS, "{\"model_id\":\"b\",\"symbol\":\"ETH\",\"timestamp\":10,\"entry_time\":2.5,\"entry_price\":10,"
                      "\"quantity\":-1}"},
    {EVENT_TRADES, "{\"id\":\"a_1\",\"model_id\":\"a\",\"symbol\":\"BTC\",\"side\":\"long\",\"quantity\":1,"
                   "\"entry_price\":10,\"entry_time\":1.5,\"exit_price\":11,\"exit_time\":12.25,"
                   "\"realized_net_pnl\":1}"},
    {EVENT_PRICES, "{\"symbol\":\"BTC\",\"price\":110.5,\"timestamp\":1761450000000}"},
    {EVENT_ACCOUNT_TOTALS, "{\"id\":\"a_0\",\"model_id\":\"a\",\"timestamp\":12.5,\"dollar_equity\":10001,"
                           "\"cum_pnl_pct\":0.01}"},
    {EVENT_CONVERSATIONS,
     "{\"id\":\"a_c\",\"model_id\":\"a\",\"timestamp\":12.5,\"cycle_id\":1,\"user_prompt\":\"x\"}"},
    {EVENT_CONVERSATIONS, "{\"model_id\":\"b\",\"conversation_id\":\"k\",\"messages\":[{\"role\":\"user\","
                          "\"content\":\"y\",\"timestamp\":5}]}"},
    {EVENT_ANALYTICS, "{\"id\":\"a\",\"model_id\":\"a\",\"updated_at\":12.5}"},
    {EVENT_TRADER_STATE, "{\"trader_id\":\"a\",\"timestamp\":3,\"exchange_provider\":\"sim\"}"},
};

static void store_items(struct outbox_rig *rig)
{
    struct err err = ERR_INIT;
    const struct event_writer_options options = {.dsn = rig->postgres->testing.dsn};
    struct event_writer *writer = event_writer_open(&options, &err);
    if (!writer)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        struct event_batch *batch = event_batch_new(items[i].kind, "arena");
        event_batch_add(batch, slice_of(items[i].json));
        if (!event_writer_store(writer, &batch, 1, NULL, &err))
            fail_msg("%s", err.text);
        const struct event_outcome *outcome = event_batch_outcome(batch, 0);
        if (outcome->status != EVENT_ACCEPTED)
            fail_msg("%s: %.*s", items[i].json, SLICE_ARG(outcome->reason));
        event_batch_free(batch);
    }
    event_writer_close(writer);
}

static void told(void *arg, const struct cache_key *key, struct slice where, const char *what)
{
    (void)arg;
    print_message("%s %.*s: %s\n", cache_key_text(key).p, SLICE_ARG(where), what);
}

/* Every name in Redis, and nothing else, is what Postgres says. */
static void verify(struct outbox_rig *rig)
{
    struct err err = ERR_INIT;
    struct session *session = rig->postgres->session;
    struct redis_verify *verify = redis_verify_new(rig->link, &rig->options.space, told, NULL);
    struct redis_rebuild rebuild = {.session = session,
                                    .space = &rig->options.space,
                                    .prices_provider = "arena",
                                    .take = redis_verify_take,
                                    .arg = verify};
    for (unsigned i = 0; i < CACHE_KEY_COUNT; i++)
        rebuild.wanted[i] = redis_rebuild_knows((enum cache_key_id)i);
    if (!session_begin_snapshot(session, &err) || !redis_rebuild_run(&rebuild, &err) ||
        !session_commit(session, &err) || !redis_verify_extra(verify, rebuild.wanted, &err))
        fail_msg("%s", err.text);
    struct redis_verify_counts counts = redis_verify_counts(verify);
    redis_verify_free(verify);
    assert_int_equal(counts.different, 0);
    assert_int_equal(counts.extra, 0);
    assert_int_equal(counts.missing, 0);
    assert_true(counts.same >= 12);
}

/* The entries' topics and models, one behind the other; free() it. */
static char *topics(struct outbox_rig *rig)
{
    struct buf out = BUF_INIT;
    struct redisReply *entries = rig_ask(rig->link, "XRANGE nof0:live:events - +");
    for (size_t i = 0; i < entries->elements; i++) {
        struct redisReply *const *fields = entries->element[i]->element[1]->element;
        buf_printf(&out, "%s:%s ", fields[1]->str, fields[3]->str);
    }
    freeReplyObject(entries);
    buf_cstr(&out);
    return buf_take(&out, NULL);
}

static void events_come_through(void **state)
{
    struct outbox_rig *rig = outbox_rig_of(state);
    store_items(rig);
    static const enum outbox_reader order[] = {OUTBOX_VIEWS, OUTBOX_REDIS_0, OUTBOX_REDIS_1, OUTBOX_LIVE};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        outbox_rig_apply(rig, order[i]);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(*) FROM outbox_dead"), 0);
    char *said = topics(rig);
    assert_string_equal(said, "positions:a positions:b trades:a positions:a prices: account-totals:a conversations:a"
                              " conversations:b leaderboard: ");
    free(said);
    char *position = outbox_rig_text(rig, "XRANGE nof0:live:events 1 1");
    assert_non_null(strstr(position, "\"status\":\"closed\",\"position\":{\"symbol\":\"BTC\""));
    free(position);
    verify(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_through),
    };
    return cmocka_run_group_tests(tests, outbox_rig_start, outbox_rig_stop);
}
