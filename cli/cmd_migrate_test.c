/* Exit codes of the command; what the engine does is in repo/migrate_test.c. */
#include "cli/cli_internal.h"
#include "cli/cmd_migrate.h"
#include "repo/pg_testing.h"

#include <fcntl.h>

struct fixture {
    struct pg_testing testing;
    struct cli_context context;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    if (!pg_testing_start(&fixture.testing, "cmd_migrate"))
        return 0;
    setenv("NOF0_POSTGRES_DSN", fixture.testing.dsn, 1);
    fixture.context.config_path = "etc/nof0.yaml";
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    if (fixture) {
        cli_context_release(&fixture->context);
        pg_testing_stop(&fixture->testing);
    }
    return 0;
}

/* Runs "migrate" with the words of `line`, what it prints thrown away. */
static int migrate(struct cli_context *context, const char *line)
{
    char words[256];
    char *arguments[16];
    char *rest = NULL;
    int count = 0;
    snprintf(words, sizeof words, "migrate %s", line);
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        arguments[count++] = word;
    arguments[count] = NULL;
    fflush(NULL);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int old_out = dup(STDOUT_FILENO);
    int old_err = dup(STDERR_FILENO);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    int code = cmd_migrate(context, count, arguments);
    fflush(NULL);
    dup2(old_out, STDOUT_FILENO);
    dup2(old_err, STDERR_FILENO);
    close(nowhere);
    close(old_out);
    close(old_err);
    return code;
}

static void words_that_make_no_sense_are_2(void **state)
{
    (void)state;
    static const char *const lines[] = {"",
                                        "sideways",
                                        "up --to",
                                        "up --to x",
                                        "up 3",
                                        "status --to 1",
                                        "down --to -1",
                                        "resolve",
                                        "resolve 1",
                                        "resolve 1 maybe",
                                        "up --to=",
                                        "up --to 1 2",
                                        "up --to 99999999999999999999"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct cli_context context = {0};
        if (migrate(&context, lines[i]) != CLI_FAILED)
            fail_msg("%s", lines[i]);
        assert_null(context.settings);
    }
    struct cli_context context = {0};
    assert_int_equal(migrate(&context, "--help"), CLI_OK);
}

static void status_is_1_while_something_is_pending(void **state)
{
    struct fixture *fixture = *state;
    if (!fixture)
        skip();
    struct cli_context *context = &fixture->context;
    assert_int_equal(migrate(context, "status"), CLI_FOUND);
    assert_int_equal(migrate(context, "up --to 0"), CLI_OK);
    assert_int_equal(migrate(context, "up --to 1"), CLI_OK);
    assert_int_equal(migrate(context, "status"), CLI_FOUND);
    assert_int_equal(migrate(context, "up --to=9999"), CLI_FAILED);
    assert_int_equal(migrate(context, "up"), CLI_OK);
    assert_int_equal(migrate(context, "up"), CLI_OK);
    assert_int_equal(migrate(context, "status"), CLI_OK);
    assert_int_equal(migrate(context, "down"), CLI_OK);
    assert_int_equal(migrate(context, "status"), CLI_FOUND);
    assert_int_equal(migrate(context, "up"), CLI_OK);
    assert_int_equal(migrate(context, "resolve 1 applied"), CLI_FAILED);
    pg_testing_exec(fixture->testing.conn, "UPDATE schema_migrations SET checksum = 'x' WHERE version = 1");
    assert_int_equal(migrate(context, "status"), CLI_FAILED);
    assert_int_equal(migrate(context, "down --to 0"), CLI_FAILED);
}

static void without_a_database_it_is_2(void **state)
{
    (void)state;
    struct cli_context context = {.config_path = "etc/nof0.yaml"};
    char *old = getenv("NOF0_POSTGRES_DSN");
    char *kept = old ? strdup(old) : NULL;
    setenv("NOF0_POSTGRES_DSN", "", 1);
    assert_int_equal(migrate(&context, "status"), CLI_FAILED);
    cli_context_release(&context);
    setenv("NOF0_POSTGRES_DSN", "postgresql://nobody@127.0.0.1:1/none", 1);
    assert_int_equal(migrate(&context, "status"), CLI_FAILED);
    cli_context_release(&context);
    context.config_path = "no/such/file.yaml";
    assert_int_equal(migrate(&context, "status"), CLI_FAILED);
    cli_context_release(&context);
    if (kept)
        setenv("NOF0_POSTGRES_DSN", kept, 1);
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_that_make_no_sense_are_2),
        cmocka_unit_test(status_is_1_while_something_is_pending),
        cmocka_unit_test(without_a_database_it_is_2),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
