/* The repo: what the server would make of Postgres' rows. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/parity_source.h"
#include "repo/session.h"
#include "server/rows_reader.h"

#include <stdlib.h>

struct repo {
    struct parity_source source;
    const struct settings *settings;
    struct rows_reader *reader;
};

static struct repo *repo_of(struct parity_source *source)
{
    return (struct repo *)(void *)source;
}

/* One endpoint waits for a server that is away, the others learn it from that. */
static bool look(struct parity_source *source, struct err *err)
{
    return rows_reader_look(repo_of(source)->reader, err);
}

static bool read_document(struct parity_source *source, const struct endpoint *endpoint, struct slice model,
                          struct buf *json, struct err *err)
{
    struct read_query query = {
        .kind = endpoint->kind, .limit = endpoint_default_limit(endpoint->kind), .model_id = model};
    struct err own = ERR_INIT;
    struct document *document = rows_reader_read(repo_of(source)->reader, &query, &own);
    if (!document)
        return own.code == ERR_NONE || err_set(err, own.code, "%s", own.text);
    char tail[DOCUMENT_TAIL_SIZE];
    buf_append_slice(json, document_body(document));
    buf_append(json, tail, document_tail(document, clock_wall_ms(), tail));
    document_unref(document);
    return parity_source_check(endpoint, buf_slice(json), err);
}

static bool models(struct parity_source *source, struct name_set *names, struct err *err)
{
    const struct repo *repo = repo_of(source);
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
    struct repo *repo = repo_of(source);
    rows_reader_close(repo->reader);
    free(repo);
}

struct parity_source *parity_source_repo(const struct settings *settings, struct err *err)
{
    static const struct parity_source_ops ops = {look, models, read_document, close_repo};
    struct repo *repo = mem_zalloc(sizeof *repo);
    repo->source = (struct parity_source){&ops, PARITY_FROM_REPO, mem_strndup("repo", strlen("repo"))};
    repo->settings = settings;
    repo->reader = rows_reader_open(settings, -1, err);
    if (repo->reader)
        return &repo->source;
    (void)err_wrap(err, "repo");
    parity_source_close(&repo->source);
    return NULL;
}
