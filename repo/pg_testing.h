/* For tests against a real Postgres: a database of one's own on the server of NOF0_TEST_POSTGRES_DSN. */
#ifndef NOF0_REPO_PG_TESTING_H
#define NOF0_REPO_PG_TESTING_H

#include "base/testing.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pg_testing {
    char name[64];
    char dsn[2048]; /* of the own database */
    PGconn *server; /* to the database of the environment */
    PGconn *conn;   /* to the own one */
};

static inline PGconn *pg_testing_connect(const char *dsn)
{
    PGconn *conn = PQconnectdb(dsn);
    if (PQstatus(conn) != CONNECTION_OK) {
        fail_msg("%s", PQerrorMessage(conn));
    }
    return conn;
}

static inline void pg_testing_exec(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    }
    PQclear(result);
}

/* The DSN of another database on the connection's server. */
static inline void pg_testing_dsn(char *out, size_t size, PGconn *conn, const char *host, const char *port,
                                  const char *database)
{
    const char *password = PQpass(conn);
    snprintf(out, size, "host='%s' port='%s' dbname='%s' user='%s'%s%s%s", host ? host : PQhost(conn),
             port ? port : PQport(conn), database, PQuser(conn), password && *password ? " password='" : "",
             password ? password : "", password && *password ? "'" : "");
}

/* False when there is no server to test with: the caller skips. */
static inline bool pg_testing_start(struct pg_testing *testing, const char *purpose)
{
    const char *dsn = getenv("NOF0_TEST_POSTGRES_DSN");
    if (!dsn || !*dsn) {
        return false;
    }
    memset(testing, 0, sizeof *testing);
    testing->server = pg_testing_connect(dsn);
    snprintf(testing->name, sizeof testing->name, "nof0_%s_%ld", purpose, (long)getpid());
    char sql[128];
    snprintf(sql, sizeof sql, "CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8'", testing->name);
    pg_testing_exec(testing->server, sql);
    pg_testing_dsn(testing->dsn, sizeof testing->dsn, testing->server, NULL, NULL, testing->name);
    testing->conn = pg_testing_connect(testing->dsn);
    return true;
}

static inline void pg_testing_stop(struct pg_testing *testing)
{
    char sql[256];
    PQfinish(testing->conn);
    /* FORCE would also have to end an autovacuum that is at work there, which takes more rights than tests have;
     * without it the server waits for that. */
    snprintf(sql, sizeof sql,
             "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s' AND usename = current_user",
             testing->name);
    pg_testing_exec(testing->server, sql);
    snprintf(sql, sizeof sql, "DROP DATABASE %s", testing->name);
    pg_testing_exec(testing->server, sql);
    PQfinish(testing->server);
}

#endif
