/* Exit codes of import and export; what they do is in ingest/import_test.c. */
#include "cli/cli_internal.h"
#include "cli/cmd_export.h"
#include "cli/cmd_import.h"
#include "ingest/testing_folder.h"

#include <fcntl.h>

struct fixture {
    struct bench bench;
    struct cli_context context;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    if (!bench_start(&fixture.bench, "cmd_import"))
        return 0;
    setenv("NOF0_POSTGRES_DSN", fixture.bench.testing.dsn, 1);
    fixture.context.config_path = "etc/nof0.yaml";
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    if (fixture) {
        cli_context_release(&fixture->context);
        bench_stop(&fixture->bench);
    }
    return 0;
}

/* Runs a command with up to three words, what it prints thrown away. */
static int run(struct cli_context *context, cli_command *command, const char *first, const char *second,
               const char *third)
{
    char words[4][200];
    const char *const given[] = {"command", first, second, third};
    char *arguments[5];
    int count = 0;
    for (; count < 4 && given[count]; count++) {
        (void)snprintf(words[count], sizeof words[count], "%s", given[count]);
        arguments[count] = words[count];
    }
    arguments[count] = NULL;
    (void)fflush(NULL);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int old_out = dup(STDOUT_FILENO);
    int old_err = dup(STDERR_FILENO);
    (void)dup2(nowhere, STDOUT_FILENO);
    (void)dup2(nowhere, STDERR_FILENO);
    int code = command(context, count, arguments);
    (void)fflush(NULL);
    (void)dup2(old_out, STDOUT_FILENO);
    (void)dup2(old_err, STDERR_FILENO);
    (void)close(nowhere);
    (void)close(old_out);
    (void)close(old_err);
    return code;
}

static void wrong_arguments_are_refused(void **unused)
{
    (void)unused;
    struct cli_context context = {0};
    static cli_command *const commands[] = {cmd_import, cmd_export};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(run(&context, commands[i], NULL, NULL, NULL), CLI_FAILED);
        assert_int_equal(run(&context, commands[i], "--quiet", NULL, NULL), CLI_FAILED);
        assert_int_equal(run(&context, commands[i], "a", "b", NULL), CLI_FAILED);
        assert_int_equal(run(&context, commands[i], "a", "--loud", NULL), CLI_FAILED);
        assert_int_equal(run(&context, commands[i], "--help", NULL, NULL), CLI_OK);
    }
    assert_int_equal(run(&context, cmd_import, "a", "--only", NULL), CLI_FAILED);
    cli_context_release(&context);
}

static void exit_codes_say_what_happened(void **state)
{
    struct fixture *fixture = *state;
    if (!fixture)
        skip();
    struct cli_context *context = &fixture->context;
    const struct bench *bench = &fixture->bench;
    assert_int_equal(run(context, cmd_import, bench->in, NULL, NULL), CLI_FAILED);
    assert_int_equal(run(context, cmd_export, bench->out, NULL, NULL), CLI_FAILED);
    bench_put(&fixture->bench, "trades.json", SLICE("{\"trades\":[]}"));
    bench_put(&fixture->bench, "leaderboard.json", SLICE("{\"leaderboard\":[{}]}"));
    assert_int_equal(run(context, cmd_import, bench->in, "--quiet", NULL), CLI_FOUND);
    assert_int_equal(run(context, cmd_import, bench->in, "--only", "trades"), CLI_OK);
    assert_int_equal(run(context, cmd_import, bench->in, "--only=trades", NULL), CLI_OK);
    assert_int_equal(run(context, cmd_import, bench->in, "--only=trade", NULL), CLI_FAILED);
    assert_int_equal(run(context, cmd_export, bench->out, "--quiet", NULL), CLI_OK);
    assert_int_equal(bench_count_json(bench->out), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(exit_codes_say_what_happened),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
