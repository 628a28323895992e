#include "base/testing.h"
#include "server/negotiate.h"

static void test_gzip(void **state)
{
    (void)state;
    static const char *const yes[] = {"gzip",
                                      "GZip",
                                      "x-gzip",
                                      "gzip, deflate, br",
                                      "deflate;q=1,gzip;q=0.001",
                                      "*",
                                      "*;q=0.5",
                                      "br;q=1.0, gzip;q=0.8, *;q=0.1",
                                      "identity;q=0.5, gzip;q=0.5",
                                      "gzip ; q=1.000",
                                      "gzip;Q=0.3",
                                      "gzip;x=1;q=1",
                                      ",,gzip,,"};
    static const char *const no[] = {"",
                                     "identity",
                                     "deflate, br",
                                     "gzip;q=0",
                                     "gzip;q=0.000",
                                     "*;q=0",
                                     "gzip;q=0, *",
                                     "gzip;q=2",
                                     "gzip;q=1.001",
                                     "gzip;q=0.0001",
                                     "gzip;q=abc",
                                     "gzip;q=",
                                     "identity;q=1, gzip;q=0.5",
                                     "gzipped",
                                     "ungzip",
                                     ";q=1",
                                     ","};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (!negotiate_gzip(slice_of(yes[i])))
            fail_msg("no gzip for \"%s\"", yes[i]);
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        if (negotiate_gzip(slice_of(no[i])))
            fail_msg("gzip for \"%s\"", no[i]);
    }
    assert_false(negotiate_gzip((struct slice){NULL, 0}));
}

static void test_if_none_match(void **state)
{
    (void)state;
    const char *etag = "W/\"abc\"";
    static const char *const same[] = {"W/\"abc\"",  "\"abc\"",           "*",
                                       " * ",        "\"x\", W/\"abc\"",  "W/\"x,y\",\"abc\",\"z\"",
                                       ",, \"abc\"", "\t\"abc\" , broken"};
    static const char *const other[] = {"",           "\"ab\"", "\"abcd\"",  "abc",      "W/abc", "w/\"abc\"", "\"abc",
                                        "\"x\", abc", "\"*\"",  "\"W/abc\"", "*, \"x\"", "\"",    "W/",        "W"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        if (!negotiate_not_modified(slice_of(same[i]), etag))
            fail_msg("no match in %s", same[i]);
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        if (negotiate_not_modified(slice_of(other[i]), etag))
            fail_msg("a match in %s", other[i]);
    }
    assert_false(negotiate_not_modified((struct slice){NULL, 0}, etag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_if_none_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
