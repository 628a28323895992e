#include "base/buf.h"
#include "repo/migrate.h"
#include "repo/session_testing.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static int set_up(void **state)
{
    return session_testing_start(state, "migrate", false);
}

/* A session on a database without anything in it. */
static struct session *empty(void **state)
{
    struct session *session = session_testing_of(state);
    session_testing_must(session, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    return session;
}

static void up(struct session *session, const struct migration_set *set, unsigned to)
{
    struct err err = ERR_INIT;
    if (!migrate_up(session, set, to, NULL, &err))
        fail_msg("%s", err.text);
}

/* Everything that a migration can make, as text. */
static const char catalogue_sql[] =
    "WITH here AS (SELECT current_schema()::regnamespace AS schema), things (line) AS MATERIALIZED ("
    "SELECT format('column %s.%s %s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), "
    "a.attnotnull, "
    "pg_get_expr(d.adbin, d.adrelid), (SELECT collname FROM pg_collation l WHERE l.oid = a.attcollation)) "
    "FROM here, pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
    "LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum "
    "WHERE c.relnamespace = schema AND a.attnum > 0 AND NOT a.attisdropped "
    "UNION ALL SELECT format('relation %s %s', relname, relkind) FROM here, pg_class WHERE relnamespace = schema "
    "UNION ALL SELECT pg_get_indexdef(i.indexrelid) FROM here, pg_index i JOIN pg_class c ON c.oid = i.indrelid "
    "WHERE c.relnamespace = schema "
    "UNION ALL SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) "
    "FROM here, pg_constraint WHERE connamespace = schema "
    "UNION ALL SELECT format('view %s %s', matviewname, definition) FROM here, pg_matviews "
    "WHERE schemaname = schema::text "
    "UNION ALL SELECT pg_get_functiondef(oid) FROM here, pg_proc WHERE pronamespace = schema "
    "UNION ALL SELECT format('type %s', typname) FROM here, pg_type WHERE typnamespace = schema) "
    "SELECT coalesce(string_agg(line, E'\\n' ORDER BY line COLLATE \"C\"), '') FROM things "
    "WHERE line NOT LIKE '%schema_migrations%'";

static char *catalogue(struct session *session)
{
    struct err err = ERR_INIT;
    PGresult *result = session_query(session, catalogue_sql, NULL, &err);
    if (!result)
        fail_msg("%s", err.text);
    char *text = strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    return text;
}

static struct migration_set *embedded(void)
{
    struct err err = ERR_INIT;
    struct migration_set *set = migration_set_embedded(&err);
    assert_non_null(set);
    return set;
}

static void up_down_up_gives_the_same_catalogue(void **state)
{
    struct session *session = empty(state);
    struct migration_set *set = embedded();
    struct err err = ERR_INIT;
    char *after[64];
    assert_true(set->count < 64);
    after[0] = catalogue(session);
    assert_string_equal(after[0], "");
    for (unsigned i = 1; i <= set->count; i++) {
        up(session, set, i);
        after[i] = catalogue(session);
        assert_string_not_equal(after[i], after[i - 1]);
    }
    for (unsigned i = set->count; i > 0; i--) {
        assert_true(migrate_down_one(session, set, NULL, &err));
        char *now = catalogue(session);
        assert_string_equal(now, after[i - 1]);
        free(now);
    }
    assert_true(migrate_down_one(session, set, NULL, &err)); /* nothing is left to revert */
    up(session, set, MIGRATE_ALL);
    char *again = catalogue(session);
    assert_string_equal(again, after[set->count]);
    free(again);
    assert_true(migrate_down(session, set, 0, NULL, &err));
    for (unsigned i = 0; i <= set->count; i++)
        free(after[i]);
    migration_set_free(set);
}

struct text_migration {
    const char *up;
    const char *down;
};

/* Migrations 0001_m, 0002_m, ... of these texts. */
static struct migration_set *set_of(const struct text_migration *texts, size_t count)
{
    struct migration_file files[16];
    char names[16][32];
    struct err err = ERR_INIT;
    assert_true(count <= 8);
    for (size_t i = 0; i < count; i++) {
        snprintf(names[2 * i], sizeof names[0], "%04zu_m.up.sql", i + 1);
        snprintf(names[2 * i + 1], sizeof names[0], "%04zu_m.down.sql", i + 1);
        files[2 * i] = (struct migration_file){names[2 * i], texts[i].up, strlen(texts[i].up)};
        files[2 * i + 1] = (struct migration_file){names[2 * i + 1], texts[i].down, strlen(texts[i].down)};
    }
    struct migration_set *set = migration_set_new(files, 2 * count, &err);
    if (!set)
        fail_msg("%s", err.text);
    return set;
}

static const struct text_migration three[] = {
    {"CREATE TABLE a (x int);", "DROP TABLE a;"},
    {"CREATE TABLE b (x int);", "DROP TABLE b;"},
    {"CREATE TABLE c (x int);", "DROP TABLE c;"},
};

static void refused(struct session *session, const struct migration_set *set, const char *what)
{
    struct err err = ERR_INIT;
    char *before = catalogue(session);
    assert_false(migrate_up(session, set, MIGRATE_ALL, NULL, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    if (!strstr(err.text, what))
        fail_msg("%s", err.text);
    err = (struct err)ERR_INIT;
    assert_false(migrate_down_one(session, set, NULL, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    char *after = catalogue(session);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void a_changed_migration_is_refused(void **state)
{
    struct session *session = empty(state);
    struct migration_set *set = set_of(three, 3);
    up(session, set, 2);
    static const struct text_migration changed[] = {
        {"CREATE TABLE a (x bigint);", "DROP TABLE a;"},
        {"CREATE TABLE b (x int);", "DROP TABLE b;"},
        {"CREATE TABLE c (x int);", "DROP TABLE c;"},
    };
    struct migration_set *other = set_of(changed, 3);
    refused(session, other, "0001_m was changed");
    session_testing_must(session, "UPDATE schema_migrations SET name = '0002_other' WHERE version = 2");
    refused(session, set, "applied as 0002_other");
    migration_set_free(set);
    migration_set_free(other);
}

static void a_newer_database_is_refused(void **state)
{
    struct session *session = empty(state);
    struct migration_set *set = set_of(three, 3);
    struct migration_set *older = set_of(three, 2);
    up(session, set, MIGRATE_ALL);
    refused(session, older, "newer than this program");
    migration_set_free(set);
    migration_set_free(older);
}

static void a_hole_in_the_record_is_refused(void **state)
{
    struct session *session = empty(state);
    struct migration_set *set = set_of(three, 3);
    up(session, set, 2);
    session_testing_must(session, "DELETE FROM schema_migrations WHERE version = 1");
    refused(session, set, "no row for 0001_m");
    migration_set_free(set);
}

static void a_failing_migration_leaves_nothing(void **state)
{
    struct session *session = empty(state);
    static const struct text_migration texts[] = {
        {"CREATE TABLE a (x int);", "DROP TABLE a;"},
        {"CREATE TABLE b (x int);\n-- \xc3\xa9\nSELECT nothing;\n", "DROP TABLE b;"},
    };
    struct migration_set *set = set_of(texts, 2);
    struct err err = ERR_INIT;
    assert_false(migrate_up(session, set, MIGRATE_ALL, NULL, &err));
    assert_non_null(strstr(err.text, "0002_m"));
    assert_non_null(strstr(err.text, "line 3"));
    assert_non_null(strstr(err.text, "42703"));
    session_testing_must(session, "SELECT * FROM a");
    assert_false(session_exec(session, "SELECT * FROM b", &err));
    /* Mended, it goes on where it stopped. */
    struct migration_set *mended = set_of(three, 3);
    up(session, mended, MIGRATE_ALL);
    session_testing_must(session, "SELECT * FROM b, c");
    migration_set_free(set);
    migration_set_free(mended);
}

static const struct text_migration outside[] = {
    {"CREATE TABLE a (x int);", "DROP TABLE a;"},
    {"-- nof0: no transaction\nCREATE INDEX CONCURRENTLY a_x ON a (x);\n-- nof0: next\nINSERT INTO a VALUES (1), "
     "(%);\n",
     "-- nof0: no transaction\nDROP INDEX CONCURRENTLY a_x;\n"},
};

/* The good form of outside[1]: the same but for its last statement. */
static struct migration_set *outside_set(bool good)
{
    struct text_migration texts[] = {outside[0], outside[1]};
    if (good)
        texts[1].up = "-- nof0: no transaction\nCREATE INDEX CONCURRENTLY a_x ON a (x);\n-- nof0: next\nVACUUM a;\n";
    return set_of(texts, 2);
}

static void some_statements_run_outside_of_a_transaction(void **state)
{
    struct session *session = empty(state);
    struct migration_set *set = outside_set(true);
    struct err err = ERR_INIT;
    up(session, set, MIGRATE_ALL);
    session_testing_must(session, "DO $$ BEGIN ASSERT to_regclass('a_x') IS NOT NULL; END $$");
    assert_true(migrate_down_one(session, set, NULL, &err));
    session_testing_must(session, "DO $$ BEGIN ASSERT to_regclass('a_x') IS NULL; END $$");
    up(session, set, MIGRATE_ALL);
    migration_set_free(set);
}

static void a_half_applied_migration_stops_everything_until_it_is_resolved(void **state)
{
    struct session *session = empty(state);
    struct migration_set *set = outside_set(false);
    struct err err = ERR_INIT;
    assert_false(migrate_up(session, set, MIGRATE_ALL, NULL, &err));
    assert_non_null(strstr(err.text, "line 4"));
    refused(session, set, "half-applied");
    assert_false(migrate_resolve(session, set, 1, true, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_false(migrate_resolve(session, set, 3, true, &err));
    session_testing_must(session, "DROP INDEX a_x");
    assert_true(migrate_resolve(session, set, 2, false, &err));
    struct migration_set *mended = outside_set(true);
    up(session, mended, MIGRATE_ALL);
    assert_false(migrate_resolve(session, mended, 2, true, &err));
    /* The other way: undoing stopped half-way, and the operator says that it is there. */
    session_testing_must(session, "DROP INDEX a_x");
    assert_false(migrate_down_one(session, mended, NULL, &err));
    refused(session, mended, "reverting");
    session_testing_must(session, "CREATE INDEX a_x ON a (x)");
    assert_true(migrate_resolve(session, mended, 2, true, &err));
    assert_true(migrate_down(session, mended, 0, NULL, &err));
    migration_set_free(set);
    migration_set_free(mended);
}

static void a_migration_that_commits_by_itself_is_half_applied(void **state)
{
    struct session *session = empty(state);
    static const struct text_migration texts[] = {{"CREATE TABLE a (x int); COMMIT;", "DROP TABLE a;"}};
    struct migration_set *set = set_of(texts, 1);
    struct err err = ERR_INIT;
    assert_false(migrate_up(session, set, MIGRATE_ALL, NULL, &err));
    assert_non_null(strstr(err.text, "ends its own transaction"));
    refused(session, set, "half-applied");
    migration_set_free(set);
}

struct tally {
    unsigned applied;
    unsigned waited;
};

static void count_events(void *arg, enum migrate_event event, const struct migration *migration, int64_t took_ms)
{
    struct tally *tally = arg;
    (void)took_ms;
    assert_true((event == MIGRATE_WAITING) == (migration == NULL));
    tally->applied += event == MIGRATE_APPLIED;
    tally->waited += event == MIGRATE_WAITING;
}

struct racer {
    const char *dsn;
    const struct migration_set *set;
    struct tally tally;
    struct err err;
    bool good;
};

static void *race(void *arg)
{
    struct racer *racer = arg;
    struct session *session = session_open(racer->dsn, &racer->err);
    struct migrate_watch watch = {count_events, &racer->tally};
    racer->good = session && migrate_up(session, racer->set, MIGRATE_ALL, &watch, &racer->err);
    session_close(session);
    return NULL;
}

static void of_many_migrators_one_works_and_the_others_find_nothing_to_do(void **state)
{
    enum { RACERS = 4 };
    static const struct text_migration slow[] = {
        {"CREATE TABLE a (x int); SELECT pg_sleep(0.4);", "DROP TABLE a;"},
        {"CREATE TABLE b (x int);", "DROP TABLE b;"},
    };
    empty(state);
    struct session_testing *fixture = *state;
    struct migration_set *set = set_of(slow, 2);
    struct racer racers[RACERS];
    pthread_t threads[RACERS];
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.dsn = fixture->testing.dsn, .set = set};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    unsigned applied = 0;
    unsigned waited = 0;
    for (int i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        if (!racers[i].good)
            fail_msg("%s", racers[i].err.text);
        assert_true(racers[i].tally.applied == 0 || racers[i].tally.applied == 2);
        applied += racers[i].tally.applied;
        waited += racers[i].tally.waited;
    }
    assert_int_equal(applied, 2);
    assert_int_equal(waited, RACERS - 1);
    migration_set_free(set);
}

static void a_killed_migrator_leaves_nothing_and_the_next_one_goes_on(void **state)
{
    static const struct text_migration texts[] = {
        {"CREATE TABLE a (x int);", "DROP TABLE a;"},
        {"CREATE TABLE b (x int); SELECT pg_sleep(0.5);", "DROP TABLE b;"},
    };
    struct session *session = empty(state);
    struct session_testing *fixture = *state;
    struct migration_set *set = set_of(texts, 2);
    struct racer racer = {.dsn = fixture->testing.dsn, .set = set};
    pid_t child = fork();
    if (child == 0) {
        race(&racer);
        _exit(0);
    }
    /* Until it is in the middle of its second migration. */
    for (int64_t applied = 0; applied == 0;) {
        struct err err = ERR_INIT;
        usleep(20000);
        if (!session_run(session, "SELECT FROM schema_migrations", NULL, &applied, &err))
            applied = 0;
    }
    usleep(100000);
    assert_int_equal(kill(child, SIGKILL), 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    struct tally tally = {0};
    struct err err = ERR_INIT;
    struct migrate_watch watch = {count_events, &tally};
    assert_true(migrate_up(session, set, MIGRATE_ALL, &watch, &err));
    assert_int_equal(tally.applied, 1);
    session_testing_must(session, "SELECT * FROM a, b");
    migration_set_free(set);
}

static void collect_status(void *arg, const struct migration *migration, const char *status, const char *applied_at)
{
    buf_printf(arg, "%s=%s%s ", migration->label, status, applied_at ? "" : "!");
}

static void status_changes_nothing(void **state)
{
    struct session *session = empty(state);
    struct migration_set *set = set_of(three, 3);
    struct migration_set *older = set_of(three, 1);
    struct err err = ERR_INIT;
    struct buf seen = BUF_INIT;
    unsigned pending = 0;
    assert_true(migrate_status(session, set, collect_status, &seen, &pending, &err));
    assert_int_equal(pending, 3);
    session_testing_must(session, "DO $$ BEGIN ASSERT to_regclass('schema_migrations') IS NULL; END $$");
    up(session, set, 2);
    buf_clear(&seen);
    assert_true(migrate_status(session, set, collect_status, &seen, &pending, &err));
    assert_int_equal(pending, 1);
    assert_string_equal(buf_cstr(&seen), "0001_m=applied 0002_m=applied 0003_m=pending! ");
    assert_false(migrate_status(session, older, collect_status, &seen, &pending, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    buf_free(&seen);
    migration_set_free(set);
    migration_set_free(older);
}

static void who_may_not_create_can_ask_whether_all_is_done(void **state)
{
    struct session *session = empty(state);
    struct migration_set *set = set_of(three, 2);
    struct migration_set *more = set_of(three, 3);
    struct err err = ERR_INIT;
    up(session, set, MIGRATE_ALL);
    session_testing_must(session, "REVOKE CREATE ON SCHEMA public FROM CURRENT_USER");
    up(session, set, MIGRATE_ALL);
    assert_false(migrate_up(session, more, MIGRATE_ALL, NULL, &err));
    assert_non_null(strstr(err.text, "permission denied"));
    migration_set_free(set);
    migration_set_free(more);
}

static void numbers_that_do_not_exist_are_invalid(void **state)
{
    struct session *session = empty(state);
    struct migration_set *set = set_of(three, 3);
    struct err err = ERR_INIT;
    assert_false(migrate_up(session, set, 4, NULL, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_false(migrate_down(session, set, 4, NULL, &err));
    assert_int_equal(err.code, ERR_INVALID);
    up(session, set, 3);
    up(session, set, 1); /* is over already: nothing to do */
    session_testing_must(session, "SELECT * FROM a, b, c");
    assert_true(migrate_down(session, set, 1, NULL, &err));
    session_testing_must(session, "SELECT * FROM a");
    assert_false(session_exec(session, "SELECT * FROM b", &err));
    migration_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(up_down_up_gives_the_same_catalogue),
        cmocka_unit_test(a_changed_migration_is_refused),
        cmocka_unit_test(a_newer_database_is_refused),
        cmocka_unit_test(a_hole_in_the_record_is_refused),
        cmocka_unit_test(a_failing_migration_leaves_nothing),
        cmocka_unit_test(some_statements_run_outside_of_a_transaction),
        cmocka_unit_test(a_half_applied_migration_stops_everything_until_it_is_resolved),
        cmocka_unit_test(a_migration_that_commits_by_itself_is_half_applied),
        cmocka_unit_test(of_many_migrators_one_works_and_the_others_find_nothing_to_do),
        cmocka_unit_test(a_killed_migrator_leaves_nothing_and_the_next_one_goes_on),
        cmocka_unit_test(status_changes_nothing),
        cmocka_unit_test(who_may_not_create_can_ask_whether_all_is_done),
        cmocka_unit_test(numbers_that_do_not_exist_are_invalid),
    };
    return cmocka_run_group_tests(tests, set_up, session_testing_stop);
}
