/* The version of the data against a real server: it never falls, and every commit raises it. */
#include "base/err.h"
#include "repo/pg_testing.h"
#include "repo/version.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WRITERS = 6, COMMITS = 60 };

static struct pg_testing db;
static bool have_db;

static int start(void **state)
{
    (void)state;
    have_db = pg_testing_start(&db, "version");
    if (have_db)
        pg_testing_exec(db.conn, "CREATE TABLE commits (writer int, n int)");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    if (have_db)
        pg_testing_stop(&db);
    return 0;
}

static struct session *open_session(void)
{
    struct err err = ERR_INIT;
    struct session *session = session_open(db.dsn, &err);
    if (!session)
        fail_msg("%s", err.text);
    return session;
}

static void exec(struct session *session, const char *sql)
{
    struct err err = ERR_INIT;
    if (!session_exec(session, sql, &err))
        fail_msg("%s: %s", sql, err.text);
}

static int64_t version_of(struct session *session)
{
    struct err err = ERR_INIT;
    int64_t version = 0;
    if (!repo_version_read(session, &version, &err))
        fail_msg("%s", err.text);
    return version;
}

static void test_a_commit_raises_it_and_only_a_commit_has_to(void **state)
{
    (void)state;
    if (!have_db)
        skip();
    struct session *reader = open_session();
    struct session *writer = open_session();
    int64_t last = version_of(reader);
    assert_true(last > 0);
    for (int i = 0; i < 20; i++) {
        exec(writer, "BEGIN; INSERT INTO commits VALUES (0, 0)");
        int64_t open = version_of(reader);
        assert_true(open >= last);
        exec(writer, "COMMIT");
        int64_t after = version_of(reader);
        assert_true(after > open);
        last = after;
    }
    session_close(writer);
    session_close(reader);
}

/* Savepoints take transaction numbers of their own, which stay unfinished with their transaction. */
static void test_savepoints(void **state)
{
    (void)state;
    if (!have_db)
        skip();
    struct session *reader = open_session();
    struct session *writer = open_session();
    struct session *other = open_session();
    int64_t last = version_of(reader);
    exec(writer, "BEGIN; INSERT INTO commits VALUES (0, 0)");
    /* More than Postgres keeps in its shared array of subtransactions (64). */
    for (int i = 0; i < 100; i++) {
        exec(writer, "SAVEPOINT s; INSERT INTO commits VALUES (0, 0)");
        if (i % 3 == 0)
            exec(writer, "ROLLBACK TO SAVEPOINT s");
        if (i % 10 == 0)
            exec(other, "INSERT INTO commits VALUES (1, 1)");
        int64_t now = version_of(reader);
        assert_true(now >= last);
        assert_true(i % 10 != 0 || now > last);
        last = now;
    }
    exec(writer, "COMMIT");
    assert_true(version_of(reader) > last);
    session_close(other);
    session_close(writer);
    session_close(reader);
}

/* Nobody changes the numbers of the transaction that reads. */
static void test_a_snapshot_keeps_its_version(void **state)
{
    (void)state;
    if (!have_db)
        skip();
    struct session *reader = open_session();
    struct session *writer = open_session();
    struct err err = ERR_INIT;
    assert_true(session_begin_snapshot(reader, &err));
    int64_t version = version_of(reader);
    exec(writer, "INSERT INTO commits VALUES (2, 2)");
    assert_true(version_of(reader) == version);
    session_rollback(reader);
    assert_true(version_of(reader) > version);
    session_close(writer);
    session_close(reader);
}

/* Writers announce what they know: after commit n of a writer, a fresh snapshot has version V. Readers note what they
 * saw in one snapshot: its version and each writer's newest commit. */
struct race {
    atomic_int writing;
    atomic_bool failed;
    int64_t announced[WRITERS][COMMITS + 1]; /* by commit; read when all threads are over */
};

struct racer {
    struct race *race;
    int number;
    pthread_t thread;
    struct seen {
        int64_t version;
        int newest[WRITERS];
    } * seen;
    size_t seen_count;
};

static PGresult *query(PGconn *conn, const char *sql, struct race *race)
{
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK) {
        (void)fprintf(stderr, "%s: %s\n", sql, PQerrorMessage(conn));
        atomic_store(&race->failed, true);
    }
    return result;
}

static void *write_all(void *arg)
{
    struct racer *racer = arg;
    PGconn *conn = PQconnectdb(db.dsn);
    for (int n = 1; n <= COMMITS; n++) {
        char sql[256];
        (void)snprintf(sql, sizeof sql,
                       "BEGIN; SAVEPOINT a; INSERT INTO commits VALUES (%d, %d); RELEASE a; SAVEPOINT b; "
                       "INSERT INTO commits VALUES (%d, -1); ROLLBACK TO b; COMMIT",
                       100 + racer->number, n, 100 + racer->number);
        PQclear(query(conn, sql, racer->race));
        PGresult *result = query(conn, repo_version_sql, racer->race);
        racer->race->announced[racer->number][n] = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
        PQclear(result);
    }
    PQfinish(conn);
    (void)atomic_fetch_sub(&racer->race->writing, 1);
    return NULL;
}

static void *read_all(void *arg)
{
    struct racer *racer = arg;
    PGconn *conn = PQconnectdb(db.dsn);
    char sql[512];
    (void)snprintf(sql, sizeof sql, "SELECT (%s), writer, max(n) FROM commits WHERE writer >= 100 GROUP BY writer",
                   repo_version_sql);
    size_t room = 0;
    while (atomic_load(&racer->race->writing) > 0 && !atomic_load(&racer->race->failed)) {
        PGresult *result = query(conn, sql, racer->race);
        if (racer->seen_count == room) {
            room = room ? room * 2 : 256;
            racer->seen = realloc(racer->seen, room * sizeof *racer->seen);
        }
        struct seen *seen = &racer->seen[racer->seen_count];
        memset(seen, 0, sizeof *seen);
        for (int i = 0; i < PQntuples(result); i++) {
            seen->version = strtoll(PQgetvalue(result, i, 0), NULL, 10);
            seen->newest[atoi(PQgetvalue(result, i, 1)) - 100] = atoi(PQgetvalue(result, i, 2));
        }
        racer->seen_count += PQntuples(result) > 0;
        PQclear(result);
    }
    PQfinish(conn);
    return NULL;
}

static void check_seen(const struct race *race, const struct racer *reader)
{
    for (size_t i = 0; i < reader->seen_count; i++) {
        const struct seen *seen = &reader->seen[i];
        assert_true(i == 0 || seen->version >= reader->seen[i - 1].version);
        for (int writer = 0; writer < WRITERS; writer++) {
            /* Nothing that was announced with this version or an older one may be missing. */
            int next = seen->newest[writer] + 1;
            if (next <= COMMITS && race->announced[writer][next] <= seen->version)
                fail_msg("version %lld lacks commit %d of writer %d, announced with %lld", (long long)seen->version,
                         next, writer, (long long)race->announced[writer][next]);
        }
    }
}

static void test_what_is_announced_is_in_every_answer_from_then_on(void **state)
{
    (void)state;
    if (!have_db)
        skip();
    struct race *race = calloc(1, sizeof *race);
    atomic_init(&race->writing, WRITERS);
    atomic_init(&race->failed, false);
    enum { READERS = 2 };
    struct racer racers[WRITERS + READERS] = {0};
    for (int i = 0; i < WRITERS + READERS; i++) {
        racers[i].race = race;
        racers[i].number = i;
        assert_int_equal(pthread_create(&racers[i].thread, NULL, i < WRITERS ? write_all : read_all, &racers[i]), 0);
    }
    for (int i = 0; i < WRITERS + READERS; i++)
        (void)pthread_join(racers[i].thread, NULL);
    assert_false(atomic_load(&race->failed));
    for (int i = WRITERS; i < WRITERS + READERS; i++) {
        assert_true(racers[i].seen_count > 0);
        check_seen(race, &racers[i]);
        free(racers[i].seen);
    }
    free(race);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_commit_raises_it_and_only_a_commit_has_to),
        cmocka_unit_test(test_savepoints),
        cmocka_unit_test(test_a_snapshot_keeps_its_version),
        cmocka_unit_test(test_what_is_announced_is_in_every_answer_from_then_on),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
