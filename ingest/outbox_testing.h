/* For tests of the outbox's readers: a database and a Redis of one's own, and readers that run until they have applied
 * everything. */
#ifndef NOF0_INGEST_OUTBOX_TESTING_H
#define NOF0_INGEST_OUTBOX_TESTING_H

#include "cache/redis_rig_testing.h"
#include "ingest/outbox_consumer.h"
#include "repo/session_testing.h"

struct outbox_rig {
    struct session_testing *postgres;
    struct rig redis;
    struct redisContext *link;
    struct outbox_options options;
    atomic_uint dual_write[CACHE_FEED_COUNT];
    struct outbox_numbers numbers[OUTBOX_READER_COUNT];
};

static inline int outbox_rig_start(void **state)
{
    static struct outbox_rig rig;
    void *postgres = NULL;
    memset(&rig, 0, sizeof rig);
    *state = NULL;
    if (access("/usr/bin/redis-server", X_OK) != 0 || session_testing_start(&postgres, "readers", true) != 0 ||
        !postgres)
        return 0;
    struct err err = ERR_INIT;
    const int64_t ttl_s[CACHE_TTL_CLASSES] = {0};
    for (unsigned i = 0; i < CACHE_FEED_COUNT; i++)
        atomic_init(&rig.dual_write[i], 0);
    rig.postgres = postgres;
    rig_make(&rig.redis);
    rig_start(&rig.redis);
    rig.link = rig_link(&rig.redis);
    rig.options = (struct outbox_options){.postgres_dsn = rig.postgres->testing.dsn,
                                          .redis_url = rig.redis.url,
                                          .redis_connect_timeout_ms = 1000,
                                          .redis_command_timeout_ms = 5000,
                                          .prices_provider = "arena",
                                          .stream_length = 100000,
                                          .keep_s = 3600,
                                          .refresh_views_ms = 100,
                                          .legacy_dir = "",
                                          .dual_write = rig.dual_write};
    if (!cache_space_init(&rig.options.space, SLICE("nof0"), ttl_s, &err))
        fail_msg("%s", err.text);
    *state = &rig;
    return 0;
}

static inline int outbox_rig_stop(void **state)
{
    struct outbox_rig *rig = *state;
    if (rig) {
        void *postgres = rig->postgres;
        redisFree(rig->link);
        rig_end(&rig->redis);
        return session_testing_stop(&postgres);
    }
    return 0;
}

/* The rig with nothing in its outbox and its Redis; skips the test where there is none. */
static inline struct outbox_rig *outbox_rig_of(void **state)
{
    struct outbox_rig *rig = *state;
    if (!rig)
        skip();
    session_testing_must(rig->postgres->session,
                         "TRUNCATE outbox, outbox_consumers, outbox_dead, trades, positions, price_latest, models,"
                         " account_equity_snapshots, decision_cycles, conversations, conversation_messages,"
                         " leaderboard_entries, feed_documents, model_analytics RESTART IDENTITY;"
                         " SELECT refresh_views_nof0()");
    rig_do(rig->link, "FLUSHALL");
    rig->options.legacy_dir = ""; /* a test that failed may have left its own */
    return rig;
}

static inline void outbox_rig_sql(struct outbox_rig *rig, const char *sql)
{
    session_testing_must(rig->postgres->session, sql);
}

/* A bigint that Postgres answers. */
static inline int64_t outbox_rig_number(struct outbox_rig *rig, const char *sql)
{
    PGresult *result = PQexec(rig->postgres->testing.conn, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
        fail_msg("%s: %s", sql, PQresultErrorMessage(result));
    int64_t number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return number;
}

static inline struct outbox_consumer *outbox_rig_reader(struct outbox_rig *rig, enum outbox_reader reader,
                                                        int64_t until)
{
    struct err err = ERR_INIT;
    const struct outbox_start start = {
        .options = &rig->options, .reader = reader, .numbers = &rig->numbers[reader], .until = until};
    struct outbox_consumer *consumer = outbox_consumer_start(&start, &err);
    if (!consumer)
        fail_msg("%s", err.text);
    return consumer;
}

/* Has the reader apply all rows that there are. */
static inline void outbox_rig_apply(struct outbox_rig *rig, enum outbox_reader reader)
{
    int64_t newest = outbox_rig_number(rig, "SELECT coalesce(max(id), 0) FROM outbox");
    struct outbox_consumer *consumer = outbox_rig_reader(rig, reader, newest);
    for (int64_t end = clock_mono_ms() + 30000; !outbox_consumer_ended(consumer) && clock_mono_ms() < end;)
        (void)usleep(1000);
    if (!outbox_consumer_ended(consumer))
        outbox_consumer_stop(consumer);
    bool reached = outbox_consumer_reached(consumer);
    char why[sizeof(struct err)];
    (void)snprintf(why, sizeof why, "%s", outbox_consumer_trouble(consumer));
    outbox_consumer_free(consumer);
    if (!reached)
        fail_msg("%s did not come to row %lld: %s", outbox_reader_name(reader), (long long)newest, why);
}

/* Waits until Postgres answers with the number. */
static inline void outbox_rig_await(struct outbox_rig *rig, const char *sql, int64_t wanted)
{
    int64_t got = 0;
    for (int64_t end = clock_mono_ms() + 30000; clock_mono_ms() < end; (void)usleep(2000))
        if ((got = outbox_rig_number(rig, sql)) == wanted)
            return;
    fail_msg("%s is %lld, not %lld", sql, (long long)got, (long long)wanted);
}

static inline void put_reply(struct buf *out, const struct redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER)
        buf_printf(out, "%lld", reply->integer);
    else if (reply->type != REDIS_REPLY_ARRAY)
        buf_append(out, reply->str, reply->len);
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        if (i)
            buf_append_char(out, ' ');
        put_reply(out, reply->element[i]);
    }
}

/* The reply as one text, its elements with blanks between; free() it. */
static inline char *outbox_rig_text(struct outbox_rig *rig, const char *command)
{
    struct buf out = BUF_INIT;
    struct redisReply *reply = rig_ask(rig->link, command);
    put_reply(&out, reply);
    freeReplyObject(reply);
    buf_cstr(&out);
    return buf_take(&out, NULL);
}

static inline void outbox_rig_expect(struct outbox_rig *rig, const char *command, const char *expected)
{
    char *text = outbox_rig_text(rig, command);
    assert_string_equal(text, expected);
    free(text);
}

#endif
