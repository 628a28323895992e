#include "repo/pipeline.h"

#include "repo/pg_error.h"

void pipeline_begin(struct pipeline *pipeline, struct session *session)
{
    *pipeline = (struct pipeline){.session = session};
    pipeline->broken = !PQenterPipelineMode(session_connection(session));
}

static void note_sent(struct pipeline *pipeline, bool is_preparation, const char *name)
{
    pipeline->is_preparation[pipeline->sent] = is_preparation;
    pipeline->names[pipeline->sent++] = name;
}

/* Whether the name is prepared, or will be by what was sent before. */
static bool is_known(const struct pipeline *pipeline, const char *name)
{
    for (size_t i = 0; i < pipeline->sent; i++)
        if (pipeline->is_preparation[i] && strcmp(pipeline->names[i], name) == 0)
            return true;
    return session_is_prepared(pipeline->session, name);
}

void pipeline_add(struct pipeline *pipeline, const char *name, const char *sql, const struct params *params)
{
    static const struct params none;
    PGconn *connection = session_connection(pipeline->session);
    if (!params)
        params = &none;
    if (pipeline->count == PIPELINE_MAX)
        pipeline->broken = true;
    if (pipeline->broken)
        return;
    pipeline->count++;
    if (name && !is_known(pipeline, name)) {
        pipeline->broken = !PQsendPrepare(connection, name, sql, params->count, params->types);
        note_sent(pipeline, true, name);
    }
    if (pipeline->broken)
        return;
    pipeline->broken = name ? !PQsendQueryPrepared(connection, name, params->count, params->values, params->lengths,
                                                   params->formats, 1)
                            : !PQsendQueryParams(connection, sql, params->count, params->types, params->values,
                                                 params->lengths, params->formats, 1);
    note_sent(pipeline, false, name);
}

/* The next result; libpq puts a NULL behind each. */
static PGresult *next_result(struct pipeline *pipeline, struct err *err)
{
    PGconn *connection = session_connection(pipeline->session);
    if (!session_await(pipeline->session, err))
        return NULL;
    PGresult *result = PQgetResult(connection);
    if (!result) {
        pg_error_from_connection(err, connection);
        return NULL;
    }
    if (PQresultStatus(result) == PGRES_PIPELINE_SYNC)
        return result;
    if (PQstatus(connection) == CONNECTION_OK && session_await(pipeline->session, err))
        PQclear(PQgetResult(connection));
    return result;
}

/* Takes the results up to the sync point. False when the connection is lost; *err has the first error of a statement.
 */
static bool take_results(struct pipeline *pipeline, PGresult *results[], struct err *err)
{
    PGconn *connection = session_connection(pipeline->session);
    struct err lost = ERR_INIT;
    size_t at = 0;
    for (size_t i = 0; i <= pipeline->sent; i++) {
        PGresult *result = next_result(pipeline, &lost);
        if (!result) {
            if (err->code == ERR_NONE)
                *err = lost;
            return false;
        }
        ExecStatusType status = PQresultStatus(result);
        bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_PIPELINE_SYNC;
        if (!good && status != PGRES_PIPELINE_ABORTED && err->code == ERR_NONE)
            pg_error_from_result(err, result, connection);
        bool is_statement = i < pipeline->sent && !pipeline->is_preparation[i];
        if (good && i < pipeline->sent && pipeline->is_preparation[i])
            session_note_prepared(pipeline->session, pipeline->names[i]);
        if (is_statement)
            results[at++] = result;
        else
            PQclear(result);
        if (PQstatus(connection) != CONNECTION_OK)
            return err->code != ERR_NONE ? false : pg_error_from_connection(err, connection);
    }
    return true;
}

bool pipeline_run(struct pipeline *pipeline, PGresult *results[], struct err *err)
{
    PGconn *connection = session_connection(pipeline->session);
    struct err first = ERR_INIT;
    memset(results, 0, pipeline->count * sizeof results[0]);
    bool good = !pipeline->broken && PQpipelineSync(connection);
    if (!good)
        pg_error_from_connection(&first, connection);
    good = good && take_results(pipeline, results, &first) && PQexitPipelineMode(connection) == 1;
    if (good && first.code == ERR_NONE)
        return true;
    for (size_t i = 0; i < pipeline->count; i++) {
        PQclear(results[i]);
        results[i] = NULL;
    }
    if (first.code == ERR_NONE)
        pg_error_from_connection(&first, connection);
    *err = first;
    return false;
}

bool pipeline_run_only(struct pipeline *pipeline, struct err *err)
{
    PGresult *results[PIPELINE_MAX];
    size_t count = pipeline->count;
    if (!pipeline_run(pipeline, results, err))
        return false;
    for (size_t i = 0; i < count; i++)
        PQclear(results[i]);
    return true;
}
