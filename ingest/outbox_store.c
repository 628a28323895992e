#include "ingest/outbox_store.h"

#include <endian.h>
#include <stdlib.h>

/* Rows older than this are deleted whoever misses them. One statement looks at so many rows. */
#define LONGEST_KEPT "interval '7 days'"
#define PRUNED_AT_ONCE "5000"
/* The pseudo reader in outbox_consumers whose position is the highest id that was deleted. */
#define PRUNED "pruned"
#define LOCK "hashtext('nof0 outbox consumer'), $1::int"

static const char *const names[OUTBOX_READER_COUNT] = {
    [OUTBOX_LIVE] = "live",   [OUTBOX_REDIS_0] = "redis:0", [OUTBOX_REDIS_1] = "redis:1",
    [OUTBOX_VIEWS] = "views", [OUTBOX_LEGACY] = "legacy",
};

const char *outbox_reader_name(enum outbox_reader reader)
{
    return names[reader];
}

enum outbox_reader outbox_reader_find(struct slice name)
{
    enum outbox_reader reader = 0;
    while (reader < OUTBOX_READER_COUNT && !slice_is(name, names[reader]))
        reader++;
    return reader;
}

static int64_t bigint_at(const PGresult *result, int field)
{
    uint64_t big = 0;
    memcpy(&big, PQgetvalue(result, 0, field), sizeof big);
    return (int64_t)be64toh(big);
}

/* One row of `count` bigints. */
static bool query_bigints(struct session *session, const char *sql, const struct params *params, int64_t *values[],
                          int count, struct err *err)
{
    PGresult *result = session_query(session, sql, params, err);
    if (!result)
        return false;
    bool good = PQntuples(result) == 1 && PQnfields(result) == count;
    for (int i = 0; good && i < count; i++) {
        good = PQgetlength(result, 0, i) == (int)sizeof(int64_t);
        if (good)
            *values[i] = bigint_at(result, i);
    }
    PQclear(result);
    return good || err_set(err, ERR_INTERNAL, "a query about the outbox gave something else than a row of bigints");
}

/* The number of a reader's lock. */
static int32_t lock_number(enum outbox_reader reader)
{
    return (int32_t)reader + 1;
}

bool outbox_try_lead(struct session *session, enum outbox_reader reader, bool *got, struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    int64_t taken = 0;
    params_add_i32(&params, lock_number(reader));
    bool good = query_bigints(session, "SELECT pg_try_advisory_lock(" LOCK ")::int::bigint", &params,
                              (int64_t *[]){&taken}, 1, err);
    *got = taken != 0;
    arena_free(arena);
    return good;
}

bool outbox_position(struct session *session, enum outbox_reader reader, int64_t *position, int64_t *pruned,
                     struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_text(&params, slice_of(names[reader]));
    bool good = query_bigints(session,
                              "SELECT coalesce((SELECT position FROM outbox_consumers WHERE name = $1), 0),"
                              " coalesce((SELECT position FROM outbox_consumers WHERE name = '" PRUNED "'), 0)",
                              &params, (int64_t *[]){position, pruned}, 2, err);
    arena_free(arena);
    return good;
}

bool outbox_advance(struct session *session, enum outbox_reader reader, int64_t position, struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_text(&params, slice_of(names[reader]));
    params_add_i64(&params, position);
    bool good = session_run(session,
                            "INSERT INTO outbox_consumers AS c (name, position) VALUES ($1, $2) ON CONFLICT (name) DO"
                            " UPDATE SET position = greatest(c.position, EXCLUDED.position), failures = 0,"
                            " last_error = NULL, updated_at = now()",
                            &params, NULL, err);
    arena_free(arena);
    return good;
}

bool outbox_note_failure(struct session *session, enum outbox_reader reader, const char *why, struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_text(&params, slice_of(names[reader]));
    params_add_text(&params, slice_of(why));
    bool good = session_run(session,
                            "INSERT INTO outbox_consumers AS c (name, failures, last_error) VALUES ($1, 1, $2)"
                            " ON CONFLICT (name) DO UPDATE SET failures = c.failures + 1,"
                            " last_error = EXCLUDED.last_error, updated_at = now()",
                            &params, NULL, err);
    arena_free(arena);
    return good;
}

bool outbox_bury(struct session *session, enum outbox_reader reader, const struct outbox_change *change,
                 unsigned attempts, const char *why, struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_text(&params, slice_of(names[reader]));
    params_add_i64(&params, change->id);
    params_add_i32(&params, (int32_t)attempts);
    params_add_text(&params, slice_of(why));
    bool good = session_run(session,
                            "WITH letter AS (INSERT INTO outbox_dead (consumer, outbox_id, feed, items, attempts,"
                            " error) SELECT $1, id, feed, items, $3, $4 FROM outbox WHERE id = $2"
                            " ON CONFLICT (consumer, outbox_id) DO NOTHING)"
                            " INSERT INTO outbox_consumers AS c (name, position) VALUES ($1, $2) ON CONFLICT (name) DO"
                            " UPDATE SET position = greatest(c.position, EXCLUDED.position), failures = 0,"
                            " last_error = NULL, updated_at = now()",
                            &params, NULL, err);
    arena_free(arena);
    return good;
}

/* The lock keeps the ids in the order of the commits (repo/outbox.h). */
bool outbox_revive(struct session *session, enum outbox_reader reader, int64_t *count, struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_text(&params, reader == OUTBOX_READER_COUNT ? (struct slice){NULL, 0} : slice_of(names[reader]));
    *count = 0;
    bool good = session_exec(session, "BEGIN; SELECT pg_advisory_xact_lock(hashtext('nof0 outbox'))", err) &&
                session_run(session,
                            "WITH risen AS (DELETE FROM outbox_dead WHERE $1::text IS NULL OR consumer = $1"
                            " RETURNING consumer, outbox_id, feed, items) INSERT INTO outbox (feed, items, target)"
                            " SELECT feed, items, consumer FROM risen ORDER BY outbox_id, consumer",
                            &params, count, err) &&
                session_exec(session, "NOTIFY " OUTBOX_CHANNEL, err) && session_commit(session, err);
    session_rollback(session);
    arena_free(arena);
    return good;
}

bool outbox_lag(struct session *session, enum outbox_reader reader, struct outbox_lag *lag, struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_text(&params, slice_of(names[reader]));
    params_add_i64(&params, OUTBOX_LAG_ROWS_MAX);
    bool good = query_bigints(
        session,
        "WITH place AS (SELECT coalesce((SELECT position FROM outbox_consumers WHERE name = $1), 0) AS p),"
        " behind AS NOT MATERIALIZED (SELECT o.id, o.created_at FROM outbox AS o, place WHERE o.id > place.p"
        " AND (o.target IS NULL OR o.target = $1) ORDER BY o.id LIMIT $2)"
        " SELECT (SELECT count(*) FROM behind),"
        " coalesce((SELECT greatest(0, extract(epoch FROM clock_timestamp() - created_at) * 1000000)::bigint"
        " FROM behind ORDER BY id LIMIT 1), 0),"
        " (SELECT count(*) FROM outbox_dead WHERE consumer = $1)",
        &params, (int64_t *[]){&lag->rows, &lag->us, &lag->dead}, 3, err);
    arena_free(arena);
    return good;
}

bool outbox_newest(struct session *session, int64_t *id, struct err *err)
{
    return query_bigints(session, "SELECT coalesce(max(id), 0) FROM outbox", NULL, (int64_t *[]){id}, 1, err);
}

bool outbox_counter(struct session *session, int64_t *id, struct err *err)
{
    return query_bigints(session, "SELECT last_value FROM outbox_id_seq", NULL, (int64_t *[]){id}, 1, err);
}

bool outbox_prune(struct session *session, int64_t keep_s, bool *more, struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    int64_t deleted = 0;
    params_add_f64(&params, (double)keep_s);
    bool good = query_bigints(
        session,
        "WITH passed AS (SELECT coalesce(min(position), 0) AS p FROM outbox_consumers WHERE name <> '" PRUNED "'),"
        " oldest AS (SELECT id, created_at FROM outbox ORDER BY id LIMIT " PRUNED_AT_ONCE "),"
        " gone AS (DELETE FROM outbox WHERE id IN (SELECT id FROM oldest, passed"
        " WHERE (id <= p AND created_at < clock_timestamp() - make_interval(secs => $1))"
        " OR created_at < clock_timestamp() - " LONGEST_KEPT ") RETURNING id),"
        " mark AS (INSERT INTO outbox_consumers AS c (name, position) SELECT '" PRUNED "', max(id) FROM gone"
        " HAVING count(*) > 0 ON CONFLICT (name) DO UPDATE"
        " SET position = greatest(c.position, EXCLUDED.position), updated_at = now())"
        " SELECT count(*) FROM gone",
        &params, (int64_t *[]){&deleted}, 1, err);
    *more = deleted == strtoll(PRUNED_AT_ONCE, NULL, 10);
    arena_free(arena);
    return good;
}

bool outbox_retire(struct session *session, enum outbox_reader reader, struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_i32(&params, lock_number(reader));
    params_add_text(&params, slice_of(names[reader]));
    bool good = session_run(session,
                            "DELETE FROM outbox_consumers WHERE name = $2 AND CASE WHEN name = $2 THEN"
                            " pg_try_advisory_xact_lock(" LOCK ") END",
                            &params, NULL, err);
    arena_free(arena);
    return good;
}
