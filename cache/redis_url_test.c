#include "base/testing.h"
#include "cache/redis_url.h"

#include <stdio.h>

static void good_urls_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host; /* or socket path */
        unsigned long port;
        const char *user;
        const char *password; /* NULL: none */
        unsigned long db;
        const char *shown;
    } table[] = {
        {"redis://h", "h", 6379, "", NULL, 0, "redis://h:6379/0"},
        {"redis://h/", "h", 6379, "", NULL, 0, "redis://h:6379/0"},
        {"redis://10.0.0.1:7000/3", "10.0.0.1", 7000, "", NULL, 3, "redis://10.0.0.1:7000/3"},
        {"redis://[::1]:7/0", "::1", 7, "", NULL, 0, "redis://[::1]:7/0"},
        {"redis://[fe80::2]", "fe80::2", 6379, "", NULL, 0, "redis://[fe80::2]:6379/0"},
        {"redis://:pw@h:1/2", "h", 1, "", "pw", 2, "redis://:***@h:1/2"},
        {"redis://u:pw@h", "h", 6379, "u", "pw", 0, "redis://u:***@h:6379/0"},
        {"redis://u%40x:p%2f%3Aw@h", "h", 6379, "u@x", "p/:w", 0, "redis://u@x:***@h:6379/0"},
        {"redis://u:p@w:x@h", "h", 6379, "u", "p@w:x", 0, "redis://u:***@h:6379/0"},
        {"unix:///run/r.sock", "/run/r.sock", 0, "", NULL, 0, "unix:///run/r.sock?db=0"},
        {"unix:///run/r.sock?db=12", "/run/r.sock", 0, "", NULL, 12, "unix:///run/r.sock?db=12"},
        {"redis+unix://:pw@/a%20b", "/a b", 0, "", "pw", 0, "unix://:***@/a b?db=0"},
        {"unix://u:pw@/r", "/r", 0, "u", "pw", 0, "unix://u:***@/r?db=0"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct redis_url url;
        struct err err = ERR_INIT;
        if (!redis_url_parse(slice_of(table[i].text), &url, &err))
            fail_msg("%s: %s", table[i].text, err.text);
        assert_string_equal(url.is_unix ? url.path : url.host, table[i].host);
        assert_int_equal(url.port, table[i].port);
        assert_string_equal(url.user, table[i].user);
        assert_int_equal(url.has_password, table[i].password != NULL);
        assert_string_equal(url.password, table[i].password ? table[i].password : "");
        assert_int_equal(url.db, table[i].db);
        assert_string_equal(url.shown, table[i].shown);
    }
}

static void bad_urls_are_refused_without_telling_the_password(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        "redis:",
        "http://:secret@h",
        "redis://",
        "redis:///0",
        "redis://:secret@",
        "redis://:secret@:6379",
        "redis://secret@h",
        "redis://:@h",
        "redis://:secret%zz@h",
        "redis://:secret%00@h",
        "redis://:secret%4@h",
        "redis://:secret@h:0",
        "redis://:secret@h:65536",
        "redis://:secret@h:x",
        "redis://:secret@h:",
        "redis://:secret@[::1",
        "redis://:secret@[::1]x",
        "redis://:secret@h/-1",
        "redis://:secret@h/x",
        "redis://:secret@h/1000001",
        "redis://:secret@h/1?x=y",
        "unix://",
        "unix://run/r.sock",
        "unix://secret@/run/r.sock",
        "unix://:secret@/run/r.sock?db=",
        "unix://:secret@/run/r.sock?x=1",
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct redis_url url;
        struct err err = ERR_INIT;
        if (redis_url_parse(slice_of(table[i]), &url, &err))
            fail_msg("taken: %s", table[i]);
        assert_int_equal(err.code, ERR_INVALID);
        assert_null(strstr(err.text, "secret"));
    }
}

static void a_socket_path_fits_its_address(void **state)
{
    (void)state;
    for (size_t size = 107; size <= 108; size++) {
        char text[200] = "unix://";
        memset(text + 7, '/', size);
        struct redis_url url;
        struct err err = ERR_INIT;
        assert_int_equal(redis_url_parse(slice_of(text), &url, &err), size == 107);
    }
}

static void tls_is_refused_by_name(void **state)
{
    (void)state;
    struct redis_url url;
    struct err err = ERR_INIT;
    assert_false(redis_url_parse(SLICE("rediss://h"), &url, &err));
    assert_non_null(strstr(err.text, "TLS"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_urls_are_understood),
        cmocka_unit_test(bad_urls_are_refused_without_telling_the_password),
        cmocka_unit_test(a_socket_path_fits_its_address),
        cmocka_unit_test(tls_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
