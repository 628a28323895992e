/* The repo: what the server would make of Postgres' rows, by the same reads and assemblers. An event loop of its own
 * runs while one answer is awaited. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/parity_source.h"
#include "repo/pg_reads.h"
#include "repo/session.h"
#include "server/rows_document.h"

#include <stdlib.h>

enum { DOWN_MS = 1000 }; /* so long a server that was away is taken to be away still */

struct repo {
    struct parity_source source;
    const struct settings *settings;
    struct event_base *base;
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
    struct err err;
};

static void read_done(void *arg, struct repo_answer *answer, const struct err *err)
{
    struct waiting *waiting = arg;
    waiting->answer = answer;
    if (err)
        waiting->err = *err;
    (void)event_base_loopbreak(waiting->base);
}

static void drop_pool(struct repo *repo)
{
    pg_pool_free(repo->pool);
    pg_reads_free(repo->reads);
    repo->pool = NULL;
    repo->reads = NULL;
}

static bool make_pool(struct repo *repo, struct err *err)
{
    const struct settings *settings = repo->settings;
    struct pg_pool_config config = {
        .connections = 1,
        .prepared_statements = settings->postgres_prepared_statements,
        .statement_timeout_ms = settings->postgres_query_timeout_ms,
        .start_grace_ms = settings->postgres_connect_timeout_ms,
    };
    repo->pool = pg_pool_new(repo->base, repo->connector, &config, err);
    if (!repo->pool)
        return false;
    repo->reads =
        pg_reads_new(repo->pool, &(struct pg_reads_config){.query_timeout_ms = settings->postgres_query_timeout_ms +
                                                                               settings->postgres_connect_timeout_ms,
                                                           .price_provider = settings->prices_provider});
    repo->down = (struct err)ERR_INIT;
    return true;
}

/* One endpoint waits for a server that is away, the others learn it from that. */
static bool look(struct parity_source *source, struct err *err)
{
    struct repo *repo = (struct repo *)(void *)source;
    if (repo->down.code && clock_mono_ms() - repo->down_ms < DOWN_MS)
        return err_set(err, repo->down.code, "%s", repo->down.text);
    if (repo->down.code)
        drop_pool(repo);
    return repo->pool || make_pool(repo, err);
}

/* Neither rows nor a word about the feed: nothing was ever imported or came in as events. */
static bool is_empty(const struct repo_answer *answer)
{
    return !answer->document && answer->equity_count == 0 && answer->position_model_count == 0 &&
           answer->trade_count == 0 && answer->price_count == 0 && answer->inception_count == 0 &&
           answer->leader_count == 0 && answer->analytics_count == 0 && answer->conversation_count == 0 &&
           answer->cycle_count == 0;
}

static bool read_document(struct parity_source *source, const struct endpoint *endpoint, struct slice model,
                          struct buf *json, struct err *err)
{
    struct repo *repo = (struct repo *)(void *)source;
    struct waiting waiting = {.base = repo->base, .err = {ERR_INTERNAL, "the event loop ended"}};
    struct read_query query = {
        .kind = endpoint->kind, .limit = endpoint_default_limit(endpoint->kind), .model_id = model};
    repo->reads->read(repo->reads, &query, read_done, &waiting);
    (void)event_base_dispatch(repo->base);
    if (!waiting.answer) {
        if (waiting.err.code == ERR_UNAVAILABLE || waiting.err.code == ERR_TIMEOUT) {
            repo->down = waiting.err;
            repo->down_ms = clock_mono_ms();
        }
        return err_set(err, waiting.err.code, "%s", waiting.err.text);
    }
    if (endpoint->kind != READ_ANALYTICS_ONE && is_empty(waiting.answer)) {
        waiting.answer->release(waiting.answer);
        return true;
    }
    struct document *document = rows_document(endpoint, &query, waiting.answer, err);
    if (!document)
        return false;
    char tail[DOCUMENT_TAIL_SIZE];
    buf_append_slice(json, document_body(document));
    buf_append(json, tail, document_tail(document, clock_wall_ms(), tail));
    document_unref(document);
    return parity_source_check(endpoint, buf_slice(json), err);
}

static bool models(struct parity_source *source, struct name_set *names, struct err *err)
{
    struct repo *repo = (struct repo *)(void *)source;
    struct session *session =
        session_open_within(repo->settings->postgres_dsn, repo->settings->postgres_query_timeout_ms, err);
    if (!session)
        return false;
    PGresult *result =
        session_query(session, "SELECT model_id FROM model_analytics ORDER BY feed_ordinal, model_id", NULL, err);
    for (int i = 0; i < PQntuples(result); i++)
        name_set_add(names, (struct slice){PQgetvalue(result, i, 0), (size_t)PQgetlength(result, i, 0)});
    bool good = result != NULL;
    PQclear(result);
    session_close(session);
    return good;
}

static void close_repo(struct parity_source *source)
{
    struct repo *repo = (struct repo *)(void *)source;
    drop_pool(repo);
    pg_connector_stop(repo->connector);
    if (repo->base)
        event_base_free(repo->base);
    free(repo);
}

struct parity_source *parity_source_repo(const struct settings *settings, struct err *err)
{
    static const struct parity_source_ops ops = {look, models, read_document, close_repo};
    struct repo *repo = mem_zalloc(sizeof *repo);
    repo->source = (struct parity_source){&ops, PARITY_FROM_REPO, mem_strndup("repo", strlen("repo"))};
    repo->settings = settings;
    repo->base = event_base_new();
    if (!repo->base)
        err_set(err, ERR_INTERNAL, "no event loop");
    else
        repo->connector = pg_connector_start(settings->postgres_dsn, settings->postgres_connect_timeout_ms, err);
    if (repo->connector)
        return &repo->source;
    err_wrap(err, "repo");
    parity_source_close(&repo->source);
    return NULL;
}
