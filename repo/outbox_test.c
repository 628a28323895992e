/* The outbox's promise: ids count up in the order of the commits, and a row is there exactly when its change is. */
#include "base/mem.h"
#include "repo/outbox.h"
#include "repo/session_testing.h"
#include "repo/version.h"

#include <pthread.h>
#include <stdlib.h>

static int set_up(void **state)
{
    return session_testing_start(state, "outbox", true);
}

static void note(struct outbox_notes *notes, enum outbox_feed feed, const char *a, const char *b)
{
    const struct slice texts[] = {slice_of(a), slice_of(b)};
    outbox_note(notes, feed, texts, 2);
}

static void expect_text(struct session *session, const char *sql, const char *expected)
{
    struct err err = ERR_INIT;
    PGresult *result = session_query(session, sql, NULL, &err);
    if (!result)
        fail_msg("%s: %s", sql, err.text);
    assert_int_equal(PQntuples(result), 1);
    assert_string_equal(PQgetvalue(result, 0, 0), expected);
    PQclear(result);
}

static void names_lead_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OUTBOX_FEED_COUNT; i++)
        assert_int_equal(outbox_feed_find(slice_of(outbox_feed_name((enum outbox_feed)i))), i);
    assert_int_equal(outbox_feed_find(SLICE("trade")), OUTBOX_FEED_COUNT);
}

static void commits_what_was_noted(void **state)
{
    struct session *session = session_testing_of(state);
    struct outbox_notes notes = OUTBOX_NOTES_INIT;
    struct err err = ERR_INIT;
    int64_t before = 0;
    int64_t after = 0;
    note(&notes, OUTBOX_TRADES, "m", "t\"1");
    note(&notes, OUTBOX_TRADES, "m", "t2");
    note(&notes, OUTBOX_POSITIONS, "m", "p");
    assert_true(repo_version_read(session, &before, &err));
    session_testing_must(session, "BEGIN; INSERT INTO models (id, display_name) VALUES ('m', 'm')");
    if (!outbox_commit(session, &notes, "UPDATE models SET description = 'last'", &after, &err))
        fail_msg("%s", err.text);
    assert_true(after > before);
    expect_text(session, "SELECT description FROM models WHERE id = 'm'", "last");
    expect_text(session, "SELECT string_agg(feed || items::text, ' ' ORDER BY id) FROM outbox",
                "trades[[\"m\", \"t\\\"1\"], [\"m\", \"t2\"]] positions[[\"m\", \"p\"]]");
    /* Cleared notes write nothing. */
    outbox_notes_clear(&notes);
    assert_false(outbox_notes_any(&notes));
    session_testing_must(session, "BEGIN");
    assert_true(outbox_commit(session, &notes, NULL, NULL, &err));
    expect_text(session, "SELECT count(*)::text FROM outbox", "2");
    outbox_notes_free(&notes);
}

static void a_failed_transaction_leaves_no_row(void **state)
{
    struct session *session = session_testing_of(state);
    struct outbox_notes notes = OUTBOX_NOTES_INIT;
    struct err err = ERR_INIT;
    note(&notes, OUTBOX_TRADES, "never", "x");
    session_testing_must(session, "BEGIN");
    assert_false(outbox_commit(session, &notes, "SELECT 1/0", NULL, &err));
    assert_int_equal(err.code, ERR_INVALID);
    session_rollback(session);
    expect_text(session, "SELECT count(*)::text FROM outbox WHERE items @> '[[\"never\"]]'", "0");
    outbox_notes_free(&notes);
}

enum { WRITERS = 4, COMMITS = 60 };

struct writer {
    const char *dsn;
    unsigned number;
    bool good;
};

static void *write_many(void *arg)
{
    struct writer *writer = arg;
    struct err err = ERR_INIT;
    struct session *session = session_open(writer->dsn, &err);
    struct outbox_notes notes = OUTBOX_NOTES_INIT;
    note(&notes, OUTBOX_ANALYTICS, "m", "x");
    writer->good = session != NULL;
    for (unsigned i = 0; writer->good && i < COMMITS; i++)
        writer->good = session_begin(session, &err) && outbox_commit(session, &notes, NULL, NULL, &err);
    outbox_notes_free(&notes);
    session_close(session);
    return NULL;
}

/* A reader that never goes back sees every row: nothing appears behind what it has seen. */
static void nothing_appears_behind_a_reader(void **state)
{
    struct session *session = session_testing_of(state);
    struct session_testing *fixture = *state;
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    struct err err = ERR_INIT;
    session_testing_must(session, "TRUNCATE outbox");
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){fixture->testing.dsn, i, false};
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
    }
    int64_t position = 0;
    int seen = 0;
    while (seen < WRITERS * COMMITS) {
        struct arena *arena = arena_new(0);
        struct params params = params_on(arena);
        params_add_i64(&params, position);
        PGresult *result =
            session_query(session, "SELECT id::text FROM outbox WHERE id > $1 ORDER BY id", &params, &err);
        assert_non_null(result);
        seen += PQntuples(result);
        if (PQntuples(result))
            position = strtoll(PQgetvalue(result, PQntuples(result) - 1, 0), NULL, 10);
        PQclear(result);
        arena_free(arena);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(writers[i].good);
    }
    expect_text(session, "SELECT count(*)::text FROM outbox", "240");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_lead_back),
        cmocka_unit_test(commits_what_was_noted),
        cmocka_unit_test(a_failed_transaction_leaves_no_row),
        cmocka_unit_test(nothing_appears_behind_a_reader),
    };
    return cmocka_run_group_tests(tests, set_up, session_testing_stop);
}
