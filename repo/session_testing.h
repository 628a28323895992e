/* For tests that need a session on a database of their own: cmocka's group set-up and tear-down, and ways to use it. */
#ifndef NOF0_REPO_SESSION_TESTING_H
#define NOF0_REPO_SESSION_TESTING_H

#include "repo/migrate.h"
#include "repo/pg_testing.h"
#include "repo/session.h"

struct session_testing {
    struct pg_testing testing;
    struct session *session;
};

/* Makes the database, migrated or empty. Without a server to test with, *state stays NULL. */
static inline int session_testing_start(void **state, const char *purpose, bool migrated)
{
    static struct session_testing fixture;
    struct err err = ERR_INIT;
    if (!pg_testing_start(&fixture.testing, purpose))
        return 0;
    fixture.session = session_open(fixture.testing.dsn, &err);
    if (!fixture.session)
        fail_msg("%s", err.text);
    if (migrated) {
        struct migration_set *set = migration_set_embedded(&err);
        if (!set || !migrate_up(fixture.session, set, MIGRATE_ALL, NULL, &err))
            fail_msg("%s", err.text);
        migration_set_free(set);
    }
    *state = &fixture;
    return 0;
}

static inline int session_testing_stop(void **state)
{
    struct session_testing *fixture = *state;
    if (fixture) {
        session_close(fixture->session);
        pg_testing_stop(&fixture->testing);
    }
    return 0;
}

/* The session; skips the test when there is no server to test with. */
static inline struct session *session_testing_of(void **state)
{
    struct session_testing *fixture = *state;
    if (!fixture)
        skip();
    return fixture->session;
}

static inline void session_testing_must(struct session *session, const char *sql)
{
    struct err err = ERR_INIT;
    if (!session_exec(session, sql, &err))
        fail_msg("%s: %s", sql, err.text);
}

#endif
