/* The flags' table and log: changes one at a time, whoever makes them. */
#include "flags/store.h"
#include "repo/session_testing.h"

#include <inttypes.h>
#include <pthread.h>

static int set_up(void **state)
{
    return session_testing_start(state, "flags", true);
}

static struct flag_change change_to(enum flag flag, const char *value)
{
    struct flag_change change = {.flag = flag,
                                 .set = value != NULL,
                                 .origin = FLAG_BY_OPERATOR,
                                 .actor = SLICE("somebody"),
                                 .reason = SLICE("a test"),
                                 .expected = FLAG_VERSION_ANY};
    struct err err = ERR_INIT;
    if (value && !flag_value_parse(flag, slice_of(value), &change.value, &err))
        fail_msg("%s", err.text);
    return change;
}

static int64_t must(struct session *session, const struct flag_change *change)
{
    struct err err = ERR_INIT;
    int64_t version = -1;
    if (!flag_store_change(session, change, &version, &err))
        fail_msg("%s", err.text);
    return version;
}

static struct flag_store_rows load(struct session *session, unsigned unknown_wanted)
{
    struct flag_store_rows rows;
    struct err err = ERR_INIT;
    unsigned unknown = 99;
    if (!flag_store_load(session, &rows, &unknown, &err))
        fail_msg("%s", err.text);
    assert_int_equal(unknown, unknown_wanted);
    return rows;
}

/* Collects lines "id flag from>to origin actor reason forced". */
static bool put_logged(void *arg, const struct flag_logged *logged)
{
    buf_printf(arg, "%" PRId64 " %s %.*s>%.*s %.*s %.*s %.*s%s\n", logged->id, flag_name(logged->flag),
               SLICE_ARG(logged->from.p ? logged->from : SLICE("-")), SLICE_ARG(logged->to.p ? logged->to : SLICE("-")),
               SLICE_ARG(logged->origin), SLICE_ARG(logged->actor), SLICE_ARG(logged->reason),
               logged->forced ? " forced" : "");
    assert_true(logged->at_us > INT64_C(1700000000000000));
    return true;
}

static bool only_one(void *arg, const struct flag_logged *logged)
{
    (void)put_logged(arg, logged);
    return false;
}

static void start_empty(struct session *session)
{
    session_testing_must(session, "TRUNCATE feature_flags; TRUNCATE feature_flag_changes RESTART IDENTITY");
}

static void changes_are_kept_and_logged(void **state)
{
    struct session *session = session_testing_of(state);
    struct buf log = BUF_INIT;
    struct err err = ERR_INIT;
    start_empty(session);
    assert_int_equal(load(session, 0).version, 0);
    struct flag_change change = change_to(FLAG_READ_TRADES, "shadow");
    assert_int_equal(must(session, &change), 1);
    change = change_to(FLAG_READ_TRADES, "canary:0.5");
    change.origin = FLAG_BY_PLAN;
    change.reason = SLICE("\xe2\x86\x92 half a \"percent\" \xf0\x9f\x8e\xb2");
    change.forced = true;
    assert_int_equal(must(session, &change), 2);
    change = change_to(FLAG_SWITCH_STREAM, "off");
    change.origin = FLAG_BY_SYSTEM;
    assert_int_equal(must(session, &change), 3);
    change = change_to(FLAG_READ_TRADES, NULL);
    assert_int_equal(must(session, &change), 4);

    struct flag_store_rows rows = load(session, 0);
    assert_int_equal(rows.version, 4);
    assert_false(rows.flags[FLAG_READ_TRADES].set);
    assert_int_equal(rows.flags[FLAG_READ_TRADES].version, 4);
    assert_true(rows.flags[FLAG_SWITCH_STREAM].set && !rows.flags[FLAG_SWITCH_STREAM].value.on);
    assert_int_equal(rows.flags[FLAG_READ_POSITIONS].version, 0);

    assert_true(flag_store_history(session, FLAG_COUNT, 0, 100, put_logged, &log, &err));
    assert_string_equal(buf_cstr(&log), "4 read.trades canary:0.5>- operator somebody a test\n"
                                        "3 switch.stream ->off system somebody a test\n"
                                        "2 read.trades shadow>canary:0.5 plan somebody \xe2\x86\x92 half a \"percent\" "
                                        "\xf0\x9f\x8e\xb2 forced\n"
                                        "1 read.trades ->shadow operator somebody a test\n");
    buf_clear(&log);
    assert_true(flag_store_history(session, FLAG_READ_TRADES, 1, 1, put_logged, &log, &err));
    assert_true(flag_store_history(session, FLAG_READ_TRADES, 4, 9, put_logged, &log, &err));
    assert_true(flag_store_history(session, FLAG_READ_TRADES, 0, 9, only_one, &log, &err));
    assert_true(flag_store_latest(session, put_logged, &log, &err));
    assert_string_equal(buf_cstr(&log), "4 read.trades canary:0.5>- operator somebody a test\n"
                                        "4 read.trades canary:0.5>- operator somebody a test\n"
                                        "4 read.trades canary:0.5>- operator somebody a test\n"
                                        "3 switch.stream ->off system somebody a test\n");
    buf_free(&log);
}

static void the_log_can_be_followed(void **state)
{
    struct session *session = session_testing_of(state);
    struct buf log = BUF_INIT;
    struct err err = ERR_INIT;
    int64_t newest = -1;
    start_empty(session);
    assert_true(flag_store_follow(session, 0, put_logged, &log, &newest, &err));
    assert_int_equal(newest, 0);
    assert_int_equal(log.len, 0);
    static const char *const values[] = {"shadow", "repo", NULL};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct flag_change change = change_to(FLAG_READ_TRADES, values[i]);
        (void)must(session, &change);
    }
    session_testing_must(session, "INSERT INTO feature_flag_changes (name, to_value, origin, actor, reason, forced)"
                                  " VALUES ('read.of_a_newer_program', 'x', 'operator', 'a', 'r', false)");
    assert_true(flag_store_follow(session, 1, put_logged, &log, &newest, &err));
    assert_int_equal(newest, 4);
    assert_true(flag_store_follow(session, 0, only_one, &log, NULL, &err));
    assert_true(flag_store_follow(session, INT64_MAX, put_logged, &log, &newest, &err));
    assert_int_equal(newest, 4);
    assert_string_equal(buf_cstr(&log), "2 read.trades shadow>repo operator somebody a test\n"
                                        "3 read.trades repo>- operator somebody a test\n"
                                        "1 read.trades ->shadow operator somebody a test\n");
    buf_free(&log);
}

static void the_same_value_is_no_change(void **state)
{
    struct session *session = session_testing_of(state);
    start_empty(session);
    struct flag_change change = change_to(FLAG_READ_TRADES, NULL);
    assert_int_equal(must(session, &change), 0); /* never set, unset */
    change = change_to(FLAG_READ_TRADES, "canary:5");
    assert_int_equal(must(session, &change), 1);
    change = change_to(FLAG_READ_TRADES, "canary:5.00");
    change.reason = SLICE("again");
    assert_int_equal(must(session, &change), 1);
    change.expected = 1;
    assert_int_equal(must(session, &change), 1);
    change = change_to(FLAG_READ_TRADES, "canary:5.01");
    assert_int_equal(must(session, &change), 2);
    assert_int_equal(load(session, 0).version, 2);
}

static void versions_are_checked(void **state)
{
    struct session *session = session_testing_of(state);
    struct err err = ERR_INIT;
    int64_t version = -1;
    start_empty(session);
    struct flag_change change = change_to(FLAG_READ_TRADES, "shadow");
    change.expected = 0; /* never changed */
    assert_int_equal(must(session, &change), 1);
    static const int64_t wrong[] = {0, 2, INT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        change = change_to(FLAG_READ_TRADES, "repo");
        change.expected = wrong[i];
        assert_false(flag_store_change(session, &change, &version, &err));
        assert_int_equal(err.code, ERR_CONFLICT);
        assert_non_null(strstr(err.text, "read.trades"));
    }
    change.expected = 1;
    assert_int_equal(must(session, &change), 2);
}

static void texts_must_be_fit_to_print(void **state)
{
    struct session *session = session_testing_of(state);
    struct err err = ERR_INIT;
    int64_t version = -1;
    char longest[1001];
    memset(longest, 'x', sizeof longest);
    start_empty(session);
    const struct slice bad[] = {{NULL, 0},
                                SLICE(""),
                                SLICE("a\nb"),
                                SLICE("\x1b[31m"),
                                SLICE("\x7f"),
                                SLICE("a\0b"),
                                SLICE("\xc2\x85"),
                                SLICE("\xed\xa0\x80"),
                                SLICE("\xff"),
                                SLICE("cut \xe2\x86"),
                                {longest, sizeof longest}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct flag_change change = change_to(FLAG_READ_TRADES, "shadow");
        change.reason = bad[i];
        assert_false(flag_store_change(session, &change, &version, &err));
        assert_int_equal(err.code, ERR_INVALID);
        change = change_to(FLAG_READ_TRADES, "shadow");
        change.actor = bad[i];
        assert_false(flag_store_change(session, &change, &version, &err));
        assert_int_equal(err.code, ERR_INVALID);
    }
    struct flag_change change = change_to(FLAG_READ_TRADES, "shadow");
    change.reason = (struct slice){longest, 1000};
    change.actor = (struct slice){longest, 200};
    assert_int_equal(must(session, &change), 1);
}

static void the_log_stays(void **state)
{
    struct session *session = session_testing_of(state);
    struct err err = ERR_INIT;
    start_empty(session);
    struct flag_change change = change_to(FLAG_READ_TRADES, "shadow");
    (void)must(session, &change);
    static const char *const tries[] = {"DELETE FROM feature_flag_changes",
                                        "UPDATE feature_flag_changes SET actor = ''",
                                        "UPDATE feature_flag_changes SET reason = reason WHERE id = 1"};
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        assert_false(session_exec(session, tries[i], &err));
        assert_non_null(strstr(err.text, "its rows stay as they are"));
    }
}

static void what_is_not_known_is_left_out(void **state)
{
    struct session *session = session_testing_of(state);
    struct buf log = BUF_INIT;
    struct err err = ERR_INIT;
    start_empty(session);
    session_testing_must(session, "INSERT INTO feature_flags VALUES ('read.tomorrow', 'repo', 12),"
                                  " ('read.trades', 'mirror', 3), ('switch.stream', 'off', 2);"
                                  "INSERT INTO feature_flag_changes (name, origin, actor, reason)"
                                  " VALUES ('read.tomorrow', 'operator', 'x', 'y')");
    struct flag_store_rows rows = load(session, 2);
    assert_int_equal(rows.version, 12);
    assert_false(rows.flags[FLAG_READ_TRADES].set);
    assert_true(rows.flags[FLAG_SWITCH_STREAM].set);
    assert_true(flag_store_load(session, &rows, NULL, &err));
    assert_true(flag_store_history(session, FLAG_COUNT, 0, 9, put_logged, &log, &err));
    assert_int_equal(log.len, 0);
    buf_free(&log);
}

static int notifications(struct session *session)
{
    int count = 0;
    PGnotify *notify;
    session_testing_must(session, "SELECT 1"); /* brings what is waiting */
    while ((notify = PQnotifies(session_connection(session))) != NULL) {
        count++;
        PQfreemem(notify);
    }
    return count;
}

static void changes_are_told(void **state)
{
    struct session *session = session_testing_of(state);
    struct session_testing *fixture = *state;
    struct err err = ERR_INIT;
    int64_t version;
    start_empty(session);
    struct session *listener = session_open(fixture->testing.dsn, &err);
    assert_non_null(listener);
    session_testing_must(listener, "LISTEN " FLAG_CHANNEL);
    struct flag_change change = change_to(FLAG_READ_TRADES, "shadow");
    (void)must(session, &change);
    assert_int_equal(notifications(listener), 1);
    (void)must(session, &change);
    change.expected = 77;
    assert_false(flag_store_change(session, &change, &version, &err));
    assert_int_equal(notifications(listener), 0);
    session_close(listener);
}

enum { WRITERS = 2, CHANGES = 100 };

struct writer {
    const char *dsn;
    const char *values[2];
    unsigned conflicts;
    bool good;
};

/* Raises the flag from what it saw; when another was faster it looks again. */
static void *write_many(void *arg)
{
    struct writer *writer = arg;
    struct err err = ERR_INIT;
    struct session *session = session_open(writer->dsn, &err);
    writer->good = session != NULL;
    for (unsigned i = 0; writer->good && i < CHANGES;) {
        struct flag_store_rows rows;
        struct flag_change change = {.flag = FLAG_READ_TRADES,
                                     .set = true,
                                     .actor = SLICE("w"),
                                     .reason = SLICE("r"),
                                     .value = {.mode = FLAG_CANARY}};
        int64_t version = 0;
        writer->good = flag_store_load(session, &rows, NULL, &err);
        change.value.share = rows.flags[FLAG_READ_TRADES].value.share + 1;
        change.expected = rows.flags[FLAG_READ_TRADES].version;
        if (writer->good && flag_store_change(session, &change, &version, &err)) {
            i++;
        } else if (err.code == ERR_CONFLICT) {
            writer->conflicts++;
        } else {
            writer->good = false;
        }
    }
    session_close(session);
    return NULL;
}

struct chain {
    int64_t last_id;
    unsigned count;
};

/* Newest first: each row's old value is what the row before it wrote. */
static bool check_chain(void *arg, const struct flag_logged *logged)
{
    struct chain *chain = arg;
    char wanted[32];
    assert_true(chain->count == 0 || logged->id < chain->last_id);
    chain->last_id = logged->id;
    unsigned share = WRITERS * CHANGES - chain->count++;
    (void)snprintf(wanted, sizeof wanted, "canary:%u.%02u", share / 100, share % 100);
    struct flag_value value;
    assert_true(flag_value_parse(FLAG_READ_TRADES, logged->to, &value, NULL));
    assert_int_equal(value.share, share);
    if (share == 1) {
        assert_null(logged->from.p);
    } else {
        assert_true(flag_value_parse(FLAG_READ_TRADES, logged->from, &value, NULL));
        assert_int_equal(value.share, share - 1);
    }
    return true;
}

static void two_writers_lose_nothing(void **state)
{
    struct session *session = session_testing_of(state);
    struct session_testing *fixture = *state;
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    struct chain chain = {0, 0};
    struct err err = ERR_INIT;
    start_empty(session);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.dsn = fixture->testing.dsn};
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(writers[i].good);
    }
    struct flag_store_rows rows = load(session, 0);
    assert_int_equal(rows.flags[FLAG_READ_TRADES].value.share, WRITERS * CHANGES);
    assert_true(flag_store_history(session, FLAG_READ_TRADES, 0, 1000, check_chain, &chain, &err));
    assert_int_equal(chain.count, WRITERS * CHANGES);
}

/* Ids are given under a lock, so that they count up in the order of the commits. */
static void a_change_waits_for_the_others(void **state)
{
    struct session *session = session_testing_of(state);
    struct session_testing *fixture = *state;
    struct err err = ERR_INIT;
    int64_t version = 0;
    start_empty(session);
    struct session *other = session_open(fixture->testing.dsn, &err);
    assert_non_null(other);
    struct flag_change change = change_to(FLAG_READ_TRADES, "shadow");
    /* One that holds the lock keeps the others from taking an id. */
    session_testing_must(other, "BEGIN; SELECT pg_advisory_xact_lock(hashtext('nof0 flags'))");
    session_set_patience(session, 300);
    assert_false(flag_store_change(session, &change, &version, &err));
    assert_int_equal(err.code, ERR_TIMEOUT);
    session_testing_must(other, "ROLLBACK");
    session_close(other);
    session_close(fixture->session);
    fixture->session = session_open(fixture->testing.dsn, &err);
    assert_non_null(fixture->session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_kept_and_logged),   cmocka_unit_test(the_log_can_be_followed),
        cmocka_unit_test(the_same_value_is_no_change),   cmocka_unit_test(versions_are_checked),
        cmocka_unit_test(texts_must_be_fit_to_print),    cmocka_unit_test(the_log_stays),
        cmocka_unit_test(what_is_not_known_is_left_out), cmocka_unit_test(changes_are_told),
        cmocka_unit_test(two_writers_lose_nothing),      cmocka_unit_test(a_change_waits_for_the_others),
    };
    return cmocka_run_group_tests(tests, set_up, session_testing_stop);
}
