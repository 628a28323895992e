#include "server/rows_reader.h"

#include "base/clock.h"
#include "base/mem.h"
#include "repo/pg_reads.h"
#include "server/rows_document.h"

#include <stdlib.h>

enum { DOWN_MS = 1000 }; /* so long a server that was away is taken to be away still */

struct rows_reader {
    const struct settings *settings;
    int stop_fd;
    struct event_base *base;
    struct event *stop; /* NULL: no stop_fd */
    struct pg_connector *connector;
    struct pg_pool *pool;
    struct repo_reads *reads;
    struct err down; /* why the last read failed, when the server was away: the pool looks for it only while its loop
                        runs, so a new one must be made */
    int64_t down_ms; /* when, on the monotonic clock */
};

/* One read under way. */
struct waiting {
    struct event_base *base;
    struct repo_answer *answer;
    bool done;
    struct err err;
};

static void read_done(void *arg, struct repo_answer *answer, const struct err *err)
{
    struct waiting *waiting = arg;
    waiting->answer = answer;
    waiting->done = true;
    if (err)
        waiting->err = *err;
    (void)event_base_loopbreak(waiting->base);
}

static void on_stop(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    (void)event_base_loopbreak(arg);
}

static void drop_pool(struct rows_reader *reader)
{
    pg_pool_free(reader->pool);
    pg_reads_free(reader->reads);
    reader->pool = NULL;
    reader->reads = NULL;
}

static bool make_pool(struct rows_reader *reader, struct err *err)
{
    const struct settings *settings = reader->settings;
    struct pg_pool_config config = {
        .connections = 1,
        .prepared_statements = settings->postgres_prepared_statements,
        .statement_timeout_ms = settings->postgres_query_timeout_ms,
        .start_grace_ms = settings->postgres_connect_timeout_ms,
    };
    reader->pool = pg_pool_new(reader->base, reader->connector, &config, err);
    if (!reader->pool)
        return false;
    reader->reads =
        pg_reads_new(reader->pool, &(struct pg_reads_config){.query_timeout_ms = settings->postgres_query_timeout_ms +
                                                                                 settings->postgres_connect_timeout_ms,
                                                             .price_provider = settings->prices_provider});
    reader->down = (struct err)ERR_INIT;
    return true;
}

bool rows_reader_look(struct rows_reader *reader, struct err *err)
{
    if (reader->down.code && clock_mono_ms() - reader->down_ms < DOWN_MS)
        return err_set(err, reader->down.code, "%s", reader->down.text);
    if (reader->down.code)
        drop_pool(reader);
    return reader->pool || make_pool(reader, err);
}

/* Neither rows nor a word about the feed: nothing was ever imported or came in as events. */
static bool is_empty(const struct repo_answer *answer)
{
    return answer->kind != READ_ANALYTICS_ONE && !answer->document && answer->equity_count == 0 &&
           answer->position_model_count == 0 && answer->trade_count == 0 && answer->price_count == 0 &&
           answer->inception_count == 0 && answer->leader_count == 0 && answer->analytics_count == 0 &&
           answer->conversation_count == 0 && answer->cycle_count == 0;
}

struct document *rows_reader_read(struct rows_reader *reader, const struct read_query *query, struct err *err)
{
    if (!rows_reader_look(reader, err))
        return NULL;
    struct waiting waiting = {.base = reader->base, .err = {ERR_INTERNAL, "the event loop ended"}};
    reader->reads->read(reader->reads, query, read_done, &waiting);
    (void)event_base_dispatch(reader->base);
    if (!waiting.done) {
        drop_pool(reader); /* ends the read: `waiting` must not be told later */
        if (waiting.answer)
            waiting.answer->release(waiting.answer);
        (void)err_set(err, ERR_UNAVAILABLE, "stopped while rows were read");
        return NULL;
    }
    if (!waiting.answer) {
        if (waiting.err.code == ERR_UNAVAILABLE || waiting.err.code == ERR_TIMEOUT) {
            reader->down = waiting.err;
            reader->down_ms = clock_mono_ms();
        }
        (void)err_set(err, waiting.err.code, "%s", waiting.err.text);
        return NULL;
    }
    if (is_empty(waiting.answer)) {
        waiting.answer->release(waiting.answer);
        return NULL;
    }
    return rows_document(&endpoints[query->kind], query, waiting.answer, err);
}

struct rows_reader *rows_reader_open(const struct settings *settings, int stop_fd, struct err *err)
{
    struct rows_reader *reader = mem_zalloc(sizeof *reader);
    reader->settings = settings;
    reader->base = event_base_new();
    if (!reader->base) {
        (void)err_set(err, ERR_IO, "cannot make an event loop");
        goto fail;
    }
    if (stop_fd >= 0) {
        reader->stop = event_new(reader->base, stop_fd, EV_READ | EV_PERSIST, on_stop, reader->base);
        if (!reader->stop || event_add(reader->stop, NULL) != 0) {
            (void)err_set(err, ERR_IO, "cannot watch a descriptor");
            goto fail;
        }
    }
    reader->connector = pg_connector_start(settings->postgres_dsn, settings->postgres_connect_timeout_ms, err);
    if (reader->connector)
        return reader;
fail:
    rows_reader_close(reader);
    return NULL;
}

void rows_reader_close(struct rows_reader *reader)
{
    if (!reader)
        return;
    drop_pool(reader);
    pg_connector_stop(reader->connector);
    if (reader->stop)
        event_free(reader->stop);
    if (reader->base)
        event_base_free(reader->base);
    free(reader);
}
