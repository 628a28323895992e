/* Reading the URL; fetching itself is in tests/blackbox/test_capture.py. */
#include "base/testing.h"
#include "ingest/capture_fetch.h"

#include <stdlib.h>

static void bases_are_trimmed(void **state)
{
    (void)state;
    static const char *const bases[][2] = {
        {"http://127.0.0.1:8888", "http://127.0.0.1:8888"},
        {"http://127.0.0.1:8888/", "http://127.0.0.1:8888"},
        {"http://127.0.0.1:8888/api", "http://127.0.0.1:8888"},
        {"http://127.0.0.1:8888/api//", "http://127.0.0.1:8888"},
        {"https://host/x", "https://host/x"},
        {"https://host/x/api/", "https://host/x"},
        {"https://host/myapi", "https://host/myapi"},
        {"https://user:se%40cret@host/x", "https://host/x"},
        {"http://[::1]:8888/", "http://[::1]:8888"},
    };
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        struct capture_site site;
        struct err err = ERR_INIT;
        if (!capture_site_parse(&site, bases[i][0], &err))
            fail_msg("%s: %s", bases[i][0], err.text);
        assert_string_equal(site.base, bases[i][1]);
        capture_site_free(&site);
    }
}

static void credentials_are_kept_apart(void **state)
{
    (void)state;
    struct capture_site site;
    struct err err = ERR_INIT;
    assert_true(capture_site_parse(&site, "https://user:se%40cret@host", &err));
    assert_string_equal(site.user, "user");
    assert_string_equal(site.password, "se@cret");
    capture_site_free(&site);
    assert_true(capture_site_parse(&site, "https://host", &err));
    assert_null(site.user);
    assert_null(site.password);
    capture_site_free(&site);
}

static void other_urls_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",        "host",        "127.0.0.1:8888",   "ftp://host",     "file:///etc/passwd",
        "http://", "http://a b/", "http://host/?x=1", "http://host/#x", "http://host:99999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct capture_site site;
        struct err err = ERR_INIT;
        if (capture_site_parse(&site, bad[i], &err))
            fail_msg("\"%s\" became %s", bad[i], site.base);
        assert_int_equal(err.code, ERR_INVALID);
        assert_null(site.base);
    }
}

static void segments_are_escaped(void **state)
{
    (void)state;
    char *escaped = capture_escape(SLICE("deepseek-chat-v3.1 a/b?\xc3\xa9"));
    assert_string_equal(escaped, "deepseek-chat-v3.1%20a%2Fb%3F%C3%A9");
    free(escaped);
    escaped = capture_escape(SLICE(""));
    assert_string_equal(escaped, "");
    free(escaped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bases_are_trimmed),
        cmocka_unit_test(credentials_are_kept_apart),
        cmocka_unit_test(other_urls_are_refused),
        cmocka_unit_test(segments_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
