/* Output and exit codes of the command; what the registry and the scan do is in cache/keys_test.c and
 * cache/keys_scan_test.c. */
#include "base/buf.h"
#include "base/json_read.h"
#include "cache/redis_rig_testing.h"
#include "cli/cli_internal.h"
#include "cli/cmd_keys.h"

struct fixture {
    struct rig rig;
    struct cli_context context;
    struct buf out;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    rig_make(&f->rig);
    setenv("NOF0_REDIS_URL", f->rig.url, 1);
    f->context.config_path = "etc/nof0.yaml";
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    cli_context_release(&f->context);
    buf_free(&f->out);
    rig_end(&f->rig);
    free(f);
    return 0;
}

/* Runs "keys" with up to two options; what it prints on stdout comes into f->out. */
static int keys(struct fixture *f, const char *first, const char *second)
{
    char words[3][16] = {"keys"};
    char *arguments[] = {words[0], words[1], words[2], NULL};
    int count = 1 + (first != NULL) + (second != NULL);
    if (first)
        (void)snprintf(words[1], sizeof words[1], "%s", first);
    if (second)
        (void)snprintf(words[2], sizeof words[2], "%s", second);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/out", f->rig.folder);
    (void)fflush(NULL);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int old_out = dup(STDOUT_FILENO);
    int old_err = dup(STDERR_FILENO);
    dup2(file, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    int code = cmd_keys(&f->context, count, arguments);
    (void)fflush(NULL);
    dup2(old_out, STDOUT_FILENO);
    dup2(old_err, STDERR_FILENO);
    buf_clear(&f->out);
    (void)lseek(file, 0, SEEK_SET);
    for (ssize_t n = 1; n > 0; f->out.len += n > 0 ? (size_t)n : 0)
        n = read(file, buf_reserve(&f->out, 65536), 65536);
    (void)buf_cstr(&f->out);
    (void)unlink(path);
    close(file);
    close(null);
    close(old_out);
    close(old_err);
    return code;
}

static void the_registry_is_printed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(keys(f, NULL, NULL), CLI_OK);
    assert_non_null(strstr(f->out.data, "nof0:positions:{model}"));
    assert_int_equal(keys(f, "--markdown", NULL), CLI_OK);
    assert_non_null(strstr(f->out.data, "| `positions:{model}` | hash |"));
    assert_int_equal(keys(f, "--json", NULL), CLI_OK);
    struct err err = ERR_INIT;
    cJSON *page = json_parse(buf_slice(&f->out), &err);
    assert_non_null(page);
    assert_string_equal(cJSON_GetObjectItem(page, "prefix")->valuestring, "nof0");
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItem(page, "keys")) > 20);
    cJSON_Delete(page);
    assert_int_equal(keys(f, "--help", NULL), CLI_OK);
    assert_int_equal(keys(f, "--nonsense", NULL), CLI_FAILED);
    assert_int_equal(keys(f, "--json", "--json"), CLI_FAILED);
    assert_int_equal(keys(f, "--markdown", "--json"), CLI_FAILED);
}

static void a_scan_says_what_does_not_belong(void **state)
{
    struct fixture *f = *state;
    rig_needs_server();
    assert_int_equal(keys(f, "--scan", NULL), CLI_FAILED); /* nothing listens yet */
    rig_start(&f->rig);
    struct redisContext *link = rig_link(&f->rig);
    assert_int_equal(keys(f, "--scan", NULL), CLI_OK);
    assert_string_equal(f->out.data, "0 keys, 0 faults\n");
    rig_do(link, "SET nof0:leaderboard:cache [] EX 60");
    assert_int_equal(keys(f, "--scan", NULL), CLI_OK);
    assert_string_equal(f->out.data, "1 keys, 0 faults\n");
    rig_do(link, "SET %b 1", "nof0:stray\x1b[2J\xff", (size_t)15);
    assert_int_equal(keys(f, "--scan", NULL), CLI_FOUND);
    assert_non_null(strstr(f->out.data, "nof0:stray\\x1b[2J\\xff: no row of the registry has this key\n"));
    assert_non_null(strstr(f->out.data, "2 keys, 1 faults\n"));
    assert_int_equal(keys(f, "--scan", "--json"), CLI_FOUND);
    struct err err = ERR_INIT;
    cJSON *line = json_parse(buf_slice(&f->out), &err);
    assert_non_null(line);
    assert_string_equal(cJSON_GetObjectItem(line, "fault")->valuestring, "unregistered");
    cJSON_Delete(line);
    redisFree(link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_registry_is_printed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_scan_says_what_does_not_belong, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
