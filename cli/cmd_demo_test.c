#include "base/testing.h"
#include "cli/cmd_demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORDS = 12 };

/* Runs "demo" with the words of a line. */
static int run(const char *line)
{
    char copy[256];
    char *words[WORDS] = {NULL};
    int count = 0;
    (void)snprintf(copy, sizeof copy, "%s", line);
    for (char *save = NULL, *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        assert_true(count < WORDS - 1);
        words[count++] = word;
    }
    return cmd_demo(NULL, count, words);
}

static void test_wrong_arguments_make_nothing(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "demo",
        "demo a b",
        "demo --models 0 DIR",
        "demo --models 1001 DIR",
        "demo --models six DIR",
        "demo --models",
        "demo --hours 0 DIR",
        "demo --hours 1e3 DIR",
        "demo --trades -1 DIR",
        "demo --trades 43201 DIR",
        "demo --trades 31 --models 1 --hours 1 DIR",
        "demo --seed -1 DIR",
        "demo --seed 9223372036854775808 DIR",
        "demo --unknown DIR",
        "demo -x DIR",
    };
    char dir[] = "/tmp/nof0-cmd-demo-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char line[256];
        const char *place = strstr(lines[i], "DIR");
        (void)snprintf(line, sizeof line, "%.*s%s%s", place ? (int)(place - lines[i]) : (int)strlen(lines[i]), lines[i],
                       place ? dir : "", place ? "/made" : "");
        if (run(line) != CLI_FAILED)
            fail_msg("\"%s\" was accepted", lines[i]);
    }
    assert_int_equal(rmdir(dir), 0); /* still empty */
}

static void test_help_is_fine(void **state)
{
    (void)state;
    assert_int_equal(run("demo --help"), CLI_OK);
}

static void test_a_folder_that_cannot_be_made(void **state)
{
    (void)state;
    assert_int_equal(run("demo --models 1 --hours 1 /dev/null/x"), CLI_FAILED);
}

static void test_the_folder_is_made(void **state)
{
    (void)state;
    static const char *const names[] = {"account-totals.json", "trades.json",          "positions.json",
                                        "crypto-prices.json",  "leaderboard.json",     "since-inception-values.json",
                                        "analytics.json",      "analytics-gpt-5.json", "conversations.json"};
    char dir[] = "/tmp/nof0-cmd-demo-test-XXXXXX";
    char line[256];
    char path[256];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(line, sizeof line, "demo %s/made --trades 30 --models 1 --hours 1", dir); /* options may follow */
    assert_int_equal(run(line), CLI_OK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/made/%s", dir, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    (void)snprintf(path, sizeof path, "%s/made", dir);
    assert_int_equal(rmdir(path), 0); /* nothing but these */
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_arguments_make_nothing),
        cmocka_unit_test(test_help_is_fine),
        cmocka_unit_test(test_a_folder_that_cannot_be_made),
        cmocka_unit_test(test_the_folder_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
