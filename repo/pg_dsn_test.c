#include "base/testing.h"
#include "repo/pg_dsn.h"

#include <string.h>

static void assert_option(PGconn *conn, const char *keyword, const char *expected)
{
    PQconninfoOption *options = PQconninfo(conn);
    assert_non_null(options);
    for (const PQconninfoOption *option = options; option->keyword; option++) {
        if (strcmp(option->keyword, keyword) == 0) {
            assert_string_equal(option->val ? option->val : "", expected);
        }
    }
    PQconninfoFree(options);
}

/* What libpq is told for a string at a turn. */
static void check(const char *text, unsigned turn, const char *host, const char *port)
{
    struct err err = ERR_INIT;
    struct pg_dsn *dsn = pg_dsn_new(text, &err);
    assert_non_null(dsn);
    PGconn *conn = pg_dsn_connect_start(dsn, turn);
    assert_option(conn, "host", host);
    assert_option(conn, "port", port);
    assert_option(conn, "dbname", "d");
    assert_option(conn, "client_encoding", "UTF8");
    PQfinish(conn);
    pg_dsn_free(dsn);
}

static void test_hosts_take_turns_with_their_ports(void **state)
{
    (void)state;
    static const char three[] = "postgresql://u@/d?host=/nowhere/a,/nowhere/b,/nowhere/c&port=1,2,3";
    check(three, 0, "/nowhere/a,/nowhere/b,/nowhere/c", "1,2,3");
    check(three, 1, "/nowhere/b,/nowhere/c,/nowhere/a", "2,3,1");
    check(three, 2, "/nowhere/c,/nowhere/a,/nowhere/b", "3,1,2");
    check(three, 3, "/nowhere/a,/nowhere/b,/nowhere/c", "1,2,3");
    check(three, 4294967295U, "/nowhere/a,/nowhere/b,/nowhere/c", "1,2,3");
}

static void test_one_port_is_for_all_hosts(void **state)
{
    (void)state;
    check("host=/nowhere/a,/nowhere/b port=7 dbname=d", 1, "/nowhere/b,/nowhere/a", "7");
    check("host=/nowhere/a port=7 dbname=d", 5, "/nowhere/a", "7");
}

static void test_hosts_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned count;
    } cases[] = {{"", 1},
                 {"host=a", 1},
                 {"host=a,b,c", 3},
                 {"hostaddr=127.0.0.1,127.0.0.2", 2},
                 {"postgresql://u@a:1,b:2/d", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = ERR_INIT;
        struct pg_dsn *dsn = pg_dsn_new(cases[i].text, &err);
        assert_non_null(dsn);
        assert_int_equal(pg_dsn_host_count(dsn), cases[i].count);
        pg_dsn_free(dsn);
    }
}

static void test_what_libpq_cannot_read_is_refused_in_silence(void **state)
{
    (void)state;
    static const char *const bad[] = {"host", "host=a pass'word=hunter2 x", "postgresql://u:hunter2@[::1/d",
                                      "postgresql://u:hunter2@h/d?hunter2=1", "host='hunter2"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err err = ERR_INIT;
        assert_null(pg_dsn_new(bad[i], &err));
        assert_int_equal(err.code, ERR_INVALID);
        assert_null(strstr(err.text, "hunter2"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts_take_turns_with_their_ports),
        cmocka_unit_test(test_one_port_is_for_all_hosts),
        cmocka_unit_test(test_hosts_are_counted),
        cmocka_unit_test(test_what_libpq_cannot_read_is_refused_in_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
