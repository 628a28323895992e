#include "base/mem.h"
#include "repo/pg_error.h"
#include "repo/pg_pool_inside.h"

#include <stdlib.h>
#include <string.h>

static const struct params *copy_params(struct arena *arena, const struct params *from)
{
    struct params *to = arena_zalloc(arena, sizeof *to);
    size_t count = (size_t)from->count;
    to->arena = arena;
    to->count = to->room = from->count;
    to->types = arena_alloc(arena, count * sizeof *to->types);
    to->values = arena_alloc(arena, count * sizeof *to->values);
    to->lengths = arena_alloc(arena, count * sizeof *to->lengths);
    to->formats = arena_alloc(arena, count * sizeof *to->formats);
    for (size_t i = 0; i < count; i++) {
        to->types[i] = from->types[i];
        to->lengths[i] = from->lengths[i];
        to->formats[i] = from->formats[i];
        to->values[i] = from->values[i] ? arena_strndup(arena, from->values[i], (size_t)from->lengths[i]) : NULL;
    }
    return to;
}

struct pg_batch *pg_batch_new(struct pg_pool *pool, const struct pg_query *queries, size_t count)
{
    struct arena *arena = arena_new(sizeof(struct pg_batch) + 1024);
    struct pg_batch *batch = arena_zalloc(arena, sizeof *batch);
    batch->arena = arena;
    batch->pool = pool;
    batch->count = count;
    batch->queries = arena_alloc(arena, (count ? count : 1) * sizeof *batch->queries);
    for (size_t i = 0; i < count; i++) {
        const struct params *params = queries[i].params;
        batch->queries[i].statement = queries[i].statement;
        batch->queries[i].params = params && params->count > 0 ? copy_params(arena, params) : NULL;
    }
    return batch;
}

void pg_batch_rewind(struct pg_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        PQclear(batch->results[i]);
        batch->results[i] = NULL;
    }
    batch->step_count = batch->step_at = 0;
    batch->stale = false;
    batch->err = (struct err)ERR_INIT;
}

void pg_batch_free(struct pg_batch *batch)
{
    pg_batch_rewind(batch);
    arena_free(batch->arena);
}

static void add_step(struct pg_batch *batch, enum step_kind kind, size_t query)
{
    batch->steps[batch->step_count++] = (struct step){kind, (unsigned)query};
}

static bool *prepared_flag(struct pg_link *link, unsigned slot)
{
    if (slot >= link->prepared_room) {
        size_t room = slot + 16;
        link->prepared = mem_realloc(link->prepared, room * sizeof *link->prepared);
        memset(link->prepared + link->prepared_room, 0, (room - link->prepared_room) * sizeof *link->prepared);
        link->prepared_room = room;
    }
    return &link->prepared[slot];
}

static bool uses_names(const struct pg_batch *batch)
{
    return !batch->plain && batch->pool->config.prepared_statements;
}

static bool send_query(struct pg_batch *batch, size_t i, struct pg_link *link)
{
    static const struct params none;
    const struct pg_statement *statement = batch->queries[i].statement;
    const struct params *params = batch->queries[i].params ? batch->queries[i].params : &none;
    if (!uses_names(batch)) {
        add_step(batch, STEP_RUN, i);
        return PQsendQueryParams(link->conn, statement->sql, params->count, params->types, params->values,
                                 params->lengths, params->formats, 1);
    }
    bool *prepared = prepared_flag(link, statement->slot);
    if (!*prepared) {
        add_step(batch, STEP_PREPARE, i);
        if (!PQsendPrepare(link->conn, statement->name, statement->sql, params->count, params->types)) {
            return false;
        }
        *prepared = true;
    }
    add_step(batch, STEP_RUN, i);
    return PQsendQueryPrepared(link->conn, statement->name, params->count, params->values, params->lengths,
                               params->formats, 1);
}

/* A new connection's first question also bounds how long the server works for a client that has gone. */
static bool send_setup(struct pg_batch *batch, struct pg_link *link)
{
    const struct pg_pool_config *config = &batch->pool->config;
    if (link->state != LINK_NEW || config->statement_timeout_ms <= 0 || !config->prepared_statements) {
        return true;
    }
    add_step(batch, STEP_SETUP, 0);
    const char *value = arena_printf(batch->arena, "%lld", (long long)config->statement_timeout_ms);
    return PQsendQueryParams(link->conn, "SELECT set_config('statement_timeout', $1, false)", 1, NULL, &value, NULL,
                             NULL, 0);
}

/* Everything up to a sync point is one transaction, which the server ends there by itself, also after an error; so no
 * COMMIT can be left out. SET (not SET LOCAL, which warns) of this one name speaks of the transaction only. */
static bool send_isolation(struct pg_batch *batch, struct pg_link *link)
{
    static const char sql[] = "SET transaction_isolation TO 'repeatable read'";
    static const char name[] = "nof0_isolation";
    if (!uses_names(batch)) {
        add_step(batch, STEP_ISOLATION, 0);
        return PQsendQueryParams(link->conn, sql, 0, NULL, NULL, NULL, NULL, 1);
    }
    if (!link->isolation_prepared) {
        add_step(batch, STEP_PREPARE_ISOLATION, 0);
        if (!PQsendPrepare(link->conn, name, sql, 0, NULL)) {
            return false;
        }
        link->isolation_prepared = true;
    }
    add_step(batch, STEP_ISOLATION, 0);
    return PQsendQueryPrepared(link->conn, name, 0, NULL, NULL, NULL, 1);
}

bool pg_batch_send(struct pg_batch *batch, struct pg_link *link)
{
    batch->sends++;
    if (!batch->done && !send_setup(batch, link)) {
        return false;
    }
    if (batch->count > 1 && !send_isolation(batch, link)) {
        return false;
    }
    for (size_t i = 0; i < batch->count; i++) {
        if (!send_query(batch, i, link)) {
            return false;
        }
    }
    return PQpipelineSync(link->conn);
}

static bool is_stale_statement(const char *sqlstate)
{
    /* feature_not_supported: "cached plan must not change result type"; invalid_sql_statement_name: it is gone;
     * duplicate_prepared_statement: somebody else's session. */
    return sqlstate &&
           (strcmp(sqlstate, "0A000") == 0 || strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "42P05") == 0);
}

/* Whether the session's record holds the statement of the step to be prepared; cleared when preparing failed. */
static bool *record_of(struct pg_batch *batch, struct pg_link *link, struct step step)
{
    if (step.kind == STEP_ISOLATION || step.kind == STEP_PREPARE_ISOLATION) {
        return &link->isolation_prepared;
    }
    return prepared_flag(link, batch->queries[step.query].statement->slot);
}

static void take_refusal(struct pg_batch *batch, struct pg_link *link, const PGresult *result)
{
    bool named = batch->step_at < batch->step_count && uses_names(batch);
    struct step step = named ? batch->steps[batch->step_at] : (struct step){STEP_SETUP, 0};
    if (step.kind == STEP_PREPARE || step.kind == STEP_PREPARE_ISOLATION) {
        *record_of(batch, link, step) = false;
    }
    if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED || batch->err.code != ERR_NONE) {
        return; /* because of the error that came before */
    }
    pg_error_from_result(&batch->err, result, link->conn);
    if (step.kind == STEP_SETUP || !is_stale_statement(PQresultErrorField(result, PG_DIAG_SQLSTATE))) {
        return;
    }
    batch->stale = true;
    /* What this session holds under the name is of no use any more, unless its preparing failed just before. */
    link->retiring |= *record_of(batch, link, step);
}

bool pg_batch_take(struct pg_batch *batch, struct pg_link *link, PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC:
        PQclear(result);
        return true;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        if (batch->step_at < batch->step_count && batch->steps[batch->step_at].kind == STEP_RUN) {
            unsigned query = batch->steps[batch->step_at].query;
            PQclear(batch->results[query]);
            batch->results[query] = result;
            return false;
        }
        break;
    case PGRES_FATAL_ERROR:
    case PGRES_PIPELINE_ABORTED:
        take_refusal(batch, link, result);
        break;
    default:
        /* COPY, an empty query, single rows: none of which a statement of ours asks for. */
        if (batch->err.code == ERR_NONE) {
            err_set(&batch->err, ERR_INTERNAL, "unexpected answer from Postgres: %s",
                    PQresStatus(PQresultStatus(result)));
        }
    }
    PQclear(result);
    return false;
}

void pg_batch_step_over(struct pg_batch *batch)
{
    if (batch->step_at < batch->step_count) {
        batch->step_at++;
    }
}
