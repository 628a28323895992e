#include "ingest/outbox_status.h"

#include "base/mem.h"

#include <endian.h>
#include <stdlib.h>

static int64_t bigint_at(const PGresult *result, int field)
{
    uint64_t big = 0;
    if (!PQgetisnull(result, 0, field) && PQgetlength(result, 0, field) == (int)sizeof big)
        memcpy(&big, PQgetvalue(result, 0, field), sizeof big);
    return (int64_t)be64toh(big);
}

/* NULL for SQL NULL. */
static char *text_at(const PGresult *result, int field)
{
    return PQgetisnull(result, 0, field)
               ? NULL
               : mem_strndup(PQgetvalue(result, 0, field), (size_t)PQgetlength(result, 0, field));
}

/* One row; NULL on failure. */
static PGresult *ask(struct session *session, const char *sql, const struct params *params, struct err *err)
{
    PGresult *result = session_query(session, sql, params, err);
    if (result && PQntuples(result) != 1) {
        (void)err_set(err, ERR_INTERNAL, "a query about the outbox gave %d rows", PQntuples(result));
        PQclear(result);
        return NULL;
    }
    return result;
}

/* The lock is that of outbox_try_lead: two numbers, the first of which Postgres shows as an oid. */
static bool read_reader(struct session *session, enum outbox_reader reader, struct outbox_reader_status *status,
                        struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_text(&params, slice_of(outbox_reader_name(reader)));
    params_add_i64(&params, (int64_t)reader + 1);
    PGresult *result =
        ask(session,
            "SELECT c.name IS NOT NULL OR l.pid IS NOT NULL, c.position, c.failures::bigint, c.last_error,"
            " l.pid::bigint, host(a.client_addr) FROM (SELECT 1) AS one"
            " LEFT JOIN outbox_consumers AS c ON c.name = $1"
            " LEFT JOIN pg_locks AS l ON l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted"
            " AND l.classid::bigint = (hashtext('nof0 outbox consumer')::bigint & 4294967295)"
            " AND l.objid::bigint = $2"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid",
            &params, err);
    if (result) {
        status->known = PQgetvalue(result, 0, 0)[0] != 0;
        status->position = bigint_at(result, 1);
        status->failures = bigint_at(result, 2);
        status->last_error = text_at(result, 3);
        status->leader = bigint_at(result, 4);
        status->leader_address = text_at(result, 5);
    }
    PQclear(result);
    arena_free(arena);
    return result && outbox_lag(session, reader, &status->lag, err);
}

bool outbox_status_read(struct session *session, struct outbox_status *status, struct err *err)
{
    *status = (struct outbox_status){0};
    if (!session_begin_snapshot(session, err))
        return false;
    PGresult *result = ask(session,
                           "SELECT coalesce(max(id), 0), coalesce(min(id), 0), count(*),"
                           " (SELECT count(*) FROM outbox_dead) FROM outbox",
                           NULL, err);
    if (result) {
        status->newest = bigint_at(result, 0);
        status->oldest = bigint_at(result, 1);
        status->rows = bigint_at(result, 2);
        status->dead = bigint_at(result, 3);
    }
    PQclear(result);
    bool good = result != NULL;
    for (unsigned i = 0; good && i < OUTBOX_READER_COUNT; i++)
        good = read_reader(session, (enum outbox_reader)i, &status->readers[i], err);
    return good && session_commit(session, err);
}

void outbox_status_free(struct outbox_status *status)
{
    for (unsigned i = 0; i < OUTBOX_READER_COUNT; i++) {
        free(status->readers[i].last_error);
        free(status->readers[i].leader_address);
    }
    *status = (struct outbox_status){0};
}
